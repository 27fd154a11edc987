use std::io;

use smtp_driver::{Connector, Destination};
use tokio::net::TcpStream;

use crate::Socket;

/// Connections over TCP to one destination, kept open between messages.
///
/// ```no_run
/// use smtp_tokio::proto::session::Envelope;
/// use smtp_tokio::{Destination, Pool};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = Pool::new(Destination::plain("localhost", 25));
/// let envelope = Envelope::parse("ann@example.org", ["ben@example.net"])?;
/// let report = pool.send(&envelope, "Subject: hello\r\n\r\nHello, Ben.\r\n").await?;
/// assert!(report.all_delivered());
/// pool.close().await;
/// # Ok(()) }
/// ```
pub type Pool = smtp_driver::Pool<Tcp>;

/// Connects over TCP.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tcp;

impl Connector for Tcp {
    type Io = Socket<TcpStream>;

    async fn connect(&self, to: &Destination) -> io::Result<Self::Io> {
        Socket::connect((to.host(), to.port()), to.connect_timeout()).await
    }
}
