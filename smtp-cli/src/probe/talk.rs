//! A connection that can be looked at between any two steps: the core's client and link over a socket.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use smtp_driver::Io as _;
use smtp_tokio::Socket;
use smtp_tokio::proto::address::Domain;
use smtp_tokio::proto::client::{Client, Config, Step};
use smtp_tokio::proto::error::{NotNow, Violation};
use smtp_tokio::proto::link::{self, Link, StartTlsError};
use smtp_tokio::proto::reply::Reply;
use smtp_tokio::proto::stage::{Protocol, Stage};
use smtp_tokio::proto::status::Code;
use smtp_tokio::proto::tls::Tls;
use tokio::net::TcpStream;

/// Why a conversation ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Tls(#[from] link::Error),
    #[error(transparent)]
    StartTls(#[from] StartTlsError),
    #[error(transparent)]
    Violation(#[from] Violation),
    #[error(transparent)]
    NotNow(#[from] NotNow),
    #[error("the server closed after {0}")]
    Left(Reply<'static>),
}

/// A conversation.
pub(super) struct Talk {
    io: Socket<TcpStream>,
    link: Link,
    client: Client,
    /// How long each step may take.
    patience: Duration,
    /// Reads that the replies since the last command came in.
    reads: usize,
}

impl Talk {
    /// Connects; the greeting is still to come.
    pub(super) async fn connect(
        address: (&str, u16),
        protocol: Protocol,
        patience: Duration,
    ) -> Result<Self, Trouble> {
        let io = Socket::connect(address, patience).await?;
        let mut config = Config::default();
        config.protocol = protocol;
        config.lenient_replies = true;
        Ok(Self { io, link: Link::plain(), client: Client::new(config.shared()), patience, reads: 0 })
    }

    pub(super) const fn client(&self) -> &Client {
        &self.client
    }

    pub(super) const fn reads(&self) -> usize {
        self.reads
    }

    pub(super) fn tls(&self) -> Option<&rustls::Connection> {
        self.link.tls_connection()
    }

    pub(super) fn peer(&self) -> Option<SocketAddr> {
        self.io.peer()
    }

    /// The next reply.
    pub(super) async fn reply(&mut self) -> Result<Reply<'static>, Trouble> {
        let until = self.io.age() + self.patience;
        loop {
            let (input, _) = self.link.split();
            let mut rest = input;
            let step = self.client.poll(self.io.age(), &mut rest)?;
            let reply = match step {
                Step::Event(answer) => answer.reply.into_owned(),
                Step::Unsolicited(answer) => return Err(Trouble::Left(answer.reply.into_owned())),
                Step::NeedInput(_) => {
                    if self.turn(until).await? == 0 {
                        self.client.eof()?;
                        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
                    }
                    continue;
                }
                Step::StartTls => return Err(NotNow::NothingOwed.into()),
                _ => return Err(NotNow::Closed.into()),
            };
            let taken = input.len() - rest.len();
            self.link.consume(taken);
            return Ok(reply);
        }
    }

    /// Writes all, then reads once.
    async fn turn(&mut self, until: Duration) -> Result<usize, Trouble> {
        self.flush(until).await?;
        let read = self.io.read(self.link.incoming(), Some(until)).await?;
        self.reads += 1;
        if read == 0 {
            self.link.eof()?;
        } else if let Err(error) = self.link.received() {
            // The alert says why.
            let _ = self.flush(until).await;
            return Err(error.into());
        }
        Ok(read)
    }

    async fn flush(&mut self, until: Duration) -> Result<(), Trouble> {
        loop {
            let outgoing = self.link.outgoing();
            if outgoing.is_empty() {
                return Ok(());
            }
            let written = self.io.write(&[IoSlice::new(outgoing)], Some(until)).await?;
            self.link.sent(written);
        }
    }

    /// EHLO; in LMTP, LHLO.
    pub(super) async fn hello(&mut self) -> Result<Reply<'static>, Trouble> {
        let name = self.name();
        self.client.ehlo(&name, self.link.output())?;
        self.reply().await
    }

    /// HELO.
    pub(super) async fn helo(&mut self) -> Result<Reply<'static>, Trouble> {
        let name = self.name();
        self.client.helo(&name, self.link.output())?;
        self.reply().await
    }

    fn name(&self) -> Domain<'static> {
        let address = self.io.local().map(|local| local.ip());
        address.map_or_else(|| std::net::IpAddr::from([127, 0, 0, 1]).into(), Into::into)
    }

    /// STARTTLS, with something behind it in the same write.
    pub(super) async fn starttls(&mut self, behind: &[u8]) -> Result<Reply<'static>, Trouble> {
        self.client.starttls(self.link.output())?;
        self.link.output().extend_from_slice(behind);
        self.reply().await
    }

    /// The TLS handshake, in the place of the greeting or behind STARTTLS.
    pub(super) async fn secure(&mut self, tls: Tls) -> Result<(), Trouble> {
        let until = self.io.age() + self.patience;
        self.link.start_tls(tls)?;
        while self.link.is_handshaking() {
            if self.turn(until).await? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
        }
        self.flush(until).await?;
        self.client.tls_established();
        Ok(())
    }

    /// Three commands that change nothing, in one write: their replies, as far as they come.
    pub(super) async fn pipeline(&mut self) -> Result<Vec<Reply<'static>>, Trouble> {
        self.reads = 0;
        self.client.rset(self.link.output())?;
        self.client.rset(self.link.output())?;
        self.client.noop(self.link.output())?;
        let mut replies = Vec::new();
        while self.client.is_waiting() {
            replies.push(self.reply().await?);
        }
        Ok(replies)
    }

    /// Whether EHLO and QUIT get a reply each and no more: a reply to something else would be taken for EHLO's, and EHLO's
    /// for that to QUIT, however late they come.
    pub(super) async fn is_in_step(&mut self) -> Result<bool, Trouble> {
        self.hello().await?;
        self.client.quit(self.link.output())?;
        Ok(self.reply().await?.code() == Code::CLOSING)
    }

    /// QUIT, as far as that may be said.
    pub(super) async fn quit(mut self) {
        if self.client.stage() == Stage::Idle && self.client.quit(self.link.output()).is_ok() {
            let _ = self.reply().await;
        }
        self.link.close();
        let _ = self.flush(self.io.age() + self.patience).await;
        let _ = self.io.shutdown_write().await;
    }
}

/// A connection's TLS, with a verifier that lets everything pass and remembers what it would have said.
pub(super) fn tls(config: &Arc<rustls::ClientConfig>, host: &str) -> Result<Tls, Trouble> {
    let name = rustls::pki_types::ServerName::try_from(host.to_owned())
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "no certificate can be for this name"))?;
    Ok(Tls::client(Arc::clone(config), name).map_err(link::Error::from)?)
}
