//! Listening sockets: TCP, or Unix.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

#[cfg(unix)]
use tokio::net::UnixListener;
use tokio::net::{TcpListener, ToSocketAddrs};

use crate::Socket;
use crate::socket::Stream;

/// A listening socket of tokio's, a [`TcpListener`] or a [`UnixListener`], made of either by `from`.
///
/// Its connections are tasks of the runtime that it is used on.
#[derive(Debug)]
pub struct Listener<L>(L);

impl Listener<TcpListener> {
    /// Listens at the first of the addresses that can be bound.
    ///
    /// # Errors
    /// Those of the system.
    pub async fn bind(address: impl ToSocketAddrs) -> io::Result<Self> {
        TcpListener::bind(address).await.map(Self)
    }

    /// Where it listens: tells the port when port 0 was asked for.
    ///
    /// # Errors
    /// Those of the system.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl From<TcpListener> for Listener<TcpListener> {
    fn from(listener: TcpListener) -> Self {
        Self(listener)
    }
}

#[cfg(unix)]
impl From<UnixListener> for Listener<UnixListener> {
    fn from(listener: UnixListener) -> Self {
        Self(listener)
    }
}

impl<L: Accept> smtp_driver::Listener for Listener<L> {
    type Io = Socket<L::Stream>;

    fn accept(&mut self) -> impl Future<Output = io::Result<Self::Io>> + Send {
        self.0.accept()
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        tokio::spawn(task);
    }

    fn sleep(&self, time: Duration) -> impl Future<Output = ()> + Send {
        tokio::time::sleep(time)
    }
}

/// What the two kinds of listening socket have in common.
pub trait Accept: Send + Sync + 'static {
    /// What is accepted.
    type Stream: Stream;
    /// The next connection.
    fn accept(&self) -> impl Future<Output = io::Result<Socket<Self::Stream>>> + Send;
}

impl Accept for TcpListener {
    type Stream = tokio::net::TcpStream;
    async fn accept(&self) -> io::Result<Socket<Self::Stream>> {
        Self::accept(self).await.map(|(stream, _)| stream.into())
    }
}

#[cfg(unix)]
impl Accept for UnixListener {
    type Stream = tokio::net::UnixStream;
    async fn accept(&self) -> io::Result<Socket<Self::Stream>> {
        Self::accept(self).await.map(|(stream, _)| stream.into())
    }
}
