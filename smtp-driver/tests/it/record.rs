//! A transport that keeps a record hears all that is said, once, as it goes over the wire in the clear.

use std::io::{self, IoSlice};
use std::time::Duration;

use bytes::BytesMut;
use futures_lite::future::block_on;
use smtp_driver::proto::session::Envelope;
use smtp_driver::{Destination, Io, Record};

/// A server that plays its replies, one a read.
#[derive(Debug)]
struct Recorded {
    replies: std::vec::IntoIter<&'static str>,
    written: Vec<u8>,
    tape: Option<Tape>,
}

#[derive(Debug, Default)]
struct Tape {
    said: Vec<u8>,
    heard: Vec<u8>,
}

impl Record for Tape {
    fn said(&mut self, octets: &[u8]) {
        self.said.extend_from_slice(octets);
    }
    fn heard(&mut self, octets: &[u8]) {
        self.heard.extend_from_slice(octets);
    }
}

impl Io for Recorded {
    fn age(&self) -> Duration {
        Duration::ZERO
    }
    async fn read(&mut self, buf: &mut BytesMut, _: Option<Duration>) -> io::Result<usize> {
        let reply = self.replies.next().unwrap_or_default();
        buf.extend_from_slice(reply.as_bytes());
        Ok(reply.len())
    }
    /// Takes so few octets that it has to be asked often.
    async fn write(&mut self, bufs: &[IoSlice<'_>], _: Option<Duration>) -> io::Result<usize> {
        let buf = bufs.iter().find(|buf| !buf.is_empty()).map_or(&[][..], |buf| &buf[..buf.len().min(1000)]);
        self.written.extend_from_slice(buf);
        Ok(buf.len())
    }
    fn record(&mut self) -> Option<&mut dyn Record> {
        self.tape.as_mut().map(|tape| -> &mut dyn Record { tape })
    }
}

const REPLIES: [&str; 6] = [
    "220 mx.example.org\r\n",
    "250-mx.example.org\r\n250 PIPEL",
    "INING\r\n",
    "250 ok\r\n250 ok\r\n354 go on\r\n",
    "250 taken\r\n",
    "221 bye\r\n",
];

fn conversation(tape: Option<Tape>) -> Recorded {
    // Lines that need stuffing, and more of them than is copied where nobody keeps a record.
    let message = "..dots\r\n.\r\nand text\r\n".repeat(10_000);
    let envelope = Envelope::parse("ann@example.org", ["ben@example.net"]).expect("addresses");
    block_on(async {
        let io = Recorded { replies: REPLIES.to_vec().into_iter(), written: Vec::new(), tape };
        let mut connection = Destination::plain("mx.example.org", 25).open(io).await.expect("it opens");
        let report = connection.send(&envelope, &message).await.expect("it is sent");
        assert!(report.all_delivered());
        let io = connection.io();
        Recorded {
            replies: Vec::new().into_iter(),
            written: io.written.clone(),
            tape: io.tape.as_ref().map(|tape| Tape { said: tape.said.clone(), heard: tape.heard.clone() }),
        }
    })
}

#[test]
fn all_that_is_said_is_on_the_record_once_and_the_wire_is_the_same_without_one() {
    let recorded = conversation(Some(Tape::default()));
    let tape = recorded.tape.expect("a tape");
    assert!(
        tape.said == recorded.written,
        "{} octets said, {} written",
        tape.said.len(),
        recorded.written.len()
    );
    assert_eq!(tape.heard, REPLIES[..5].concat().as_bytes());
    assert!(conversation(None).written == recorded.written);
}
