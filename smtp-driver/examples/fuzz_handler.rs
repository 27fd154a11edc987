//! Fuzzing a handler of one's own: real conversations are cut up and put together anew, the handler serves them without a
//! network, and what it kept is compared with what the clients were told.
//!
//! `session` is the body of a fuzz target as it stands: `fuzz_target!(|octets: &[u8]| session(octets))`.
//!
//! Prints:
//!
//! ```text
//! what was answered 250 was stored, and nothing else
//! ```

use std::error::Error;
use std::io::{self, IoSlice};
use std::path::Path;
use std::time::Duration;

use bytes::BytesMut;
use futures_lite::future::block_on;
use smtp_driver::proto::address::Domain;
use smtp_driver::proto::command::Rcpt;
use smtp_driver::proto::dot::Body;
use smtp_driver::proto::reply::{Framing, Reply};
use smtp_driver::proto::server::Config;
use smtp_driver::proto::status::Code;
use smtp_driver::server::{Connection, Security};
use smtp_driver::{Handler, Io, OK, Shutdown};

/// The handler under test.
#[derive(Default)]
struct Store {
    to: u32,
    octets: Vec<u8>,
    stored: Vec<Vec<u8>>,
}

const STORED: Reply<'static> = Reply::fixed(Code::OK, None, "stored");

impl Handler for Store {
    async fn rcpt(&mut self, _: &Rcpt<'_>) -> Reply<'static> {
        self.to += 1;
        OK
    }
    async fn body(&mut self, body: &Body<'_>) -> Result<(), Reply<'static>> {
        body.append_to(&mut self.octets);
        Ok(())
    }
    async fn message(&mut self) -> Reply<'static> {
        assert!(self.to > 0, "a message for nobody");
        self.stored.push(std::mem::take(&mut self.octets));
        STORED
    }
    fn reset(&mut self) {
        self.to = 0;
        self.octets.clear();
    }
}

/// A client that says all that it has to say at once, and hears everything.
struct Script<'s> {
    said: Option<&'s [u8]>,
    heard: Vec<u8>,
}

impl Io for Script<'_> {
    fn age(&self) -> Duration {
        Duration::ZERO
    }
    async fn read(&mut self, buf: &mut BytesMut, _: Option<Duration>) -> io::Result<usize> {
        let said = self.said.take().unwrap_or_default();
        buf.extend_from_slice(said);
        Ok(said.len())
    }
    async fn write(&mut self, bufs: &[IoSlice<'_>], _: Option<Duration>) -> io::Result<usize> {
        bufs.iter().for_each(|piece| self.heard.extend_from_slice(piece));
        Ok(bufs.iter().map(|piece| piece.len()).sum())
    }
}

/// One conversation; gives the number of messages that were stored.
fn session(octets: &[u8]) -> usize {
    let mut config = Config::new(Domain::parse("mx.example.org").expect("a domain"));
    config.refuse_early_talkers = false;
    let (mut store, io) = (Store::default(), Script { said: Some(octets), heard: Vec::new() });
    let mut connection =
        Connection::new(io, config.shared(), Security::Plain, Shutdown::new()).expect("no TLS to fail");
    // However it ends: most of these clients break the protocol.
    let _ = block_on(connection.serve(&mut store));

    let (mut heard, mut told) = (&connection.io().heard[..], 0);
    while !heard.is_empty() {
        let len = Framing::default().next(heard, 512, 64 * 1024).expect("well-formed").expect("whole");
        let (reply, rest) = heard.split_at(len);
        told += usize::from(Reply::parse(reply).expect("well-formed").text() == "stored");
        heard = rest;
    }
    assert_eq!(
        told,
        store.stored.len(),
        "told and stored differ for {:?}",
        octets.escape_ascii().to_string()
    );
    told
}

/// What the clients say in the transcripts of smtp-proto's tests, line by line.
fn corpus() -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../smtp-proto/tests/transcripts");
    let mut lines = Vec::new();
    for file in std::fs::read_dir(folder)? {
        let text = std::fs::read_to_string(file?.path())?;
        lines.extend(
            text.lines().filter_map(|line| Some(format!("{}\r\n", line.strip_prefix("C: ")?).into_bytes())),
        );
    }
    Ok(lines)
}

fn main() -> Result<(), Box<dyn Error>> {
    let lines = corpus()?;
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = |n: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random % n as u64) as usize
    };
    let (mut sessions, mut stored) = (0, 0);
    while sessions < 2000 {
        let mut octets = b"EHLO client.example.org\r\n".to_vec();
        for _ in 0..below(12) {
            octets.extend_from_slice(&lines[below(lines.len())]);
            match below(8) {
                0 => octets.truncate(octets.len() - below(octets.len())),
                1..4 => octets
                    .extend_from_slice(b"MAIL FROM:<>\r\nRCPT TO:<ben@example.net>\r\nDATA\r\nhi\r\n.\r\n"),
                _ => {}
            }
        }
        stored += session(&octets);
        sessions += 1;
    }
    assert!(stored > 0, "no session came as far as a message");
    eprintln!("{sessions} sessions from {} lines, {stored} messages", lines.len());
    println!("what was answered 250 was stored, and nothing else");
    Ok(())
}
