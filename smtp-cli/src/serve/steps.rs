//! Where in a conversation the server waits, or cuts it off.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::BytesMut;
use smtp_driver::{Io, Shutdown};

/// A step of the conversation, as the command line names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The connection itself.
    Connect,
    /// EHLO, HELO, LHLO.
    Hello,
    /// MAIL.
    Mail,
    /// RCPT.
    Rcpt,
    /// DATA, or the first BDAT.
    Data,
    /// Each piece of a message as it comes.
    Body,
    /// The end of a message.
    Message,
}

impl FromStr for Step {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "connect" => Self::Connect,
            "hello" => Self::Hello,
            "mail" => Self::Mail,
            "rcpt" => Self::Rcpt,
            "data" => Self::Data,
            "body" => Self::Body,
            "message" => Self::Message,
            _ => return Err(format!("{text:?} is none of connect, hello, mail, rcpt, data, body, message")),
        })
    }
}

/// How long to wait at a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Delay {
    /// Where.
    pub step: Step,
    /// How long.
    pub time: Duration,
}

impl FromStr for Delay {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (step, seconds) = text.split_once('=').ok_or("not of the form STEP=SECONDS")?;
        let time = seconds.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        Ok(Self {
            step: step.parse()?,
            time: time.ok_or_else(|| format!("{seconds:?} is no number of seconds"))?,
        })
    }
}

/// A transport that can be cut off from within: nothing leaves it any more, and nothing comes.
#[derive(Debug)]
pub(super) struct Cuttable<I> {
    io: I,
    cut: Scissors,
}

/// Cuts a connection off.
#[derive(Clone, Debug, Default)]
pub(super) struct Scissors(Arc<AtomicBool>);

impl Scissors {
    pub(super) fn cut(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    pub(super) fn has_cut(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

impl<I> Cuttable<I> {
    pub(super) const fn new(io: I, cut: Scissors) -> Self {
        Self { io, cut }
    }
}

impl<I: Io> Io for Cuttable<I> {
    fn age(&self) -> Duration {
        self.io.age()
    }

    async fn read(&mut self, buf: &mut BytesMut, until: Option<Duration>) -> io::Result<usize> {
        if self.cut.has_cut() { Ok(0) } else { self.io.read(buf, until).await }
    }

    async fn write(&mut self, bufs: &[IoSlice<'_>], until: Option<Duration>) -> io::Result<usize> {
        if self.cut.has_cut() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        self.io.write(bufs, until).await
    }

    fn heed(&mut self, shutdown: &Shutdown) {
        self.io.heed(shutdown);
    }

    fn peer(&self) -> Option<SocketAddr> {
        self.io.peer()
    }

    fn local(&self) -> Option<SocketAddr> {
        self.io.local()
    }

    async fn shutdown_write(&mut self) -> io::Result<()> {
        if self.cut.has_cut() { Ok(()) } else { self.io.shutdown_write().await }
    }
}
