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
use smtp_proto::session::{Call, Delivery, Envelope, Open, Options, Report, Transfer, Want};
use smtp_proto::stage::Stage;

use crate::message::Untouched;
use crate::pump::Pump;
use crate::{Error, ErrorKind, Io, Message};

mod behalf;

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
}

/// A message that failed with its connection: what is known of it, and why.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
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
        let mut this = Self {
            pump: Pump { io, link },
            client: Client::new(config),
            transfer: Transfer::default(),
            options: Arc::clone(&options),
            said: Vec::new(),
            out_of_step: false,
            broken: None,
        };
        let mut open = Open::new(options, nonce);
        let opened = this.drive_open(&mut open, security).await;
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
        self.pump.link.release();
    }

    /// QUIT, and closes without waiting for what the server says to it.
    pub(crate) async fn hang_up(mut self) {
        if self.is_usable() && self.client.can_send() {
            let _ = self.client.quit(self.pump.link.output());
        }
        let until = Some(self.pump.io.age().saturating_add(LAST_WORDS));
        self.pump.close(until).await;
    }

    /// Sends one message and waits for what becomes of it.
    ///
    /// That some or all recipients were refused is no error: the report says so.
    ///
    /// # Errors
    ///
    /// [`SendError`] if the connection failed. Its report still has an outcome for every recipient.
    pub async fn send(
        &mut self,
        envelope: &Envelope<'_>,
        mut message: impl Message,
    ) -> Result<Report, SendError> {
        self.send_from(envelope, &mut Untouched::new(&mut message)).await
    }

    pub(crate) async fn send_from(
        &mut self,
        envelope: &Envelope<'_>,
        message: &mut impl Message,
    ) -> Result<Report, SendError> {
        let mut delivery = Delivery::new(envelope, &message.content(), self.transfer, &self.client);
        let sent = match self.enter() {
            Err(error) => Err(error),
            Ok(()) => match self.transfer(&mut delivery, message).await {
                Ok(()) => self.settle(&mut delivery).await,
                Err(error) => Err(error),
            },
        };
        let report = self.leave_step(sent, delivery)?;
        self.out_of_step = false;
        Ok(report)
    }

    /// Sends messages one behind the other, each envelope in the same write as the end of the message ahead, so that a
    /// message costs one round trip where the server offers PIPELINING. `reported` is called for each in its order.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send): the messages that were begun are reported, the others were not touched.
    pub async fn send_all<'m, M: Message>(
        &mut self,
        messages: impl IntoIterator<Item = (&'m Envelope<'m>, M)>,
        mut reported: impl FnMut(Report),
    ) -> Result<(), Error> {
        let mut ahead: Option<Delivery<'m>> = None;
        let (mut begun, mut result) = (false, Ok(()));
        for (envelope, mut message) in messages {
            if begun && self.client.is_closed() {
                result = Err(Error::from(NotNow::Closed).with_last_words(&self.said));
                break;
            }
            if !std::mem::replace(&mut begun, true) {
                self.enter()?;
            }
            let mut delivery = Delivery::new(envelope, &message.content(), self.transfer, &self.client);
            if let Some(mut ahead) = ahead.take() {
                // A connection that is closed by now says so when it is polled.
                let _ = delivery.begin(&mut self.client, self.pump.link.output());
                let settled = self.settle(&mut ahead).await;
                if let Err(error) = self.report_to(settled, ahead, &mut reported) {
                    // Its envelope was on its way, too.
                    delivery.lost(error.stage());
                    reported(delivery.into_report());
                    return Err(error);
                }
            }
            let sent = self.transfer(&mut delivery, &mut Untouched::new(&mut message)).await;
            if sent.is_err() {
                self.report_to(sent, delivery, &mut reported)?;
            } else {
                ahead = Some(delivery);
            }
        }
        if let Some(mut last) = ahead {
            let settled = self.settle(&mut last).await;
            self.report_to(settled, last, &mut reported)?;
        }
        // Without a message nothing was touched, be it in step or not.
        self.out_of_step &= !begun;
        result
    }

    fn report_to(
        &mut self,
        result: Result<(), Error>,
        delivery: Delivery<'_>,
        reported: &mut impl FnMut(Report),
    ) -> Result<(), Error> {
        match self.leave_step(result, delivery) {
            Ok(report) => {
                reported(report);
                Ok(())
            }
            Err(SendError { report, error }) => {
                reported(report);
                Err(error)
            }
        }
    }

    fn enter(&mut self) -> Result<(), Error> {
        if !self.is_usable() {
            return Err(NotNow::Closed.into());
        }
        self.out_of_step = true;
        Ok(())
    }

    fn leave_step(
        &mut self,
        result: Result<(), Error>,
        mut delivery: Delivery<'_>,
    ) -> Result<Report, SendError> {
        match result {
            Ok(()) => Ok(delivery.into_report()),
            Err(error) => {
                self.client.abandon();
                delivery.lost(error.stage());
                let error = error.with_last_words(&self.said);
                Err(SendError { report: delivery.into_report(), error })
            }
        }
    }

    /// Envelope and message, up to where only the last replies are missing. Those octets that fit are left in the
    /// output for the next write.
    async fn transfer(
        &mut self,
        delivery: &mut Delivery<'_>,
        message: &mut impl Message,
    ) -> Result<(), Error> {
        while !delivery.is_ended() {
            let want =
                self.drive(|client, now, input, output| delivery.poll(client, now, input, output)).await?;
            match want {
                Want::Body => {}
                Want::Again => {
                    delivery.again(message.rewind());
                    continue;
                }
                _ => break,
            }
            if let Some(broken) = self.broken {
                // Nothing that settles the message was said.
                return Err(Error::new(std::io::Error::from(broken), Stage::Body));
            }
            match message.next().await {
                Ok(piece) => self.give(delivery, piece.octets, piece.last).await?,
                Err(error) => {
                    delivery.abandon(&mut self.client);
                    return Err(Error::new(error, Stage::Body));
                }
            }
        }
        Ok(())
    }

    /// Waits for the last replies.
    async fn settle(&mut self, delivery: &mut Delivery<'_>) -> Result<(), Error> {
        self.drive(|client, now, input, output| delivery.poll(client, now, input, output)).await.map(drop)
    }

    /// One piece of a message: long ones are lent to the transport, what is short, or ends the message, is appended.
    async fn give(&mut self, delivery: &mut Delivery<'_>, octets: &[u8], last: bool) -> Result<(), Error> {
        // What is lent passes no record.
        let lend = octets.len() > LEND && self.pump.io.record().is_none();
        let cut = if lend { octets.len() - TAIL } else { 0 };
        let (lent, tail) = octets.split_at(cut);
        if !lent.is_empty() {
            let block = self.client.config().timeouts.block;
            let segments = delivery.segments(lent, &mut self.client, self.pump.link.output())?;
            let written = self.pump.write(segments, block).await;
            self.after_write(written).await?;
            if self.broken.is_some() {
                return Ok(());
            }
        }
        delivery.body(tail, last, &mut self.client, self.pump.link.output())?;
        let waiting = self.pump.link.output().len();
        if waiting >= LEND {
            let until = self.block_deadline(waiting);
            let written = self.pump.flush(until).await;
            self.after_write(written).await?;
        }
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
        let called = self.drive(|client, now, input, output| call.poll(client, now, input, output)).await;
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

/// Pieces longer than this are lent to the transport rather than copied.
const LEND: usize = 64 * 1024;

/// What is kept back of a lent piece, to leave in one write with the end of the message and whatever follows.
const TAIL: usize = 8 * 1024;

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
