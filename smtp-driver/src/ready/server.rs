//! The server's side: [`crate::server`], whose [`Connection`] here is a plain type of plain functions.

use std::ops::Deref;
use std::sync::Arc;

use futures_lite::future::block_on;
use smtp_proto::server::Config;

pub use crate::server::{Responder, Security, Turn};
use crate::{Error, Handler, Io, Shutdown, Trust};

/// One client's connection, pulled turn by turn.
///
/// What it knows it tells as [`crate::server::Connection`] does: `server`, `io`.
#[derive(Debug)]
pub struct Connection<I>(crate::server::Connection<I>);

impl<I: Io> Connection<I> {
    /// A connection that was just accepted.
    ///
    /// # Errors
    /// If the TLS configuration can't be used.
    pub fn new(io: I, config: Arc<Config>, security: Security, shutdown: Shutdown) -> Result<Self, Error> {
        crate::server::Connection::new(io, config, security, shutdown).map(Self)
    }

    /// Believes these about who the client is. To be said ahead of the first [`next`](Self::next).
    #[must_use]
    pub fn with_trust(self, trust: Trust) -> Self {
        Self(self.0.with_trust(trust))
    }

    /// From a shutdown on, gives what is in hand so long to come to its end; then comes a 421. 30 seconds otherwise.
    #[must_use]
    pub fn with_grace(self, time: std::time::Duration) -> Self {
        Self(self.0.with_grace(time))
    }

    /// The next thing that the client did; `None` when the conversation is over.
    ///
    /// Replies leave when the client has to be waited for.
    ///
    /// # Errors
    /// If the transport or TLS failed, or the client broke the protocol. The connection is closed then.
    #[allow(clippy::should_implement_trait, reason = "it lends, and no iterator can")]
    pub fn next(&mut self) -> Result<Option<Turn<'_>>, Error> {
        block_on(self.0.next())
    }

    /// Writes the replies that are waiting: worth calling before a wait of one's own.
    ///
    /// # Errors
    /// If the transport failed.
    pub fn flush(&mut self) -> Result<(), Error> {
        block_on(self.0.flush())
    }

    /// Serves this connection with a handler, until it ends.
    ///
    /// # Errors
    /// As [`next`](Self::next): how the connection ended that did not end well.
    pub fn serve<H: Handler>(&mut self, handler: &mut H) -> Result<(), Error> {
        block_on(self.0.serve(handler))
    }
}

impl<I> Deref for Connection<I> {
    type Target = crate::server::Connection<I>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}
