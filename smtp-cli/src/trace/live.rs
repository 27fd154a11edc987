//! Conversations that are printed while they go on.

use std::fmt;
use std::io::{self, IoSlice, Write as _};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use smtp_driver::{Io, Record, Shutdown};

use super::record::Side;
use super::transcript::{CLIENTS_END, Printer};

/// Prints the conversations of a client on standard error, each with its number.
#[derive(Debug, Default)]
pub(crate) struct Trace(AtomicU64);

impl Trace {
    /// Watches one more connection, to this place.
    pub(crate) fn watch<I>(&self, io: I, place: impl fmt::Display) -> Traced<I> {
        let number = self.0.fetch_add(1, Ordering::Relaxed) + 1;
        let mut scribe = Scribe { number, opened: Instant::now(), printer: Printer::new(&CLIENTS_END) };
        scribe.print(|_, _, out| writeln!(out, "    0.00 ms  connected to {place}"));
        Traced { io, scribe: Some(scribe) }
    }
}

/// A transport that may be watched.
#[derive(Debug)]
pub(crate) struct Traced<I> {
    io: I,
    scribe: Option<Scribe>,
}

impl<I> Traced<I> {
    /// One that nobody watches.
    pub(crate) const fn unseen(io: I) -> Self {
        Self { io, scribe: None }
    }
}

#[derive(Debug)]
struct Scribe {
    number: u64,
    opened: Instant,
    printer: Printer,
}

impl Scribe {
    /// In one piece, so that conversations that go on at once don't cut each other short. Whether anybody reads it
    /// changes nothing.
    fn print(&mut self, print: impl FnOnce(&mut Printer, Duration, &mut Vec<u8>) -> io::Result<()>) {
        let mut text = Vec::new();
        if print(&mut self.printer, self.opened.elapsed(), &mut text).is_err() {
            return;
        }
        let mut numbered = String::new();
        for line in String::from_utf8_lossy(&text).lines() {
            numbered.push_str(&format!("#{} {line}\n", self.number));
        }
        let _ = io::stderr().write_all(numbered.as_bytes());
    }
}

impl Record for Scribe {
    fn said(&mut self, octets: &[u8]) {
        self.print(|printer, at, out| printer.print(Side::Client, at, octets, out));
    }

    fn heard(&mut self, octets: &[u8]) {
        self.print(|printer, at, out| printer.print(Side::Server, at, octets, out));
    }
}

impl Drop for Scribe {
    fn drop(&mut self) {
        self.print(|_, at, out| writeln!(out, "{:>8.2} ms  closed", at.as_secs_f64() * 1000.0));
    }
}

impl<I: Io> Io for Traced<I> {
    fn age(&self) -> Duration {
        self.io.age()
    }

    async fn read(&mut self, buf: &mut BytesMut, until: Option<Duration>) -> io::Result<usize> {
        self.io.read(buf, until).await
    }

    async fn write(&mut self, bufs: &[IoSlice<'_>], until: Option<Duration>) -> io::Result<usize> {
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

    fn record(&mut self) -> Option<&mut dyn Record> {
        self.scribe.as_mut().map(|scribe| -> &mut dyn Record { scribe })
    }

    async fn shutdown_write(&mut self) -> io::Result<()> {
        self.io.shutdown_write().await
    }
}
