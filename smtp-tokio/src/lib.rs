//! SMTP and LMTP on tokio: its sockets, its clock and its tasks under [`smtp_driver`], whose types are this crate's own.
//!
//! A client:
//!
//! ```no_run
//! use smtp_tokio::proto::session::Envelope;
//! use smtp_tokio::{Destination, connect};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let envelope = Envelope::parse("ann@example.org", ["ben@example.net"])?;
//! let mut connection = connect(&Destination::plain("localhost", 25)).await?;
//! let report = connection.send(&envelope, "Subject: hello\r\n\r\nHello, Ben.\r\n").await?;
//! assert!(report.all_delivered());
//! connection.quit().await;
//! # Ok(()) }
//! ```
//!
//! A server is a [`Handler`] given to [`serve`], or a loop around [`server::Connection::next`]:
//!
//! ```no_run
//! use smtp_tokio::proto::{address::Domain, reply::Reply, server::Config};
//! use smtp_tokio::{Handler, Listener, OK, Service, Shutdown, serve};
//!
//! struct Sink;
//! impl Handler for Sink {
//!     async fn message(&mut self) -> Reply<'static> {
//!         OK
//!     }
//! }
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let config = Config::new(Domain::parse("mx.example.org")?).shared();
//! serve(Listener::bind("127.0.0.1:2525").await?, Service::new(config), &Shutdown::new(), || Sink).await?;
//! # Ok(()) }
//! ```

mod listener;
mod pool;
mod reader;
mod socket;

pub use listener::Listener;
pub use pool::{Pool, Tcp};
pub use reader::{Reader, stream};
pub use smtp_driver::pool::Limits as PoolLimits;
pub use smtp_driver::{
    Answer, Destination, Error, ErrorKind, Handler, Message, OK, Peer, Piece, Proxy, Said, Service, Shutdown,
    Stream, Trust, client, ipnet, proto, serve, server,
};
pub use socket::Socket;
use tokio::net::TcpStream;

/// A client's connection over TCP.
pub type Connection = client::Connection<Socket<TcpStream>>;

/// A client's connection over a Unix socket.
#[cfg(unix)]
pub type UnixConnection = client::Connection<Socket<tokio::net::UnixStream>>;

/// Connects, and opens the connection: TLS, greeting, EHLO, AUTH, as the destination says.
///
/// # Errors
///
/// [`Error`] says what failed, at which step, and what the server had said last.
pub async fn connect(to: &Destination) -> Result<Connection, Error> {
    to.connect(Socket::connect((to.host(), to.port()), to.connect_timeout())).await
}

/// Connects to the Unix socket at `path`, and opens the connection as the destination says, whose host is who is
/// expected there.
///
/// # Errors
///
/// As [`connect`].
#[cfg(unix)]
pub async fn connect_unix(
    path: impl AsRef<std::path::Path>,
    to: &Destination,
) -> Result<UnixConnection, Error> {
    to.connect(Socket::connect_unix(path, to.connect_timeout())).await
}
