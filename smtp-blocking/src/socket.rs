//! A connection: TCP, or a Unix socket.

use std::io::{self, ErrorKind, IoSlice, Read as _, Write as _};
use std::net::{Shutdown as Half, SocketAddr, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use futures_lite::future::yield_now;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use smtp_driver::io::{give_back, make_room, read_into, room};
use smtp_driver::{Io, Shutdown, connect_each};

use crate::block_on;

/// A socket of any kind, and when it was opened.
///
/// Its futures block until they are done. A shutdown that it [heeds](Io::heed) wakes them, within 50 ms at the most, and they
/// then give way to what they were raced with.
#[derive(Debug)]
pub struct Socket {
    socket: socket2::Socket,
    opened: Instant,
    shutdown: Option<Shutdown>,
    /// Whether the last answer came within [`BRIEF`]. The next one then is waited for by the read itself, which is one system call
    /// where `poll` makes it two, but hears of no shutdown.
    brisk: bool,
}

/// How long a read or write waits by itself.
const BRIEF: Duration = Duration::from_millis(50);

impl Socket {
    /// Takes a connected socket, std's or socket2's, and turns Nagle's algorithm off: every write here is a whole flight.
    /// Its timeouts are the connection's from here on.
    pub fn new(socket: impl Into<socket2::Socket>) -> Self {
        let socket = socket.into();
        // These fail where the peer has hung up already, which the first read tells, and on Unix sockets, which have
        // no such algorithm.
        let _ = socket.set_tcp_nodelay(true);
        let waits = cfg!(unix)
            && socket
                .set_read_timeout(Some(BRIEF))
                .and_then(|()| socket.set_write_timeout(Some(BRIEF)))
                .is_ok();
        let _ = socket.set_nonblocking(!waits);
        Self { socket, opened: Instant::now(), shutdown: None, brisk: true }
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
        // Zero would be no timeout at all.
        socket.set_write_timeout(Some(time.max(Duration::from_millis(1))))?;
        match socket.connect(&socket2::SockAddr::unix(path)?) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Err(ErrorKind::TimedOut.into()),
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
        if !self.brisk || self.ends_soon(until) {
            self.wait(PollFlags::IN, until).await?;
        }
        loop {
            // Room is made for when there is something to read: a connection that idles holds none.
            let made = make_room(buf);
            let room = room(buf);
            match read_into(buf, room, |room| (&self.socket).read(room)) {
                Err(error) if passes(&error) => give_back(buf, made),
                done => return done,
            }
            self.wait(PollFlags::IN, until).await?;
        }
    }

    async fn write(&mut self, bufs: &[IoSlice<'_>], until: Option<Duration>) -> io::Result<usize> {
        if self.ends_soon(until) {
            self.wait(PollFlags::OUT, until).await?;
        }
        loop {
            match (&self.socket).write_vectored(bufs) {
                Err(error) if passes(&error) => self.wait(PollFlags::OUT, until).await?,
                done => return done,
            }
        }
    }

    fn heed(&mut self, shutdown: &Shutdown) {
        self.shutdown = Some(shutdown.clone());
    }

    fn peer(&self) -> Option<SocketAddr> {
        self.socket.peer_addr().ok()?.as_socket()
    }

    fn local(&self) -> Option<SocketAddr> {
        self.socket.local_addr().ok()?.as_socket()
    }

    async fn shutdown_write(&mut self) -> io::Result<()> {
        self.socket.shutdown(Half::Write)
    }
}

impl Socket {
    /// Whether it is too late for a wait that ends only by itself.
    fn ends_soon(&self, until: Option<Duration>) -> bool {
        until.is_some_and(|until| until < self.age() + BRIEF)
    }

    async fn wait(&mut self, flags: PollFlags, until: Option<Duration>) -> io::Result<()> {
        let started = self.age();
        let left = || until.map(|until| until.saturating_sub(self.opened.elapsed()));
        let done = ready(&self.socket, flags, self.shutdown.as_ref(), left).await;
        self.brisk = self.age() - started < BRIEF;
        done
    }
}

/// Waits for `socket`, and for as long as is `left`. When `shutdown` begins or has begun it is pending once, so that it is seen by
/// what this is raced with.
pub(crate) async fn ready(
    socket: &socket2::Socket,
    flags: PollFlags,
    mut shutdown: Option<&Shutdown>,
    left: impl Fn() -> Option<Duration>,
) -> io::Result<()> {
    loop {
        // It may have begun since the race looked.
        if shutdown.is_some_and(Shutdown::has_begun) {
            shutdown = None;
            yield_now().await;
        }
        let mut fds = [PollFd::new(socket, flags), PollFd::new(socket, flags)];
        let (mut watched, mut left) = (1, left());
        if let Some(shutdown) = shutdown {
            match descriptor(shutdown) {
                Some(begun) => {
                    fds[1] = PollFd::from_borrowed_fd(begun, PollFlags::IN);
                    watched = 2;
                }
                // Neither it nor a wait for it is to be had: it is looked for now and then.
                None => left = Some(left.map_or(SLICE, |left| left.min(SLICE))),
            }
        }
        // What is longer than the system counts is for ever.
        let time = left.and_then(|left| Timespec::try_from(left).ok());
        match poll(&mut fds[..watched], time.as_ref()) {
            Ok(_) if !fds[0].revents().is_empty() => return Ok(()),
            Ok(0) if left.is_some_and(|left| left.is_zero()) => return Err(ErrorKind::TimedOut.into()),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// How long to wait at a time where a shutdown has no descriptor.
const SLICE: Duration = Duration::from_millis(200);

#[cfg(unix)]
fn descriptor(shutdown: &Shutdown) -> Option<rustix::fd::BorrowedFd<'_>> {
    shutdown.descriptor().ok().map(std::os::fd::AsFd::as_fd)
}

#[cfg(not(unix))]
fn descriptor(_: &Shutdown) -> Option<rustix::fd::BorrowedFd<'_>> {
    None
}

/// Whether to wait and to try again.
pub(crate) fn passes(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
