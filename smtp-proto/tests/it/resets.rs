//! When RSET stands between two messages.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use smtp_proto::address::Domain;
use smtp_proto::client::{Client, Step};
use smtp_proto::session::{Content, Delivery, Envelope, Transfer, Want};

/// A client that was greeted by a server with PIPELINING and CHUNKING.
fn open() -> Client {
    let mut client = Client::new(Arc::default());
    let mut output = BytesMut::new();
    let mut input: &[u8] = b"220 ready\r\n";
    assert!(matches!(client.poll(Duration::ZERO, &mut input), Ok(Step::Event(_))));
    client.ehlo(&Domain::parse("client.example").expect("a name"), &mut output).expect("its turn");
    let mut input: &[u8] = b"250-server\r\n250-PIPELINING\r\n250 CHUNKING\r\n";
    assert!(matches!(client.poll(Duration::ZERO, &mut input), Ok(Step::Event(_))));
    client
}

#[test]
fn one_rset_follows_a_last_chunk_ahead_of_the_next_envelope() {
    let mut client = open();
    let envelope = Envelope::parse("ann@example.org", ["ben@example.net"]).expect("addresses");
    let message = b"A: b\r\n\r\n";
    let mut output = BytesMut::new();
    let mut first = Delivery::new(&envelope, &Content::of(message), Transfer::Chunks, &client);
    let mut input: &[u8] = b"250 ok\r\n250 ok\r\n";
    first.begin(&mut client, &mut output).expect("its turn");
    assert_eq!(first.poll(&mut client, Duration::ZERO, &mut input, &mut output), Ok(Want::Body));
    first.body(message, true, &mut client, &mut output).expect("it was asked for");

    output.clear();
    let mut second = Delivery::new(&envelope, &Content::of(message), Transfer::Chunks, &client);
    second.begin(&mut client, &mut output).expect("its turn");
    assert_eq!(&output[..], b"RSET\r\nMAIL FROM:<ann@example.org>\r\nRCPT TO:<ben@example.net>\r\n");
}
