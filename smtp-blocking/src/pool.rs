use std::io;

use smtp_driver::{Connector, Destination};

use crate::Socket;

/// Connects over TCP.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tcp;

impl Connector for Tcp {
    type Io = Socket;

    async fn connect(&self, to: &Destination) -> io::Result<Self::Io> {
        Socket::connect((to.host(), to.port()), to.connect_timeout())
    }
}

/// Connections over TCP to one destination, kept open between messages: for use by many threads.
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
pub type Pool = smtp_driver::ready::Pool<Tcp>;
