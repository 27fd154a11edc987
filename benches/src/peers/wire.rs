//! Transports in memory for clients that want one, and what a server is told to do with a message.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};

use io_smtp::coroutine::{SmtpCoroutine, SmtpCoroutineState, SmtpYield};
use lettre::transport::smtp::client::AsyncTokioStream;
use mailin::{Handler, Session, SessionBuilder};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::sessions::Far;

/// A transport to something in memory.
#[derive(Debug)]
pub struct Wire<F>(pub F);

impl<F: Far + Unpin> AsyncRead for Wire<F> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let says = self.0.says();
        if says.is_empty() {
            return Poll::Pending;
        }
        let octets = says.len().min(buf.remaining());
        buf.put_slice(&says[..octets]);
        self.0.heard(octets);
        Poll::Ready(Ok(()))
    }
}

impl<F: Far + Unpin> AsyncWrite for Wire<F> {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        self.0.hear(octets);
        Poll::Ready(Ok(octets.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl<F: Far + Unpin + Send + Sync + std::fmt::Debug> AsyncTokioStream for Wire<F> {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok((Ipv4Addr::LOCALHOST, 25).into())
    }
}

/// Says what it was given, a reply for each read; what it hears is nobody's.
#[derive(Debug)]
pub struct Canned {
    replies: Vec<&'static str>,
    /// Where it begins again.
    from: usize,
    at: usize,
    taken: usize,
}

impl Canned {
    /// `opening`, and then `replies` for ever.
    pub fn new(opening: &[&'static str], replies: &[&'static str]) -> Self {
        Self { replies: [opening, replies].concat(), from: opening.len(), at: 0, taken: 0 }
    }
}

impl Far for Canned {
    fn hear(&mut self, octets: &[u8]) {
        std::hint::black_box(octets);
    }

    fn says(&mut self) -> &[u8] {
        &self.replies[self.at].as_bytes()[self.taken..]
    }

    fn heard(&mut self, octets: usize) {
        self.taken += octets;
        if self.taken == self.replies[self.at].len() {
            self.taken = 0;
            self.at += 1;
            if self.at == self.replies.len() {
                self.at = self.from;
            }
        }
    }
}

/// Keeps one message.
#[derive(Debug, Default)]
pub struct Bin(Vec<u8>);

impl Handler for Bin {
    fn data_start(&mut self, _: &str, _: &str, _: bool, _: &[String]) -> mailin::Response {
        self.0.clear();
        mailin::response::OK
    }

    fn data(&mut self, octets: &[u8]) -> io::Result<()> {
        self.0.extend_from_slice(octets);
        Ok(())
    }
}

/// A session of mailin's that has heard EHLO.
pub fn hello<H: Handler>(handler: H) -> Session<H> {
    let mut session = SessionBuilder::new("mx.example.net").build(IpAddr::V4(Ipv4Addr::LOCALHOST), handler);
    assert!(!session.process(b"EHLO mail.example.org\r\n").is_error);
    session
}

/// Each line by itself, as mailin wants them; its responses are appended.
pub fn process<H: Handler>(session: &mut Session<H>, mut input: &[u8], output: &mut Vec<u8>) {
    while let Some(end) = memchr::memchr(b'\n', input) {
        let (line, rest) = input.split_at(end + 1);
        let response = session.process(line);
        assert!(!response.is_error);
        response.write_to(output).unwrap();
        input = rest;
    }
}

/// One of io-smtp's coroutines, to its end.
pub fn drive<E: std::fmt::Debug>(
    mut coroutine: impl SmtpCoroutine<Yield = SmtpYield, Return = Result<(), E>>,
    far: &mut impl Far,
) {
    let mut state = coroutine.resume(None);
    loop {
        state = match state {
            SmtpCoroutineState::Yielded(SmtpYield::WantsWrite(octets)) => {
                far.hear(&octets);
                coroutine.resume(None)
            }
            SmtpCoroutineState::Yielded(SmtpYield::WantsRead) => {
                let says = far.says();
                let octets = says.len();
                let state = coroutine.resume(Some(says));
                far.heard(octets);
                state
            }
            SmtpCoroutineState::Complete(sent) => return sent.unwrap(),
        }
    }
}
