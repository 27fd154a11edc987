//! The server's certificate: read from files, or made for the occasion.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tempfile::TempDir;

use crate::exit::{self, Failure, chain};

/// A certificate in use, and where its CA can be found.
#[derive(Debug)]
pub(crate) struct Certificate {
    /// The configuration for rustls.
    pub config: Arc<ServerConfig>,
    /// The CA's file, if it was made here.
    pub ca: Option<PathBuf>,
    /// Where that is; removed with this value.
    _folder: Option<TempDir>,
}

impl Certificate {
    /// Reads chain and key from PEM files.
    ///
    /// # Errors
    ///
    /// If a file can't be read, or the two are of no use together.
    pub(crate) fn read(chain: &Path, key: &Path) -> Result<Self, Failure> {
        let unread = |path: &Path, error: &dyn std::error::Error| {
            Failure::new(exit::NO_INPUT, format!("{}: {}", path.display(), exit::chain(error)))
        };
        let certificates = CertificateDer::pem_file_iter(chain)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| unread(chain, &error))?;
        let private = PrivateKeyDer::from_pem_file(key).map_err(|error| unread(key, &error))?;
        let config = config(certificates, private).map_err(|error| {
            let (chain, key) = (chain.display(), key.display());
            Failure::new(exit::CONFIG, format!("{chain} and {key}: {}", exit::chain(&error)))
        })?;
        Ok(Self { config, ca: None, _folder: None })
    }

    /// Makes a CA and has it sign a certificate for this machine's own addresses.
    ///
    /// # Errors
    ///
    /// If there is no place for the CA's file.
    pub(crate) fn self_signed() -> Result<Self, Failure> {
        let made = make().map_err(|error| Failure::new(exit::CONFIG, chain(&error)))?;
        let folder = tempfile::Builder::new().prefix("smtp-ca-").tempdir();
        let written = folder.and_then(|folder| {
            let path = folder.path().join("ca.pem");
            std::fs::write(&path, &made.ca)?;
            Ok::<_, io::Error>((folder, path))
        });
        let (folder, path) =
            written.map_err(|error| Failure::new(exit::CANT_CREATE, format!("the CA's file: {error}")))?;
        let config = config(vec![made.certificate], made.key.into())
            .map_err(|error| Failure::new(exit::CONFIG, chain(&error)))?;
        Ok(Self { config, ca: Some(path), _folder: Some(folder) })
    }
}

fn config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<ServerConfig>, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(crate::crypto())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    // TLS 1.2 without an extended master secret has nothing that SCRAM-PLUS could bind to.
    config.require_ems = true;
    Ok(Arc::new(config))
}

struct Made {
    ca: String,
    certificate: CertificateDer<'static>,
    key: PrivatePkcs8KeyDer<'static>,
}

fn make() -> Result<Made, rcgen::Error> {
    let mut ca = CertificateParams::default();
    ca.distinguished_name.push(DnType::CommonName, "smtp serve, made for the occasion");
    ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let ca_key = KeyPair::generate()?;
    let ca_certificate = ca.self_signed(&ca_key)?;

    let names = ["localhost", "127.0.0.1", "::1"].map(String::from);
    let mut leaf = CertificateParams::new(names)?;
    leaf.distinguished_name.push(DnType::CommonName, "localhost");
    // A CA and its certificate in one would be refused by strict clients.
    leaf.is_ca = IsCa::ExplicitNoCa;
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    leaf.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate()?;
    let certificate = leaf.signed_by(&key, &Issuer::new(ca, ca_key))?;
    Ok(Made {
        ca: ca_certificate.pem(),
        certificate: certificate.der().clone(),
        key: PrivatePkcs8KeyDer::from(key.serialize_der()),
    })
}
