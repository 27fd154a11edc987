//! The sink: takes what comes, counts it, and throws it away.

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use smtp_tokio::proto::address::Domain;
use smtp_tokio::proto::command::Rcpt;
use smtp_tokio::proto::dot::Body;
use smtp_tokio::proto::reply::Reply;
use smtp_tokio::proto::server::Config;
use smtp_tokio::{Handler, Listener, OK, Peer, Service, Shutdown};
use tokio::runtime::Builder;

use super::args::Sink;
use super::progress::{Progress, Seen};
use crate::exit::{self, Failure};
use crate::serve::Certificate;

/// What was counted.
#[derive(Debug)]
struct Counts {
    started: Instant,
    /// When the first connection came, in microseconds; 0 before.
    first: AtomicU64,
    seen: Seen,
    connections: AtomicU64,
    recipients: AtomicU64,
    octets: AtomicU64,
    /// After how many messages to end.
    messages: Option<u64>,
    shutdown: Shutdown,
}

/// Counts one connection's messages.
struct Counter {
    counts: Arc<Counts>,
    octets: u64,
    recipients: u64,
}

impl Handler for Counter {
    async fn connected(&mut self, _: Peer<'_>) -> Reply<'static> {
        let counts = &self.counts;
        counts.connections.fetch_add(1, Ordering::Relaxed);
        let now = u64::try_from(counts.started.elapsed().as_micros()).unwrap_or(u64::MAX).max(1);
        let _ = counts.first.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed);
        const { Reply::fixed(smtp_tokio::proto::status::Code::READY, None, "ESMTP") }
    }

    async fn rcpt(&mut self, _: &Rcpt<'_>) -> Reply<'static> {
        self.recipients += 1;
        OK
    }

    async fn body(&mut self, body: &Body<'_>) -> Result<(), Reply<'static>> {
        self.octets += body.slices().map(|slice| slice.len() as u64).sum::<u64>();
        Ok(())
    }

    async fn message(&mut self) -> Reply<'static> {
        let counts = &self.counts;
        counts.octets.fetch_add(self.octets, Ordering::Relaxed);
        counts.recipients.fetch_add(self.recipients, Ordering::Relaxed);
        counts.seen.message(true, counts.started);
        if counts.messages.is_some_and(|messages| counts.seen.delivered() >= messages) {
            counts.shutdown.begin();
        }
        OK
    }

    fn reset(&mut self) {
        (self.octets, self.recipients) = (0, 0);
    }
}

/// Takes messages until it is interrupted, or has had enough.
pub(super) fn run(args: &Sink) -> Result<ExitCode, Failure> {
    let broken = |error: std::io::Error| Failure::new(exit::OS_ERROR, error.to_string());
    let name = Domain::try_from(String::from("sink.example"))
        .map_err(|error| Failure::new(exit::SOFTWARE, error.to_string()))?;
    let mut config = Config::new(name);
    if args.lmtp {
        config = config.lmtp();
    }
    let certificate = args.tls_self_signed.then(Certificate::self_signed).transpose()?;
    let mut service = Service::new(config.shared());
    if let Some(certificate) = &certificate {
        service = service.with_starttls(Arc::clone(&certificate.config));
    }
    let shutdown = Shutdown::new();
    let counts = Arc::new(Counts {
        started: Instant::now(),
        first: AtomicU64::new(0),
        seen: Seen::default(),
        connections: AtomicU64::new(0),
        recipients: AtomicU64::new(0),
        octets: AtomicU64::new(0),
        messages: args.messages,
        shutdown: shutdown.clone(),
    });
    // One thread has no one to wait for.
    let runtime = Builder::new_current_thread().enable_all().build().map_err(broken)?;
    let time = args.time.map(Duration::from_secs_f64);
    runtime.block_on(async {
        let listener = Listener::bind(args.listen.as_str()).await.map_err(|error| {
            Failure::new(exit::OS_ERROR, format!("can't listen at {}: {error}", args.listen))
        })?;
        let address = listener.local_addr().map_err(broken)?;
        say(format_args!("listening {address}"));
        tokio::spawn(end(shutdown.clone(), time));
        tokio::spawn(watch(Arc::clone(&counts), args.messages, time));
        let handler = || Counter { counts: Arc::clone(&counts), octets: 0, recipients: 0 };
        smtp_tokio::serve(listener, service, &shutdown, handler).await.map_err(broken)
    })?;
    report(args, &counts);
    Ok(ExitCode::SUCCESS)
}

/// Begins the end when it is interrupted, or the time is over.
async fn end(shutdown: Shutdown, time: Option<Duration>) {
    let interrupted = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    match time {
        Some(time) => drop(tokio::time::timeout(time, interrupted).await),
        None => interrupted.await,
    }
    shutdown.begin();
}

async fn watch(counts: Arc<Counts>, messages: Option<u64>, time: Option<Duration>) {
    let mut progress = Progress::new(messages, time);
    while !counts.shutdown.has_begun() {
        progress.show(&counts.seen, counts.started);
        tokio::time::sleep(Progress::TICK * 4).await;
    }
    progress.finish();
}

fn report(args: &Sink, counts: &Counts) {
    let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
    let first = Duration::from_micros(count(&counts.first));
    let took = counts.seen.last().unwrap_or(first).saturating_sub(first).as_secs_f64();
    let (messages, octets) = (counts.seen.delivered(), count(&counts.octets));
    let (connections, recipients) = (count(&counts.connections), count(&counts.recipients));
    if args.json {
        say(format_args!(
            "{}",
            json!({
                "messages": messages,
                "recipients": recipients,
                "octets": octets,
                "connections": connections,
                "seconds": took,
                "messages_per_second": messages as f64 / took.max(1e-6),
            })
        ));
    } else {
        say(format_args!(
            "{messages} messages of {octets} octets for {recipients} recipients, over {connections} connections \
             in {took:.3} s: {:.0} messages/s",
            messages as f64 / took.max(1e-6)
        ));
    }
}

/// One line, at once. Whoever started this may have stopped reading.
fn say(line: std::fmt::Arguments<'_>) {
    let mut out = std::io::stdout();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
