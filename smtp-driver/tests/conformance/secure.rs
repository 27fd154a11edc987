//! TLS, and logging in.

use std::error::Error as _;
use std::sync::LazyLock;

use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{CertificateError, ClientConfig, RootCertStore, ServerConfig};
use smtp_driver::ErrorKind;
use smtp_driver::proto::auth::{Credentials, Mechanism, Mechanisms};
use smtp_driver::proto::error::Violation;
use smtp_driver::proto::session::StartTls;
use smtp_driver::proto::stage::Stage;

use super::clerk::PASSWORD;
use super::script::Wire;
use super::*;

/// A root, and a leaf of it for `localhost`.
struct Pki {
    root: CertificateDer<'static>,
    leaf: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

static OURS: LazyLock<Pki> = LazyLock::new(|| Pki::new("ours"));
static FOREIGN: LazyLock<Pki> = LazyLock::new(|| Pki::new("foreign"));

impl Pki {
    fn new(name: &str) -> Self {
        let key = rcgen::KeyPair::generate().expect("a key");
        let mut params = rcgen::CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let root = params.self_signed(&key).expect("a root");
        let issuer = rcgen::Issuer::new(params, key);
        let key = rcgen::KeyPair::generate().expect("a key");
        let params = rcgen::CertificateParams::new(["localhost".to_owned()]).expect("a name");
        let leaf = params.signed_by(&key, &issuer).expect("a leaf");
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        Self { root: root.der().clone(), leaf: leaf.der().clone(), key }
    }
}

fn trusting(pki: &Pki) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(pki.root.clone()).expect("a root");
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().expect("versions");
    Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
}

pub(super) fn identity() -> Arc<ServerConfig> {
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().expect("versions").with_no_client_auth();
    let chain = vec![OURS.leaf.clone()];
    Arc::new(builder.with_single_cert(chain, OURS.key.clone_key()).expect("a certificate"))
}

pub(super) fn submission(server: &Running) -> Destination {
    Destination::submission("localhost", trusting(&OURS)).with_port(server.port)
}

pub(super) fn submissions(server: &Running) -> Destination {
    Destination::submissions("localhost", trusting(&OURS)).with_port(server.port)
}

/// A server that lets nobody in who did not log in through TLS by one of these.
fn guarded(mechanisms: impl IntoIterator<Item = Mechanism>) -> Service {
    let mut config = config().with_auth(Mechanisms::from_iter(mechanisms));
    config.require_auth = true;
    Service::new(config.shared())
}

fn tim() -> Credentials {
    Credentials::password("tim", PASSWORD)
}

async fn send_one(client: &mut impl Client) {
    let envelope = envelope("ann@example.org", &["ben@example.net", "550-c@example.net"]);
    for _ in 0..2 {
        let report = client.send(&envelope, "Subject: x\r\n\r\n.\r\n").await.expect("a report");
        assert_eq!(codes(&report), [250, 550]);
    }
}

pub(crate) fn starttls_then_a_message<A: Adapter>() {
    let (server, post) = start::<A>(service().with_starttls(identity()));
    A::run(async {
        for policy in [StartTls::Required, StartTls::Opportunistic, StartTls::Off] {
            let to = submission(&server).with_starttls(policy);
            let mut client = A::client(&to).await.expect("a connection");
            assert_eq!(client.is_tls(), policy != StartTls::Off);
            send_one(&mut client).await;
            client.quit().await;
        }
    });
    server.end();
    assert_eq!(post.letters().len(), 6);
    assert_eq!(post.ended(), [None, None, None]);
}

pub(crate) fn implicit_tls_then_a_message<A: Adapter>() {
    let (server, post) = start::<A>(service().with_implicit_tls(identity()));
    A::run(async {
        let mut client = A::client(&submissions(&server)).await.expect("a connection");
        assert!(client.is_tls());
        send_one(&mut client).await;
        client.quit().await;
    });
    server.end();
    assert_eq!(post.letters().len(), 2);
    assert_eq!(post.ended(), [None]);
}

pub(crate) fn five_mebibytes_arrive_through_tls<A: Adapter>() {
    let (server, post) = start::<A>(service().with_starttls(identity()));
    let message = long_message(5 << 20);
    A::run(async {
        let mut client = A::client(&submission(&server)).await.expect("a connection");
        let envelope = envelope("ann@example.org", &["ben@example.net"]);
        for transfer in [Transfer::Data, Transfer::Chunks] {
            client.set_transfer(transfer);
            assert!(client.send(&envelope, &message).await.expect("a report").all_delivered());
        }
        let report = client.send(&envelope, A::stream(message.clone(), false)).await.expect("a report");
        assert!(report.all_delivered());
        client.quit().await;
    });
    let letters = post.letters();
    assert!(letters.len() == 3 && letters.iter().all(|letter| letter.body == message), "it differs");
    server.end();
}

#[cfg(feature = "scram")]
pub(crate) fn every_mechanism_logs_in<A: Adapter>() {
    const MECHANISMS: [Mechanism; 7] = [
        Mechanism::Login,
        Mechanism::Plain,
        Mechanism::CramMd5,
        Mechanism::ScramSha1,
        Mechanism::ScramSha1Plus,
        Mechanism::ScramSha256,
        Mechanism::ScramSha256Plus,
    ];
    for mechanism in MECHANISMS {
        // The only one on offer, so that it is the one that is used.
        let explicit = start::<A>(guarded([mechanism]).with_starttls(identity()));
        let implicit = start::<A>(guarded([mechanism]).with_implicit_tls(identity()));
        A::run(async {
            for to in [submission(&explicit.0), submissions(&implicit.0)] {
                let client = A::client(&to.clone().with_credentials(tim())).await;
                let mut client = client.unwrap_or_else(|error| panic!("{mechanism}: {error}"));
                send_one(&mut client).await;
                client.quit().await;
                let wrong = to.with_credentials(Credentials::password("tim", "wrong"));
                let error = A::client(&wrong).await.err().expect("not the password");
                assert_eq!(error.stage(), Stage::Auth, "{mechanism}: {error}");
                assert_eq!(error.refusal().expect("a reply").code().as_u16(), 535, "{mechanism}");
            }
        });
        for (server, post) in [explicit, implicit] {
            server.end();
            assert_eq!((post.users(), post.letters().len()), (vec!["tim".to_owned()], 2), "{mechanism}");
        }
    }
}

pub(crate) fn a_wrong_password_is_refused<A: Adapter>() {
    let (server, post) = start::<A>(guarded([Mechanism::Plain]).with_starttls(identity()));
    A::run(async {
        let wrong = Credentials::password("tim", "wrong");
        let error = A::client(&submission(&server).with_credentials(wrong)).await.err();
        let error = error.expect("not the password");
        assert_eq!((error.stage(), error.refusal().expect("a reply").code().as_u16()), (Stage::Auth, 535));
        // And one who does not log in.
        let mut client = A::client(&submission(&server)).await.expect("a connection");
        let envelope = envelope("ann@example.org", &["ben@example.net"]);
        assert_eq!(codes(&client.send(&envelope, "x\r\n").await.expect("a report")), [530]);
        client.quit().await;
    });
    server.end();
    assert_eq!((post.users().len(), post.letters().len()), (0, 0));
}

pub(crate) fn a_password_does_not_go_in_the_clear<A: Adapter>() {
    let script = Script::new(|wire| {
        wire.greet(&["AUTH PLAIN LOGIN"]);
        wire.hear("QUIT");
        wire.say("221 bye\r\n");
        assert_eq!(wire.rest(), b"");
    });
    A::run(async {
        let to = script.destination().with_credentials(tim());
        let error = A::client(&to).await.err().expect("it is kept");
        assert_eq!(error.stage(), Stage::Auth);
    });
    script.end();
    let mut config = config().with_auth(Mechanisms::from_iter([Mechanism::Plain]));
    config.auth_in_clear = true;
    let (server, post) = start::<A>(Service::new(config.shared()));
    A::run(async {
        let to = server.plain().with_credentials(tim()).with_auth_in_clear();
        A::client(&to).await.expect("it was said in so many words").quit().await;
    });
    server.end();
    assert_eq!(post.users(), ["tim"]);
}

/// What rustls says of a certificate, found behind an error.
fn certificate_error(error: &Error) -> CertificateError {
    assert!(matches!(error.kind(), ErrorKind::Tls(_)), "{error}");
    assert_eq!(error.stage(), Stage::Handshake);
    assert!(error.to_string().contains("certificate"), "{error}");
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(rustls::Error::InvalidCertificate(error)) = cause.downcast_ref() {
            return error.clone();
        }
        source = cause.source();
    }
    panic!("{error:?} names no certificate");
}

pub(crate) fn a_foreign_certificate_is_named<A: Adapter>() {
    let explicit = start::<A>(service().with_starttls(identity()));
    let implicit = start::<A>(service().with_implicit_tls(identity()));
    A::run(async {
        let foreign = trusting(&FOREIGN);
        for to in [
            Destination::submission("localhost", Arc::clone(&foreign)).with_port(explicit.0.port),
            Destination::relay("localhost", Arc::clone(&foreign)).with_port(explicit.0.port),
            Destination::submissions("localhost", Arc::clone(&foreign)).with_port(implicit.0.port),
        ] {
            let error = A::client(&to).await.err().expect("not trusted");
            assert!(matches!(certificate_error(&error), CertificateError::UnknownIssuer), "{error:?}");
        }
    });
    for (server, post) in [explicit, implicit] {
        server.end();
        // The server was told: it does not merely see an end.
        assert!(post.ended().iter().all(|how| how.as_ref().is_some_and(|how| how.contains("UnknownCA"))));
    }
}

pub(crate) fn a_certificate_for_another_name_is_named<A: Adapter>() {
    let (server, post) = start::<A>(service().with_implicit_tls(identity()));
    A::run(async {
        let to = Destination::submissions("127.0.0.1", trusting(&OURS)).with_port(server.port);
        let error = A::client(&to).await.err().expect("another name");
        let named = certificate_error(&error);
        assert!(matches!(named, CertificateError::NotValidForNameContext { .. }), "{named:?}");
    });
    server.end();
    assert_eq!(post.letters(), []);
}

pub(crate) fn a_greeting_for_a_record_names_the_port<A: Adapter>() {
    let (server, post) = start::<A>(service());
    A::run(async {
        let error = A::client(&submissions(&server)).await.err().expect("not TLS");
        assert!(error.to_string().contains("does not speak implicit TLS"), "{error}");
    });
    server.end();
    assert_eq!(post.letters(), []);
    // And the server of a client in the clear.
    let (server, post) = start::<A>(service().with_implicit_tls(identity()));
    let mut wire = Wire::client(server.port);
    wire.say("EHLO there\r\n");
    assert_eq!(wire.rest().first(), Some(&0x15), "an alert");
    server.end();
    assert!(post.ended()[0].as_ref().is_some_and(|how| how.contains("plain text")), "{:?}", post.ended());
}

pub(crate) fn missing_starttls_ends_it_before_anything_is_said<A: Adapter>() {
    let script = Script::new(|wire| {
        wire.greet(&["AUTH PLAIN", "PIPELINING"]);
        wire.hear("QUIT");
        wire.say("221 bye\r\n");
        assert_eq!(wire.rest(), b"");
    });
    A::run(async {
        let to = Destination::submission("localhost", trusting(&OURS)).with_port(script.port);
        let error = A::client(&to.with_credentials(tim())).await.err().expect("TLS is required");
        assert_eq!(error.stage(), Stage::StartTls);
        assert!(error.to_string().contains("does not offer STARTTLS"), "{error}");
    });
    script.end();
}

pub(crate) fn octets_behind_the_220_are_not_taken<A: Adapter>() {
    // Whole lines, and half of one.
    for injected in ["250 more\r\n", "2"] {
        let script = Script::new(move |wire| {
            wire.greet(&["STARTTLS"]);
            wire.hear("STARTTLS");
            wire.say(format!("220 go\r\n{injected}"));
            assert_eq!(wire.rest(), b"", "no handshake and no QUIT");
        });
        A::run(async {
            let to = Destination::submission("localhost", trusting(&OURS)).with_port(script.port);
            let error = A::client(&to).await.err().expect("an injection");
            assert!(matches!(error.violation(), Some(Violation::BehindStartTls)), "{error}");
        });
        script.end();
    }
}

pub(crate) fn octets_behind_starttls_are_not_taken<A: Adapter>() {
    let (server, post) = start::<A>(service().with_starttls(identity()));
    for injected in ["MAIL FROM:<ann@example.org>\r\n", "N"] {
        let mut wire = Wire::client(server.port);
        wire.reply("220");
        wire.say("EHLO there\r\n");
        wire.reply("250");
        wire.say(format!("STARTTLS\r\n{injected}"));
        let said = wire.rest();
        assert!(!said.starts_with(b"220"), "{:?}", String::from_utf8_lossy(&said));
    }
    server.end();
    assert_eq!(post.ended().iter().flatten().filter(|how| how.contains("behind STARTTLS")).count(), 2);
}
