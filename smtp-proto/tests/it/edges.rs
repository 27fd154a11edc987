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
