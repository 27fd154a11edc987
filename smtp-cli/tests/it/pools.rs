//! Real use: the pool of each adapter, and a server that is restarted again and again while they send.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use smtp_driver::Destination;
use smtp_driver::client::SendError;
use smtp_driver::proto::session::{Envelope, Outcome, Report};

use crate::support::{Server, messages, place};

const WORKERS: usize = 8;

/// What a sender knows of a message.
#[derive(Default)]
struct Sent {
    /// It was answered 250 in the end.
    answered: AtomicUsize,
    /// How often it was answered with an error, or not at all, before: each may have left a copy.
    failed: AtomicU32,
}

/// How often what happened, for who runs this by hand.
#[derive(Debug, Default)]
struct Counts {
    unknown: AtomicUsize,
    not_sent: AtomicUsize,
    refused: AtomicUsize,
}

/// Sends `total` messages while the server is restarted `restarts` times, then compares what was answered with what is
/// there.
fn load(
    adapter: &str,
    total: usize,
    restarts: usize,
    start: impl FnOnce(Destination) -> Box<dyn Fn(&Envelope<'_>, &str) -> Result<Report, SendError> + Sync>,
) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().to_str().expect("UTF-8");
    let place = place();
    let mut server = Server::start_at(place, &["--maildir", path]);
    let send = start(Destination::plain(place.ip().to_string(), place.port()));
    let sent: Vec<Sent> = (0..total).map(|_| Sent::default()).collect();
    let (next, done, counts) = (AtomicUsize::new(0), AtomicUsize::new(0), Counts::default());
    let begun = Instant::now();
    let worker = || {
        let envelope = Envelope::parse("ann@example.org", ["ben@example.net"]).expect("addresses");
        loop {
            let n = next.fetch_add(1, Ordering::Relaxed);
            let Some(state) = sent.get(n) else { return };
            let lines = format!("{}\r\n", "x".repeat(70)).repeat(1 + n % 5 * 20);
            let message = format!("Message-ID: <{n}@{adapter}>\r\n\r\n{lines}end of {n}\r\n");
            let since = Instant::now();
            while !delivered(&send(&envelope, &message), &counts) {
                assert!(
                    since.elapsed() < Duration::from_secs(30),
                    "the server does not come back: {counts:?} {done:?}"
                );
                state.failed.fetch_add(1, Ordering::Relaxed);
                thread::sleep(Duration::from_millis(5));
            }
            state.answered.store(1, Ordering::Relaxed);
            done.fetch_add(1, Ordering::Relaxed);
        }
    };
    // It lives until all were served.
    let server = thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS).map(|_| scope.spawn(worker)).collect();
        for restart in 1..=restarts {
            let due = total * restart / (restarts + 1);
            while done.load(Ordering::Relaxed) < due {
                assert!(!workers.iter().any(thread::ScopedJoinHandle::is_finished), "a worker gave up");
                thread::sleep(Duration::from_millis(1));
            }
            // By turns without a warning, and in good order.
            if restart % 2 == 1 {
                server.kill();
            } else {
                server.terminate();
                server.wait();
            }
            server = Server::start_at(place, &["--maildir", path]);
        }
        server
    });
    let time = begun.elapsed();
    drop(server);

    let mut stored: HashMap<usize, u32> = HashMap::new();
    for message in messages(folder.path(), "new") {
        let (_, rest) = message.split_once("Message-ID: <").expect("a message");
        let (n, _) = rest.split_once('@').expect("a name");
        assert!(message.ends_with(&format!("\r\nend of {n}\r\n")), "{n} is not whole");
        *stored.entry(n.parse().expect("a number")).or_default() += 1;
    }
    let mut twice = 0;
    for (n, state) in sent.iter().enumerate() {
        let copies = stored.get(&n).copied().unwrap_or(0);
        let failed = state.failed.load(Ordering::Relaxed);
        assert_eq!(state.answered.load(Ordering::Relaxed), 1);
        assert!(copies >= 1, "{n} was answered 250 and is not there");
        assert!(copies <= 1 + failed, "{n} is there {copies} times, and failed {failed} times");
        twice += usize::from(copies > 1);
    }
    let failed = sent.iter().filter(|state| state.failed.load(Ordering::Relaxed) > 0).count();
    println!(
        "{adapter}: {total} messages, {restarts} restarts, {time:.1?}; {failed} of them failed before, {twice} are there \
         twice; {counts:?}"
    );
}

fn delivered(sent: &Result<Report, SendError>, counts: &Counts) -> bool {
    let report = match sent {
        Ok(report) => report,
        Err(SendError { report, .. }) => report,
    };
    let count = match report.outcome(0).expect("one recipient") {
        outcome if outcome.is_delivered() => return true,
        Outcome::Unknown(_) => &counts.unknown,
        Outcome::NotSent(_) => &counts.not_sent,
        _ => &counts.refused,
    };
    count.fetch_add(1, Ordering::Relaxed);
    // Nothing of this is the message's fault.
    let outcome = report.outcome(0).expect("one recipient");
    assert!(!outcome.is_permanent(), "{outcome}");
    false
}

fn tokio(total: usize, restarts: usize) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    load("tokio", total, restarts, |to| {
        let pool = smtp_tokio::Pool::new(to);
        Box::new(move |envelope, message| runtime.block_on(pool.send(envelope, message)))
    });
}

fn asyncstd(total: usize, restarts: usize) {
    load("asyncstd", total, restarts, |to| {
        let pool = smtp_asyncstd::Pool::new(to);
        Box::new(move |envelope, message| smol::block_on(pool.send(envelope, message)))
    });
}

fn blocking(total: usize, restarts: usize) {
    load("blocking", total, restarts, |to| {
        let pool = smtp_blocking::Pool::new(to);
        Box::new(move |envelope, message| pool.send(envelope, message))
    });
}

#[test]
fn every_message_answered_250_is_there_whatever_restarts_tokio() {
    tokio(1000, 3);
}

#[test]
fn every_message_answered_250_is_there_whatever_restarts_asyncstd() {
    asyncstd(1000, 3);
}

#[test]
fn every_message_answered_250_is_there_whatever_restarts_blocking() {
    blocking(1000, 3);
}

#[test]
#[ignore = "the same at length"]
fn ten_thousand_messages_and_ten_restarts_tokio() {
    tokio(10_000, 10);
}

#[test]
#[ignore = "the same at length"]
fn ten_thousand_messages_and_ten_restarts_asyncstd() {
    asyncstd(10_000, 10);
}

#[test]
#[ignore = "the same at length"]
fn ten_thousand_messages_and_ten_restarts_blocking() {
    blocking(10_000, 10);
}
