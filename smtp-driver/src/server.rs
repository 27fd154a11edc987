//! The server's side of the pump: the pull loop.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use smtp_proto::dot::Body;
use smtp_proto::error::NotNow;
use smtp_proto::extension::Capabilities;
use smtp_proto::link::Link;
#[cfg(feature = "rustls")]
use smtp_proto::link::StartTlsError;
use smtp_proto::proxy::Proxied;
use smtp_proto::reply::Reply;
use smtp_proto::server::{Config, Event, Server, Step, Taken};
use smtp_proto::stage::Stage;
use smtp_proto::status::{Code, Enhanced};

use crate::pump::{Blocked, Pump, WriteBy};
use crate::shutdown::Watch;
use crate::trace::{self, Span, Trace};
use crate::{Error, ErrorKind, Io, Proxy, Shutdown, Trust, unless};

/// How a server's connections are secured.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Security {
    /// Never.
    #[default]
    Plain,
    /// By STARTTLS. What is offered is the [`Config`]'s to say.
    #[cfg(feature = "rustls")]
    StartTls(Arc<rustls::ServerConfig>),
    /// From the first octet.
    #[cfg(feature = "rustls")]
    Implicit(Arc<rustls::ServerConfig>),
}

/// One client's connection, pulled turn by turn.
///
/// Its buffers are given back while it waits between commands.
#[derive(Debug)]
pub struct Connection<I> {
    pub(crate) pump: Pump<I>,
    pub(crate) server: Server,
    /// Who the client is: as the transport says, its PROXY header, or XCLIENT.
    pub(crate) address: Option<SocketAddr>,
    /// Who the client is without what XCLIENT says: what it is trusted with goes by that.
    believed: Option<SocketAddr>,
    security: Security,
    trust: Trust,
    shutdown: Shutdown,
    watch: Watch,
    /// What has come of a PROXY header, while one is awaited.
    header: Option<BytesMut>,
    proxy: Option<Box<Proxy>>,
    grace: Duration,
    /// The age by which the conversation is over, once a shutdown was seen.
    leave_by: Option<Duration>,
    /// Octets of the input that the last turn borrowed.
    lent: usize,
    greeted: bool,
    ended: bool,
    pub(crate) trace: Trace,
    /// How it ended, while the last words are on their way.
    pub(crate) ending: Option<Result<(), Error>>,
}

/// What the client did, and what it is owed.
#[derive(Debug)]
#[non_exhaustive]
pub enum Turn<'c> {
    /// A command, the connection itself, or the end of a message: it is owed what the responder gives.
    Command(Event<'c>, Responder<'c>),
    /// A piece of the message.
    Body(Body<'c>),
    /// Something that is owed nothing: a chunk begins, a message is refused or drained, a login was given up.
    Note(Event<'c>),
}

/// The reply that is owed. Dropped without one it answers 451, so that the session never stands still.
#[derive(Debug)]
#[must_use = "a client waits for the reply"]
pub struct Responder<'c> {
    server: &'c mut Server,
    output: &'c mut BytesMut,
    span: Span,
}

impl<I: Io> Connection<I> {
    /// A connection that was just accepted.
    ///
    /// # Errors
    ///
    /// If the configuration [is none for a server](Config::check), or that of TLS can't be used.
    pub fn new(
        mut io: I,
        config: Arc<Config>,
        security: Security,
        shutdown: Shutdown,
    ) -> Result<Self, Error> {
        config.check().map_err(|error| Error::new(error, Stage::Connect))?;
        io.heed(&shutdown);
        let link = match &security {
            #[cfg(feature = "rustls")]
            Security::Implicit(tls) => Link::tls(handshake::tls(tls)?),
            _ => Link::plain(),
        };
        let server = Server::new(config);
        Ok(Self {
            address: io.peer(),
            believed: io.peer(),
            pump: Pump::new(io, link),
            server,
            security,
            trust: Trust::NOBODY,
            shutdown,
            watch: Watch::default(),
            header: None,
            proxy: None,
            grace: GRACE,
            leave_by: None,
            lent: 0,
            greeted: false,
            ended: false,
            trace: Trace::server(),
            ending: None,
        })
    }

    /// Believes these about who the client is. To be said ahead of the first [`next`](Self::next).
    #[must_use]
    pub fn with_trust(mut self, trust: Trust) -> Self {
        self.header = trust.proxy.contain(self.address).then(BytesMut::new);
        self.trust = trust;
        self
    }

    /// From a shutdown on, gives what is in hand so long to come to its end; then comes a 421. 30 seconds otherwise.
    /// Precedents: 30 seconds (Kubernetes), 90 (systemd). The time that a handler takes is its own.
    #[must_use]
    pub const fn with_grace(mut self, time: Duration) -> Self {
        self.grace = time;
        self
    }

    /// What a trusted PROXY header said, if there was one.
    #[must_use]
    pub fn proxy(&self) -> Option<&Proxy> {
        self.proxy.as_deref()
    }

    /// The client's address: the transport's, if it has one, or what a trusted PROXY header said in its place, or XCLIENT
    /// where a [`Handler`](crate::Handler) took it.
    #[must_use]
    pub const fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// The machine: who is logged in, whether TLS is on, what is offered.
    #[must_use]
    pub const fn server(&self) -> &Server {
        &self.server
    }

    /// The transport.
    #[must_use]
    pub const fn io(&self) -> &I {
        &self.pump.io
    }

    /// The rustls connection, for client certificates, version and cipher suite.
    #[cfg(feature = "rustls")]
    #[must_use]
    pub fn tls_connection(&self) -> Option<&rustls::Connection> {
        self.pump.link.tls_connection()
    }

    /// The `tls-exporter` channel binding (RFC 9266), where there is one.
    #[must_use]
    pub fn tls_exporter(&self) -> Option<[u8; 32]> {
        #[cfg(feature = "rustls")]
        return self.pump.link.tls_exporter();
        #[cfg(not(feature = "rustls"))]
        None
    }

    /// The next thing that the client did; `None` when the conversation is over.
    ///
    /// Replies leave when the client has to be waited for. Dropping the future loses nothing: call it again.
    ///
    /// # Errors
    ///
    /// If the transport or TLS failed, or the client broke the protocol. The connection is closed then.
    pub async fn next(&mut self) -> Result<Option<Turn<'_>>, Error> {
        let Some(taken) = self.take().await? else { return Ok(None) };
        let (input, output) = self.pump.link.split();
        let event = self.server.event(taken, input);
        Ok(Some(match event {
            Event::Body(body) => Turn::Body(body),
            event if self.server.owed() == 0 => Turn::Note(event),
            event => {
                Turn::Command(event, Responder { server: &mut self.server, output, span: self.trace.span() })
            }
        }))
    }

    /// Writes the replies that are waiting: worth calling before a wait of one's own, as a reply should not be held
    /// back by it.
    ///
    /// # Errors
    ///
    /// If the transport failed.
    pub async fn flush(&mut self) -> Result<(), Error> {
        let until = self.write_deadline();
        self.pump.flush(until).await.map_err(|error| Error::new(error, Stage::Idle))
    }

    /// Steps until there is an event, and remembers what of the input it borrows.
    pub(crate) async fn take(&mut self) -> Result<Option<Taken>, Error> {
        if self.ended {
            return Ok(None);
        }
        if !self.server.in_transaction() {
            self.trace.settled();
        }
        if self.ending.is_none() {
            match trace::within(self.trace.span(), self.step()).await {
                Ok(Some(taken)) => {
                    self.lent = taken.len();
                    let (input, _) = self.pump.link.split();
                    let (server, tls) = (&self.server, self.server.has_tls());
                    self.trace.heard(|| server.event(taken, input), self.address, tls);
                    return Ok(Some(taken));
                }
                Ok(None) => self.ending = Some(Ok(())),
                Err(error) => self.ending = Some(Err(error)),
            }
        }
        // How it ended is kept until the last words have left, should this future be dropped meanwhile.
        self.end().await;
        self.ended = true;
        self.trace.ended(self.ending.as_ref().and_then(|ending| ending.as_ref().err()));
        self.ending.take().unwrap_or(Ok(())).map(|()| None)
    }

    async fn step(&mut self) -> Result<Option<Taken>, Error> {
        self.pump.link.consume(std::mem::take(&mut self.lent));
        if self.header.is_some() && !self.read_header().await? {
            return Ok(None);
        }
        if self.pump.link.is_tls() && !self.server.has_tls() && !self.shake_hands().await? {
            return Ok(None);
        }
        if !std::mem::replace(&mut self.greeted, true) {
            self.restrict();
            self.listen().await;
        }
        loop {
            if self.shutdown.has_begun() && self.leave_by.is_none() {
                self.server.shut_down();
                self.leave_by = Some(self.pump.io.age().saturating_add(self.grace));
            }
            if self.leave_by.is_some_and(|by| self.pump.io.age() >= by) && self.server.owed() == 0 {
                self.server.close(self.pump.link.output());
            }
            let now = self.pump.io.age();
            let (input, output) = self.pump.link.split();
            match self.server.step(now, input, output) {
                Ok(Step::Event(taken)) => return Ok(Some(taken)),
                Ok(Step::AwaitingReply) => {
                    let (_, output) = self.pump.link.split();
                    unanswered(&mut self.server, output);
                }
                Ok(Step::Flush(until)) => self.write(until).await?,
                Ok(Step::NeedInput(until)) => {
                    self.write(self.write_by().from(now)).await?;
                    if !self.wait(until).await? {
                        return Ok(None);
                    }
                }
                Ok(Step::StartTls) => {
                    if !self.start_tls().await? {
                        return Ok(None);
                    }
                }
                Ok(Step::Closed) => return Ok(None),
                Ok(_) => return Ok(None),
                Err(violation) => return Err(violation.into()),
            }
        }
    }

    /// Reads the PROXY header, which stands ahead of everything else, TLS too. False at an end before it has begun, as of a
    /// balancer that looks whether anybody listens.
    async fn read_header(&mut self) -> Result<bool, Error> {
        // The connection is new: its age counts from where the header may begin.
        let until = Some(self.server.config().timeouts.command);
        let failed = |error| Err(Error::new(ErrorKind::from(error), Stage::Connect));
        while let Some(header) = &mut self.header {
            match Proxied::parse(header) {
                Ok(Some((proxied, len))) => {
                    if let Proxied::For { source, .. } = proxied {
                        (self.address, self.believed) = (Some(source), Some(source));
                    }
                    self.proxy = Some(Box::new(Proxy::new(proxied, &header[..len])));
                    let incoming = self.pump.link.incoming();
                    incoming.extend_from_slice(&header[len..]);
                    self.header = None;
                    let received = self.pump.link.received();
                    received.map_err(|error| Error::new(error, Stage::Handshake))?;
                    return Ok(true);
                }
                Ok(None) => {}
                Err(malformed) => return Err(Error::new(malformed, Stage::Connect)),
            }
            let read = unless(&self.shutdown, pin!(self.pump.io.read(header, until))).await;
            match read {
                None => return Ok(false),
                Some(Ok(0)) if header.is_empty() => return Ok(false),
                Some(Ok(0)) => return failed(std::io::ErrorKind::UnexpectedEof.into()),
                Some(Ok(_)) => {}
                Some(Err(error)) => return failed(error),
            }
        }
        Ok(true)
    }

    /// Offers to this peer what it is trusted with. TLS forgets it, as all that is offered.
    fn restrict(&mut self) {
        self.trust.restrict(self.believed, self.server.capabilities_mut());
    }

    /// Takes what is there already, without waiting: a client that has spoken before the greeting is an early talker.
    pub(crate) async fn listen(&mut self) {
        if self.server.config().refuse_early_talkers {
            // Silence is as it should be, and what went wrong the next read will tell.
            let _ = self.pump.read(Some(self.pump.io.age())).await;
        }
    }

    async fn write(&mut self, until: Option<Duration>) -> Result<(), Error> {
        self.pump.flush(until).await.map_err(|error| Error::new(error, Stage::Idle))
    }

    /// Reads once; false at the client's end.
    async fn wait(&mut self, until: Option<Duration>) -> Result<bool, Error> {
        if self.server.is_idle() {
            self.pump.release();
        }
        // A shutdown is seen at once, also in the midst of a message; from then on it has its time.
        let read = match self.leave_by {
            // Pinned here: what `unless` owned it would hold twice.
            None => self.watch.unless(&self.shutdown, pin!(self.pump.read(until))).await,
            Some(by) => Some(self.pump.read(Some(until.map_or(by, |until| until.min(by)))).await),
        };
        match read {
            None => Ok(true),
            Some(Err(blocked))
                if blocked.is_timeout() && self.leave_by.is_some_and(|by| self.pump.io.age() >= by) =>
            {
                Ok(true)
            }
            Some(Ok(0)) => {
                self.server.eof()?;
                Ok(false)
            }
            Some(Ok(_)) => {
                // The replies to a flight, rather than one after the other.
                self.pump.link.output().reserve(REPLIES);
                Ok(true)
            }
            Some(Err(blocked)) if blocked.is_timeout() => {
                Err(self.server.timed_out(self.pump.link.output()).into())
            }
            Some(Err(blocked)) => Err(self.blocked(blocked)),
        }
    }

    fn blocked(&self, blocked: Blocked) -> Error {
        let stage = if self.pump.link.is_handshaking() { Stage::Handshake } else { Stage::Idle };
        Error::blocked(blocked, stage)
    }

    async fn start_tls(&mut self) -> Result<bool, Error> {
        self.write(self.write_deadline()).await?;
        match &self.security {
            #[cfg(feature = "rustls")]
            Security::StartTls(tls) => {
                let tls = handshake::tls(tls)?;
                // Octets that came while the 220 was written were not said through TLS.
                self.pump.link.start_tls(tls).map_err(|error| match error {
                    StartTlsError::Leftover(_) => Error::from(smtp_proto::error::Violation::BehindStartTls),
                    _ => Error::from(NotNow::TlsActive),
                })?;
                self.shake_hands().await
            }
            _ => Err(Error::new(ErrorKind::NoTls, Stage::StartTls)),
        }
    }

    /// False if a shutdown came before it was done: a client that does not go on would be waited for, and until it does
    /// there is no message to be lost and nobody to hear a 421.
    async fn shake_hands(&mut self) -> Result<bool, Error> {
        let patience = self.server.config().timeouts.command;
        let until = Some(self.pump.io.age().saturating_add(patience));
        let Some(shaken) = unless(&self.shutdown, Box::pin(self.pump.handshake(until))).await else {
            return Ok(false);
        };
        shaken.map_err(|blocked| Error::blocked(blocked, Stage::Handshake))?;
        self.server.tls_established();
        self.restrict();
        Ok(true)
    }

    pub(crate) fn write_by(&self) -> WriteBy {
        WriteBy { patience: self.server.config().timeouts.write, leave_by: self.leave_by }
    }

    pub(crate) fn write_deadline(&self) -> Option<Duration> {
        self.write_by().from(self.pump.io.age())
    }

    async fn end(&mut self) {
        let until = Some(self.pump.io.age().saturating_add(GOODBYE));
        self.pump.close(until).await;
        let until = Some(self.pump.io.age().saturating_add(LINGER));
        self.pump.linger(until).await;
    }
}

/// Octets that the replies to most flights take.
const REPLIES: usize = 512;

/// How long what is in hand may take from a shutdown on.
pub(crate) const GRACE: Duration = Duration::from_secs(30);

/// How long the last words may take to leave.
const GOODBYE: Duration = Duration::from_secs(10);

/// How long a client has to hear them, if it goes on talking.
const LINGER: Duration = Duration::from_millis(500);

impl Responder<'_> {
    /// Gives the reply. To a message in LMTP or under PRDR it is the next recipient's; the responder's drop answers for
    /// those that are left, so give them all by [`reply_each`](Self::reply_each).
    ///
    /// # Errors
    ///
    /// [`NotNow::WrongCode`] if the code doesn't answer this command: the client was then told 451.
    pub fn reply(self, reply: &Reply<'_>) -> Result<(), NotNow> {
        self.span.scope(|| answer(self.server, reply, self.output))
    }

    /// Gives one reply for each that is owed. Too few are made up by 451, too many are left out.
    ///
    /// # Errors
    ///
    /// As [`reply`](Self::reply).
    pub fn reply_each<'r>(self, replies: impl IntoIterator<Item = Reply<'r>>) -> Result<(), NotNow> {
        for reply in replies.into_iter().take(self.server.owed() as usize) {
            self.span.scope(|| answer(self.server, &reply, self.output))?;
        }
        Ok(())
    }

    /// Gives the reply that accepts, where a server can accept without knowing more: 220, 250, 354, 221. VRFY gets 252;
    /// AUTH, XCLIENT and verbs that are not served are refused.
    pub fn accept(self) {
        while let Some(reply) = self.server.default_reply() {
            if self.span.scope(|| answer(self.server, &reply, self.output)).is_err() {
                return;
            }
        }
    }

    /// Asks for another response in an AUTH exchange.
    ///
    /// # Errors
    ///
    /// [`NotNow`] unless AUTH or a response to a challenge is what is answered.
    pub fn challenge(self, data: &[u8]) -> Result<(), NotNow> {
        self.server.challenge(data, self.output)
    }

    /// How many replies are owed.
    #[must_use]
    pub const fn owed(&self) -> u32 {
        self.server.owed()
    }

    /// The machine: who is logged in, whether TLS is on.
    #[must_use]
    pub const fn server(&self) -> &Server {
        self.server
    }

    /// What a 250 to EHLO will list: may be changed before it is given.
    pub const fn capabilities_mut(&mut self) -> &mut Capabilities<'static> {
        self.server.capabilities_mut()
    }
}

impl Drop for Responder<'_> {
    fn drop(&mut self) {
        self.span.scope(|| unanswered(self.server, self.output));
    }
}

/// Every reply but the machine's own is given here.
pub(crate) fn answer(server: &mut Server, reply: &Reply<'_>, output: &mut BytesMut) -> Result<(), NotNow> {
    server.reply(reply, output).inspect(|()| trace::said(reply))
}

/// Answers everything that is owed, for whoever did not.
pub(crate) fn unanswered(server: &mut Server, output: &mut BytesMut) {
    const UNANSWERED: Reply<'_> =
        Reply::fixed(Code::LOCAL_ERROR, Some(Enhanced::fixed(4, 3, 0)), "not served just now");
    // A temporary refusal answers everything.
    while server.owed() > 0 && answer(server, &UNANSWERED, output).is_ok() {}
}

#[cfg(feature = "rustls")]
mod handshake {
    use std::sync::Arc;

    use smtp_proto::stage::Stage;
    use smtp_proto::tls::Tls;

    use crate::Error;

    pub(super) fn tls(config: &Arc<rustls::ServerConfig>) -> Result<Tls, Error> {
        Tls::server(Arc::clone(config))
            .map_err(|error| Error::new(smtp_proto::link::Error::from(error), Stage::Handshake))
    }
}
