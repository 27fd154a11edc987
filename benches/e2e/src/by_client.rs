//! Clients against one sink: what a message costs them, and how long it takes over a link with delay.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use crate::clients::CLIENTS;
use crate::delay;
use crate::process::{Calls, Core, Running, Server, ended, own, postfix};
use crate::table::{Figure, head, micros, rate, row, short};
use crate::work::{Cost, FROM, SHAPES, Shape};

/// The one in C that is no library.
const SOURCE: &str = "smtp-source";

/// Who may be the fastest Rust peer.
const PEERS: [&str; 4] = ["lettre", "mail-send", "async-smtp", "io-smtp"];

/// What all of them send to.
const SINK: &str = "smtp-sink";

fn sink() -> Server {
    Server::start(SINK, Core::Measured, 1)
        .expect("smtp-sink: set SMTP_INTEROP to where interop/install.sh put it")
}

fn names() -> impl Iterator<Item = &'static str> {
    CLIENTS.into_iter().chain([SOURCE])
}

/// One connection, client and sink on one core: CPU of the client, system calls, messages a second.
pub fn costs(rounds: usize, divisor: usize) {
    println!("\n## Clients: one connection to {SINK}, both on one core, median of {rounds} rounds (from-to)");
    let sink = sink();
    for shape in SHAPES {
        head(&["client", "CPU µs/message", "messages/s", "writes", "waits", "system calls"]);
        println!("| *{}, {} a round* | | | | | |", shape.name, (shape.count / divisor).max(1));
        let mut figures: Vec<_> = names().map(|name| (name, Figure::default(), Figure::default())).collect();
        let count = (shape.count / divisor).max(1);
        for _ in 0..rounds {
            for (name, cpu, throughput) in &mut figures {
                let cost = measure(name, shape, count, sink.address);
                cpu.add(micros(cost.cpu, count));
                throughput.add(rate(count, cost.wall));
            }
        }
        for (name, cpu, throughput) in &figures {
            let calls = calls(name, shape, sink.address);
            let [writes, waits, all] = calls.map(short);
            row(&[(*name).into(), cpu.spread(), short(throughput.median()), writes, waits, all]);
        }
        let best = |names: &[&str]| {
            let named = figures.iter().filter(|(name, ..)| names.contains(name));
            named.map(|(name, cpu, _)| (cpu.median(), *name)).min_by(|a, b| a.0.total_cmp(&b.0)).expect("one")
        };
        let ((ours, which), (peer, whose)) = (best(&CLIENTS[..3]), best(&PEERS));
        println!("\n{}: {which} / {whose} = {:.2} of its CPU", shape.name, ours / peer);
    }
}

fn measure(name: &str, shape: Shape, count: usize, to: SocketAddr) -> Cost {
    if name == SOURCE {
        let (one, all) = (source(shape, 1, to, None), source(shape, count + 1, to, None));
        return Cost { cpu: all.cpu.saturating_sub(one.cpu), wall: all.wall.saturating_sub(one.wall) };
    }
    let warm = (count / 10).max(1);
    let mut client = Running::start(&mut client(name, shape, warm, count, to, None));
    let cost = printed(&client.line());
    client.end();
    cost
}

fn client(
    name: &str,
    shape: Shape,
    warm: usize,
    count: usize,
    to: SocketAddr,
    trace: Option<&Path>,
) -> std::process::Command {
    let mut command = own(Core::Measured, trace);
    command.args(["client", name, shape.name, &warm.to_string(), &count.to_string(), &to.to_string()]);
    command
}

/// What the process of a client prints, and how it is read again.
pub fn print(cost: Cost) {
    println!("{} {}", cost.cpu.as_nanos(), cost.wall.as_nanos());
}

fn printed(line: &str) -> Cost {
    let mut numbers = line.split(' ').map(|number| Duration::from_nanos(number.parse().expect("a number")));
    let mut next = || numbers.next().expect("two numbers");
    Cost { cpu: next(), wall: next() }
}

/// Runs smtp-source to its end: what the process cost as a whole.
fn source(shape: Shape, count: usize, to: SocketAddr, trace: Option<&Path>) -> Cost {
    let mut command = postfix(SOURCE, Core::Measured, trace).expect("smtp-source, where smtp-sink is");
    command.args(["-d", "-s", "1", "-f", FROM, "-t", "ben.smith@example.net"]);
    command.args(["-l", &shape.octets.to_string(), "-m", &count.to_string()]);
    command.args(["-r", &shape.recipients.to_string(), &to.to_string()]);
    let (used, since) = (ended(), Instant::now());
    let status = command.stdin(Stdio::null()).status().expect("smtp-source");
    assert!(status.success(), "{status}");
    Cost { cpu: ended().saturating_sub(used), wall: since.elapsed() }
}

/// Writes, waits and all system calls for one message in the steady state: the difference of two runs. A wait is a read
/// that brought something.
#[expect(clippy::cast_precision_loss, reason = "counts are small")]
fn calls(name: &str, shape: Shape, to: SocketAddr) -> [f64; 3] {
    const WRITES: [&str; 5] = ["write", "writev", "sendto", "sendmsg", "sendmmsg"];
    const READS: [&str; 4] = ["read", "readv", "recvfrom", "recvmsg"];
    let path = std::env::temp_dir().join(format!("smtp-e2e-{}.strace", std::process::id()));
    let traced = |count| {
        if name == SOURCE {
            source(shape, count, to, Some(&path));
        } else {
            let mut client = Running::start(&mut client(name, shape, 0, count, to, Some(&path)));
            client.line();
            client.end();
        }
        let calls = Calls::read(&path);
        let _ = std::fs::remove_file(&path);
        [calls.of(&WRITES), calls.of(&READS), calls.all()].map(|calls| calls as f64)
    };
    let (few, many) = (traced(shape.traced), traced(3 * shape.traced));
    std::array::from_fn(|at| (many[at] - few[at]) / (2 * shape.traced) as f64)
}

/// One connection over a link with delay: messages a second of 1 KiB.
pub fn delays(divisor: usize) {
    println!("\n## Clients over a link with delay: 1 KiB, one connection to {SINK}, messages a second");
    let sink = sink();
    let delays = [(1, 200), (20, 20), (100, 5)].map(|(millis, count)| (millis, (count / divisor).max(2)));
    head(&["client", "round trip 1 ms", "20 ms", "100 ms", "round trips a message at 20 ms, at the most"]);
    let columns = delays.map(|(millis, count)| {
        let link = delay::link(sink.address, Duration::from_millis(millis));
        // They are idle nearly all the time, so all of them run at once.
        let runs: Vec<_> = CLIENTS
            .into_iter()
            .map(|name| {
                thread::spawn(move || {
                    let mut client = Running::start(&mut client(name, SHAPES[0], 1, count, link, None));
                    let cost = printed(&client.line());
                    client.end();
                    rate(count, cost.wall)
                })
            })
            .collect();
        runs.into_iter().map(|run| run.join().expect("a run")).collect::<Vec<_>>()
    });
    for (at, name) in CLIENTS.into_iter().enumerate() {
        let trips = 1.0 / columns[1][at] / 0.020;
        row(&[
            name.into(),
            short(columns[0][at]),
            short(columns[1][at]),
            short(columns[2][at]),
            short(trips),
        ]);
    }
}
