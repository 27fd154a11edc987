//! Servers that do something wrong, each in its own way.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use smtp_tokio::proto::stage::Protocol;

use super::certificate::Recorder;
use super::port::{Found, Mode, Target};

/// A server: each of its connections is given to `talk`. Gives its port.
fn serve(talk: impl Fn(TcpStream) + Clone + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        while let Ok((peer, _)) = listener.accept() {
            let talk = talk.clone();
            thread::spawn(move || talk(peer));
        }
    });
    port
}

/// Answers each line by the first of the answers that begins like it; what has none is not answered.
fn answer(peer: &mut (impl Read + Write), answers: &[(&str, &str)]) -> std::io::Result<()> {
    let mut line = String::new();
    loop {
        line.clear();
        // Octet by octet: what stands behind a line is nobody's yet.
        while !line.ends_with('\n') {
            let mut octet = [0];
            peer.read_exact(&mut octet)?;
            line.push(char::from(octet[0]));
        }
        let found = answers.iter().find(|(start, _)| line.starts_with(start));
        let Some((_, reply)) = found else { continue };
        peer.write_all(reply.as_bytes())?;
        if line.starts_with("STARTTLS") {
            return Ok(());
        }
    }
}

const REST: [(&str, &str); 3] = [("RSET", "250 ok\r\n"), ("NOOP", "250 ok\r\n"), ("QUIT", "221 bye\r\n")];

/// A server in the clear that gives these answers, and those to what changes nothing.
fn clear(greeting: &'static str, answers: &'static [(&str, &str)]) -> u16 {
    serve(move |mut peer| {
        let answers = [answers, &REST].concat();
        let _ = peer.write_all(greeting.as_bytes()).and_then(|()| answer(&mut peer, &answers));
    })
}

/// A server's TLS, by a certificate that ended in the year 2000.
fn expired() -> Arc<ServerConfig> {
    let mut params = CertificateParams::new(vec!["localhost".into()]).expect("a name");
    (params.not_before, params.not_after) = (date_time_ymd(1999, 1, 1), date_time_ymd(2000, 1, 1));
    let key = KeyPair::generate().expect("a key");
    let certificate = params.self_signed(&key).expect("a certificate");
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(crate::crypto())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key);
    Arc::new(config.expect("a configuration"))
}

fn probe(port: u16, begins: Option<Mode>) -> Found {
    let recorder = Recorder::new(RootCertStore::empty());
    let config = recorder.config().expect("a configuration");
    let (host, patience) = ("localhost".into(), Duration::from_secs(4));
    let target = Target { host, port, lmtp: false, begins, patience, recorder, config };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(target.probe())
}

#[track_caller]
fn check(found: &Found, protocol: Option<Protocol>, warnings: &[&str]) {
    assert_eq!(found.protocol, protocol, "{found:?}");
    let kinds: Vec<_> = found.warnings.iter().map(|warning| warning.kind).collect();
    assert_eq!(kinds, warnings, "{found:?}");
}

const SMTP: Option<Protocol> = Some(Protocol::Smtp);

#[test]
fn passwords_and_mail_in_the_clear() {
    let port = clear("220 mx\r\n", &[("EHLO", "250-mx\r\n250-SMTPUTF8\r\n250 AUTH PLAIN CRAM-MD5\r\n")]);
    let found = probe(port, None);
    check(&found, SMTP, &["auth-in-clear", "no-tls", "offer-alone"]);
    assert!(found.warnings[0].what.contains("AUTH PLAIN is offered"), "{:?}", found.warnings);
}

#[test]
fn old_servers_and_lmtp_are_known_by_what_they_answer() {
    let found = probe(clear("220 mx\r\n", &[("EHLO", "500 what\r\n"), ("HELO", "250 mx\r\n")]), None);
    check(&found, SMTP, &["no-tls", "no-extensions"]);
    let answers =
        &[("EHLO", "500 what\r\n"), ("HELO", "500 what\r\n"), ("LHLO", "250-mx\r\n250 PIPELINING\r\n")];
    let found = probe(clear("220 mx\r\n", answers), None);
    check(&found, Some(Protocol::Lmtp), &[]);
    assert_eq!(found.pipelined.map(|(replies, _)| replies), Some(3));
}

#[test]
fn who_turns_us_away_is_quoted() {
    let found = probe(clear("554 5.7.1 not you\r\n", &[]), None);
    check(&found, None, &[]);
    assert!(
        found.speaks() && found.error.as_ref().is_some_and(|error| error.contains("not you")),
        "{found:?}"
    );
}

#[test]
fn a_mode_that_the_port_is_not_for() {
    let port = clear("220 mx\r\n", &[("EHLO", "250 mx\r\n")]);
    let found = probe(port, Some(Mode::Implicit));
    check(&found, SMTP, &["mode-mismatch", "no-tls", "no-extensions"]);

    let config = expired();
    let port = serve(move |peer| {
        let tls = ServerConnection::new(Arc::clone(&config)).expect("TLS");
        let mut peer = StreamOwned::new(tls, peer);
        let answers = [&[("EHLO", "250-mx\r\n250 HELP\r\n")], &REST[..]].concat();
        let _ = peer.write_all(b"220 mx\r\n").and_then(|()| answer(&mut peer, &answers));
    });
    let found = probe(port, Some(Mode::Clear));
    check(&found, SMTP, &["mode-mismatch", "certificate-expired"]);
    assert_eq!(found.mode, Some(Mode::Implicit));
    let secured = found.secured.expect("TLS");
    assert_eq!((secured.chain[0].names.as_slice(), secured.chain.len()), (&["localhost".to_owned()][..], 1));
    assert!(secured.chain[0].days_left < -9000, "{secured:?}");
}

/// A server that keeps what came behind STARTTLS in a buffer of its own if `careless`, and forgets it otherwise.
fn starttls(careless: bool) -> u16 {
    let config = expired();
    serve(move |mut peer| {
        let hello = [("EHLO", "250-mx\r\n250 STARTTLS\r\n"), ("STARTTLS", "220 go\r\n")];
        let mut lines = BufReader::new(peer.try_clone().expect("a socket"));
        peer.write_all(b"220 mx\r\n").expect("a listener");
        let mut line = String::new();
        while !line.starts_with("STARTTLS") {
            line.clear();
            if lines.read_line(&mut line).unwrap_or_default() == 0 {
                return;
            }
            let reply = hello.iter().find(|(start, _)| line.starts_with(start));
            let _ = peer.write_all(reply.map_or("250 ok\r\n", |(_, reply)| reply).as_bytes());
        }
        let kept = String::from_utf8(lines.buffer().to_vec()).expect("text");
        let tls = ServerConnection::new(Arc::clone(&config)).expect("TLS");
        let mut peer = StreamOwned::new(tls, peer);
        if careless && kept.starts_with("NOOP") && peer.write_all(b"250 ok\r\n").is_err() {
            return;
        }
        let answers = [&[("EHLO", "250-mx\r\n250 HELP\r\n")], &REST[..]].concat();
        let _ = answer(&mut peer, &answers);
    })
}

#[test]
fn a_command_that_is_carried_over_into_tls() {
    let found = probe(starttls(true), None);
    check(&found, SMTP, &["certificate-expired", "starttls-injection"]);
    let found = probe(starttls(false), None);
    check(&found, SMTP, &["certificate-expired"]);
    assert_eq!((found.mode, found.injected), (Some(Mode::StartTls), Some(false)));
}

#[test]
fn starttls_that_leads_nowhere() {
    let port = clear("220 mx\r\n", &[("EHLO", "250-mx\r\n250 STARTTLS\r\n"), ("STARTTLS", "454 no\r\n")]);
    check(&probe(port, None), SMTP, &["starttls-refused"]);
    let port = clear("220 mx\r\n", &[("EHLO", "250-mx\r\n250 STARTTLS\r\n"), ("STARTTLS", "220 go\r\n")]);
    let found = probe(port, None);
    check(&found, SMTP, &["starttls-broken"]);
    assert!(found.error.is_some());
}

#[test]
fn pipelining_that_is_none() {
    let port = serve(|mut peer| {
        let _ = peer.write_all(b"220 mx\r\n");
        let mut read = [0; 512];
        // One reply to whatever comes in one piece.
        while let Ok(1..) = peer.read(&mut read) {
            let reply = if read.starts_with(b"EHLO") { "250-mx\r\n250 PIPELINING\r\n" } else { "250 ok\r\n" };
            let _ = peer.write_all(reply.as_bytes());
        }
    });
    let found = probe(port, None);
    check(&found, SMTP, &["no-tls", "no-pipelining"]);
}
