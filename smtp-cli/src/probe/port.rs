//! One port: what it speaks, step by step, and what is wrong with it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use smtp_tokio::proto::auth::Mechanisms;
use smtp_tokio::proto::error::Violation;
use smtp_tokio::proto::extension::{Capabilities, Extension};
use smtp_tokio::proto::reply::Reply;
use smtp_tokio::proto::stage::Protocol;
use smtp_tokio::proto::{link, tls};
use tokio::time::timeout;

use super::certificate::{Certificate, Recorder};
use super::talk::{self, Talk, Trouble};
use crate::exit::chain;

/// How long a port may be silent before TLS is tried on it.
const PAUSE: Duration = Duration::from_secs(2);
/// A certificate that expires sooner than that is to be renewed.
const SOON: i64 = 14;

/// What is asked about.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) lmtp: bool,
    /// How the port has to begin, by its number.
    pub(super) begins: Option<Mode>,
    pub(super) patience: Duration,
    pub(super) recorder: Arc<Recorder>,
    pub(super) config: Arc<ClientConfig>,
}

/// How a port has to begin, where its number says so.
pub(super) const fn begins(port: u16) -> Option<Mode> {
    match port {
        465 => Some(Mode::Implicit),
        24 | 25 | 587 | 2525 => Some(Mode::Clear),
        _ => None,
    }
}

/// How TLS comes onto a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Clear,
    StartTls,
    Implicit,
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) address: Option<SocketAddr>,
    pub(super) protocol: Option<Protocol>,
    pub(super) mode: Option<Mode>,
    pub(super) greeting: Option<Reply<'static>>,
    /// What is offered in the clear; nothing after HELO.
    pub(super) before: Option<Capabilities<'static>>,
    /// What is offered under TLS.
    pub(super) after: Option<Capabilities<'static>>,
    pub(super) secured: Option<Secured>,
    /// How many of three commands that left in one write were answered, and in how many reads that came.
    pub(super) pipelined: Option<(usize, usize)>,
    /// Whether a command that stood behind STARTTLS was carried over into TLS.
    pub(super) injected: Option<bool>,
    pub(super) warnings: Vec<Warning>,
    /// Why there is no more to say.
    pub(super) error: Option<String>,
}

/// TLS as it was agreed on.
#[derive(Debug)]
pub(super) struct Secured {
    pub(super) version: String,
    pub(super) cipher: String,
    /// The server's own certificate first.
    pub(super) chain: Vec<Certificate>,
    /// Why the certificate is not to be believed.
    pub(super) wrong: Option<String>,
}

/// Something that is wrong: a name for programs, and the words.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Warning {
    pub(super) kind: &'static str,
    pub(super) what: String,
}

impl Found {
    fn warn(&mut self, kind: &'static str, what: impl Into<String>) {
        self.warnings.push(Warning { kind, what: what.into() });
    }

    /// Whether anybody speaks SMTP or LMTP there.
    pub(super) const fn speaks(&self) -> bool {
        self.greeting.is_some()
    }
}

impl Target {
    /// Looks at the port.
    pub(super) async fn probe(&self) -> Found {
        let mut found = Found::default();
        let protocols: &[Protocol] = match (self.lmtp, self.port) {
            (true, _) => &[Protocol::Lmtp],
            (false, 24) => &[Protocol::Lmtp, Protocol::Smtp],
            (false, _) => &[Protocol::Smtp, Protocol::Lmtp],
        };
        for protocol in protocols {
            match self.talk(*protocol, &mut found).await {
                Ok(true) => break,
                Ok(false) => found = Found { error: found.error, ..Found::default() },
                Err(trouble) => {
                    found.error = Some(describe(&trouble));
                    break;
                }
            }
        }
        if found.mode == Some(Mode::StartTls) && found.secured.is_some() {
            found.injected = self.injects(found.protocol.unwrap_or_default()).await;
        }
        self.check(&mut found);
        found
    }

    /// A whole visit. `false` if this is not the protocol that is spoken there.
    async fn talk(&self, protocol: Protocol, found: &mut Found) -> Result<bool, Trouble> {
        let (mut talk, greeting) = self.open(protocol, found).await?;
        found.address = talk.peer();
        let welcome = greeting.is_positive();
        if !welcome {
            found.error = Some(format!("it turns us away: {greeting}"));
        }
        found.greeting = Some(greeting);
        if !welcome {
            talk.quit().await;
            return Ok(true);
        }
        let mut hello = talk.hello().await?;
        if !hello.is_positive() && protocol == Protocol::Smtp {
            hello = talk.helo().await?;
        }
        if !hello.is_positive() {
            found.error = Some(format!("it refuses to be greeted: {hello}"));
            talk.quit().await;
            return Ok(false);
        }
        found.error = None;
        found.protocol = Some(protocol);
        self.secure(&mut talk, found).await?;
        if talk.client().capabilities().has(Extension::Pipelining) {
            let replies = talk.pipeline().await.map_or(0, |replies| replies.len());
            found.pipelined = Some((replies, talk.reads()));
        }
        talk.quit().await;
        Ok(true)
    }

    /// What is offered, before and after STARTTLS.
    async fn secure(&self, talk: &mut Talk, found: &mut Found) -> Result<(), Trouble> {
        let offered = talk.client().capabilities().clone();
        if found.mode == Some(Mode::Implicit) {
            found.secured = self.secured(talk);
            found.after = Some(offered);
            return Ok(());
        }
        let starttls = offered.has(Extension::StartTls);
        found.before = Some(offered);
        if !starttls {
            return Ok(());
        }
        found.mode = Some(Mode::StartTls);
        let reply = talk.starttls(b"").await?;
        if !reply.is_positive() {
            found.warn("starttls-refused", format!("STARTTLS is offered and refused: {reply}"));
            return Ok(());
        }
        if let Err(trouble) = talk.secure(talk::tls(&self.config, &self.host)?).await {
            found.warn("starttls-broken", "STARTTLS is offered, and TLS does not come about");
            return Err(trouble);
        }
        found.secured = self.secured(talk);
        talk.hello().await?;
        found.after = Some(talk.client().capabilities().clone());
        Ok(())
    }

    fn secured(&self, talk: &Talk) -> Option<Secured> {
        let tls = talk.tls()?;
        let chain = tls.peer_certificates().unwrap_or_default().iter().filter_map(Certificate::read);
        Some(Secured {
            version: tls.protocol_version().map_or_else(String::new, |version| {
                version.as_str().map_or_else(|| format!("{version:?}"), |name| name.replace('_', "."))
            }),
            cipher: tls.negotiated_cipher_suite().map_or_else(String::new, |suite| {
                let suite = suite.suite();
                suite.as_str().map_or_else(|| format!("{suite:?}"), Into::into)
            }),
            chain: chain.collect(),
            wrong: self.recorder.wrong(),
        })
    }

    /// Connects in whichever way the port wants, up to its greeting.
    async fn open(&self, protocol: Protocol, found: &mut Found) -> Result<(Talk, Reply<'static>), Trouble> {
        if self.begins == Some(Mode::Implicit) {
            match self.implicit(protocol).await {
                Err(Trouble::Tls(link::Error::Tls(tls::Error::PlaintextPeer))) => {
                    let what = format!("port {} is for implicit TLS, and begins in the clear", self.port);
                    found.warn("mode-mismatch", what);
                    found.mode = Some(Mode::Clear);
                }
                opened => {
                    found.mode = Some(Mode::Implicit);
                    return opened;
                }
            }
        }
        let mut talk = self.connect(protocol).await?;
        let mut clear = Box::pin(async {
            let greeting = talk.reply().await;
            greeting.map(|greeting| (talk, greeting))
        });
        let greeted = match timeout(PAUSE, &mut clear).await {
            Ok(greeted) => greeted,
            // Whoever waits for TLS is silent, too; whoever is slow is waited for.
            Err(_) => match self.implicit(protocol).await {
                Ok(opened) => return Ok(self.is_implicit(found, opened)),
                Err(_) => clear.await,
            },
        };
        match greeted {
            Err(Trouble::Violation(Violation::ImplicitTls)) => {
                let opened = self.implicit(protocol).await?;
                Ok(self.is_implicit(found, opened))
            }
            greeted => {
                found.mode = Some(Mode::Clear);
                greeted
            }
        }
    }

    fn is_implicit<T>(&self, found: &mut Found, opened: T) -> T {
        found.mode = Some(Mode::Implicit);
        if self.begins == Some(Mode::Clear) {
            let what = format!("port {} is to begin in the clear, and speaks implicit TLS", self.port);
            found.warn("mode-mismatch", what);
        }
        opened
    }

    async fn connect(&self, protocol: Protocol) -> Result<Talk, Trouble> {
        Talk::connect((&self.host, self.port), protocol, self.patience).await
    }

    async fn implicit(&self, protocol: Protocol) -> Result<(Talk, Reply<'static>), Trouble> {
        let mut talk = self.connect(protocol).await?;
        talk.secure(talk::tls(&self.config, &self.host)?).await?;
        let greeting = talk.reply().await?;
        Ok((talk, greeting))
    }

    /// Whether a NOOP that left in the clear behind STARTTLS is answered under TLS (CVE-2011-0411). `None` if that could
    /// not be found out.
    async fn injects(&self, protocol: Protocol) -> Option<bool> {
        let mut talk = self.connect(protocol).await.ok()?;
        talk.reply().await.ok()?;
        talk.hello().await.ok()?;
        // Whoever hangs up, refuses, or answers it in the clear does not carry it over.
        match talk.starttls(b"NOOP\r\n").await {
            Ok(reply) if reply.is_positive() => {}
            _ => return Some(false),
        }
        if talk.secure(talk::tls(&self.config, &self.host).ok()?).await.is_err() {
            return Some(false);
        }
        let in_step = talk.is_in_step().await;
        talk.quit().await;
        Some(in_step.is_ok_and(|in_step| !in_step))
    }

    fn check(&self, found: &mut Found) {
        if found.protocol.is_none() {
            return;
        }
        let smtp = found.protocol == Some(Protocol::Smtp);
        let in_clear: Vec<_> = found.before.iter().flat_map(|offered| shown(offered.mechanisms())).collect();
        if !in_clear.is_empty() {
            let what = format!("AUTH {} is offered in the clear: passwords can be read", in_clear.join(" "));
            found.warn("auth-in-clear", what);
        }
        if found.mode == Some(Mode::Clear) && smtp {
            found.warn("no-tls", "STARTTLS is not offered: everything can be read, and changed");
        }
        if let Some(secured) = &found.secured {
            let own = secured.chain.first();
            let left = own.map(|own| own.days_left);
            let wrong = secured.wrong.clone();
            match left {
                Some(left) if left < 0 => {
                    found.warn("certificate-expired", format!("the certificate expired {} days ago", -left));
                }
                Some(left) if left < SOON => {
                    found.warn("certificate-expires", format!("the certificate expires in {left} days"));
                }
                _ => {}
            }
            if let Some(wrong) = wrong.filter(|_| left.is_none_or(|left| left >= 0)) {
                found.warn("certificate-refused", format!("the certificate is not to be believed: {wrong}"));
            }
        }
        if found.injected == Some(true) {
            let what = "a command behind STARTTLS is carried over into TLS: whoever is on the way can say \
                        something in the client's name (CVE-2011-0411)";
            found.warn("starttls-injection", what);
        }
        if found.pipelined.is_some_and(|(replies, _)| replies < 3) {
            found.warn(
                "no-pipelining",
                "PIPELINING is offered, and of three commands in one write not all are answered",
            );
        }
        self.check_offers(found, smtp);
    }

    fn check_offers(&self, found: &mut Found, smtp: bool) {
        let Some(offered) = found.after.clone().or_else(|| found.before.clone()) else { return };
        if offered.set().is_empty() && smtp {
            found.warn("no-extensions", "nothing is offered: it is SMTP of 1982");
        }
        for (lacks, needs) in
            [(Extension::SmtpUtf8, Extension::EightBitMime), (Extension::BinaryMime, Extension::Chunking)]
        {
            if offered.has(lacks) && !offered.has(needs) {
                found.warn("offer-alone", format!("{lacks} is offered without {needs}"));
            }
        }
        if found.after.is_some() && offered.has(Extension::StartTls) {
            found.warn("starttls-twice", "STARTTLS is offered under TLS, too");
        }
        if matches!(self.port, 465 | 587) && !offered.has(Extension::Auth) {
            found.warn("no-auth", "this is a port for submission, and AUTH is not offered");
        }
    }
}

/// The mechanisms that show the password to whoever listens.
fn shown(mechanisms: Mechanisms) -> impl Iterator<Item = &'static str> {
    mechanisms.iter().filter(|mechanism| mechanism.is_cleartext()).map(|mechanism| mechanism.name())
}

fn describe(trouble: &Trouble) -> String {
    match trouble {
        Trouble::Io(error) => match error.kind() {
            io::ErrorKind::ConnectionRefused => "closed: nobody listens there".into(),
            io::ErrorKind::TimedOut => "silent: no answer in time; a firewall may be in the way".into(),
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => "it hung up".into(),
            _ => error.to_string(),
        },
        trouble => chain(trouble),
    }
}
