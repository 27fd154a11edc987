//! A connection: TCP, or a Unix socket.

use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::BytesMut;
use smtp_driver::io::{give_back, make_room};
use smtp_driver::{Io, connect_each};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio::net::{TcpStream, ToSocketAddrs, lookup_host};
use tokio::time::{Instant, Sleep, sleep_until, timeout};

/// A socket of tokio's, a [`TcpStream`] or a [`UnixStream`], and when it was opened.
#[derive(Debug)]
pub struct Socket<S> {
    stream: S,
    opened: Instant,
    timer: Timer,
}

impl Socket<TcpStream> {
    /// Connects within `time`, the name's resolution included, to the first of its addresses that answers.
    ///
    /// # Errors
    /// As [`connect_each`] has them, and those of the resolver.
    pub async fn connect(address: impl ToSocketAddrs, time: Duration) -> io::Result<Self> {
        let started = Instant::now();
        timeout(time, async {
            let addresses: Vec<_> = lookup_host(address).await?.collect();
            let left = time.saturating_sub(started.elapsed());
            connect_each(&addresses, left, |address, share| async move {
                timeout(share, TcpStream::connect(address)).await?
            })
            .await
        })
        .await?
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
        timeout(time, UnixStream::connect(path)).await?.map(Self::from)
    }
}

impl<S> Socket<S> {
    /// The socket itself.
    pub fn get_ref(&self) -> &S {
        &self.stream
    }
}

impl<S: Stream> Io for Socket<S> {
    fn age(&self) -> Duration {
        self.opened.elapsed()
    }

    async fn read(&mut self, buf: &mut BytesMut, until: Option<Duration>) -> io::Result<usize> {
        let stream = &mut self.stream;
        let read = poll_fn(|context| {
            // tokio notes it when a read has emptied the socket, and this then waits for more. Of a new socket it
            // assumes that there is something, and there need not be.
            ready!(stream.poll_read_ready(context))?;
            let made = make_room(buf);
            let polled = pin!(stream.read_buf(buf)).poll(context);
            if polled.is_pending() {
                give_back(buf, made);
            }
            polled
        });
        self.timer.within(self.opened, until, read).await
    }

    async fn write(&mut self, bufs: &[IoSlice<'_>], until: Option<Duration>) -> io::Result<usize> {
        let stream = &mut self.stream;
        match bufs {
            // The system is quicker with one than with a list of one.
            [one] => self.timer.within(self.opened, until, stream.write(one)).await,
            _ => self.timer.within(self.opened, until, stream.write_vectored(bufs)).await,
        }
    }

    fn peer(&self) -> Option<SocketAddr> {
        self.stream.peer()
    }

    fn local(&self) -> Option<SocketAddr> {
        self.stream.local()
    }

    async fn shutdown_write(&mut self) -> io::Result<()> {
        self.stream.shutdown().await
    }
}

/// Wakes at the nearest of the deadlines that were asked for, and only then is set to a later one: to set it for each wait
/// would cost more than most waits, and the system a write where the next one is nearer than the last.
#[derive(Debug, Default)]
struct Timer(Option<Pin<Box<Sleep>>>);

impl Timer {
    /// Does `work` up to the age `until` of what was opened at `opened`.
    async fn within<T>(
        &mut self,
        opened: Instant,
        until: Option<Duration>,
        work: impl Future<Output = io::Result<T>>,
    ) -> io::Result<T> {
        let mut work = pin!(work);
        // An age that the clock never reaches is none.
        let deadline = until.and_then(|until| opened.checked_add(until));
        poll_fn(|context| match (work.as_mut().poll(context), deadline) {
            (Poll::Pending, Some(deadline)) => {
                self.poll(deadline, context).map(|()| Err(io::ErrorKind::TimedOut.into()))
            }
            (polled, _) => polled,
        })
        .await
    }

    /// Ready when `deadline` has passed.
    fn poll(&mut self, deadline: Instant, context: &mut Context<'_>) -> Poll<()> {
        let timer = self.0.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if timer.deadline() > deadline {
            timer.as_mut().reset(deadline);
        }
        loop {
            ready!(timer.as_mut().poll(context));
            if timer.deadline() == deadline {
                return Poll::Ready(());
            }
            timer.as_mut().reset(deadline);
        }
    }
}

/// What the two kinds of socket have in common, and tokio has no trait for.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send + Sync + 'static {
    /// Ready when a read is thought to find something.
    fn poll_read_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<()>>;
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
    fn poll_read_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Self::poll_read_ready(self, context)
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
    fn poll_read_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Self::poll_read_ready(self, context)
    }
}

impl From<TcpStream> for Socket<TcpStream> {
    /// Takes a connected socket, and turns Nagle's algorithm off: every write here is a whole flight.
    fn from(stream: TcpStream) -> Self {
        // Fails where the peer has hung up already: the first read tells.
        let _ = stream.set_nodelay(true);
        Self { stream, opened: Instant::now(), timer: Timer::default() }
    }
}

#[cfg(unix)]
impl From<UnixStream> for Socket<UnixStream> {
    fn from(stream: UnixStream) -> Self {
        Self { stream, opened: Instant::now(), timer: Timer::default() }
    }
}
