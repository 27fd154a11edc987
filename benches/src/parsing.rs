//! Commands, replies, EHLO responses, addresses. Framing is in it on all sides: a peer's parser finds the end of the line as it goes.

use std::hint::black_box;

use peer_smtp_proto::response::parser::ResponseReceiver;
use peer_smtp_proto::{EhloResponse, Request};
use smtp_proto::address::Mailbox;
use smtp_proto::command::{Command, Options};
use smtp_proto::extension::Capabilities;
use smtp_proto::line;
use smtp_proto::reply;

use crate::inputs::{ADDRESSES, BASIC, EHLO, FULL, REPLIES};
use crate::{Case, OURS};

const STALWART: &str = "smtp-proto 0.2.5 (Stalwart)";

/// The cases of this module.
pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (group, lines) in [("commands, basic", BASIC), ("commands, full", FULL)] {
        cases.push(Case::items(group, OURS, lines, |line| {
            let found = line::Framing::new().next(line, 4096).unwrap().unwrap();
            black_box(Command::parse(&line[..found.text], Options::default()).unwrap());
        }));
        cases.push(Case::items(group, STALWART, lines, |line| {
            black_box(Request::parse(&mut line.iter()).unwrap());
        }));
    }
    cases.push(Case::items("replies", OURS, REPLIES, |line| {
        let (_, reply) = reply::Framing::new().reply(line, 4096, 65536).unwrap().unwrap();
        black_box((reply.code(), reply.status()));
    }));
    cases.push(Case::items("replies", STALWART, REPLIES, |line| {
        black_box(ResponseReceiver::default().parse(&mut line.iter()).unwrap());
    }));
    cases.push(Case::items("EHLO responses", OURS, EHLO, |input| {
        let (_, reply) = reply::Framing::new().reply(input, 4096, 65536).unwrap().unwrap();
        black_box(Capabilities::parse(&reply).set());
    }));
    cases.push(Case::items("EHLO responses", STALWART, EHLO, |input| {
        black_box(EhloResponse::parse(&mut input.iter()).unwrap());
    }));
    cases.push(Case::items("addresses", OURS, ADDRESSES, |text| {
        black_box(Mailbox::parse(text).unwrap());
    }));
    cases
}
