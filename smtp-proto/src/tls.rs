//! TLS as one more stage without I/O: rustls' buffered API, and all that this crate knows of it.
//!
//! A [`Tls`] is made with the application's own configuration — the crypto provider, the roots, the certificate and the
//! name to check are its choice — and given to a [`Link`](crate::link::Link), which runs it.

use alloc::{boxed::Box, sync::Arc};
use core::fmt;
use std::io::{self, BufRead, IoSlice, Write};

use bytes::{Buf, BytesMut};
use rustls::{
    AlertDescription, ClientConfig, ClientConnection, Connection, InvalidMessage, ProtocolVersion,
    ServerConfig, ServerConnection, pki_types::ServerName,
};

use crate::link::{self, End, Lent};

/// The most plaintext that one record carries (RFC 8446, 5.1).
///
/// rustls may hold this much of ours before it is moved on: so each write to it makes one full record, where its own
/// default of 64 KiB would only hold the octets twice.
const RECORD: usize = 16 * 1024;

/// Where sealing stops until the socket has taken some: four records, what a socket's buffer often takes at once.
const SEALED_AHEAD: usize = 4 * RECORD;

/// Why TLS does not stand.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A server sent a reply in the clear where its first record should be.
    #[error("plain text came where TLS should begin: this port does not speak implicit TLS")]
    PlaintextPeer,
    /// A client sent a command in the clear where its first record should be.
    #[error("the client speaks plain text where TLS should begin")]
    PlaintextClient,
    /// The peer's certificate is not trusted, not valid now, or not for this name; or there is none.
    #[error("the peer's certificate is refused")]
    Certificate(#[source] rustls::Error),
    /// The peer sent a fatal alert: it is the one that refuses.
    #[error("the peer broke TLS off with the alert {0:?}")]
    Alert(AlertDescription),
    /// The handshake failed otherwise: nothing in common, or not TLS at all.
    #[error("the TLS handshake failed")]
    Handshake(#[source] rustls::Error),
    /// The peer hung up in the handshake.
    #[error("the connection ended within the TLS handshake")]
    HandshakeCut,
    /// An established connection broke: a record was forged, damaged or out of place.
    #[error("the TLS connection broke")]
    Broken(#[source] rustls::Error),
    /// A message of the peer's handshake passes what rustls keeps of one (64 KiB).
    #[error("a TLS handshake message is too long")]
    TooLong,
    /// The keys may encrypt no more.
    #[error("the TLS connection takes no more data")]
    Exhausted,
    /// The configuration cannot make a connection: the caller's fault, not the peer's.
    #[error("the TLS configuration cannot be used")]
    Config(#[source] rustls::Error),
}

/// One TLS connection before or within a [`Link`](crate::link::Link).
pub struct Tls(Box<Stage>);

/// Boxed, so that a link in the clear carries none of it.
struct Stage {
    connection: Connection,
    net_in: BytesMut,
    net_out: BytesMut,
    /// The first octet that came, which tells plain text.
    first: Option<u8>,
    /// What `receive` answers for ever after.
    failed: Option<Error>,
    /// We have sent `close_notify`.
    closed: bool,
    /// The peer has sent `close_notify`.
    peer_closed: bool,
    /// TLS 1.2 is taken with an extended master secret only, so that its exporter binds.
    require_ems: bool,
}

impl Tls {
    /// The client's side, which checks that the server's certificate is for `name`.
    ///
    /// # Errors
    ///
    /// [`Error::Config`].
    pub fn client(config: Arc<ClientConfig>, name: ServerName<'static>) -> Result<Self, Error> {
        let require_ems = config.require_ems;
        let connection = ClientConnection::new(config, name).map_err(Error::Config)?;
        Ok(Self::new(connection.into(), require_ems))
    }

    /// The server's side.
    ///
    /// # Errors
    ///
    /// [`Error::Config`].
    pub fn server(config: Arc<ServerConfig>) -> Result<Self, Error> {
        let require_ems = config.require_ems;
        let connection = ServerConnection::new(config).map_err(Error::Config)?;
        Ok(Self::new(connection.into(), require_ems))
    }

    fn new(mut connection: Connection, require_ems: bool) -> Self {
        connection.set_buffer_limit(Some(RECORD));
        Self(Box::new(Stage {
            connection,
            net_in: BytesMut::new(),
            net_out: BytesMut::new(),
            first: None,
            failed: None,
            closed: false,
            peer_closed: false,
            require_ems,
        }))
    }

    /// The rustls connection.
    #[must_use]
    pub fn connection(&self) -> &Connection {
        &self.0.connection
    }

    /// The `tls-exporter` channel binding (RFC 9266): equal at both ends, and at no other two.
    ///
    /// `None` before the handshake is done, and on TLS 1.2 unless the configuration has `require_ems`: without an
    /// extended master secret the value does not bind (RFC 9266, 4.2), and rustls does not tell whether there was one.
    #[must_use]
    pub fn exporter(&self) -> Option<[u8; 32]> {
        let stage = &*self.0;
        if stage.connection.is_handshaking() {
            return None;
        }
        if stage.connection.protocol_version() != Some(ProtocolVersion::TLSv1_3) && !stage.require_ems {
            return None;
        }
        stage.connection.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(&[])).ok()
    }

    pub(crate) fn is_handshaking(&self) -> bool {
        self.0.connection.is_handshaking()
    }

    pub(crate) fn peer_closed(&self) -> bool {
        self.0.peer_closed
    }

    pub(crate) fn incoming(&mut self) -> &mut BytesMut {
        &mut self.0.net_in
    }

    pub(crate) fn sealed(&mut self) -> &mut BytesMut {
        &mut self.0.net_out
    }

    /// Decrypts all that came in, and appends the plaintext to `input`.
    pub(crate) fn receive(&mut self, input: &mut BytesMut) -> Result<(), Error> {
        let stage = &mut *self.0;
        if stage.failed.is_none()
            && let Err(error) = stage.decrypt(input)
        {
            stage.failed = Some(error);
        }
        // All of it is with rustls now, or comes behind an end and is nobody's.
        stage.net_in.clear();
        stage.failed.clone().map_or(Ok(()), Err)
    }

    /// Seals the output and then what is lent, and returns what is to be written next.
    pub(crate) fn seal<'s, I>(&mut self, output: &mut BytesMut, lent: &mut Lent<'s, I>) -> &[u8]
    where
        I: Iterator<Item = &'s [u8]>,
    {
        self.0.encrypt(output, lent, SEALED_AHEAD);
        &self.0.net_out
    }

    pub(crate) fn close(&mut self, output: &mut BytesMut) {
        let stage = &mut *self.0;
        if stage.closed {
            return;
        }
        stage.encrypt(output, &mut Lent::new(core::iter::empty()), usize::MAX);
        stage.connection.send_close_notify();
        stage.closed = true;
        stage.collect();
    }

    pub(crate) fn eof(&mut self) -> Result<End, Error> {
        let stage = &mut *self.0;
        if !stage.closed && !stage.peer_closed && stage.failed.is_none() && stage.connection.is_handshaking()
        {
            stage.failed = Some(Error::HandshakeCut);
        }
        match &stage.failed {
            Some(error) => Err(error.clone()),
            None if stage.closed || stage.peer_closed => Ok(End::Clean),
            None => Ok(End::Unannounced),
        }
    }

    pub(crate) fn release(&mut self) {
        link::release(&mut self.0.net_in);
        link::release(&mut self.0.net_out);
    }
}

impl Stage {
    fn decrypt(&mut self, input: &mut BytesMut) -> Result<(), Error> {
        self.first = self.first.or_else(|| self.net_in.first().copied());
        let mut octets = &self.net_in[..];
        // What follows either end is dropped. After ours this also spares rustls a second alert, which it asserts
        // never to send.
        while !octets.is_empty() && !self.peer_closed && !self.closed {
            // Takes about 4 KiB a time, and nothing while its plaintext is not fetched: hence this loop.
            match self.connection.read_tls(&mut octets) {
                Ok(0) => break,
                Ok(_) => {}
                Err(_) => return Err(Error::TooLong),
            }
            let processed = self.connection.process_new_packets();
            let mut reader = self.connection.reader();
            // Also after an error: what was decrypted before it is authentic.
            while let Ok(plaintext) = reader.fill_buf() {
                if plaintext.is_empty() {
                    break;
                }
                input.extend_from_slice(plaintext);
                let n = plaintext.len();
                reader.consume(n);
            }
            match processed {
                Ok(state) => self.peer_closed = state.peer_has_closed(),
                Err(error) => return Err(self.named(error)),
            }
        }
        Ok(())
    }

    /// The error by its kind.
    fn named(&self, error: rustls::Error) -> Error {
        let first = self.first.unwrap_or_default();
        match error {
            rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented => {
                Error::Certificate(error)
            }
            rustls::Error::AlertReceived(alert) => Error::Alert(alert),
            error if !self.connection.is_handshaking() => Error::Broken(error),
            // Only the first octet is looked at, which rustls refuses before there is a second: so the answer is the
            // same however the wire is cut.
            rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => match &self.connection {
                Connection::Client(_) if matches!(first, b'2' | b'4' | b'5') => Error::PlaintextPeer,
                Connection::Server(_) if first.is_ascii_alphabetic() => Error::PlaintextClient,
                _ => Error::Handshake(error),
            },
            error => Error::Handshake(error),
        }
    }

    fn encrypt<'s, I>(&mut self, output: &mut BytesMut, lent: &mut Lent<'s, I>, limit: usize)
    where
        I: Iterator<Item = &'s [u8]>,
    {
        self.collect();
        if self.closed || self.failed.is_some() {
            output.clear();
            return;
        }
        // rustls would take plaintext during the handshake, but only up to its limit. It waits in the output instead.
        while !self.connection.is_handshaking() && self.net_out.len() < limit {
            let batch = lent.fill();
            if output.is_empty() && batch.is_empty() {
                return;
            }
            let mut slices = [IoSlice::new(&[]); link::BATCH + 1];
            let mut used = 0;
            for slice in
                Some(&output[..]).into_iter().filter(|own| !own.is_empty()).chain(batch.iter().copied())
            {
                slices[used] = IoSlice::new(slice);
                used += 1;
            }
            match self.connection.writer().write_vectored(&slices[..used]) {
                Ok(n @ 1..) => {
                    let own = n.min(output.len());
                    output.advance(own);
                    lent.advance(n - own);
                }
                _ => self.failed = Some(Error::Exhausted),
            }
            self.collect();
            if self.failed.is_some() {
                return;
            }
        }
    }

    /// Moves the records that rustls has made to where the socket takes them.
    fn collect(&mut self) {
        while self.connection.wants_write() {
            let Ok(1..) = self.connection.write_tls(&mut Sink(&mut self.net_out)) else { return };
        }
    }
}

/// Appends, and takes all that it is given.
struct Sink<'b>(&'b mut BytesMut);

impl Write for Sink<'_> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(octets);
        Ok(octets.len())
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let before = self.0.len();
        for slice in slices {
            self.0.extend_from_slice(slice);
        }
        Ok(self.0.len() - before)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// State and lengths only.
impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("version", &self.0.connection.protocol_version())
            .field("handshaking", &self.0.connection.is_handshaking())
            .field("net_in", &self.0.net_in.len())
            .field("net_out", &self.0.net_out.len())
            .field("failed", &self.0.failed)
            .field("closed", &self.0.closed)
            .finish_non_exhaustive()
    }
}
