//! Listening sockets: TCP, or Unix.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::thread;
use std::time::Duration;

use rustix::event::PollFlags;
use smtp_driver::{Io as _, Shutdown};

use crate::socket::{passes, ready};
use crate::{Socket, block_on};

/// A listening socket of any kind. Its connections have a thread each.
#[derive(Debug)]
pub struct Listener {
    socket: socket2::Socket,
    shutdown: Option<Shutdown>,
}

impl Listener {
    /// Takes a listening socket, std's or socket2's. It is waited for by `poll`, and does not block from here on.
    ///
    /// # Errors
    /// Those of the system.
    pub fn new(listener: impl Into<socket2::Socket>) -> io::Result<Self> {
        let socket = listener.into();
        socket.set_nonblocking(true)?;
        Ok(Self { socket, shutdown: None })
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
        self.socket.local_addr()?.as_socket().ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
    }
}

impl smtp_driver::Listener for Listener {
    type Io = Socket;

    async fn accept(&mut self) -> io::Result<Socket> {
        loop {
            ready(&self.socket, PollFlags::IN, self.shutdown.as_ref(), || None).await?;
            match self.socket.accept() {
                Err(error) if passes(&error) => {}
                accepted => {
                    let mut accepted = accepted.map(|(socket, _)| Socket::new(socket))?;
                    // What it serves ends with it.
                    if let Some(shutdown) = &self.shutdown {
                        accepted.heed(shutdown);
                    }
                    return Ok(accepted);
                }
            }
        }
    }

    fn heed(&mut self, shutdown: &Shutdown) {
        self.shutdown = Some(shutdown.clone());
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        // The system has no thread to give: the task is dropped, and its connection with it.
        let _ = thread::Builder::new().name("smtp".into()).spawn(|| block_on(task));
    }

    async fn sleep(&self, time: Duration) {
        thread::sleep(time);
    }
}
