//! The machines, each by itself: a server's `step` is fed what a client pipelines, a client's what a server answers.

use std::hint::black_box;
use std::time::Duration;

use bytes::BytesMut;
use smtp_proto::address::{Domain, ForwardPath, Mailbox, ReversePath};
use smtp_proto::client::{self, Client};
use smtp_proto::param::Params;
use smtp_proto::server::{Config, Server, Step};

use crate::bodies::stuffed;
use crate::inputs::{FROM, message, recipients};
use crate::{Case, OURS, Unit};

/// The groups, each by how many recipients a message of 1 KiB has.
pub const SERVER: [(&str, usize); 2] = [("server, 1 KiB", 1), ("server, 1 KiB to 50", 50)];
pub const CLIENT: [(&str, usize); 2] = [("client, 1 KiB", 1), ("client, 1 KiB to 50", 50)];

/// The cases of this module.
pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (group, recipients) in SERVER {
        let (mut server, mut said) = (server(), BytesMut::new());
        serve(&mut server, b"", &mut said);
        serve(&mut server, b"EHLO mail.example.org\r\n", &mut said);
        let [envelope, body] = says(recipients);
        cases.push(Case::new(group, OURS, Unit::Items, 1, move || {
            for flight in [&envelope, &body] {
                said.clear();
                serve(&mut server, black_box(flight), &mut said);
                black_box(&said);
            }
        }));
    }
    for (group, count) in CLIENT {
        let (mut client, mut says) = (Client::new(client::Config::default().shared()), BytesMut::new());
        hear(&mut client, b"220 mx.example.net\r\n");
        client.ehlo(&domain(), &mut says).unwrap();
        hear(&mut client, b"250-mx.example.net\r\n250 PIPELINING\r\n");
        let from: ReversePath<'_> = mailbox(FROM).into();
        let to: Vec<ForwardPath<'_>> = recipients(count).iter().map(|to| mailbox(to).into()).collect();
        let (none, message, replies) = (Params::default(), message(1024), answers(count));
        cases.push(Case::new(group, OURS, Unit::Items, 1, move || {
            says.clear();
            client.mail(&from, &none, &mut says).unwrap();
            for to in &to {
                client.rcpt(to, &none, &mut says).unwrap();
            }
            client.data(&mut says).unwrap();
            black_box(&says);
            hear(&mut client, black_box(&replies));
            says.clear();
            client.body(&message, &mut says).unwrap();
            client.finish(&mut says).unwrap();
            black_box(&says);
            hear(&mut client, black_box(b"250 2.0.0 Ok: queued as 4WxYz12Abc\r\n"));
        }));
    }
    cases
}

/// A server that was just connected to.
pub fn server() -> Server {
    Server::new(Config::new("mx.example.net".parse().unwrap()).shared())
}

/// Takes whatever comes, and appends what is said to it.
pub fn serve(server: &mut Server, mut input: &[u8], output: &mut BytesMut) {
    loop {
        match server.poll(Duration::ZERO, &mut input, output).unwrap() {
            Step::Event(event) => {
                black_box(&event);
            }
            Step::Flush(_) => {}
            Step::NeedInput(_) => break,
            step => panic!("{step:?}"),
        }
        if let Some(reply) = server.default_reply() {
            server.reply(&reply, output).unwrap();
        }
    }
    assert!(input.is_empty());
}

/// What a client that pipelines says: to DATA, and from there.
pub fn says(count: usize) -> [Vec<u8>; 2] {
    let mut envelope = format!("MAIL FROM:<{FROM}>\r\n");
    for to in recipients(count) {
        envelope += &format!("RCPT TO:<{to}>\r\n");
    }
    [(envelope + "DATA\r\n").into_bytes(), stuffed(&message(1024))]
}

/// What a server answers to that, to DATA.
fn answers(count: usize) -> Vec<u8> {
    let accepted = "250 2.1.5 Ok\r\n".repeat(count);
    format!("250 2.1.0 Ok\r\n{accepted}354 End data with <CR><LF>.<CR><LF>\r\n").into_bytes()
}

fn hear(client: &mut Client, mut input: &[u8]) {
    while let client::Step::Event(answer) = client.poll(Duration::ZERO, &mut input).unwrap() {
        black_box(&answer);
    }
    assert!(input.is_empty());
}

fn mailbox(text: &str) -> Mailbox<'static> {
    text.parse().unwrap()
}

fn domain() -> Domain<'static> {
    "mail.example.org".parse().unwrap()
}
