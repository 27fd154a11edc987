//! Their parsers.

use std::hint::black_box;

use io_smtp::rfc5321::{SmtpEhloResponse, SmtpResponse};
use lettre::transport::smtp::extension::ServerInfo;
use lettre::transport::smtp::response::Response;
use peer_smtp_proto::response::parser::ResponseReceiver;
use peer_smtp_proto::{EhloResponse, Request};

use super::wire::{Bin, hello};
use super::{IO_SMTP, LETTRE, MAILIN, SMTP_CODEC, STALWART};
use crate::inputs::{BASIC, EHLO, FULL, REPLIES};
use crate::parsing::{ANSWERS, COMMANDS, RESPONSES};
use crate::{Case, Unit};

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (group, lines) in COMMANDS {
        cases.push(Case::items(group, STALWART, lines, |line| {
            black_box(Request::parse(&mut line.iter()).unwrap());
        }));
    }
    // It has no BDAT.
    for (group, lines) in [(COMMANDS[0].0, BASIC), (COMMANDS[1].0, &FULL[..2])] {
        cases.push(Case::items(group, SMTP_CODEC, lines, |line| {
            black_box(smtp_codec::parse::command::command(line).unwrap());
        }));
    }
    // Its parser is behind its machine, which wants a RSET ahead of the next MAIL: that is a command, too.
    let mut session = hello(Bin::default());
    cases.push(Case::new(COMMANDS[0].0, MAILIN, Unit::Items, BASIC.len() + 1, move || {
        for line in BASIC.iter().chain([&&b"RSET\r\n"[..]]) {
            let response = session.process(black_box(line));
            assert!(!response.is_error);
        }
    }));

    cases.push(Case::items(ANSWERS, STALWART, REPLIES, |line| {
        black_box(ResponseReceiver::default().parse(&mut line.iter()).unwrap());
    }));
    cases.push(Case::items(ANSWERS, SMTP_CODEC, REPLIES, |line| {
        black_box(smtp_codec::parse::response::Reply_line(line).unwrap());
    }));
    cases.push(Case::items(ANSWERS, LETTRE, REPLIES, |line| {
        black_box(text(line).parse::<Response>().unwrap());
    }));
    cases.push(Case::items(ANSWERS, IO_SMTP, REPLIES, |line| {
        assert!(SmtpResponse::is_complete(line));
        black_box(SmtpResponse::parse(line).unwrap());
    }));

    cases.push(Case::items(RESPONSES, STALWART, EHLO, |input| {
        black_box(EhloResponse::parse(&mut input.iter()).unwrap());
    }));
    cases.push(Case::items(RESPONSES, SMTP_CODEC, EHLO, |input| {
        black_box(smtp_codec::parse::response::ehlo_ok_rsp(input).unwrap());
    }));
    cases.push(Case::items(RESPONSES, LETTRE, EHLO, |input| {
        black_box(ServerInfo::from_response(&text(input).parse().unwrap()).unwrap());
    }));
    cases.push(Case::items(RESPONSES, IO_SMTP, EHLO, |input| {
        assert!(SmtpEhloResponse::is_complete(input));
        black_box(SmtpEhloResponse::parse(input).unwrap());
    }));
    cases
}

/// What it reads are lines of text.
fn text(octets: &[u8]) -> &str {
    std::str::from_utf8(octets).unwrap()
}
