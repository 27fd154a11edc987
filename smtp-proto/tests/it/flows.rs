//! The flows that an embedder needs, each written as one would write it, against nothing but the public signatures.
#![allow(clippy::unwrap_used, reason = "what the tests share is test code, too")]

mod ahead;
mod auth;
mod chunks;
mod delivery;
mod flight;
mod lmtp;
mod own;
mod proxy;
mod pull;
mod refused;
mod session;
mod vectored;

use core::time::Duration;
use std::sync::Arc;

use bytes::BytesMut;
use smtp_proto::address::{Domain, ForwardPath, Mailbox, ReversePath};
use smtp_proto::client::{self, Client};
use smtp_proto::server::{self, Event, Server, Step};
use smtp_proto::stage::Stage;
use smtp_proto::status::Code;

const NOW: Duration = Duration::ZERO;

fn config() -> server::Config {
    server::Config::new(Domain::parse("mx.example").unwrap())
}

fn reverse(text: &'static str) -> ReversePath<'static> {
    Mailbox::parse(text).unwrap().into()
}

fn forward(text: &'static str) -> ForwardPath<'static> {
    Mailbox::parse(text).unwrap().into()
}

/// Runs the server over all of `input` and gives back what it said. What `handle` leaves unanswered gets the reply of
/// a server without an opinion.
fn serve(
    server: &mut Server,
    mut input: &[u8],
    mut handle: impl FnMut(&mut Server, Event<'_>, &mut BytesMut),
) -> String {
    let (mut output, mut wire) = (BytesMut::new(), BytesMut::new());
    loop {
        match server.poll(NOW, &mut input, &mut output) {
            Ok(Step::Event(event)) => handle(server, event, &mut output),
            Ok(Step::AwaitingReply) => {
                let reply = server.default_reply().unwrap();
                server.reply(&reply, &mut output).unwrap();
            }
            Ok(Step::Flush(_)) => wire.unsplit(output.split()),
            Ok(_) => break,
            Err(_) => break,
        }
    }
    wire.unsplit(output);
    String::from_utf8(wire.to_vec()).unwrap()
}

/// A server that greeted, said what it offers, and lies between two transactions.
fn greeted(config: server::Config) -> Server {
    let hello: &[u8] = match config.protocol {
        smtp_proto::stage::Protocol::Smtp => b"EHLO client.example\r\n",
        smtp_proto::stage::Protocol::Lmtp => b"LHLO client.example\r\n",
    };
    let mut server = Server::new(config.shared());
    serve(&mut server, b"", |_, _, _| {});
    serve(&mut server, hello, |_, _, _| {});
    assert!(server.is_idle());
    server
}

/// The first three digits of each reply's last line.
fn codes(said: &str) -> Vec<u16> {
    said.lines().filter(|line| line.as_bytes()[3] == b' ').map(|line| line[..3].parse().unwrap()).collect()
}

/// A client that was greeted by a server that offers these, one EHLO line each.
fn connected(config: client::Config, offers: &[&str]) -> Client {
    let mut client = Client::new(Arc::new(config));
    assert_eq!(hear(&mut client, "220 mx.example\r\n"), [(Stage::Greeting, 220)]);
    client.ehlo(&Domain::parse("client.example").unwrap(), &mut BytesMut::new()).unwrap();
    let lines: String = offers.iter().map(|line| format!("250-{line}\r\n")).collect();
    let reply = format!("250-mx.example\r\n{lines}250 HELP\r\n");
    assert_eq!(hear(&mut client, &reply), [(Stage::Hello, 250)]);
    client
}

/// What the client makes of `replies`: to what each was, and its code.
fn hear(client: &mut Client, replies: &str) -> Vec<(Stage, u16)> {
    let (mut input, mut heard) = (replies.as_bytes(), Vec::new());
    loop {
        match client.poll(NOW, &mut input).unwrap() {
            client::Step::Event(answer) | client::Step::Unsolicited(answer) => {
                heard.push((answer.to, answer.reply.code().as_u16()));
            }
            _ => return heard,
        }
    }
}

fn text(output: &mut BytesMut) -> String {
    String::from_utf8(output.split().to_vec()).unwrap()
}

const fn ok(text: &'static str) -> smtp_proto::reply::Reply<'static> {
    smtp_proto::reply::Reply::fixed(Code::OK, None, text)
}
