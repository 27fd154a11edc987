use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use smtp_proto::address::Domain;
use smtp_proto::auth::{Credentials, Mechanisms};
use smtp_proto::client::Config;
use smtp_proto::extension::Capabilities;
use smtp_proto::session::{Options, StartTls};
use smtp_proto::stage::{Protocol, Stage};

use crate::client::{Connection, Security};
use crate::{Error, ErrorKind, Io};

/// Whom to connect to, and how: made once, used for every connection.
///
/// The presets are the ports and modes of RFC 5321, 6409, 8314 and 2033. Roots and crypto provider of TLS are the
/// application's.
///
/// ```
/// use smtp_driver::Destination;
/// use smtp_proto::auth::Credentials;
///
/// let relay = Destination::plain("127.0.0.1", 2525);
/// assert_eq!((relay.host(), relay.port()), ("127.0.0.1", 2525));
/// ```
#[derive(Clone, Debug)]
pub struct Destination {
    host: String,
    port: u16,
    mode: Mode,
    name: Option<Domain<'static>>,
    credentials: Option<Arc<Credentials>>,
    mechanisms: Option<Mechanisms>,
    auth_in_clear: bool,
    cached: Option<Arc<Capabilities<'static>>>,
    connect_timeout: Duration,
    config: Arc<Config>,
}

#[derive(Clone, Debug)]
enum Mode {
    Plain,
    #[cfg(feature = "rustls")]
    StartTls(StartTls, Arc<rustls::ClientConfig>),
    #[cfg(feature = "rustls")]
    Implicit(Arc<rustls::ClientConfig>),
}

impl Destination {
    fn new(host: impl Into<String>, port: u16, mode: Mode) -> Self {
        Self {
            host: host.into(),
            port,
            mode,
            name: None,
            credentials: None,
            mechanisms: None,
            auth_in_clear: false,
            cached: None,
            connect_timeout: Duration::from_secs(30),
            config: Arc::new(Config::default()),
        }
    }

    /// Never TLS, not even where it is offered: for loopback.
    pub fn plain(host: impl Into<String>, port: u16) -> Self {
        Self::new(host, port, Mode::Plain)
    }

    /// Relay to port 25, with STARTTLS where it is offered. A certificate that isn't valid fails the connection: give a
    /// configuration that takes any where encryption without proof is wanted.
    #[cfg(feature = "rustls")]
    pub fn relay(host: impl Into<String>, tls: Arc<rustls::ClientConfig>) -> Self {
        Self::new(host, 25, Mode::StartTls(StartTls::Opportunistic, tls))
    }

    /// Submission to port 587, with STARTTLS required (RFC 6409).
    #[cfg(feature = "rustls")]
    pub fn submission(host: impl Into<String>, tls: Arc<rustls::ClientConfig>) -> Self {
        Self::new(host, 587, Mode::StartTls(StartTls::Required, tls))
    }

    /// Submission to port 465, in TLS from the first octet (RFC 8314).
    #[cfg(feature = "rustls")]
    pub fn submissions(host: impl Into<String>, tls: Arc<rustls::ClientConfig>) -> Self {
        Self::new(host, 465, Mode::Implicit(tls))
    }

    /// LMTP in the clear (RFC 2033): never on port 25.
    pub fn lmtp(host: impl Into<String>, port: u16) -> Self {
        let mut this = Self::plain(host, port);
        Arc::make_mut(&mut this.config).protocol = Protocol::Lmtp;
        this
    }

    /// Another port.
    #[must_use]
    pub const fn with_port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// What is done about STARTTLS. Nothing where TLS is implicit, or not configured.
    #[cfg(feature = "rustls")]
    #[must_use]
    pub fn with_starttls(mut self, policy: StartTls) -> Self {
        if let Mode::StartTls(current, _) = &mut self.mode {
            *current = policy;
        }
        self
    }

    /// The name to greet with; otherwise the connection's own address as a literal.
    #[must_use]
    pub fn with_name(mut self, name: Domain<'static>) -> Self {
        self.name = Some(name);
        self
    }

    /// Who logs in.
    #[must_use]
    pub fn with_credentials(mut self, credentials: Credentials) -> Self {
        self.credentials = Some(Arc::new(credentials));
        self
    }

    /// Logs in by one of these, where the server offers it, and by no other: by the strongest that it offers otherwise.
    #[must_use]
    pub const fn with_mechanisms(mut self, usable: Mechanisms) -> Self {
        self.mechanisms = Some(usable);
        self
    }

    /// Lets the password cross the wire as it is where there is no TLS.
    #[must_use]
    pub const fn with_auth_in_clear(mut self) -> Self {
        self.auth_in_clear = true;
        self
    }

    /// What this host listed when it was last spoken to ([`Connection::capabilities`]): if it offered PIPECONNECT, EHLO goes
    /// ahead of its greeting, which saves a round trip. A host that does not offer it any more may refuse the connection:
    /// connect again without, then.
    #[must_use]
    pub fn with_cached(mut self, capabilities: Capabilities<'static>) -> Self {
        self.cached = Some(Arc::new(capabilities));
        self
    }

    /// How long connecting may take: 30 seconds otherwise.
    #[must_use]
    pub const fn with_connect_timeout(mut self, time: Duration) -> Self {
        self.connect_timeout = time;
        self
    }

    /// Limits, timeouts and policies, and the protocol: all that [`Config`] has.
    #[must_use]
    pub fn with_config(mut self, config: Config) -> Self {
        self.config = Arc::new(config);
        self
    }

    /// The host's name or address.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// How long connecting may take.
    #[must_use]
    pub const fn connect_timeout(&self) -> Duration {
        self.connect_timeout
    }

    /// Opens a connection over a transport that was connected to this host, or to something that stands for it.
    ///
    /// # Errors
    ///
    /// As [`Connection::open`].
    pub async fn open<I: Io>(&self, io: I) -> Result<Connection<I>, Error> {
        let name = self.name.clone().or_else(|| io.local().map(|address| address.ip().into()));
        let name = name.unwrap_or_else(|| IpAddr::from(Ipv4Addr::LOCALHOST).into());
        let mut options = Options::new(name).with_starttls(StartTls::Off);
        options.credentials.clone_from(&self.credentials);
        options.mechanisms = self.mechanisms;
        options.auth_in_clear = self.auth_in_clear;
        options.cached.clone_from(&self.cached);
        let security = match &self.mode {
            Mode::Plain => Security::Plain,
            #[cfg(feature = "rustls")]
            Mode::StartTls(policy, tls) => {
                options.starttls = *policy;
                Security::StartTls(Arc::clone(tls), self.server_name()?)
            }
            #[cfg(feature = "rustls")]
            Mode::Implicit(tls) => Security::Implicit(Arc::clone(tls), self.server_name()?),
        };
        Connection::open(io, &security, Arc::new(options), Arc::clone(&self.config)).await
    }

    /// The error of a transport that could not be connected.
    #[must_use]
    pub fn unreachable(&self, error: std::io::Error) -> Error {
        Error::new(ErrorKind::Io(error), Stage::Connect)
    }

    #[cfg(feature = "rustls")]
    fn server_name(&self) -> Result<rustls::pki_types::ServerName<'static>, Error> {
        rustls::pki_types::ServerName::try_from(self.host.clone())
            .map_err(|_| Error::new(ErrorKind::NoTls, Stage::Handshake))
    }
}
