//! What a message costs: the client's waits and writes, by extension, recipients and overlap.

use std::time::Duration;

use smtp_proto::{
    extension::Extension,
    session::{Delivery, Report, Transfer},
    stage::Protocol,
};

use crate::pair::{Cost, Letter, Pair, Setup, config};

const LATENCY: Duration = Duration::from_millis(50);
const ROUND: u32 = 2 * 50;

#[derive(Clone, Copy, Debug)]
struct Row {
    pipelining: bool,
    transfer: Transfer,
    recipients: usize,
}

fn opened(row: Row) -> Pair {
    let mut server = config();
    if !row.pipelining {
        server.capabilities = server.capabilities.without(Extension::Pipelining);
    }
    Setup::new(server).latency(LATENCY).opened()
}

fn letters(row: Row, n: usize) -> Vec<Letter> {
    let data = b"Subject: trips\r\n\r\n0123456789\r\n".repeat(30);
    (0..n).map(|_| Letter::new(row.recipients, data.clone()).by(row.transfer)).collect()
}

/// Costs and time of messages sent one behind the other.
fn measure(row: Row, n: usize, send: impl Fn(&mut Pair, &[Letter]) -> Vec<Report>) -> (Cost, Duration) {
    let mut pair = opened(row);
    let (letters, start) = (letters(row, n), pair.now);
    let reports = send(&mut pair, &letters);
    assert!(reports.iter().all(Report::all_delivered), "{row:?}: {reports:?}");
    assert_eq!(pair.server.stored.len(), n);
    (pair.cost(), pair.now - start)
}

/// Of one message: alone, and behind others in the steady state.
fn alone(row: Row) -> Cost {
    let send = |pair: &mut Pair, letters: &[Letter]| letters.iter().map(|l| pair.deliver(l)).collect();
    let (one, time) = measure(row, 1, send);
    assert_eq!(time, one.waits as u32 * ROUND * Duration::from_millis(1), "a wait is a round trip: {row:?}");
    let (three, _) = measure(row, 3, send);
    assert_eq!((three.waits, three.writes), (3 * one.waits, 3 * one.writes), "{row:?}: reuse costs nothing");
    one
}

fn steady(row: Row) -> Cost {
    let send = |pair: &mut Pair, letters: &[Letter]| pair.deliver_all(letters);
    let ((two, early), (twelve, late)) = (measure(row, 2, send), measure(row, 12, send));
    let tenth = |a: usize, b: usize| {
        assert_eq!((b - a) % 10, 0, "{row:?}: every message costs the same");
        (b - a) / 10
    };
    let waits = tenth(two.waits, twelve.waits);
    assert_eq!(late - early, 10 * waits as u32 * ROUND * Duration::from_millis(1), "{row:?}");
    Cost {
        waits,
        writes: tenth(two.writes, twelve.writes),
        octets: (twelve.octets - two.octets) / 10,
        server_writes: tenth(two.server_writes, twelve.server_writes),
    }
}

#[test]
fn what_a_message_costs() {
    println!(
        "| PIPELINING | transfer | recipients | waits | writes | octets | overlapped: waits | writes | octets | server's |"
    );
    println!("| --- | --- | --: | --: | --: | --: | --: | --: | --: | --: |");
    for pipelining in [true, false] {
        for transfer in [Transfer::Data, Transfer::Chunks, Transfer::ChunksInFlight] {
            for recipients in [1, 50, 250] {
                let row = Row { pipelining, transfer, recipients };
                let (one, next) = (alone(row), steady(row));
                println!(
                    "| {} | {transfer:?} | {recipients} | {} | {} | {} | {} | {} | {} | {} |",
                    if pipelining { "yes" } else { "no" },
                    one.waits,
                    one.writes,
                    one.octets,
                    next.waits,
                    next.writes,
                    next.octets,
                    next.server_writes,
                );
                let (waits, steady_waits) = match (pipelining, transfer) {
                    // The envelope with DATA, the message. With the next envelope behind it: one.
                    (true, Transfer::Data | Transfer::Chunks) => (2, 1),
                    // All of it at once.
                    (true, Transfer::ChunksInFlight) => (1, 1),
                    (true, other) => panic!("what is {other:?}?"),
                    // Each command by itself; BDAT spares DATA's.
                    (false, Transfer::Data) => (recipients + 3, recipients + 3),
                    (false, _) => (recipients + 2, recipients + 2),
                };
                assert_eq!((one.waits, one.writes), (waits, waits), "{row:?}");
                assert_eq!((next.waits, next.writes), (steady_waits, steady_waits), "{row:?}, overlapped");
                // Behind a last chunk that may yet be refused a RSET, once; and nothing else.
                let rset = if pipelining && transfer != Transfer::Data { 6 } else { 0 };
                assert_eq!(next.octets, one.octets + rset, "{row:?}");
                assert_eq!(
                    next.server_writes, steady_waits,
                    "{row:?}: the replies to a flight leave together"
                );
            }
        }
    }
}

/// Beyond the flight's limit a wait more a flight, not one a recipient.
#[test]
fn a_thousand_recipients_cost_a_few_flights() {
    let row = Row { pipelining: true, transfer: Transfer::Data, recipients: 1000 };
    let cost = alone(row);
    println!("1000 recipients: {cost:?}");
    assert!(cost.waits <= 4 && cost.writes <= 4, "{cost:?}");
}

/// The flight ends at so many replies owed, and with the command that reaches so many octets: 36 of MAIL, 25 of each of
/// ten RCPTs, 26 of the next 28.
#[test]
fn a_flight_is_bounded() {
    for (replies, octets, sent) in [(512, 1 << 20, 512), (10, 1 << 20, 10), (512, 1000, 39)] {
        let mut client = crate::pair::client_config(Protocol::Smtp);
        (client.limits.flight_replies, client.limits.flight) = (replies, octets);
        let setup = Setup { client, ..Setup::default() };
        let mut pair = setup.opened();
        let letter = Letter::new(1000, "x\r\n");
        let mut delivery = Delivery::new(&letter.envelope, &letter.content, letter.transfer, &pair.client);
        delivery.begin(&mut pair.client, pair.link.output()).unwrap();
        let flight = pair.link.output().iter().filter(|octet| **octet == b'\n').count();
        assert_eq!(flight, sent, "{replies} replies, {octets} octets");
    }
}

/// Opening: greeting, EHLO.
#[test]
fn what_opening_costs() {
    let mut pair = Setup::default().latency(LATENCY).pair();
    pair.open(crate::pair::options()).expect("opens");
    let cost = pair.cost();
    assert_eq!((cost.waits, cost.writes, cost.server_writes), (2, 1, 2), "{cost:?}");
}
