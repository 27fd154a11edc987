//! What the pump asks of a transport and of a runtime: two traits, and what their implementations share.
//!
//! # A runtime of your own
//! Write one [`Io`] and one [`Listener`]; everything above them is there already. Sockets, timers and spawning
//! appear nowhere else.

use std::future::Future;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::time::Duration;

use bytes::BytesMut;

use crate::Shutdown;

/// One connection, with its clock.
///
/// Deadlines are ages of the connection rather than durations, so that a peer that drips octets cannot renew them.
///
/// A blocking transport implements this with futures that block, and are pending only when the shutdown that it was told to
/// [heed](Self::heed) begins, or has begun when they begin to wait.
pub trait Io: Send {
    /// The time since the connection was opened. Never goes back.
    fn age(&self) -> Duration;

    /// Appends what has arrived to `buf`, waiting for at least one octet, and says how many there were.
    ///
    /// `Ok(0)` is the end of the stream and nothing else. Dropping the future loses nothing: an octet is either in
    /// `buf` or still to be read. Room is made in `buf` only once there is something to read, where the transport
    /// can tell, so that an idle connection holds no buffer: see [`make_room`].
    ///
    /// # Errors
    /// [`TimedOut`](io::ErrorKind::TimedOut) when nothing has come by the age `until`; a later read gives what comes
    /// later. Whatever is there already may be given even when `until` has passed.
    fn read(
        &mut self,
        buf: &mut BytesMut,
        until: Option<Duration>,
    ) -> impl Future<Output = io::Result<usize>> + Send;

    /// Writes from `bufs` in one vectored write, and says how many octets were taken: it may be fewer than there are.
    ///
    /// # Errors
    /// [`TimedOut`](io::ErrorKind::TimedOut) when nothing could be written by the age `until`: nothing was then.
    fn write(
        &mut self,
        bufs: &[IoSlice<'_>],
        until: Option<Duration>,
    ) -> impl Future<Output = io::Result<usize>> + Send;

    /// Reads and writes from here on are raced with `shutdown`. For transports that block: one that waits when it begins,
    /// or begins to wait behind that, is pending once, and then goes on. All others have it from the race itself, and do nothing.
    fn heed(&mut self, shutdown: &Shutdown) {
        let _ = shutdown;
    }

    /// The other end's address, where the transport has one.
    fn peer(&self) -> Option<SocketAddr> {
        None
    }

    /// This end's address, where the transport has one.
    fn local(&self) -> Option<SocketAddr> {
        None
    }

    /// Who keeps a record of the conversation, if anybody: it is told what is said as it is without TLS.
    fn record(&mut self) -> Option<&mut dyn Record> {
        None
    }

    /// Tells the peer that nothing more will be written; reading goes on. Does nothing where the transport cannot.
    ///
    /// Closing a socket that has unread input resets the connection, and the peer may lose the last reply. This,
    /// and reading up to the end, is the way to part without that.
    ///
    /// # Errors
    /// Whatever the transport says; the connection is then of no further use.
    fn shutdown_write(&mut self) -> impl Future<Output = io::Result<()>> + Send {
        async { Ok(()) }
    }
}

/// Keeps a record of a conversation in the clear, whatever TLS makes of it. Passwords are said, too, and messages.
pub trait Record: Send {
    /// This end says so, and all of it is to leave together.
    fn said(&mut self, octets: &[u8]);

    /// The other end has said so.
    fn heard(&mut self, octets: &[u8]);
}

/// Where connections come from, and the two things that a server needs of the runtime beneath it.
pub trait Listener: Send {
    /// What is accepted.
    type Io: Io + 'static;

    /// The next connection. Dropping the future loses none.
    ///
    /// # Errors
    /// As the system gives them; [`accept_loop`](crate::accept_loop) tells those that pass from those that stay.
    fn accept(&mut self) -> impl Future<Output = io::Result<Self::Io>> + Send;

    /// As [`Io::heed`]: accepting, and what is accepted, is raced with `shutdown`.
    fn heed(&mut self, shutdown: &Shutdown) {
        let _ = shutdown;
    }

    /// Runs `task` beside the caller. A runtime that cannot drops it.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static);

    /// Waits.
    fn sleep(&self, time: Duration) -> impl Future<Output = ()> + Send;
}

/// The room that a read is given: one TLS record, and about what a socket has ready in one piece.
pub const READ: usize = 16 * 1024;

/// The room for the first read into a buffer without memory: a flight of commands, or a short message. Of many connections that
/// take turns, each then reads into what the last one has just given back, and allocator and cache have it at hand.
pub const FIRST: usize = READ / 4;

/// The room for a read that `buf` has as it is: 0 if there is too little to be worth a system call.
#[must_use]
pub fn room(buf: &BytesMut) -> usize {
    match buf.capacity() - buf.len() {
        0..MIN_READ => 0,
        room => room.min(READ),
    }
}

const MIN_READ: usize = READ / 8;

/// Sees to room for a read in `buf`, and says whether it had to. Call it only when there is something to read.
///
/// A buffer that has no memory gets [`FIRST`] octets, one that has too little [`READ`] more.
pub fn make_room(buf: &mut BytesMut) -> bool {
    let lacking = room(buf) == 0;
    if lacking {
        buf.reserve(if buf.capacity() == 0 { FIRST } else { READ });
    }
    lacking
}

/// Takes back what [`make_room`] made, if it `made` any, when there was nothing to read after all.
pub fn give_back(buf: &mut BytesMut, made: bool) {
    if made && buf.is_empty() {
        *buf = BytesMut::new();
    }
}

/// Appends to `buf` what `read` puts into the slice it is given, of at most `room` octets.
///
/// For sources that read into initialised memory only. The room is zeroed for each read: 16 KiB take a quarter of
/// a microsecond, less than the system call they serve, and unlike a buffer on the stack nothing is copied after.
///
/// # Errors
/// Those of `read`; `buf` is then as it was.
pub fn read_into(
    buf: &mut BytesMut,
    room: usize,
    read: impl FnOnce(&mut [u8]) -> io::Result<usize>,
) -> io::Result<usize> {
    let start = buf.len();
    buf.resize(start + room, 0);
    let result = read(&mut buf[start..]);
    buf.truncate(start + *result.as_ref().unwrap_or(&0));
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_made_only_where_it_lacks_and_given_back_only_where_it_was_made() {
        let mut buf = BytesMut::new();
        assert_eq!(room(&buf), 0);
        assert!(make_room(&mut buf));
        assert_eq!(room(&buf), FIRST);
        assert!(!make_room(&mut buf));
        give_back(&mut buf, false);
        assert_eq!(room(&buf), FIRST, "kept by its owner");
        give_back(&mut buf, true);
        assert_eq!(buf.capacity(), 0);
        buf.extend_from_slice(b"kept");
        let made = make_room(&mut buf);
        assert_eq!((made, room(&buf)), (true, READ));
        give_back(&mut buf, made);
        assert_eq!(buf, "kept");
    }

    #[test]
    fn read_into_appends_what_was_read_and_nothing_on_an_error() {
        let mut buf = BytesMut::from("a");
        let read = read_into(&mut buf, 10, |room| {
            assert_eq!(room, [0; 10]);
            room[..2].copy_from_slice(b"bc");
            Ok(2)
        });
        assert_eq!(read.expect("two"), 2);
        read_into(&mut buf, 10, |room| {
            room.fill(b'x');
            Err(io::ErrorKind::WouldBlock.into())
        })
        .expect_err("that error");
        assert_eq!(read_into(&mut buf, 10, |_| Ok(0)).expect("the end"), 0);
        assert_eq!(buf, "abc");
    }
}
