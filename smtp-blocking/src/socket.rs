//! A connection: TCP, or a Unix socket.

use std::future::pending;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, ToSocketAddrs};
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use smtp_driver::io::{READ, read_into};
use smtp_driver::{Io, connect_each};
use socket2::SockRef;

use crate::block_on;
use crate::wake::Waits;

/// The room for a read while idle, when it is held for as long as the wait is: a flight of commands fits.
const IDLE_READ: usize = 1024;

/// A socket of std's, a [`TcpStream`] or a [`UnixStream`], and when it was opened.
///
/// Its futures block where others wait, and are ready when they return; but one thing is not: a read while idle that
/// a shutdown has cut.
#[derive(Debug)]
pub struct Socket<S> {
    stream: Arc<S>,
    opened: Instant,
    read_timeout: Option<Duration>,
    write_timeout: Option<Duration>,
    idle: bool,
    /// The listener's, if it came from one: a client has no shutdown to be cut by.
    waits: Option<Arc<Waits<S>>>,
}

impl Socket<TcpStream> {
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
        block_on(connect_each(&addresses, left, connect)).map(Self::from)
    }
}

#[cfg(unix)]
impl Socket<UnixStream> {
    /// Connects to the Unix socket at `path`.
    ///
    /// # Errors
    /// Those of the system.
    pub fn connect_unix(path: impl AsRef<std::path::Path>) -> io::Result<Self> {
        UnixStream::connect(path).map(Self::from)
    }
}

impl<S> Socket<S> {
    /// The socket itself.
    pub fn get_ref(&self) -> &S {
        &self.stream
    }
}

impl<S: Stream> Socket<S> {
    /// One that a listener accepted, whose reads while idle a shutdown cuts.
    pub(crate) fn accepted(stream: S, waits: &Arc<Waits<S>>) -> Self {
        Self { waits: Some(Arc::clone(waits)), ..stream.into() }
    }
}

impl<S: Stream> From<S> for Socket<S> {
    /// Takes a connected socket, and turns Nagle's algorithm off: every write here is a whole flight.
    fn from(stream: S) -> Self {
        // These fail where the peer has hung up already, which the first read tells, and on Unix sockets, which have
        // no such algorithm. One that does not block would have its reads spin.
        let _ = stream.socket().set_tcp_nodelay(true);
        let _ = stream.socket().set_nonblocking(false);
        Self {
            stream: Arc::new(stream),
            opened: Instant::now(),
            read_timeout: UNKNOWN,
            write_timeout: UNKNOWN,
            idle: false,
            waits: None,
        }
    }
}

impl<S: Stream> Io for Socket<S> {
    fn age(&self) -> Duration {
        self.opened.elapsed()
    }

    async fn read(&mut self, buf: &mut BytesMut, until: Option<Duration>) -> io::Result<usize> {
        let (socket, room) = (self.stream.socket(), if self.idle { IDLE_READ } else { READ });
        let mut read = || {
            timed(
                until.map(|until| (self.opened, until)),
                &mut self.read_timeout,
                |timeout| socket.set_read_timeout(timeout),
                || read_into(buf, room, |room| (&*socket).read(room)),
            )
        };
        match &self.waits {
            Some(waits) if self.idle => match waits.read(&self.stream, read) {
                Some(done) => done,
                // As a read for which nothing comes: whoever waits for the shutdown too goes on with that.
                None => pending().await,
            },
            _ => read(),
        }
    }

    async fn write(&mut self, bufs: &[IoSlice<'_>], until: Option<Duration>) -> io::Result<usize> {
        let socket = self.stream.socket();
        timed(
            until.map(|until| (self.opened, until)),
            &mut self.write_timeout,
            |timeout| socket.set_write_timeout(timeout),
            || (&*socket).write_vectored(bufs),
        )
    }

    fn idle(&mut self, idle: bool) {
        self.idle = idle;
    }

    fn peer(&self) -> Option<SocketAddr> {
        self.stream.socket().peer_addr().ok()?.as_socket()
    }

    fn local(&self) -> Option<SocketAddr> {
        self.stream.socket().local_addr().ok()?.as_socket()
    }

    async fn shutdown_write(&mut self) -> io::Result<()> {
        self.stream.socket().shutdown(Shutdown::Write)
    }
}

/// The timeout of a socket that came with one of its own.
const UNKNOWN: Option<Duration> = Some(Duration::MAX);

/// Does `work`, which blocks for at most the timeout that `arm` sets, until it is done or the deadline, an age, is
/// reached. `armed` is the timeout as it stands.
fn timed<T>(
    deadline: Option<(Instant, Duration)>,
    armed: &mut Option<Duration>,
    arm: impl Fn(Option<Duration>) -> io::Result<()>,
    mut work: impl FnMut() -> io::Result<T>,
) -> io::Result<T> {
    let left = || deadline.map(|(opened, until)| until.saturating_sub(opened.elapsed()));
    loop {
        let timeout = timeout(*armed, left());
        if timeout != *armed {
            arm(timeout)?;
            *armed = timeout;
        }
        match work() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if is_timeout(&error) => {
                if left().is_some_and(|left| left.is_zero()) {
                    return Err(ErrorKind::TimedOut.into());
                }
            }
            done => return done,
        }
    }
}

/// Whether a socket's timeout is over. Unix says so by another name, and means by this one that the connection is lost.
fn is_timeout(error: &io::Error) -> bool {
    error.kind() == if cfg!(windows) { ErrorKind::TimedOut } else { ErrorKind::WouldBlock }
}

/// The timeout to set when `left` is left to the deadline and `armed` is set.
///
/// To set it is a system call, so what is set stays while it is neither too long nor much too short, and is set a
/// little short, so that it serves the next command, whose deadline is about as far. One that ends ahead of the
/// deadline is followed by another.
fn timeout(armed: Option<Duration>, left: Option<Duration>) -> Option<Duration> {
    let left = left?;
    if let Some(armed) = armed
        && (left / 2..=left).contains(&armed)
        && !armed.is_zero()
    {
        return Some(armed);
    }
    if left > Duration::from_secs(1) {
        return Some(left - left / 8);
    }
    // Zero would be no timeout at all.
    Some(left.max(Duration::from_millis(1)))
}

/// What socket2 can take for a socket.
pub trait Stream: Send + Sync + 'static {
    /// It, seen as a socket of any kind.
    fn socket(&self) -> SockRef<'_>;
}

impl Stream for TcpStream {
    fn socket(&self) -> SockRef<'_> {
        self.into()
    }
}

#[cfg(unix)]
impl Stream for UnixStream {
    fn socket(&self) -> SockRef<'_> {
        self.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Option<Duration> {
        Some(Duration::from_millis(ms))
    }

    #[test]
    fn a_timeout_is_never_longer_than_what_is_left_nor_set_without_need() {
        assert_eq!(timeout(UNKNOWN, None), None);
        assert_eq!(timeout(None, ms(300_000)), ms(262_500));
        // The next commands have about as long: nothing is set anew.
        assert_eq!(timeout(ms(262_500), ms(299_990)), ms(262_500));
        assert_eq!(timeout(ms(262_500), ms(262_500)), ms(262_500));
        // It would overshoot.
        assert_eq!(timeout(ms(262_500), ms(200)), ms(200));
        // It would wake the thread for nothing too often.
        assert_eq!(timeout(ms(200), ms(300_000)), ms(262_500));
        assert_eq!(timeout(ms(262_500), ms(0)), ms(1));
    }
}
