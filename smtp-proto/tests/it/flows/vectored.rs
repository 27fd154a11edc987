//! Bodies that are lent to a vectored write, never copied.

use std::io::IoSlice;

use smtp_proto::client::{self, Client};
use smtp_proto::link::{Lent, Link};
use smtp_proto::param::Params;
use smtp_proto::session::{Content, Delivery, Envelope, Transfer, Want};

use super::{NOW, connected, forward, hear, reverse};

/// A socket that takes a little at a time.
fn write_all<'s>(link: &mut Link, slices: impl Iterator<Item = &'s [u8]>, wire: &mut Vec<u8>) {
    let mut lent = Lent::new(slices);
    loop {
        let pieces: Vec<_> = link.gather(&mut lent).map(IoSlice::new).collect();
        let Some(first) = pieces.first() else { break };
        let n = first.len().min(5);
        wire.extend_from_slice(&first[..n]);
        link.sent_from(n, &mut lent);
    }
    assert!(lent.is_done());
}

const MESSAGE: &[u8] = b"Subject: hi\r\n\r\n.one\r\n..two\r\n";
const STUFFED: &[u8] = b"Subject: hi\r\n\r\n..one\r\n...two\r\n";

#[test]
fn by_the_machine() {
    let mut client = connected(client::Config::default(), &["PIPELINING"]);
    let mut link = Link::plain();
    client.mail(&reverse("me@x.example"), &Params::default(), link.output()).unwrap();
    client.rcpt(&forward("a@x.example"), &Params::default(), link.output()).unwrap();
    client.data(link.output()).unwrap();
    link.sent(usize::MAX);
    hear(&mut client, "250 ok\r\n250 ok\r\n354 go\r\n");

    let mut wire = Vec::new();
    for piece in MESSAGE.chunks(7) {
        let segments = client.segments(piece).unwrap();
        assert!(segments.refused().is_empty());
        write_all(&mut link, segments, &mut wire);
    }
    client.finish(link.output()).unwrap();
    write_all(&mut link, core::iter::empty(), &mut wire);
    assert_eq!(wire, [STUFFED, b".\r\n"].concat());
}

fn deliver(client: &mut Client, transfer: Transfer) -> Vec<u8> {
    let envelope = Envelope::new(reverse("me@x.example"), [forward("a@x.example")]);
    let mut delivery = Delivery::new(&envelope, &Content::of(MESSAGE), transfer, client);
    let mut link = Link::plain();
    delivery.begin(client, link.output()).unwrap();
    link.sent(usize::MAX);
    let replies: &[u8] = match transfer {
        Transfer::Data => b"250 ok\r\n250 ok\r\n354 go\r\n",
        _ => b"250 ok\r\n250 ok\r\n",
    };
    assert_eq!(delivery.poll(client, NOW, &mut &replies[..], link.output()).unwrap(), Want::Body);

    let (first, last) = MESSAGE.split_at(17);
    let mut wire = Vec::new();
    let segments = delivery.segments(first, client, link.output()).unwrap();
    write_all(&mut link, segments, &mut wire);
    delivery.body(last, true, client, link.output()).unwrap();
    write_all(&mut link, core::iter::empty(), &mut wire);
    wire
}

#[test]
fn by_a_delivery() {
    let mut client = connected(client::Config::default(), &["PIPELINING"]);
    assert_eq!(deliver(&mut client, Transfer::Data), [STUFFED, b".\r\n"].concat());

    let mut client = connected(client::Config::default(), &["PIPELINING", "CHUNKING"]);
    let (first, last) = MESSAGE.split_at(17);
    let chunks = [b"BDAT 17\r\n", first, b"BDAT 11 LAST\r\n", last].concat();
    assert_eq!(deliver(&mut client, Transfer::Chunks), chunks);
}
