//! The client's flights (RFC 2920): the end of one message and the envelope of the next in one write.

use bytes::BytesMut;
use smtp_proto::client::{self, Client};
use smtp_proto::error::NotNow;
use smtp_proto::param::Params;
use smtp_proto::stage::Stage;

use super::{connected, forward, hear, reverse, text};

fn envelope(client: &mut Client, output: &mut BytesMut) {
    client.mail(&reverse("me@client.example"), &Params::default(), output).unwrap();
    client.rcpt(&forward("a@x.example"), &Params::default(), output).unwrap();
    client.rcpt(&forward("b@x.example"), &Params::default(), output).unwrap();
    client.data(output).unwrap();
}

/// Each reply is told by what it answers, whatever was refused, and RSET stands where a transaction was left open.
#[test]
fn body_dot_and_the_next_envelope() {
    let mut client = connected(client::Config::default(), &["PIPELINING"]);
    let mut output = BytesMut::new();
    envelope(&mut client, &mut output);
    assert!(!client.can_send(), "DATA is the last of its group");
    hear(&mut client, "250 ok\r\n250 ok\r\n550 no b\r\n354 go\r\n");
    assert_eq!(client.accepted(), 1);
    text(&mut output);

    client.body(b"hi\r\n", &mut output).unwrap();
    client.finish(&mut output).unwrap();
    envelope(&mut client, &mut output);
    assert_eq!(
        text(&mut output),
        "hi\r\n.\r\nMAIL FROM:<me@client.example>\r\nRCPT TO:<a@x.example>\r\nRCPT TO:<b@x.example>\r\nDATA\r\n",
    );
    let heard = hear(&mut client, "250 queued\r\n250 ok\r\n550 no a\r\n550 no b\r\n554 nobody\r\n");
    let stages = [Stage::EndOfData, Stage::Mail, Stage::Rcpt, Stage::Rcpt, Stage::Data];
    assert_eq!(heard, stages.into_iter().zip([250, 250, 550, 550, 554]).collect::<Vec<_>>());

    // The transaction that nobody would have is still open.
    assert!(client.needs_reset());
    let next = client.mail(&reverse("me@client.example"), &Params::default(), &mut output);
    assert_eq!(next, Err(NotNow::TransactionOpen));
    client.rset(&mut output).unwrap();
    envelope(&mut client, &mut output);
    assert!(text(&mut output).starts_with("RSET\r\nMAIL "));
    let heard = hear(&mut client, "250 ok\r\n451 later\r\n503 no\r\n503 no\r\n503 no\r\n");
    assert_eq!(heard[1], (Stage::Mail, 451));
    assert!(!client.needs_reset(), "a refused MAIL opens nothing");
}

/// A 354 to nobody's message: only the dot can follow (RFC 2920, 3.1).
#[test]
fn the_dot_alone() {
    let mut client = connected(client::Config::default(), &["PIPELINING"]);
    let mut output = BytesMut::new();
    envelope(&mut client, &mut output);
    hear(&mut client, "250 ok\r\n550 no a\r\n550 no b\r\n354 go\r\n");
    text(&mut output);
    assert_eq!(client.rset(&mut output), Err(NotNow::InBody));
    client.finish(&mut output).unwrap();
    assert_eq!(text(&mut output), ".\r\n");
    assert_eq!(hear(&mut client, "554 nobody\r\n"), [(Stage::EndOfData, 554)]);
    assert!(!client.needs_reset());
}
