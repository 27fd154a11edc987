//! STARTTLS: nothing that was said in the clear outlives it, and nobody can slip anything in (RFC 3207).

use core::time::Duration;
use std::sync::Arc;

use bytes::BytesMut;
use smtp_proto::address::{Domain, ReversePath};
use smtp_proto::auth::{Credentials, Mechanism, Mechanisms, NONCE_LEN};
use smtp_proto::client::{self, Client};
use smtp_proto::error::{NotNow, Violation};
use smtp_proto::extension::Extension;
use smtp_proto::param::Params;
use smtp_proto::reply::Reply;
use smtp_proto::server::{self, Event, Server};
use smtp_proto::session::{Error, Open, Options, StartTls, Want};
use smtp_proto::stage::Stage;
use smtp_proto::status::Code;

const NOW: Duration = Duration::ZERO;

fn domain() -> Domain<'static> {
    Domain::parse("mx.example.org").expect("a domain")
}

/// A server that offers STARTTLS, and AUTH in the clear too.
fn server() -> Server {
    let mechanisms = Mechanisms::NONE.with(Mechanism::Plain);
    let mut config = server::Config::new(domain()).with_starttls().with_auth(mechanisms);
    config.auth_in_clear = true;
    Server::new(config.shared())
}

/// Runs lines through a server, with 235 to AUTH and what is usual to all else, until it wants more.
fn say(server: &mut Server, lines: &str, output: &mut BytesMut) -> Result<server::Step<()>, Violation> {
    let mut input = lines.as_bytes();
    loop {
        match server.poll(NOW, &mut input, output)? {
            server::Step::Event(event) => {
                let auth = matches!(event, Event::Auth { .. });
                while let Some(reply) = server.default_reply() {
                    let reply = if auth { Reply::fixed(Code::AUTHENTICATED, None, "yes") } else { reply };
                    server.reply(&reply, output).expect("a reply is owed");
                }
            }
            server::Step::Flush(_) => output.clear(),
            server::Step::NeedInput(until) => return Ok(server::Step::NeedInput(until)),
            server::Step::StartTls => return Ok(server::Step::StartTls),
            server::Step::Closed => return Ok(server::Step::Closed),
            other => panic!("{other:?}"),
        }
    }
}

const BEHIND: [&str; 5] = ["NOOP\r\n", "MAIL FROM:<evil@example.com>\r\n", "NO", "\r\n", "\u{16}\u{3}\u{1}"];

#[test]
fn a_server_takes_nothing_behind_the_command() {
    for behind in BEHIND {
        let (mut server, mut output) = (server(), BytesMut::new());
        say(&mut server, "", &mut output).expect("a greeting");
        say(&mut server, "EHLO c.example.com\r\n", &mut output).expect("EHLO");
        output.clear();
        let step = say(&mut server, &format!("STARTTLS\r\n{behind}"), &mut output);
        assert_eq!(step, Err(Violation::BehindStartTls), "{behind:?}");
        assert!(output.is_empty(), "{behind:?} was answered: {output:?}");
        assert_eq!(say(&mut server, behind, &mut output), Ok(server::Step::Closed), "{behind:?}");
        assert!(output.is_empty() && !server.has_tls(), "{behind:?}");
    }
}

#[test]
fn a_server_takes_nothing_between_its_220_and_the_handshake() {
    for behind in BEHIND {
        let (mut server, mut output) = (server(), BytesMut::new());
        say(&mut server, "", &mut output).expect("a greeting");
        say(&mut server, "EHLO c.example.com\r\n", &mut output).expect("EHLO");
        output.clear();
        // The command is here, its 220 is not given yet.
        let step = server.step(NOW, b"STARTTLS\r\n", &mut output);
        assert!(matches!(step, Ok(server::Step::Event(_))), "{step:?}");
        let reply = server.default_reply().expect("a reply is owed");
        server.reply(&reply, &mut output).expect("a reply is owed");
        assert_eq!(&output[..], b"220 2.0.0 go ahead\r\n");
        let step = server.step(NOW, behind.as_bytes(), &mut output).map(|_| ());
        assert_eq!(step, Err(Violation::BehindStartTls), "{behind:?}");
        assert_eq!(&output[..], b"220 2.0.0 go ahead\r\n", "{behind:?} was answered");
    }
}

#[test]
fn a_server_forgets_what_was_said_in_the_clear() {
    let (mut server, mut output) = (server(), BytesMut::new());
    say(&mut server, "", &mut output).expect("a greeting");
    *server.capabilities_mut() = server.capabilities().clone().with(Extension::Etrn);
    say(&mut server, "EHLO c.example.com\r\nAUTH PLAIN AGEAYg==\r\n", &mut output).expect("AUTH");
    assert!(server.is_authenticated() && server.hello().is_some());
    let step = say(&mut server, "STARTTLS\r\n", &mut output);
    assert_eq!(step, Ok(server::Step::StartTls));
    output.clear();
    server.tls_established();
    assert!(server.has_tls() && !server.is_authenticated() && server.hello().is_none());
    assert!(!server.capabilities().has(Extension::Etrn), "what was added for this client in the clear");
    say(&mut server, "MAIL FROM:<a@example.com>\r\n", &mut output).expect("a refusal");
    assert!(output.starts_with(b"503 "), "{output:?}");
    output.clear();
    // The list is another one: no STARTTLS in it, and AUTH once more.
    let mut input = &b"EHLO c.example.com\r\n"[..];
    let step = server.poll(NOW, &mut input, &mut output).expect("EHLO");
    assert!(matches!(step, server::Step::Event(Event::Hello { .. })), "{step:?}");
    let reply = server.default_reply().expect("a reply is owed");
    server.reply(&reply, &mut output).expect("a reply is owed");
    let listed = String::from_utf8_lossy(&output).into_owned();
    assert!(listed.contains("AUTH PLAIN\r\n") && !listed.contains("STARTTLS"), "{listed}");
}

/// A client that has had this answer to EHLO and to AUTH, and has said STARTTLS.
fn client() -> (Client, BytesMut) {
    let (mut client, mut output) = (Client::new(client::Config::default().into()), BytesMut::new());
    hear(&mut client, "220 mx.example.org\r\n");
    client.ehlo(&domain(), &mut output).expect("EHLO");
    hear(&mut client, "250-mx.example.org\r\n250-STARTTLS\r\n250-AUTH PLAIN\r\n250 CHUNKING\r\n");
    client.auth(Mechanism::Plain, Some(b"\0a\0b"), &mut output).expect("AUTH");
    hear(&mut client, "235 yes\r\n");
    client.starttls(&mut output).expect("STARTTLS");
    output.clear();
    (client, output)
}

fn hear(client: &mut Client, reply: &str) {
    let mut input = reply.as_bytes();
    let step = client.poll(NOW, &mut input).expect("a reply");
    assert!(matches!(step, client::Step::Event(_)) && input.is_empty(), "{step:?}");
}

#[test]
fn a_client_takes_nothing_behind_the_220() {
    for behind in ["250 evil\r\n", "250-evil\r\n250 AUTH PLAIN\r\n", "25", "\r\n", "\u{16}\u{3}\u{1}"] {
        let (mut client, _) = client();
        let input = format!("220 go ahead\r\n{behind}");
        assert_eq!(
            client.step(NOW, input.as_bytes()).map(|_| ()),
            Err(Violation::BehindStartTls),
            "{behind:?}"
        );
        assert!(client.is_closed() && !client.can_send(), "{behind:?}");

        // The same, one read later.
        let (mut client, mut output) = self::client();
        hear(&mut client, "220 go ahead\r\n");
        assert_eq!(
            client.step(NOW, behind.as_bytes()).map(|_| ()),
            Err(Violation::BehindStartTls),
            "{behind:?}"
        );
        assert_eq!(client.noop(&mut output), Err(NotNow::Closed));
        assert!(output.is_empty(), "{behind:?} was answered: {output:?}");
    }
}

#[test]
fn a_client_forgets_what_was_said_in_the_clear() {
    let (mut client, mut output) = client();
    assert!(client.is_authenticated());
    hear(&mut client, "220 go ahead\r\n");
    assert!(matches!(client.step(NOW, b""), Ok(client::Step::StartTls)));
    assert!(client.noop(&mut output).is_err(), "nothing is said in the clear any more");
    client.tls_established();
    assert!(client.has_tls() && !client.is_authenticated());
    assert!(client.capabilities().set().is_empty(), "{:?}", client.capabilities().set());
    let mail = client.mail(&ReversePath::parse("<>").expect("a path"), &Params::default(), &mut output);
    assert_eq!(mail, Err(NotNow::NoHello));
    assert_eq!(client.auth(Mechanism::Plain, None, &mut output), Err(NotNow::NoHello));
    assert_eq!(client.starttls(&mut output), Err(NotNow::NoHello));
    assert!(output.is_empty());
    client.ehlo(&domain(), &mut output).expect("EHLO comes next");
}

/// A server that offers it again, under TLS, is not asked.
#[test]
fn a_client_says_it_once() {
    let (mut client, mut output) = client();
    hear(&mut client, "220 go ahead\r\n");
    client.tls_established();
    client.ehlo(&domain(), &mut output).expect("EHLO comes next");
    hear(&mut client, "250-mx.example.org\r\n250 STARTTLS\r\n");
    output.clear();
    assert_eq!(client.starttls(&mut output), Err(NotNow::TlsActive));
    assert!(output.is_empty());
}

/// Opens a connection against these replies, one for each time that something was said; the outcome, and all that was said.
fn open(options: Options, replies: &[&str]) -> (Result<Want, Error>, String) {
    let mut client = Client::new(client::Config::default().into());
    let mut open = Open::new(Arc::new(options), [7; NONCE_LEN]);
    let (mut output, mut replies) = (BytesMut::new(), replies.iter());
    let mut outcome = open.poll(&mut client, NOW, &mut &b""[..], &mut output);
    loop {
        match outcome {
            Ok(Want::Io(_)) => {
                let mut input = replies.next().expect("a reply").as_bytes();
                outcome = open.poll(&mut client, NOW, &mut input, &mut output);
                assert!(input.is_empty() || outcome.is_err(), "left: {input:?}");
            }
            Ok(Want::StartTls) => {
                output.extend_from_slice(b"(TLS)\r\n");
                open.tls_established(&mut client, None);
                outcome = open.poll(&mut client, NOW, &mut &b""[..], &mut output);
            }
            outcome => return (outcome, String::from_utf8(output.to_vec()).expect("text")),
        }
    }
}

const GREETING: &str = "220 mx.example.org ESMTP\r\n";
const EHLO: &str = "EHLO mx.example.org\r\n";

fn with_password(starttls: StartTls) -> Options {
    let credentials = Credentials::password("user", "secret");
    Options::new(domain()).with_starttls(starttls).with_credentials(credentials)
}

#[test]
fn stripping_is_an_error_before_anything_is_given_away() {
    for list in ["250 mx.example.org\r\n", "250-mx.example.org\r\n250-XSTARTTLS\r\n250 AUTH PLAIN\r\n"] {
        let (outcome, said) = open(with_password(StartTls::Required), &[GREETING, list]);
        assert!(matches!(outcome, Err(Error::NoStartTls)), "{outcome:?}");
        assert_eq!(said, EHLO, "nothing behind EHLO");
    }
    // HELO would do without TLS.
    let (outcome, said) = open(Options::new(domain()), &[GREETING, "502 what?\r\n"]);
    assert!(matches!(outcome, Err(Error::Refused { stage: Stage::Hello, .. })), "{outcome:?}");
    assert_eq!(said, EHLO);
}

#[test]
fn a_refusal_ends_it_where_tls_is_required() {
    let list = "250-mx.example.org\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n";
    let (outcome, said) = open(with_password(StartTls::Required), &[GREETING, list, "454 not now\r\n"]);
    assert!(matches!(outcome, Err(Error::Refused { stage: Stage::StartTls, .. })), "{outcome:?}");
    assert_eq!(said, format!("{EHLO}STARTTLS\r\n"));
}

#[test]
fn opportunistic_tls_goes_on_in_the_clear_without_a_password() {
    let list = "250-mx.example.org\r\n250 STARTTLS\r\n";
    let opportunistic = || Options::new(domain()).with_starttls(StartTls::Opportunistic);
    for refusal in ["454 not now\r\n", "501 what?\r\n"] {
        let (outcome, said) = open(opportunistic(), &[GREETING, list, refusal]);
        assert!(matches!(outcome, Ok(Want::Done)), "{outcome:?}");
        assert_eq!(said, format!("{EHLO}STARTTLS\r\n"));
    }
    let (outcome, said) = open(opportunistic(), &[GREETING, "250 mx.example.org\r\n"]);
    assert!(matches!(outcome, Ok(Want::Done)), "{outcome:?}");
    assert_eq!(said, EHLO);
    // A 421 ends it all the same.
    let (outcome, _) = open(opportunistic(), &[GREETING, list, "421 going down\r\n"]);
    assert!(matches!(outcome, Err(Error::Refused { stage: Stage::StartTls, .. })), "{outcome:?}");
    // The password stays here.
    let list = "250-mx.example.org\r\n250-STARTTLS\r\n250 AUTH PLAIN LOGIN\r\n";
    let (outcome, said) = open(with_password(StartTls::Opportunistic), &[GREETING, list, "454 not now\r\n"]);
    assert!(matches!(outcome, Err(Error::NoMechanism(_))), "{outcome:?}");
    assert_eq!(said, format!("{EHLO}STARTTLS\r\n"));
}

#[test]
fn only_what_is_listed_under_tls_counts() {
    let clear = "250-mx.example.org\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n";
    let (outcome, said) =
        open(with_password(StartTls::Required), &[GREETING, clear, "220 go\r\n", "250 mx.example.org\r\n"]);
    assert!(matches!(outcome, Err(Error::NoMechanism(_))), "{outcome:?}");
    assert_eq!(said, format!("{EHLO}STARTTLS\r\n(TLS)\r\n{EHLO}"));

    let under_tls = "250-mx.example.org\r\n250 AUTH PLAIN\r\n";
    let (outcome, said) =
        open(with_password(StartTls::Required), &[GREETING, clear, "220 go\r\n", under_tls, "235 yes\r\n"]);
    assert!(matches!(outcome, Ok(Want::Done)), "{outcome:?}");
    assert_eq!(said, format!("{EHLO}STARTTLS\r\n(TLS)\r\n{EHLO}AUTH PLAIN AHVzZXIAc2VjcmV0\r\n"));
}

#[test]
fn a_reply_slipped_in_behind_the_220_is_not_heard() {
    let list = "250-mx.example.org\r\n250 STARTTLS\r\n";
    let injected = "220 go\r\n250-mx.example.org\r\n250 AUTH PLAIN\r\n";
    let (outcome, said) = open(with_password(StartTls::Required), &[GREETING, list, injected]);
    assert!(matches!(outcome, Err(Error::Violation(Violation::BehindStartTls))), "{outcome:?}");
    assert_eq!(said, format!("{EHLO}STARTTLS\r\n"));
}
