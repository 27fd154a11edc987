//! A connection: TCP, or a Unix socket.

use std::io::{self, ErrorKind, IoSlice, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::net::{Shutdown, SocketAddr, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use futures_lite::future::yield_now;
use smtp_driver::io::{make_room, read_into, room};
use smtp_driver::{Io, connect_each};

use crate::block_on;

/// How long a thread stays in the system at a time: what waits beside its socket, a shutdown above all, is looked at
/// that often.
pub(crate) const SLICE: Duration = Duration::from_millis(200);

/// A socket of any kind that blocks, and when it was opened.
///
/// Its futures block for a fifth of a second at the most, and then give way to what they were raced with.
#[derive(Debug)]
pub struct Socket {
    socket: socket2::Socket,
    opened: Instant,
    read_timeout: Duration,
    write_timeout: Duration,
}

impl Socket {
    /// Takes a connected socket, std's or socket2's, and turns Nagle's algorithm off: every write here is a whole flight.
    pub fn new(socket: impl Into<socket2::Socket>) -> Self {
        let socket = socket.into();
        // These fail where the peer has hung up already, which the first read tells, and on Unix sockets, which have
        // no such algorithm. One that does not block would have its reads spin.
        let _ = socket.set_tcp_nodelay(true);
        let _ = socket.set_nonblocking(false);
        // The timeouts that it came with are not known, and zero is none that is ever asked for.
        Self { socket, opened: Instant::now(), read_timeout: Duration::ZERO, write_timeout: Duration::ZERO }
    }

    /// Connects within `time` to the first of the name's addresses that answers.
    ///
    /// The resolver is the system's, and takes its own time.
    ///
    /// # Errors
    /// As [`connect_each`] has them, and those of the resolver.
    pub fn connect(address: impl ToSocketAddrs, time: Duration) -> io::Result<Self> {
        let started = Instant::now();
        let addresses: Vec<_> = address.to_socket_addrs()?.collect();
        let left = time.saturating_sub(started.elapsed());
        let connect = |address, share| async move { TcpStream::connect_timeout(&address, share) };
        block_on(connect_each(&addresses, left, connect)).map(Self::new)
    }

    /// Connects to the Unix socket at `path` within `time`.
    ///
    /// # Errors
    /// Those of the system, and `TimedOut`.
    #[cfg(unix)]
    pub fn connect_unix(path: impl AsRef<std::path::Path>, time: Duration) -> io::Result<Self> {
        let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None)?;
        socket.set_write_timeout(Some(time.max(SHORTEST)))?;
        match socket.connect(&socket2::SockAddr::unix(path)?) {
            Err(error) if is_timeout(&error) => Err(ErrorKind::TimedOut.into()),
            connected => connected.map(|()| Self::new(socket)),
        }
    }

    /// The socket itself.
    #[must_use]
    pub const fn get_ref(&self) -> &socket2::Socket {
        &self.socket
    }
}

impl Io for Socket {
    fn age(&self) -> Duration {
        self.opened.elapsed()
    }

    async fn read(&mut self, buf: &mut BytesMut, until: Option<Duration>) -> io::Result<usize> {
        let Self { socket, opened, read_timeout, .. } = self;
        if until.is_some_and(|until| until <= opened.elapsed()) {
            // No more than a look: the shortest timeout that the system keeps is some milliseconds long.
            socket.set_nonblocking(true)?;
            let looked = look(socket, buf);
            socket.set_nonblocking(false)?;
            return looked;
        }
        let arm = |time| socket.set_read_timeout(Some(time));
        if room(buf) == 0 {
            // Room is made once there is something to read: a connection that idles holds none.
            let look = || socket.peek(&mut [MaybeUninit::uninit()]);
            in_slices(*opened, until, read_timeout, arm, look).await?;
            make_room(buf);
        }
        let room = room(buf);
        in_slices(*opened, until, read_timeout, arm, || read_into(buf, room, |room| (&*socket).read(room)))
            .await
    }

    async fn write(&mut self, bufs: &[IoSlice<'_>], until: Option<Duration>) -> io::Result<usize> {
        let Self { socket, opened, write_timeout, .. } = self;
        let arm = |time| socket.set_write_timeout(Some(time));
        in_slices(*opened, until, write_timeout, arm, || (&*socket).write_vectored(bufs)).await
    }

    fn peer(&self) -> Option<SocketAddr> {
        self.socket.peer_addr().ok()?.as_socket()
    }

    fn local(&self) -> Option<SocketAddr> {
        self.socket.local_addr().ok()?.as_socket()
    }

    async fn shutdown_write(&mut self) -> io::Result<()> {
        self.socket.shutdown(Shutdown::Write)
    }
}

/// Reads what is there from a socket that does not block.
fn look(socket: &socket2::Socket, buf: &mut BytesMut) -> io::Result<usize> {
    let looked = socket.peek(&mut [MaybeUninit::uninit()]).and_then(|_| {
        make_room(buf);
        let room = room(buf);
        read_into(buf, room, |room| (&*socket).read(room))
    });
    let nothing = |error: io::Error| match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::Interrupted => ErrorKind::TimedOut.into(),
        _ => error,
    };
    looked.map_err(nothing)
}

/// Does `work` up to the age `until` of what was opened at `opened`. It blocks for at most the timeout that `arm` sets,
/// and is pending between two slices. `armed` is the timeout as it stands, since to set one is a system call.
async fn in_slices<T>(
    opened: Instant,
    until: Option<Duration>,
    armed: &mut Duration,
    arm: impl Fn(Duration) -> io::Result<()>,
    mut work: impl FnMut() -> io::Result<T>,
) -> io::Result<T> {
    let left = || until.map_or(SLICE, |until| until.saturating_sub(opened.elapsed()));
    loop {
        // Zero would be no timeout at all.
        let slice = left().clamp(SHORTEST, SLICE);
        if slice != *armed {
            arm(slice)?;
            *armed = slice;
        }
        match work() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if is_timeout(&error) && left().is_zero() => return Err(ErrorKind::TimedOut.into()),
            Err(error) if is_timeout(&error) => yield_now().await,
            done => return done,
        }
    }
}

/// The shortest timeout that a socket takes.
const SHORTEST: Duration = Duration::from_millis(1);

/// Whether a socket's timeout is over. Unix says so by another name, and means by this one that the connection is lost.
pub(crate) fn is_timeout(error: &io::Error) -> bool {
    error.kind() == if cfg!(windows) { ErrorKind::TimedOut } else { ErrorKind::WouldBlock }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_is_never_longer_than_what_is_left_nor_set_without_need() {
        let mut set = Vec::new();
        let (opened, mut armed, mut tries) = (Instant::now(), Duration::ZERO, 0);
        for until in [None, Some(Duration::from_secs(300)), Some(Duration::from_millis(50))] {
            let set = std::cell::RefCell::new(&mut set);
            let arm = |time| {
                set.borrow_mut().push(time);
                Ok(())
            };
            block_on(in_slices(opened, until, &mut armed, arm, || {
                tries += 1;
                // Every other one: what is set is kept over a slice that brought nothing.
                if tries % 2 == 0 { Ok(()) } else { Err(ErrorKind::WouldBlock.into()) }
            }))
            .expect("it was done");
        }
        assert_eq!(set[0], SLICE);
        assert!(set[1..].iter().all(|time| *time <= Duration::from_millis(50)), "{set:?}");
        assert!(set.len() > 1, "the near deadline was not set");
    }

    #[test]
    fn a_deadline_that_has_passed_still_looks_once() {
        let (mut armed, mut looks) = (Duration::ZERO, 0);
        let look = || {
            looks += 1;
            Err::<(), _>(ErrorKind::WouldBlock.into())
        };
        let error = block_on(in_slices(Instant::now(), Some(Duration::ZERO), &mut armed, |_| Ok(()), look));
        assert_eq!(error.expect_err("nothing was there").kind(), ErrorKind::TimedOut);
        assert_eq!((looks, armed), (1, SHORTEST));
    }
}
