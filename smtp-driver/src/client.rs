//! The client's side of the pump.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use smtp_proto::auth::NONCE_LEN;
use smtp_proto::client::{Client, Config};
use smtp_proto::command::Command;
use smtp_proto::error::{NotNow, Violation};
use smtp_proto::extension::Capabilities;
use smtp_proto::link::Link;
use smtp_proto::reply::Reply;
use smtp_proto::session::{Call, Open, Options, Report, Transfer, Want};
use smtp_proto::stage::Stage;

use crate::pump::Pump;
use crate::trace::{self, Trace};
use crate::{Error, ErrorKind, Io};

mod behalf;
mod sending;

/// How TLS comes onto a connection, and with whom it is spoken.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Security {
    /// Never.
    Plain,
    /// By STARTTLS, as [`Options::starttls`] says.
    #[cfg(feature = "rustls")]
    StartTls(Arc<rustls::ClientConfig>, rustls::pki_types::ServerName<'static>),
    /// From the first octet.
    #[cfg(feature = "rustls")]
    Implicit(Arc<rustls::ClientConfig>, rustls::pki_types::ServerName<'static>),
}

/// An open connection to a server: greeted, secured and logged in as was asked for.
///
/// It may be used for many messages. A connection that lost step, by an error or by a future that was dropped before it
/// was done, says so ([`is_usable`](Self::is_usable)) and refuses further use.
#[derive(Debug)]
pub struct Connection<I> {
    pump: Pump<I>,
    client: Client,
    transfer: Transfer,
    options: Arc<Options>,
    /// The last reply's last octets.
    said: Vec<u8>,
    /// Something was begun and not ended.
    out_of_step: bool,
    /// Why a write failed: what the server says after that may be its last words, and the connection is over.
    broken: Option<std::io::ErrorKind>,
    trace: Trace,
}

/// A message that failed with its connection: what is known of it, and why.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
#[non_exhaustive]
pub struct SendError {
    /// What became of the message for each recipient.
    pub report: Report,
    /// What went wrong.
    #[source]
    pub error: Error,
}

impl From<SendError> for Error {
    fn from(failed: SendError) -> Self {
        failed.error
    }
}

impl<I: Io> Connection<I> {
    /// Opens a connection over a transport: TLS where it is implicit, greeting, EHLO, STARTTLS, AUTH.
    ///
    /// # Errors
    ///
    /// [`Error`] says what failed, at which step, and what the server had said.
    pub async fn open(
        io: I,
        security: &Security,
        options: Arc<Options>,
        config: Arc<Config>,
    ) -> Result<Self, Error> {
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce)
            .map_err(|error| Error::new(std::io::Error::from(error), Stage::Connect))?;
        let link = match security {
            Security::Plain => Link::plain(),
            #[cfg(feature = "rustls")]
            Security::StartTls(..) => Link::plain(),
            #[cfg(feature = "rustls")]
            Security::Implicit(tls, name) => Link::tls(handshake::tls(tls, name)?),
        };
        let trace = Trace::client(io.peer());
        let span = trace.span();
        let mut this = Self {
            pump: Pump::new(io, link),
            client: Client::new(config),
            transfer: Transfer::default(),
            options: Arc::clone(&options),
            said: Vec::new(),
            out_of_step: false,
            broken: None,
            trace,
        };
        let mut open = Open::new(options, nonce);
        let opened = trace::within(span, this.drive_open(&mut open, security)).await;
        if let Err(error) = opened {
            let error = error.with_last_words(&this.said);
            if !matches!(error.kind(), ErrorKind::Session(_)) {
                // There is no one to say QUIT to, or no way.
                this.client.abandon();
            }
            this.leave().await;
            return Err(error);
        }
        Ok(this)
    }

    async fn drive_open(&mut self, open: &mut Open, security: &Security) -> Result<(), Error> {
        if self.pump.link.is_tls() {
            self.shake_hands(open).await?;
        }
        while self.drive(|client, now, input, output| open.poll(client, now, input, output)).await?
            == Want::StartTls
        {
            self.start_tls(open, security).await?;
        }
        Ok(())
    }

    /// Polls a conversation until it wants something else than octets to flow.
    async fn drive<E: Into<Error>>(
        &mut self,
        mut poll: impl FnMut(&mut Client, Duration, &mut &[u8], &mut BytesMut) -> Result<Want, E> + Send,
    ) -> Result<Want, Error> {
        loop {
            let now = self.pump.io.age();
            let (input, output) = self.pump.link.split();
            let mut rest = input;
            let want = poll(&mut self.client, now, &mut rest, output);
            let rest = rest.len();
            self.consumed(rest);
            match want.map_err(Into::into)? {
                Want::Io(until) => self.turn(until).await?,
                want => return Ok(want),
            }
        }
    }

    async fn start_tls(&mut self, open: &mut Open, security: &Security) -> Result<(), Error> {
        match security {
            Security::Plain => {
                let _ = open;
                Err(Error::new(ErrorKind::NoTls, Stage::StartTls))
            }
            #[cfg(feature = "rustls")]
            Security::StartTls(tls, name) | Security::Implicit(tls, name) => {
                let until = self.block_deadline(0);
                self.pump.flush(until).await.map_err(|error| Error::new(error, Stage::StartTls))?;
                let tls = handshake::tls(tls, name)?;
                // What stands there was not said through TLS, whoever said it.
                self.pump.link.start_tls(tls).map_err(|_| Error::from(Violation::BehindStartTls))?;
                self.shake_hands(open).await
            }
        }
    }

    async fn shake_hands(&mut self, open: &mut Open) -> Result<(), Error> {
        let until = Some(self.pump.io.age().saturating_add(self.client.config().timeouts.greeting));
        let shaken = self.pump.handshake(until).await;
        shaken.map_err(|blocked| Error::blocked(blocked, Stage::Handshake))?;
        #[cfg(feature = "rustls")]
        let exporter = self.pump.link.tls_exporter();
        #[cfg(not(feature = "rustls"))]
        let exporter: Option<[u8; 32]> = None;
        open.tls_established(&mut self.client, exporter.as_ref().map(<[u8; 32]>::as_slice));
        Ok(())
    }

    /// What the server's EHLO response listed.
    #[must_use]
    pub const fn capabilities(&self) -> &Capabilities<'static> {
        self.client.capabilities()
    }

    /// Whether TLS is on.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.pump.link.is_tls()
    }

    /// The rustls connection, for peer certificates, version and cipher suite.
    #[cfg(feature = "rustls")]
    #[must_use]
    pub fn tls_connection(&self) -> Option<&rustls::Connection> {
        self.pump.link.tls_connection()
    }

    /// The transport.
    #[must_use]
    pub const fn io(&self) -> &I {
        &self.pump.io
    }

    /// Sets how messages are transferred from here on.
    pub const fn set_transfer(&mut self, transfer: Transfer) {
        self.transfer = transfer;
    }

    /// Whether another message may be sent: nothing failed, nothing was left half done, and the server did not leave.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        !self.out_of_step && self.broken.is_none() && !self.client.is_closed()
    }

    /// How many messages more this session has room for, where the server says (RFC 9422, MAILMAX).
    #[must_use]
    pub fn mails_left(&self) -> Option<u32> {
        self.client.mails_left()
    }

    /// Looks at the transport without waiting, and says whether the connection is still good for a message: a server
    /// that has closed, or has said 421 meanwhile, is seen.
    pub async fn look(&mut self) -> bool {
        while self.is_usable() {
            let read = self.pump.read(Some(Duration::ZERO)).await;
            match read {
                // Octets of a reply that nobody has asked for, or none.
                Err(blocked) if blocked.is_timeout() => return self.pump.link.input().is_empty(),
                Ok(1..) => {}
                Ok(0) | Err(_) => self.client.abandon(),
            }
            let (input, _) = self.pump.link.split();
            if !input.is_empty() && self.client.poll(self.pump.io.age(), &mut &*input).is_err() {
                self.client.abandon();
            }
        }
        false
    }

    /// Gives back the memory of the buffers, before a wait that may be long.
    pub(crate) fn release(&mut self) {
        self.pump.release();
    }

    /// QUIT, and closes without waiting for what the server says to it.
    pub(crate) async fn hang_up(mut self) {
        if self.is_usable() && self.client.can_send() {
            let _ = self.client.quit(self.pump.link.output());
        }
        let until = Some(self.pump.io.age().saturating_add(LAST_WORDS));
        self.pump.close(until).await;
    }

    /// Begins something that has to come to its end.
    fn enter(&mut self) -> Result<(), Error> {
        if !self.is_usable() {
            return Err(NotNow::Closed.into());
        }
        self.out_of_step = true;
        Ok(())
    }

    /// A server that refuses to read on may have said why.
    async fn after_write(&mut self, written: std::io::Result<()>) -> Result<(), Error> {
        let Err(error) = written else { return Ok(()) };
        self.broken = Some(error.kind());
        if error.kind() == std::io::ErrorKind::TimedOut {
            return Err(self.client.timed_out().into());
        }
        let until = Some(self.pump.io.age().saturating_add(LAST_WORDS));
        match self.pump.read(until).await {
            Ok(n) if n > 0 => Ok(()),
            _ => Err(Error::new(error, self.client.stage())),
        }
    }

    /// Writes all, then reads once.
    async fn turn(&mut self, until: Option<Duration>) -> Result<(), Error> {
        let waiting = self.pump.link.output().len();
        let written = self.pump.flush(self.block_deadline(waiting)).await;
        let failed = written.is_err();
        self.after_write(written).await?;
        if failed {
            return Ok(());
        }
        match self.pump.read(until).await {
            Ok(0) => {
                let stage = self.client.stage();
                self.client.eof()?;
                Err(Violation::Eof { stage }.into())
            }
            Ok(_) => Ok(()),
            Err(blocked) if blocked.is_timeout() => Err(self.client.timed_out().into()),
            Err(blocked) => Err(Error::blocked(blocked, self.client.stage())),
        }
    }

    /// How long a write of so many octets may take: RFC 5321, 4.5.3.2.5 gives each block 3 minutes.
    fn block_deadline(&self, octets: usize) -> Option<Duration> {
        const BLOCK: usize = 64 * 1024;
        let blocks = u32::try_from(octets / BLOCK + 1).unwrap_or(u32::MAX);
        let span = self.client.config().timeouts.block.saturating_mul(blocks);
        Some(self.pump.io.age().saturating_add(span))
    }

    /// Drops the replies that were dealt with, and keeps the last of them for the error that may follow.
    fn consumed(&mut self, rest: usize) {
        let input = self.pump.link.input();
        let n = input.len() - rest;
        if n > 0 {
            Trace::told(&input[..n]);
            self.said.clear();
            let from = last_reply(&input[..n]);
            self.said.extend_from_slice(&input[from..n]);
            self.pump.link.consume(n);
        }
    }

    /// One command that has one reply: NOOP, RSET, VRFY, EXPN, HELP, ETRN, XFORWARD, or a verb of one's own.
    ///
    /// # Errors
    ///
    /// If the connection failed or is not usable. A refusal is no error: it is the reply.
    pub async fn command(&mut self, command: Command<'_>) -> Result<Reply<'static>, Error> {
        self.enter()?;
        let mut call = Call::new(command);
        let span = self.trace.span();
        let called = trace::within(
            span,
            self.drive(|client, now, input, output| call.poll(client, now, input, output)),
        )
        .await;
        if let Err(error) = called {
            return Err(self.failed(error));
        }
        self.out_of_step = false;
        call.into_reply().ok_or_else(|| NotNow::NothingOwed.into())
    }

    /// NOOP: whether the server is still there.
    ///
    /// # Errors
    ///
    /// If it is not.
    pub async fn noop(&mut self) -> Result<(), Error> {
        self.command(Command::Noop(smtp_proto::command::Text::default())).await.map(drop)
    }

    /// QUIT, then closes. What the server says to it changes nothing.
    pub async fn quit(mut self) {
        self.leave().await;
    }

    async fn leave(&mut self) {
        // A server that still owes a greeting, a reply or a handshake would be waited for that long.
        if self.is_usable() && self.client.can_send() && !self.pump.link.is_handshaking() {
            let mut call = Call::quit();
            let _ = self.drive(|client, now, input, output| call.poll(client, now, input, output)).await;
        }
        let until = Some(self.pump.io.age().saturating_add(self.client.config().timeouts.quit));
        self.pump.close(until).await;
    }
}

/// How long to wait for what a server says that does not read on.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Where the last reply in `replies` begins.
fn last_reply(replies: &[u8]) -> usize {
    let mut from = 0;
    let mut line = 0;
    let mut continued = false;
    for (at, octet) in replies.iter().enumerate() {
        if *octet == b'\n' {
            if !continued {
                from = line;
            }
            continued = replies.get(line + 3) == Some(&b'-');
            line = at + 1;
        }
    }
    from
}

#[cfg(feature = "rustls")]
mod handshake {
    use std::sync::Arc;

    use smtp_proto::stage::Stage;
    use smtp_proto::tls::Tls;

    use crate::Error;

    pub(super) fn tls(
        config: &Arc<rustls::ClientConfig>,
        name: &rustls::pki_types::ServerName<'static>,
    ) -> Result<Tls, Error> {
        Tls::client(Arc::clone(config), name.clone())
            .map_err(|error| Error::new(smtp_proto::link::Error::from(error), Stage::Handshake))
    }
}
