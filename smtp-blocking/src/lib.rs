//! SMTP and LMTP on blocking sockets: those of the system, and a thread for each connection, under [`smtp_driver`].
//! No reactor, no executor, and functions that are done when they return.
//!
//! A client:
//!
//! ```no_run
//! use smtp_blocking::proto::session::Envelope;
//! use smtp_blocking::{Destination, connect};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let envelope = Envelope::parse("ann@example.org", ["ben@example.net"])?;
//! let mut connection = connect(&Destination::plain("localhost", 25))?;
//! let report = connection.send(&envelope, "Subject: hello\r\n\r\nHello, Ben.\r\n")?;
//! assert!(report.all_delivered());
//! connection.quit();
//! # Ok(()) }
//! ```
//!
//! A server is a [`Handler`] given to [`serve`], or a loop around [`server::Connection::next`]:
//!
//! ```no_run
//! use smtp_blocking::proto::{address::Domain, reply::Reply, server::Config};
//! use smtp_blocking::{Handler, Listener, OK, Service, Shutdown, serve};
//!
//! struct Sink;
//! impl Handler for Sink {
//!     async fn message(&mut self) -> Reply<'static> {
//!         OK
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config = Config::new(Domain::parse("mx.example.org")?).shared();
//! serve(Listener::bind("127.0.0.1:2525")?, Service::new(config), &Shutdown::new(), || Sink)?;
//! # Ok(()) }
//! ```
//!
//! A handler is the same asynchronous trait as everywhere. Its futures run on the connection's thread, which is parked
//! where they wait: see [`block_on`].

mod listener;
mod pool;
mod reader;
mod socket;

use std::io;

/// Runs a future to its end, and parks the thread while it waits for something other than a socket of this crate.
///
/// Futures that need a runtime of their own, tokio's for one, do not find it here.
pub use futures_lite::future::block_on;
pub use listener::Listener;
pub use pool::{Pool, Tcp};
pub use reader::{Reader, stream};
pub use smtp_driver::pool::Limits as PoolLimits;
pub use smtp_driver::ready::{client, server};
pub use smtp_driver::{
    Answer, Destination, Error, ErrorKind, Handler, Message, OK, Peer, Piece, Proxy, Said, Service, Shutdown,
    Stream, Trust, ipnet, proto,
};
pub use socket::Socket;

/// A client's connection: over TCP or, as sockets are of one type here, over a Unix socket.
pub type Connection = client::Connection<Socket>;

/// A client's connection over a Unix socket: of the same type here.
#[cfg(unix)]
pub type UnixConnection = Connection;

/// Connects, and opens the connection: TLS, greeting, EHLO, AUTH, as the destination says.
///
/// # Errors
///
/// [`Error`] says what failed, at which step, and what the server had said last.
pub fn connect(to: &Destination) -> Result<Connection, Error> {
    Connection::connect(to, || Socket::connect((to.host(), to.port()), to.connect_timeout()))
}

/// Connects to the Unix socket at `path`, and opens the connection as the destination says, whose host is who is
/// expected there.
///
/// # Errors
///
/// As [`connect`].
#[cfg(unix)]
pub fn connect_unix(path: impl AsRef<std::path::Path>, to: &Destination) -> Result<UnixConnection, Error> {
    Connection::connect(to, || Socket::connect_unix(path, to.connect_timeout()))
}

/// Accepts connections and serves each with a handler of its own on a thread of its own, until `shutdown` begins and
/// all have ended.
///
/// # Errors
///
/// As [`smtp_driver::serve`]: when no connection can come any more.
pub fn serve<H: Handler + 'static>(
    listener: Listener,
    service: Service,
    shutdown: &Shutdown,
    handler: impl Fn() -> H,
) -> io::Result<()> {
    block_on(smtp_driver::serve(listener, service, shutdown, handler))
}
