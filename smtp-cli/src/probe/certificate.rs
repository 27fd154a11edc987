//! The certificate that a server shows, and whether it is to be believed.

use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use serde_json::{Value, json};
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use crate::exit::{self, Failure, chain};

/// Lets every certificate pass, and remembers what is wrong with the last one.
#[derive(Debug)]
pub(crate) struct Recorder {
    verifier: Option<Arc<WebPkiServerVerifier>>,
    signatures: rustls::crypto::WebPkiSupportedAlgorithms,
    wrong: Mutex<Option<String>>,
}

impl Recorder {
    /// One that knows these CAs.
    pub(crate) fn new(roots: RootCertStore) -> Arc<Self> {
        let provider = crate::crypto();
        let signatures = provider.signature_verification_algorithms;
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().ok();
        Arc::new(Self { verifier, signatures, wrong: Mutex::new(None) })
    }

    /// A configuration that goes by it.
    pub(crate) fn config(self: &Arc<Self>) -> Result<Arc<ClientConfig>, Failure> {
        let verifier: Arc<dyn ServerCertVerifier> = Arc::<Self>::clone(self);
        let config = ClientConfig::builder_with_provider(crate::crypto())
            .with_safe_default_protocol_versions()
            .map_err(|error| Failure::new(exit::SOFTWARE, chain(&error)))?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        Ok(Arc::new(config))
    }

    /// Why the last certificate is not to be believed; `None` if it is.
    pub(crate) fn wrong(&self) -> Option<String> {
        self.wrong.lock().map_or(None, |wrong| wrong.clone())
    }
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let wrong = match &self.verifier {
            Some(verifier) => verifier
                .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
                .err()
                .map(|error| why(&error)),
            None => Some("this system knows no CA at all".into()),
        };
        if let Ok(mut last) = self.wrong.lock() {
            *last = wrong;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.signatures)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.signatures)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.signatures.supported_schemes()
    }
}

fn why(error: &rustls::Error) -> String {
    use rustls::CertificateError as E;
    let rustls::Error::InvalidCertificate(error) = error else { return error.to_string() };
    match error {
        E::UnknownIssuer => "nobody whom this system trusts has signed it".into(),
        E::Expired | E::ExpiredContext { .. } => "it has expired".into(),
        E::NotValidYet | E::NotValidYetContext { .. } => "it is not valid yet".into(),
        E::NotValidForName | E::NotValidForNameContext { .. } => "it is for other names".into(),
        E::Revoked => "it was revoked".into(),
        other => other.to_string(),
    }
}

/// What a certificate says of itself.
#[derive(Debug)]
pub(super) struct Certificate {
    pub(super) subject: String,
    pub(super) issuer: String,
    pub(super) names: Vec<String>,
    /// Until it expires; negative once it has.
    pub(super) days_left: i64,
    /// As RFC 5322 writes it.
    until: String,
}

impl Certificate {
    /// Reads a certificate, if it can be read.
    pub(super) fn read(der: &CertificateDer<'_>) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let names = certificate.subject_alternative_name().ok().flatten();
        let names = names.map(|names| names.value.general_names.iter().filter_map(name).collect());
        let until = certificate.validity().not_after;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        Some(Self {
            subject: certificate.subject().to_string(),
            issuer: certificate.issuer().to_string(),
            names: names.unwrap_or_default(),
            days_left: (until.timestamp() - i64::try_from(now).unwrap_or(i64::MAX)).div_euclid(24 * 60 * 60),
            until: until.to_rfc2822().unwrap_or_else(|odd| odd),
        })
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "subject": self.subject,
            "issuer": self.issuer,
            "names": self.names,
            "days_left": self.days_left,
            "until": self.until,
        })
    }
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).into()),
        GeneralName::IPAddress(octets) => match octets.len() {
            4 => <[u8; 4]>::try_from(*octets).ok().map(|octets| std::net::IpAddr::from(octets).to_string()),
            _ => <[u8; 16]>::try_from(*octets).ok().map(|octets| std::net::IpAddr::from(octets).to_string()),
        },
        _ => None,
    }
}
