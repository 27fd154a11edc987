//! Listening sockets: TCP, or Unix.

use std::future::{Future, pending};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
#[cfg(unix)]
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use smtp_driver::Shutdown;
use socket2::SockRef;

use crate::socket::Stream;
use crate::wake::Waits;
use crate::{Socket, block_on};

/// A listening socket, a [`TcpListener`] or a [`UnixListener`]. Its connections have a thread each.
#[derive(Debug)]
pub struct Listener<L: Accept> {
    listener: Arc<L>,
    waits: Arc<Waits<L::Stream>>,
}

impl<L: Accept> Listener<L> {
    /// Takes a listening socket, and starts the thread that wakes it and the connections that idle when `shutdown`
    /// begins. `accept_loop` is to be given the same `shutdown`.
    ///
    /// # Errors
    /// When no thread can be had.
    pub fn new(listener: L, shutdown: &Shutdown) -> io::Result<Self> {
        let listener = Arc::new(listener);
        Ok(Self { waits: Waits::start(&listener, shutdown)?, listener })
    }
}

impl Listener<TcpListener> {
    /// Listens at the first of the addresses that can be bound.
    ///
    /// # Errors
    /// Those of the system and of the resolver.
    pub fn bind(address: impl ToSocketAddrs, shutdown: &Shutdown) -> io::Result<Self> {
        Self::new(TcpListener::bind(address)?, shutdown)
    }

    /// Where it listens: tells the port when port 0 was asked for.
    ///
    /// # Errors
    /// Those of the system.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl<L: Accept> smtp_driver::Listener for Listener<L> {
    type Io = Socket<L::Stream>;

    async fn accept(&mut self) -> io::Result<Self::Io> {
        match self.waits.accept(|| self.listener.accept()) {
            Some(accepted) => accepted.map(|stream| Socket::accepted(stream, &self.waits)),
            // As an accept that nobody answers: whoever waits for the shutdown too goes on with that.
            None => pending().await,
        }
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        // The system has no thread to give: the task is dropped, and its connection with it.
        let _ = thread::Builder::new().name("smtp".into()).spawn(|| block_on(task));
    }

    async fn sleep(&self, time: Duration) {
        thread::sleep(time);
    }
}

/// What the two kinds of listening socket have in common.
pub trait Accept: Send + Sync + 'static {
    /// What is accepted.
    type Stream: Stream;
    /// The next connection.
    fn accept(&self) -> io::Result<Self::Stream>;
    /// Makes a connection to this socket, and drops it.
    fn connect_to_itself(&self);
    /// Ends listening, where a system has that.
    fn shut_down(&self);
}

impl Accept for TcpListener {
    type Stream = TcpStream;

    fn accept(&self) -> io::Result<TcpStream> {
        self.accept().map(|(stream, _)| stream)
    }

    fn connect_to_itself(&self) {
        let Ok(mut address) = self.local_addr() else { return };
        if address.ip().is_unspecified() {
            address.set_ip(match address {
                SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
            });
        }
        let _ = TcpStream::connect_timeout(&address, Duration::from_millis(100));
    }

    fn shut_down(&self) {
        let _ = SockRef::from(self).shutdown(std::net::Shutdown::Both);
    }
}

#[cfg(unix)]
impl Accept for UnixListener {
    type Stream = UnixStream;

    fn accept(&self) -> io::Result<UnixStream> {
        self.accept().map(|(stream, _)| stream)
    }

    fn connect_to_itself(&self) {
        let Ok(address) = self.local_addr() else { return };
        let _ = UnixStream::connect_addr(&address);
    }

    fn shut_down(&self) {
        let _ = SockRef::from(self).shutdown(std::net::Shutdown::Both);
    }
}
