//! Bodies, both ways, in chunks as reads bring them; and what no program can pass: a copy, and a search for what is not there.

use std::hint::black_box;

use bytes::BytesMut;
use smtp_proto::dot::{Body, LineEnds, Scan, Scanner, Stuffer};

use crate::inputs::{base64, dots, long_lines, text};
use crate::{Case, LIMITS, OURS};

/// A group, what it works on, and by how many octets that comes.
pub struct Shape {
    pub group: &'static str,
    pub message: Vec<u8>,
    pub chunk: usize,
}

/// What comes in.
pub fn incoming() -> [Shape; 6] {
    [
        ("body in, text 64 KiB, by 16 KiB", text(64 << 10), 16 << 10),
        ("body in, text 64 KiB, by 1448", text(64 << 10), 1448),
        ("body in, base64 10 MiB, by 16 KiB", base64(10 << 20), 16 << 10),
        ("body in, base64 10 MiB, by 1448", base64(10 << 20), 1448),
        ("body in, long lines 64 KiB, by 16 KiB", long_lines(64 << 10), 16 << 10),
        ("body in, all dots 64 KiB, by 16 KiB", dots(64 << 10), 16 << 10),
    ]
    .map(|(group, message, chunk)| Shape { group, message: stuffed(&message), chunk })
}

/// What goes out.
pub fn outgoing() -> [Shape; 4] {
    [
        ("body out, text 64 KiB", text(64 << 10)),
        ("body out, base64 10 MiB", base64(10 << 20)),
        ("body out, long lines 64 KiB", long_lines(64 << 10)),
        ("body out, all dots 64 KiB", dots(64 << 10)),
    ]
    .map(|(group, message)| Shape { group, chunk: message.len(), message })
}

/// The cases of this module.
pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for Shape { group, message: wire, chunk } in incoming() {
        cases.push(Case::octets(group, OURS, &wire, move |wire| {
            receive(wire, chunk, |body| {
                body.slices().for_each(|slice| {
                    black_box(slice);
                });
            });
        }));
        let mut vec = Vec::with_capacity(wire.len());
        cases.push(Case::octets(group, "ours, into a Vec", &wire, move |wire| {
            vec.clear();
            receive(wire, chunk, |body| body.append_to(&mut vec));
        }));
        limits(&mut cases, group, &wire);
    }
    for Shape { group, message, .. } in outgoing() {
        cases.push(Case::octets(group, OURS, &message, |message| {
            Stuffer::new(LineEnds::Normalise).segments(message).for_each(|slice| {
                black_box(slice);
            });
        }));
        let mut wire = BytesMut::with_capacity(message.len() * 2);
        cases.push(Case::octets(group, "ours, appended", &message, move |message| {
            wire.clear();
            Stuffer::new(LineEnds::Normalise).append(message, &mut wire).unwrap();
        }));
        limits(&mut cases, group, &message);
    }
    cases
}

fn limits(cases: &mut Vec<Case>, group: &'static str, octets: &[u8]) {
    let mut vec = Vec::with_capacity(octets.len());
    cases.push(Case::octets(group, LIMITS[0], octets, move |octets| {
        vec.clear();
        vec.extend_from_slice(octets);
        black_box(&vec);
    }));
    cases.push(Case::octets(group, LIMITS[1], octets, |octets| {
        black_box(memchr::memchr(0, octets));
    }));
}

/// A message as it stands on the wire, its end included.
pub fn stuffed(message: &[u8]) -> Vec<u8> {
    let (mut wire, mut stuffer) = (BytesMut::new(), Stuffer::new(LineEnds::Reject));
    stuffer.append(message, &mut wire).unwrap();
    stuffer.finish(&mut wire).unwrap();
    wire.into()
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
