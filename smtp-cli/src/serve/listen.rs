//! Where the server listens: TCP, or a Unix socket.

use std::io;
use std::sync::Arc;

use smtp_tokio::server::Connection;
use smtp_tokio::{Handler as _, Listener, Service, Shutdown};
use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::UnixListener;

use super::handler::Receiver;
use super::shared::Shared;
use super::steps::{Cuttable, Scissors};
use crate::exit::{self, Failure};

/// A listening socket, and its address.
pub(super) struct Bound {
    socket: Socket,
    address: String,
}

enum Socket {
    Tcp(Listener<TcpListener>),
    #[cfg(unix)]
    Unix(Listener<UnixListener>),
}

impl Bound {
    /// Listens at `address`, which is the path of a Unix socket if there is a slash in it.
    ///
    /// # Errors
    ///
    /// If that is not possible.
    pub(super) async fn new(address: &str) -> Result<Self, Failure> {
        let bound = if address.contains('/') { Self::unix(address).await } else { Self::tcp(address).await };
        bound.map_err(|error| Failure::new(exit::OS_ERROR, format!("can't listen at {address}: {error}")))
    }

    async fn tcp(address: &str) -> io::Result<Self> {
        let listener = Listener::bind(address).await?;
        let address = listener.local_addr()?.to_string();
        Ok(Self { socket: Socket::Tcp(listener), address })
    }

    #[cfg(unix)]
    async fn unix(path: &str) -> io::Result<Self> {
        use std::os::unix::fs::FileTypeExt as _;

        // A server that was killed leaves its socket behind: nobody listens there. What is no socket refuses, too.
        let is_socket = std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket());
        let refused = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
        if is_socket && tokio::net::UnixStream::connect(path).await.is_err_and(refused) {
            std::fs::remove_file(path)?;
        }
        Ok(Self { socket: Socket::Unix(UnixListener::bind(path)?.into()), address: path.into() })
    }

    #[cfg(not(unix))]
    async fn unix(_: &str) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Serves until the shutdown, when all connections have ended.
    pub(super) async fn serve(
        self,
        service: Service,
        shutdown: Shutdown,
        shared: Arc<Shared>,
    ) -> io::Result<()> {
        match self.socket {
            Socket::Tcp(listener) => serve(listener, service, &shutdown, &shared).await,
            #[cfg(unix)]
            Socket::Unix(listener) => {
                let served = serve(listener, service, &shutdown, &shared).await;
                let _ = std::fs::remove_file(&self.address);
                served
            }
        }
    }
}

/// As [`smtp_tokio::serve`], with connections that their handlers can cut off.
async fn serve<L: smtp_driver::Listener>(
    listener: L,
    service: Service,
    shutdown: &Shutdown,
    shared: &Arc<Shared>,
) -> io::Result<()> {
    service.config.check().map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    let run = |io| {
        let (config, security, grace) =
            (Arc::clone(&service.config), service.security.clone(), service.grace);
        let (shutdown, scissors) = (shutdown.clone(), Scissors::default());
        let mut receiver = Receiver::new(Arc::clone(shared), scissors.clone());
        async move {
            let ended = match Connection::new(Cuttable::new(io, scissors), config, security, shutdown) {
                Ok(connection) => connection.with_grace(grace).serve(&mut receiver).await,
                Err(error) => Err(error),
            };
            receiver.ended(ended);
        }
    };
    smtp_driver::accept_loop(listener, service.max_connections, shutdown, run).await
}
