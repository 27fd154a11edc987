//! A message sent, and what became of it for each recipient.

use std::collections::VecDeque;

use bytes::BytesMut;
use smtp_proto::address::Mailbox;
use smtp_proto::client::{self, Client};
use smtp_proto::extension::Extension;
use smtp_proto::param::{BodyType, Notify, Orcpt, Param, Ret, Xtext};
use smtp_proto::session::{
    Content, Delivery, Envelope, NotSent, Outcome, Recipient, Report, Transfer, Unsendable, Want,
};
use smtp_proto::stage::Stage;

use super::{NOW, connected, forward, reverse, text};

const MESSAGE: &[u8] = b"Subject: hi\r\n\r\nhi\r\n";

/// Delivers over a script of what the server says, read by read, and gives back what was written, write by write.
fn deliver(
    client: &mut Client,
    delivery: &mut Delivery<'_>,
    pieces: &[&[u8]],
    replies: &[&str],
) -> Vec<String> {
    let mut replies: VecDeque<&str> = replies.iter().copied().collect();
    let mut pieces: VecDeque<&[u8]> = pieces.iter().copied().collect();
    let (mut input, mut output, mut writes) = (&b""[..], BytesMut::new(), Vec::new());
    loop {
        match delivery.poll(client, NOW, &mut input, &mut output) {
            Ok(Want::Io(_)) => {
                writes.extend(Some(text(&mut output)).filter(|said| !said.is_empty()));
                match replies.pop_front() {
                    Some(reply) => input = reply.as_bytes(),
                    None => delivery.lost(client.stage()),
                }
            }
            Ok(Want::Body) => {
                let piece = pieces.pop_front().unwrap();
                delivery.body(piece, pieces.is_empty(), client, &mut output).unwrap();
                // Whoever can read without waiting does so between two pieces.
                writes.push(text(&mut output));
                if !pieces.is_empty() {
                    input = replies.pop_front().unwrap_or("").as_bytes();
                }
            }
            Ok(Want::Done) | Err(_) => {
                writes.extend(Some(text(&mut output)).filter(|said| !said.is_empty()));
                return writes;
            }
            Ok(want) => panic!("{want:?}"),
        }
    }
}

fn to(names: &[&'static str]) -> Envelope<'static> {
    Envelope::new(reverse("me@x.example"), names.iter().map(|name| forward(name)))
}

fn report(offers: &[&str], replies: &[&str]) -> Report {
    let mut client = connected(client::Config::default(), offers);
    let envelope = to(&["a@x.example", "b@x.example"]);
    let mut delivery = Delivery::new(&envelope, &Content::of(MESSAGE), Transfer::Data, &client);
    deliver(&mut client, &mut delivery, &[MESSAGE], replies);
    delivery.into_report()
}

/// Each recipient has an outcome, in the envelope's order, with the reply that decided it.
#[test]
fn outcomes() {
    let report = report(
        &["PIPELINING"],
        &["250 ok\r\n550 5.1.1 who?\r\n250 ok\r\n354 go\r\n", "250 2.0.0 queued as 17\r\n"],
    );
    assert_eq!((report.len(), report.delivered(), report.all_delivered()), (2, 1, false));
    let outcomes: Vec<_> = report.outcomes().collect();
    let Outcome::Replied { stage: Stage::Rcpt, reply, .. } = &outcomes[0] else { panic!("{outcomes:?}") };
    assert_eq!(reply.to_string(), "550 5.1.1 who?");
    assert!(outcomes[0].is_permanent() && !outcomes[0].is_delivered());
    assert!(outcomes[1].is_delivered());
    let shown: Vec<_> = outcomes.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        ["RCPT was answered 550 5.1.1 who?", "the end of data was answered 250 2.0.0 queued as 17"]
    );
    assert!(format!("{report:?}").contains("queued as 17"));
}

/// After the dot, a lost connection is neither sent nor not sent, even if nobody says `lost`.
#[test]
fn lost_after_the_dot() {
    let envelope_taken = "250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n";
    for last in [None, Some("no reply at all\r\n")] {
        let replies: Vec<_> = [envelope_taken].into_iter().chain(last).collect();
        let report = report(&["PIPELINING"], &replies);
        assert!(report.outcomes().all(|outcome| matches!(outcome, Outcome::Unknown(_))), "{report:?}");
    }
    let mut client = connected(client::Config::default(), &["PIPELINING"]);
    let envelope = to(&["a@x.example"]);
    let mut delivery = Delivery::new(&envelope, &Content::of(MESSAGE), Transfer::Data, &client);
    let mut output = BytesMut::new();
    let want = delivery.poll(&mut client, NOW, &mut &b"250 ok\r\n250 ok\r\n354 go\r\n"[..], &mut output);
    assert_eq!(want, Ok(Want::Body));
    delivery.body(MESSAGE, true, &mut client, &mut output).unwrap();
    assert!(matches!(delivery.into_report().outcome(0), Some(Outcome::Unknown(_))), "given up half way");
}

/// Parameters of the message and of each recipient.
#[test]
fn dsn() {
    let ann = Mailbox::parse("ann@x.example").unwrap();
    let envelope = Envelope::new(
        reverse("me@x.example"),
        [
            Recipient::from(ann.as_borrowed())
                .with(&Param::Notify(Notify::SUCCESS | Notify::FAILURE))
                .unwrap()
                .with(&Param::Orcpt(Orcpt::new(&ann).unwrap()))
                .unwrap(),
            Recipient::from(forward("bob@x.example")).with(&Param::Notify(Notify::NEVER)).unwrap(),
        ],
    )
    .with(&Param::Ret(Ret::Hdrs))
    .unwrap()
    .with(&Param::Envid(Xtext::encode(b"a=17")))
    .unwrap();
    let mut client = connected(client::Config::default(), &["PIPELINING", "DSN", "SIZE"]);
    let mut delivery = Delivery::new(&envelope, &Content::of(MESSAGE), Transfer::Data, &client);
    let writes = deliver(&mut client, &mut delivery, &[MESSAGE], &[]);
    assert_eq!(
        writes,
        ["MAIL FROM:<me@x.example> RET=HDRS ENVID=a+3D17 SIZE=19\r\n\
          RCPT TO:<ann@x.example> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;ann@x.example\r\n\
          RCPT TO:<bob@x.example> NOTIFY=NEVER\r\n\
          DATA\r\n"],
    );
}

/// What this server can't take is known before a word is said.
#[test]
fn unsendable() {
    let check = |envelope: &Envelope<'_>, content: &Content, offers: &[&str], why: Unsendable| {
        let mut client = connected(client::Config::default(), offers);
        let mut delivery = Delivery::new(envelope, content, Transfer::Data, &client);
        assert_eq!(delivery.unsendable(), Some(why));
        assert_eq!(deliver(&mut client, &mut delivery, &[], &[]), [""; 0]);
        let report = delivery.into_report();
        assert!(!report.all_delivered());
        assert!(report.outcomes().all(|outcome| outcome == Outcome::NotSent(NotSent::Unsendable(why))));
        assert!(client.can_send() && !client.needs_reset());
    };
    let plain = Content::of(MESSAGE);
    let too_big = Unsendable::TooBig { size: 19, limit: 10 };
    check(&to(&["a@x.example"]), &plain, &["SIZE 10"], too_big);
    check(&to(&[]), &plain, &[], Unsendable::NoRecipients);
    check(&to(&["jösé@x.example"]), &plain, &["8BITMIME"], Unsendable::Needs(Extension::SmtpUtf8));
    let eight_bit = Content::of("Subject: hi\r\n\r\nhé\r\n".as_bytes());
    check(&to(&["a@x.example"]), &eight_bit, &[], Unsendable::Needs(Extension::EightBitMime));
    let dsn = to(&["a@x.example"]).with(&Param::Ret(Ret::Full)).unwrap();
    check(&dsn, &plain, &["SIZE"], Unsendable::Needs(Extension::Dsn));
}

/// Binary content is declared as such, whatever else is offered.
#[test]
fn binary() {
    let mut client = connected(client::Config::default(), &["PIPELINING", "CHUNKING", "BINARYMIME"]);
    let envelope = to(&["a@x.example"]);
    let mut content = Content::unknown();
    content.body = Some(BodyType::BinaryMime);
    let mut delivery = Delivery::new(&envelope, &content, Transfer::Data, &client);
    let writes = deliver(&mut client, &mut delivery, &[b"\0\n"], &["250 ok\r\n250 ok\r\n", "250 taken\r\n"]);
    assert_eq!(
        writes,
        ["MAIL FROM:<me@x.example> BODY=BINARYMIME\r\nRCPT TO:<a@x.example>\r\n", "BDAT 2 LAST\r\n\0\n"],
    );
    assert!(delivery.into_report().all_delivered());
}

/// The next envelope rides with the end of this message.
#[test]
fn one_behind_the_other() {
    let mut client = connected(client::Config::default(), &["PIPELINING"]);
    let (here, there) = (to(&["a@x.example"]), to(&["b@x.example"]));
    let content = Content::of(MESSAGE);
    let mut first = Delivery::new(&here, &content, Transfer::Data, &client);
    let mut second = Delivery::new(&there, &content, Transfer::Data, &client);
    let mut output = BytesMut::new();
    let mut input = &b"250 ok\r\n250 ok\r\n354 go\r\n"[..];
    assert_eq!(first.poll(&mut client, NOW, &mut input, &mut output), Ok(Want::Body));
    text(&mut output);
    first.body(MESSAGE, true, &mut client, &mut output).unwrap();
    second.begin(&mut client, &mut output).unwrap();
    let flight = "hi\r\n.\r\nMAIL FROM:<me@x.example>\r\nRCPT TO:<b@x.example>\r\nDATA\r\n";
    assert!(text(&mut output).ends_with(flight));

    let mut input = &b"452 full\r\n250 ok\r\n250 ok\r\n354 go\r\n"[..];
    assert_eq!(first.poll(&mut client, NOW, &mut input, &mut output), Ok(Want::Done));
    assert_eq!(second.poll(&mut client, NOW, &mut input, &mut output), Ok(Want::Body));
    second.body(MESSAGE, true, &mut client, &mut output).unwrap();
    let mut input = &b"250 taken\r\n"[..];
    assert_eq!(second.poll(&mut client, NOW, &mut input, &mut output), Ok(Want::Done));
    assert!(!first.into_report().all_delivered() && second.into_report().all_delivered());
}

/// Without PIPELINING each chunk waits for the reply to the one ahead.
#[test]
fn chunk_by_chunk() {
    let mut client = connected(client::Config::default(), &["CHUNKING"]);
    let envelope = to(&["a@x.example"]);
    let mut delivery = Delivery::new(&envelope, &Content::of(MESSAGE), Transfer::Chunks, &client);
    let replies = ["250 ok\r\n", "250 ok\r\n", "", "250 chunk\r\n", "250 taken\r\n"];
    let (one, two) = MESSAGE.split_at(10);
    let writes = deliver(&mut client, &mut delivery, &[one, two], &replies);
    assert_eq!(writes[2..], ["BDAT 10\r\nSubject: h", "BDAT 9 LAST\r\ni\r\n\r\nhi\r\n"]);
    assert!(delivery.into_report().all_delivered());
}

/// Text that goes in chunks has its line ends seen to, as by DATA, wherever it is cut; dots are left alone.
#[test]
fn line_ends_in_chunks() {
    let text = b"one\n.two\rthree\r\n\r";
    for n in 1..text.len() {
        let mut client = connected(client::Config::default(), &["PIPELINING", "CHUNKING"]);
        let envelope = to(&["a@x.example"]);
        let mut delivery = Delivery::new(&envelope, &Content::of(text), Transfer::Chunks, &client);
        let pieces: Vec<&[u8]> = text.chunks(n).collect();
        let writes = deliver(&mut client, &mut delivery, &pieces, &["250 ok\r\n250 ok\r\n"]);
        let chunks: String = writes[1..].concat();
        let (mut rest, mut content) = (&chunks[..], String::new());
        while let Some((command, behind)) = rest.split_once("\r\n") {
            let size: usize = command.split(' ').nth(1).unwrap().parse().unwrap();
            content.push_str(&behind[..size]);
            rest = &behind[size..];
        }
        assert_eq!(content, "one\r\n.two\r\nthree\r\n\r\n", "in pieces of {n}");
    }
}

/// A refused chunk ends the message there and then, and RSET what it left behind.
#[test]
fn a_refused_chunk() {
    let mut client = connected(client::Config::default(), &["PIPELINING", "CHUNKING"]);
    let envelope = to(&["a@x.example"]);
    let mut delivery = Delivery::new(&envelope, &Content::of(MESSAGE), Transfer::Chunks, &client);
    let (one, two) = MESSAGE.split_at(10);
    let writes = deliver(&mut client, &mut delivery, &[one, two], &["250 ok\r\n250 ok\r\n", "452 full\r\n"]);
    assert_eq!(writes.last().map(String::as_str), Some("BDAT 10\r\nSubject: h"));
    assert!(matches!(delivery.into_report().outcome(0), Some(Outcome::Replied { stage: Stage::Chunk, .. })));
    assert!(client.needs_reset() && client.can_send());
}

/// The replies to chunks that were in flight behind the refused one belong to that message, not to the next.
#[test]
fn refused_chunks_in_flight() {
    let mut client = connected(client::Config::default(), &["PIPELINING", "CHUNKING"]);
    let envelope = to(&["a@x.example"]);
    let mut delivery = Delivery::new(&envelope, &Content::of(MESSAGE), Transfer::Chunks, &client);
    let pieces: Vec<&[u8]> = MESSAGE.chunks(5).collect();
    let replies = ["250 ok\r\n250 ok\r\n", "", "", "452 full\r\n", "503 no\r\n", "503 no\r\n"];
    deliver(&mut client, &mut delivery, &pieces, &replies);
    assert!(!client.is_waiting());
    assert!(delivery.into_report().outcome(0).unwrap().to_string().contains("452 full"));

    let mut next = Delivery::new(&envelope, &Content::of(MESSAGE), Transfer::Data, &client);
    let replies = ["250 reset\r\n250 ok\r\n250 ok\r\n354 go\r\n", "250 taken\r\n"];
    let writes = deliver(&mut client, &mut next, &[MESSAGE], &replies);
    assert!(writes[0].starts_with("RSET\r\nMAIL "));
    assert!(next.into_report().all_delivered());
}

/// What a server says in the midst of a message, before it hangs up, is the reason that the report gives.
#[test]
fn last_words() {
    let mut client = connected(client::Config::default(), &["PIPELINING"]);
    let envelope = to(&["a@x.example"]);
    let mut delivery = Delivery::new(&envelope, &Content::of(MESSAGE), Transfer::Data, &client);
    let (one, two) = MESSAGE.split_at(10);
    let replies = ["250 ok\r\n250 ok\r\n354 go\r\n", "421 4.3.2 going down\r\n"];
    deliver(&mut client, &mut delivery, &[one, two], &replies);
    let report = delivery.into_report();
    let Some(Outcome::Replied { reply, .. }) = report.outcome(0) else { panic!("{report:?}") };
    assert_eq!(reply.code().as_u16(), 421);
    assert!(client.is_closed());
}
