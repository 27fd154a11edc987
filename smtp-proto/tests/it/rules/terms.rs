//! What client and server hold each other to before a message goes: names as A-labels, kept line ends, REQUIRETLS, and
//! the terms of time that a server advertises.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use smtp_proto::address::{Domain, Mailbox};
use smtp_proto::client::{self, Client};
use smtp_proto::dot::LineEnds;
use smtp_proto::error::{NotNow, Violation};
use smtp_proto::extension::Extension;
use smtp_proto::param::{BodyType, Param, Params};
use smtp_proto::reply::Reply;
use smtp_proto::server::{Config, Event, Invalid, Server, Step};
use smtp_proto::session::{
    Content, Delivery, Envelope, NotSent, Outcome, Report, Transfer, Unsendable, Verdict, Want,
};
use smtp_proto::stage::Stage;
use smtp_proto::status::Code;

use super::client::{GREETING, binary, connected, hear, open, text};
use super::server::{code, offering, said, server};
use crate::pair::{config, mailbox, options};

const NOW: Duration = Duration::ZERO;
const MINUTE: Duration = Duration::from_secs(60);

fn envelope<'a>(from: &'a str, to: &[&'a str]) -> Envelope<'a> {
    Envelope::parse(from, to.iter().copied()).expect("addresses")
}

/// What is said of this message at once, and why nothing is.
fn begun(client: &mut Client, envelope: &Envelope<'_>, content: &Content) -> (String, Option<Unsendable>) {
    let mut output = BytesMut::new();
    let mut delivery = Delivery::new(envelope, content, Transfer::Data, client);
    delivery.begin(client, &mut output).expect("may be sent");
    (text(&mut output), delivery.unsendable())
}

/// RFC 6531, 3.2: without SMTPUTF8 no U-label is sent, and an A-label says the same.
#[cfg(feature = "idna")]
#[test]
fn a_domain_alone_goes_as_a_labels_where_smtputf8_is_not_offered() {
    let plain = Content::of(b"x\r\n");
    let header = Content::of("Subject: ü\r\n\r\nx\r\n".as_bytes());
    let refused = Some(Unsendable::Needs(Extension::SmtpUtf8));
    let a_labels = "MAIL FROM:<a@xn--bcher-kva.example>\r\n\
                    RCPT TO:<b@xn--mller-kva.example>\r\nRCPT TO:<c@x.example>\r\nDATA\r\n";
    let labels = envelope("a@bücher.example", &["b@müller.example", "c@x.example"]);
    assert_eq!(begun(&mut connected(false, &["PIPELINING"]), &labels, &plain), (a_labels.into(), None));
    // Where it is offered, they go as they were given.
    let (said, _) = begun(&mut connected(false, &["PIPELINING", "8BITMIME", "SMTPUTF8"]), &labels, &plain);
    assert!(
        said.starts_with("MAIL FROM:<a@bücher.example> SMTPUTF8\r\nRCPT TO:<b@müller.example>\r\n"),
        "{said}"
    );
    // A local part has no such form, nor has a header; and whoever asks for SMTPUTF8 is heard.
    for (envelope, content) in [
        (envelope("a@bücher.example", &["jörg@x.example"]), &plain),
        (envelope("jörg@bücher.example", &["b@x.example"]), &plain),
        (labels.clone(), &header),
        (labels.clone().with(&Param::SmtpUtf8).expect("a parameter"), &plain),
    ] {
        let (said, why) = begun(&mut connected(false, &["PIPELINING", "8BITMIME"]), &envelope, content);
        assert_eq!((said.as_str(), why), ("", refused), "{envelope:?}");
    }
    // The report is still the envelope's.
    let mut client = connected(false, &["PIPELINING"]);
    let mut delivery = Delivery::new(&labels, &plain, Transfer::Data, &client);
    let mut replies = &b"250 ok\r\n550 no\r\n250 ok\r\n354 go\r\n"[..];
    let want = delivery.poll(&mut client, NOW, &mut replies, &mut BytesMut::new());
    assert_eq!(want, Ok(Want::Body));
    assert!(delivery.report().outcome(0).expect("one").is_permanent());
}

/// RFC 6531, 3.7.1: EHLO comes before anything is offered, so its name has no U-label, whatever follows.
#[cfg(feature = "idna")]
#[test]
fn the_name_of_a_client_goes_as_a_labels() {
    let named = |name| {
        let mut options = options();
        options.name = Domain::parse(name).expect("a domain").into_owned();
        options
    };
    let hello = "250-mx.example\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n";
    let (_, writes, _) = open(named("bücher.example"), false, &[GREETING, hello]);
    assert_eq!(writes, ["EHLO xn--bcher-kva.example\r\n"]);
    let (_, writes, _) = open(named("bücher.example"), false, &[GREETING, "500 what?\r\n", GREETING]);
    assert_eq!(writes[1], "HELO xn--bcher-kva.example\r\n");
    let (_, writes, _) = open(named("x.example"), false, &[GREETING, hello]);
    assert_eq!(writes, ["EHLO x.example\r\n"]);
}

fn keeping(offers: &[&str]) -> Client {
    let mut config = client::Config::default();
    config.line_ends = LineEnds::Keep;
    let mut client = Client::new(Arc::new(config));
    hear(&mut client, GREETING);
    client.ehlo(&Domain::parse("c.example").expect("a domain"), &mut BytesMut::new()).expect("EHLO");
    let lines: String = offers.iter().map(|line| format!("250-{line}\r\n")).collect();
    hear(&mut client, &format!("250-mx.example\r\n{lines}250 XLAST\r\n"));
    client
}

/// RFC 3030, 3: only BINARYMIME lets line ends be what they are; all else, and DATA whatever it carries, is refused first.
#[test]
fn line_ends_are_kept_in_binarymime_alone() {
    let offers = ["PIPELINING", "8BITMIME", "CHUNKING", "BINARYMIME"];
    let envelope = envelope("a@x.example", &["b@x.example"]);
    for content in [Content::of(b"x\r\n"), Content::of("é\r\n".as_bytes()), Content::unknown()] {
        let refused = (String::new(), Some(Unsendable::LineEndsKept));
        assert_eq!(begun(&mut keeping(&offers), &envelope, &content), refused, "{content:?}");
    }
    let (said, why) = begun(&mut keeping(&offers), &envelope, &binary());
    assert_eq!(why, None);
    assert!(said.starts_with("MAIL FROM:<a@x.example> BODY=BINARYMIME\r\n"), "{said}");
    let needs = Some(Unsendable::Needs(Extension::BinaryMime));
    assert_eq!(begun(&mut keeping(&offers[..3]), &envelope, &binary()), (String::new(), needs));

    let mut client = keeping(&offers);
    let mut output = BytesMut::new();
    client.mail(&mailbox("a@x.example").into(), &Params::default(), &mut output).expect("MAIL");
    client.rcpt(&mailbox("b@x.example").into(), &Params::default(), &mut output).expect("RCPT");
    output.clear();
    assert_eq!(client.data(&mut output), Err(NotNow::LineEndsKept));
    assert!(output.is_empty());
}

/// What is not known of a message is not taken for more than it is: its size is one thing, its body another.
#[test]
fn an_unknown_size_says_nothing_of_the_body() {
    let envelope = envelope("a@x.example", &["b@x.example"]);
    let needs = Some(Unsendable::Needs(Extension::EightBitMime));
    for (size, body, refused) in [
        (None, None, None),
        (Some(3), None, None),
        (None, Some(BodyType::EightBitMime), needs),
        (Some(3), Some(BodyType::EightBitMime), needs),
        (None, Some(BodyType::SevenBit), None),
    ] {
        let mut content = Content::unknown();
        (content.size, content.body) = (size, body);
        let (_, why) = begun(&mut connected(false, &["SIZE"]), &envelope, &content);
        assert_eq!(why, refused, "{content:?}");
        let (said, why) = begun(&mut connected(false, &["SIZE", "8BITMIME"]), &envelope, &content);
        let declared = body != Some(BodyType::SevenBit);
        assert_eq!((why, said.contains("BODY=8BITMIME")), (None, declared), "{said}");
        assert_eq!(said.contains("SIZE=3"), size.is_some(), "{said}");
    }
}

/// RFC 6152, 3: a message that is read as it is sent may have 8-bit octets in it, which nobody can know before.
#[test]
fn what_is_not_known_stays_seven_bit_where_eight_is_not_offered() {
    let envelope = envelope("a@x.example", &["b@x.example"]);
    for (offers, lent, sent) in [
        (&["PIPELINING"][..], false, false),
        (&["PIPELINING"], true, false),
        (&["PIPELINING", "8BITMIME"], false, true),
    ] {
        let mut client = connected(false, offers);
        let mut delivery = Delivery::new(&envelope, &Content::unknown(), Transfer::Data, &client);
        let mut output = BytesMut::new();
        let mut input = &b"250 ok\r\n250 ok\r\n354 go\r\n"[..];
        assert_eq!(delivery.poll(&mut client, NOW, &mut input, &mut output), Ok(Want::Body));
        output.clear();
        delivery.body(b"seven\r\n", false, &mut client, &mut output).expect("7-bit");
        assert_eq!(text(&mut output), "seven\r\n");
        let eight = "\u{e9}ight\r\n".as_bytes();
        let given = match lent {
            true => delivery.segments(eight, &mut client, &mut output).map(drop),
            false => delivery.body(eight, true, &mut client, &mut output),
        };
        assert_eq!((given, client.is_closed()), (if sent { Ok(()) } else { Err(NotNow::Unsendable) }, !sent));
        if !sent {
            assert!(output.is_empty(), "neither the octet nor the dot");
            let why = Unsendable::Needs(Extension::EightBitMime);
            assert_eq!(delivery.report().outcome(0), Some(Outcome::NotSent(NotSent::Unsendable(why))));
        }
    }
}

/// RFC 8689, 4.2.1 and 5: TLS, a host that is vouched for, and the keyword under TLS; a bounce goes in any case.
#[test]
fn requiretls_needs_tls_the_keyword_and_an_authentic_host() {
    let asked = |from| envelope(from, &["b@x.example"]).with(&Param::RequireTls).expect("a parameter");
    let keyword = Unsendable::Needs(Extension::RequireTls);
    for (tls, offered, vouched, refused) in [
        (true, true, true, None),
        (true, true, false, Some(Unsendable::HostNotAuthentic)),
        (true, false, true, Some(keyword)),
        (false, true, true, Some(keyword)),
    ] {
        let mut options = options();
        options.host_is_authentic = vouched;
        let hello = if offered { "250-mx.example\r\n250 REQUIRETLS\r\n" } else { "250 mx.example\r\n" };
        let connect = || open(options.clone(), tls, &[GREETING, hello]).0;
        let mut client = connect();
        assert_eq!(client.host_is_authentic(), tls && vouched);
        let (said, why) = begun(&mut client, &asked("a@x.example"), &Content::of(b"x\r\n"));
        assert_eq!(why, refused, "TLS {tls}, offered {offered}, vouched for {vouched}");
        assert_eq!(said.contains(" REQUIRETLS"), refused.is_none());
        if let Some(why) = why {
            // Another host of the domain may do.
            let outcome = Outcome::NotSent(NotSent::Unsendable(why));
            assert_eq!(outcome.verdict(), Verdict::TryAnotherHost);
        }
        // The null sender: protected where that can be had, and never lost for want of it.
        let bounce = asked("").with(&Param::Ret(smtp_proto::param::Ret::Hdrs)).expect("a parameter");
        let (_, why) = begun(&mut connect(), &bounce, &Content::of(b"x\r\n"));
        assert_eq!(why, Some(Unsendable::Needs(Extension::Dsn)), "all else is asked for as ever");
        let (said, why) = begun(&mut connect(), &asked(""), &Content::of(b"x\r\n"));
        let protected = if tls && offered { " REQUIRETLS" } else { "" };
        assert_eq!((said, why), (format!("MAIL FROM:<>{protected}\r\n"), None));
    }
    // XCLIENT and STARTTLS open a new session, and who was vouched for is not in it.
    let mut client = connected(true, &["XCLIENT NAME"]);
    client.set_host_authentic();
    assert!(client.host_is_authentic());
    client.tls_established();
    assert!(!client.host_is_authentic());
}

/// RFC 9422, 7: what anybody may have written is not believed where TLS could be had.
#[test]
fn limits_are_not_believed_in_the_clear_where_tls_is_on_offer() {
    for (tls, offers, believed) in [
        (false, &["LIMITS RCPTMAX=1"][..], true),
        (false, &["LIMITS RCPTMAX=1", "STARTTLS"], false),
        (true, &["LIMITS RCPTMAX=1"], true),
        (true, &["LIMITS RCPTMAX=1", "STARTTLS"], true),
    ] {
        let client = connected(tls, offers);
        let max = client.capabilities().limits().rcpt_max;
        assert_eq!(max, believed.then_some(1), "TLS {tls}, {offers:?}");
    }
}

/// What a server that lists this keyword answers to MAIL with this parameter.
fn answers(table: &[(&str, &str, &str)]) {
    for (keyword, parameter, expected) in table {
        let mut server = server(offering(&[keyword]));
        said(&mut server, b"EHLO c.example\r\n");
        let answer = said(&mut server, format!("MAIL FROM:<a@b> {parameter}\r\n").as_bytes());
        assert_eq!(code(&answer), *expected, "{keyword}: {parameter}: {answer}");
        assert_eq!(answer.contains("5.5.4"), *expected != "250", "{answer}");
    }
}

/// RFC 2852, 3 and 4: DELIVERBY's number is the least for messages that are to be returned. That it is for `R` alone, and
/// the 555, are as sendmail's `mail_esmtp_args` has them; extension tokens may stand behind a comma.
#[test]
fn by_is_held_against_the_advertised_minimum() {
    answers(&[
        ("DELIVERBY 240", "BY=240;R", "250"),
        ("DELIVERBY 240", "BY=239;R", "555"),
        ("DELIVERBY 240", "BY=239;RT", "555"),
        ("DELIVERBY 240", "BY=1;N", "250"),
        ("DELIVERBY 240", "BY=-1;N", "250"),
        ("DELIVERBY 240,x-token", "BY=239;R", "555"),
        ("DELIVERBY", "BY=1;R", "250"),
        ("DELIVERBY 0", "BY=1;R", "250"),
        ("DELIVERBY", "BY=0;R", "501"),
    ]);
}

/// RFC 4865, 4: no longer than is advertised, by either parameter. The 501 is what Apache James answers.
#[test]
fn holds_are_held_against_the_advertised_maxima() {
    let keyword = "FUTURERELEASE 86400 2030-01-01T00:00:00Z";
    answers(&[
        (keyword, "HOLDFOR=86400", "250"),
        (keyword, "HOLDFOR=86401", "501"),
        (keyword, "HOLDUNTIL=2030-01-01T00:00:00Z", "250"),
        (keyword, "HOLDUNTIL=2030-01-01T00:00:01Z", "501"),
        (keyword, "HOLDUNTIL=2030-01-01T01:00:00+01:00", "250"),
        (keyword, "HOLDUNTIL=2029-12-31T23:00:01-01:00", "501"),
        // Who advertises none has none.
        ("FUTURERELEASE", "HOLDFOR=999999999", "250"),
        ("FUTURERELEASE 1 never", "HOLDUNTIL=2030-01-01T00:00:00Z", "250"),
    ]);
}

/// RFC 5321, 4.5.3.1.4: a server that calls 512 octets too long is none.
#[test]
fn a_server_takes_lines_of_512_octets() {
    for (line, checked) in [(511, Err(Invalid::Line(511))), (512, Ok(())), (4096, Ok(()))] {
        let mut config = config();
        config.limits.line = line;
        assert_eq!(config.check(), checked);
    }
}

/// RFC 5321, 4.2.3 and 4.1.1.11: 455 is a parameter that cannot be served now. It opens nothing, and is for later.
#[test]
fn a_parameter_that_cannot_be_served_now_is_455() {
    let cannot = Reply::new(Code::new(455).expect("a code"), "not now").expect("a text");
    let mut server = server(offering(&["DSN"]));
    said(&mut server, b"EHLO c.example\r\n");
    let (mut input, mut output) = (&b"MAIL FROM:<a@b> RET=FULL\r\n"[..], BytesMut::new());
    let step = server.poll(NOW, &mut input, &mut output);
    assert!(matches!(step, Ok(Step::Event(Event::Mail(_)))), "{step:?}");
    server.reply(&cannot, &mut output).expect("it fits");
    assert_eq!(text(&mut output), "455 not now\r\n");
    assert!(!server.in_transaction());
    assert_eq!(code(&said(&mut server, b"MAIL FROM:<a@b>\r\n")), "250");

    let mut client = connected(false, &["PIPELINING", "DSN"]);
    let envelope = envelope("a@x.example", &["b@x.example"]);
    let envelope = envelope.with(&Param::Ret(smtp_proto::param::Ret::Full)).expect("a parameter");
    let mut delivery = Delivery::new(&envelope, &Content::of(b"x\r\n"), Transfer::Data, &client);
    let mut replies = &b"455 4.5.4 not now\r\n503 no\r\n503 no\r\n"[..];
    let want = delivery.poll(&mut client, NOW, &mut replies, &mut BytesMut::new());
    assert_eq!(want, Ok(Want::Done));
    let report: Report = delivery.into_report();
    let outcome = report.outcome(0).expect("one");
    assert!(matches!(outcome, Outcome::Replied { stage: Stage::Mail, .. }), "{outcome}");
    assert_eq!((outcome.verdict(), outcome.is_permanent()), (Verdict::TryLater, false));
    assert!(client.can_send());
}

/// RFC 5321, 4.5.3.2.6, as Exim has it for PRDR: each of the replies behind the 353 has its ten minutes.
#[test]
fn each_reply_of_prdr_has_ten_minutes() {
    let mut client = connected(false, &["PIPELINING", "PRDR"]);
    let mut output = BytesMut::new();
    let params = Params::default().with(&Param::Prdr).expect("a parameter");
    client.mail(&mailbox("a@x.example").into(), &params, &mut output).expect("MAIL");
    for to in ["b@x.example", "c@x.example"] {
        client.rcpt(&mailbox(to).into(), &Params::default(), &mut output).expect("RCPT");
    }
    client.data(&mut output).expect("DATA");
    hear(&mut client, "250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n");
    client.finish(&mut output).expect("the dot");
    let mut now = MINUTE;
    for reply in ["353 each\r\n", "250 b\r\n", "550 c\r\n", "250 in all\r\n"] {
        for minutes in [0, 9] {
            let step = client.poll(now + minutes * MINUTE, &mut &b""[..]);
            assert_eq!(step, Ok(client::Step::NeedInput(Some(now + 10 * MINUTE))), "ahead of {reply}");
        }
        now += 9 * MINUTE;
        let step = client.poll(now, &mut reply.as_bytes());
        assert!(matches!(step, Ok(client::Step::Event(_))), "{step:?}");
    }
    assert!(!client.is_waiting());
}

/// What the names of errors say: each wrong call has its own.
#[test]
fn what_may_not_be_said_is_named() {
    use smtp_proto::auth::Mechanism;
    use smtp_proto::command::Command;
    let mut output = BytesMut::new();
    let mut client = connected(true, &["AUTH PLAIN"]);
    assert_eq!(client.auth_response(b"x", &mut output), Err(NotNow::NotChallenged));
    assert_eq!(client.auth_cancel(&mut output), Err(NotNow::NotChallenged));
    for command in [Command::Rset, Command::Data, Command::StartTls] {
        assert_eq!(client.command(&command, &mut output), Err(NotNow::OwnMethod), "{command:?}");
    }
    client.auth(Mechanism::Plain, Some(b"\0ann\0secret"), &mut output).expect("AUTH");
    hear(&mut client, "235 2.7.0 welcome\r\n");
    output.clear();
    assert_eq!(client.auth(Mechanism::Plain, None, &mut output), Err(NotNow::Authenticated));
    assert!(output.is_empty());

    let mut server = Server::new(Config::shared(config()));
    assert_eq!(server.challenge(b"x", &mut output), Err(NotNow::NothingOwed));
    let step = server.poll(NOW, &mut &b""[..], &mut output);
    assert!(matches!(step, Ok(Step::Event(Event::Connect))), "{step:?}");
    assert_eq!(server.challenge(b"x", &mut output), Err(NotNow::WrongCode(Code::CHALLENGE)));
}

/// RFC 8314: a record where a greeting should be is named however few octets of it come at a time.
#[test]
fn a_record_for_a_greeting_is_named_whatever_the_cuts() {
    let alert = b"\x15\x03\x01\x00\x02\x02\x46";
    for first in [0x15, 0x16] {
        let mut record = *alert;
        record[0] = first;
        let mut client = Client::new(Arc::default());
        for len in 0..3 {
            let step = client.step(NOW, &record[..len]);
            assert!(matches!(step, Ok(client::Step::NeedInput(Some(_)))), "{len} octets: {step:?}");
        }
        assert_eq!(client.step(NOW, &record[..3]), Err(Violation::ImplicitTls));
    }
    // What only begins like one is malformed, when it can be told; and an end is an end.
    let mut client = Client::new(Arc::default());
    assert!(matches!(client.step(NOW, b"\x16\x03\x09x\r\n"), Err(Violation::Reply { .. })));
    let mut client = Client::new(Arc::default());
    assert!(matches!(client.step(NOW, b"\x16"), Ok(client::Step::NeedInput(_))));
    assert!(client.eof().is_err());
}

/// RFC 5321, 4.1.2: an empty quoted string is a local part by the grammar, and so it is read; nobody needs to make one. 64
/// octets are what every server must take, not the most that one may (4.5.3.1, 4.5.3.1.1), and senders that encode a
/// recipient into their address exceed them; what is built here keeps to them.
#[test]
fn local_parts_are_read_as_they_come_and_built_within_bounds() {
    let x = Domain::parse("x.example").expect("a domain");
    for (local, len) in
        [("\"\"".to_owned(), 0), ("a".repeat(64), 64), ("a".repeat(65), 65), ("a".repeat(200), 200)]
    {
        let text = format!("{local}@x.example");
        let read = Mailbox::parse(&text).expect("by the grammar");
        assert_eq!((read.as_str(), read.local_part().len()), (text.as_str(), len));
        assert_eq!(Mailbox::new(&read.local_part(), &x).is_ok(), len == 64, "{text}");
    }
    // The path's 256 octets are a bound (4.5.3.1.3).
    assert!(Mailbox::parse(&format!("{}@x.example", "a".repeat(250))).is_err());
}
