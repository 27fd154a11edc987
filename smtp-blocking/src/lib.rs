//! SMTP and LMTP on blocking sockets: those of the system, and a thread for each connection, under [`smtp_driver`].
//! No reactor, no executor, and functions that are done when they return.
//!
//! # A client
//!
//! ```no_run
//! use smtp_blocking::proto::session::Envelope;
//! use smtp_blocking::{Destination, connect};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let envelope = Envelope::parse("ann@example.org", ["ben@example.net", "cat@example.net"])?;
//! let mut connection = connect(&Destination::plain("localhost", 25))?;
//! let report = connection.send(&envelope, "Subject: hello\r\n\r\nHello, both.\r\n")?;
//! for (to, outcome) in envelope.to.iter().zip(report.outcomes()) {
//!     println!("{}: {outcome}", to.path.as_str());
//! }
//! connection.quit();
//! # Ok(()) }
//! ```
//!
//! That a recipient was refused is no error: the report has an outcome for each, and
//! [`Outcome::verdict`](proto::session::Outcome::verdict) says what to do about it. An error is about the connection, and brings a
//! report all the same ([`SendError`]). What does not fit into memory is a [`stream`].
//!
//! # TLS, a login, a pool
//!
//! TLS is rustls: the crypto provider and the roots are yours. [`Destination::submission`] is STARTTLS at port 587, never without;
//! [`submissions`](Destination::submissions) TLS at port 465; [`relay`](Destination::relay) STARTTLS at port 25, where it is
//! offered. A [`Pool`] keeps connections, for many threads at once.
//!
//! ```no_run
//! use smtp_blocking::proto::{auth::Credentials, session::Envelope};
//! use smtp_blocking::{Destination, Pool};
//!
//! # fn example(tls: std::sync::Arc<rustls::ClientConfig>) -> Result<(), Box<dyn std::error::Error>> {
//! let submission = Destination::submission("mail.example.org", tls)
//!     .with_credentials(Credentials::password("ann", "tanstaaftanstaaf"));
//! let pool = Pool::new(submission);
//! let envelope = Envelope::parse("ann@example.org", ["ben@example.net"])?;
//! let report = pool.send(&envelope, "Subject: hello\r\n\r\nHello, Ben.\r\n")?;
//! assert!(report.all_delivered());
//! pool.close();
//! # Ok(()) }
//! ```
//!
//! # A server
//!
//! A [`Handler`] has a method for each thing that can happen, with a default for every one:
//!
//! ```no_run
//! use smtp_blocking::proto::{address::Domain, command::Rcpt, dot::Body, reply::Reply, server::Config};
//! use smtp_blocking::{Handler, Listener, OK, Service, Shutdown, serve};
//!
//! /// One connection's.
//! #[derive(Default)]
//! struct Store {
//!     to: Vec<String>,
//!     message: Vec<u8>,
//! }
//!
//! impl Handler for Store {
//!     async fn rcpt(&mut self, rcpt: &Rcpt<'_>) -> Reply<'static> {
//!         self.to.push(rcpt.to.as_str().to_owned());
//!         OK
//!     }
//!     async fn body(&mut self, body: &Body<'_>) -> Result<(), Reply<'static>> {
//!         body.append_to(&mut self.message);
//!         Ok(())
//!     }
//!     async fn message(&mut self) -> Reply<'static> {
//!         println!("{} octets for {:?}", self.message.len(), self.to);
//!         OK
//!     }
//!     fn reset(&mut self) {
//!         *self = Self::default();
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let service = Service::new(Config::new(Domain::parse("mx.example.org")?).shared());
//! let listener = Listener::bind("127.0.0.1:2525")?;
//! serve(listener, service, &Shutdown::new(), Store::default)?;
//! # Ok(()) }
//! ```
//!
//! [`Service::with_starttls`] and [`with_implicit_tls`](Service::with_implicit_tls) bring TLS;
//! [`Config::with_auth`](proto::server::Config::with_auth), [`Handler::authenticate`] and [`Handler::secret`] logins;
//! [`Config::lmtp`](proto::server::Config::lmtp) makes it LMTP. [`Shutdown::begin`] ends it: idle clients are told 421, the others when
//! their message was answered.
//!
//! A handler is the same asynchronous trait as everywhere. Its futures run on the connection's thread, which is parked
//! where they wait: see [`block_on`].
//!
//! The other form is a loop over what the client does. A responder that is dropped answers 451, so that no client waits for ever:
//!
//! ```no_run
//! use smtp_blocking::proto::{address::Domain, server::{Config, Event}};
//! use smtp_blocking::server::{Connection, Security, Turn};
//! use smtp_blocking::{Shutdown, Socket};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let stream = std::net::TcpStream::connect("localhost:25")?;
//! let config = Config::new(Domain::parse("mx.example.org")?).shared();
//! let mut connection = Connection::new(Socket::new(stream), config, Security::Plain, Shutdown::new())?;
//! let mut message = Vec::new();
//! while let Some(turn) = connection.next()? {
//!     match turn {
//!         Turn::Body(body) => body.append_to(&mut message),
//!         Turn::Command(Event::Mail(mail), responder) => {
//!             println!("from {}", mail.from);
//!             responder.accept();
//!         }
//!         Turn::Command(_, responder) => responder.accept(),
//!         _ => {}
//!     }
//! }
//! # Ok(()) }
//! ```
//!
//! # Examples
//!
//! In this repository, each with what it prints: `test_server.rs`, a mail server for a `#[test]`; `proxy.rs`, a filtering proxy made of the
//! two machines.
//!
//! # Features
//!
//! Both are on by default: `rustls` (TLS) and `scram` (SCRAM and CRAM-MD5).

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
    Answer, Destination, Error, ErrorKind, Handler, Message, OK, Peer, Piece, Proxy, Said, SendError,
    Service, Shutdown, Stream, Trust, ipnet, proto,
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
