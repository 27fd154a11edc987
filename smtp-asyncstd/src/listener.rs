//! Listening sockets: TCP, or Unix.

use std::future::Future;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener};
#[cfg(unix)]
use std::os::unix::net::UnixListener;
use std::time::Duration;

use async_io::{Async, Timer};
use async_net::AsyncToSocketAddrs;

use crate::Socket;
use crate::socket::Stream;
use crate::spawn::Task;

/// A listening socket of the reactor's, a [`TcpListener`] or a [`UnixListener`], and how its connections are run.
#[derive(Debug)]
pub struct Listener<L, S> {
    listener: Async<L>,
    spawner: S,
}

impl<L, S: Fn(Task) + Send + Sync> Listener<L, S> {
    /// Takes a listening socket. `spawner` runs each connection: see [`spawn`](crate::spawn).
    pub fn new(listener: Async<L>, spawner: S) -> Self {
        Self { listener, spawner }
    }
}

impl<S: Fn(Task) + Send + Sync> Listener<TcpListener, S> {
    /// Listens at the first of the addresses that can be bound.
    ///
    /// # Errors
    /// Those of the system and of the resolver.
    pub async fn bind(address: impl AsyncToSocketAddrs, spawner: S) -> io::Result<Self> {
        let mut result = Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
        for address in async_net::resolve(address).await? {
            result = Async::<TcpListener>::bind(address);
            if result.is_ok() {
                break;
            }
        }
        result.map(|listener| Self::new(listener, spawner))
    }

    /// Where it listens: tells the port when port 0 was asked for.
    ///
    /// # Errors
    /// Those of the system.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.get_ref().local_addr()
    }
}

impl<L, S> smtp_driver::Listener for Listener<L, S>
where
    L: Accept,
    S: Fn(Task) + Send + Sync,
    for<'s> &'s L::Stream: Read + Write,
{
    type Io = Socket<L::Stream>;

    fn accept(&mut self) -> impl Future<Output = io::Result<Self::Io>> + Send {
        L::accept(&self.listener)
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        (self.spawner)(Box::pin(task));
    }

    async fn sleep(&self, time: Duration) {
        Timer::after(time).await;
    }
}

/// What the two kinds of listening socket have in common.
pub trait Accept: Send + Sync + Sized + 'static {
    /// What is accepted.
    type Stream: Stream;
    /// The next connection.
    fn accept(listener: &Async<Self>) -> impl Future<Output = io::Result<Socket<Self::Stream>>> + Send;
}

impl Accept for TcpListener {
    type Stream = std::net::TcpStream;
    async fn accept(listener: &Async<Self>) -> io::Result<Socket<Self::Stream>> {
        listener.accept().await.map(|(stream, _)| stream.into())
    }
}

#[cfg(unix)]
impl Accept for UnixListener {
    type Stream = std::os::unix::net::UnixStream;
    async fn accept(listener: &Async<Self>) -> io::Result<Socket<Self::Stream>> {
        listener.accept().await.map(|(stream, _)| stream.into())
    }
}
