//! Whole conversations between the two machines: what was sent is what arrives, and each recipient's fate is told.

use smtp_proto::{
    session::{NotSent, Outcome, Report, Transfer},
    stage::{Protocol, Stage},
};

use crate::pair::{Act, Ask, Letter, Pair, Setup, config, say};

/// One letter a recipient: `d` delivered, `t` and `p` refused for now and for good, `n` not sent, `u` unknown.
pub(crate) fn fates(report: &Report) -> String {
    let fate = |outcome: Outcome<'_>| match outcome {
        outcome if outcome.is_delivered() => 'd',
        Outcome::Replied { reply, .. } if reply.is_permanent() => 'p',
        Outcome::Replied { .. } => 't',
        Outcome::NotSent(_) => 'n',
        Outcome::Unknown(_) => 'u',
        _ => '?',
    };
    report.outcomes().map(fate).collect()
}

pub(crate) fn stages(report: &Report) -> Vec<Stage> {
    let stage = |outcome: Outcome<'_>| match outcome {
        Outcome::Replied { stage, .. } | Outcome::NotSent(NotSent::Lost(stage)) => stage,
        Outcome::NotSent(_) => Stage::Idle,
        _ => Stage::EndOfData,
    };
    report.outcomes().map(stage).collect()
}

/// After whatever went before, the two are in step: another message goes through, whole.
pub(crate) fn in_step(pair: &mut Pair, context: &str) {
    let letter = Letter::new(2, "Subject: still in step\r\n\r\n.\r\n");
    let report = pair.deliver(&letter);
    assert_eq!(fates(&report), "dd", "{context}: {report:?}");
    let stored = pair.server.stored.last().expect("stored");
    assert_eq!((&stored.data, stored.to.len()), (&letter.data, 2), "{context}");
}

fn bodies() -> Vec<Vec<u8>> {
    let line = [&b"."[..], &[b'x'; 70], b"\r\n"].concat();
    vec![
        b"Subject: one\r\n\r\nbody\r\n".to_vec(),
        b"".to_vec(),
        b"\r\n".to_vec(),
        b".\r\n".to_vec(),
        b"..\r\n.\r\n.hidden\r\nx.\r\n".to_vec(),
        "Subject: x\r\n\r\nGrüße, 早上好\r\n".into(),
        b"Subject: x\r\n\r\n\xff\xfe\r\n".to_vec(),
        line.repeat(5 * 1024 * 1024 / line.len()),
    ]
}

pub(crate) const TRANSFERS: [Transfer; 3] = [Transfer::Data, Transfer::Chunks, Transfer::ChunksInFlight];

/// Empty, dots first, 8-bit, five megabytes: by DATA and by BDAT, given whole and in pieces.
#[test]
fn what_is_sent_is_what_arrives() {
    for protocol in [Protocol::Smtp, Protocol::Lmtp] {
        for transfer in TRANSFERS {
            for piece in [1_000_000_000, 70_000, 7] {
                let mut server = config();
                server.protocol = protocol;
                let mut pair = Setup::new(server).opened();
                let most = if piece > 7 && protocol == Protocol::Smtp { usize::MAX } else { 1000 };
                for data in bodies().into_iter().filter(|data| data.len() < most) {
                    let letter = Letter::new(2, data).by(transfer).in_pieces(piece);
                    let context = format!("{protocol:?} {transfer:?} {piece} {}", letter.data.len());
                    let report = pair.deliver(&letter);
                    assert_eq!(fates(&report), "dd", "{context}: {report:?}");
                    let stored = pair.server.stored.pop().expect("stored");
                    assert_eq!(stored.to, ["a0@to.example", "a1@to.example"], "{context}");
                    assert_eq!(stored.from, "me@from.example", "{context}");
                    assert!(stored.data == letter.data, "{context}");
                }
                assert!(pair.server.stored.is_empty(), "each message once");
            }
        }
    }
}

#[test]
fn twenty_recipients_of_which_two_are_refused() {
    for transfer in TRANSFERS {
        let script = |ask: Ask<'_>| match (ask.stage, ask.n) {
            (Stage::Rcpt, 3) => say(550, "nobody of that name"),
            (Stage::Rcpt, 17) => say(450, "busy"),
            _ => Act::Default,
        };
        let mut pair = Setup::default().script(script).opened();
        let letter = Letter::new(20, "x\r\n").by(transfer);
        let report = pair.deliver(&letter);
        assert_eq!(fates(&report), "dddpdddddddddddddtdd", "{transfer:?}");
        assert_eq!(stages(&report)[3], Stage::Rcpt);
        let stored = &pair.server.stored[0];
        assert_eq!(stored.to.len(), 18);
        assert!(!stored.to.iter().any(|to| to == "a3@to.example" || to == "a17@to.example"));
        in_step(&mut pair, &format!("{transfer:?}"));
    }
}

/// DATA ends in a line's end (RFC 5321, 4.1.1.4), so a message without one gets it; BDAT carries it as it is.
#[test]
fn a_message_without_a_last_line_end() {
    for (transfer, stored) in [
        (Transfer::Data, &b"no end\r\n"[..]),
        (Transfer::Chunks, b"no end"),
        (Transfer::ChunksInFlight, b"no end"),
    ] {
        let mut pair = Setup::default().opened();
        assert!(pair.deliver(&Letter::new(1, "no end").by(transfer).in_pieces(4)).all_delivered());
        assert_eq!(pair.server.stored[0].data, stored, "{transfer:?}");
    }
}
