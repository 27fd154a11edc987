//! A handler's connection, from the greeting to the end.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use smtp_proto::command::Attribute;
use smtp_proto::reply::Reply;
use smtp_proto::server::{Config, Event};
use smtp_proto::stage::{Protocol, Stage};
use smtp_proto::status::{Code, Enhanced};

use crate::handler::{Peer, Said};
use crate::pump::attend;
use crate::server::{Connection, GRACE, Security};
use crate::trace;
use crate::trust::{claimed, known};
use crate::{Error, Handler, Io, Listener, Shutdown, Trust, accept_loop};
use login::{Login, conclude, unbind};

mod login;

/// What a server is, for every connection that it accepts.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Service {
    /// Name, capabilities, limits, policies.
    pub config: Arc<Config>,
    /// How connections are secured.
    pub security: Security,
    /// Connections served at once; the others wait in the system's backlog. Precedents: 100, 1,000, no limit.
    pub max_connections: usize,
    /// Whom to believe about who the client is.
    pub trust: Trust,
    /// How long a shutdown waits for messages in hand: see [`Connection::with_grace`].
    pub grace: Duration,
}

impl Service {
    /// A service in the clear, for at most 1,000 connections at once.
    #[must_use]
    pub const fn new(config: Arc<Config>) -> Self {
        Self { config, security: Security::Plain, max_connections: 1000, trust: Trust::NOBODY, grace: GRACE }
    }

    /// Offers STARTTLS.
    #[cfg(feature = "rustls")]
    #[must_use]
    pub fn with_starttls(mut self, tls: Arc<rustls::ServerConfig>) -> Self {
        self.config = Arc::new(Config::clone(&self.config).with_starttls());
        self.security = Security::StartTls(tls);
        self
    }

    /// Speaks TLS from the first octet.
    #[cfg(feature = "rustls")]
    #[must_use]
    pub fn with_implicit_tls(mut self, tls: Arc<rustls::ServerConfig>) -> Self {
        self.security = Security::Implicit(tls);
        self
    }

    /// Expects a PROXY header (HAProxy's, version 1 or 2) on connections from `trusted`, and takes the client to be who it
    /// says. Without one such a connection is closed; on all others none is looked for.
    #[must_use]
    pub fn with_proxy(mut self, trusted: impl IntoIterator<Item = IpNet>) -> Self {
        self.trust = self.trust.with_proxy(trusted);
        self
    }

    /// Offers XCLIENT to `trusted`, and to nobody else: see [`Handler::xclient`].
    #[must_use]
    pub fn with_xclient(mut self, trusted: impl IntoIterator<Item = IpNet>) -> Self {
        self.trust = self.trust.with_xclient(trusted);
        self
    }

    /// Offers XFORWARD to `trusted`, and to nobody else: see [`Handler::xforward`].
    #[must_use]
    pub fn with_xforward(mut self, trusted: impl IntoIterator<Item = IpNet>) -> Self {
        self.trust = self.trust.with_xforward(trusted);
        self
    }

    /// From a shutdown on, waits so long for messages in hand: 30 seconds otherwise.
    #[must_use]
    pub const fn with_grace(mut self, time: Duration) -> Self {
        self.grace = time;
        self
    }

    /// Serves so many connections at once.
    #[must_use]
    pub const fn with_max_connections(mut self, connections: usize) -> Self {
        self.max_connections = connections;
        self
    }
}

/// Accepts connections and serves each with a handler of its own, until `shutdown` begins and all have ended.
///
/// At the shutdown, connections between two messages are closed with a 421 at once, the others when their message was
/// answered, or when [`Service::grace`] is over.
///
/// # Errors
///
/// [`InvalidInput`](io::ErrorKind::InvalidInput) for a configuration that [is none for a server](Config::check). Else as
/// [`accept_loop`](crate::accept_loop): when no connection can come any more.
pub async fn serve<L, H>(
    listener: L,
    service: Service,
    shutdown: &Shutdown,
    handler: impl Fn() -> H,
) -> io::Result<()>
where
    L: Listener,
    H: Handler + 'static,
{
    service.config.check().map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    let run = |io| {
        let mut handler = handler();
        let Service { config, security, trust, grace, .. } = service.clone();
        let connection = Connection::new(io, config, security, shutdown.clone());
        // Not moved any more: a task is as large as all the places that its connection ever had.
        let mut connection = connection.map(|new| new.with_trust(trust).with_grace(grace));
        async move {
            let ended = match &mut connection {
                Ok(connection) => connection.serve(&mut handler).await,
                Err(_) => Ok(()),
            };
            handler.ended(connection.and(ended));
        }
    };
    accept_loop(listener, service.max_connections, shutdown, run).await
}

/// What a handler said about the message in hand.
#[derive(Default)]
struct Message {
    begun: bool,
    refused: Option<Reply<'static>>,
}

impl<I: Io> Connection<I> {
    /// Serves this connection with a handler, until it ends.
    ///
    /// # Errors
    ///
    /// As [`next`](Self::next): how the connection ended that did not end well. The handler's transaction was reset.
    pub async fn serve<H: Handler>(&mut self, handler: &mut H) -> Result<(), Error> {
        let mut message = Message::default();
        let mut login = None;
        // Deriving it is worth many commands, and it stays the same.
        let mut exporter = None;
        let (mut connected, mut secured) = (false, false);
        loop {
            let taken = self.take().await;
            let taken = match taken {
                Ok(Some(taken)) => taken,
                ended => {
                    handler.reset();
                    return ended.map(drop);
                }
            };
            if self.server.has_tls() && !secured {
                secured = true;
                exporter = self.tls_exporter();
                // Over implicit TLS the connection itself comes first, and says so.
                if connected {
                    handler.secured(self.peer());
                }
            }
            connected = true;
            let span = self.trace.span();
            // In one expression: a future that is moved out of a variable has room in the task twice.
            let answered =
                trace::within(span, self.answer(taken, handler, &mut message, &mut login, exporter.as_ref()))
                    .await;
            if let Err(error) = answered {
                handler.reset();
                return Err(Error::new(error, Stage::Idle));
            }
        }
    }

    fn peer(&self) -> Peer<'_> {
        Peer {
            address: self.address,
            proxy: self.proxy(),
            server: &self.server,
            #[cfg(feature = "rustls")]
            tls: self.pump.link.tls_connection(),
        }
    }

    /// One event: what the handler says of it, and the machine's default where it says nothing.
    async fn answer<H: Handler>(
        &mut self,
        taken: smtp_proto::server::Taken,
        handler: &mut H,
        message: &mut Message,
        login: &mut Option<Login>,
        exporter: Option<&[u8; 32]>,
    ) -> io::Result<()> {
        let by = self.write_by();
        let Self { pump, server, .. } = self;
        let io = &mut pump.io;
        let (input, mut outlet) = pump.link.halves();
        let out = &mut outlet;
        let reply = match server.event(taken, input) {
            Event::Connect => return self.connect(handler).await,
            Event::Xclient(_) => return self.xclient(taken, handler).await,
            Event::Hello { verb, name } => {
                let offered = server.capabilities_mut();
                if exporter.is_none() {
                    unbind(offered);
                }
                let reply = attend(handler.hello(verb, &name, offered), io, out, by).await?;
                // A refused EHLO leaves the transaction as it is (RFC 5321, 4.1.4).
                if reply.is_positive() {
                    handler.reset();
                }
                reply
            }
            Event::Mail(mail) => {
                *message = Message::default();
                // One that a refused chunk ended is heard of only now.
                handler.reset();
                attend(handler.mail(&mail), io, out, by).await?
            }
            Event::Rcpt(rcpt) => attend(handler.rcpt(&rcpt), io, out, by).await?,
            Event::Data => match attend(handler.message_begins(), io, out, by).await? {
                Ok(()) => {
                    accept(server, out.output());
                    return Ok(());
                }
                Err(reply) => reply,
            },
            Event::Chunk { .. } => {
                if !std::mem::replace(&mut message.begun, true) {
                    message.refused = attend(handler.message_begins(), io, out, by).await?.err();
                }
                return Ok(());
            }
            Event::Body(body) => {
                if message.refused.is_none() {
                    message.refused = attend(handler.body(&body), io, out, by).await?.err();
                }
                return Ok(());
            }
            Event::ChunkEnd => match message.refused.take() {
                Some(reply) => reply,
                None => {
                    accept(server, out.output());
                    return Ok(());
                }
            },
            Event::MessageEnd { replies } => {
                let reply = match std::mem::take(message).refused {
                    Some(reply) => reply,
                    None => attend(handler.message(), io, out, by).await?,
                };
                // PRDR's last reply is for the message as a whole; LMTP has none such.
                let whole = u32::from(server.config().protocol == Protocol::Smtp);
                for recipient in 0..(replies - whole) as usize {
                    let one = attend(handler.message_for(recipient, &reply), io, out, by).await?;
                    give(server, &one, out.output());
                }
                handler.reset();
                if whole == 0 {
                    return Ok(());
                }
                reply
            }
            Event::Refused(_) => {
                *message = Message::default();
                handler.reset();
                return Ok(());
            }
            Event::Rset | Event::StartTls => {
                handler.reset();
                accept(server, out.output());
                return Ok(());
            }
            Event::Auth { mechanism, initial } => {
                let initial = initial.map(|text| text.decode());
                let begun = match mechanism.known() {
                    None => Ok(Login::own(mechanism.as_str())),
                    Some(known) => Login::known(known, exporter, server),
                };
                match begun {
                    Ok(begun) => {
                        let work = login.insert(begun).go_on(handler, Said::Begin(initial.as_deref()));
                        let answer = attend(Box::pin(work), io, out, by).await?;
                        conclude(answer, login, server, out.output());
                        return Ok(());
                    }
                    Err(error) => error.reply(),
                }
            }
            Event::AuthResponse(text) => {
                let Some(begun) = login else {
                    accept(server, out.output());
                    return Ok(());
                };
                let response = text.decode();
                let work = begun.go_on(handler, Said::Response(&response));
                let answer = attend(Box::pin(work), io, out, by).await?;
                conclude(answer, login, server, out.output());
                return Ok(());
            }
            Event::AuthCancelled => {
                *login = None;
                return Ok(());
            }
            Event::Vrfy(text) => attend(handler.vrfy(text.as_str()), io, out, by).await?,
            Event::Xforward(attributes) => attend(handler.xforward(&attributes), io, out, by).await?,
            event => {
                let other = match &event {
                    Event::Expn(text) => Some(("EXPN", text.as_str())),
                    Event::Help(text) => Some(("HELP", text.as_str())),
                    Event::Etrn(text) => Some(("ETRN", text.as_str())),
                    Event::Unknown { verb, args } => Some((verb.as_str(), args.as_str())),
                    _ => None,
                };
                let reply = match other {
                    Some((verb, args)) => attend(handler.other(verb, args), io, out, by).await?,
                    None => None,
                };
                match reply {
                    Some(reply) => reply,
                    None => {
                        accept(server, out.output());
                        return Ok(());
                    }
                }
            }
        };
        give(server, &reply, out.output());
        Ok(())
    }
}

impl<I: Io> Connection<I> {
    async fn connect<H: Handler>(&mut self, handler: &mut H) -> io::Result<()> {
        let reply = handler.connected(self.peer()).await;
        self.listen().await;
        if !self.pump.link.input().is_empty() && self.server.config().refuse_early_talkers {
            // The machine has the word: it knows who may speak ahead.
            let now = self.pump.io.age();
            let (input, output) = self.pump.link.split();
            if let Err(violation) = self.server.step(now, input, output) {
                self.ending = Some(Err(violation.into()));
                return Ok(());
            }
        }
        give(&mut self.server, &reply, self.pump.link.output());
        Ok(())
    }

    /// XCLIENT: the handler is told of the client as it is to be taken for; its 220 makes it so.
    async fn xclient<H: Handler>(
        &mut self,
        taken: smtp_proto::server::Taken,
        handler: &mut H,
    ) -> io::Result<()> {
        const BAD_ADDRESS: Reply<'static> = Reply::fixed(
            Code::BAD_ARGUMENTS,
            Some(Enhanced::fixed(5, 5, 4)),
            "ADDR is no address, or PORT no port",
        );
        handler.reset();
        // It comes last in a group: what is owed for the others does not wait for the handler.
        let until = self.write_deadline();
        self.pump.flush(until).await?;
        let Event::Xclient(attributes) = self.server.event(taken, self.pump.link.input()) else {
            return Ok(());
        };
        let login = known(&attributes, Attribute::Login);
        let Ok(claim) = claimed(self.address, &attributes) else {
            give(&mut self.server, &BAD_ADDRESS, self.pump.link.output());
            return Ok(());
        };
        let reply = handler.xclient(Peer { address: claim, ..self.peer() }, &attributes).await;
        give(&mut self.server, &reply, self.pump.link.output());
        if reply.code() == Code::READY {
            self.address = claim;
            if login {
                self.server.set_authenticated();
            }
        }
        Ok(())
    }
}

/// Gives a handler's reply, or says 451 in its place if it doesn't answer what was asked.
fn give(server: &mut smtp_proto::server::Server, reply: &Reply<'_>, output: &mut bytes::BytesMut) {
    if crate::server::answer(server, reply, output).is_err() {
        crate::server::unanswered(server, output);
    }
}

fn accept(server: &mut smtp_proto::server::Server, output: &mut bytes::BytesMut) {
    if let Some(reply) = server.default_reply() {
        give(server, &reply, output);
    }
}
