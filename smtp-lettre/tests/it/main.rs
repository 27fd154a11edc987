//! lettre's traits over real sockets: what its users rely on, and where this crate says more.
#![cfg(all(feature = "blocking", feature = "rustls"))]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use lettre::{Message, Transport};
use smtp_blocking::proto::address::Domain;
use smtp_blocking::proto::auth::Mechanism;
use smtp_blocking::proto::auth::server::Claim;
use smtp_blocking::proto::command::Rcpt;
use smtp_blocking::proto::dot::Body;
use smtp_blocking::proto::reply::Reply;
use smtp_blocking::proto::server::Config;
use smtp_blocking::proto::status::{Code, Enhanced};
use smtp_blocking::{Handler, Listener, OK, Peer, Service, Shutdown, serve};
use smtp_lettre::{Credentials, Destination, Error, PoolConfig, SmtpTransport};

/// What the server saw.
#[derive(Clone, Default)]
struct Seen {
    connections: u32,
    logins: Vec<String>,
    messages: Vec<Vec<u8>>,
}

struct Server {
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    shutdown: Shutdown,
    thread: Option<JoinHandle<std::io::Result<()>>>,
}

struct Clerk(Arc<Mutex<Seen>>, Vec<u8>);

impl Handler for Clerk {
    async fn connected(&mut self, _: Peer<'_>) -> Reply<'static> {
        self.0.lock().expect("no panic").connections += 1;
        Reply::fixed(Code::READY, None, "ESMTP")
    }
    async fn authenticate(&mut self, claim: &Claim) -> Option<String> {
        let Claim::Password { user, password, .. } = claim else { return None };
        self.0.lock().expect("no panic").logins.push(user.clone());
        (password == "secret").then(|| user.clone())
    }
    async fn rcpt(&mut self, rcpt: &Rcpt<'_>) -> Reply<'static> {
        const GONE: Reply<'static> =
            Reply::fixed(Code::MAILBOX_UNAVAILABLE, Some(Enhanced::fixed(5, 1, 1)), "no such mailbox");
        const BUSY: Reply<'static> = Reply::fixed(Code::MAILBOX_BUSY, Some(Enhanced::fixed(4, 2, 1)), "busy");
        match rcpt.to.as_str() {
            "gone@example.net" => GONE,
            "busy@example.net" => BUSY,
            _ => OK,
        }
    }
    async fn body(&mut self, body: &Body<'_>) -> Result<(), Reply<'static>> {
        body.append_to(&mut self.1);
        Ok(())
    }
    async fn message(&mut self) -> Reply<'static> {
        self.0.lock().expect("no panic").messages.push(std::mem::take(&mut self.1));
        OK
    }
}

impl Server {
    fn start(service: Service) -> Self {
        let listener = Listener::bind("127.0.0.1:0").expect("a port");
        let (address, shutdown, seen) =
            (listener.local_addr().expect("an address"), Shutdown::new(), Arc::<Mutex<Seen>>::default());
        let (flag, handler) = (shutdown.clone(), Arc::clone(&seen));
        let thread = thread::spawn(move || {
            serve(listener, service, &flag, || Clerk(Arc::clone(&handler), Vec::new()))
        });
        Self { address, seen, shutdown, thread: Some(thread) }
    }

    fn plain() -> Self {
        Self::start(Service::new(config().shared()))
    }

    fn seen(&self) -> Seen {
        self.seen.lock().expect("no panic").clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shutdown.begin();
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn config() -> Config {
    Config::new(Domain::parse("mx.example.net").expect("a domain"))
}

fn letter(to: &[&str]) -> Message {
    let message =
        Message::builder().from("Ann <ann@example.org>".parse().expect("an address")).subject("hello");
    let message = to.iter().fold(message, |message, to| message.to(to.parse().expect("an address")));
    message.body(".\nHello, Ben.\n".to_owned()).expect("a message")
}

/// What lettre formats arrives octet for octet, over one connection that is kept, dots and all.
#[test]
fn messages_arrive_as_lettre_made_them() {
    let server = Server::plain();
    let mailer = SmtpTransport::builder_dangerous("127.0.0.1").port(server.address.port()).build();
    let message = letter(&["ben@example.net"]);
    for _ in 0..3 {
        assert!(mailer.send(&message).expect("a server that takes everything").all_delivered());
    }
    assert_eq!(server.seen().messages, vec![message.formatted(); 3]);
    assert_eq!(server.seen().connections, 1, "connections");
    mailer.shutdown();
    assert!(matches!(mailer.send(&message), Err(Error::Connection(_))));
}

/// One refused recipient keeps the message from nobody else, and is no success either.
#[test]
fn a_refused_recipient_is_told_from_the_others() {
    let server = Server::plain();
    let mailer = SmtpTransport::from(Destination::from(server.address));
    let error = mailer.send(&letter(&["ben@example.net", "gone@example.net"])).expect_err("one was refused");
    assert_eq!(
        error.to_string(),
        "1 of 2 recipients were not served: RCPT was answered 550 5.1.1 no such mailbox"
    );
    let delivered: Vec<_> =
        error.report().expect("it was sent").outcomes().map(|outcome| outcome.is_delivered()).collect();
    assert_eq!(delivered, [true, false]);
    assert_eq!((error.is_permanent(), error.is_unknown()), (true, false));
    assert_eq!(server.seen().messages.len(), 1);
    let error = mailer.send(&letter(&["busy@example.net"])).expect_err("nobody was served");
    assert!(!error.is_permanent());
}

/// An address that lettre did not check can't bring a command along.
#[test]
fn unchecked_addresses_are_checked() {
    let server = Server::plain();
    let mailer = SmtpTransport::from(Destination::from(server.address));
    let bad = lettre::Address::new_dangerous("ben", "example.net>\r\nRCPT TO:<cat@example.net");
    let envelope = lettre::address::Envelope::new(None, vec![bad]).expect("lettre takes it");
    assert!(matches!(mailer.send_raw(&envelope, b"hi\r\n"), Err(Error::Address(_))));
    assert_eq!(server.seen().connections, 0, "nothing was connected");
}

/// TLS and a login: the credentials prove themselves, and a wrong password is an error that says so.
#[test]
fn tls_and_credentials() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let provider = || Arc::new(rustls::crypto::ring::default_provider());
    let key = rustls::pki_types::PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let server_tls = rustls::ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("a key");
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).expect("a root");
    let client_tls = rustls::ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut config = config().with_auth([Mechanism::Plain].into_iter().collect());
    config.require_auth = true;
    let server = Server::start(Service::new(config.shared()).with_starttls(Arc::new(server_tls)));

    let to = Destination::submission("localhost", Arc::new(client_tls)).with_port(server.address.port());
    let send = |password: &str| {
        let to = to.clone().with_credentials(Credentials::password("ann", password));
        SmtpTransport::from(to).send(&letter(&["ben@example.net"]))
    };
    assert!(send("secret").expect("the right password").all_delivered());
    let error = send("wrong").expect_err("the wrong password");
    assert!(error.to_string().starts_with("AUTH was answered 535"), "{error}");
    assert!(!format!("{error:?}").contains("wrong"), "no password in what goes to logs");
    assert_eq!(server.seen().logins, ["ann", "ann"]);
}

/// The asynchronous transports do the same, many at a time, over as many connections as they may.
#[cfg(any(feature = "tokio1", feature = "async-std1"))]
async fn asynchronous<E: smtp_lettre::Executor>() {
    use lettre::AsyncTransport as _;
    use smtp_lettre::AsyncSmtpTransport;

    let server = Server::plain();
    let mut limits = PoolConfig::default();
    limits.connections = 1;
    let builder = AsyncSmtpTransport::<E>::builder_dangerous("127.0.0.1").port(server.address.port());
    let mailer = builder.hello_name("client.example.org").expect("a name").pool_config(limits).build();
    let message = letter(&["ben@example.net", "dan@example.net"]);
    for _ in 0..2 {
        assert!(mailer.send(message.clone()).await.expect("a server that takes everything").all_delivered());
    }
    let error = mailer.clone().send(letter(&["gone@example.net"])).await.expect_err("nobody was served");
    assert!(error.is_permanent());
    mailer.shutdown().await;
    assert_eq!(server.seen().messages, vec![message.formatted(); 2]);
    assert_eq!(server.seen().connections, 1, "connections");
}

#[cfg(feature = "tokio1")]
#[tokio::test]
async fn on_tokio() {
    asynchronous::<lettre::Tokio1Executor>().await;
}

#[cfg(feature = "async-std1")]
#[test]
fn on_async_std() {
    async_std::task::block_on(asynchronous::<lettre::AsyncStd1Executor>());
}
