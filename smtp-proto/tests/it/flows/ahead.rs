//! EHLO ahead of the greeting (Exim's PIPECONNECT), and what the two greeting commands list.

use bytes::BytesMut;
use smtp_proto::address::Domain;
use smtp_proto::client::{self, Client};
use smtp_proto::command::{Attributes, Command, Text};
use smtp_proto::error::NotNow;
use smtp_proto::extension::{Capabilities, Extension};
use smtp_proto::server::Server;
use smtp_proto::session::{Error, Open, Options, StartTls, Want};
use smtp_proto::stage::Stage;

use super::{NOW, codes, config, connected, hear, serve, text};

fn cached() -> Capabilities<'static> {
    Capabilities::new().with(Extension::PipeConnect).with(Extension::Chunking)
}

fn name() -> Domain<'static> {
    Domain::parse("client.example").unwrap()
}

/// What an opening says before it hears each of `replies`, and how it ends.
fn open(cached: Capabilities<'static>, replies: &[&str]) -> (Client, Vec<String>, Result<Want, Error>) {
    let options = Options::new(name()).with_starttls(StartTls::Off).with_cached(cached);
    let mut open = Open::new(options.into(), [0; smtp_proto::auth::NONCE_LEN]);
    let (mut client, mut output, mut said) =
        (Client::new(client::Config::default().shared()), BytesMut::new(), Vec::new());
    let mut want = Ok(Want::Done);
    for reply in [""].iter().chain(replies) {
        let mut input = reply.as_bytes();
        want = open.poll(&mut client, NOW, &mut input, &mut output);
        said.push(text(&mut output));
    }
    (client, said, want)
}

#[test]
fn ehlo_goes_ahead_of_the_greeting() {
    let both = "220 mx.example\r\n250-mx.example\r\n250 SIZE 10\r\n";
    let (client, said, want) = open(cached(), &[both]);
    assert_eq!(said, ["EHLO client.example\r\n", ""]);
    assert_eq!(want, Ok(Want::Done));
    // What it lists now counts, not what it did.
    assert!(client.capabilities().has(Extension::Size) && !client.capabilities().has(Extension::Chunking));
    // A host that did not offer it hears nothing before its greeting.
    let (_, said, want) = open(Capabilities::new(), &["220 mx.example\r\n", "250 mx.example\r\n"]);
    assert_eq!(said, ["", "EHLO client.example\r\n", ""]);
    assert_eq!(want, Ok(Want::Done));
}

#[test]
fn a_server_that_does_not_like_it_any_more() {
    let (client, said, want) =
        open(cached(), &["220 mx.example\r\n503 not yet\r\n", "250-mx.example\r\n250 SIZE 10\r\n"]);
    assert_eq!(said, ["EHLO client.example\r\n", "EHLO client.example\r\n", ""]);
    assert_eq!(want, Ok(Want::Done));
    assert!(client.capabilities().has(Extension::Size));
    // Once is enough, and no greeting but a 220 is one.
    let (_, _, want) = open(cached(), &["220 mx.example\r\n503 not yet\r\n", "503 never\r\n"]);
    assert_eq!(want.unwrap_err().stage(), Stage::Hello);
    for greeting in ["554 early talker\r\n", "554 no\r\n503 only QUIT\r\n", "421 not now\r\n"] {
        let (_, _, want) = open(cached(), &[greeting]);
        assert_eq!(want.unwrap_err().stage(), Stage::Greeting, "{greeting}");
    }
}

#[test]
fn only_ahead_of_a_greeting_and_only_once() {
    let mut output = BytesMut::new();
    let mut client = Client::new(client::Config::default().shared());
    let refused = client.ehlo_ahead(&name(), &Capabilities::new(), &mut output);
    assert_eq!(refused, Err(NotNow::NotOffered(Extension::PipeConnect)));
    assert_eq!(client.ehlo(&name(), &mut output), Err(NotNow::AwaitingReply));
    client.ehlo_ahead(&name(), &cached(), &mut output).unwrap();
    assert_eq!(client.ehlo_ahead(&name(), &cached(), &mut output), Err(NotNow::AwaitingReply));
    assert_eq!(text(&mut output), "EHLO client.example\r\n");
    assert!(!client.can_send());
    assert_eq!(
        hear(&mut client, "554 no\r\n503 only QUIT is served\r\n"),
        [(Stage::Greeting, 554), (Stage::Hello, 503)]
    );
    client.quit(&mut output).unwrap();
}

/// Under STARTTLS the EHLO that went ahead was said in the clear: another follows the handshake, and its reply counts.
#[test]
fn with_starttls() {
    let options = || Options::new(name()).with_starttls(StartTls::Required).with_cached(cached());
    let greeting = "220 mx.example\r\n";
    let clear = "250-mx.example\r\n250-PIPECONNECT\r\n250-SIZE 10\r\n250 STARTTLS\r\n";
    // The two replies come together, one after the other, or cut anywhere.
    let both = [greeting, clear].concat();
    for cut in 0..both.len() {
        let mut open = Open::new(options().into(), [0; smtp_proto::auth::NONCE_LEN]);
        let (mut client, mut output) = (Client::new(client::Config::default().shared()), BytesMut::new());
        let mut say = |open: &mut Open, client: &mut Client, input: &str| {
            let mut input = input.as_bytes();
            let want = open.poll(client, NOW, &mut input, &mut output);
            (want, text(&mut output), input.len())
        };
        let (want, said, _) = say(&mut open, &mut client, "");
        assert!(matches!(want, Ok(Want::Io(Some(_)))), "{want:?}");
        assert_eq!(said, "EHLO client.example\r\n");
        let (want, said, rest) = say(&mut open, &mut client, &both[..cut]);
        assert!(matches!(want, Ok(Want::Io(Some(_)))), "{want:?}");
        assert_eq!(said, "", "cut at {cut}");
        let (_, said, _) = say(&mut open, &mut client, &both[cut - rest..]);
        assert_eq!(said, "STARTTLS\r\n", "cut at {cut}");
        assert_eq!(say(&mut open, &mut client, "220 go\r\n").0, Ok(Want::StartTls));
        open.tls_established(&mut client, None);
        assert!(client.capabilities().set().is_empty());
        let (_, said, _) = say(&mut open, &mut client, "");
        assert_eq!(said, "EHLO client.example\r\n");
        let (want, _, _) = say(&mut open, &mut client, "250-mx.example\r\n250 CHUNKING\r\n");
        assert_eq!(want, Ok(Want::Done));
        assert!(client.has_tls() && client.capabilities().has(Extension::Chunking));
        assert!(!client.capabilities().has(Extension::Size), "that was said in the clear");
    }
    // An offer that was taken away is an error there as anywhere, before anything else is said.
    let mut open = Open::new(options().into(), [0; smtp_proto::auth::NONCE_LEN]);
    let (mut client, mut output) = (Client::new(client::Config::default().shared()), BytesMut::new());
    let stripped = "220 mx.example\r\n250-mx.example\r\n250 PIPECONNECT\r\n";
    let end = open.poll(&mut client, NOW, &mut stripped.as_bytes(), &mut output);
    assert_eq!(end, Err(Error::NoStartTls));
    assert_eq!(text(&mut output), "EHLO client.example\r\n");
}

/// Under implicit TLS, EHLO goes ahead within TLS: in the clear not a word is said.
#[test]
fn with_implicit_tls() {
    let options = Options::new(name()).with_cached(cached());
    let mut open = Open::new(options.into(), [0; smtp_proto::auth::NONCE_LEN]);
    let (mut client, mut output) = (Client::new(client::Config::default().shared()), BytesMut::new());
    open.tls_established(&mut client, None);
    assert!(output.is_empty());
    let want = open.poll(&mut client, NOW, &mut &b""[..], &mut output);
    assert!(matches!(want, Ok(Want::Io(Some(_)))), "{want:?}");
    assert_eq!(text(&mut output), "EHLO client.example\r\n");
    let mut replies = &b"220 mx.example\r\n250-mx.example\r\n250 SIZE 10\r\n"[..];
    assert_eq!(open.poll(&mut client, NOW, &mut replies, &mut output), Ok(Want::Done));
    assert!(output.is_empty() && client.has_tls() && client.capabilities().has(Extension::Size));
}

/// Where the server offers it, that is no early talking, be it within implicit TLS or in the clear.
#[test]
fn the_server_takes_it() {
    for (offered, tls) in [(true, false), (false, false), (true, true), (false, true)] {
        let mut config = config();
        if offered {
            config.capabilities = config.capabilities.with(Extension::PipeConnect);
        }
        let mut server = Server::new(config.shared());
        if tls {
            server.tls_established();
        }
        let said = serve(&mut server, b"EHLO client.example\r\n", |_, _, _| {});
        assert_eq!(codes(&said), if offered { vec![220, 250] } else { vec![554] });
    }
}

/// A server may answer HELO in many lines; none of them is an offer.
#[test]
fn helo_lists_nothing() {
    let mut output = BytesMut::new();
    let mut client = Client::new(client::Config::default().shared());
    hear(&mut client, "220 mx.example\r\n");
    let reply = "250-mx.example\r\n250-PIPELINING\r\n250 CHUNKING\r\n";
    client.helo(&name(), &mut output).unwrap();
    assert_eq!(hear(&mut client, reply), [(Stage::Hello, 250)]);
    assert_eq!(client.capabilities().set().len(), 0);
    client.ehlo(&name(), &mut output).unwrap();
    hear(&mut client, reply);
    assert_eq!(client.capabilities().set().len(), 2);
    client.helo(&name(), &mut output).unwrap();
    hear(&mut client, reply);
    assert_eq!(client.capabilities().set().len(), 0);
}

/// Verbs of extensions need their offer, whichever way they are said.
#[test]
fn what_was_not_offered_is_not_said() {
    let mut output = BytesMut::new();
    let attributes = || Attributes::parse("NAME=x.example").unwrap();
    let commands = || {
        [
            (Command::Etrn(Text::try_from("x.example").unwrap()), Extension::Etrn),
            (Command::Xclient(attributes()), Extension::Xclient),
            (Command::Xforward(attributes()), Extension::Xforward),
        ]
    };
    let mut client = connected(client::Config::default(), &[]);
    for (command, extension) in commands() {
        assert_eq!(client.command(&command, &mut output), Err(NotNow::NotOffered(extension)));
    }
    assert!(output.is_empty() && client.can_send());
    for (command, _) in commands() {
        let mut client = connected(client::Config::default(), &["ETRN", "XCLIENT NAME", "XFORWARD NAME"]);
        client.command(&command, &mut output).unwrap();
    }
    assert_eq!(text(&mut output), "ETRN x.example\r\nXCLIENT NAME=x.example\r\nXFORWARD NAME=x.example\r\n");
}
