use std::io;

use smtp_driver::client::SendError;
use smtp_driver::pool::Limits;
use smtp_driver::proto::session::{Envelope, Report};
use smtp_driver::{Connector, Destination};

use crate::{Message, Socket, block_on};

/// Connections over TCP to one destination, kept open between messages: for use by many threads. Clones share them.
///
/// What it does it does as [`smtp_driver::Pool`].
///
/// ```no_run
/// use smtp_blocking::proto::session::Envelope;
/// use smtp_blocking::{Destination, Pool};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = Pool::new(Destination::plain("localhost", 25));
/// let envelope = Envelope::parse("ann@example.org", ["ben@example.net"])?;
/// let report = pool.send(&envelope, "Subject: hello\r\n\r\nHello, Ben.\r\n")?;
/// assert!(report.all_delivered());
/// pool.close();
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Pool(smtp_driver::Pool<Tcp>);

impl Pool {
    /// A pool with the default limits. Nothing is connected yet.
    #[must_use]
    pub fn new(to: Destination) -> Self {
        Self::with_limits(to, Limits::default())
    }

    /// A pool with these limits. Nothing is connected yet.
    #[must_use]
    pub fn with_limits(to: Destination, limits: Limits) -> Self {
        Self(smtp_driver::Pool::with_limits(to, limits))
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

/// Connects over TCP.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tcp;

impl Connector for Tcp {
    type Io = Socket;

    async fn connect(&self, to: &Destination) -> io::Result<Self::Io> {
        Socket::connect((to.host(), to.port()), to.connect_timeout())
    }
}
