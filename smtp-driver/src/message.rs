use std::future::{Future, ready};
use std::io;

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
}

impl<T: AsRef<[u8]> + Send> Message for T {
    fn content(&self) -> Content {
        Content::of(self.as_ref())
    }

    fn next(&mut self) -> impl Future<Output = io::Result<Piece<'_>>> + Send {
        ready(Ok(Piece { octets: (*self).as_ref(), last: true }))
    }
}
