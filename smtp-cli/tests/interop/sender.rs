//! Our clients: one of each adapter's, in this process, and `smtp send`.

use std::fmt;
use std::fs;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use smtp_driver::proto::address::{Domain, Mailbox};
use smtp_driver::proto::auth::{Credentials, Mechanism, Mechanisms};
use smtp_driver::proto::client::Config;
use smtp_driver::proto::extension::Capabilities;
use smtp_driver::proto::param::{Notify, Orcpt, Param, Ret, Xtext};
use smtp_driver::proto::session::{Content, Envelope, Outcome, Report, Transfer};
use smtp_driver::{Destination, Io, Message, Piece};

use crate::mail::{Mail, SENDER};
use crate::peer::ours;
use crate::peers::Peer;
use crate::process::{PATIENCE, run};
use crate::receiver::{Runtime, tokio};
use crate::room::room;

/// One of our clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Client {
    Of(Runtime),
    Tool,
}

impl Client {
    pub(crate) const ALL: [Self; 4] =
        [Self::Of(Runtime::Tokio), Self::Of(Runtime::Smol), Self::Of(Runtime::Blocking), Self::Tool];

    /// Who this is, in the matrix.
    pub(crate) const fn letter(self) -> char {
        match self {
            Self::Of(runtime) => runtime.letter(),
            Self::Tool => 'x',
        }
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Of(runtime) => runtime.fmt(f),
            Self::Tool => f.write_str("send"),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Security {
    Plain,
    StartTls,
    Implicit,
}

/// One message, and for whom.
#[derive(Clone, Debug)]
pub(crate) struct Sending<'m> {
    pub(crate) mail: &'m Mail,
    pub(crate) envelope: Envelope<'static>,
    /// What the server is told of it beforehand, where that is not what it is.
    pub(crate) content: Option<Content>,
}

impl<'m> Sending<'m> {
    pub(crate) fn to<'a>(mail: &'m Mail, to: impl IntoIterator<Item = &'a str>) -> Self {
        let to: Vec<&str> = to.into_iter().collect();
        Self { mail, envelope: Envelope::parse(SENDER, to).unwrap().into_owned(), content: None }
    }

    pub(crate) fn from(mut self, sender: &str) -> Self {
        self.envelope.from = Mailbox::parse(sender).unwrap().into_owned().into();
        self
    }

    /// Asks to be told of failures, of the first recipient's.
    pub(crate) fn with_dsn(mut self) -> Self {
        self.envelope = self.envelope.with(&Param::Ret(Ret::Hdrs)).unwrap();
        self.envelope = self.envelope.with(&Param::Envid(Xtext::encode(b"a+b=c"))).unwrap();
        let to = self.envelope.to[0].clone();
        let orcpt = Orcpt::parse("rfc822;bob@example.test").unwrap();
        self.envelope.to[0] =
            to.with(&Param::Notify(Notify::FAILURE)).unwrap().with(&Param::Orcpt(orcpt)).unwrap();
        self
    }
}

/// A message that is told of as its sending says.
struct Told<'s>(&'s Sending<'s>);

impl Message for Told<'_> {
    fn content(&self) -> Content {
        self.0.content.unwrap_or_else(|| Content::of(&self.0.mail.octets))
    }

    async fn next(&mut self) -> std::io::Result<Piece<'_>> {
        Ok(Piece { octets: &self.0.mail.octets, last: true })
    }
}

/// What to do on one connection.
#[derive(Clone, Debug)]
pub(crate) struct Errand<'e> {
    pub(crate) peer: &'e Peer,
    pub(crate) security: Security,
    pub(crate) login: Option<(Mechanism, &'e str)>,
    /// Logs in by the strongest mechanism that is offered, whichever that is.
    pub(crate) by_any: bool,
    pub(crate) transfer: Transfer,
    /// Each message's envelope rides behind the end of the message ahead.
    pub(crate) overlapped: bool,
    /// How long a reply may take.
    pub(crate) patience: Duration,
    /// How often the tool tries again what was put off.
    pub(crate) retries: u32,
    /// Trusts nobody.
    pub(crate) distrusts: bool,
    pub(crate) cached: Option<Capabilities<'static>>,
    pub(crate) mails: Vec<Sending<'e>>,
}

/// What became of it.
#[derive(Debug, Default)]
pub(crate) struct Ended {
    pub(crate) offered: Capabilities<'static>,
    /// For each message, for each recipient.
    pub(crate) told: Vec<Vec<Fate>>,
    /// What ended the connection before its time.
    pub(crate) failed: Option<String>,
}

/// What a client was told of one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fate {
    /// The last code; 0 without one.
    pub(crate) code: u16,
    pub(crate) text: String,
}

impl<'e> Errand<'e> {
    pub(crate) fn new(peer: &'e Peer, security: Security, mails: Vec<Sending<'e>>) -> Self {
        // The strongest that there is, where a login is needed.
        let login = (peer.submission && security != Security::Plain).then_some((Mechanism::Plain, "secret"));
        Self {
            peer,
            security,
            login,
            by_any: false,
            transfer: Transfer::Data,
            overlapped: false,
            patience: PATIENCE,
            retries: 0,
            distrusts: false,
            cached: None,
            mails,
        }
    }

    fn port(&self) -> u16 {
        if self.security == Security::Implicit { self.peer.tls.unwrap() } else { self.peer.plain }
    }

    pub(crate) fn run(&self, client: Client) -> Ended {
        let address = ("127.0.0.1", self.port());
        match client {
            Client::Of(Runtime::Tokio) => tokio().block_on(async {
                let socket = smtp_tokio::Socket::connect(address, PATIENCE).await.unwrap();
                self.deliver(socket).await
            }),
            Client::Of(Runtime::Smol) => smol::block_on(async {
                let socket = smtp_asyncstd::Socket::connect(address, PATIENCE).await.unwrap();
                self.deliver(socket).await
            }),
            Client::Of(Runtime::Blocking) => smtp_blocking::block_on(async {
                let socket = smtp_blocking::Socket::connect(address, PATIENCE).unwrap();
                self.deliver(socket).await
            }),
            Client::Tool => self.send(),
        }
    }

    fn destination(&self) -> Destination {
        let tls = Arc::clone(if self.distrusts { &NOBODY } else { &TRUSTING });
        let to = match self.security {
            Security::Plain => Destination::plain("localhost", self.port()),
            Security::StartTls => Destination::submission("localhost", tls).with_port(self.port()),
            Security::Implicit => Destination::submissions("localhost", tls).with_port(self.port()),
        };
        let mut config = Config::default();
        let timeouts = &mut config.timeouts;
        (timeouts.greeting, timeouts.command, timeouts.data) = (self.patience, self.patience, self.patience);
        timeouts.end_of_data = self.patience;
        let mut to =
            to.with_config(config).with_name(Domain::parse("client.example.test").unwrap().into_owned());
        if self.peer.lmtp {
            to = to.with_lmtp();
        }
        if let Some((mechanism, secret)) = self.login {
            let credentials = match mechanism {
                Mechanism::XOauth2 => Credentials::token(self.peer.user, secret),
                _ => Credentials::password(self.peer.user, secret),
            };
            to = to.with_credentials(credentials).with_auth_in_clear();
            if !self.by_any {
                to = to.with_mechanisms(Mechanisms::NONE.with(mechanism));
            }
        }
        match &self.cached {
            Some(cached) => to.with_cached(cached.clone()),
            None => to,
        }
    }

    async fn deliver<I: Io>(&self, io: I) -> Ended {
        let mut connection = match self.destination().open(io).await {
            Ok(connection) => connection,
            Err(error) => return Ended { failed: Some(format!("{error}: {error:?}")), ..Ended::default() },
        };
        connection.set_transfer(self.transfer);
        let offered = connection.capabilities().clone();
        let mut reports = Vec::new();
        let mut failed = None;
        if self.overlapped {
            let messages = self.mails.iter().map(|sending| (&sending.envelope, Told(sending)));
            failed = connection.send_all(messages, |report| reports.push(report)).await.err();
        } else {
            for sending in &self.mails {
                match connection.send(&sending.envelope, Told(sending)).await {
                    Ok(report) => reports.push(report),
                    Err(error) => {
                        reports.push(error.report);
                        failed = Some(error.error);
                        break;
                    }
                }
            }
        }
        assert_eq!(connection.is_tls(), self.security != Security::Plain);
        connection.quit().await;
        Ended {
            offered,
            told: reports.iter().map(fates).collect(),
            failed: failed.map(|error| error.to_string()),
        }
    }

    /// By `smtp send`, one after the other.
    fn send(&self) -> Ended {
        let scheme = match (self.security, self.peer.lmtp) {
            (Security::Implicit, _) => "smtps",
            (_, true) => "lmtp",
            (_, false) => "smtp",
        };
        let user = self.login.map(|(_, secret)| format!("{}:{secret}@", self.peer.user.replace('@', "%40")));
        let url = format!("{scheme}://{}localhost:{}", user.unwrap_or_default(), self.port());
        let mut ended = Ended::default();
        for sending in &self.mails {
            let file = room().folder("send").join(sending.mail.mark.trim_start_matches("X-Interop: "));
            fs::write(&file, &sending.mail.octets).unwrap();
            let mut command = ours();
            command.args(["send", "--server", &url, "--from", sending.envelope.from.as_str()]);
            command.args(["--retry", &self.retries.to_string()]);
            for to in &sending.envelope.to {
                command.args(["--to", to.path.as_str()]);
            }
            match self.security {
                Security::Plain => drop(command.args(["--starttls", "off"])),
                Security::StartTls => drop(command.args(["--starttls", "required"])),
                Security::Implicit => {}
            }
            if !self.distrusts && self.security != Security::Plain {
                command.arg("--ca").arg(&room().ca);
            }
            if let Some((mechanism, _)) = self.login.filter(|_| !self.by_any) {
                command.args(["--auth", mechanism.name()]);
            }
            if sending.envelope.params.envid().is_some() {
                command.args(["--dsn", "failure", "--dsn-ret", "hdrs", "--dsn-envid", "a+b=c"]);
            }
            let said = run(command.arg(&file));
            let code = |line: &str| {
                let words = line.split(|c: char| !c.is_ascii_alphanumeric());
                words.filter(|word| word.len() == 3).find_map(|word| word.parse().ok()).unwrap_or(0)
            };
            let fate = |line: &str| Fate { code: code(line), text: line.to_owned() };
            let lines = |to: &str| said.stdout.lines().find(|line| line.contains(to)).map(fate);
            let all = sending.envelope.to.iter().map(|to| lines(to.path.as_str()));
            ended
                .told
                .push(all.collect::<Option<_>>().unwrap_or_else(|| panic!("a line for each: {said:?}")));
            // EX_UNAVAILABLE and EX_TEMPFAIL are as it should be where somebody was refused.
            let refused = ended.told.last().unwrap().iter().any(|fate| fate.code / 100 != 2);
            assert_eq!(matches!(said.status.code(), Some(69 | 75)), refused, "{said:?}");
            // What takes longer than a second is told of as it goes.
            let complaints: Vec<_> = said.stderr.lines().filter(|line| !line.contains(" %: ")).collect();
            if !complaints.is_empty() {
                ended.failed = Some(complaints.join("\n"));
            }
        }
        ended
    }
}

fn fates(report: &Report) -> Vec<Fate> {
    let fate = |outcome: Outcome<'_>| {
        let code = match &outcome {
            Outcome::Replied { reply, .. } => reply.code().as_u16(),
            _ => 0,
        };
        Fate { code, text: outcome.to_string() }
    };
    report.outcomes().map(fate).collect()
}

pub(crate) static TRUSTING: LazyLock<Arc<ClientConfig>> = LazyLock::new(|| {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&room().ca).unwrap()).unwrap();
    client(roots)
});

static NOBODY: LazyLock<Arc<ClientConfig>> = LazyLock::new(|| client(RootCertStore::empty()));

fn client(roots: RootCertStore) -> Arc<ClientConfig> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap();
    Arc::new(config.with_root_certificates(roots).with_no_client_auth())
}
