//! The clock: each side gives up where RFC 5321, 4.5.3.2 says, and says so; a server that leaves says when.

use std::time::Duration;

use smtp_proto::{
    error::Violation,
    session::{Error, Transfer},
    stage::Stage,
};

use crate::{
    messages::{fates, stages},
    pair::{Act, Ask, Letter, Pair, Setup, config, options, say},
};

const MINUTE: Duration = Duration::from_secs(60);

fn at(stage: Stage, n: usize, act: Act) -> impl FnMut(Ask<'_>) -> Act {
    move |ask| if (ask.stage, ask.n) == (stage, n) { act.clone() } else { Act::Default }
}

/// A server that stops answering, at each stage: how long it is waited for, and what is known then.
#[test]
fn the_client_gives_up() {
    for (stage, n, minutes) in [(Stage::Greeting, 0, 5), (Stage::Hello, 0, 5)] {
        let mut pair = Setup::default().script(at(stage, n, Act::Hang)).pair();
        let error = pair.open(options()).expect_err("silence");
        assert_eq!(error, Error::Violation(Violation::TimedOut { stage }));
        assert_eq!(pair.now, minutes * MINUTE, "{stage}");
    }
    for (stage, n, transfer, minutes, fate, told) in [
        (Stage::Mail, 0, Transfer::Data, 5, "nnn", Stage::Mail),
        (Stage::Rcpt, 0, Transfer::Data, 5, "nnn", Stage::Rcpt),
        (Stage::Rcpt, 2, Transfer::Data, 5, "nnn", Stage::Rcpt),
        (Stage::Data, 0, Transfer::Data, 2, "nnn", Stage::Data),
        (Stage::EndOfData, 0, Transfer::Data, 10, "uuu", Stage::EndOfData),
        (Stage::Chunk, 0, Transfer::Chunks, 5, "uuu", Stage::EndOfData),
        (Stage::EndOfData, 0, Transfer::Chunks, 10, "uuu", Stage::EndOfData),
        (Stage::Mail, 0, Transfer::ChunksInFlight, 5, "uuu", Stage::EndOfData),
    ] {
        let mut pair = Setup::default().script(at(stage, n, Act::Hang)).opened();
        let report = pair.deliver(&Letter::new(3, "x\r\ny\r\n").by(transfer).in_pieces(3));
        assert_eq!(fates(&report), fate, "{stage} {transfer:?}: {report:?}");
        assert_eq!(stages(&report), [told; 3], "{stage} {transfer:?}");
        assert_eq!(pair.now, minutes * MINUTE, "{stage} {transfer:?}");
        assert!(pair.client.is_closed(), "a connection that lost step is not used again");
        assert_eq!(fates(&pair.deliver(&Letter::new(1, "x\r\n"))), "n");
        assert!(pair.server.stored.is_empty());
    }
}

/// Each reply has its own time: a slow server that never exceeds it is waited for.
#[test]
fn the_deadline_is_armed_for_each_reply() {
    let slow = |ask: Ask<'_>| match ask.stage {
        Stage::Rcpt => Act::Later(4 * MINUTE, None),
        Stage::EndOfData => Act::Later(9 * MINUTE, None),
        _ => Act::Default,
    };
    let mut pair = Setup::new(config().lmtp()).script(slow).opened();
    let report = pair.deliver(&Letter::new(10, "x\r\n"));
    assert!(report.all_delivered(), "{report:?}");
    assert_eq!(pair.now, 10 * 4 * MINUTE + 10 * 9 * MINUTE);
}

/// A reply that drips does not extend its deadline.
#[test]
fn a_dripping_server_has_no_more_time() {
    let mut setup = Setup::default().script(at(Stage::Mail, 0, say(250, "a reply that takes its time")));
    setup.down.read = 1;
    let mut pair = setup.opened();
    // From here on, an octet comes every minute.
    pair.down.weather.read = usize::MAX;
    pair.down.weather.drip = Some(MINUTE);
    let report = pair.deliver(&Letter::new(1, "x\r\n"));
    assert_eq!((fates(&report).as_str(), pair.now), ("n", 5 * MINUTE), "{report:?}");
}

fn idle_to_421(pair: &mut Pair, stage: Stage) {
    pair.idle(5 * MINUTE - Duration::from_secs(1));
    assert!(!pair.server.is_closed(), "{stage}");
    pair.idle(Duration::from_secs(1));
    assert!(pair.server.is_closed(), "{stage}");
    assert_eq!(pair.server.violation, Some(Violation::TimedOut { stage }));
}

/// A client that falls silent, between commands, within a line, and within a message.
#[test]
fn the_server_gives_up() {
    let mut pair = Setup::default().opened();
    idle_to_421(&mut pair, Stage::Idle);
    // The idle client sees it, and nothing is sent that could be lost.
    let report = pair.deliver(&Letter::new(1, "x\r\n"));
    assert_eq!(fates(&report), "t", "{report:?}");

    let mut pair = Setup::default().opened();
    for _ in 0..4 {
        pair.link.output().extend_from_slice(b"N");
        pair.flush_all();
        pair.idle(MINUTE);
    }
    assert!(!pair.server.is_closed());
    pair.idle(MINUTE);
    assert!(pair.server.is_closed(), "a dripping client has no more time");

    for body in [&b"DATA\r\n"[..], b"BDAT 100\r\n"] {
        let mut pair = Setup::default().opened();
        let envelope = b"MAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\n";
        pair.link.output().extend_from_slice(&[envelope, body, b"part of"].concat());
        pair.flush_all();
        idle_to_421(&mut pair, Stage::Body);
        assert!(pair.server.stored.is_empty());
    }
}

/// A message that drips: so many octets have to come within the time, or it is over.
#[test]
fn a_dripping_message_is_given_up() {
    for (each, gives_up) in [(10_000, true), (20_000, false)] {
        let mut pair = Setup::default().opened();
        pair.link.output().extend_from_slice(b"MAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nDATA\r\n");
        for _ in 0..20 {
            pair.link.output().extend_from_slice(&[b'x'; 20_000][..each]);
            pair.flush_all();
            pair.idle(MINUTE);
        }
        assert_eq!(pair.server.is_closed(), gives_up, "{each} octets a minute");
    }
}

/// 421 at each stage ends the connection; the recipients it did not reach may be tried again.
#[test]
fn a_421_at_each_stage() {
    for (stage, n, transfer, fate) in [
        (Stage::Mail, 0, Transfer::Data, "ttt"),
        (Stage::Rcpt, 0, Transfer::Data, "ttt"),
        (Stage::Rcpt, 2, Transfer::Data, "ttt"),
        (Stage::Data, 0, Transfer::Data, "ttt"),
        (Stage::EndOfData, 0, Transfer::Data, "ttt"),
        (Stage::Chunk, 0, Transfer::Chunks, "ttt"),
        (Stage::Chunk, 0, Transfer::ChunksInFlight, "ttt"),
        (Stage::EndOfData, 0, Transfer::Chunks, "ttt"),
    ] {
        let mut pair = Setup::default().script(at(stage, n, say(421, "going"))).opened();
        let letters = [Letter::new(3, "x\r\ny\r\n"), Letter::new(3, "z\r\n")];
        let letters = letters.map(|letter| letter.by(transfer).in_pieces(3));
        let reports = pair.deliver_all(&letters);
        let context = format!("{stage} {n} {transfer:?}");
        assert_eq!(fates(&reports[0]), fate, "{context}: {reports:?}");
        assert_eq!(fates(&reports[1]), "nnn", "{context}: what is behind a 421 is unanswered");
        assert!(pair.client.is_closed() && pair.server.stored.is_empty(), "{context}");
    }
    for (stage, told) in [(Stage::Greeting, Stage::Greeting), (Stage::Hello, Stage::Hello)] {
        let mut pair = Setup::default().script(at(stage, 0, say(421, "going"))).pair();
        let error = pair.open(options()).expect_err("421");
        assert_eq!((error.stage(), error.reply().map(|reply| reply.code().as_u16())), (told, Some(421)));
    }
}

/// A 421 in the midst of the message is seen while it goes out, not behind it.
#[test]
fn last_words_within_the_message() {
    let mut pair = Setup::default().opened();
    let letter = Letter::new(2, b"0123456789\r\n".repeat(100_000));
    pair.down.weather.latency = Duration::ZERO;
    pair.server.fail_after = Some(100_000);
    let report = pair.deliver(&letter);
    assert_eq!(fates(&report), "tt", "{report:?}");
    assert_eq!(stages(&report), [Stage::Body; 2]);
    assert!(pair.up.written() < 500_000, "{}", pair.up.written());
}

/// A server that is told to leave, at each stage, answers the message in hand and takes no other.
#[test]
fn shutdown_at_each_stage() {
    for (stage, n) in
        [(Stage::Mail, 0), (Stage::Rcpt, 1), (Stage::Data, 0), (Stage::EndOfData, 0), (Stage::Chunk, 1)]
    {
        for overlapped in [false, true] {
            let transfer = if stage == Stage::Chunk { Transfer::Chunks } else { Transfer::Data };
            let mut pair = Setup::default().script(at(stage, n, Act::ShutDown)).opened();
            let letters = [Letter::new(2, "one\r\none\r\n"), Letter::new(2, "two\r\n")];
            let letters = letters.map(|letter| letter.by(transfer).in_pieces(2));
            let reports = match overlapped {
                true => pair.deliver_all(&letters),
                false => letters.iter().map(|letter| pair.deliver(letter)).collect(),
            };
            let context = format!("{stage}, overlapped {overlapped}");
            assert_eq!(fates(&reports[0]), "dd", "{context}: {reports:?}");
            assert_eq!(fates(&reports[1]), "tt", "{context}: {reports:?}");
            assert_eq!(pair.server.stored.len(), 1, "{context}");
            pair.idle(Duration::ZERO);
            assert!(pair.server.is_closed(), "{context}");
        }
    }
    for stage in [Stage::Greeting, Stage::Hello] {
        let mut pair = Setup::default().script(at(stage, 0, Act::ShutDown)).pair();
        let opened = pair.open(options());
        if stage == Stage::Greeting {
            let error = opened.expect_err("421");
            assert_eq!(error.reply().map(|reply| reply.code().as_u16()), Some(421), "{error}");
        } else {
            opened.expect("EHLO was answered");
            assert_eq!(fates(&pair.deliver(&Letter::new(1, "x\r\n"))), "t");
        }
    }
}
