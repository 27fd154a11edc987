use futures_lite::future::block_on;
use smtp_proto::session::{Envelope, Report};

use crate::client::SendError;
use crate::pool::Limits;
use crate::{Connector, Destination, Message};

/// Connections to one destination, kept open between messages: for use by many threads. Clones share them.
///
/// What it does it does as [`crate::Pool`].
#[derive(Clone, Debug)]
pub struct Pool<C: Connector>(crate::Pool<C>);

impl<C: Connector + Default> Pool<C> {
    /// A pool with the default limits. Nothing is connected yet.
    #[must_use]
    pub fn new(to: Destination) -> Self {
        Self::with_limits(to, Limits::default())
    }

    /// A pool with these limits. Nothing is connected yet.
    #[must_use]
    pub fn with_limits(to: Destination, limits: Limits) -> Self {
        Self(crate::Pool::with_limits(to, limits))
    }

    /// Sends one message, over a connection that idles or a new one, and waits for what becomes of it.
    ///
    /// # Errors
    /// [`SendError`] if no connection could be opened, or it failed. Its report has an outcome for every recipient.
    pub fn send(&self, envelope: &Envelope<'_>, message: impl Message) -> Result<Report, SendError> {
        block_on(self.0.send(envelope, message))
    }

    /// How many connections idle.
    #[must_use]
    pub fn idle(&self) -> usize {
        self.0.idle()
    }

    /// How many messages wait for a connection.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.0.waiting()
    }

    /// Closes the connections that have idled too long.
    pub fn sweep(&self) {
        block_on(self.0.sweep());
    }

    /// Says QUIT on the connections that idle; those in use follow when their message is answered.
    pub fn close(&self) {
        block_on(self.0.close());
    }
}
