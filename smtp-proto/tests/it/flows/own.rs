//! What the embedder adds: a verb, an EHLO keyword and a parameter of its own, capabilities by peer, XCLIENT.

use bytes::BytesMut;
use smtp_proto::address::Domain;
use smtp_proto::client::{self, Client};
use smtp_proto::command::{Attribute, Attributes, Command, Text, Word};
use smtp_proto::error::NotNow;
use smtp_proto::extension::Extension;
use smtp_proto::param::{Param, Params};
use smtp_proto::reply::Reply;
use smtp_proto::server::{Event, Server};
use smtp_proto::session::{Error, Renew, Want};
use smtp_proto::stage::Stage;
use smtp_proto::status::Code;

use super::{codes, config, connected, greeted, hear, ok, reverse, serve, text};

/// The server lists the keyword, is handed the verb, and takes the parameter.
#[test]
fn a_verb_and_a_keyword_on_the_server() {
    let mut config = config();
    config.capabilities = config.capabilities.with_keyword("XPRAY loud quiet").unwrap();
    config.unknown_parameters = true;
    let mut server = Server::new(config.shared());
    serve(&mut server, b"", |_, _, _| {});
    assert!(serve(&mut server, b"EHLO x.example\r\n", |_, _, _| {}).contains("XPRAY loud quiet\r\n"));

    let (mut prayed, mut volume) = (None, None);
    let said = serve(
        &mut server,
        b"xpray for rain\r\nXOTHER\r\nMAIL FROM:<> XVOLUME=11\r\n",
        |server, event, output| match event {
            Event::Unknown { verb, args } if verb.as_str().eq_ignore_ascii_case("XPRAY") => {
                prayed = Some(args.to_string());
                server.reply(&ok("heard"), output).unwrap();
            }
            Event::Mail(mail) => {
                volume = mail.params.iter().find_map(|param| match param {
                    Param::Other { keyword: "XVOLUME", value } => value.map(String::from),
                    _ => None,
                });
            }
            _ => {}
        },
    );
    assert_eq!(codes(&said), [250, 500, 250]);
    assert_eq!((prayed.as_deref(), volume.as_deref()), (Some("for rain"), Some("11")));
}

/// A verb of one's own is an error only where it is refused: however often it is said, it ends nothing.
#[test]
fn a_verb_that_is_taken_counts_for_nothing() {
    for (code, ends) in [(Code::OK, false), (Code::NOT_IMPLEMENTED, true)] {
        let mut server = greeted(config());
        let said = serve(&mut server, &b"XTRA\r\n".repeat(100), |server, event, output| {
            if let Event::Unknown { .. } = event {
                server.reply(&Reply::fixed(code, None, "so"), output).unwrap();
            }
        });
        assert_eq!(codes(&said).contains(&421), ends, "{said}");
        assert!(ends || codes(&said) == [250; 100]);
    }
}

/// The client finds the keyword, sends the verb and the parameter.
#[test]
fn a_verb_and_a_keyword_on_the_client() {
    let mut client = connected(client::Config::default(), &["PIPELINING", "XPRAY loud quiet"]);
    assert!(client.capabilities().unknown().any(|offer| offer == ("XPRAY", "loud quiet")));
    let mut output = BytesMut::new();
    let (verb, args) = (Word::new("XPRAY").unwrap(), Text::new("for rain").unwrap());
    client.command(&Command::Other { verb, args }, &mut output).unwrap();
    assert_eq!(hear(&mut client, "250 heard\r\n"), [(Stage::Other, 250)]);
    let params = Params::default().with(&Param::Other { keyword: "XVOLUME", value: Some("11") }).unwrap();
    client.mail(&reverse("me@client.example"), &params, &mut output).unwrap();
    assert_eq!(text(&mut output), "XPRAY for rain\r\nMAIL FROM:<me@client.example> XVOLUME=11\r\n");
}

/// What EHLO lists follows TLS by itself, and the peer as the embedder says.
#[test]
fn capabilities_that_change() {
    let mut config = config().with_starttls();
    config.capabilities = config.capabilities.with(Extension::RequireTls);
    let mut server = Server::new(config.shared());
    let by_peer = |server: &mut Server, event: Event<'_>, _: &mut BytesMut| {
        if let Event::Hello { name, .. } = event
            && name.as_str() == "friend.example"
        {
            let own = server.capabilities_mut();
            *own = core::mem::take(own).with_size(1_000_000_000).with(Extension::Xclient);
        }
    };
    serve(&mut server, b"", by_peer);
    let clear = serve(&mut server, b"EHLO stranger.example\r\n", by_peer);
    assert!(clear.contains("STARTTLS") && !clear.contains("REQUIRETLS") && !clear.contains("XCLIENT"));
    let friend = serve(&mut server, b"EHLO friend.example\r\n", by_peer);
    assert!(friend.contains("SIZE 1000000000") && friend.contains("XCLIENT"));

    assert_eq!(codes(&serve(&mut server, b"STARTTLS\r\n", by_peer)), [220]);
    server.tls_established();
    let tls = serve(&mut server, b"EHLO stranger.example\r\n", by_peer);
    assert!(!tls.contains("STARTTLS") && tls.contains("REQUIRETLS") && !tls.contains("XCLIENT"), "{tls}");
}

/// A proxy says whom it speaks for; both sides then start anew on the same transport.
#[test]
fn xclient() {
    let mut client = connected(client::Config::default(), &["XCLIENT NAME ADDR"]);
    let mut output = BytesMut::new();
    let attributes =
        Attributes::new([(Attribute::Name, "host.example"), (Attribute::Addr, "192.0.2.7")]).unwrap();
    client.xclient(&attributes, &mut output).unwrap();
    let line = text(&mut output);
    assert_eq!(line, "XCLIENT NAME=host.example ADDR=192.0.2.7\r\n");

    let mut config = config();
    config.capabilities = config.capabilities.with_keyword("XCLIENT NAME ADDR").unwrap();
    let mut server = greeted(config);
    let mut peer = None;
    let said = serve(&mut server, line.as_bytes(), |server, event, output| {
        let Event::Xclient(attributes) = event else { return };
        peer = attributes.address(Attribute::Addr);
        let greeting = smtp_proto::reply::Reply::fixed(smtp_proto::status::Code::READY, None, "ESMTP");
        server.reply(&greeting, output).unwrap();
    });
    assert_eq!(peer, Some([192, 0, 2, 7].into()));
    assert_eq!(said, "220 mx.example ESMTP\r\n");
    assert_eq!(server.hello(), None);
    assert_eq!(hear(&mut client, &said), [(Stage::Xclient, 220)]);
    assert!(client.mail(&reverse("a@b.example"), &Params::default(), &mut output).is_err(), "EHLO first");
    client.ehlo(&Domain::parse("proxy.example").unwrap(), &mut output).unwrap();
}

/// A server refuses attributes that it does not list, so it does not hear them (Postfix's XCLIENT_README).
#[test]
fn only_what_is_listed_is_told() {
    let attributes = Attributes::parse("NAME=host.example ADDR=192.0.2.7 LOGIN=ann PORT=25").unwrap();
    for (listed, said) in [
        ("XCLIENT NAME ADDR PORT LOGIN", Some("NAME=host.example ADDR=192.0.2.7 LOGIN=ann PORT=25")),
        ("XCLIENT addr DESTADDR Port", Some("ADDR=192.0.2.7 PORT=25")),
        ("XCLIENT LOGIN", Some("LOGIN=ann")),
        ("XCLIENT HELO", None),
        // One that lists none takes what comes.
        ("XCLIENT", Some("NAME=host.example ADDR=192.0.2.7 LOGIN=ann PORT=25")),
    ] {
        for verb in ["XCLIENT", "XFORWARD"] {
            let listed = listed.replace("XCLIENT", verb);
            let mut client = connected(client::Config::default(), &[&listed]);
            let mut output = BytesMut::new();
            let (command, extension) = match verb {
                "XCLIENT" => (Command::Xclient(attributes.as_borrowed()), Extension::Xclient),
                _ => (Command::Xforward(attributes.as_borrowed()), Extension::Xforward),
            };
            let told = client.command(&command, &mut output);
            let line = said.map_or(String::new(), |said| format!("{verb} {said}\r\n"));
            assert_eq!(text(&mut output), line, "{listed}");
            let refused = Err(smtp_proto::error::NotNow::NotOffered(extension));
            assert_eq!(told, if said.is_some() { Ok(()) } else { refused }, "{listed}");
            assert_eq!(client.can_send(), said.is_none(), "what was not said is not waited for");
        }
    }
}

/// The conversation: XCLIENT, and EHLO again only where it was taken.
#[test]
fn a_session_is_renewed() {
    let attributes = Attributes::parse("ADDR=192.0.2.7").unwrap();
    let name = Domain::parse("proxy.example").unwrap();
    let renew = |client: &mut Client, replies: &[&str]| {
        let mut renew = Renew::new(attributes.as_borrowed(), name.as_borrowed());
        let (mut output, mut said) = (BytesMut::new(), String::new());
        let mut want = Ok(Want::Done);
        for reply in replies {
            let mut input = reply.as_bytes();
            want = renew.poll(client, super::NOW, &mut input, &mut output);
            said.push_str(&text(&mut output));
        }
        (want, said, renew.into_reply().map(|reply| reply.code().as_u16()))
    };
    let mut client = connected(client::Config::default(), &["XCLIENT ADDR", "PIPELINING"]);
    let (want, said, reply) = renew(&mut client, &["", "550 no\r\n"]);
    assert_eq!((want, reply), (Ok(Want::Done), Some(550)));
    assert_eq!(said, "XCLIENT ADDR=192.0.2.7\r\n");
    assert!(client.capabilities().has(Extension::Pipelining), "all is as it was");
    let (want, said, reply) = renew(&mut client, &["", "220 go on\r\n", "250 mx.example\r\n"]);
    assert_eq!((want, reply), (Ok(Want::Done), Some(220)));
    assert_eq!(said, "XCLIENT ADDR=192.0.2.7\r\nEHLO proxy.example\r\n");
    // The new session offers what its own EHLO lists.
    assert!(!client.capabilities().has(Extension::Pipelining));
    let (want, said, _) = renew(&mut client, &[""]);
    assert_eq!(want, Err(Error::NotNow(NotNow::NotOffered(Extension::Xclient))));
    assert_eq!(said, "");
}
