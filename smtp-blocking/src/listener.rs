//! Listening sockets: TCP, or Unix.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::thread;
use std::time::Duration;

use futures_lite::future::yield_now;

use crate::socket::{SLICE, is_timeout};
use crate::{Socket, block_on};

/// A listening socket of any kind. Its connections have a thread each.
#[derive(Debug)]
pub struct Listener(socket2::Socket);

impl Listener {
    /// Takes a listening socket, std's or socket2's.
    ///
    /// # Errors
    /// Those of the system.
    pub fn new(listener: impl Into<socket2::Socket>) -> io::Result<Self> {
        let socket = listener.into();
        socket.set_nonblocking(!TIMES_OUT)?;
        socket.set_read_timeout(Some(SLICE))?;
        Ok(Self(socket))
    }

    /// Listens at the first of the addresses that can be bound.
    ///
    /// # Errors
    /// Those of the system and of the resolver.
    pub fn bind(address: impl ToSocketAddrs) -> io::Result<Self> {
        Self::new(TcpListener::bind(address)?)
    }

    /// Where it listens: tells the port when port 0 was asked for.
    ///
    /// # Errors
    /// Those of the system.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()?.as_socket().ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
    }
}

/// Whether a socket's timeout holds for accept too. Elsewhere the listening socket does not block, and is looked at
/// again after [`NAP`].
const TIMES_OUT: bool = cfg!(any(target_os = "linux", target_os = "android"));
const NAP: Duration = Duration::from_millis(10);

impl smtp_driver::Listener for Listener {
    type Io = Socket;

    async fn accept(&mut self) -> io::Result<Socket> {
        loop {
            match self.0.accept() {
                Err(error) if is_timeout(&error) || error.kind() == io::ErrorKind::WouldBlock => {}
                accepted => return accepted.map(|(socket, _)| Socket::new(socket)),
            }
            if !TIMES_OUT {
                thread::sleep(NAP);
            }
            yield_now().await;
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
