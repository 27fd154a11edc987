//! What every peer needs: a folder, ports, certificates, and its configuration written from a template of `interop/config`.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU16, Ordering};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};

use crate::peer::interop;

/// Octets of the longest message that peers take.
pub(crate) const SIZE: usize = 2 * 1024 * 1024;

/// The folder of this run. Not below `target`: servers that give up root must reach it.
#[derive(Debug)]
pub(crate) struct Room {
    folder: PathBuf,
    pub(crate) ca: PathBuf,
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

static ROOM: LazyLock<Room> = LazyLock::new(Room::new);

pub(crate) fn room() -> &'static Room {
    &ROOM
}

impl Room {
    /// With a CA, and a certificate of its for localhost and 127.0.0.1.
    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("smtp-interop.").tempdir().unwrap().keep();
        open(&folder, 0o755);
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "Interop CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, "localhost");
        let leaf = params.signed_by(&key, &authority).unwrap();
        let write = |name: &str, text: String| {
            let path = folder.join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let ca = write("ca.pem", authority.pem());
        let certificate = write("certificate.pem", leaf.pem());
        let key = write("key.pem", key.serialize_pem());
        Self { folder, ca, certificate, key }
    }

    /// A new folder of this name, which everybody may write to.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        let path = self.folder.join(name);
        fs::create_dir_all(&path).unwrap();
        open(&path, 0o777);
        path
    }

    /// Everything that was written, for whoever looks into a failure; gone if there is none.
    pub(crate) fn leave(&self, failed: bool) {
        if failed {
            eprintln!("what the peers wrote is in {}", self.folder.display());
        } else {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

pub(crate) fn open(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// A port that nobody listens at, for peers that cannot tell which one the system picked. Below those that the system gives to
/// clients, so that none of them takes it meanwhile; each is given once.
pub(crate) fn port() -> u16 {
    static NEXT: LazyLock<AtomicU16> =
        LazyLock::new(|| AtomicU16::new(10_000 + u16::try_from(std::process::id() % 20_000).unwrap()));
    loop {
        let port = NEXT.fetch_add(1, Ordering::Relaxed);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Fills the template `interop/config/NAME` in: `@room@`, `@certificate@`, `@key@`, `@ca@`, `@size@`, and these.
pub(crate) fn configure(name: &str, to: &Path, room: &Path, values: &[(&str, &str)]) {
    let mut text = fs::read_to_string(interop("config").join(name)).unwrap();
    let Room { ca, certificate, key, .. } = self::room();
    let size = SIZE.to_string();
    let paths = [("room", room), ("certificate", certificate), ("key", key), ("ca", ca)];
    for (name, path) in paths {
        text = text.replace(&format!("@{name}@"), path.to_str().unwrap());
    }
    for (name, value) in values.iter().chain(&[("size", &*size)]) {
        text = text.replace(&format!("@{name}@"), value);
    }
    fs::write(to, text).unwrap();
}
