//! Two links joined in memory, the wire between them cut anywhere, and certificates made for the occasion.

mod broken;
mod carried;

use rustls::{
    ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName},
    version::{TLS12, TLS13},
};
use smtp_proto::{
    link::{Error, Link},
    tls::Tls,
};
use std::sync::{Arc, LazyLock};

/// A root, and a leaf of it that is no authority, for `localhost`.
struct Pki {
    root: CertificateDer<'static>,
    leaf: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

impl Pki {
    fn new(name: &str) -> Self {
        let key = rcgen::KeyPair::generate().expect("a key");
        let mut params = rcgen::CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        // Two roots of one name would make a foreign leaf look forged, not unknown.
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let root = params.self_signed(&key).expect("a root");
        let issuer = rcgen::Issuer::new(params, key);

        let key = rcgen::KeyPair::generate().expect("a key");
        let mut params = rcgen::CertificateParams::new(["localhost".to_owned()]).expect("a name");
        params.is_ca = rcgen::IsCa::ExplicitNoCa;
        let leaf = params.signed_by(&key, &issuer).expect("a leaf");
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        Self { root: root.der().clone(), leaf: leaf.der().clone(), key }
    }
}

static OURS: LazyLock<Pki> = LazyLock::new(|| Pki::new("ours"));
static FOREIGN: LazyLock<Pki> = LazyLock::new(|| Pki::new("foreign"));
const BOTH: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];

fn client_config(versions: &[&'static SupportedProtocolVersion], pki: &Pki) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(pki.root.clone()).expect("a root");
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(versions)
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

fn server_config() -> ServerConfig {
    ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(BOTH)
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![OURS.leaf.clone()], OURS.key.clone_key())
        .expect("a certificate")
}

fn client_of(config: ClientConfig, name: &'static str) -> Tls {
    Tls::client(Arc::new(config), ServerName::try_from(name).expect("a name")).expect("a client")
}

pub(crate) fn client() -> Tls {
    client_of(client_config(BOTH, &OURS), "localhost")
}

pub(crate) fn server() -> Tls {
    Tls::server(Arc::new(server_config())).expect("a server")
}

/// Both ends of a connection that speaks TLS from the start.
fn pair() -> (Link, Link) {
    (Link::tls(client()), Link::tls(server()))
}

/// The same, with the handshake done and all of it delivered.
fn established() -> (Link, Link) {
    let (mut client, mut server) = pair();
    settle(&mut client, &mut server, usize::MAX).expect("a handshake");
    assert!(!client.is_handshaking() && !server.is_handshaking());
    (client, server)
}

/// Takes all that is outgoing off a link.
fn wire(from: &mut Link) -> Vec<u8> {
    let mut wire = Vec::new();
    while !from.outgoing().is_empty() {
        wire.extend_from_slice(from.outgoing());
        from.sent(usize::MAX);
    }
    wire
}

/// Brings octets to a link, at most `step` at a time.
fn bring(octets: &[u8], to: &mut Link, step: usize) -> Result<(), Error> {
    for piece in octets.chunks(step) {
        to.incoming().extend_from_slice(piece);
        to.received()?;
    }
    Ok(())
}

/// Carries octets both ways until neither end has any to send.
fn settle(a: &mut Link, b: &mut Link, step: usize) -> Result<(), Error> {
    loop {
        let (there, back) = (wire(a), wire(b));
        if there.is_empty() && back.is_empty() {
            return Ok(());
        }
        bring(&there, b, step)?;
        bring(&back, a, step)?;
    }
}

/// Everything that the link has for its protocol.
fn read(link: &mut Link) -> Vec<u8> {
    let input = link.input().to_vec();
    link.consume(input.len());
    input
}

/// The content types of the records on a wire; panics where there is no whole record.
fn records(mut wire: &[u8]) -> Vec<(u8, usize)> {
    let mut records = Vec::new();
    while !wire.is_empty() {
        let len = usize::from(u16::from_be_bytes([wire[3], wire[4]]));
        records.push((wire[0], len));
        wire = &wire[5 + len..];
    }
    records
}
