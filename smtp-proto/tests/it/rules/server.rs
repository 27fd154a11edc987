//! The server's machine.

use std::time::Duration;

use bytes::BytesMut;
use smtp_proto::address::ReversePath;
use smtp_proto::extension::{Capabilities, Extension};
use smtp_proto::limits::{ServerLimits, ServerTimeouts};
use smtp_proto::received::{Hops, ReturnPath};
use smtp_proto::reply::Reply;
use smtp_proto::server::{Config, Event, Server, Step};
use smtp_proto::status::Code;

use crate::pair::config;

const NOW: Duration = Duration::ZERO;

/// What a server says to `input`, where nobody has an opinion.
pub(super) fn said(server: &mut Server, mut input: &[u8]) -> String {
    let (mut output, mut all) = (BytesMut::new(), Vec::new());
    loop {
        match server.poll(NOW, &mut input, &mut output) {
            Ok(Step::Event(_)) => {}
            Ok(Step::AwaitingReply) => {
                let reply = server.default_reply().expect("owed");
                server.reply(&reply, &mut output).expect("fits");
            }
            Ok(Step::Flush(_)) => all.extend(output.split()),
            _ => {
                all.extend(output.split());
                return String::from_utf8(all).expect("text");
            }
        }
    }
}

/// A server that has greeted its client.
pub(super) fn server(config: Config) -> Server {
    let mut server = Server::new(config.shared());
    assert!(said(&mut server, b"").starts_with("220 "));
    server
}

/// The code of the last reply.
pub(super) fn code(said: &str) -> &str {
    said.lines().last().and_then(|line| line.get(..3)).unwrap_or("none")
}

pub(super) fn offering(keywords: &[&str]) -> Config {
    let mut config = config();
    config.capabilities = keywords.iter().fold(Capabilities::new(), |capabilities, keyword| {
        capabilities.with_keyword(keyword).expect("a keyword")
    });
    config
}

/// Every parameter needs its extension, and after HELO there is none (RFC 5321, 4.1.1.11).
#[test]
fn each_parameter_needs_its_extension() {
    let mail = [
        ("SIZE=1", "SIZE"),
        ("BODY=8BITMIME", "8BITMIME"),
        ("RET=FULL", "DSN"),
        ("ENVID=x", "DSN"),
        ("AUTH=<>", "AUTH PLAIN"),
        ("BY=60;R", "DELIVERBY"),
        ("HOLDFOR=60", "FUTURERELEASE 86400 2030-01-01T00:00:00Z"),
        ("HOLDUNTIL=2030-01-01T00:00:00Z", "FUTURERELEASE 86400 2030-01-01T00:00:00Z"),
        ("MT-PRIORITY=3", "MT-PRIORITY"),
        ("REQUIRETLS", "REQUIRETLS"),
        ("SOLICIT=org.example:ADV", "NO-SOLICITING"),
        ("MTRK=AQIDBAUGBwgJCgsMDQ4PEBESExQ=", "MTRK"),
        ("PRDR", "PRDR"),
    ];
    let rcpt =
        [("NOTIFY=NEVER", "DSN"), ("ORCPT=rfc822;a@b", "DSN"), ("RRVS=2014-04-03T23:01:00Z;C", "RRVS")];
    let mail = mail.map(|(param, keyword)| (format!("MAIL FROM:<a@b> {param}\r\n"), keyword));
    let rcpt =
        rcpt.map(|(param, keyword)| (format!("MAIL FROM:<a@b>\r\nRCPT TO:<a@b> {param}\r\n"), keyword));
    for (lines, keyword) in mail.iter().chain(&rcpt) {
        for (hello, offered, expected) in
            [("EHLO", &[*keyword][..], "250"), ("EHLO", &[], "555"), ("HELO", &[*keyword], "555")]
        {
            let mut server = Server::new(offering(offered).shared());
            server.tls_established();
            said(&mut server, b"");
            said(&mut server, format!("{hello} client.example\r\n").as_bytes());
            let answer = said(&mut server, lines.as_bytes());
            assert_eq!(code(&answer), expected, "{hello}, offered {offered:?}: {lines}{answer}");
        }
    }
}

/// RFC 6531, 3.1, and RFC 3030, 3: neither stands alone.
#[test]
fn what_needs_another_extension_is_not_offered_without_it() {
    for (keyword, with, param) in
        [("SMTPUTF8", "8BITMIME", "SMTPUTF8"), ("BINARYMIME", "CHUNKING", "BODY=BINARYMIME")]
    {
        for together in [false, true] {
            let offered = if together { vec![keyword, with] } else { vec![keyword] };
            let mut server = server(offering(&offered));
            let hello = said(&mut server, b"EHLO client.example\r\n");
            assert_eq!(hello.contains(keyword), together, "{hello}");
            let answer = said(&mut server, format!("MAIL FROM:<a@b> {param}\r\n").as_bytes());
            assert_eq!(code(&answer), if together { "250" } else { "555" });
        }
    }
}

/// RFC 5321, 2.2.2: what no RFC has is offered by those only who asked for it.
#[test]
fn unregistered_keywords_are_off_by_default() {
    let offered = config().capabilities;
    for extension in
        [Extension::Prdr, Extension::PipeConnect, Extension::Xclient, Extension::Xforward, Extension::Etrn]
    {
        assert!(!offered.has(extension), "{extension:?}");
    }
    assert_eq!(offered.unknown().count(), 0);
}

/// RFC 2920, 3.2: the replies to these leave before the next command is looked at, those to others may wait.
#[test]
fn replies_that_may_not_be_held_back() {
    let mut server = Server::new(offering(&["PIPELINING", "EXPN", "HELP", "CHUNKING", "ETRN"]).shared());
    let input = "EHLO c.example\r\nNOOP\r\nVRFY a\r\nEXPN a\r\nHELP\r\nMAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\n\
                 RSET\r\nXFOO\r\nMAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n";
    let (mut input, mut output, mut writes) = (input.as_bytes(), BytesMut::new(), Vec::new());
    server.poll(NOW, &mut &b""[..], &mut output).expect("no violation");
    let greeting = server.default_reply().expect("the greeting is owed");
    server.reply(&greeting, &mut output).expect("fits");
    loop {
        match server.poll(NOW, &mut input, &mut output).expect("no violation") {
            Step::AwaitingReply => {
                let reply = server.default_reply().expect("owed");
                server.reply(&reply, &mut output).expect("fits");
            }
            Step::Flush(_) | Step::NeedInput(_) => {
                let text = String::from_utf8(output.split().to_vec()).expect("text");
                let last = text.lines().filter(|line| line.as_bytes().get(3) == Some(&b' '));
                writes.push(last.map(|line| line[..3].to_owned()).collect::<Vec<_>>().join(" "));
            }
            Step::Closed => break,
            _ => {}
        }
    }
    assert!(output.is_empty(), "QUIT was flushed");
    assert_eq!(
        writes,
        ["220", "250", "250", "252", "502", "214", "250 250 250 500", "250 250 354", "250 221"]
    );
}

/// RFC 5321, 4.2, and RFC 6531, 3.7.4.
#[test]
fn the_text_of_a_reply_is_ascii_unless_smtputf8_was_asked_for() {
    let long = "x".repeat(2000);
    for (params, expected) in [("", false), (" SMTPUTF8", true)] {
        let mut server = server(config());
        said(&mut server, format!("EHLO c.example\r\nMAIL FROM:<a@b>{params}\r\n").as_bytes());
        let mut output = BytesMut::new();
        let event = server.poll(NOW, &mut &b"RCPT TO:<c@d>\r\n"[..], &mut output);
        assert!(matches!(event, Ok(Step::Event(Event::Rcpt(_)))));
        let reply =
            Reply::new(Code::MAILBOX_UNAVAILABLE, format!("gibt's nicht: Jörg {long}")).expect("text");
        server.reply(&reply, &mut output).expect("fits");
        let text = String::from_utf8(output.to_vec()).expect("UTF-8");
        assert_eq!(text.contains("Jörg"), expected, "{text}");
        assert_eq!(text.is_ascii(), !expected, "{text}");
        assert!(text.lines().count() >= 4, "{text}");
        assert!(
            text.lines().all(|line| line.starts_with("550") && line[4..].starts_with("5.0.0 ")),
            "{text}"
        );
        assert!(text.split_inclusive("\r\n").all(|line| line.len() <= 512), "{text}");
    }
}

/// RFC 5321, 4.5.3.1.4, with all that extensions add; RFC 4954, 4.
#[test]
fn a_command_line_has_room_for_all_parameters() {
    let limits = ServerLimits::default();
    assert!(limits.line >= 2048 && limits.auth_line >= 12_288 + 2 && limits.recipients >= 100);
    let mut config = config();
    config.unknown_parameters = true;
    let mut server = server(config);
    said(&mut server, b"EHLO c.example\r\n");
    for length in [513, 2046, 2048, 4096] {
        let line =
            format!("MAIL FROM:<a@b> XFOO={}\r\n", "x".repeat(length - "MAIL FROM:<a@b> XFOO=\r\n".len()));
        assert_eq!(line.len(), length);
        assert_eq!(code(&said(&mut server, line.as_bytes())), "250", "{length}");
        said(&mut server, b"RSET\r\n");
    }
}

#[test]
fn a_server_waits_for_five_minutes() {
    let ServerTimeouts { command, block, .. } = ServerTimeouts::default();
    assert_eq!([command, block], [Duration::from_secs(300); 2]);
    let mut server = Server::new(config().shared());
    said(&mut server, b"");
    let step = server.poll(Duration::from_secs(7), &mut &b""[..], &mut BytesMut::new());
    assert!(
        matches!(step, Ok(Step::NeedInput(Some(until))) if until == Duration::from_secs(307) || until == command)
    );
}

/// RFC 5321, 6.3: the fields count wherever the message is cut, folded lines and the body do not.
#[test]
fn received_fields_are_counted_wherever_it_is_cut() {
    let header = "RECEIVED: a\r\n by b\r\n\treceived: folded\r\nreceived : c\r\nReceived-SPF: d\r\nX-Received: e\r\n\
                  Receive: f\r\nReceived\r\n";
    let message = format!("{header}Received: g\r\n\r\nReceived: body\r\n");
    for cut in 0..=message.len() {
        let (one, two) = message.as_bytes().split_at(cut);
        let mut hops = Hops::default();
        hops.add(one);
        hops.add(two);
        assert_eq!(hops.count(), 3, "cut at {cut}");
    }
    let mut hops = Hops::default();
    for n in 1..=Hops::MAX {
        assert!(!hops.is_loop(), "{n}");
        hops.add(b"Received: from x\r\n by y\r\n");
    }
    assert!(hops.is_loop() && Hops::MAX >= 100);
}

#[test]
fn the_return_path_is_the_reverse_path() {
    for path in ["<>", "<ann@example.org>", "<\"a b\"@example.org>"] {
        let path = ReversePath::parse(path).expect("a path");
        assert_eq!(ReturnPath(&path).to_string(), format!("Return-Path: {path}\r\n"));
    }
}

/// RFC 5321, 3.5.3: 251, 252 and 551 are the embedder's to say, and said as they are.
#[test]
fn codes_of_forwarding_and_verifying_pass() {
    for (line, codes) in [
        ("VRFY ann\r\n", &[250, 251, 252, 551, 553][..]),
        ("EXPN all\r\n", &[250, 252, 550]),
        ("MAIL FROM:<a@b>\r\nRCPT TO:<ann@x.example>\r\n", &[250, 251, 551, 553]),
    ] {
        for code in codes {
            let mut server = server(offering(&["EXPN"]));
            said(&mut server, b"EHLO c.example\r\n");
            let (mut input, mut output) = (line.as_bytes(), BytesMut::new());
            loop {
                match server.poll(NOW, &mut input, &mut output).expect("no violation") {
                    Step::NeedInput(_) => panic!("{line} was refused"),
                    Step::AwaitingReply if input.is_empty() => break,
                    Step::AwaitingReply => {
                        let reply = server.default_reply().expect("owed");
                        server.reply(&reply, &mut output).expect("fits");
                    }
                    _ => {}
                }
            }
            let reply = Reply::new(Code::new(*code).expect("a code"), "<ben@y.example>").expect("a text");
            output.clear();
            server.reply(&reply, &mut output).expect("fits");
            assert!(output.starts_with(format!("{code} ").as_bytes()), "{output:?}");
        }
    }
}

/// Greeting, 221 and 421 begin with the domain; an embedder that wrote it is not corrected.
#[test]
fn the_domain_stands_first_once() {
    for text in ["ESMTP", "mx.example ESMTP"] {
        let mut server = Server::new(config().shared());
        let mut output = BytesMut::new();
        server.poll(NOW, &mut &b""[..], &mut output).expect("the greeting is owed");
        server.reply(&Reply::new(Code::READY, text).expect("a text"), &mut output).expect("fits");
        assert_eq!(&output[..], b"220 mx.example ESMTP\r\n");
    }
    let mut server = Server::new(config().shared());
    said(&mut server, b"");
    assert!(said(&mut server, b"QUIT\r\n").contains("mx.example"));
    let mut server = Server::new(config().shared());
    said(&mut server, b"");
    server.shut_down();
    let words = said(&mut server, b"");
    assert!(words.starts_with("421 ") && words.contains("mx.example"), "{words}");
}
