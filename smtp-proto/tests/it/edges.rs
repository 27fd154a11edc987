//! Decisions of the machines that the stories of the other modules pass by: each was once changed without a test's notice.

use std::time::Duration;

use bytes::BytesMut;
use smtp_proto::address::{ForwardPath, ReversePath};
use smtp_proto::auth::Mechanism;
use smtp_proto::client::{self, Client};
use smtp_proto::command::{Attribute, Attributes};
use smtp_proto::error::{NotNow, Violation};
use smtp_proto::extension::Extension;
use smtp_proto::param::Params;
use smtp_proto::server::{Event, Server, Step};
use smtp_proto::session::{Call, Error};
use smtp_proto::stage::Stage;

use crate::pair::{config, domain};

const NOW: Duration = Duration::ZERO;

fn hear(client: &mut Client, mut reply: &[u8]) {
    let step = client.poll(NOW, &mut reply);
    assert!(matches!(step, Ok(client::Step::Event(_))) && reply.is_empty(), "{step:?}");
}

/// A client that was greeted with these keywords, and HELP.
fn greeted(keywords: &str) -> (Client, BytesMut) {
    let (mut client, mut output) = (Client::new(client::Config::default().into()), BytesMut::new());
    hear(&mut client, b"220 hello\r\n");
    client.ehlo(&domain("c.example"), &mut output).expect("EHLO");
    let keywords = keywords.replace(", ", "\r\n250-");
    hear(&mut client, format!("250-hello\r\n250-{keywords}\r\n250 HELP\r\n").as_bytes());
    output.clear();
    (client, output)
}

/// A server that speaks unasked gives its reason to leave, or is out of step.
#[test]
fn a_reply_that_nobody_asked_for() {
    for (reply, known) in [("421 leaving\r\n", true), ("554 no\r\n", true), ("250 ok\r\n", false)] {
        let (mut client, mut output) = greeted("SIZE");
        match client.poll(NOW, &mut reply.as_bytes()) {
            Ok(client::Step::Unsolicited(answer)) => {
                assert!(known && reply.starts_with(&answer.reply.code().to_string()))
            }
            Err(violation) => assert!(!known && violation == Violation::Unsolicited, "{violation}"),
            step => panic!("{step:?}"),
        }
        assert_eq!(client.noop(&mut output), Err(NotNow::Closed), "{reply}");
    }
}

/// A code that cannot answer what was said is no answer: a 250 to DATA asks for no message, a 250 to AUTH lets nobody in.
#[test]
fn codes_that_answer_nothing() {
    for (stage, codes) in [
        (Stage::Greeting, [250, 211, 354]),
        (Stage::Hello, [354, 334, 353]),
        (Stage::StartTls, [250, 221, 354]),
        (Stage::Auth, [250, 220, 354]),
        (Stage::Mail, [354, 334, 353]),
        (Stage::Rcpt, [354, 334, 353]),
        (Stage::Data, [250, 334, 353]),
        (Stage::EndOfData, [354, 334, 353]),
        (Stage::Rset, [354, 550, 450]),
        (Stage::Quit, [354, 334, 353]),
    ] {
        for code in codes {
            let (mut client, mut output) = (Client::new(client::Config::default().into()), BytesMut::new());
            if stage != Stage::Greeting {
                (client, output) = greeted("STARTTLS, AUTH PLAIN");
            }
            let (from, none) = ("<a@b>", Params::default());
            let mut mail = |client: &mut Client| {
                client.mail(&ReversePath::parse(from).expect("a path"), &none, &mut output).expect("MAIL");
                if stage != Stage::Mail {
                    hear(client, b"250 ok\r\n");
                }
            };
            match stage {
                Stage::Mail | Stage::Rset => mail(&mut client),
                Stage::Rcpt | Stage::Data | Stage::EndOfData => {
                    mail(&mut client);
                    client.rcpt(&ForwardPath::Postmaster, &none, &mut output).expect("RCPT");
                }
                _ => {}
            }
            if matches!(stage, Stage::Data | Stage::EndOfData) {
                hear(&mut client, b"250 ok\r\n");
                client.data(&mut output).expect("DATA");
            }
            match stage {
                Stage::Hello => client.ehlo(&domain("c.example"), &mut output).expect("EHLO"),
                Stage::StartTls => client.starttls(&mut output).expect("STARTTLS"),
                Stage::Auth => client.auth(Mechanism::Plain, None, &mut output).expect("AUTH"),
                Stage::Rset => client.rset(&mut output).expect("RSET"),
                Stage::Quit => client.quit(&mut output).expect("QUIT"),
                Stage::EndOfData => {
                    hear(&mut client, b"354 go\r\n");
                    client.finish(&mut output).expect("the end");
                }
                _ => {}
            }
            let reply = format!("{code} what?\r\n");
            let heard = client.poll(NOW, &mut reply.as_bytes());
            let wrong = matches!(&heard, Err(Violation::WrongCode { stage: at, code: told })
                if *at == stage && told.as_u16() == code);
            assert!(wrong, "{code} to {stage}: {heard:?}");
            assert!(client.is_closed());
        }
    }
}

/// XCLIENT's 220 is a new session, in which nothing was offered yet.
#[test]
fn xclient_takes_the_capabilities_with_it() {
    let (mut client, mut output) = greeted("XCLIENT NAME ADDR");
    let name = Attributes::new([(Attribute::Name, "a.example")]).expect("an attribute");
    client.xclient(&name, &mut output).expect("it is offered");
    hear(&mut client, b"550 no\r\n");
    assert!(client.capabilities().has(Extension::Xclient), "a refusal changes nothing");
    client.xclient(&name, &mut output).expect("it is offered");
    hear(&mut client, b"220 hello again\r\n");
    assert!(client.capabilities().set().is_empty());
    assert_eq!(client.xclient(&name, &mut output), Err(NotNow::NotOffered(Extension::Xclient)));
}

/// Nothing is lost by then, so that the 221 is not waited for as others are.
#[test]
fn a_goodbye_is_not_waited_for_long() {
    let (mut client, mut output) = greeted("SIZE");
    client.quit(&mut output).expect("QUIT");
    let step = client.step(NOW, b"");
    assert!(
        matches!(step, Ok(client::Step::NeedInput(Some(until))) if until == Duration::from_secs(10)),
        "{step:?}"
    );
}

/// A server that goes lets a transaction come to its end, and nothing else.
#[test]
fn a_shutdown_takes_nothing_but_the_end_of_the_message() {
    for (line, code) in [
        ("RSET", 421),
        ("NOOP", 421),
        ("MAIL FROM:<a@b>", 421),
        ("EHLO c", 421),
        ("QUIT", 221),
        ("RCPT TO:<a@b>", 250),
    ] {
        let (mut server, mut output) = (Server::new(config().shared()), BytesMut::new());
        let mut say = |server: &mut Server, mut input: &[u8]| {
            output.clear();
            while let Ok(Step::Event(_) | Step::Flush(_)) = server.poll(NOW, &mut input, &mut output) {
                if let Some(reply) = server.default_reply() {
                    output.clear();
                    server.reply(&reply, &mut output).expect("it is owed");
                }
            }
            str::from_utf8(&output[..3]).expect("a code").parse::<u16>().expect("a code")
        };
        say(&mut server, b"");
        say(&mut server, b"EHLO c\r\nMAIL FROM:<a@b>\r\n");
        server.shut_down();
        assert_eq!(say(&mut server, format!("{line}\r\n").as_bytes()), code, "{line}");
        let closed = matches!(server.poll(NOW, &mut &b""[..], &mut BytesMut::new()), Ok(Step::Closed));
        assert_eq!(closed, code != 250, "{line}");
    }
}

/// One that cannot wait says 421 wherever it stands, and says it once.
#[test]
fn a_server_closes_at_once_and_once() {
    for said in
        ["", "EHLO c\r\n", "EHLO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nDATA\r\npart", "EHLO c\r\nNO"]
    {
        let mut config = config();
        config.refuse_early_talkers = false;
        let (mut server, mut output, mut input) =
            (Server::new(config.shared()), BytesMut::new(), said.as_bytes());
        while let Ok(Step::Event(_) | Step::Flush(_)) = server.poll(NOW, &mut input, &mut output) {
            output.clear();
            if let Some(reply) = server.default_reply() {
                server.reply(&reply, &mut output).expect("it is owed");
            }
        }
        output.clear();
        server.close(&mut output);
        assert!(output.starts_with(b"421 4.3.2 mx.example "), "{said:?}: {output:?}");
        output.clear();
        server.close(&mut output);
        assert!(output.is_empty(), "{said:?}");
        assert!(matches!(server.step(NOW, b"NOOP\r\n", &mut output), Ok(Step::Closed)));
    }
}

/// A call that cannot be made now says so, rather than to wait for what will not come.
#[test]
fn a_call_at_the_wrong_time() {
    let (mut client, mut output) = greeted("AUTH PLAIN");
    client.auth(Mechanism::Plain, None, &mut output).expect("AUTH");
    hear(&mut client, b"334 \r\n");
    let called = Call::noop().poll(&mut client, NOW, &mut &b""[..], &mut output);
    assert!(matches!(called, Err(Error::NotNow(NotNow::AwaitingReply))), "{called:?}");

    let (mut client, mut output) = greeted("SIZE");
    client.mail(&ReversePath::Null, &Params::default(), &mut output).expect("MAIL");
    hear(&mut client, b"250 ok\r\n");
    client.rcpt(&ForwardPath::Postmaster, &Params::default(), &mut output).expect("RCPT");
    hear(&mut client, b"250 ok\r\n");
    client.data(&mut output).expect("DATA");
    hear(&mut client, b"354 go\r\n");
    let called = Call::rset().poll(&mut client, NOW, &mut &b""[..], &mut output);
    assert!(matches!(called, Err(Error::NotNow(NotNow::InBody))), "{called:?}");

    // What a server says of its own accord is why it is not made.
    let (mut client, mut output) = greeted("SIZE");
    let called = Call::noop().poll(&mut client, NOW, &mut &b"421 leaving\r\n"[..], &mut output);
    assert!(called.is_ok() || matches!(called, Err(Error::Refused { .. })), "{called:?}");
    assert!(client.is_closed());
    let called = Call::noop().poll(&mut client, NOW, &mut &b""[..], &mut output);
    assert!(matches!(called, Err(Error::NotNow(NotNow::Closed))), "{called:?}");
}

/// Both limits of a flight hold, and begin anew with the next one.
#[test]
fn each_flight_has_its_limits() {
    for (replies, octets) in [(5, 16 * 1024), (512, 30)] {
        let mut config = client::Config::default();
        (config.limits.flight_replies, config.limits.flight) = (replies, octets);
        let (mut client, mut output) = (Client::new(config.into()), BytesMut::new());
        hear(&mut client, b"220 hello\r\n");
        client.ehlo(&domain("c.example"), &mut output).expect("EHLO");
        hear(&mut client, b"250-hello\r\n250 PIPELINING\r\n");
        for flight in 0..3 {
            let mut sent = 0;
            while client.can_send() {
                client.rset(&mut output).expect("it can be sent");
                sent += 1;
            }
            assert_eq!(client.rset(&mut output), Err(NotNow::AwaitingReply));
            // RSET has six octets.
            assert_eq!(sent, 5, "flight {flight} of {replies} replies or {octets} octets");
            // One that is answered makes room for one, by its reply, and for none by its octets.
            hear(&mut client, b"250 ok\r\n");
            assert_eq!(client.can_send(), replies == 5);
            (1..sent).for_each(|_| hear(&mut client, b"250 ok\r\n"));
        }
    }
}

/// A flawed message that is as long as it may be is refused for its flaw.
#[test]
fn a_message_of_the_longest_is_not_too_long() {
    for (len, code) in [(20, 550), (21, 552)] {
        let mut config = config();
        config.capabilities = config.capabilities.with_size(20);
        config.refuse_early_talkers = false;
        let (mut server, mut output) = (Server::new(config.shared()), BytesMut::new());
        let text = "x".repeat(len - 4);
        let session = format!("EHLO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nDATA\r\nx\n{text}\r\n.\r\n");
        let (mut input, mut refused) = (session.as_bytes(), None);
        while let Ok(step @ (Step::Event(_) | Step::Flush(_))) = server.poll(NOW, &mut input, &mut output) {
            if let Step::Event(Event::Rejected(code)) = step {
                refused = Some(code.as_u16());
            }
            output.clear();
            if let Some(reply) = server.default_reply() {
                server.reply(&reply, &mut output).expect("it is owed");
            }
        }
        assert_eq!(refused, Some(code), "{len} octets");
    }
}

/// Names as real clients send them pass, unless the grammar is insisted on.
#[test]
fn names_are_held_to_the_grammar_where_that_is_asked_for() {
    for strict in [false, true] {
        let mut config = config();
        config.strict_hello = strict;
        let (mut server, mut output) = (Server::new(config.shared()), BytesMut::new());
        let step = server.poll(NOW, &mut &b""[..], &mut output);
        assert!(matches!(step, Ok(Step::Event(Event::Connect))));
        let greeting = server.default_reply().expect("it is owed");
        server.reply(&greeting, &mut output).expect("it is owed");
        output.clear();
        assert!(matches!(server.poll(NOW, &mut &b""[..], &mut output), Ok(Step::NeedInput(_))));
        let mut input = &b"EHLO my_pc\r\n"[..];
        let step = server.poll(NOW, &mut input, &mut output).expect("no violation");
        match step {
            Step::Event(Event::Hello { name, .. }) => assert!(!strict && name.as_str() == "my_pc"),
            Step::Event(Event::Rejected(code)) => assert!(strict && code.as_u16() == 501),
            step => panic!("{step:?}"),
        }
    }
}
