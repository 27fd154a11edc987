use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::BytesMut;

use super::{Error, Want, refused};
use crate::address::Domain;
use crate::auth::client::Exchange;
use crate::auth::{Channel, ChannelBinding, Credentials, Mechanisms, NONCE_LEN};
use crate::client::{Answer, Client, Step};
use crate::error::NotNow;
use crate::extension::{Capabilities, Extension};
use crate::reply::Reply;
use crate::stage::{Protocol, Stage};

/// Whether TLS is asked for on a connection that was opened in the clear.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum StartTls {
    /// Never.
    Off,
    /// Where it is offered. Whoever can change what the server says can take the offer away.
    Opportunistic,
    /// Always: without an offer the connection ends before any envelope or credential is sent.
    #[default]
    Required,
}

/// How connections are opened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// The client's own name, for EHLO (RFC 5321, 4.1.4: its domain, or its address as a literal).
    pub name: Domain<'static>,
    /// Whether STARTTLS is used. It has no meaning over implicit TLS.
    pub starttls: StartTls,
    /// Who logs in, if anybody.
    pub credentials: Option<Arc<Credentials>>,
    /// The mechanisms that may be used; `None` for any that is offered.
    pub mechanisms: Option<Mechanisms>,
    /// Credentials may go over the wire as they are where there is no TLS.
    pub auth_in_clear: bool,
    /// HELO is tried also after a 550 to EHLO.
    pub helo_after_550: bool,
    /// The host is who it should be once TLS has verified its certificate: its name was configured, was found by an MX
    /// lookup under DNSSEC, or fits the domain's MTA-STS policy. Messages with REQUIRETLS go to no other (RFC 8689, 4.2.1).
    pub host_is_authentic: bool,
    /// What this host listed when it was last spoken to: if PIPECONNECT was in it, EHLO is sent ahead of the greeting.
    pub cached: Option<Arc<Capabilities<'static>>>,
}

impl Options {
    /// STARTTLS required, nobody logs in.
    #[must_use]
    pub const fn new(name: Domain<'static>) -> Self {
        Self {
            name,
            starttls: StartTls::Required,
            credentials: None,
            mechanisms: None,
            auth_in_clear: false,
            helo_after_550: false,
            host_is_authentic: false,
            cached: None,
        }
    }

    /// Logs in with these credentials, by the strongest mechanism that is offered.
    #[must_use]
    pub fn with_credentials(mut self, credentials: Credentials) -> Self {
        self.credentials = Some(Arc::new(credentials));
        self
    }

    /// Logs in by the strongest of these mechanisms that is offered, and by no other.
    #[must_use]
    pub const fn with_mechanisms(mut self, mechanisms: Mechanisms) -> Self {
        self.mechanisms = Some(mechanisms);
        self
    }

    /// Sends EHLO ahead of the greeting, if PIPECONNECT is among these, which the host listed when it was last spoken to.
    /// See [`Client::ehlo_ahead`]. A host that does not offer it any more may refuse the connection: drop these then.
    #[must_use]
    pub fn with_cached(mut self, capabilities: Capabilities<'static>) -> Self {
        self.cached = Some(Arc::new(capabilities));
        self
    }

    /// Sets what is done about STARTTLS.
    #[must_use]
    pub const fn with_starttls(mut self, starttls: StartTls) -> Self {
        self.starttls = starttls;
        self
    }
}

/// Opens a connection: greeting, EHLO, STARTTLS, EHLO again, AUTH.
#[derive(Debug)]
pub struct Open {
    options: Arc<Options>,
    nonce: [u8; NONCE_LEN],
    binding: Option<Vec<u8>>,
    tried_helo: bool,
    /// EHLO went out ahead of the greeting, and is unanswered.
    ahead: bool,
    at: At,
}

#[derive(Debug)]
enum At {
    /// Nothing was said yet, by nobody.
    Start,
    /// A greeting command has to be sent.
    Hello,
    /// The one reply that is awaited says how it goes on.
    Waiting,
    Auth(Exchange),
    Done,
}

impl Open {
    /// `nonce` is fresh randomness from a cryptographic source, for SCRAM.
    #[must_use]
    pub const fn new(options: Arc<Options>, nonce: [u8; NONCE_LEN]) -> Self {
        Self { options, nonce, binding: None, tried_helo: false, ahead: false, at: At::Start }
    }

    /// The TLS handshake is done, before the greeting or after [`Want::StartTls`]; `exporter` is its `tls-exporter`
    /// channel binding (RFC 9266), where the TLS stage gives it out.
    pub fn tls_established(&mut self, client: &mut Client, exporter: Option<&[u8]>) {
        client.tls_established();
        if self.options.host_is_authentic {
            client.set_host_authentic();
        }
        self.binding = exporter.map(<[u8]>::to_vec);
        // Over implicit TLS the greeting comes first.
        if !client.is_waiting() {
            self.at = At::Hello;
        }
    }

    /// What is next.
    ///
    /// # Errors
    ///
    /// [`Error`]. The connection cannot be used then; whether a QUIT is in order [`Client::can_send`] tells.
    pub fn poll(
        &mut self,
        client: &mut Client,
        now: Duration,
        input: &mut &[u8],
        output: &mut BytesMut,
    ) -> Result<Want, Error> {
        loop {
            match self.at {
                At::Start => {
                    self.at = At::Waiting;
                    if let Some(cached) = &self.options.cached
                        && cached.has(Extension::PipeConnect)
                    {
                        client.ehlo_ahead(&self.options.name, cached, output)?;
                        self.ahead = true;
                    }
                }
                At::Hello => {
                    client.ehlo(&self.options.name, output)?;
                    self.at = At::Waiting;
                }
                At::Done => return Ok(Want::Done),
                At::Waiting | At::Auth(_) => {}
            }
            match client.poll(now, input)? {
                Step::Event(answer) => self.answered(&answer, client, output)?,
                Step::Unsolicited(answer) => return Err(refused(answer.to, &answer.reply)),
                Step::NeedInput(until) => return Ok(Want::Io(until)),
                Step::StartTls => return Ok(Want::StartTls),
                Step::Closed => return Err(NotNow::Closed.into()),
                Step::Idle => return Err(NotNow::NothingOwed.into()),
            }
        }
    }

    fn answered(
        &mut self,
        answer: &Answer<'_>,
        client: &mut Client,
        output: &mut BytesMut,
    ) -> Result<(), Error> {
        let Answer { to, ref reply } = *answer;
        let ahead = self.ahead;
        self.ahead &= to == Stage::Greeting;
        match to {
            Stage::Greeting if reply.is_positive() && ahead => {}
            Stage::Greeting if reply.is_positive() => self.at = At::Hello,
            // It came too early for this server, as it is now.
            Stage::Hello if ahead && !reply.is_positive() && !client.is_closed() => self.at = At::Hello,
            Stage::Hello if reply.is_positive() => self.greeted(client, output)?,
            Stage::Hello if self.may_try_helo(client, reply) => {
                self.tried_helo = true;
                client.helo(&self.options.name, output)?;
            }
            // What was negotiated so far is void; the server may still be used as it is (RFC 3207, 4).
            Stage::StartTls if reply.is_positive() => {}
            Stage::StartTls if self.options.starttls == StartTls::Opportunistic && !client.is_closed() => {
                self.log_in(client, output)?;
            }
            Stage::Auth => return self.authenticating(reply, client, output),
            _ => return Err(refused(to, reply)),
        }
        Ok(())
    }

    /// EHLO is unknown to some; HELO then does, where nothing is wanted that only EHLO can give (RFC 5321, 3.2).
    fn may_try_helo(&self, client: &Client, reply: &Reply<'_>) -> bool {
        let options = &*self.options;
        let unknown = match reply.code().as_u16() {
            500 | 501 | 502 | 504 => true,
            550 => options.helo_after_550,
            _ => false,
        };
        unknown
            && !self.tried_helo
            && client.config().protocol == Protocol::Smtp
            && options.credentials.is_none()
            && !client.has_tls()
            && options.starttls != StartTls::Required
    }

    fn greeted(&mut self, client: &mut Client, output: &mut BytesMut) -> Result<(), Error> {
        let offered = client.capabilities().has(Extension::StartTls);
        match self.options.starttls {
            _ if client.has_tls() => self.log_in(client, output),
            StartTls::Required | StartTls::Opportunistic if offered => Ok(client.starttls(output)?),
            StartTls::Required => Err(Error::NoStartTls),
            StartTls::Off | StartTls::Opportunistic => self.log_in(client, output),
        }
    }

    fn log_in(&mut self, client: &mut Client, output: &mut BytesMut) -> Result<(), Error> {
        let Some(credentials) = &self.options.credentials else {
            self.at = At::Done;
            return Ok(());
        };
        let offered = client.capabilities().mechanisms();
        let bound = self.binding.as_deref();
        let allowed = self.options.mechanisms.map_or(offered, |these| offered.intersection(these));
        let channel = match bound {
            Some(_) => Channel::Bound,
            None if client.has_tls() || self.options.auth_in_clear => Channel::Secure,
            None => Channel::Clear,
        };
        let mechanism = allowed.strongest(credentials, channel).ok_or(Error::NoMechanism(offered))?;
        let binding = bound.map_or(ChannelBinding::None, ChannelBinding::Exporter);
        let exchange = Exchange::new(mechanism, credentials, binding, &self.nonce)?;
        // RFC 4954, 4: where the line would pass 512 octets, the response waits for an empty challenge.
        let initial = exchange.initial().filter(|initial| initial.len() <= MAX_INITIAL);
        client.auth(mechanism, initial.as_deref(), output)?;
        self.at = At::Auth(exchange);
        Ok(())
    }

    fn authenticating(
        &mut self,
        reply: &Reply<'_>,
        client: &mut Client,
        output: &mut BytesMut,
    ) -> Result<(), Error> {
        let At::Auth(exchange) = &mut self.at else { return Err(refused(Stage::Auth, reply)) };
        if reply.is_positive() {
            exchange.succeeded()?;
            self.at = At::Done;
            return Ok(());
        }
        if reply.code().as_u16() != 334 {
            return Err(exchange.refusal().map_or_else(|| refused(Stage::Auth, reply), Error::Auth));
        }
        let text = reply.text();
        let challenge = crate::auth::Base64::parse(text.as_bytes()).map(|text| text.decode());
        match challenge.and_then(|challenge| exchange.respond(&challenge)) {
            Ok(response) => Ok(client.auth_response(&response, output)?),
            Err(error) => {
                client.auth_cancel(output)?;
                Err(error.into())
            }
        }
    }
}

/// Octets of an initial response that leave room for the rest of a line of 512: three in four of what is left beside
/// `AUTH SCRAM-SHA-256-PLUS ` and the CRLF.
const MAX_INITIAL: usize = 363;
