//! Whole sessions in memory, plain and under TLS: a client over a transport that is our server and no socket. Connected once; each
//! message goes as `smtp-driver` sends it, is read in pieces of 16 KiB, and thrown away.

use std::io::{self, IoSlice};
use std::pin::pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::BytesMut;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig, crypto::ring};
use smtp_driver::client::Connection;
use smtp_driver::io::READ;
use smtp_driver::{Destination, Io};
use smtp_proto::extension::Extension;
use smtp_proto::link::Link;
use smtp_proto::server::Server;
use smtp_proto::session::{Envelope, Report, Transfer};
use smtp_proto::tls::Tls;

use crate::inputs::{FROM, message, recipients};
use crate::machines::{serve, server};
use crate::{Case, OURS, Unit};

/// Messages of one shape, and how they go.
pub struct Shape {
    pub group: &'static str,
    pub tls: bool,
    pub recipients: usize,
    pub octets: usize,
    /// The server offers no PIPELINING: each command waits for its reply.
    lock_step: bool,
    transfer: Transfer,
    /// Messages that go one behind the other, or 0: each waits for its reply.
    in_flight: usize,
}

impl Shape {
    /// Whether it is what every client can do: one message after the other, by DATA.
    pub fn is_common(&self) -> bool {
        self.in_flight == 0 && self.transfer == Transfer::Data
    }
}

const fn shape(group: &'static str, tls: bool, recipients: usize, octets: usize) -> Shape {
    Shape { group, tls, recipients, octets, lock_step: false, transfer: Transfer::Data, in_flight: 0 }
}

/// The groups.
pub const SHAPES: [Shape; 11] = [
    Shape { lock_step: true, ..shape("session, 1 KiB, lock-step", false, 1, 1 << 10) },
    shape("session, 1 KiB", false, 1, 1 << 10),
    Shape { in_flight: 10, ..shape("session, 1 KiB, in flight", false, 1, 1 << 10) },
    shape("session, 1 KiB to 50", false, 50, 1 << 10),
    shape("session, 100 KiB", false, 1, 100 << 10),
    Shape { transfer: Transfer::Chunks, ..shape("session, 100 KiB, BDAT", false, 1, 100 << 10) },
    shape("session, TLS, 1 KiB", true, 1, 1 << 10),
    Shape { in_flight: 10, ..shape("session, TLS, 1 KiB, in flight", true, 1, 1 << 10) },
    shape("session, TLS, 1 KiB to 50", true, 50, 1 << 10),
    shape("session, TLS, 100 KiB", true, 1, 100 << 10),
    Shape { transfer: Transfer::Chunks, ..shape("session, TLS, 100 KiB, BDAT", true, 1, 100 << 10) },
];

/// The cases of this module.
pub fn cases() -> Vec<Case> {
    SHAPES.iter().map(case).collect()
}

fn case(shape: &Shape) -> Case {
    let Shape { group, transfer, in_flight, .. } = *shape;
    let destination = if shape.tls {
        Destination::submissions("localhost", Arc::clone(&TRUST.client))
    } else {
        Destination::plain("localhost", 25)
    };
    let mut connection: Connection<Host> = done(destination.open(Host::new(shape))).unwrap();
    connection.set_transfer(transfer);
    let (to, message) = (recipients(shape.recipients), message(shape.octets));
    let envelope = Envelope::parse(FROM, to.iter().map(String::as_str)).unwrap().into_owned();
    let delivered = |report: Report| assert!(report.all_delivered());
    if in_flight == 0 {
        return Case::new(group, OURS, Unit::Items, 1, move || {
            delivered(done(connection.send(&envelope, &message)).unwrap());
        });
    }
    Case::new(group, OURS, Unit::Items, in_flight, move || {
        let messages = (0..in_flight).map(|_| (&envelope, &message));
        done(connection.send_all(messages, delivered)).unwrap();
    })
}

/// In memory nothing is waited for.
pub fn done<T>(work: impl Future<Output = T>) -> T {
    match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => panic!("it waits, and nobody is there to wake it"),
    }
}

/// What is at the other end.
pub trait Far {
    /// Octets have come.
    fn hear(&mut self, octets: &[u8]);
    /// What it says, until it is told that this was taken.
    fn says(&mut self) -> &[u8];
    /// So much of it was taken.
    fn heard(&mut self, octets: usize);
}

/// Our server.
#[derive(Debug)]
pub struct Host {
    server: Server,
    link: Link,
}

impl Host {
    /// One that was just connected to.
    pub fn new(shape: &Shape) -> Self {
        let mut host = Self { server: server(), link: Link::plain() };
        if shape.lock_step {
            let capabilities = host.server.capabilities_mut();
            *capabilities = std::mem::take(capabilities).without(Extension::Pipelining);
        }
        if shape.tls {
            host.link = Link::tls(Tls::server(Arc::clone(&TRUST.server)).unwrap());
            host.server.tls_established();
        } else {
            host.read(b"");
        }
        host
    }

    fn read(&mut self, octets: &[u8]) {
        self.link.incoming().extend_from_slice(octets);
        self.link.received().unwrap();
        if !self.link.is_handshaking() {
            let (input, output) = self.link.split();
            serve(&mut self.server, input, output);
            self.link.consume(usize::MAX);
        }
    }
}

impl Far for Host {
    fn hear(&mut self, octets: &[u8]) {
        octets.chunks(READ).for_each(|piece| self.read(piece));
    }

    fn says(&mut self) -> &[u8] {
        self.link.outgoing()
    }

    fn heard(&mut self, octets: usize) {
        self.link.sent(octets);
    }
}

impl Io for Host {
    fn age(&self) -> Duration {
        Duration::ZERO
    }

    async fn read(&mut self, buf: &mut BytesMut, _: Option<Duration>) -> io::Result<usize> {
        let says = self.says();
        let octets = says.len();
        buf.extend_from_slice(says);
        self.heard(octets);
        Ok(octets)
    }

    async fn write(&mut self, bufs: &[IoSlice<'_>], _: Option<Duration>) -> io::Result<usize> {
        Ok(bufs.iter().map(|octets| (self.hear(octets), octets.len()).1).sum())
    }
}

/// What both ends of TLS are configured with: a certificate for `localhost` that was made for this run.
pub struct Trust {
    pub client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
}

/// The one of this run.
pub static TRUST: LazyLock<Trust> = LazyLock::new(|| {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let leaf: CertificateDer<'static> = made.cert.der().clone();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(leaf.clone()).unwrap();
    let provider = Arc::new(ring::default_provider());
    let client = ClientConfig::builder_with_provider(Arc::clone(&provider));
    let server = ServerConfig::builder_with_provider(provider);
    Trust {
        client: client
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth()
            .into(),
        server: server
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![leaf], key)
            .unwrap()
            .into(),
    }
});
