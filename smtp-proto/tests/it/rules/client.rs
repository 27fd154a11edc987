//! The client's machine and its conversations, against a server that is a list of replies.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use smtp_proto::auth::{Credentials, Mechanism};
use smtp_proto::client::{self, Client};
use smtp_proto::command::Command;
use smtp_proto::error::NotNow;
use smtp_proto::extension::Extension;
use smtp_proto::param::{
    BodyType, DeliverBy, DeliverByMode, Notify, Orcpt, Param, Params, Ret, RrvsAction, Xtext,
};
use smtp_proto::session::{
    Content, Delivery, Envelope, Error, NotSent, Open, Options, Outcome, Recipient, StartTls, Transfer,
    Unsendable, Verdict, Want,
};
use smtp_proto::stage::Stage;

use crate::pair::{domain, mailbox, options};

const NOW: Duration = Duration::ZERO;

/// Opens over these replies, one a write: what was written, and how it ended.
pub(super) fn open(
    options: Options,
    tls: bool,
    replies: &[&str],
) -> (Client, Vec<String>, Result<(), Error>) {
    let mut client = Client::new(Arc::default());
    let mut open = Open::new(Arc::new(options), *b"client's nonce, 18");
    if tls {
        open.tls_established(&mut client, None);
    }
    let (mut output, mut writes, mut replies) = (BytesMut::new(), Vec::new(), replies.iter());
    let mut input = &b""[..];
    let end = loop {
        match open.poll(&mut client, NOW, &mut input, &mut output) {
            Ok(Want::Io(_)) => {
                writes.extend(Some(text(&mut output)).filter(|said| !said.is_empty()));
                let Some(reply) = replies.next() else { break Ok(()) };
                input = reply.as_bytes();
            }
            Ok(Want::StartTls) => open.tls_established(&mut client, None),
            Ok(_) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    writes.extend(Some(text(&mut output)).filter(|said| !said.is_empty()));
    (client, writes, end)
}

pub(super) fn text(output: &mut BytesMut) -> String {
    String::from_utf8(output.split().to_vec()).expect("text")
}

pub(super) const GREETING: &str = "220 mx.example\r\n";

fn vouched() -> Options {
    let mut options = options();
    options.host_is_authentic = true;
    options
}

/// A client to which these were offered, by a host that is vouched for.
pub(super) fn connected(tls: bool, offers: &[&str]) -> Client {
    let lines: String = offers.iter().map(|line| format!("250-{line}\r\n")).collect();
    let (client, _, end) =
        open(vouched(), tls, &[GREETING, &format!("250-mx.example\r\n{lines}250 XLAST\r\n")]);
    end.expect("opens");
    client
}

pub(super) fn hear(client: &mut Client, replies: &str) {
    let mut input = replies.as_bytes();
    while matches!(client.poll(NOW, &mut input).expect("no violation"), client::Step::Event(_)) {}
}

/// RFC 5321, 3.2: HELO where EHLO is not known, and never where only EHLO can give what is wanted.
#[test]
fn helo_is_no_way_out_where_ehlo_is_needed() {
    let login = || options().with_credentials(Credentials::password("ann", "secret"));
    let tls = |policy| options().with_starttls(policy);
    let mut after_550 = options();
    after_550.helo_after_550 = true;
    for (options, tls, reply, falls_back) in [
        (options(), false, "500 what?\r\n", true),
        (tls(StartTls::Opportunistic), false, "502 what?\r\n", true),
        (options(), false, "550 no\r\n", false),
        (after_550, false, "550 no\r\n", true),
        (options(), false, "421 no\r\n", false),
        (options(), false, "450 no\r\n", false),
        (login(), false, "500 what?\r\n", false),
        (tls(StartTls::Required), false, "500 what?\r\n", false),
        (options(), true, "500 what?\r\n", false),
    ] {
        let (_, writes, end) = open(options, tls, &[GREETING, reply, "250 mx.example\r\n"]);
        let helo = writes.last().is_some_and(|said| said.starts_with("HELO "));
        assert_eq!((helo, end.is_ok()), (falls_back, falls_back), "{reply} {writes:?} {end:?}");
    }
    let (client, _, _) = open(options(), false, &[GREETING, "500 what?\r\n", "250 mx.example\r\n"]);
    for (from, content, needs) in [
        ("ann@x.example", binary(), Extension::BinaryMime),
        ("jörg@x.example", Content::of(b"x\r\n"), Extension::SmtpUtf8),
    ] {
        let envelope = Envelope::parse(from, ["ben@x.example"]).expect("addresses");
        let delivery = Delivery::new(&envelope, &content, Transfer::Data, &client);
        assert_eq!(delivery.unsendable(), Some(Unsendable::Needs(needs)), "{from}");
    }
}

pub(super) fn binary() -> Content {
    let mut content = Content::unknown();
    content.body = Some(BodyType::BinaryMime);
    content
}

/// RFC 4954, 4: a line of 512 octets at the most, else the response waits for the empty challenge.
#[test]
fn a_long_initial_response_waits_for_its_challenge() {
    for (length, with_command) in [(20, true), (400, false)] {
        let token = "t".repeat(length);
        let options = options().with_credentials(Credentials::token("ann", token.as_str()));
        let hello = "250-mx.example\r\n250 AUTH XOAUTH2\r\n";
        let replies: &[&str] = match with_command {
            true => &[GREETING, hello, "235 2.7.0 welcome\r\n"],
            false => &[GREETING, hello, "334 \r\n", "235 2.7.0 welcome\r\n"],
        };
        let (client, writes, end) = open(options, true, replies);
        end.expect("logs in");
        assert!(client.is_authenticated());
        assert!(writes[1].starts_with("AUTH XOAUTH2") && writes[1].len() <= 512, "{writes:?}");
        assert_eq!(writes[1] == "AUTH XOAUTH2\r\n", !with_command, "{writes:?}");
        assert_eq!(writes.len(), if with_command { 2 } else { 3 }, "{writes:?}");
    }
}

/// RFC 4954, 4: what cannot be read is given up by `*`, and nothing more of the password is shown.
#[test]
fn a_challenge_that_is_not_base64_is_cancelled() {
    let options = options().with_credentials(Credentials::password("ann", "secret"));
    let (client, writes, end) =
        open(options, true, &[GREETING, "250-mx.example\r\n250 AUTH LOGIN\r\n", "334 !not base64!\r\n"]);
    assert!(matches!(end, Err(Error::Auth(_))), "{end:?}");
    assert_eq!(writes.last().map(String::as_str), Some("*\r\n"), "{writes:?}");
    assert!(!client.is_authenticated());
}

/// RFC 4954, 6: 538 is understood, as "not without TLS"; and no server of ours says it.
#[test]
fn a_login_that_is_refused_tells_what_to_do() {
    for code in [530, 534, 535, 538, 432, 454] {
        let options = options().with_credentials(Credentials::password("ann", "secret"));
        let hello = "250-mx.example\r\n250 AUTH PLAIN\r\n";
        let (client, _, end) = open(options, true, &[GREETING, hello, &format!("{code} no\r\n")]);
        let error = end.expect_err("refused");
        assert_eq!(error.stage(), Stage::Auth);
        let expected = if code < 500 { Verdict::TryLater } else { Verdict::Authenticate };
        assert_eq!(error.verdict(), expected, "{code}");
        assert!(client.can_send() && !client.is_authenticated(), "the session may go on");
    }
}

/// RFC 8689, 2: an offer in the clear is nobody's.
#[test]
fn requiretls_is_not_believed_in_the_clear() {
    let envelope = Envelope::parse("a@x.example", ["b@x.example"]).expect("addresses");
    let envelope = envelope.with(&Param::RequireTls).expect("a parameter");
    for tls in [false, true] {
        let client = connected(tls, &["REQUIRETLS"]);
        assert_eq!(client.capabilities().has(Extension::RequireTls), tls);
        let delivery = Delivery::new(&envelope, &Content::of(b"x\r\n"), Transfer::Data, &client);
        let refused = Some(Unsendable::Needs(Extension::RequireTls));
        assert_eq!(delivery.unsendable(), if tls { None } else { refused });
    }
}

/// Nothing is asked of a server that has not offered it.
#[test]
fn each_parameter_needs_its_extension() {
    let by = DeliverBy { seconds: 60, mode: DeliverByMode::Return, trace: false };
    let mtrk = Param::Mtrk { certifier: "AQIDBAUGBwgJCgsMDQ4PEBESExQ=", timeout: None };
    let mail = [
        (Param::Size(9), "SIZE"),
        (Param::Ret(Ret::Full), "DSN"),
        (Param::Envid(Xtext::encode(b"x")), "DSN"),
        (Param::Auth(Xtext::encode(b"<>")), "AUTH"),
        (Param::By(by), "DELIVERBY"),
        (Param::HoldFor(60), "FUTURERELEASE"),
        (Param::HoldUntil("2030-01-01T00:00:00Z"), "FUTURERELEASE"),
        (Param::MtPriority(3), "MT-PRIORITY"),
        (Param::RequireTls, "REQUIRETLS"),
        (Param::Solicit("org.example:ADV"), "NO-SOLICITING"),
        (mtrk, "MTRK"),
        (Param::Prdr, "PRDR"),
    ];
    let rcpt = [
        (Param::Notify(Notify::NEVER), "DSN"),
        (Param::Orcpt(Orcpt::parse("rfc822;a@b").expect("an ORCPT")), "DSN"),
        (Param::Rrvs { since: "2014-04-03T23:01:00Z", action: Some(RrvsAction::Reject) }, "RRVS"),
    ];
    let plain = || Envelope::new(mailbox("a@x.example"), [mailbox("b@x.example")]);
    let mail = mail.map(|(param, keyword)| (plain().with(&param).expect("a parameter"), param, keyword));
    let rcpt = rcpt.map(|(param, keyword)| {
        let to = Recipient::from(mailbox("b@x.example")).with(&param).expect("a parameter");
        (Envelope::new(mailbox("a@x.example"), [to]), param, keyword)
    });
    for (envelope, param, keyword) in mail.iter().chain(&rcpt) {
        for offered in [true, false] {
            let mut client = connected(true, &[if offered { keyword } else { "XNONE" }, "PIPELINING"]);
            let mut delivery = Delivery::new(envelope, &Content::of(b"x\r\n"), Transfer::Data, &client);
            let mut output = BytesMut::new();
            delivery.begin(&mut client, &mut output).expect("may be sent");
            let said = text(&mut output);
            assert_eq!(said.contains(&param.to_string()), offered, "{param}: {said}");
            assert_eq!(delivery.unsendable().is_none(), offered, "{param}");
            assert_eq!(said.is_empty(), !offered, "{param}: not a word is said");
        }
    }
}

/// RFC 6531, 3.4: asked for only where the envelope or the header needs it, and only with 8BITMIME.
#[test]
fn smtputf8_is_asked_for_where_it_is_needed() {
    let plain = "Subject: x\r\n\r\nGrüße\r\n";
    let header = "Subject: Grüße\r\n\r\nx\r\n";
    for (from, to, message, needed) in [
        ("a@x.example", "b@x.example", plain, false),
        ("a@x.example", "b@x.example", header, true),
        ("jörg@x.example", "b@x.example", plain, true),
        ("a@x.example", "jörg@x.example", plain, true),
    ] {
        let envelope = Envelope::parse(from, [to]).expect("addresses");
        let content = Content::of(message.as_bytes());
        let mut client = connected(false, &["8BITMIME", "SMTPUTF8"]);
        let mut output = BytesMut::new();
        let mut delivery = Delivery::new(&envelope, &content, Transfer::Data, &client);
        delivery.begin(&mut client, &mut output).expect("may be sent");
        let said = text(&mut output);
        assert_eq!(said.contains(" SMTPUTF8"), needed, "{said}");
        assert!(said.contains(" BODY=8BITMIME"), "{said}");
        for offers in [&["8BITMIME"][..], &["SMTPUTF8"]] {
            let delivery = Delivery::new(&envelope, &content, Transfer::Data, &connected(false, offers));
            let lacks = if offers == ["8BITMIME"] { Extension::SmtpUtf8 } else { Extension::EightBitMime };
            let refused = (needed || lacks == Extension::EightBitMime).then_some(Unsendable::Needs(lacks));
            assert_eq!(delivery.unsendable(), refused, "{from} {to} {offers:?}");
        }
    }
}

/// RFC 2920, 3.1: what may stand inside a group, and what comes last.
#[test]
fn what_may_be_followed_in_a_flight() {
    let offers = ["PIPELINING", "AUTH PLAIN", "ETRN", "STARTTLS"];
    let path = mailbox("a@x.example");
    let mut client = connected(false, &offers);
    let mut output = BytesMut::new();
    client.mail(&path.clone().into(), &Params::default(), &mut output).expect("MAIL");
    client.rcpt(&path.clone().into(), &Params::default(), &mut output).expect("RCPT behind MAIL");
    client.rset(&mut output).expect("RSET behind RCPT");
    client.mail(&path.clone().into(), &Params::default(), &mut output).expect("MAIL behind RSET");
    client.rcpt(&path.into(), &Params::default(), &mut output).expect("RCPT");
    let auth = client.auth(Mechanism::Plain, None, &mut output);
    assert_eq!(auth, Err(NotNow::AwaitingReply), "AUTH is never within a group");
    client.data(&mut output).expect("DATA behind RCPT");
    assert!(!client.can_send());
    assert_eq!(client.rset(&mut output), Err(NotNow::AwaitingReply));

    type Say = fn(&mut Client, &mut BytesMut) -> Result<(), NotNow>;
    let last: [(&str, Say); 9] = [
        ("EHLO", |client, output| client.ehlo(&domain("c.example"), output)),
        ("HELO", |client, output| client.helo(&domain("c.example"), output)),
        ("NOOP", |client, output| client.noop(output)),
        ("QUIT", |client, output| client.quit(output)),
        ("VRFY", |client, output| client.command(&parse("VRFY a"), output)),
        ("EXPN", |client, output| client.command(&parse("EXPN a"), output)),
        ("ETRN", |client, output| client.command(&parse("ETRN a"), output)),
        ("XFOO", |client, output| client.command(&parse("XFOO a"), output)),
        ("STARTTLS", |client, output| client.starttls(output)),
    ];
    for (name, say) in last {
        let mut client = connected(false, &offers);
        client.command(&parse("NOOP"), &mut output).expect(name);
        hear(&mut client, "250 ok\r\n");
        say(&mut client, &mut output).expect(name);
        assert!(!client.can_send(), "{name} comes last");
    }
}

fn parse(line: &'static str) -> Command<'static> {
    Command::parse(line.as_bytes(), smtp_proto::command::Options::default()).expect(line)
}

/// RFC 2920, 3.1, and RFC 5321, 4.1.1.4: a 354 to a message that nobody takes, and a 250 to its dot, deliver nothing.
#[test]
fn a_message_for_nobody_is_not_sent() {
    let envelope = Envelope::parse("a@x.example", ["b@x.example"]).expect("addresses");
    let mut client = connected(false, &["PIPELINING"]);
    let mut delivery = Delivery::new(&envelope, &Content::of(b"secret\r\n"), Transfer::Data, &client);
    let mut output = BytesMut::new();
    let mut input = &b"250 ok\r\n550 no\r\n354 go\r\n"[..];
    let want = delivery.poll(&mut client, NOW, &mut &b""[..], &mut output);
    assert!(matches!(want, Ok(Want::Io(_))), "{want:?}");
    text(&mut output);
    let want = delivery.poll(&mut client, NOW, &mut input, &mut output);
    assert_eq!(text(&mut output), ".\r\n", "{want:?}");
    let want = delivery.poll(&mut client, NOW, &mut &b"250 queued\r\n"[..], &mut output);
    assert_eq!(want, Ok(Want::Done));
    let report = delivery.into_report();
    assert!(matches!(report.outcome(0), Some(Outcome::Replied { stage: Stage::Rcpt, .. })), "{report:?}");
    assert!(!client.needs_reset() && client.can_send());
}

/// RFC 5321, 4.1.1.4: nothing takes a DATA back, so the dot is never sent and the connection is dropped.
#[test]
fn a_source_that_fails_never_ends_the_message() {
    for transfer in [Transfer::Data, Transfer::Chunks] {
        let envelope = Envelope::parse("a@x.example", ["b@x.example"]).expect("addresses");
        let mut client = connected(false, &["PIPELINING", "CHUNKING"]);
        let mut delivery = Delivery::new(&envelope, &Content::of(b"x\r\n"), transfer, &client);
        let mut output = BytesMut::new();
        let _ = delivery.poll(&mut client, NOW, &mut &b""[..], &mut output);
        let replies = if transfer == Transfer::Data {
            "250 ok\r\n250 ok\r\n354 go\r\n"
        } else {
            "250 ok\r\n250 ok\r\n"
        };
        let want = delivery.poll(&mut client, NOW, &mut replies.as_bytes(), &mut output);
        assert_eq!(want, Ok(Want::Body));
        text(&mut output);
        delivery.body(b"part of it\r\n", false, &mut client, &mut output).expect("a piece");
        delivery.abandon(&mut client);
        let said = text(&mut output);
        assert!(!said.contains("\r\n.\r\n") && !said.contains("LAST"), "{said}");
        assert!(client.is_closed() && client.noop(&mut output) == Err(NotNow::Closed));
        assert_eq!(delivery.into_report().outcome(0), Some(Outcome::NotSent(NotSent::Source)));
    }
}

/// 421 on a connection that idles is seen when it is looked at, and ends it.
#[test]
fn a_421_on_an_idle_connection_is_seen() {
    let mut client = connected(false, &["PIPELINING"]);
    let mut input = &b"421 4.3.2 going down\r\n"[..];
    let step = client.poll(NOW, &mut input).expect("no violation");
    let client::Step::Unsolicited(answer) = step else { panic!("{step:?}") };
    assert_eq!((answer.to, answer.reply.code().as_u16()), (Stage::Idle, 421));
    assert!(client.is_closed() && !client.can_send());
}

/// A client that has said MAIL and RCPT, and waits for both answers.
fn with_envelope() -> Client {
    let mut client = connected(false, &["PIPELINING"]);
    let mut output = BytesMut::new();
    client.mail(&mailbox("ann@x.example").into(), &Params::default(), &mut output).expect("a sender");
    client.rcpt(&mailbox("ben@x.example").into(), &Params::default(), &mut output).expect("a recipient");
    client
}

/// Who says 421 to one of several commands answers none of the others.
#[test]
fn a_421_leaves_nothing_owed() {
    let mut client = with_envelope();
    let step = client.poll(NOW, &mut &b"421 4.3.2 going down\r\n"[..]).expect("no violation");
    assert!(matches!(step, client::Step::Event(answer) if answer.to == Stage::Mail));
    assert!(client.is_closed() && !client.is_waiting());
    assert_eq!((client.stage(), client.eof()), (Stage::Idle, Ok(())));
}

/// Half a reply that nobody asked for, while a message is being sent: the rest has as long as a block of the message.
#[test]
fn last_words_amid_a_message_have_the_time_of_a_block() {
    let mut client = with_envelope();
    client.data(&mut BytesMut::new()).expect("a recipient was named");
    let mut input = &b"250 ok\r\n250 ok\r\n354 go\r\n"[..];
    while let client::Step::Event(_) = client.poll(NOW, &mut input).expect("no violation") {}
    assert!(client.in_body() && client.stage() == Stage::Body);
    let mut input = &b"421 4.3.2 go"[..];
    let step = client.poll(NOW, &mut input).expect("no violation");
    assert_eq!(step, client::Step::NeedInput(Some(NOW + client::Config::default().timeouts.block)));
}

/// Bounds on what a server says: 64 KiB a reply, 4096 octets a line; and the waits of RFC 5321, 4.5.3.2.
#[test]
fn the_defaults_are_those_of_the_rfc() {
    let config = client::Config::default();
    let minutes = |n: u64| Duration::from_secs(60 * n);
    let t = config.timeouts;
    assert_eq!(
        [t.greeting, t.command, t.data, t.block, t.end_of_data],
        [minutes(5), minutes(5), minutes(2), minutes(3), minutes(10)]
    );
    assert!(t.quit < minutes(1));
    assert!(config.limits.reply_line >= 512 && config.limits.reply >= config.limits.reply_line);
}
