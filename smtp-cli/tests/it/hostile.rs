//! `smtp serve` and clients that vanish, that are too many, or that leave it no descriptor: it stays up, gives back what it
//! held, and keeps no message that nobody ended.

use std::fs;
use std::net::Shutdown;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use socket2::SockRef;

use crate::support::{Peer, SMTP, Server, messages};

/// Up to there a client gets, each on top of the one before.
const STATES: [(&str, &str, &str); 6] = [
    ("greeted", "", ""),
    ("within a command", "EHL", ""),
    ("after EHLO", "O client.example\r\n", "250"),
    ("after MAIL", "MAIL FROM:<ann@example.org>\r\n", "250"),
    ("after RCPT", "RCPT TO:<ben@example.net>\r\n", "250"),
    ("within a message", "DATA\r\nSubject: part\r\n\r\npart of a mess", "354"),
];

/// From the state after RCPT, what has ways of its own.
const BRANCHES: [(&str, &str, &str); 5] = [
    ("within a stuffed dot", "DATA\r\nSubject: part\r\n\r\n.", "354"),
    ("within the end", "DATA\r\nSubject: part\r\n\r\n.\r", "354"),
    ("within a chunk", "BDAT 1000 LAST\r\nSubject: part\r\n\r\npart", ""),
    ("between chunks", "BDAT 4\r\npart", "250"),
    ("within a login", "RSET\r\nAUTH CRAM-MD5\r\n", "250"),
];

/// How a client leaves.
#[derive(Clone, Copy, Debug)]
enum Exit {
    Reset,
    Close,
    /// It has no more to say, and listens.
    Half,
}

fn leave(mut peer: Peer, exit: Exit) {
    match exit {
        Exit::Reset => SockRef::from(peer.stream()).set_linger(Some(Duration::ZERO)).expect("an option"),
        Exit::Close => {}
        Exit::Half => {
            peer.stream().shutdown(Shutdown::Write).expect("a socket");
            // It closes too, rather than to wait for what cannot come.
            while let Some(reply) = peer.reply() {
                assert!(!reply.starts_with("250 2.0.0 stored"), "{reply}");
            }
        }
    }
}

fn descriptors(server: &Server) -> usize {
    fs::read_dir(server.proc("fd")).expect("a process").count()
}

#[track_caller]
fn until(done: impl Fn() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < Duration::from_secs(20), "it does not come to pass");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn who_vanishes_in_any_state_leaves_nothing_behind() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().to_str().expect("UTF-8");
    let args =
        ["--maildir", path, "--user", "ann:secret", "--tls-self-signed", "--implicit-tls", "127.0.0.1:0"];
    let server = Server::start(&args);
    let held = descriptors(&server);
    let get_to = |state: usize| {
        let mut peer = server.connect();
        for (_, says, hears) in &STATES[..=state] {
            peer.write(says).expect("it listens");
            if !hears.is_empty() {
                assert!(peer.reply().expect("a reply").starts_with(hears));
            }
        }
        peer
    };
    for exit in [Exit::Reset, Exit::Close, Exit::Half] {
        for state in 0..STATES.len() {
            leave(get_to(state), exit);
        }
        for (name, says, hears) in BRANCHES {
            let mut peer = get_to(4);
            peer.write(says).expect("it listens");
            if !hears.is_empty() {
                let reply = peer.reply().expect("a reply");
                assert!(reply.starts_with(hears), "{name}: {reply}");
            }
            leave(peer, exit);
        }
        // Within the handshake, implicit and behind the 220.
        for says in ["", "\u{16}\u{3}\u{1}\0"] {
            let mut silent = Peer::ungreeted(server.tls[0]);
            silent.write(says).expect("it listens");
            leave(silent, exit);
            let mut peer = get_to(2);
            peer.say("STARTTLS", "220");
            peer.write(says).expect("it listens");
            leave(peer, exit);
        }
    }
    until(|| messages(Path::new(path), "tmp").is_empty());
    assert!(messages(Path::new(path), "new").is_empty());
    until(|| descriptors(&server) <= held);

    // Of one whose last word was the dot: the message, and who still listens hears of it.
    let mut peer = get_to(5);
    peer.write("age\r\n.\r\n").expect("it listens");
    peer.stream().shutdown(Shutdown::Write).expect("a socket");
    assert!(peer.reply().expect("a reply").starts_with("250 2.0.0 stored"));
    assert_eq!(peer.reply(), None);
    assert_eq!(messages(Path::new(path), "new").len(), 1);
}

/// A process has no descriptors left: those that it has go on, a message that has no file is refused for now, and when
/// there are some again, whoever waits is served.
#[test]
fn descriptors_run_out_and_come_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().to_str().expect("UTF-8");
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 40; exec \"$0\" \"$@\"", SMTP]);
    let server = Server::start_by(command, &["--maildir", path]);
    let mut first = server.connect();
    first.begin(&["ben@example.net"]);
    let waiting: Vec<_> = (0..60).map(|_| Peer::ungreeted(server.plain[0])).collect();
    // One more may have been inherited from above the limit.
    until(|| descriptors(&server) >= 40);

    let (begun, ticks) = (Instant::now(), cpu(&server));
    first.say("Subject: x\r\n\r\nx\r\n.", "451 4.3.0 ");
    first.say("NOOP", "250");
    thread::sleep(Duration::from_secs(1));
    let spent = cpu(&server) - ticks;
    assert!(spent < 30, "{spent} hundredths of a second in {:?}: it spins", begun.elapsed());
    assert!(messages(Path::new(path), "tmp").is_empty() && messages(Path::new(path), "new").is_empty());

    drop(waiting);
    let mut late = server.connect();
    for peer in [&mut first, &mut late] {
        peer.begin(&["ben@example.net"]);
        peer.say("Subject: x\r\n\r\nx\r\n.", "250 2.0.0 stored");
    }
    assert_eq!(messages(Path::new(path), "new").len(), 2);
}

/// Hundredths of a second of processor time that it has used.
fn cpu(server: &Server) -> u64 {
    let stat = fs::read_to_string(server.proc("stat")).expect("a process");
    let (_, rest) = stat.rsplit_once(") ").expect("a name");
    let fields: Vec<_> = rest.split(' ').collect();
    [fields[11], fields[12]].map(|field| field.parse::<u64>().expect("a number")).iter().sum()
}

/// KiB of memory in use.
fn resident(server: &Server) -> u64 {
    let status = fs::read_to_string(server.proc("status")).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// More idle clients than are served at once: what they cost, and that the others have their turn when one leaves.
#[test]
fn idle_clients_at_the_limit_and_beyond() {
    const LIMIT: usize = 1000;
    const MORE: usize = 100;
    let soft = fs::read_to_string("/proc/self/limits").expect("limits");
    let soft = soft.lines().find_map(|line| line.strip_prefix("Max open files")).expect("a limit");
    if soft
        .split_whitespace()
        .next()
        .and_then(|soft| soft.parse::<usize>().ok())
        .is_some_and(|soft| soft < 2 * LIMIT)
    {
        let raise = ["--pid", &std::process::id().to_string(), "--nofile=4096:"];
        assert!(Command::new("prlimit").args(raise).status().expect("util-linux").success());
    }
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 4096; exec \"$0\" \"$@\"", SMTP]);
    let server = Server::start_by(command, &[]);
    drop(server.connect());
    let before = resident(&server);
    let mut served: Vec<_> = (0..LIMIT)
        .map(|_| {
            let mut peer = server.connect();
            peer.say("EHLO client.example", "250");
            peer
        })
        .collect();
    let each = (resident(&server).saturating_sub(before) * 1024) / LIMIT as u64;
    println!("{LIMIT} idle clients: {each} octets of memory each");
    assert!(each < 16 * 1024, "{each}");

    let mut waiting: Vec<_> = (0..MORE).map(|_| Peer::ungreeted(server.plain[0])).collect();
    let last = waiting.last().expect("one");
    last.stream().set_read_timeout(Some(Duration::from_millis(300))).expect("a timeout");
    let mut nothing = [0];
    assert!(std::io::Read::read(&mut last.stream(), &mut nothing).is_err(), "it is served beyond the limit");
    last.stream().set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout");
    served.truncate(LIMIT - MORE);
    for peer in &mut waiting {
        assert!(peer.reply().expect("a greeting").starts_with("220 "));
    }
}
