//! Commands, replies, EHLO responses, addresses. Framing is in it on all sides: a peer's parser finds the end of the line as it goes.

use std::hint::black_box;

use smtp_proto::address::Mailbox;
use smtp_proto::command::{Command, Options};
use smtp_proto::extension::Capabilities;
use smtp_proto::line;
use smtp_proto::reply;

use crate::inputs::{ADDRESSES, BASIC, EHLO, FULL, REPLIES};
use crate::{Case, OURS};

/// The groups that peers have cases in.
pub const COMMANDS: [(&str, &[&[u8]]); 2] = [("commands, basic", BASIC), ("commands, full", FULL)];
pub const ANSWERS: &str = "replies";
pub const RESPONSES: &str = "EHLO responses";

/// The cases of this module.
pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (group, lines) in COMMANDS {
        cases.push(Case::items(group, OURS, lines, |line| {
            let found = line::Framing::new().next(line, 4096).unwrap().unwrap();
            black_box(Command::parse(&line[..found.text], Options::default()).unwrap());
        }));
    }
    cases.push(Case::items(ANSWERS, OURS, REPLIES, |line| {
        let (_, reply) = reply::Framing::new().reply(line, 4096, 65536).unwrap().unwrap();
        black_box((reply.code(), reply.status()));
    }));
    cases.push(Case::items(RESPONSES, OURS, EHLO, |input| {
        let (_, reply) = reply::Framing::new().reply(input, 4096, 65536).unwrap().unwrap();
        black_box(Capabilities::parse(&reply).set());
    }));
    cases.push(Case::items("addresses", OURS, ADDRESSES, |text| {
        black_box(Mailbox::parse(text).unwrap());
    }));
    cases
}
