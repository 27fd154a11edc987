//! Servers under one load: what a message and a connection cost them.

use std::io::Read as _;
use std::mem::size_of;
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::clients::{self, on_tokio};
use crate::load;
use crate::process::{Core, PATIENCE, Running, Server, own, postfix};
use crate::servers::{self, SERVERS};
use crate::table::{Figure, head, micros, rate, row, short};
use crate::work::{FROM, SHAPES, Shape};

/// Who the aims are measured against.
const PEERS: [&str; 2] = ["smtp-sink", "mailin-embedded"];

fn names() -> impl Iterator<Item = &'static str> {
    SERVERS.into_iter().chain(["smtp-sink", "aiosmtpd"])
}

const SESSIONS: usize = 10;

/// A load, and how many messages it sends in a round.
#[derive(Clone, Copy)]
struct Load {
    name: &'static str,
    shape: Shape,
    lock_step: bool,
    count: usize,
}

const LOADS: [Load; 4] = [
    Load { name: "1 KiB, lock-step", shape: SHAPES[0], lock_step: true, count: 5000 },
    Load { name: "1 KiB, pipelined", shape: SHAPES[0], lock_step: false, count: 10_000 },
    Load { name: "100 KiB, lock-step", shape: SHAPES[2], lock_step: true, count: 500 },
    Load { name: "10 MiB, pipelined", shape: SHAPES[3], lock_step: false, count: 20 },
];

/// Ten sessions: CPU of the server for each message. On one core, where nobody pays for waking up the other one.
pub fn costs(rounds: usize, divisor: usize) {
    println!(
        "\n## Servers: {SESSIONS} sessions, server and load on one core, CPU µs/message, median of {rounds} \
         rounds (from-to)"
    );
    println!("Lock-step: smtp-source. Pipelined: MAIL to DATA in one write, the message in another.");
    let mut titles = vec!["server"];
    titles.extend(LOADS.iter().map(|load| load.name));
    head(&titles);
    let running = names().filter_map(|name| Some((name, Server::start(name, Core::Measured, 64)?)));
    let mut all: Vec<_> =
        running.map(|(name, server)| (name, server, LOADS.map(|_| Figure::default()))).collect();
    // A round of all, and then the next: what disturbs the machine for a while disturbs nobody more than the others.
    for _ in 0..rounds {
        for (name, server, figures) in &mut all {
            // Figures of its own order do not get better by taking minutes.
            let divisor = if *name == "aiosmtpd" { divisor * 10 } else { divisor };
            for (load, figure) in LOADS.iter().zip(figures) {
                figure.add(cost(server, *load, (load.count / divisor).max(SESSIONS)));
            }
        }
    }
    for (name, _, figures) in &all {
        let spreads = figures.iter().map(Figure::spread);
        row(&[(*name).to_owned()].into_iter().chain(spreads).collect::<Vec<_>>());
    }
    println!();
    for (at, load) in LOADS.iter().enumerate() {
        let among = |names: &[&str]| {
            let among = all.iter().filter(|(name, ..)| names.contains(name));
            let each = among.map(|(name, _, figures)| (figures[at].median(), *name));
            each.min_by(|a, b| a.0.total_cmp(&b.0)).expect("one of them")
        };
        let ((ours, which), (peer, whose)) = (among(&SERVERS[..3]), among(&PEERS));
        println!("{}: {which} / {whose} = {:.2} of its CPU", load.name, ours / peer);
    }
}

fn cost(server: &Server, load: Load, count: usize) -> f64 {
    let send = |count: usize| {
        if load.lock_step {
            source(load.shape, count, server.address);
        } else {
            let each = count / SESSIONS;
            let done = loaded(Core::Measured, load.shape, SESSIONS, each, PATIENCE, server.address);
            assert!(done.is_some_and(|(sent, _)| sent == each * SESSIONS), "they were not all taken in time");
        }
    };
    // What opening the connections costs is not the messages'.
    let begun = server.running.cpu();
    send(SESSIONS);
    let between = server.running.cpu();
    send(count + SESSIONS);
    let ended = server.running.cpu();
    micros((ended - between).saturating_sub(between - begun), count)
}

fn source(shape: Shape, count: usize, to: SocketAddr) {
    let mut command = postfix("smtp-source", Core::Measured, None)
        .expect("smtp-source: set SMTP_INTEROP to where interop/install.sh put it");
    command.args(["-d", "-s", &SESSIONS.to_string(), "-f", FROM, "-t", "ben.smith@example.net"]);
    command.args(["-l", &shape.octets.to_string(), "-m", &count.to_string(), &to.to_string()]);
    let status = command.stdin(Stdio::null()).status().expect("smtp-source");
    assert!(status.success(), "{status}");
}

/// The pipelined load, in a process of its own: messages, and how long they took.
fn loaded(
    core: Core,
    shape: Shape,
    sessions: usize,
    each: usize,
    time: Duration,
    to: SocketAddr,
) -> Option<(usize, Duration)> {
    let mut command = own(core, None);
    command.args(["load", shape.name, &sessions.to_string(), &each.to_string()]);
    let mut load = Running::start(command.arg(time.as_secs_f64().to_string()).arg(to.to_string()));
    let line = load.try_line()?;
    load.end();
    let (sent, nanos) = line.split_once(' ')?;
    Some((sent.parse().ok()?, Duration::from_nanos(nanos.parse().ok()?)))
}

/// The other end of [`loaded`].
pub fn load(shape: Shape, sessions: usize, each: usize, time: Duration, to: SocketAddr) {
    let (sent, took) = on_tokio(load::pipelined(to, shape, sessions, each, time));
    println!("{sent} {}", took.as_nanos());
}

/// Octets of memory for each connection that has said EHLO and waits.
#[expect(clippy::cast_precision_loss, reason = "counts are small")]
pub fn idle(connections: usize) {
    println!("\n## Idle connections: {connections} in the clear, after EHLO; resident memory of the server");
    head(&["server", "octets/connection", "MiB in all", "CPU µs/connection, opened and greeted"]);
    for name in names() {
        let threads = u32::try_from(connections + 10).expect("not that many");
        let Some(server) = Server::start(name, Core::Measured, threads) else { continue };
        // The first connections cost what all of them share.
        drop(held(100, server.address));
        std::thread::sleep(Duration::from_millis(700));
        let ((before, _), used) = (server.running.memory(), server.running.cpu());
        let Some(holder) = held(connections, server.address) else {
            row(&[name.into(), "they did not all come in time".into(), String::new(), String::new()]);
            continue;
        };
        let (after, _) = server.running.memory();
        let cpu = server.running.cpu() - used;
        drop(holder);
        row(&[
            name.into(),
            short(after.saturating_sub(before) as f64 / connections as f64),
            short(after as f64 / f64::from(1 << 20)),
            short(micros(cpu, connections)),
        ]);
    }
}

/// A process that holds so many connections, until it is dropped. None if they did not come in time.
fn held(connections: usize, to: SocketAddr) -> Option<Running> {
    let mut holder =
        Running::start(own(Core::Load, None).args(["hold", &connections.to_string(), &to.to_string()]));
    (holder.try_line()? == "held").then_some(holder)
}

/// The other end of [`held`].
pub fn hold(connections: usize, to: SocketAddr) {
    on_tokio(load::hold(to, connections, || {
        println!("held");
        let _ = std::io::stdin().read(&mut [0]);
    }));
}

/// One message of that size: the most memory that sender and receiver had, above what they had when idle.
pub fn large(octets: usize) {
    println!(
        "\n## One message of {} MiB, from a reader to a server of ours, the same runtime on both ends",
        octets >> 20
    );
    head(&["runtime", "sender, KiB above idle", "receiver, KiB above idle", "GB/s"]);
    for name in &SERVERS[..3] {
        let server = Server::start(name, Core::Measured, 1).expect("one of ours");
        let mut sender = Running::start(own(Core::Load, None).args([
            "long",
            name,
            &octets.to_string(),
            &server.address.to_string(),
        ]));
        assert_eq!(sender.line(), "warm");
        let idle = [&sender, &server.running].map(|process| {
            process.forget_peak();
            process.memory().0
        });
        let since = Instant::now();
        sender.go_on();
        assert_eq!(sender.line(), "sent");
        let took = since.elapsed();
        let peaks = [&sender, &server.running].map(|process| process.memory().1);
        sender.go_on();
        sender.end();
        let above = |at: usize| (peaks[at].saturating_sub(idle[at]) / 1024).to_string();
        row(&[(*name).into(), above(0), above(1), short(rate(octets, took) / 1e9)]);
    }
}

/// The sender of [`large`].
pub fn long(name: &str, octets: usize, to: SocketAddr) {
    let wait = |word: &str| {
        println!("{word}");
        let _ = std::io::stdin().read(&mut [0]);
    };
    clients::long(name, octets, to, || wait("warm"));
    wait("sent");
}

/// Messages a second as connections grow, each sending one message after the other.
pub fn scale(divisor: usize) {
    println!("\n## Messages a second as connections grow: 1 KiB, pipelined, server and load on a core each");
    let steps = [1, 10, 100, 1000, 10_000 / divisor];
    let titles: Vec<_> = steps.iter().map(|step| format!("{step}")).collect();
    let mut cells = vec!["server"];
    cells.extend(titles.iter().map(String::as_str));
    cells.push("last / most");
    head(&cells);
    for name in names() {
        let threads = u32::try_from(steps[4] + 10).expect("not that many");
        let Some(server) = Server::start(name, Core::Measured, threads) else { continue };
        let rates = steps.map(|sessions| {
            // None, and no rate, if the connections did not all come in time.
            let load =
                loaded(Core::Load, SHAPES[0], sessions, usize::MAX, Duration::from_secs(1), server.address);
            load.map_or(0.0, |(sent, took)| rate(sent, took))
        });
        let most = rates.iter().copied().fold(0.0, f64::max);
        let mut cells = vec![name.to_owned()];
        cells.extend(rates.map(short));
        cells.push(short(rates[4] / most));
        row(&cells);
    }
}

/// Octets of the values that a connection is made of.
pub fn sizes() {
    use smtp_tokio::{client, proto, server};
    type Socket = smtp_tokio::Socket<tokio::net::TcpStream>;
    println!("\n## Sizes, in octets");
    head(&["value", "octets"]);
    let (socket, mut handler) = (on_tokio(socket()), servers::Sink);
    let config = proto::server::Config::new(proto::address::Domain::parse("mx.example.org").expect("a name"));
    let connection = server::Connection::new(
        socket,
        config.shared(),
        server::Security::Plain,
        smtp_tokio::Shutdown::new(),
    );
    let mut connection = connection.expect("a connection");
    let task = size_of_val(&connection.serve(&mut handler));
    for (name, octets) in [
        ("`smtp_proto::server::Server`", size_of::<proto::server::Server>()),
        ("`smtp_proto::client::Client`", size_of::<proto::client::Client>()),
        ("`smtp_proto::link::Link`", size_of::<proto::link::Link>()),
        ("`smtp_tokio::server::Connection` over TCP", size_of::<server::Connection<Socket>>()),
        ("the task that serves it, beside it", task),
        ("`smtp_tokio::client::Connection` over TCP", size_of::<client::Connection<Socket>>()),
    ] {
        row(&[name.into(), octets.to_string()]);
    }
}

/// One end of a connection.
async fn socket() -> smtp_tokio::Socket<tokio::net::TcpStream> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    smtp_tokio::Socket::connect(address, Duration::from_secs(1)).await.expect("a connection")
}
