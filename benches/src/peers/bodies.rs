//! Their bodies. What a client writes goes nowhere: it is not copied again.

use std::hint::black_box;
use std::time::Duration;

use async_smtp::{SendableEmail, SmtpClient, SmtpTransport};
use io_smtp::rfc5321::data::SmtpData;
use peer_smtp_proto::request::receiver::DataReceiver;
use tokio::io::BufStream;

use super::wire::{Bin, Canned, Wire, drive, hello, process};
use super::{ASYNC_SMTP, IO_SMTP, LETTRE, MAIL_SEND, sessions};
use crate::bodies::{Shape, incoming, outgoing};
use crate::sessions::done;
use crate::{Case, inputs};

const OPENING: &[&str] = &["220 mx.example.net\r\n", "250 mx.example.net\r\n"];

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for Shape { group, message: wire, chunk } in incoming() {
        let mut vec = Vec::with_capacity(wire.len());
        cases.push(Case::octets(group, "smtp-proto 0.2.5 (Stalwart), into a Vec", &wire, move |wire| {
            vec.clear();
            let mut receiver = DataReceiver::new();
            for chunk in wire.chunks(chunk) {
                black_box(receiver.ingest(&mut chunk.iter(), &mut vec));
            }
        }));
        // It is given lines, however they come, and wants an envelope for each message.
        let (mut session, mut said) = (hello(Bin::default()), Vec::new());
        cases.push(Case::octets(group, "mailin, into a Vec", &wire, move |wire| {
            said.clear();
            process(&mut session, inputs::ENVELOPE, &mut said);
            process(&mut session, wire, &mut said);
            black_box(&said);
        }));
    }
    for Shape { group, message, .. } in outgoing() {
        let mut connection = sessions::lettre_over(Canned::new(OPENING, &["250 ok\r\n"]));
        cases.push(Case::octets(group, LETTRE, &message, move |message| {
            done(connection.message(message)).unwrap();
        }));

        let stream = Wire(Canned::new(&[], &[]));
        let mut client = mail_send::SmtpClient { stream, timeout: Duration::MAX };
        cases.push(Case::octets(group, MAIL_SEND, &message, move |message| {
            done(client.write_message(message)).unwrap();
        }));

        // Its stuffing is reached only by sending, with the envelope. What it sends it owns: a copy.
        let replies = ["250 ok\r\n", "250 ok\r\n", "354 go\r\n", "250 ok\r\n"];
        let stream = BufStream::new(Wire(Canned::new(OPENING, &replies)));
        let mut transport = done(SmtpTransport::new(SmtpClient::new(), stream)).unwrap();
        let envelope = sessions::async_smtp_envelope(1);
        cases.push(Case::octets(group, ASYNC_SMTP, &message, move |message| {
            done(transport.send(SendableEmail::new(envelope.clone(), message))).unwrap();
        }));

        // A copy here, too.
        let mut far = Canned::new(&[], &["354 go\r\n", "250 ok\r\n"]);
        cases.push(Case::octets(group, IO_SMTP, &message, move |message| {
            drive(SmtpData::new(message.to_vec()), &mut far);
        }));
    }
    cases
}
