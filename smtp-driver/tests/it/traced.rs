//! What connections tell `tracing`: a span for each connection and transaction in both roles, and no secret, whatever the mechanism.

use std::fmt::{Debug, Write as _};
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::Duration;

use bytes::BytesMut;
use futures_lite::future::{block_on, zip};
use smtp_driver::proto::address::Domain;
use smtp_driver::proto::auth::server::{Claim, Secret};
use smtp_driver::proto::auth::{Credentials, Mechanism};
use smtp_driver::proto::reply::Reply;
use smtp_driver::proto::server::Config;
use smtp_driver::proto::session::Envelope;
use smtp_driver::server::{Connection, Security, Turn};
use smtp_driver::{Destination, Handler, Io, OK, Shutdown};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Writes down everything that is told: each line with the spans that it stands in.
#[derive(Clone, Default)]
struct Book(Arc<Mutex<Pages>>, Arc<AtomicU64>);

#[derive(Default)]
struct Pages {
    text: String,
    open: Vec<String>,
    names: Vec<String>,
}

struct Fields<'t>(&'t mut String);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, " {field}={value:?}");
    }
}

impl Subscriber for Book {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut pages = self.0.lock().expect("no panic");
        let mut text = format!("{}:", span.metadata().name());
        span.record(&mut Fields(&mut text));
        let _ = writeln!(pages.text, "{text}");
        pages.names.push(text);
        Id::from_u64(self.1.fetch_add(1, Ordering::Relaxed) + 1)
    }
    fn record(&self, _: &Id, values: &Record<'_>) {
        let mut pages = self.0.lock().expect("no panic");
        values.record(&mut Fields(&mut pages.text));
        pages.text.push('\n');
    }
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        let mut pages = self.0.lock().expect("no panic");
        let mut line = pages.open.join(" > ");
        event.record(&mut Fields(&mut line));
        let _ = writeln!(pages.text, "{line}");
    }
    fn enter(&self, span: &Id) {
        let mut pages = self.0.lock().expect("no panic");
        let name = pages.names[span.into_u64() as usize - 1].clone();
        pages.open.push(name);
    }
    fn exit(&self, _: &Id) {
        self.0.lock().expect("no panic").open.pop();
    }
}

/// One direction of a connection in memory.
#[derive(Default)]
struct Pipe {
    octets: BytesMut,
    closed: bool,
    reader: Option<Waker>,
}

struct End(Arc<Mutex<Pipe>>, Arc<Mutex<Pipe>>);

impl Io for End {
    fn age(&self) -> Duration {
        Duration::ZERO
    }
    async fn read(&mut self, buf: &mut BytesMut, until: Option<Duration>) -> io::Result<usize> {
        poll_fn(|context| {
            let mut pipe = self.0.lock().expect("no panic");
            if !pipe.octets.is_empty() {
                buf.extend_from_slice(&pipe.octets);
                let n = pipe.octets.len();
                pipe.octets.clear();
                return Poll::Ready(Ok(n));
            }
            if pipe.closed {
                return Poll::Ready(Ok(0));
            }
            if until == Some(Duration::ZERO) {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            pipe.reader = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }
    async fn write(&mut self, bufs: &[IoSlice<'_>], _: Option<Duration>) -> io::Result<usize> {
        let mut pipe = self.1.lock().expect("no panic");
        bufs.iter().for_each(|piece| pipe.octets.extend_from_slice(piece));
        pipe.reader.take().into_iter().for_each(Waker::wake);
        Ok(bufs.iter().map(|piece| piece.len()).sum())
    }
    async fn shutdown_write(&mut self) -> io::Result<()> {
        let mut pipe = self.1.lock().expect("no panic");
        pipe.closed = true;
        pipe.reader.take().into_iter().for_each(Waker::wake);
        Ok(())
    }
}

const PASSWORD: &str = "tanstaaftanstaaf";
const MESSAGE: &str = "Subject: nobody's business\r\n\r\nNor is this.\r\n";

struct Clerk;

impl Handler for Clerk {
    async fn authenticate(&mut self, claim: &Claim) -> Option<String> {
        match claim {
            Claim::Password { user, password, .. } => (password == PASSWORD).then(|| user.clone()),
            Claim::Token { user, token, .. } => (token == PASSWORD).then(|| user.clone()).flatten(),
            _ => None,
        }
    }
    async fn secret(&mut self, _: &str, _: Mechanism) -> Option<Secret> {
        Some(Secret::Password(PASSWORD.into()))
    }
    async fn message(&mut self) -> Reply<'static> {
        tracing::info!("the handler speaks");
        OK
    }
}

fn config(mechanism: Mechanism) -> Config {
    let mut config = Config::new(Domain::parse("mx.example.org").expect("a domain"));
    config.auth_in_clear = true;
    config.with_auth([mechanism].into_iter().collect())
}

/// A login and a message; what was told of it.
fn told(mechanism: Mechanism, credentials: Credentials, pull: bool) -> String {
    let book = Book::default();
    let _guard = tracing::subscriber::set_default(book.clone());
    let (there, back) = (Arc::default(), Arc::default());
    let client = End(Arc::clone(&back), Arc::clone(&there));
    let server = End(there, back);
    let mut server = Connection::new(server, config(mechanism).shared(), Security::Plain, Shutdown::new())
        .expect("no TLS");
    let client = async {
        let to = Destination::plain("mx.example.org", 25).with_auth_in_clear().with_credentials(credentials);
        let mut connection = to.open(client).await?;
        let envelope = Envelope::parse("ann@example.org", ["ben@example.net"]).expect("addresses");
        let report = connection.send(&envelope, MESSAGE).await?;
        assert!(report.all_delivered());
        connection.send_all([(&envelope, MESSAGE)], |report| assert!(report.all_delivered())).await?;
        connection.quit().await;
        Ok::<_, smtp_driver::Error>(())
    };
    let serve = async {
        if pull {
            while let Some(turn) = server.next().await? {
                if let Turn::Command(_, responder) = turn {
                    responder.accept();
                }
            }
            return Ok(());
        }
        server.serve(&mut Clerk).await
    };
    let (sent, served) = block_on(zip(client, serve));
    if !pull {
        sent.expect("a message that goes through");
        served.expect("a conversation that ends well");
    }
    let pages = book.0.lock().expect("no panic");
    assert!(pages.open.is_empty(), "every span was left");
    pages.text.clone()
}

#[test]
fn no_mechanism_shows_its_secret() {
    let base64 =
        |octets: &str| smtp_driver::proto::auth::Base64::encode(octets.as_bytes()).as_str().to_owned();
    let whole = base64(&format!("\0ann\0{PASSWORD}"));
    for mechanism in [
        Mechanism::Plain,
        Mechanism::Login,
        Mechanism::CramMd5,
        Mechanism::ScramSha256,
        Mechanism::XOauth2,
        Mechanism::OauthBearer,
    ] {
        let token = matches!(mechanism, Mechanism::XOauth2 | Mechanism::OauthBearer);
        let credentials =
            if token { Credentials::token("ann", PASSWORD) } else { Credentials::password("ann", PASSWORD) };
        let text = told(mechanism, credentials, false);
        assert!(text.contains(&format!("auth mechanism={mechanism}")), "{mechanism} was not used:\n{text}");
        for secret in [PASSWORD, &base64(PASSWORD), &whole[..12], "nobody's", "Nor is"] {
            assert!(!text.contains(secret), "{mechanism}: {secret:?} is told in\n{text}");
        }
    }
}

#[test]
fn each_connection_and_each_transaction_has_its_span() {
    let text = told(Mechanism::Plain, Credentials::password("ann", PASSWORD), false);
    let has = |line: &str| {
        assert!(text.lines().any(|told| told.starts_with(line)), "{line:?} is not told in\n{text}")
    };
    has("connection: role=\"server\"");
    has("connection: role=\"client\"");
    has("transaction: from=<ann@example.org>");
    has("transaction: from=<ann@example.org> recipients=1");
    has(" delivered=1");
    has("transaction: from=<ann@example.org> message=rcpt to=<ben@example.net>");
    has("transaction: from=<ann@example.org> message=the handler speaks");
    has("transaction: from=<ann@example.org> recipients=1 message=reply reply=250 2.0.0 ok");
    has("transaction: from=<ann@example.org> recipients=1 message=outcome to=<ben@example.net>");
    has("connection: role=\"server\" message=ended");
    let spans = text
        .lines()
        .filter(|line| line.starts_with("transaction: from=<ann@example.org>") && !line.contains("message="));
    assert_eq!(spans.count(), 4, "two messages, told of by both sides:\n{text}");
}

/// The pull loop's replies stand in the connection's spans, too.
#[test]
fn a_pull_loop_is_told_of() {
    let text = told(Mechanism::Plain, Credentials::password("ann", PASSWORD), true);
    assert!(text.contains("connection: role=\"server\" message=reply reply=220 "), "{text}");
    assert!(!text.contains(PASSWORD), "{text}");
}
