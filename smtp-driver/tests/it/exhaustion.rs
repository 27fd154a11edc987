//! Peers that want to use a machine up: for each the cap that it meets, how long it is borne, and the octets that are held
//! meanwhile. `SECURITY.md` has the same table, and may not promise more than what is measured here:
//!
//! ```text
//! cargo test -p smtp-driver --test it exhaustion -- --nocapture
//! ```
//!
//! The connections are the drivers' own, over a transport in memory whose clock goes on as it is waited for; what they
//! allocate is counted. A runtime's task and the system's socket come on top.

use std::future::{Future, pending};
use std::io::ErrorKind::TimedOut;
use std::io::{self, IoSlice};
#[cfg(feature = "rustls")]
use std::io::{Read as _, Write as _};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Waker};
use std::time::Duration;

use allocation_counter::measure;
use bytes::{Bytes, BytesMut};
use futures_lite::future::block_on;
use smtp_driver::client::{self, SendError};
use smtp_driver::io::{READ, make_room, room};
use smtp_driver::proto::client::Config as ClientConfig;
use smtp_driver::proto::error::Violation;
use smtp_driver::proto::extension::Extension;
use smtp_driver::proto::reply::Reply;
use smtp_driver::proto::server::Config;
use smtp_driver::proto::session::{Envelope, Options, StartTls};
use smtp_driver::proto::stage::Stage;
use smtp_driver::server::{Connection, Security};
use smtp_driver::{Error, ErrorKind, Handler, Io, OK, Shutdown};

const SECOND: Duration = Duration::from_secs(1);

/// What comes next, and how long it takes to come. After `None` nothing comes any more.
type Feed = Box<dyn FnMut() -> Option<(Duration, Bytes)> + Send>;

/// Takes what is written.
type Ear = Box<dyn FnMut(&[u8]) + Send>;

/// What was seen of a connection, by its far end.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    age: Duration,
    /// Octets that the peer has taken, and the lines in them.
    taken: usize,
    lines: usize,
    /// Octets that were read from it.
    given: usize,
}

/// A peer in memory.
struct Peer {
    feed: Feed,
    /// What is on its way, and when it is here.
    coming: Option<(Duration, Bytes)>,
    /// Octets that it takes before it reads no more.
    takes: usize,
    /// Who waits for it waits without the clock going on.
    stands_still: bool,
    /// Takes what is written to it, if somebody wants to know.
    hears: Option<Ear>,
    seen: Arc<Mutex<Seen>>,
}

impl Peer {
    fn new(feed: impl FnMut() -> Option<(Duration, Bytes)> + Send + 'static) -> Self {
        let seen = Arc::default();
        Self { feed: Box::new(feed), coming: None, takes: usize::MAX, stands_still: false, hears: None, seen }
    }

    /// Says these, one a read.
    fn saying<const N: usize>(pieces: [&'static str; N]) -> Self {
        let mut pieces = pieces.into_iter();
        Self::new(move || pieces.next().map(|piece| (Duration::ZERO, piece.as_bytes().into())))
    }

    /// Speaks TLS, says these once it may, and notes how many lines it was told.
    #[cfg(feature = "rustls")]
    fn over_tls(said: &'static str, far: Arc<Mutex<Option<rustls::ClientConnection>>>) -> Self {
        let mut said = Some(said);
        let speaks = Arc::clone(&far);
        let mut this = Self::new(move || {
            let mut far = speaks.lock().expect("no panic");
            let far = far.as_mut()?;
            if let Some(said) = said.take_if(|_| !far.is_handshaking()) {
                far.writer().write_all(said.as_bytes()).expect("room for it");
            }
            let mut records = Vec::new();
            while far.wants_write() {
                far.write_tls(&mut records).expect("a Vec takes all");
            }
            (!records.is_empty()).then(|| (Duration::ZERO, records.into()))
        });
        let seen = Arc::clone(&this.seen);
        this.hears = Some(Box::new(move |mut records| {
            let mut far = far.lock().expect("no panic");
            let Some(far) = far.as_mut() else { return };
            while !records.is_empty() {
                far.read_tls(&mut records).expect("a slice gives all");
                far.process_new_packets().expect("TLS by the book");
            }
            let mut plain = Vec::new();
            let _ = far.reader().read_to_end(&mut plain);
            seen.lock().expect("no panic").lines += plain.iter().filter(|octet| **octet == b'\n').count();
        }));
        this
    }

    /// Says these, then `piece` again and again, each after `gap`.
    fn repeating<const N: usize>(first: [&'static str; N], gap: Duration, piece: impl Into<Bytes>) -> Self {
        let (mut first, piece) = (first.into_iter(), piece.into());
        Self::new(move || match first.next() {
            Some(first) => Some((Duration::ZERO, first.as_bytes().into())),
            None => Some((gap, piece.clone())),
        })
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().expect("no panic")
    }
}

impl Io for Peer {
    fn age(&self) -> Duration {
        self.seen().age
    }

    async fn read(&mut self, buf: &mut BytesMut, until: Option<Duration>) -> io::Result<usize> {
        let age = self.age();
        if self.coming.is_none() {
            self.coming = (self.feed)().map(|(gap, piece)| (age + gap, piece));
        }
        let Some((at, mut piece)) = self.coming.take_if(|(at, _)| until.is_none_or(|until| *at <= until))
        else {
            let until = until.expect("no wait for a peer is without a deadline");
            // What is there already is asked for without waiting.
            if self.stands_still && until > age {
                return pending().await;
            }
            self.seen().age = age.max(until);
            return Err(TimedOut.into());
        };
        // As the adapters do: room is made when there is something to read, and a read has no more than that.
        make_room(buf);
        let n = piece.len().min(room(buf));
        buf.extend_from_slice(&piece.split_to(n));
        if !piece.is_empty() {
            self.coming = Some((at, piece));
        }
        let mut seen = self.seen();
        seen.age = age.max(at);
        seen.given += n;
        Ok(n)
    }

    async fn write(&mut self, bufs: &[IoSlice<'_>], until: Option<Duration>) -> io::Result<usize> {
        let takes = self.takes;
        let mut seen = self.seen();
        if seen.taken >= takes {
            let until = until.expect("no wait for a peer is without a deadline");
            seen.age = seen.age.max(until);
            return Err(TimedOut.into());
        }
        let n = bufs.iter().map(|buf| buf.len()).sum::<usize>().min(takes - seen.taken).min(64 * 1024);
        seen.taken += n;
        drop(seen);
        let octets = bufs.iter().flat_map(|buf| buf.iter()).take(n);
        match &mut self.hears {
            Some(hears) => hears(&octets.copied().collect::<Vec<_>>()),
            None => self.seen().lines += octets.filter(|octet| **octet == b'\n').count(),
        }
        Ok(n)
    }
}

/// The table in `SECURITY.md` has this row, and its figure is at least what was measured and at most twice that.
fn told(what: &str, cap: &str, time: Duration, held: u64) {
    let start = format!("| {what} | {cap} | {} | ", minutes(time));
    println!("{start}{held} |");
    let figure = || {
        let line = include_str!("../../../SECURITY.md").lines().find_map(|line| line.strip_prefix(&start))?;
        line.strip_suffix(" |")?.replace(',', "").parse::<u64>().ok()
    };
    let figure = figure().unwrap_or_else(|| panic!("SECURITY.md lacks {start}{held} |"));
    assert!(
        (held..=2 * held + 1024).contains(&figure),
        "{what}: {held} octets are held, and SECURITY.md has {figure}"
    );
}

fn minutes(time: Duration) -> String {
    match (time.as_secs() / 60, time.as_secs() % 60) {
        (0, 0) => "at once".into(),
        (minutes, 0) => format!("{minutes} min"),
        (minutes, seconds) => format!("{minutes} min {seconds} s"),
    }
}

/// Takes everything and keeps nothing.
struct Sink;

impl Handler for Sink {
    async fn message(&mut self) -> Reply<'static> {
        OK
    }
}

/// These clients do not wait for the greeting.
fn config() -> Config {
    let mut config = Config::new("mx.example.org".parse().expect("a domain"));
    config.refuse_early_talkers = false;
    config
}

/// Serves this peer to the end: how it ended, what it saw, and what was held.
fn serve(config: Config, peer: Peer) -> (Result<(), Error>, Seen, u64) {
    serve_by(Security::Plain, config, peer)
}

fn serve_by(security: Security, config: Config, peer: Peer) -> (Result<(), Error>, Seen, u64) {
    let (config, seen, mut ended) = (config.shared(), Arc::clone(&peer.seen), None);
    let held = measure(|| {
        let connection = Connection::new(peer, config, security, Shutdown::new());
        ended = Some(block_on(connection.expect("TLS, if any").serve(&mut Sink)));
    });
    let seen = *seen.lock().expect("no panic");
    (ended.expect("it was served"), seen, held.bytes_max)
}

/// Opens a connection to this peer, and sends it a message if there is one.
fn send(peer: Peer, message: Option<&[u8]>) -> (Result<(), Error>, Seen, u64) {
    let options =
        Arc::new(Options::new("client.example.org".parse().expect("a domain")).with_starttls(StartTls::Off));
    let config = Arc::new(ClientConfig::default());
    let (seen, mut ended) = (Arc::clone(&peer.seen), None);
    let envelope = Envelope::parse("a@example.org", ["b@example.org"]).expect("addresses");
    let held = measure(|| {
        ended = Some(block_on(async {
            let mut client =
                client::Connection::open(peer, &client::Security::Plain, options, config).await?;
            if let Some(message) = message {
                let _ = client.send(&envelope, message).await.map_err(|failed: SendError| failed.error)?;
            }
            Ok(())
        }));
    });
    let seen = *seen.lock().expect("no panic");
    (ended.expect("it has ended"), seen, held.bytes_max)
}

fn violation(ended: &Result<(), Error>) -> Option<&Violation> {
    ended.as_ref().err().and_then(|error| error.violation())
}

fn timed_out(ended: &Result<(), Error>, stage: Stage) {
    assert_eq!(violation(ended), Some(&Violation::TimedOut { stage }), "{ended:?}");
}

const ENVELOPE: &str = "EHLO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n";

#[test]
fn a_line_without_an_end() {
    let (ended, seen, held) =
        serve(config(), Peer::repeating(["EHLO c\r\n"], Duration::ZERO, vec![b'x'; READ]));
    assert_eq!(violation(&ended), Some(&Violation::EndlessLine));
    assert!(seen.given > 1 << 20 && seen.given < 2 << 20, "{seen:?}");
    told(
        "server: a line without an end",
        "4,096 octets kept, 1 MiB passed over, then closed",
        seen.age,
        held,
    );
}

#[test]
fn a_line_that_drips() {
    let (ended, seen, held) = serve(config(), Peer::repeating(["EHLO c\r\n"], 4 * SECOND, &b"x"[..]));
    timed_out(&ended, Stage::Idle);
    told("server: a line, an octet every 4 s", "one deadline for the line, then 421", seen.age, held);
}

#[test]
fn a_message_that_drips() {
    let (ended, seen, held) = serve(config(), Peer::repeating([ENVELOPE, "DATA\r\n"], 4 * SECOND, &b"x"[..]));
    timed_out(&ended, Stage::Body);
    told("server: a message, an octet every 4 s", "64 KiB within each deadline, else 421", seen.age, held);
}

/// A server's TLS, and a client's that trusts it.
#[cfg(feature = "rustls")]
fn tls() -> (Arc<rustls::ServerConfig>, Arc<rustls::ClientConfig>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider));
    let server = server.with_safe_default_protocol_versions().expect("versions").with_no_client_auth();
    let server = server.with_single_cert(vec![made.cert.der().clone()], key).expect("a certificate");
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).expect("a root");
    let client = rustls::ClientConfig::builder_with_provider(provider);
    let client = client.with_safe_default_protocol_versions().expect("versions");
    (Arc::new(server), Arc::new(client.with_root_certificates(roots).with_no_client_auth()))
}

/// The handshake's deadline is one, too, implicit or behind the 220.
#[cfg(feature = "rustls")]
#[test]
fn a_handshake_that_drips() {
    let (tls, _) = tls();
    // The head of a record and of a ClientHello, of which nothing more is true.
    const HELLO: &str = "\u{16}\u{3}\u{1}\u{40}\u{0}\u{1}\u{0}\u{3f}\u{0}";
    let offered = config().with_starttls();
    for (config, security, peer) in [
        (config(), Security::Implicit(Arc::clone(&tls)), Peer::repeating([HELLO], 4 * SECOND, &b"\0"[..])),
        (
            offered,
            Security::StartTls(tls),
            Peer::repeating(["EHLO c\r\n", "STARTTLS\r\n", HELLO], 4 * SECOND, &b"\0"[..]),
        ),
    ] {
        let (ended, seen, held) = serve_by(security, config, peer);
        let error = ended.expect_err("no handshake");
        assert_eq!(error.stage(), Stage::Handshake, "{error}");
        told("server: a TLS handshake, an octet every 4 s", "one deadline for all of it", seen.age, held);
    }
}

#[test]
fn ten_thousand_recipients() {
    let mut left = 10_000;
    let (ended, seen, held) = serve(
        config(),
        Peer::new(move || {
            left -= 1;
            let said = match left {
                9_999 => ENVELOPE.as_bytes().into(),
                0 => b"QUIT\r\n"[..].into(),
                1.. => format!("RCPT TO:<r{left}@example.org>\r\n").into_bytes().into(),
                _ => return None,
            };
            Some((Duration::ZERO, said))
        }),
    );
    ended.expect("a session by the book");
    // The greeting, EHLO's list, MAIL, the recipients, QUIT.
    assert!(seen.lines > 10_000, "each was answered: {seen:?}");
    told("server: ten thousand recipients", "1,000 taken, 452 to the others", seen.age, held);
}

#[test]
fn a_chunk_of_2_to_the_63() {
    const CHUNK: &str = "BDAT 9223372036854775808 LAST\r\n";
    let (ended, seen, held) =
        serve(config(), Peer::repeating([ENVELOPE, CHUNK], Duration::ZERO, vec![b'x'; READ]));
    assert_eq!(violation(&ended), Some(&Violation::Undrainable));
    told("server: BDAT of 2^63", "SIZE and half of it again, then closed", seen.age, held);

    let mut endless = config();
    endless.capabilities = endless.capabilities.without(Extension::Size);
    let mut left = 4096;
    let (ended, seen, held) = serve(
        endless,
        Peer::new(move || {
            left -= 1;
            let said: &[u8] = match left {
                4095 => ENVELOPE.as_bytes(),
                4094 => CHUNK.as_bytes(),
                1.. => &[b'x'; READ],
                _ => return None,
            };
            Some((Duration::ZERO, said.into()))
        }),
    );
    timed_out(&ended, Stage::Body);
    assert!(seen.given > 60 << 20, "{seen:?}");
    told(
        "server: BDAT of 2^63, no SIZE",
        "lent as it comes, none kept; then as one that drips",
        seen.age,
        held,
    );
}

#[test]
fn a_million_resets() {
    let mut left = 402;
    let group: &'static str = "RSET\r\n".repeat(2500).leak();
    let (ended, seen, held) = serve(
        config(),
        Peer::new(move || {
            left -= 1;
            let said = match left {
                401 => "EHLO c\r\n",
                1.. => group,
                0 => "QUIT\r\n",
                _ => return None,
            };
            Some((Duration::ZERO, said.as_bytes().into()))
        }),
    );
    ended.expect("a session by the book");
    assert!(seen.lines > 1_000_000, "{seen:?}");
    told("server: a million RSETs", "written at 16 KiB of replies", seen.age, held);
}

#[test]
fn a_client_that_never_reads() {
    let mut peer = Peer::repeating(["EHLO c\r\n"], Duration::ZERO, "RSET\r\n".repeat(2500).into_bytes());
    peer.takes = 100;
    let (ended, seen, held) = serve(config(), peer);
    let error = ended.expect_err("nobody reads");
    assert!(matches!(error.kind(), ErrorKind::Io(error) if error.kind() == TimedOut), "{error:?}");
    // What is read behind that is thrown away, so that the socket is closed without a reset.
    assert!(seen.given < 320 * 1024, "no more is read than that: {seen:?}");
    told("server: a client that never reads", "16 KiB of replies, then nothing is read", seen.age, held);
}

/// As many connections that have said EHLO and are silent since: what each holds. `peer` is asked for each; what stands in
/// its second value is dropped before it is counted.
fn idle<T>(count: usize, security: &Security, mut peer: impl FnMut() -> (Peer, T)) -> u64 {
    let config = config().shared();
    let mut connections: Vec<Pin<Box<dyn Future<Output = _>>>> = Vec::with_capacity(count);
    let mut seen = Vec::with_capacity(count);
    let cost = measure(|| {
        let mut far = Vec::with_capacity(count);
        for _ in 0..count {
            let (mut peer, other) = peer();
            peer.stands_still = true;
            seen.push(Arc::clone(&peer.seen));
            far.push(other);
            let (config, security) = (Arc::clone(&config), security.clone());
            connections.push(Box::pin(async move {
                let connection = Connection::new(peer, config, security, Shutdown::new());
                connection.expect("TLS, if any").serve(&mut Sink).await
            }));
        }
        let mut context = Context::from_waker(Waker::noop());
        for connection in &mut connections {
            assert!(connection.as_mut().poll(&mut context).is_pending());
        }
    });
    assert!(seen.iter().all(|seen| seen.lock().expect("no panic").lines > 5), "each was answered");
    cost.bytes_current as u64 / count as u64
}

/// Those that have said EHLO and are silent since: what each holds, and that they go.
#[test]
fn ten_thousand_idle_connections() {
    let each = idle(10_000, &Security::Plain, || (Peer::saying(["EHLO c\r\n"]), ()));
    let (ended, seen, _) = serve(config(), Peer::saying(["EHLO c\r\n"]));
    timed_out(&ended, Stage::Idle);
    told("server: ten thousand idle, each", "a deadline for the next command, then 421", seen.age, each);
}

/// What TLS holds comes on top. A handshake takes its time, so that these are fewer.
#[cfg(feature = "rustls")]
#[test]
fn idle_connections_with_tls() {
    /// Forgets the client's side of TLS as it is dropped, which is not what is counted.
    struct Far(Arc<Mutex<Option<rustls::ClientConnection>>>);

    impl Drop for Far {
        fn drop(&mut self) {
            self.0.lock().expect("no panic").take();
        }
    }

    let (server, client) = tls();
    let peer = || {
        let name = "localhost".try_into().expect("a name");
        let connection = rustls::ClientConnection::new(Arc::clone(&client), name).expect("TLS");
        let far = Arc::new(Mutex::new(Some(connection)));
        (Peer::over_tls("EHLO c\r\n", Arc::clone(&far)), Far(far))
    };
    let security = Security::Implicit(server);
    let each = idle(200, &security, peer);
    let (peer, far) = peer();
    let (ended, seen, _) = serve_by(security, config(), peer);
    drop(far);
    timed_out(&ended, Stage::Idle);
    told(
        "server: two hundred idle in TLS, each",
        "a deadline for the next command, then 421",
        seen.age,
        each,
    );
}

#[test]
fn a_reply_without_an_end() {
    let reply = |ended: &_, stage| matches!(violation(ended), Some(Violation::Reply { stage: at, .. }) if *at == stage);
    let (ended, seen, held) = send(Peer::repeating(["220 "], Duration::ZERO, vec![b'x'; READ]), None);
    assert!(reply(&ended, Stage::Greeting), "{ended:?}");
    told("client: a line of a reply without an end", "4,096 octets, then closed", seen.age, held);

    let (ended, seen, held) =
        send(Peer::repeating([], Duration::ZERO, "220-\r\n".repeat(2000).into_bytes()), None);
    assert!(reply(&ended, Stage::Greeting), "{ended:?}");
    told("client: a reply of short lines without an end", "64 KiB, then closed", seen.age, held);

    let keywords = "250-XKEYWORD and words\r\n".repeat(700).into_bytes();
    let (ended, seen, held) = send(Peer::repeating(["220 hello\r\n"], Duration::ZERO, keywords), None);
    assert!(reply(&ended, Stage::Hello), "{ended:?}");
    told("client: EHLO keywords without an end", "64 KiB, then closed", seen.age, held);
}

#[test]
fn a_reply_that_drips() {
    let (ended, seen, held) = send(Peer::repeating(["220-"], 4 * SECOND, &b"x"[..]), None);
    timed_out(&ended, Stage::Greeting);
    told("client: a reply, an octet every 4 s", "one deadline for the reply", seen.age, held);
}

/// As many keywords as go through are kept for as long as the connection is.
#[test]
fn ehlo_keywords_up_to_the_cap() {
    let keywords = format!("{}250 XLAST\r\n", "250-XKEYWORD and words\r\n".repeat(2700)).leak();
    assert!(keywords.len() > 64_000);
    let (ended, seen, held) = send(Peer::saying(["220 hello\r\n", keywords]), None);
    ended.expect("an EHLO response that is large");
    told("client: EHLO keywords, as many as may be", "64 KiB", seen.age, held);
}

#[test]
fn a_server_that_never_reads() {
    let message = b"0123456789abcdef\r\n".repeat(1 << 20);
    let mut peer =
        Peer::saying(["220 hello\r\n", "250-hello\r\n250 PIPELINING\r\n", "250 ok\r\n250 ok\r\n354 go\r\n"]);
    peer.takes = 200_000;
    let (ended, seen, held) = send(peer, Some(&message));
    timed_out(&ended, Stage::Body);
    told("client: a server that never reads", "64 KiB within each deadline", seen.age, held);
}
