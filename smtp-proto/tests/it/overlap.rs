//! The next envelope leaves with the end of the message ahead, whatever becomes of either.

use std::time::Duration;

use smtp_proto::{
    extension::Extension,
    session::Transfer,
    stage::{Protocol, Stage},
};

use crate::{
    messages::{TRANSFERS, fates, in_step},
    pair::{Act, Ask, Letter, Random, Setup, config, say},
};

/// What a server does to the second of four messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    Mail,
    FirstRcpt,
    AllRcpt,
    Data,
    FirstChunk,
    End,
}

const FAULTS: [Fault; 7] =
    [Fault::None, Fault::Mail, Fault::FirstRcpt, Fault::AllRcpt, Fault::Data, Fault::FirstChunk, Fault::End];

/// Four messages of two recipients; message `k` has the fault `faults[k]`. The script counts by what the server sees.
fn script(faults: [Fault; 4]) -> impl FnMut(Ask<'_>) -> Act {
    let mut message = 0;
    move |ask| {
        // The mailbox names the message, and MAIL is the first of each.
        if ask.stage == Stage::Mail {
            message = ask.n;
        }
        let fault = faults.get(message).copied().unwrap_or(Fault::None);
        let hit = match (fault, ask.stage) {
            (Fault::Mail, Stage::Mail)
            | (Fault::AllRcpt, Stage::Rcpt)
            | (Fault::Data, Stage::Data)
            | (Fault::FirstChunk, Stage::Chunk)
            | (Fault::End, Stage::EndOfData) => true,
            (Fault::FirstRcpt, Stage::Rcpt) => ask.to.starts_with("a0"),
            _ => false,
        };
        if hit { say(550, "no") } else { Act::Default }
    }
}

fn expected(fault: Fault, transfer: Transfer) -> &'static str {
    match (fault, transfer) {
        (Fault::None, _) => "dd",
        (Fault::Data, Transfer::Chunks | Transfer::ChunksInFlight) => "dd",
        (Fault::FirstChunk, Transfer::Data) => "dd",
        (Fault::FirstRcpt, _) => "pd",
        _ => "pp",
    }
}

fn check(faults: [Fault; 4], transfers: [Transfer; 4], protocol: Protocol, pipelining: bool, latency: u64) {
    let context = format!("{faults:?} {transfers:?} {protocol:?} pipelining {pipelining} latency {latency}");
    let mut server = config();
    server.protocol = protocol;
    if !pipelining {
        server.capabilities = server.capabilities.without(Extension::Pipelining);
    }
    let mut pair = Setup::new(server).script(script(faults)).latency(Duration::from_millis(latency)).opened();
    let letters: Vec<_> = (0..4)
        .map(|n| Letter::new(2, format!("message {n}\r\nQUIT\r\n")).by(transfers[n]).in_pieces(9))
        .collect();
    let reports = pair.deliver_all(&letters);
    let mut stored = pair.server.stored.clone().into_iter();
    for (n, report) in reports.iter().enumerate() {
        let fault = faults[n];
        assert_eq!(fates(report), expected(fault, transfers[n]), "message {n} of {context}: {report:?}");
        if report.delivered() > 0 {
            let stored = stored.next().expect("stored");
            assert_eq!(stored.data, letters[n].data, "message {n} of {context}");
            assert_eq!(stored.to.len(), report.delivered(), "message {n} of {context}");
        }
    }
    assert!(stored.next().is_none(), "{context}");
    in_step(&mut pair, &context);
}

/// Each fault in the second message and then in the third, by each transfer.
#[test]
fn one_fault_in_the_flight() {
    for transfer in TRANSFERS {
        for fault in FAULTS {
            for (protocol, pipelining) in
                [(Protocol::Smtp, true), (Protocol::Smtp, false), (Protocol::Lmtp, true)]
            {
                let faults = [Fault::None, fault, Fault::None, fault];
                check(faults, [transfer; 4], protocol, pipelining, 0);
                check(faults, [transfer; 4], protocol, pipelining, 20);
            }
        }
    }
}

/// Any faults behind one another, transfers mixed.
#[test]
fn any_faults_in_any_order() {
    let mut random = Random::new(7);
    for _ in 0..600 {
        let faults = [(); 4].map(|()| FAULTS[random.below(FAULTS.len() as u64) as usize]);
        let transfers = [(); 4].map(|()| TRANSFERS[random.below(3) as usize]);
        let protocol = if random.one_in(3) { Protocol::Lmtp } else { Protocol::Smtp };
        check(faults, transfers, protocol, !random.one_in(4), random.below(2) * 10);
    }
}

/// A small window each way: a flight is bounded, so that two full pipes never stand against each other.
#[test]
fn a_thousand_recipients_through_small_pipes() {
    for pipelining in [true, false] {
        for overlapped in [true, false] {
            let mut server = config();
            if !pipelining {
                server.capabilities = server.capabilities.without(Extension::Pipelining);
            }
            let refuse = |ask: Ask<'_>| match ask.stage {
                Stage::Rcpt if ask.n % 7 == 3 => say(550, "no"),
                _ => Act::Default,
            };
            let mut setup = Setup::new(server).script(refuse).latency(Duration::from_millis(1));
            (setup.up.window, setup.down.window) = (4096, 16 * 1024);
            let mut pair = setup.opened();
            let letters = [Letter::new(1000, "x\r\n"), Letter::new(1000, "y\r\n")];
            let reports = match overlapped {
                true => pair.deliver_all(&letters),
                false => letters.iter().map(|letter| pair.deliver(letter)).collect(),
            };
            for (report, start) in reports.iter().zip([0, 1000]) {
                let expected: String =
                    (start..start + 1000).map(|n| if n % 7 == 3 { 'p' } else { 'd' }).collect();
                assert_eq!(fates(report), expected);
            }
            assert_eq!(pair.server.stored.len(), 2);
            assert_eq!(pair.server.stored[1].to.len(), reports[1].delivered());
        }
    }
}

/// Whole messages may ride in the flight of the one ahead; where the client's record of it is full it waits.
#[test]
fn many_small_messages_by_bdat_in_flight() {
    let mut pair = Setup::default().latency(Duration::from_millis(5)).opened();
    let letters: Vec<_> = (0..50)
        .map(|n| Letter::new(1 + n % 3, format!("{n}\r\n")).by(Transfer::ChunksInFlight).in_pieces(1 + n % 5))
        .collect();
    for (letter, report) in letters.iter().zip(pair.deliver_all(&letters)) {
        assert!(report.all_delivered(), "{report:?}");
        let stored = pair.server.stored.remove(0);
        assert_eq!(stored.data, letter.data);
        assert_eq!(stored.to.len(), letter.envelope.to.len());
    }
}
