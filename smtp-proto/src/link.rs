//! The octets between a socket and a protocol machine, in the clear or through TLS.
//!
//! ```text
//! socket ─▶ incoming ─▶ [TLS] ─▶ input ─▶ protocol ─▶ output ─▶ [TLS] ─▶ outgoing ─▶ socket
//! ```
//!
//! A [`Link`] owns these buffers, and no socket and no clock. Without TLS, `incoming` *is* the input and `outgoing`
//! *is* the output: nothing is copied. With TLS, octets pass through rustls on the way. Whoever drives a link writes
//! the same loop for both:
//!
//! ```
//! use smtp_proto::link::{Error, Link};
//!
//! # struct Socket;
//! # impl Socket {
//! #     fn write(&mut self, octets: &[u8]) -> usize { octets.len() }
//! #     fn read(&mut self, buffer: &mut bytes::BytesMut) -> usize { buffer.extend_from_slice(b"220 hi\r\n"); 8 }
//! # }
//! # fn turn(link: &mut Link, socket: &mut Socket) -> Result<(), Error> {
//! // Before each read: replies and commands, but also handshakes, tickets, key updates.
//! while !link.outgoing().is_empty() {
//!     let sent = socket.write(link.outgoing());
//!     link.sent(sent);
//! }
//! match socket.read(link.incoming()) {
//!     0 => println!("the peer has gone: {:?}", link.eof()?),
//!     _ => link.received()?, // After an error, write what is outgoing once more: the alert.
//! }
//! # Ok(())
//! # }
//! # let mut link = Link::plain();
//! # turn(&mut link, &mut Socket).unwrap();
//! # assert_eq!(link.input(), b"220 hi\r\n");
//! ```
//!
//! # Bounds
//!
//! A link holds no more input than was appended to `incoming`: decrypting does not make octets more. So whoever stops
//! reading while [`input`](Link::input) is longer than a limit has bounded it. `output` is as long as the protocol made
//! it; sealed octets stay below about 80 KiB, however much is lent to [`gather`](Link::gather).

use bytes::{Buf, BytesMut};
use core::fmt;

mod lent;
#[cfg(feature = "rustls")]
pub(crate) use lent::BATCH;
pub use lent::Lent;

#[cfg(feature = "rustls")]
use crate::tls::{self, Tls};
#[cfg(not(feature = "rustls"))]
use without::Tls;

/// The peer broke the layer below the protocol. The connection is lost.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// TLS failed. What is [outgoing](Link::outgoing) now is the alert that tells the peer.
    #[cfg(feature = "rustls")]
    #[error(transparent)]
    Tls(#[from] tls::Error),
}

/// How the peer's octets ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// In a way that nobody on the path can forge, or in the clear, where there is no such way.
    Clean,
    /// Under TLS and without `close_notify`. Usual between transactions, where it means nothing; inside a reply or a
    /// message what came so far may have been cut by anyone on the path.
    Unannounced,
}

/// Why TLS cannot start on this link now. Nothing was changed.
#[cfg(feature = "rustls")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StartTlsError {
    /// The peer sent octets behind its STARTTLS or its 220. Whoever is on the path can have put them there, so the
    /// connection must end (RFC 3207, 4 and CVE-2011-0411's class).
    #[error("{0} octets came in the clear behind STARTTLS")]
    Leftover(usize),
    /// The caller has not yet sent all that was said in the clear: the 220, or the command itself.
    #[error("{0} octets have yet to leave in the clear")]
    Unflushed(usize),
    /// TLS is on already.
    #[error("TLS is on already")]
    AlreadyTls,
}

/// The buffers between one socket and one protocol machine.
///
/// Told by the driver: [`incoming`](Self::incoming) and [`received`](Self::received), [`eof`](Self::eof),
/// [`sent`](Self::sent). Taken by it: [`outgoing`](Self::outgoing) or [`gather`](Self::gather). For the protocol:
/// [`input`](Self::input), [`consume`](Self::consume), [`output`](Self::output), [`split`](Self::split).
pub struct Link {
    input: BytesMut,
    output: BytesMut,
    tls: Option<Tls>,
}

impl Link {
    /// A link in the clear. It can switch to TLS later, by STARTTLS.
    #[must_use]
    pub fn plain() -> Self {
        Self { input: BytesMut::new(), output: BytesMut::new(), tls: None }
    }

    /// A link that speaks TLS from the first octet (RFC 8314, 3). Output waits until the handshake is done.
    #[cfg(feature = "rustls")]
    #[must_use]
    pub fn tls(tls: Tls) -> Self {
        Self { tls: Some(tls), ..Self::plain() }
    }

    /// Where octets from the socket are to be appended. Call [`received`](Self::received) after it.
    pub fn incoming(&mut self) -> &mut BytesMut {
        match &mut self.tls {
            Some(tls) => tls.incoming(),
            None => &mut self.input,
        }
    }

    /// Takes what was appended to `incoming` through TLS into the input. In the clear it is there already.
    ///
    /// # Errors
    ///
    /// The peer's TLS is broken or refused. The same error comes again on each later call. What was rightly decrypted
    /// before is still in the input: a server's last words may stand there.
    pub fn received(&mut self) -> Result<(), Error> {
        match &mut self.tls {
            Some(tls) => Ok(tls.receive(&mut self.input)?),
            None => Ok(()),
        }
    }

    /// Takes notice that the socket has no more octets.
    ///
    /// # Errors
    ///
    /// The end came within the TLS handshake, or TLS had failed before.
    pub fn eof(&mut self) -> Result<End, Error> {
        match &mut self.tls {
            Some(tls) => Ok(tls.eof()?),
            None => Ok(End::Clean),
        }
    }

    /// Whether the peer has announced its end (`close_notify`), so that no read brings more. To be asked after
    /// [`received`](Self::received), as the socket itself may stay open. What comes behind the announcement is dropped.
    #[must_use]
    pub fn peer_closed(&self) -> bool {
        self.tls.as_ref().is_some_and(Tls::peer_closed)
    }

    /// What the protocol is to read.
    #[must_use]
    pub fn input(&self) -> &[u8] {
        &self.input
    }

    /// Removes `n` octets from the start of the input, or all there are.
    pub fn consume(&mut self, n: usize) {
        advance(&mut self.input, n);
    }

    /// Where the protocol appends what it has to say.
    pub fn output(&mut self) -> &mut BytesMut {
        &mut self.output
    }

    /// Input and output at once, so that one can answer while an event still borrows the input.
    pub fn split(&mut self) -> (&[u8], &mut BytesMut) {
        (&self.input, &mut self.output)
    }

    /// As [`split`](Self::split), but with all that it takes to write the output, so that one can flush while an event
    /// still borrows the input.
    pub fn halves(&mut self) -> (&[u8], Outlet<'_>) {
        (&self.input, Outlet { output: &mut self.output, tls: self.tls.as_mut() })
    }

    /// What is to be written to the socket next; empty when all has left. Under TLS this seals the output first, and
    /// has handshake messages, tickets and alerts too.
    ///
    /// Under TLS this is a part when the output is long: ask again after [`sent`](Self::sent). During the handshake
    /// output waits. After an error or [`close`](Self::close) it is dropped, and only the alert leaves.
    pub fn outgoing(&mut self) -> &[u8] {
        self.halves().1.into_outgoing()
    }

    /// `n` octets of what was outgoing have been written.
    pub fn sent(&mut self, n: usize) {
        let own = self.own();
        advance(own, n);
    }

    /// What is to be written next, with the slices of `lent` behind the output: one vectored write.
    ///
    /// In the clear the slices come back as they are, some of them at a time. Under TLS they go into records of up to
    /// 16 KiB without passing through the output, and at most about 64 KiB are sealed ahead of the socket. Either way:
    ///
    /// ```
    /// # use smtp_proto::link::{Lent, Link};
    /// # fn write_vectored(pieces: &[std::io::IoSlice<'_>], wire: &mut Vec<u8>) -> usize {
    /// #     wire.extend_from_slice(&pieces[0][..1]);
    /// #     1
    /// # }
    /// # let (mut link, mut wire) = (Link::plain(), Vec::new());
    /// # let segments = [&b"Subject: hi\r\n\r\n"[..], b".", b"..\r\n"];
    /// link.output().extend_from_slice(b"BDAT 20 LAST\r\n");
    /// let mut lent = Lent::new(segments.into_iter());
    /// loop {
    ///     let pieces: Vec<_> = link.gather(&mut lent).map(std::io::IoSlice::new).collect();
    ///     if pieces.is_empty() {
    ///         break;
    ///     }
    ///     let n = write_vectored(&pieces, &mut wire);
    ///     link.sent_from(n, &mut lent);
    /// }
    /// # assert_eq!(wire, b"BDAT 20 LAST\r\nSubject: hi\r\n\r\n...\r\n");
    /// ```
    ///
    /// When it ends, [`Lent::is_done`] is false only if TLS failed, was closed, or is not yet established.
    pub fn gather<'b, 's: 'b, I>(&'b mut self, lent: &'b mut Lent<'s, I>) -> impl Iterator<Item = &'b [u8]>
    where
        I: Iterator<Item = &'s [u8]>,
    {
        let (own, lent): (&[u8], &[&[u8]]) = match &mut self.tls {
            Some(tls) => (tls.seal(&mut self.output, lent), &[]),
            None => (&self.output, lent.fill()),
        };
        core::iter::once(own).filter(|own| !own.is_empty()).chain(lent.iter().copied())
    }

    /// `n` octets of what [`gather`](Self::gather) gave have been written, those of the link before those of `lent`.
    pub fn sent_from<'s, I: Iterator<Item = &'s [u8]>>(&mut self, n: usize, lent: &mut Lent<'s, I>) {
        let own = self.own();
        let rest = n.saturating_sub(own.len());
        advance(own, n);
        lent.advance(rest);
    }

    /// Whether TLS is still being negotiated: output waits, and there is no input yet.
    #[must_use]
    pub fn is_handshaking(&self) -> bool {
        self.tls.as_ref().is_some_and(Tls::is_handshaking)
    }

    /// Whether octets go through TLS, established or not.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Ends what we have to say: under TLS, `close_notify` leaves behind the output. There is no need to wait for the
    /// peer's. What the peer still sends is dropped unread, so close only when the conversation is over.
    pub fn close(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.close(&mut self.output);
        }
    }

    /// Gives the memory of all empty buffers back. Worth calling before a wait that may be long.
    pub fn release(&mut self) {
        release(&mut self.input);
        release(&mut self.output);
        if let Some(tls) = &mut self.tls {
            tls.release();
        }
    }

    /// What is written to the socket: the buffer that `sent` shortens.
    fn own(&mut self) -> &mut BytesMut {
        match &mut self.tls {
            Some(tls) => tls.sealed(),
            None => &mut self.output,
        }
    }
}

/// The way out of a [`Link`], while its input is borrowed. From [`Link::halves`].
#[derive(Debug)]
pub struct Outlet<'l> {
    output: &'l mut BytesMut,
    tls: Option<&'l mut Tls>,
}

impl<'l> Outlet<'l> {
    fn into_outgoing(self) -> &'l [u8] {
        match self.tls {
            Some(tls) => tls.seal(self.output, &mut Lent::new(core::iter::empty())),
            None => self.output,
        }
    }

    /// Where the protocol appends what it has to say.
    pub const fn output(&mut self) -> &mut BytesMut {
        self.output
    }

    /// As [`Link::is_handshaking`].
    #[must_use]
    pub fn is_handshaking(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.is_handshaking())
    }

    /// As [`Link::outgoing`].
    pub fn outgoing(&mut self) -> &[u8] {
        Outlet { output: self.output, tls: self.tls.as_deref_mut() }.into_outgoing()
    }

    /// As [`Link::sent`].
    pub fn sent(&mut self, n: usize) {
        match &mut self.tls {
            Some(tls) => advance(tls.sealed(), n),
            None => advance(self.output, n),
        }
    }
}

#[cfg(feature = "rustls")]
impl Link {
    /// Goes on in TLS (RFC 3207): to be called when the 220 has left, or has come.
    ///
    /// # Errors
    ///
    /// [`StartTlsError`]. Nothing that was said in the clear can reach the protocol as if it had come through TLS, since
    /// this refuses to start while there is any.
    pub fn start_tls(&mut self, tls: Tls) -> Result<(), StartTlsError> {
        if self.is_tls() {
            return Err(StartTlsError::AlreadyTls);
        }
        if !self.input.is_empty() {
            return Err(StartTlsError::Leftover(self.input.len()));
        }
        if !self.output.is_empty() {
            return Err(StartTlsError::Unflushed(self.output.len()));
        }
        self.tls = Some(tls);
        Ok(())
    }

    /// The rustls connection, for peer certificates, version, cipher suite, ALPN and exported keys.
    #[must_use]
    pub fn tls_connection(&self) -> Option<&rustls::Connection> {
        self.tls.as_ref().map(Tls::connection)
    }

    /// The `tls-exporter` channel binding (RFC 9266); see [`Tls::exporter`].
    #[must_use]
    pub fn tls_exporter(&self) -> Option<[u8; 32]> {
        self.tls.as_ref().and_then(Tls::exporter)
    }
}

/// Lengths only: what passes here may be a password.
impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("input", &self.input.len())
            .field("output", &self.output.len())
            .field("tls", &self.tls)
            .finish()
    }
}

/// Whether a TLS record may start so: the first octets of an alert or of a handshake (RFC 8446, 5.1).
///
/// A client in the clear that finds this where a greeting should be has met a port that speaks implicit TLS.
///
/// ```
/// assert!(smtp_proto::link::looks_like_tls(b"\x15\x03\x01\x00\x02\x02\x46"));
/// assert!(!smtp_proto::link::looks_like_tls(b"220 mx.example.org ESMTP\r\n"));
/// ```
#[must_use]
pub const fn looks_like_tls(octets: &[u8]) -> bool {
    matches!(octets, [0x15 | 0x16, 0x03, 0x00..=0x04, ..])
}

/// Whether these octets are too few to say whether they [look like TLS](looks_like_tls), and may come to.
pub(crate) const fn may_become_tls(octets: &[u8]) -> bool {
    matches!(octets, [0x15 | 0x16] | [0x15 | 0x16, 0x03])
}

/// Removes `n` octets or all there are; `BytesMut::advance` would panic on more.
fn advance(buffer: &mut BytesMut, n: usize) {
    buffer.advance(n.min(buffer.len()));
}

pub(crate) fn release(buffer: &mut BytesMut) {
    if buffer.is_empty() {
        *buffer = BytesMut::new();
    }
}

/// Without the feature no TLS can be made: this type has no value, and the compiler drops every branch that has one.
#[cfg(not(feature = "rustls"))]
mod without {
    use super::{BytesMut, End, Error, Lent};

    #[derive(Debug)]
    pub(super) enum Tls {}

    impl Tls {
        pub(super) fn incoming(&mut self) -> &mut BytesMut {
            match *self {}
        }
        pub(super) fn receive(&mut self, _: &mut BytesMut) -> Result<(), Error> {
            match *self {}
        }
        pub(super) fn eof(&mut self) -> Result<End, Error> {
            match *self {}
        }
        pub(super) fn seal<I>(&mut self, _: &mut BytesMut, _: &mut Lent<'_, I>) -> &[u8] {
            match *self {}
        }
        pub(super) fn sealed(&mut self) -> &mut BytesMut {
            match *self {}
        }
        pub(super) fn peer_closed(&self) -> bool {
            match *self {}
        }
        pub(super) fn is_handshaking(&self) -> bool {
            match *self {}
        }
        pub(super) fn close(&mut self, _: &mut BytesMut) {
            match *self {}
        }
        pub(super) fn release(&mut self) {
            match *self {}
        }
    }
}
