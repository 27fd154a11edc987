//! A message comes in under each policy, by DATA and by BDAT, and goes out under each that is not `Keep`: at the next hop,
//! however loosely it reads, it is one message.

use bytes::{Buf, BytesMut};
use proptest::prelude::*;
use smtp_proto::client::{self, Client};
use smtp_proto::dot::LineEnds;
use smtp_proto::server::{Config, Event, Server, Step};
use smtp_proto::session::{Content, Delivery, Envelope, Transfer, Want};

use super::{ENVELOPE, INNER, NO_ENDS, NOW, domain, send};

/// A receiver that takes more for the end than the RFC does.
#[derive(Clone, Copy, Debug)]
struct Loose {
    /// What it takes for a line's end, the first that fits.
    line_ends: &'static [&'static [u8]],
    /// It leaves out NULs before it looks.
    drops_nul: bool,
    /// It takes a line for the string that ends at its first NUL.
    cuts_at_nul: bool,
    /// It leaves out white space and controls at a line's end.
    trims: bool,
}

const LINE_ENDS: [&[&[u8]]; 6] = [
    &[b"\r\n"],
    &[b"\r\n", b"\n"],
    &[b"\r\n", b"\n", b"\r"],
    &[b"\r\r\n", b"\r\n", b"\n"],
    &[b"\n\r", b"\r\n", b"\n", b"\r"],
    &[b"\r\n", b"\r"],
];

impl Loose {
    fn all() -> impl Iterator<Item = Self> {
        let flags = (0..8).map(|n| (n & 1 > 0, n & 2 > 0, n & 4 > 0));
        flags.flat_map(|(drops_nul, cuts_at_nul, trims)| {
            LINE_ENDS.into_iter().map(move |line_ends| Self { line_ends, drops_nul, cuts_at_nul, trims })
        })
    }

    /// Octets up to the end that it sees, if it sees one.
    fn end(&self, wire: &[u8]) -> Option<usize> {
        let (mut at, mut line) = (0, Vec::new());
        while at < wire.len() {
            let Some(end) = self.line_ends.iter().find(|end| wire[at..].starts_with(end)) else {
                line.push(wire[at]);
                at += 1;
                continue;
            };
            at += end.len();
            let mut seen: Vec<u8> =
                line.iter().copied().filter(|octet| !self.drops_nul || *octet != 0).collect();
            if self.cuts_at_nul {
                seen.truncate(seen.iter().position(|octet| *octet == 0).unwrap_or(seen.len()));
            }
            while self.trims && seen.last().is_some_and(|octet| *octet <= b' ') {
                seen.pop();
            }
            if seen == b"." {
                return Some(at);
            }
            line.clear();
        }
        None
    }
}

/// What a server takes of this message, which comes by DATA, or by BDAT in two chunks.
fn take(ends: LineEnds, nul: bool, message: &[u8], chunked: Option<usize>) -> Option<Vec<u8>> {
    let mut config = Config::new(domain("mx.example.org"));
    (config.policy.line_ends, config.policy.nul, config.refuse_early_talkers) = (ends, nul, false);
    let mut server = Server::new(config.shared());
    let mut input = BytesMut::from(&ENVELOPE[..ENVELOPE.len() - b"DATA\r\n".len()]);
    match chunked {
        None => input.extend_from_slice(&[b"DATA\r\n", message, b"\r\n.\r\n"].concat()),
        Some(cut) => {
            for (piece, last) in [(&message[..cut], ""), (&message[cut..], " LAST")] {
                input.extend_from_slice(format!("BDAT {}{last}\r\n", piece.len()).as_bytes());
                input.extend_from_slice(piece);
            }
        }
    }
    let (mut output, mut body) = (BytesMut::new(), Vec::new());
    loop {
        match server.step(NOW, &input, &mut output).expect("no violation") {
            Step::Event(taken) => {
                match server.event(taken, &input) {
                    Event::Body(piece) => piece.append_to(&mut body),
                    Event::MessageEnd { .. } => return Some(body),
                    Event::Refused(_) => return None,
                    _ => {}
                }
                input.advance(taken.len());
                if let Some(reply) = server.default_reply() {
                    server.reply(&reply, &mut output).expect("a reply is owed");
                }
            }
            Step::Flush(_) => output.clear(),
            other => panic!("{other:?}"),
        }
    }
}

/// What goes out of this message by BDAT, if it goes at all: the content of its chunks.
fn send_chunks(message: &[u8], cut: usize, ends: LineEnds) -> Option<Vec<u8>> {
    let mut config = client::Config::default();
    config.line_ends = ends;
    let (mut client, mut output) = (Client::new(config.into()), BytesMut::new());
    assert!(matches!(client.poll(NOW, &mut &b"220 hello\r\n"[..]), Ok(client::Step::Event(_))));
    client.ehlo(&domain("c.example.com"), &mut output).expect("EHLO");
    let mut list = &b"250-hello\r\n250-8BITMIME\r\n250 CHUNKING\r\n"[..];
    assert!(matches!(client.poll(NOW, &mut list), Ok(client::Step::Event(_))));
    let envelope = Envelope::parse("a@example.com", ["b@example.org"]).expect("addresses");
    let mut delivery = Delivery::new(&envelope, &Content::of(message), Transfer::Chunks, &client);
    let (mut pieces, mut wire) = ([&message[..cut], &message[cut..]].into_iter(), Vec::new());
    output.clear();
    loop {
        let mut input = if client.is_waiting() { &b"250 ok\r\n"[..] } else { b"" };
        match delivery.poll(&mut client, NOW, &mut input, &mut output).expect("no violation") {
            Want::Io(_) => {}
            Want::Body => {
                output.clear();
                let piece = pieces.next().expect("two pieces");
                let last = pieces.len() == 0;
                delivery.body(piece, last, &mut client, &mut output).ok()?;
                while let Some(at) = output.windows(2).position(|end| end == b"\r\n") {
                    let command = output.split_to(at + 2);
                    let size = command.strip_prefix(b"BDAT ").expect("a chunk");
                    let size = size.split(|octet| !octet.is_ascii_digit()).next().unwrap_or_default();
                    let size = str::from_utf8(size).ok().and_then(|size| size.parse().ok()).expect("a size");
                    wire.extend_from_slice(&output.split_to(size));
                }
                assert!(output.is_empty());
            }
            Want::Done if delivery.report().all_delivered() => return Some(wire),
            Want::Done => return None,
            want => panic!("{want:?}"),
        }
    }
}

fn relayed(message: &[u8], cut: usize) {
    for (taken_under, nul) in [
        (LineEnds::Reject, false),
        (LineEnds::Normalise, false),
        (LineEnds::Normalise, true),
        (LineEnds::Keep, true),
    ] {
        for chunked in [None, Some(cut)] {
            let Some(content) = take(taken_under, nul, message, chunked) else { continue };
            let at = cut.min(content.len());
            for sent_under in [LineEnds::Reject, LineEnds::Normalise] {
                let how =
                    format!("{taken_under:?}, {chunked:?}, then {sent_under:?}: {}", message.escape_ascii());
                if let Some(wire) = send(&content, at, sent_under) {
                    let wire = wire.strip_prefix(ENVELOPE).expect("the envelope");
                    for receiver in Loose::all() {
                        assert_eq!(receiver.end(wire), Some(wire.len()), "{receiver:?}, {how}");
                    }
                }
                // It has no dots to be stuffed, and nothing that could be one to whom it is passed on to.
                if let Some(wire) = send_chunks(&content, at, sent_under) {
                    for (n, octet) in wire.iter().enumerate() {
                        match octet {
                            b'\r' => assert_eq!(wire.get(n + 1), Some(&b'\n'), "{how}"),
                            b'\n' => assert!(n > 0 && wire[n - 1] == b'\r', "{how}"),
                            0 => panic!("NUL: {how}"),
                            _ => {}
                        }
                    }
                }
            }
        }
    }
}

/// The loose receivers are as loose as is said: each of these ends a message for some of them, and not for all.
#[test]
fn loose_receivers_are_loose() {
    let seen = |wire: &[u8]| Loose::all().filter(|receiver| receiver.end(wire).is_some()).count();
    for end in [
        &b"\n.\n"[..],
        b"\n.\r\n",
        b"\r\n.\n",
        b"\r.\r",
        b"\r\n\0.\r\n",
        b"\r\n.\0\r\n",
        b"\r\n.\r\r\n",
        b"\r\n. \r\n",
    ] {
        let wire = [b"outer", end, INNER].concat();
        assert!((1..48).contains(&seen(&wire)), "{}: {}", end.escape_ascii(), seen(&wire));
    }
    assert_eq!(seen(b"outer\r\n.\r\n"), 48);
}

#[test]
fn what_is_relayed_is_one_message_to_the_loosest() {
    for end in NO_ENDS {
        let message = [b"Subject: x\r\n\r\nouter", end, INNER].concat();
        for cut in (0..=message.len()).step_by(7) {
            relayed(&message, cut);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn any_message_is_one_message_to_the_loosest(
        (message, cut) in prop::collection::vec(prop::sample::select(&b"\r\r\n\n..a\0 \xE9"[..]), 0..24)
            .prop_flat_map(|message| { let len = message.len(); (Just(message), 0..=len) })
    ) {
        relayed(&message, cut);
    }
}
