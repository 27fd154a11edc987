//! A connection: TCP, or a Unix socket.

use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use async_io::{Async, Timer};
use async_net::AsyncToSocketAddrs;
use bytes::BytesMut;
use smtp_driver::io::{give_back, make_room, read_into, room};
use smtp_driver::{Io, connect_each};

/// A socket of the reactor's, a [`TcpStream`] or a [`UnixStream`], and when it was opened.
#[derive(Debug)]
pub struct Socket<S> {
    stream: Async<S>,
    opened: Instant,
}

impl Socket<TcpStream> {
    /// Connects within `time`, the name's resolution included, to the first of its addresses that answers.
    ///
    /// # Errors
    /// As [`connect_each`] has them, and those of the resolver.
    pub async fn connect(address: impl AsyncToSocketAddrs, time: Duration) -> io::Result<Self> {
        let started = Instant::now();
        within(started, Some(time), async {
            let addresses = async_net::resolve(address).await?;
            let left = time.saturating_sub(started.elapsed());
            connect_each(&addresses, left, |address, share| {
                within(Instant::now(), Some(share), Async::<TcpStream>::connect(address))
            })
            .await
        })
        .await
        .map(Self::from)
    }
}

#[cfg(unix)]
impl Socket<UnixStream> {
    /// Connects to the Unix socket at `path` within `time`.
    ///
    /// # Errors
    /// Those of the system, and `TimedOut`.
    pub async fn connect_unix(path: impl AsRef<std::path::Path>, time: Duration) -> io::Result<Self> {
        let connected = Async::<UnixStream>::connect(path);
        within(Instant::now(), Some(time), connected).await.map(Self::from)
    }
}

impl<S> Socket<S> {
    /// The socket itself.
    pub fn get_ref(&self) -> &Async<S> {
        &self.stream
    }
}

impl From<Async<TcpStream>> for Socket<TcpStream> {
    /// Takes a connected socket, and turns Nagle's algorithm off: every write here is a whole flight.
    fn from(stream: Async<TcpStream>) -> Self {
        // Fails where the peer has hung up already: the first read tells.
        let _ = stream.get_ref().set_nodelay(true);
        Self { stream, opened: Instant::now() }
    }
}

#[cfg(unix)]
impl From<Async<UnixStream>> for Socket<UnixStream> {
    fn from(stream: Async<UnixStream>) -> Self {
        Self { stream, opened: Instant::now() }
    }
}

impl<S: Stream> Io for Socket<S>
where
    for<'s> &'s S: Read + Write,
{
    fn age(&self) -> Duration {
        self.opened.elapsed()
    }

    async fn read(&mut self, buf: &mut BytesMut, until: Option<Duration>) -> io::Result<usize> {
        within(self.opened, until, async {
            // What room there is from before serves for a look, which is cheaper than to ask the reactor.
            // So does room for a look that is all there is time for: the reactor would first have to be waited for.
            let late = until.is_some_and(|until| until <= self.opened.elapsed());
            let mut made = late && make_room(buf);
            loop {
                if let room @ 1.. = room(buf) {
                    match read_into(buf, room, |room| self.stream.get_ref().read(room)) {
                        Err(error) if is_passing(&error) => give_back(buf, made),
                        done => return done,
                    }
                }
                // Not `readable()`, which forgets what it has seen when dropped: a read dropped again and again would
                // never find anything.
                poll_fn(|context| self.stream.poll_readable(context)).await?;
                made = make_room(buf);
            }
        })
        .await
    }

    async fn write(&mut self, bufs: &[IoSlice<'_>], until: Option<Duration>) -> io::Result<usize> {
        within(self.opened, until, async {
            loop {
                match self.stream.get_ref().write_vectored(bufs) {
                    Err(error) if is_passing(&error) => {}
                    done => return done,
                }
                poll_fn(|context| self.stream.poll_writable(context)).await?;
            }
        })
        .await
    }

    fn peer(&self) -> Option<SocketAddr> {
        self.stream.get_ref().peer()
    }

    fn local(&self) -> Option<SocketAddr> {
        self.stream.get_ref().local()
    }

    async fn shutdown_write(&mut self) -> io::Result<()> {
        self.stream.get_ref().shutdown_write()
    }
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

/// Does `work` up to the age `until` of what was opened at `opened`.
async fn within<T>(
    opened: Instant,
    until: Option<Duration>,
    work: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    // An age that the clock never reaches is none.
    let Some(deadline) = until.and_then(|until| opened.checked_add(until)) else {
        return work.await;
    };
    let (mut work, mut timer) = (pin!(work), pin!(Timer::at(deadline)));
    // The timer joins the reactor when it is first looked at: only if the work waits.
    poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(done),
        Poll::Pending => timer.as_mut().poll(context).map(|_| Err(ErrorKind::TimedOut.into())),
    })
    .await
}

/// What the two kinds of socket have in common, and std has no trait for.
pub trait Stream: Send + Sync + 'static {
    /// Closes the sending half.
    fn shutdown_write(&self) -> io::Result<()>;
    /// The other end, if it has an internet address.
    fn peer(&self) -> Option<SocketAddr> {
        None
    }
    /// This end, if it has an internet address.
    fn local(&self) -> Option<SocketAddr> {
        None
    }
}

impl Stream for TcpStream {
    fn shutdown_write(&self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
    fn peer(&self) -> Option<SocketAddr> {
        self.peer_addr().ok()
    }
    fn local(&self) -> Option<SocketAddr> {
        self.local_addr().ok()
    }
}

#[cfg(unix)]
impl Stream for UnixStream {
    fn shutdown_write(&self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}
