//! How it went.

use std::io::{self, Write};
use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Map, Value, json};

use super::args::Load;
use super::plan::Plan;
use super::tally::Tally;
use crate::style::{BAD, LABEL};

/// Prints what was counted in this time.
pub(super) fn print(args: &Load, plan: &Plan, tally: &Tally, took: Duration) {
    let mut out = crate::style::stdout();
    // Whether anybody reads it changes nothing.
    let _ = if args.json {
        writeln!(out, "{}", json(args, plan, tally, took))
    } else {
        text(tally, took, &mut out)
    };
    let _ = out.flush();
}

const PERCENTILES: [(&str, f64); 5] =
    [("p50", 50.0), ("p90", 90.0), ("p99", 99.0), ("p99_9", 99.9), ("max", 100.0)];

fn per_second(count: u64, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64().max(1e-6)
}

fn json(args: &Load, plan: &Plan, tally: &Tally, took: Duration) -> Value {
    let cpu = cpu();
    json!({
        "server": args.server,
        "connections": args.connections,
        "recipients_each": args.recipients,
        "sizes": args.size.iter().map(|size| size.0).collect::<Vec<_>>(),
        "pipelining": plan.pipelining,
        "delivered": tally.delivered,
        "failed": tally.failed,
        "recipients": tally.recipients,
        "seconds": took.as_secs_f64(),
        "messages_per_second": per_second(tally.delivered, took),
        "octets": tally.octets,
        "octets_per_second": per_second(tally.octets, took),
        "connected": tally.connections,
        "wire": {
            "sent": tally.wire.sent,
            "received": tally.wire.received,
            "writes": tally.wire.writes,
            "round_trips": tally.wire.round_trips,
        },
        "latency_us": percentiles(&tally.latency),
        "connecting_us": percentiles(&tally.connecting),
        "cpu_seconds": cpu.map(|(user, system)| json!({ "user": user, "system": system })),
        "errors": tally.errors,
    })
}

fn percentiles(histogram: &Histogram<u64>) -> Value {
    let mut fields = Map::new();
    if !histogram.is_empty() {
        fields.insert("min".into(), json!(histogram.min()));
        fields.insert("mean".into(), json!(histogram.mean()));
        for (name, percentile) in PERCENTILES {
            fields.insert(name.into(), json!(histogram.value_at_percentile(percentile)));
        }
    }
    Value::Object(fields)
}

fn text(tally: &Tally, took: Duration, out: &mut impl Write) -> io::Result<()> {
    let all = (tally.delivered + tally.failed).max(1) as f64;
    let rows = [
        (
            "messages",
            format!(
                "{} delivered, {} failed, {} recipients",
                tally.delivered, tally.failed, tally.recipients
            ),
        ),
        ("time", format!("{:.3} s, over {} connections", took.as_secs_f64(), tally.connections)),
        (
            "throughput",
            format!(
                "{:.0} messages/s, {:.2} MiB/s of messages",
                per_second(tally.delivered, took),
                per_second(tally.octets, took) / f64::from(1 << 20)
            ),
        ),
        (
            "wire",
            format!(
                "{} octets sent, {} received; {:.2} writes and {:.2} round trips for a message",
                tally.wire.sent,
                tally.wire.received,
                tally.wire.writes as f64 / all,
                tally.wire.round_trips as f64 / all
            ),
        ),
        ("latency", times(&tally.latency)),
        ("connecting", times(&tally.connecting)),
    ];
    for (name, value) in rows {
        writeln!(out, "{LABEL}{name:<10}{LABEL:#}  {value}")?;
    }
    if let Some((user, system)) = cpu() {
        writeln!(out, "{LABEL}{:<10}{LABEL:#}  {user:.2} s here, {system:.2} s in the system", "CPU")?;
    }
    for (what, times) in &tally.errors {
        writeln!(out, "{BAD}error{BAD:#}       {times} × {what}")?;
    }
    Ok(())
}

fn times(histogram: &Histogram<u64>) -> String {
    if histogram.is_empty() {
        return "none".into();
    }
    let each = PERCENTILES.map(|(name, percentile)| {
        let ms = histogram.value_at_percentile(percentile) as f64 / 1000.0;
        format!("{} {ms:.3}", name.replace('_', "."))
    });
    format!("{} ms", each.join(", "))
}

/// The processor time of this process so far, its own and the system's for it, where the system tells: in seconds.
fn cpu() -> Option<(f64, f64)> {
    // Linux counts it in hundredths, whatever the kernel's own clock is (proc(5)).
    const TICK: f64 = 0.01;
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name, which may hold anything, ends with the last bracket; utime and stime are fields 14 and 15.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut seconds = || Some(fields.next()?.parse::<f64>().ok()? * TICK);
    Some((seconds()?, seconds()?))
}
