//! Our servers: one of each adapter's, in this process. What they take is kept to be compared.

use std::collections::HashSet;
use std::fmt;
use std::future::{Future, ready};
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, LazyLock, Mutex};
use std::thread;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use smtp_driver::proto::address::Domain;
use smtp_driver::proto::auth::server::{Claim, Secret};
use smtp_driver::proto::auth::{Mechanism, Mechanisms};
use smtp_driver::proto::command::{Attributes, Mail as MailFrom, Rcpt};
use smtp_driver::proto::dot::Body;
use smtp_driver::proto::extension::Extension;
use smtp_driver::proto::reply::Reply;
use smtp_driver::proto::server::Config;
use smtp_driver::proto::status::{Code, Enhanced};
use smtp_driver::{Handler, OK, Peer, Service, Shutdown, serve};

use crate::heard::{Fresh, Heard, Overheard};
use crate::mail::Mail;
use crate::process::PATIENCE;
use crate::room::{SIZE, room};
use crate::store::Stored;

pub(crate) const USER: &str = "alice";
pub(crate) const PASSWORD: &str = "secret";
pub(crate) const TOKEN: &str = "token";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Runtime {
    Tokio,
    Smol,
    Blocking,
}

impl Runtime {
    pub(crate) const ALL: [Self; 3] = [Self::Tokio, Self::Smol, Self::Blocking];

    /// Which this is, in the matrix.
    pub(crate) const fn letter(self) -> char {
        match self {
            Self::Tokio => 't',
            Self::Smol => 's',
            Self::Blocking => 'b',
        }
    }
}

impl fmt::Display for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tokio => "tokio",
            Self::Smol => "smol",
            Self::Blocking => "blocking",
        })
    }
}

/// What a server of ours was sent.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    arrived: Mutex<Vec<Stored>>,
    changed: Condvar,
    /// From whom to whom was put off once.
    put_off: Mutex<HashSet<(String, String)>>,
}

/// How a message came, as its server knows.
#[derive(Clone, Debug, Default)]
pub(crate) struct How {
    pub(crate) tls: bool,
    /// Its client has logged in.
    pub(crate) login: bool,
    /// Whom its client was taken for, by XCLIENT.
    pub(crate) claimed: Option<SocketAddr>,
    /// What its client has said on the connection up to its end, a string a read.
    pub(crate) heard: Vec<String>,
}

impl Ledger {
    /// Waits for this message.
    #[track_caller]
    pub(crate) fn take(&self, mail: &Mail) -> Stored {
        let mut arrived = self.arrived.lock().unwrap();
        loop {
            if let Some(at) = arrived.iter().position(|one| is(one, mail)) {
                return arrived.swap_remove(at);
            }
            let waited = self.changed.wait_timeout(arrived, PATIENCE).unwrap();
            assert!(!waited.1.timed_out(), "{} did not arrive", mail.mark);
            arrived = waited.0;
        }
    }

    pub(crate) fn has(&self, mail: &Mail) -> bool {
        self.arrived.lock().unwrap().iter().any(|one| is(one, mail))
    }
}

fn is(stored: &Stored, mail: &Mail) -> bool {
    stored.message.starts_with(mail.mark.as_bytes())
}

/// A server of ours.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) plain: u16,
    pub(crate) tls: u16,
    pub(crate) lmtp: u16,
    pub(crate) ledger: Arc<Ledger>,
}

pub(crate) fn server(runtime: Runtime) -> &'static Server {
    static TOKIO: LazyLock<Server> = LazyLock::new(|| Server::start(Runtime::Tokio));
    static SMOL: LazyLock<Server> = LazyLock::new(|| Server::start(Runtime::Smol));
    static BLOCKING: LazyLock<Server> = LazyLock::new(|| Server::start(Runtime::Blocking));
    match runtime {
        Runtime::Tokio => &TOKIO,
        Runtime::Smol => &SMOL,
        Runtime::Blocking => &BLOCKING,
    }
}

/// The runtime of everything of tokio's here.
pub(crate) fn tokio() -> &'static tokio::runtime::Runtime {
    static TOKIO: LazyLock<tokio::runtime::Runtime> =
        LazyLock::new(|| tokio::runtime::Runtime::new().unwrap());
    &TOKIO
}

const MECHANISMS: [Mechanism; 7] = [
    Mechanism::Plain,
    Mechanism::Login,
    Mechanism::CramMd5,
    Mechanism::ScramSha1,
    Mechanism::ScramSha256,
    Mechanism::ScramSha256Plus,
    Mechanism::XOauth2,
];

impl Server {
    fn start(runtime: Runtime) -> Self {
        let ledger = Arc::new(Ledger::default());
        let name = Domain::parse(&format!("{runtime}.example.test")).unwrap().into_owned();
        let mut config = Config::new(name).with_auth(MECHANISMS.into_iter().collect::<Mechanisms>());
        for extension in [Extension::Prdr, Extension::PipeConnect, Extension::RequireTls] {
            config.capabilities = config.capabilities.with(extension);
        }
        config.capabilities = config.capabilities.with_size(SIZE as u64);
        let tls = tls();
        let loopback = [smtp_driver::ipnet::IpNet::from(std::net::IpAddr::from([127, 0, 0, 1]))];
        let smtp = Service::new(config.clone().shared());
        let plain = smtp.clone().with_starttls(tls.clone()).with_xclient(loopback);
        let implicit = smtp.with_implicit_tls(tls.clone());
        let lmtp = Service::new(config.lmtp().shared()).with_starttls(tls);
        let [plain, tls, lmtp] = [plain, implicit, lmtp].map(|service| listen(runtime, service, &ledger));
        Self { plain, tls, lmtp, ledger }
    }
}

fn tls() -> Arc<ServerConfig> {
    let chain =
        CertificateDer::pem_file_iter(&room().certificate).unwrap().collect::<Result<_, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_file(&room().key).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    Arc::new(config.with_single_cert(chain, key).unwrap())
}

/// Serves until the process ends; gives the port.
fn listen(runtime: Runtime, service: Service, ledger: &Arc<Ledger>) -> u16 {
    const ANY_PORT: (&str, u16) = ("127.0.0.1", 0);
    let ledger = Arc::clone(ledger);
    let fresh = Fresh::default();
    let overheard = fresh.clone();
    let handler =
        move || Receiver { ledger: Arc::clone(&ledger), fresh: fresh.clone(), ..Receiver::default() };
    let address = match runtime {
        Runtime::Tokio => {
            let listener = tokio().block_on(smtp_tokio::Listener::bind(ANY_PORT)).unwrap();
            let address = listener.local_addr();
            let listener = Overheard(listener, overheard);
            tokio().spawn(async move { serve(listener, service, &Shutdown::new(), handler).await });
            address
        }
        Runtime::Smol => {
            let bound = smtp_asyncstd::Listener::bind(ANY_PORT, smtp_asyncstd::spawn::smol);
            let listener = smol::block_on(bound).unwrap();
            let address = listener.local_addr();
            let listener = Overheard(listener, overheard);
            thread::spawn(move || smol::block_on(serve(listener, service, &Shutdown::new(), handler)));
            address
        }
        Runtime::Blocking => {
            let listener = smtp_blocking::Listener::bind(ANY_PORT).unwrap();
            let address = listener.local_addr();
            // What `smtp_blocking::serve` does, with a listener in between.
            let serving = move || {
                smtp_blocking::block_on(serve(
                    Overheard(listener, overheard),
                    service,
                    &Shutdown::new(),
                    handler,
                ))
            };
            thread::spawn(serving);
            address
        }
    };
    address.unwrap().port()
}

#[derive(Debug, Default)]
struct Receiver {
    ledger: Arc<Ledger>,
    fresh: Fresh,
    /// What is known of the client.
    heard: Heard,
    how: How,
    /// What is known of the message in hand.
    from: String,
    octets: Vec<u8>,
}

impl Handler for Receiver {
    fn connected(&mut self, peer: Peer<'_>) -> impl Future<Output = Reply<'static>> + Send {
        self.heard = self.fresh.take(peer.address.unwrap());
        self.how.tls = peer.server.has_tls();
        ready(Reply::fixed(Code::READY, None, "ESMTP"))
    }

    fn secured(&mut self, _: Peer<'_>) {
        self.how = How { tls: true, ..How::default() };
    }

    fn mail(&mut self, mail: &MailFrom<'_>) -> impl Future<Output = Reply<'static>> + Send {
        self.from = mail.from.as_str().to_owned();
        ready(OK)
    }

    fn rcpt(&mut self, rcpt: &Rcpt<'_>) -> impl Future<Output = Reply<'static>> + Send {
        let to = rcpt.to.as_str();
        let first = || self.ledger.put_off.lock().unwrap().insert((self.from.clone(), to.to_owned()));
        ready(match to.split_once('@') {
            Some(("nobody", _)) => UNKNOWN,
            Some(("busy", _)) => BUSY,
            Some(("later", _)) => LATER,
            Some((_, domain)) if domain.starts_with(GREY) && first() => LATER,
            _ => OK,
        })
    }

    fn body(&mut self, body: &Body<'_>) -> impl Future<Output = Result<(), Reply<'static>>> + Send {
        body.append_to(&mut self.octets);
        ready(Ok(()))
    }

    fn message(&mut self) -> impl Future<Output = Reply<'static>> + Send {
        let mut trace = std::mem::take(&mut self.octets);
        let at = trace.windows(11).position(|window| window == b"X-Interop: ");
        let message = trace.split_off(at.unwrap_or(0));
        let trace = String::from_utf8_lossy(&trace).into_owned();
        let how = How { heard: self.heard.reads(), ..self.how.clone() };
        self.ledger.arrived.lock().unwrap().push(Stored { trace, message, how: Some(how) });
        self.ledger.changed.notify_all();
        ready(OK)
    }

    fn reset(&mut self) {
        self.octets.clear();
    }

    fn authenticate(&mut self, claim: &Claim) -> impl Future<Output = Option<String>> + Send {
        let user = match claim {
            Claim::Password { user, password, .. } if password == PASSWORD => Some(user),
            Claim::Token { user: Some(user), token, .. } if token == TOKEN => Some(user),
            _ => None,
        };
        ready(user.filter(|user| *user == USER).cloned())
    }

    fn secret(&mut self, user: &str, _: Mechanism) -> impl Future<Output = Option<Secret>> + Send {
        ready((user == USER).then(|| Secret::Password(PASSWORD.into())))
    }

    fn authorize(&mut self, user: &str, acting_as: Option<&str>) -> impl Future<Output = bool> + Send {
        self.how.login = acting_as.is_none_or(|other| other == user);
        ready(self.how.login)
    }

    fn xclient(&mut self, peer: Peer<'_>, _: &Attributes<'_>) -> impl Future<Output = Reply<'static>> + Send {
        self.how.claimed = peer.address;
        ready(Reply::fixed(Code::READY, None, "ESMTP"))
    }
}

/// How the domain of recipients begins for whom a message is put off at the first time.
pub(crate) const GREY: &str = "grey.";

const UNKNOWN: Reply<'static> =
    Reply::fixed(Code::MAILBOX_UNAVAILABLE, Some(Enhanced::fixed(5, 1, 1)), "no such user here");
const LATER: Reply<'static> =
    Reply::fixed(Code::LOCAL_ERROR, Some(Enhanced::fixed(4, 3, 0)), "try again later");
const BUSY: Reply<'static> = Reply::fixed(Code::NOT_AVAILABLE, Some(Enhanced::fixed(4, 3, 2)), "too busy");
