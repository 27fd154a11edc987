//! The life of a server's connection: slow handlers, shutdown, a TLS library of the embedder's.

use bytes::BytesMut;
use smtp_proto::error::Violation;
use smtp_proto::server::{Event, Server, Step};

use super::{NOW, codes, config, greeted, ok, serve, text};

/// While a handler ponders, the replies so far leave and the client's further commands wait in the embedder's buffer.
#[test]
fn a_handler_that_takes_seconds() {
    let mut server = greeted(config());
    let (mut input, mut output) =
        (BytesMut::from("MAIL FROM:<>\r\nRCPT TO:<a@x>\r\nDATA\r\n"), BytesMut::new());
    let pondering = loop {
        match server.step(NOW, &input, &mut output).unwrap() {
            Step::Event(taken) => {
                assert!(!taken.is_empty(), "a line each");
                let slow = match server.event(taken, &input) {
                    Event::Rcpt(rcpt) => Some(rcpt.to.into_owned()),
                    _ => None,
                };
                let _ = input.split_to(taken.len());
                match slow {
                    Some(to) => break to,
                    None => server.reply(&ok("ok"), &mut output).unwrap(),
                }
            }
            step => panic!("{step:?}"),
        }
    };
    // The answer will take seconds: what was said goes out, what comes in is kept, up to the embedder's bound.
    assert_eq!(codes(&text(&mut output)), [250]);
    input.extend_from_slice(b"more");
    assert_eq!(server.step(NOW, &input, &mut output).unwrap(), Step::AwaitingReply);
    assert_eq!((&input[..], output.len()), (&b"DATA\r\nmore"[..], 0));

    assert_eq!(pondering.as_str(), "a@x");
    server.reply(&ok("at last"), &mut output).unwrap();
    assert!(matches!(server.step(NOW, &input, &mut output).unwrap(), Step::Event(_)));
}

/// What a server without an opinion says to who greets it, on the wire.
#[test]
fn a_server_without_an_opinion_greets_back() {
    let mut server = Server::new(config().shared());
    assert_eq!(serve(&mut server, b"", |_, _, _| {}), "220 mx.example ESMTP\r\n");
    assert_eq!(serve(&mut server, b"HELO c\r\n", |_, _, _| {}), "250 mx.example at your service\r\n");
}

/// Octets that come while the greeting is held back are an early talker's, too.
#[test]
fn a_greeting_that_waits() {
    let mut server = Server::new(config().shared());
    let mut output = BytesMut::new();
    let Step::Event(connected) = server.step(NOW, b"", &mut output).unwrap() else { panic!("nobody greets") };
    assert!(connected.is_empty());
    assert_eq!(server.step(NOW, b"", &mut output).unwrap(), Step::AwaitingReply);
    let Err(violation) = server.step(NOW, b"EHLO x\r\n", &mut output) else { panic!("nobody minds") };
    assert_eq!(violation, Violation::EarlyTalker);
    assert_eq!(codes(&text(&mut output)), [554]);
    assert_eq!(server.step(NOW, b"EHLO x\r\n", &mut output), Ok(Step::Closed));
}

/// A connection between transactions ends at once.
#[test]
fn shutdown_between_transactions() {
    let mut server = greeted(config());
    server.shut_down();
    let said = serve(&mut server, b"MAIL FROM:<>\r\n", |_, event, _| panic!("{event:?}"));
    assert_eq!(said, "421 4.3.2 mx.example shutting down\r\n");
    assert_eq!(server.step(NOW, b"", &mut BytesMut::new()), Ok(Step::Closed));
}

/// A message in hand is still taken and answered; then the connection ends, whatever else was pipelined.
#[test]
fn shutdown_within_a_transaction() {
    let mut server = greeted(config());
    serve(&mut server, b"MAIL FROM:<>\r\n", |_, _, _| {});
    server.shut_down();
    let said = serve(&mut server, b"RCPT TO:<a@x>\r\nDATA\r\nhi\r\n.\r\nMAIL FROM:<>\r\n", |_, _, _| {});
    assert_eq!(codes(&said), [250, 354, 250, 421]);
}

/// The machine says when; the handshake is the embedder's own affair; the machine is told when it is done.
#[test]
fn a_foreign_tls_library() {
    let mut server = greeted(config().with_starttls());
    let (mut input, mut output) = (&b"STARTTLS\r\n"[..], BytesMut::new());
    loop {
        match server.poll(NOW, &mut input, &mut output).unwrap() {
            Step::Event(Event::StartTls) => {
                let go = server.default_reply().unwrap();
                server.reply(&go, &mut output).unwrap();
            }
            Step::StartTls => break,
            step => panic!("{step:?}"),
        }
    }
    assert_eq!(codes(&text(&mut output)), [220], "in the clear");
    // … the handshake of the library, on the embedder's socket …
    server.tls_established();
    assert!(server.has_tls() && server.hello().is_none());
    let said = serve(&mut server, b"MAIL FROM:<>\r\nEHLO x.example\r\n", |_, _, _| {});
    assert_eq!(codes(&said), [503, 250]);
    assert!(!said.contains("STARTTLS"));
}

/// Octets of the clear behind STARTTLS never reach the other side of the handshake.
#[test]
fn nothing_is_smuggled_into_tls() {
    let mut server = greeted(config().with_starttls());
    let mut output = BytesMut::new();
    let step = server.step(NOW, b"STARTTLS\r\nEHLO x\r\n", &mut output);
    assert_eq!(step, Err(Violation::BehindStartTls));
}

/// The client went away between two chunks: the message is not whole.
#[test]
fn the_end_between_chunks() {
    let mut server = greeted(config());
    serve(&mut server, b"MAIL FROM:<>\r\nRCPT TO:<a@x>\r\nBDAT 2\r\nhi", |_, _, _| {});
    assert!(matches!(server.eof(), Err(Violation::Eof { .. })));
    let mut server = greeted(config());
    serve(&mut server, b"MAIL FROM:<>\r\n", |_, _, _| {});
    assert_eq!(server.eof(), Ok(()));
}
