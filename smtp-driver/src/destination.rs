use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
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
    authentic: bool,
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
            authentic: false,
            cached: None,
            connect_timeout: Duration::from_secs(30),
            config: Arc::new(Config::default()),
        }
    }

    /// Never TLS, not even where it is offered: for loopback.
    #[must_use]
    pub fn plain(host: impl Into<String>, port: u16) -> Self {
        Self::new(host, port, Mode::Plain)
    }

    /// Relay to port 25, with STARTTLS where it is offered. A certificate that isn't valid fails the connection: give a
    /// configuration that takes any where encryption without proof is wanted.
    #[must_use]
    #[cfg(feature = "rustls")]
    pub fn relay(host: impl Into<String>, tls: Arc<rustls::ClientConfig>) -> Self {
        Self::new(host, 25, Mode::StartTls(StartTls::Opportunistic, tls))
    }

    /// Submission to port 587, with STARTTLS required (RFC 6409).
    #[must_use]
    #[cfg(feature = "rustls")]
    pub fn submission(host: impl Into<String>, tls: Arc<rustls::ClientConfig>) -> Self {
        Self::new(host, 587, Mode::StartTls(StartTls::Required, tls))
    }

    /// Submission to port 465, in TLS from the first octet (RFC 8314).
    #[must_use]
    #[cfg(feature = "rustls")]
    pub fn submissions(host: impl Into<String>, tls: Arc<rustls::ClientConfig>) -> Self {
        Self::new(host, 465, Mode::Implicit(tls))
    }

    /// LMTP in the clear (RFC 2033). On port 25, where it is not spoken, [`ErrorKind::LmtpPort`] is all that comes of it.
    #[must_use]
    pub fn lmtp(host: impl Into<String>, port: u16) -> Self {
        Self::plain(host, port).with_lmtp()
    }

    /// The same, speaking LMTP.
    #[must_use]
    pub fn with_lmtp(mut self) -> Self {
        Arc::make_mut(&mut self.config).protocol = Protocol::Lmtp;
        self
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

    /// Logs in by the strongest of these mechanisms that is offered, and by no other.
    #[must_use]
    pub const fn with_mechanisms(mut self, mechanisms: Mechanisms) -> Self {
        self.mechanisms = Some(mechanisms);
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

    /// Limits, timeouts and policies: all that [`Config`] has but the protocol: see [`with_lmtp`](Self::with_lmtp).
    #[must_use]
    pub fn with_config(mut self, mut config: Config) -> Self {
        config.protocol = self.config.protocol;
        self.config = Arc::new(config);
        self
    }

    /// Vouches for the host: its name was configured, was found by an MX lookup under DNSSEC, or fits the domain's MTA-STS
    /// policy, and the TLS configuration takes no certificate unverified. Without that, messages with REQUIRETLS are not
    /// sent to it (RFC 8689, 4.2.1).
    #[must_use]
    pub const fn with_authentic_host(mut self) -> Self {
        self.authentic = true;
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

    /// As [`connect`](Self::connect), over a transport that is connected already.
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn open<I: Io>(&self, io: I) -> Result<Connection<I>, Error> {
        self.connect(std::future::ready(Ok(io))).await
    }

    /// Connects as `socket` does, to this host or to something that stands for it, and opens the connection: TLS, greeting,
    /// EHLO, AUTH.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::LmtpPort`] ahead of anything else; `socket`'s; and as [`Connection::open`].
    pub async fn connect<I: Io>(
        &self,
        socket: impl Future<Output = std::io::Result<I>>,
    ) -> Result<Connection<I>, Error> {
        if self.config.protocol == Protocol::Lmtp && self.port == 25 {
            return Err(Error::new(ErrorKind::LmtpPort, Stage::Connect));
        }
        let io = socket.await.map_err(|error| Error::new(error, Stage::Connect))?;
        let name = self.name.clone().or_else(|| io.local().map(|address| address.ip().into()));
        let name = name.unwrap_or_else(|| IpAddr::from(Ipv4Addr::LOCALHOST).into());
        let mut options = Options::new(name).with_starttls(StartTls::Off);
        options.credentials.clone_from(&self.credentials);
        options.mechanisms = self.mechanisms;
        options.auth_in_clear = self.auth_in_clear;
        options.host_is_authentic = self.authentic;
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

    #[cfg(feature = "rustls")]
    fn server_name(&self) -> Result<rustls::pki_types::ServerName<'static>, Error> {
        rustls::pki_types::ServerName::try_from(self.host.clone())
            .map_err(|_| Error::new(ErrorKind::NoTls, Stage::Handshake))
    }
}

/// [`plain`](Destination::plain), at this address: what a test or an example has of a server that it has just started.
impl From<SocketAddr> for Destination {
    fn from(address: SocketAddr) -> Self {
        Self::plain(address.ip().to_string(), address.port())
    }
}
