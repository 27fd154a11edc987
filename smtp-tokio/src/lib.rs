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
//! A server is a [`Handler`] given to [`serve`], or a loop around [`server::Connection::next`].

mod listener;
mod reader;
mod socket;

pub use listener::Listener;
pub use reader::{Reader, stream};
pub use smtp_driver::{
    Destination, Error, ErrorKind, Handler, Message, OK, Peer, Service, Shutdown, Stream, client, proto,
    serve, server,
};
pub use socket::Socket;
use tokio::net::TcpStream;

/// A client's connection over TCP.
pub type Connection = client::Connection<Socket<TcpStream>>;

/// Connects, and opens the connection: TLS, greeting, EHLO, AUTH, as the destination says.
///
/// # Errors
///
/// [`Error`] says what failed, at which step, and what the server had said last.
pub async fn connect(to: &Destination) -> Result<Connection, Error> {
    let socket = Socket::connect((to.host(), to.port()), to.connect_timeout()).await;
    to.open(socket.map_err(|error| to.unreachable(error))?).await
}
