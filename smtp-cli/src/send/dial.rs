//! How connections come about: over TCP or a Unix socket, watched or not.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use bytes::BytesMut;
use smtp_driver::{Connector, Destination, Io};
use smtp_tokio::Socket;
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

use crate::trace::{Trace, Traced};

/// Connects as the server's URL says.
#[derive(Debug)]
pub(super) struct Dial {
    /// A Unix socket, in place of host and port.
    pub(super) socket: Option<PathBuf>,
    /// Prints what is said.
    pub(super) trace: Option<Trace>,
}

impl Connector for Dial {
    type Io = Traced<Wire>;

    async fn connect(&self, to: &Destination) -> io::Result<Self::Io> {
        let wire = match &self.socket {
            None => Wire::Tcp(Socket::connect((to.host(), to.port()), to.connect_timeout()).await?),
            #[cfg(unix)]
            Some(path) => Wire::Unix(Socket::connect_unix(path, to.connect_timeout()).await?),
            #[cfg(not(unix))]
            Some(_) => return Err(io::ErrorKind::Unsupported.into()),
        };
        let Some(trace) = &self.trace else { return Ok(Traced::unseen(wire)) };
        let place = match (&self.socket, wire.peer()) {
            (Some(path), _) => path.display().to_string(),
            (None, Some(address)) => address.to_string(),
            (None, None) => to.host().to_owned(),
        };
        Ok(trace.watch(wire, place))
    }
}

/// A socket of either kind.
#[derive(Debug)]
pub(super) enum Wire {
    Tcp(Socket<TcpStream>),
    #[cfg(unix)]
    Unix(Socket<UnixStream>),
}

impl Io for Wire {
    fn age(&self) -> Duration {
        match self {
            Self::Tcp(socket) => socket.age(),
            #[cfg(unix)]
            Self::Unix(socket) => socket.age(),
        }
    }

    async fn read(&mut self, buf: &mut BytesMut, until: Option<Duration>) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => socket.read(buf, until).await,
            #[cfg(unix)]
            Self::Unix(socket) => socket.read(buf, until).await,
        }
    }

    async fn write(&mut self, bufs: &[IoSlice<'_>], until: Option<Duration>) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => socket.write(bufs, until).await,
            #[cfg(unix)]
            Self::Unix(socket) => socket.write(bufs, until).await,
        }
    }

    fn peer(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(socket) => socket.peer(),
            #[cfg(unix)]
            Self::Unix(_) => None,
        }
    }

    fn local(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(socket) => socket.local(),
            #[cfg(unix)]
            Self::Unix(_) => None,
        }
    }

    async fn shutdown_write(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(socket) => socket.shutdown_write().await,
            #[cfg(unix)]
            Self::Unix(socket) => socket.shutdown_write().await,
        }
    }
}
