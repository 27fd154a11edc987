//! Octets between a transport and a link: the only place that reads, writes and shakes hands.

use std::future::Future;
use std::io::{self, IoSlice};
use std::time::Duration;

use bytes::BytesMut;
use smtp_proto::link::{Lent, Link, Outlet};

use crate::Io;
use crate::io::{FIRST, READ};

/// A transport and the buffers on top of it.
#[derive(Debug)]
pub(crate) struct Pump<I> {
    pub(crate) io: I,
    pub(crate) link: Link,
    /// The last read had so much that the next one will have much too.
    streams: bool,
}

/// Why octets don't flow.
#[derive(Debug)]
pub(crate) enum Blocked {
    Io(io::Error),
    Link(smtp_proto::link::Error),
}

impl From<io::Error> for Blocked {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<smtp_proto::link::Error> for Blocked {
    fn from(error: smtp_proto::link::Error) -> Self {
        Self::Link(error)
    }
}

impl Blocked {
    /// The deadline passed, rather than anything going wrong.
    pub(crate) fn is_timeout(&self) -> bool {
        matches!(self, Self::Io(error) if error.kind() == io::ErrorKind::TimedOut)
    }
}

impl<I: Io> Pump<I> {
    pub(crate) const fn new(io: I, link: Link) -> Self {
        Self { io, link, streams: false }
    }

    /// Gives the memory of all empty buffers back, ahead of a wait that may be long.
    pub(crate) fn release(&mut self) {
        self.link.release();
        self.streams = false;
    }

    /// Reads once. 0 is the end: the peer's EOF, or its close_notify.
    pub(crate) async fn read(&mut self, until: Option<Duration>) -> Result<usize, Blocked> {
        if self.link.peer_closed() {
            return Ok(0);
        }
        let known = self.link.input().len();
        let incoming = self.link.incoming();
        if incoming.is_empty() {
            if !self.streams {
                *incoming = BytesMut::new();
            } else if !incoming.try_reclaim(READ) {
                *incoming = BytesMut::with_capacity(READ);
            }
        }
        let n = self.io.read(incoming, until).await?;
        self.streams = n >= FIRST;
        if n == 0 {
            self.link.eof()?;
            return Ok(0);
        }
        let received = self.link.received();
        if let Some(record) = self.io.record() {
            record.heard(self.link.input().get(known..).unwrap_or_default());
        }
        if let Err(error) = received {
            // The alert says why, as far as the peer still listens. Boxed, or every read would be as large as a write too.
            let _ = Box::pin(self.flush(until)).await;
            return Err(error.into());
        }
        Ok(n)
    }

    /// Writes everything that is to be written.
    pub(crate) async fn flush(&mut self, until: Option<Duration>) -> io::Result<()> {
        flush(&mut self.io, &mut self.link.halves().1, until).await
    }

    /// Writes the output, then what is lent, without copying it where nothing is encrypted. Each block of 64 KiB may
    /// take `block` (RFC 5321, 4.5.3.2.5).
    pub(crate) async fn write<'s, S>(&mut self, slices: S, block: Duration) -> io::Result<()>
    where
        S: Iterator<Item = &'s [u8]> + Send,
    {
        let mut lent = Lent::new(slices);
        let (mut left, mut until) = (BLOCK, self.io.age().saturating_add(block));
        loop {
            let mut pieces = [IoSlice::new(&[]); PIECES];
            let mut len = 0;
            for (slot, piece) in pieces.iter_mut().zip(self.link.gather(&mut lent)) {
                *slot = IoSlice::new(piece);
                len += 1;
            }
            if len == 0 {
                // TLS takes no more of it: it failed, or was closed.
                return if lent.is_done() { Ok(()) } else { Err(io::ErrorKind::BrokenPipe.into()) };
            }
            let n = written(self.io.write(&pieces[..len], Some(until)).await?)?;
            self.link.sent_from(n, &mut lent);
            left = left.saturating_sub(n);
            if left == 0 {
                (left, until) = (BLOCK, self.io.age().saturating_add(block));
            }
        }
    }

    /// Shakes hands, if that is still to be done.
    pub(crate) async fn handshake(&mut self, until: Option<Duration>) -> Result<(), Blocked> {
        while self.link.is_handshaking() {
            self.flush(until).await?;
            if self.link.is_handshaking() && self.read(until).await? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
        }
        // The last flight of a handshake is not held back by what its reader's side does next.
        Ok(self.flush(until).await?)
    }

    /// Says goodbye and writes the last octets. Whether they arrive is nobody's concern any more.
    pub(crate) async fn close(&mut self, until: Option<Duration>) {
        let _ = self.flush(until).await;
        self.link.close();
        let _ = self.flush(until).await;
        let _ = self.io.shutdown_write().await;
    }

    /// Reads what the peer still sends, up to a point, and throws it away: a socket that is closed with octets unread
    /// is reset, and the peer may then never see what was written last.
    pub(crate) async fn linger(&mut self, until: Option<Duration>) {
        const ENOUGH: usize = 256 * 1024;
        let (mut scratch, mut read) = (BytesMut::new(), 0);
        while read < ENOUGH {
            scratch.clear();
            match self.io.read(&mut scratch, until).await {
                Ok(n) if n > 0 => read += n,
                _ => return,
            }
        }
    }
}

/// Octets that have to leave within one block's time.
const BLOCK: usize = 64 * 1024;

/// Pieces of one vectored write: what a link gathers at the most.
const PIECES: usize = 40;

/// Writes everything that is to be written, while the link's input may be borrowed.
pub(crate) async fn flush<I: Io>(
    io: &mut I,
    outlet: &mut Outlet<'_>,
    until: Option<Duration>,
) -> io::Result<()> {
    // During a handshake it waits.
    if !outlet.is_handshaking()
        && !outlet.output().is_empty()
        && let Some(record) = io.record()
    {
        record.said(outlet.output());
    }
    loop {
        let outgoing = outlet.outgoing();
        if outgoing.is_empty() {
            return Ok(());
        }
        let n = written(io.write(&[IoSlice::new(outgoing)], until).await?)?;
        outlet.sent(n);
    }
}

fn written(n: usize) -> io::Result<usize> {
    if n == 0 { Err(io::ErrorKind::WriteZero.into()) } else { Ok(n) }
}

/// How long replies may take to leave, whenever that begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WriteBy {
    pub(crate) patience: Duration,
    /// The age by which the conversation is over, once a shutdown was seen.
    pub(crate) leave_by: Option<Duration>,
}

impl WriteBy {
    pub(crate) fn from(self, now: Duration) -> Option<Duration> {
        let until = now.saturating_add(self.patience);
        Some(self.leave_by.map_or(until, |by| until.min(by)))
    }
}

/// Waits for `work`; if it isn't ready at once, what is owed to the peer is written first, since a reply may not be
/// held back by a wait (RFC 2920, 3.2).
pub(crate) async fn attend<T, I: Io>(
    work: impl Future<Output = T> + Send,
    io: &mut I,
    outlet: &mut Outlet<'_>,
    by: WriteBy,
) -> io::Result<T> {
    let mut work = std::pin::pin!(work);
    let first = std::future::poll_fn(|context| std::task::Poll::Ready(work.as_mut().poll(context))).await;
    match first {
        std::task::Poll::Ready(done) => Ok(done),
        std::task::Poll::Pending => {
            flush(io, outlet, by.from(io.age())).await?;
            Ok(work.await)
        }
    }
}
