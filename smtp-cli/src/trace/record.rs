//! What goes over the wire: counted, and for one conversation kept.

use std::future::Future;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use smtp_driver::{Io, Listener, Shutdown};

/// A transport that is watched: any [`Io`], of any runtime, at either end.
#[derive(Debug)]
pub(crate) struct Tap<I> {
    io: I,
    meter: Arc<Meter>,
    tape: Option<(Side, Arc<Tape>)>,
}

/// Who wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}

/// The counts of one end of a connection. They are of the wire: with TLS, of its records, the handshake's among them.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    sent: AtomicU64,
    received: AtomicU64,
    writes: AtomicU64,
    round_trips: AtomicU64,
    /// Something was written since the last read.
    asked: AtomicBool,
}

/// What a [`Meter`] shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Octets written.
    pub(crate) sent: u64,
    /// Octets read.
    pub(crate) received: u64,
    /// Calls that wrote.
    pub(crate) writes: u64,
    /// Reads that got something after a write: how often it was waited for the other end.
    pub(crate) round_trips: u64,
}

impl Meter {
    fn wrote(&self, octets: usize) {
        self.sent.fetch_add(octets as u64, Ordering::Relaxed);
        self.writes.fetch_add(1, Ordering::Relaxed);
        self.asked.store(true, Ordering::Relaxed);
    }

    fn read(&self, octets: usize) {
        self.received.fetch_add(octets as u64, Ordering::Relaxed);
        if octets > 0 && self.asked.swap(false, Ordering::Relaxed) {
            self.round_trips.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn counts(&self) -> Counts {
        Counts {
            sent: self.sent.load(Ordering::Relaxed),
            received: self.received.load(Ordering::Relaxed),
            writes: self.writes.load(Ordering::Relaxed),
            round_trips: self.round_trips.load(Ordering::Relaxed),
        }
    }
}

/// One write: who, when it began, and the octets that the transport took.
#[derive(Clone, Debug)]
pub(crate) struct Write {
    pub(crate) side: Side,
    pub(crate) at: Duration,
    pub(crate) octets: Vec<u8>,
}

/// The writes of both ends of one conversation.
#[derive(Debug)]
pub(crate) struct Tape {
    running: AtomicBool,
    started: Instant,
    writes: Mutex<Vec<Write>>,
}

impl Tape {
    /// Runs until [`stop`](Self::stop): connections that are opened meanwhile are recorded.
    pub(crate) fn start() -> Arc<Self> {
        let (running, started) = (AtomicBool::new(true), Instant::now());
        Arc::new(Self { running, started, writes: Mutex::default() })
    }

    /// What was recorded, in the order in which the writes began: an answer's write begins when what it answers was
    /// read, so that cause stands before effect, whichever end is scheduled first after it.
    pub(crate) fn stop(&self) -> Vec<Write> {
        self.running.store(false, Ordering::SeqCst);
        let mut writes = std::mem::take(&mut *self.writes.lock().unwrap_or_else(PoisonError::into_inner));
        writes.sort_by_key(|write| write.at);
        writes
    }

    fn keep(&self, side: Side, at: Duration, bufs: &[IoSlice<'_>], len: usize) {
        let mut octets = Vec::with_capacity(len);
        for buf in bufs {
            let rest = len - octets.len();
            octets.extend_from_slice(&buf[..buf.len().min(rest)]);
        }
        self.writes.lock().unwrap_or_else(PoisonError::into_inner).push(Write { side, at, octets });
    }
}

impl<I> Tap<I> {
    /// A client's end.
    pub(crate) fn client(io: I, meter: &Arc<Meter>, tape: Option<&Arc<Tape>>) -> Self {
        let tape = tape.map(|tape| (Side::Client, Arc::clone(tape)));
        Self { io, meter: Arc::clone(meter), tape }
    }
}

impl<I: Io> Io for Tap<I> {
    fn age(&self) -> Duration {
        self.io.age()
    }

    async fn read(&mut self, buf: &mut BytesMut, until: Option<Duration>) -> io::Result<usize> {
        let read = self.io.read(buf, until).await?;
        self.meter.read(read);
        Ok(read)
    }

    async fn write(&mut self, bufs: &[IoSlice<'_>], until: Option<Duration>) -> io::Result<usize> {
        let at = self.tape.as_ref().map_or(Duration::ZERO, |(_, tape)| tape.started.elapsed());
        let written = self.io.write(bufs, until).await?;
        self.meter.wrote(written);
        if let Some((side, tape)) = &self.tape {
            tape.keep(*side, at, bufs, written);
        }
        Ok(written)
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

    fn shutdown_write(&mut self) -> impl Future<Output = io::Result<()>> + Send {
        self.io.shutdown_write()
    }
}

/// A listener whose connections are recorded while the tape runs.
#[derive(Debug)]
pub(crate) struct Recorded<L> {
    listener: L,
    tape: Arc<Tape>,
}

impl<L> Recorded<L> {
    pub(crate) fn new(listener: L, tape: &Arc<Tape>) -> Self {
        Self { listener, tape: Arc::clone(tape) }
    }
}

impl<L: Listener> Listener for Recorded<L> {
    type Io = Tap<L::Io>;

    async fn accept(&mut self) -> io::Result<Self::Io> {
        let io = self.listener.accept().await?;
        let running = self.tape.running.load(Ordering::SeqCst);
        let tape = running.then(|| (Side::Server, Arc::clone(&self.tape)));
        Ok(Tap { io, meter: Arc::default(), tape })
    }

    fn heed(&mut self, shutdown: &Shutdown) {
        self.listener.heed(shutdown);
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.listener.spawn(task);
    }

    fn sleep(&self, time: Duration) -> impl Future<Output = ()> + Send {
        self.listener.sleep(time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_trip_is_a_read_that_got_something_after_a_write() {
        let meter = Meter::default();
        meter.read(30); // the greeting: nobody asked for it
        for octets in [10, 20] {
            meter.wrote(octets);
        }
        for octets in [5, 6, 0] {
            meter.read(octets);
        }
        meter.wrote(1);
        meter.read(0); // the end answers nothing
        let counts = Counts { sent: 31, received: 41, writes: 3, round_trips: 1 };
        assert_eq!(meter.counts(), counts);
    }

    #[test]
    fn a_tape_keeps_what_the_transport_took_and_no_more() {
        let tape = Tape::start();
        let (late, early) = (Duration::from_millis(2), Duration::from_millis(1));
        tape.keep(Side::Server, late, &[IoSlice::new(b"250 ok\r\n")], 8);
        tape.keep(Side::Client, early, &[IoSlice::new(b"NOOP"), IoSlice::new(b"\r\nQUIT\r\n")], 6);
        let writes = tape.stop();
        assert_eq!(writes.iter().map(|write| write.side).collect::<Vec<_>>(), [Side::Client, Side::Server]);
        assert_eq!(writes[0].octets, b"NOOP\r\n");
    }
}
