//! Whom a client believes.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use crate::exit::{self, Failure, chain};

/// The system's CAs, and those of a file.
///
/// # Errors
///
/// If the file can't be read or holds no CA. That the system has none is no error: then every certificate is refused.
pub(crate) fn roots(ca: Option<&Path>) -> Result<RootCertStore, Failure> {
    let mut roots = RootCertStore::empty();
    // Some systems have certificates that nobody can parse; the others serve.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = ca {
        let unread = |error: &dyn std::error::Error| {
            Failure::new(exit::NO_INPUT, format!("--ca {}: {}", path.display(), chain(error)))
        };
        let certificates = CertificateDer::pem_file_iter(path)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| unread(&error))?;
        if certificates.is_empty() {
            return Err(Failure::new(
                exit::NO_INPUT,
                format!("--ca {}: no certificate in it", path.display()),
            ));
        }
        for certificate in certificates {
            roots.add(certificate).map_err(|error| unread(&error))?;
        }
    }
    Ok(roots)
}

/// A configuration that believes those of [`roots`].
///
/// # Errors
///
/// As `roots`.
pub(super) fn config(ca: Option<&Path>) -> Result<Arc<ClientConfig>, Failure> {
    let config = ClientConfig::builder_with_provider(crate::crypto())
        .with_safe_default_protocol_versions()
        .map_err(|error| Failure::new(exit::SOFTWARE, chain(&error)))?
        .with_root_certificates(roots(ca)?)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
