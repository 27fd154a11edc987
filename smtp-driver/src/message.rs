use std::future::{Future, ready};
use std::io;

use bytes::BytesMut;
use smtp_proto::dot::{Part, Surveyed};
use smtp_proto::session::Content;

/// A piece of a message.
#[derive(Clone, Copy, Debug)]
pub struct Piece<'p> {
    /// Its octets. A piece may be cut anywhere, and may be empty.
    pub octets: &'p [u8],
    /// Whether the message ends with it.
    pub last: bool,
}

/// Where the octets of a message come from, as they are in the message: lines end in CRLF, nothing is stuffed.
///
/// Whatever is a slice of octets is one. A stream is read through a buffer of its own, of bounded size; the adapters
/// have one for their runtime's readers.
pub trait Message: Send {
    /// What the server has to be told of it.
    fn content(&self) -> Content;

    /// The next piece.
    ///
    /// # Errors
    ///
    /// Where the message cannot be read any further: it is not sent, and the connection is given up, since SMTP has no
    /// way to take back what was begun.
    fn next(&mut self) -> impl Future<Output = io::Result<Piece<'_>>> + Send;

    /// Goes back to the start, and says whether it could: the next piece is then the first one again.
    ///
    /// A message is needed more than once where a server takes fewer recipients at a time (RFC 9422, RCPTMAX), and
    /// where a [`Pool`](crate::Pool) tries another connection.
    fn rewind(&mut self) -> bool {
        false
    }

    /// All of it, where it is text that lies in memory. It is then sent from there, and described by what a look through it
    /// finds, which has to be done but once: nothing else of it is asked for.
    fn whole(&self) -> Option<&[u8]> {
        None
    }
}

impl<T: AsRef<[u8]> + Send> Message for T {
    fn content(&self) -> Content {
        Content::of(self.as_ref())
    }

    fn next(&mut self) -> impl Future<Output = io::Result<Piece<'_>>> + Send {
        ready(Ok(Piece { octets: (*self).as_ref(), last: true }))
    }

    fn rewind(&mut self) -> bool {
        true
    }

    fn whole(&self) -> Option<&[u8]> {
        Some(self.as_ref())
    }
}

/// Where the octets come from, once that is known.
#[derive(Debug)]
pub(crate) enum Supply<'m, M> {
    Whole(Surveyed<'m>),
    Pieces(&'m mut M),
}

impl<M: Message> Supply<'_, M> {
    pub(crate) fn content(&self) -> Content {
        match self {
            Self::Whole(message) => Content::surveyed(message.found()),
            Self::Pieces(message) => message.content(),
        }
    }

    /// The next piece, and whether the message ends with it.
    pub(crate) async fn next(&mut self) -> io::Result<(Part<'_>, bool)> {
        match self {
            Self::Whole(message) => Ok((message.part(), true)),
            Self::Pieces(message) => message.next().await.map(|piece| (piece.octets.into(), piece.last)),
        }
    }

    pub(crate) fn rewind(&mut self) -> bool {
        match self {
            Self::Whole(_) => true,
            Self::Pieces(message) => message.rewind(),
        }
    }
}

/// A message that knows whether anything was read of it: until then it can be sent anew, whatever it is.
#[derive(Debug)]
pub(crate) struct Untouched<'m, M> {
    message: &'m mut M,
    touched: bool,
}

impl<'m, M> Untouched<'m, M> {
    pub(crate) const fn new(message: &'m mut M) -> Self {
        Self { message, touched: false }
    }
}

impl<M: Message> Message for Untouched<'_, M> {
    fn content(&self) -> Content {
        self.message.content()
    }

    fn next(&mut self) -> impl Future<Output = io::Result<Piece<'_>>> + Send {
        self.touched = true;
        self.message.next()
    }

    fn rewind(&mut self) -> bool {
        self.touched &= !self.message.rewind();
        !self.touched
    }

    fn whole(&self) -> Option<&[u8]> {
        self.message.whole()
    }
}

/// Octets that are read as they are needed: a runtime's reader, wrapped by its adapter.
pub trait Source: Send {
    /// Appends what can be read at once, waiting for at least one octet. 0 is the end.
    ///
    /// # Errors
    ///
    /// The reader's.
    fn read(&mut self, buffer: &mut BytesMut) -> impl Future<Output = io::Result<usize>> + Send;
}

/// A message that is read as it is sent, through one buffer of 64 KiB whatever its size.
#[derive(Debug)]
pub struct Stream<S> {
    source: S,
    content: Content,
    buffer: BytesMut,
}

impl<S> Stream<S> {
    /// Reads from `source` what `content` describes; [`Content::unknown`] says that it is 8-bit text of any size.
    pub fn new(source: S, content: Content) -> Self {
        Self { source, content, buffer: BytesMut::new() }
    }
}

impl<S: Source> Message for Stream<S> {
    fn content(&self) -> Content {
        self.content
    }

    async fn next(&mut self) -> io::Result<Piece<'_>> {
        self.buffer.clear();
        self.buffer.reserve(64 * 1024);
        let last = self.source.read(&mut self.buffer).await? == 0;
        Ok(Piece { octets: &self.buffer, last })
    }
}
