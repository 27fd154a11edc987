//! What is to be sent, by whom and when: shared by all connections.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustls::RootCertStore;
use smtp_driver::{Message, Piece};
use smtp_tokio::Destination;
use smtp_tokio::proto::client::Config;
use smtp_tokio::proto::extension::{Extension, Extensions};
use smtp_tokio::proto::session::{Content, Envelope, StartTls, Transfer};

use super::args::Load;
use crate::exit::{self, Failure};
use crate::probe::certificate::Recorder;
use crate::send::{Scheme, Server};

/// How many messages where nothing is said.
const MESSAGES: u64 = 1000;

/// What is to be sent.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) destination: Destination,
    pub(super) addresses: Vec<SocketAddr>,
    pub(super) envelope: Envelope<'static>,
    pub(super) transfer: Transfer,
    pub(super) per_connection: u64,
    /// Messages a second.
    pub(super) rate: Option<f64>,
    pub(super) pipelining: bool,
    pub(super) timeout: Duration,
    pub(super) messages: Option<u64>,
    pub(super) time: Option<Duration>,
    bodies: Vec<Body>,
    started: Instant,
    /// The next number.
    number: AtomicU64,
    /// How many there were.
    given: AtomicU64,
}

impl Plan {
    pub(super) fn new(args: &Load) -> Result<Self, Failure> {
        let server =
            Server::parse(&args.server, false).map_err(|error| usage(format!("{}: {error}", args.server)))?;
        if server.socket.is_some() || server.user.is_some() {
            return Err(usage("a server to load has a host and a port, and no user"));
        }
        let addresses = resolve(&server.host, server.port)?;
        if !args.i_run_this_server
            && let Some(away) = addresses.iter().find(|address| !address.ip().is_loopback())
        {
            return Err(usage(format!(
                "{} is not on this machine: --i-run-this-server loads it all the same, if it is yours",
                away.ip()
            )));
        }
        let timeout = Duration::from_secs_f64(args.timeout);
        let pipelining = !args.no_pipelining;
        let (messages, time) = (args.messages, args.time.map(Duration::from_secs_f64));
        Ok(Self {
            destination: destination(args, &server, timeout)?,
            addresses,
            envelope: envelope(args)?,
            transfer: if args.chunking { Transfer::Chunks } else { Transfer::Data },
            per_connection: args.per_connection.unwrap_or(u64::MAX),
            rate: args.rate,
            pipelining,
            timeout,
            messages: if time.is_none() { messages.or(Some(MESSAGES)) } else { messages },
            time,
            bodies: args.size.iter().map(|size| Body::new(size.0, &args.from, &args.to)).collect(),
            started: Instant::now(),
            number: AtomicU64::new(0),
            given: AtomicU64::new(0),
        })
    }

    /// Since when it is carried out.
    pub(super) const fn started(&self) -> Instant {
        self.started
    }

    /// From now on.
    pub(super) fn start(mut self) -> Arc<Self> {
        self.started = Instant::now();
        Arc::new(self)
    }

    /// The number of the next message, unless there is none.
    pub(super) fn next(&self) -> Option<u64> {
        if self.time.is_some_and(|time| self.started.elapsed() >= time) {
            return None;
        }
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let in_time = match (self.due(number), self.time) {
            (Some(due), Some(time)) => due < self.started + time,
            _ => true,
        };
        if !in_time || self.messages.is_some_and(|messages| number >= messages) {
            return None;
        }
        self.given.fetch_add(1, Ordering::Relaxed);
        Some(number)
    }

    /// How many messages somebody was to send.
    pub(super) fn given(&self) -> u64 {
        self.given.load(Ordering::Relaxed)
    }

    /// Whether there are messages left.
    pub(super) fn goes_on(&self) -> bool {
        let number = self.number.load(Ordering::Relaxed);
        self.messages.is_none_or(|messages| number < messages)
            && self.time.is_none_or(|time| self.started.elapsed() < time)
    }

    /// When a message of this number is due.
    pub(super) fn due(&self, number: u64) -> Option<Instant> {
        Some(self.started + Duration::from_secs_f64(number as f64 / self.rate?))
    }

    /// The message of this number.
    pub(super) fn body(&self, number: u64) -> Body {
        let at = usize::try_from(number % self.bodies.len() as u64).unwrap_or_default();
        self.bodies[at].clone()
    }
}

fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, Failure> {
    use std::net::ToSocketAddrs as _;
    let unknown = |error: io::Error| Failure::new(exit::NO_HOST, format!("{host}: {error}"));
    let addresses: Vec<_> = (host, port).to_socket_addrs().map_err(unknown)?.collect();
    if addresses.is_empty() { Err(unknown(io::ErrorKind::NotFound.into())) } else { Ok(addresses) }
}

fn destination(args: &Load, server: &Server, timeout: Duration) -> Result<Destination, Failure> {
    let tls = || Recorder::new(RootCertStore::empty()).config();
    let host = server.host.as_str();
    let destination = match server.scheme {
        Scheme::Smtps => Destination::submissions(host, tls()?),
        _ if args.starttls => Destination::relay(host, tls()?).with_starttls(StartTls::Required),
        _ => Destination::plain(host, server.port),
    };
    let destination = if server.scheme == Scheme::Lmtp { destination.with_lmtp() } else { destination };
    let mut config = Config::default();
    let waits = &mut config.timeouts;
    for wait in
        [&mut waits.greeting, &mut waits.command, &mut waits.data, &mut waits.block, &mut waits.end_of_data]
    {
        *wait = timeout;
    }
    if args.no_pipelining {
        config.unused = Extensions::NONE.with(Extension::Pipelining);
    }
    Ok(destination.with_port(server.port).with_config(config).with_connect_timeout(timeout))
}

fn envelope(args: &Load) -> Result<Envelope<'static>, Failure> {
    let to: Vec<String> = match args.recipients {
        1 => vec![args.to.clone()],
        many => {
            let (local, domain) = args.to.rsplit_once('@').unwrap_or((&args.to, ""));
            (1..=many).map(|n| format!("{local}+{n}@{domain}")).collect()
        }
    };
    let envelope = Envelope::parse(&args.from, to.iter().map(String::as_str));
    envelope.map(Envelope::into_owned).map_err(|error| usage(error.to_string()))
}

fn usage(message: impl Into<String>) -> Failure {
    Failure::new(exit::USAGE, message)
}

/// A message that was looked through once and is sent many times.
#[derive(Clone, Debug)]
pub(super) struct Body {
    octets: Arc<[u8]>,
    content: Content,
}

impl Body {
    /// One of so many octets, header and all; a short one is the header only.
    fn new(size: usize, from: &str, to: &str) -> Self {
        const LINE: &[u8] = b"The quick brown fox jumps over the lazy dog, and over the bench as well.\r\n";
        let mut octets = format!("From: <{from}>\r\nTo: <{to}>\r\nSubject: bench\r\n\r\n").into_bytes();
        while octets.len() + LINE.len() <= size {
            octets.extend_from_slice(LINE);
        }
        if let Some(left @ 2..) = size.checked_sub(octets.len()) {
            octets.resize(octets.len() + left - 2, b'x');
            octets.extend_from_slice(b"\r\n");
        }
        Self { content: Content::of(&octets), octets: octets.into() }
    }

    pub(super) fn len(&self) -> u64 {
        self.octets.len() as u64
    }
}

impl Message for Body {
    fn content(&self) -> Content {
        self.content
    }

    fn next(&mut self) -> impl Future<Output = io::Result<Piece<'_>>> + Send {
        std::future::ready(Ok(Piece { octets: &self.octets, last: true }))
    }

    fn rewind(&mut self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_have_the_size_that_was_asked_for() {
        for size in [100, 101, 200, 1024, 4096, 100_000] {
            let body = Body::new(size, "ann@example.org", "ben@example.net");
            assert!(body.octets.ends_with(b"\r\n"));
            // A line end has two octets, so that one may be short by one.
            assert!((size as u64 - 1..=size as u64).contains(&body.len()), "{size}: {}", body.len());
        }
    }
}
