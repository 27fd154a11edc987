//! Refusals of every kind, at every place: each recipient learns its own, and the two ends stay in step.

use std::{sync::Arc, time::Duration};

use bytes::BytesMut;
use smtp_proto::{
    client::{self, Client},
    extension::Extension,
    param::BodyType,
    session::{Delivery, Transfer, Want},
    stage::{Protocol, Stage},
};

use crate::{
    messages::{TRANSFERS, fates, in_step, stages},
    pair::{Act, Ask, Letter, Setup, config, domain, say},
};

/// With PIPELINING and without; SMTP and LMTP.
fn servers() -> Vec<(&'static str, smtp_proto::server::Config)> {
    let mut slow = config();
    slow.capabilities = slow.capabilities.without(Extension::Pipelining);
    let mut old = config();
    old.capabilities = old.capabilities.without(Extension::Pipelining).without(Extension::Chunking);
    vec![
        ("pipelined", config()),
        ("one by one", slow),
        ("one by one, no BDAT", old),
        ("LMTP", config().lmtp()),
    ]
}

/// One refusal, and what becomes of three recipients.
struct Case {
    at: Stage,
    n: usize,
    fates: &'static str,
    stage: Stage,
}

#[test]
fn each_refusal_is_told_and_leaves_both_in_step() {
    let cases = [
        Case { at: Stage::Mail, n: 0, fates: "ppp", stage: Stage::Mail },
        Case { at: Stage::Rcpt, n: 0, fates: "pdd", stage: Stage::Rcpt },
        Case { at: Stage::EndOfData, n: 0, fates: "ppp", stage: Stage::EndOfData },
    ];
    for (name, server) in servers() {
        for transfer in TRANSFERS {
            for case in &cases {
                let context = format!("{name}, {transfer:?}, {:?}", case.at);
                let (at, n) = (case.at, case.n);
                let script = move |ask: Ask<'_>| match ask.stage == at && ask.n == n {
                    true => say(550, "no"),
                    false => Act::Default,
                };
                let mut pair = Setup::new(server.clone()).script(script).opened();
                let report = pair.deliver(&Letter::new(3, "refuse me\r\n").by(transfer));
                let lmtp = server.protocol == Protocol::Lmtp;
                // LMTP refuses the message to the first recipient only.
                let expected = if lmtp && at == Stage::EndOfData { "pdd" } else { case.fates };
                assert_eq!(fates(&report), expected, "{context}: {report:?}");
                let end =
                    if transfer == Transfer::Data || !pair.client.capabilities().has(Extension::Chunking) {
                        Stage::EndOfData
                    } else {
                        Stage::LastChunk
                    };
                let stage = if case.stage == Stage::EndOfData { end } else { case.stage };
                assert_eq!(stages(&report)[0], stage, "{context}");
                let stored = pair.server.stored.iter().map(|stored| stored.to.len()).sum::<usize>();
                assert_eq!(stored, report.delivered(), "{context}");
                in_step(&mut pair, &context);
            }
        }
    }
}

#[test]
fn all_recipients_refused() {
    for (name, server) in servers() {
        for transfer in TRANSFERS {
            let context = format!("{name}, {transfer:?}");
            let script = |ask: Ask<'_>| match (ask.stage, ask.n) {
                (Stage::Rcpt, 0 | 2) => say(550, "no"),
                (Stage::Rcpt, 1) => say(451, "later"),
                _ => Act::Default,
            };
            let mut pair = Setup::new(server.clone()).script(script).opened();
            let report = pair.deliver(&Letter::new(3, "for nobody\r\n").by(transfer));
            assert_eq!(fates(&report), "ptp", "{context}");
            assert!(stages(&report).iter().all(|stage| *stage == Stage::Rcpt), "{context}");
            assert!(pair.server.stored.is_empty(), "{context}");
            in_step(&mut pair, &context);
        }
    }
}

#[test]
fn data_refused() {
    for (name, server) in servers() {
        let script = |ask: Ask<'_>| match (ask.stage, ask.n) {
            (Stage::Rcpt, 1) => say(550, "no"),
            (Stage::Data, 0) => say(451, "no message now"),
            _ => Act::Default,
        };
        let mut pair = Setup::new(server).script(script).opened();
        let report = pair.deliver(&Letter::new(3, "x\r\n"));
        assert_eq!(fates(&report), "tpt", "{name}");
        assert_eq!(stages(&report), [Stage::Data, Stage::Rcpt, Stage::Data], "{name}");
        in_step(&mut pair, name);
    }
}

/// A chunk in the middle is refused: no further one is sent once that is known, what was sent is drained, nothing is
/// stored, and nothing of it is taken for a command.
#[test]
fn a_chunk_refused_half_way() {
    for (name, server) in servers().into_iter().filter(|(name, _)| !name.contains("no BDAT")) {
        for transfer in [Transfer::Chunks, Transfer::ChunksInFlight] {
            for refused in 0..4 {
                let context = format!("{name}, {transfer:?}, chunk {refused}");
                let script = move |ask: Ask<'_>| match ask.stage == Stage::Chunk && ask.n == refused {
                    true => say(552, "enough"),
                    false => Act::Default,
                };
                let mut pair = Setup::new(server.clone()).script(script).opened();
                let data = b"QUIT\r\nRSET\r\n".repeat(10);
                let report = pair.deliver(&Letter::new(2, data).by(transfer).in_pieces(20));
                assert_eq!(fates(&report), "pp", "{context}: {report:?}");
                assert_eq!(stages(&report), [Stage::Chunk; 2], "{context}");
                assert!(pair.server.stored.is_empty(), "{context}");
                assert!(!pair.server.heard.contains(&Stage::Quit), "{context}");
                in_step(&mut pair, &context);
            }
        }
    }
}

/// Over a wire that takes its time all chunks are on their way before the first is refused.
#[test]
fn a_chunk_refused_with_others_in_flight() {
    for latency in [0, 1, 50] {
        for last_too in [false, true] {
            let script = |ask: Ask<'_>| match (ask.stage, ask.n) {
                (Stage::Chunk, 1) => say(452, "disk full"),
                _ => Act::Default,
            };
            let latency = Duration::from_millis(latency);
            let mut pair = Setup::new(config()).script(script).latency(latency).opened();
            let pieces = if last_too { 2000 } else { 70_000 };
            let letter = Letter::new(2, vec![b'x'; 700_000]).by(Transfer::ChunksInFlight).in_pieces(pieces);
            let report = pair.deliver(&letter);
            assert_eq!(fates(&report), "tt", "{latency:?}: {report:?}");
            assert!(pair.server.stored.is_empty());
            in_step(&mut pair, &format!("{latency:?}"));
        }
    }
}

/// Messages too big, or with what the server's policy refuses, are drained and refused at their end.
#[test]
fn the_machine_refuses_a_message() {
    let mut server = config();
    server.capabilities = server.capabilities.with_size(1000);
    server.policy.long_lines = false;
    for (name, server) in [("SMTP", server.clone()), ("LMTP", server.lmtp())] {
        for transfer in TRANSFERS {
            let mut pair = Setup::new(server.clone()).opened();
            let mut letter = Letter::new(2, b"0123456789\r\n".repeat(100)).by(transfer);
            letter.content.size = None;
            letter.content.body = Some(BodyType::SevenBit);
            let report = pair.deliver(&letter);
            assert_eq!(fates(&report), "pp", "{name}, {transfer:?}: {report:?}");
            assert!(pair.server.stored.is_empty());
            in_step(&mut pair, name);
        }
        let mut pair = Setup::new(server.clone()).opened();
        let mut letter = Letter::new(2, vec![b'x'; 999]);
        letter.content.size = None;
        let report = pair.deliver(&letter);
        assert_eq!(fates(&report), "pp", "{name}: {report:?}");
        in_step(&mut pair, name);
    }
}

/// A sender whose recipients are all refused, again and again, makes no errors (RFC 5321, 4.5.3.1.8; RFC 2920, 3.1).
#[test]
fn refused_recipients_are_not_errors() {
    for transfer in TRANSFERS {
        let script = |ask: Ask<'_>| match ask.stage {
            Stage::Rcpt if ask.n < 300 => say(550, "no"),
            _ => Act::Default,
        };
        let mut pair = Setup::default().script(script).opened();
        for n in 0..100 {
            let report = pair.deliver(&Letter::new(3, "x\r\n").by(transfer));
            assert_eq!(fates(&report), "ppp", "{transfer:?}, message {n}: {report:?}");
            assert!(stages(&report).iter().all(|stage| *stage == Stage::Rcpt), "{transfer:?}, message {n}");
        }
        in_step(&mut pair, &format!("{transfer:?}"));
    }
}

/// PRDR: one recipient has the message, another has not.
#[test]
fn prdr_answers_each_recipient() {
    for transfer in TRANSFERS {
        let mut server = config();
        server.capabilities = server.capabilities.with(Extension::Prdr);
        let script = |ask: Ask<'_>| match (ask.stage, ask.to) {
            (Stage::Rcpt, "a0@to.example") if ask.n < 4 => say(550, "no"),
            (Stage::EndOfData, "a2@to.example") => say(550, "not this message"),
            _ => Act::Default,
        };
        let mut pair = Setup::new(server).script(script).opened();
        let mut letter = Letter::new(4, "x\r\n").by(transfer);
        letter.envelope.params = letter.envelope.params.with(&smtp_proto::param::Param::Prdr).unwrap();
        let report = pair.deliver(&letter);
        assert_eq!(fates(&report), "pdpd", "{transfer:?}: {report:?}");
        let stored = pair.server.stored.pop().expect("stored");
        assert_eq!(stored.to, ["a1@to.example", "a3@to.example"]);
        in_step(&mut pair, &format!("{transfer:?}"));
    }
}

/// LMTP: the same recipient twice has two answers (RFC 2033, 4.2).
#[test]
fn lmtp_answers_each_recipient() {
    for transfer in TRANSFERS {
        let script = |ask: Ask<'_>| match (ask.stage, ask.n) {
            (Stage::Rcpt, 1) => say(550, "no"),
            (Stage::EndOfData, 0) => say(452, "over quota"),
            _ => Act::Default,
        };
        let mut pair = Setup::new(config().lmtp()).script(script).opened();
        let mut letter = Letter::new(4, "x\r\n").by(transfer);
        letter.envelope.to[3] = letter.envelope.to[0].clone();
        let report = pair.deliver(&letter);
        assert_eq!(fates(&report), "tpdd", "{transfer:?}: {report:?}");
        assert_eq!(pair.server.stored[0].to, ["a2@to.example", "a0@to.example"]);
        in_step(&mut pair, &format!("{transfer:?}"));
    }
}

/// A RSET that is refused leaves the old transaction in doubt: nothing that follows may reach its recipients.
#[test]
fn a_refused_rset_ends_the_connection() {
    for transfer in TRANSFERS {
        let script = |ask: Ask<'_>| match ask.stage {
            Stage::Rset => say(550, "no"),
            Stage::Data | Stage::EndOfData if ask.n == 0 => say(451, "later"),
            _ => Act::Default,
        };
        let mut pair = Setup::default().script(script).opened();
        assert_eq!(fates(&pair.deliver(&Letter::new(2, "one\r\n").by(transfer))), "tt", "{transfer:?}");
        let report = pair.deliver(&Letter::new(3, "two\r\n").by(transfer));
        let expected = if transfer == Transfer::ChunksInFlight { "uuu" } else { "nnn" };
        assert_eq!(fates(&report), expected, "{transfer:?}: {report:?}");
        assert!(pair.client.is_closed(), "{transfer:?}");
        // What was in flight by then is a message of its own.
        assert!(pair.server.stored.iter().all(|stored| stored.to.len() == 3), "{:?}", pair.server.stored);
    }
}

/// The server's side of it: behind RSET there is no transaction, whatever the embedder answered.
#[test]
fn a_refused_rset_ends_the_transaction() {
    let script = |ask: Ask<'_>| if ask.stage == Stage::Rset { say(451, "no") } else { Act::Default };
    let mut pair = Setup::default().script(script).opened();
    pair.link.output().extend_from_slice(b"MAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nRSET\r\nRCPT TO:<c@d>\r\n");
    pair.flush_all();
    pair.idle(Duration::ZERO);
    assert_eq!(
        pair.server.heard[2..],
        [Stage::Mail, Stage::Rcpt, Stage::Rset],
        "RCPT without MAIL is the machine's"
    );
    assert!(!pair.server.machine.in_transaction());
}

/// A server that refuses MAIL and takes the rest: not even the dot is sent, since an empty message would be one too many.
#[test]
fn recipients_accepted_behind_a_refused_mail() {
    let letter = Letter::new(2, "x\r\n");
    for (replies, closed) in [
        (&b"503 nested\r\n250 ok\r\n550 no\r\n354 go\r\n"[..], true),
        (b"503 nested\r\n550 no\r\n550 no\r\n354 go\r\n", false),
    ] {
        let mut client = Client::new(Arc::default());
        let mut output = BytesMut::new();
        let mut input = &b"220 mx\r\n"[..];
        assert!(matches!(client.poll(Duration::ZERO, &mut input), Ok(client::Step::Event(_))));
        client.ehlo(&domain("client.example"), &mut output).unwrap();
        let mut input = &b"250-mx\r\n250 PIPELINING\r\n"[..];
        assert!(matches!(client.poll(Duration::ZERO, &mut input), Ok(client::Step::Event(_))));
        let mut delivery = Delivery::new(&letter.envelope, &letter.content, letter.transfer, &client);
        delivery.begin(&mut client, &mut output).unwrap();
        output.clear();
        let mut input = replies;
        let want = delivery.poll(&mut client, Duration::ZERO, &mut input, &mut output).unwrap();
        assert_eq!((&output[..], client.is_closed()), (if closed { &b""[..] } else { b".\r\n" }, closed));
        assert_eq!(want == Want::Done, closed, "{want:?}");
        assert_eq!(fates(delivery.report()), "pp");
    }
}
