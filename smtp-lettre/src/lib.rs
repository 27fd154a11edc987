//! lettre's [`Transport`](lettre::Transport) and [`AsyncTransport`] over the clients of this workspace: a program that builds its
//! messages with lettre sends them with pipelining, connection pools, STARTTLS that cannot be stripped, and a result for every
//! recipient, by changing one line.
//!
//! ```
//! // use lettre::SmtpTransport;
//! use smtp_lettre::SmtpTransport;
//! # use lettre::{Message, Transport};
//! # use smtp_lettre::Credentials;
//!
//! # fn example(message: &Message) -> Result<(), Box<dyn std::error::Error>> {
//! # #[cfg(feature = "native-roots")] {
//! let mailer = SmtpTransport::relay("smtp.example.com")?
//!     .credentials(Credentials::password("ann", "tanstaaftanstaaf"))
//!     .build();
//! mailer.send(message)?;
//! # }
//! # Ok(()) }
//! ```
//!
//! Constructors have lettre's names, ports and modes: [`relay`](SmtpTransport::relay) is TLS at port 465,
//! [`starttls_relay`](SmtpTransport::starttls_relay) STARTTLS at port 587, never without,
//! [`builder_dangerous`](SmtpTransport::builder_dangerous) port 25 in the clear. Whatever else a client can be told is in
//! [`Destination`], and [`From<Destination>`](SmtpTransport#impl-From<Destination>-for-SmtpTransport) makes a transport of it.
//!
//! The asynchronous one is [`AsyncSmtpTransport`], for lettre's executors: `AsyncSmtpTransport::<Tokio1Executor>` with the feature
//! `tokio1`, `AsyncSmtpTransport::<AsyncStd1Executor>` with `async-std1`.
//!
//! # What differs from lettre's own
//!
//! - If a recipient is refused, lettre gives the whole message up. Here it goes to those who were accepted, and `send` gives
//!   [`Error::Partly`], which tells them apart. That error is not to be answered by sending to all of them again.
//! - Where the connection ends between the end of the message and its reply, what became of it is not known, and
//!   [`Error::is_unknown`] says so.
//! - Credentials never go out in the clear, and SCRAM is preferred where it is offered.
//! - An address is checked again: one that lettre made unchecked (`new_dangerous`) cannot carry a command.
#![cfg_attr(
    not(any(feature = "blocking", feature = "tokio1", feature = "async-std1")),
    allow(dead_code, reason = "without a transport nothing is sent")
)]

mod builder;
mod error;

#[cfg(any(feature = "tokio1", feature = "async-std1"))]
use lettre::AsyncTransport;
use lettre::address::Envelope;
use smtp_driver::Pool;
use smtp_driver::proto::session;

pub use builder::Builder;
pub use error::Error;
pub use smtp_driver::Destination;
pub use smtp_driver::pool::Limits as PoolConfig;
pub use smtp_driver::proto::auth::Credentials;
pub use smtp_driver::proto::session::Report;

/// Sends messages over blocking sockets, and keeps connections for the next. Clones share them.
#[cfg(feature = "blocking")]
#[derive(Clone, Debug)]
pub struct SmtpTransport(smtp_blocking::Pool);

#[cfg(feature = "blocking")]
impl lettre::Transport for SmtpTransport {
    /// Every recipient was served.
    type Ok = Report;
    type Error = Error;

    fn send_raw(&self, envelope: &Envelope, email: &[u8]) -> Result<Report, Error> {
        Error::unless_delivered(self.0.send(&translate(envelope)?, email))
    }

    fn shutdown(&self) {
        self.0.close();
    }
}

#[cfg(feature = "blocking")]
impl builder::Pooled for SmtpTransport {
    fn pooled(to: Destination, limits: PoolConfig) -> Self {
        Self(smtp_blocking::Pool::with_limits(to, limits))
    }
}

#[cfg(feature = "blocking")]
builder::constructors!(SmtpTransport);

/// Sends messages on the executor `E`, and keeps connections for the next. Clones share them.
pub struct AsyncSmtpTransport<E: Executor>(Pool<E::Connector>);

/// lettre's executors, and how each connects: `Tokio1Executor` with the feature `tokio1`, `AsyncStd1Executor` with `async-std1`,
/// which serves smol too.
pub trait Executor: 'static {
    /// How it connects.
    type Connector: smtp_driver::Connector + Default + 'static;
}

#[cfg(feature = "tokio1")]
impl Executor for lettre::Tokio1Executor {
    type Connector = smtp_tokio::Tcp;
}

#[cfg(feature = "async-std1")]
impl Executor for lettre::AsyncStd1Executor {
    type Connector = smtp_asyncstd::Tcp;
}

#[cfg(any(feature = "tokio1", feature = "async-std1"))]
#[async_trait::async_trait]
impl<E: Executor> AsyncTransport for AsyncSmtpTransport<E> {
    /// Every recipient was served.
    type Ok = Report;
    type Error = Error;

    async fn send_raw(&self, envelope: &Envelope, email: &[u8]) -> Result<Report, Error> {
        Error::unless_delivered(self.0.send(&translate(envelope)?, email).await)
    }

    async fn shutdown(&self) {
        self.0.close().await;
    }
}

impl<E: Executor> builder::Pooled for AsyncSmtpTransport<E> {
    fn pooled(to: Destination, limits: PoolConfig) -> Self {
        Self(Pool::with_limits(to, limits))
    }
}

builder::constructors!(AsyncSmtpTransport<E>, E: Executor);

impl<E: Executor> Clone for AsyncSmtpTransport<E> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<E: Executor> std::fmt::Debug for AsyncSmtpTransport<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("AsyncSmtpTransport").field(&self.0).finish()
    }
}

/// lettre's envelope as ours, each address checked.
fn translate(envelope: &Envelope) -> Result<session::Envelope<'_>, Error> {
    let from = envelope.from().map_or("", AsRef::as_ref);
    session::Envelope::parse(from, envelope.to().iter().map(AsRef::as_ref)).map_err(Error::Address)
}
