//! Bodies, both ways, in chunks as reads bring them.

use std::hint::black_box;

use bytes::BytesMut;
use peer_smtp_proto::request::receiver::DataReceiver;
use smtp_proto::dot::{Body, LineEnds, Scan, Scanner, Stuffer};

use crate::inputs::{base64, dots, long_lines, text};
use crate::{Case, OURS, Unit};

/// The cases of this module.
pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    incoming(&mut cases, "body in, text 64 KiB, by 16 KiB", &text(64 << 10), 16 << 10);
    incoming(&mut cases, "body in, text 64 KiB, by 1448", &text(64 << 10), 1448);
    incoming(&mut cases, "body in, base64 10 MiB, by 16 KiB", &base64(10 << 20), 16 << 10);
    incoming(&mut cases, "body in, base64 10 MiB, by 1448", &base64(10 << 20), 1448);
    incoming(&mut cases, "body in, long lines 64 KiB, by 16 KiB", &long_lines(64 << 10), 16 << 10);
    incoming(&mut cases, "body in, all dots 64 KiB, by 16 KiB", &dots(64 << 10), 16 << 10);
    outgoing(&mut cases, "body out, text 64 KiB", text(64 << 10));
    outgoing(&mut cases, "body out, base64 10 MiB", base64(10 << 20));
    outgoing(&mut cases, "body out, long lines 64 KiB", long_lines(64 << 10));
    outgoing(&mut cases, "body out, all dots 64 KiB", dots(64 << 10));
    cases
}

fn incoming(cases: &mut Vec<Case>, group: &'static str, message: &[u8], chunk: usize) {
    let wire = stuffed(message);
    let mut case = |who, mut work: Box<dyn FnMut(&[u8])>| {
        let wire = wire.clone();
        cases.push(Case::new(group, who, Unit::Octets, wire.len(), move || work(black_box(&wire))));
    };
    case(
        OURS,
        Box::new(move |wire| {
            receive(wire, chunk, |body| {
                body.slices().for_each(|slice| {
                    black_box(slice);
                });
            });
        }),
    );
    let mut vec = Vec::with_capacity(wire.len());
    case(
        "ours, into a Vec",
        Box::new(move |wire| {
            vec.clear();
            receive(wire, chunk, |body| body.append_to(&mut vec));
        }),
    );
    let mut vec = Vec::with_capacity(wire.len());
    case(
        "smtp-proto 0.2.5 (Stalwart), into a Vec",
        Box::new(move |wire| {
            vec.clear();
            let mut receiver = DataReceiver::new();
            for chunk in wire.chunks(chunk) {
                black_box(receiver.ingest(&mut chunk.iter(), &mut vec));
            }
        }),
    );
    let mut vec = Vec::with_capacity(wire.len());
    case(
        "memcpy",
        Box::new(move |wire| {
            vec.clear();
            vec.extend_from_slice(wire);
            black_box(&vec);
        }),
    );
}

fn outgoing(cases: &mut Vec<Case>, group: &'static str, message: Vec<u8>) {
    let mut case = |who, mut work: Box<dyn FnMut(&[u8])>| {
        let message = message.clone();
        cases.push(Case::new(group, who, Unit::Octets, message.len(), move || work(black_box(&message))));
    };
    case(
        OURS,
        Box::new(|message| {
            Stuffer::new(LineEnds::Normalise).segments(message).for_each(|slice| {
                black_box(slice);
            });
        }),
    );
    let mut wire = BytesMut::with_capacity(message.len() * 2);
    case(
        "ours, appended",
        Box::new(move |message| {
            wire.clear();
            Stuffer::new(LineEnds::Normalise).append(message, &mut wire).unwrap();
        }),
    );
    let mut vec = Vec::with_capacity(message.len());
    case(
        "memcpy",
        Box::new(move |message| {
            vec.clear();
            vec.extend_from_slice(message);
            black_box(&vec);
        }),
    );
}

/// A message as it stands on the wire, its end included.
pub fn stuffed(message: &[u8]) -> BytesMut {
    let (mut wire, mut stuffer) = (BytesMut::new(), Stuffer::new(LineEnds::Reject));
    stuffer.append(message, &mut wire).unwrap();
    stuffer.finish(&mut wire).unwrap();
    wire
}

/// Every piece of a message that comes in chunks, until its end.
fn receive(wire: &[u8], chunk: usize, mut lend: impl FnMut(Body<'_>)) {
    let (mut scanner, mut from, mut end) = (Scanner::new(LineEnds::Reject), 0, 0);
    loop {
        match scanner.scan(&wire[from..end]) {
            Scan::Piece(piece) => {
                lend(piece.body(&wire[from..end]));
                from += piece.len;
            }
            Scan::More => end = (end + chunk).min(wire.len()),
            Scan::End { .. } => return,
        }
    }
}
