//! `smtp send` delivers to their servers.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::mail::{RECIPIENTS, SENDER, Sample, assert_same, samples};
use crate::peer::{postfix, python, tool};
use crate::process::{Running, eventually, folder, run};
use crate::send::{Send, assert_told};
use crate::top;

/// A CA, and a certificate of its for localhost and 127.0.0.1.
struct Certificate {
    ca: PathBuf,
    certificate: PathBuf,
    key: PathBuf,
}

impl Certificate {
    fn new(folder: &Path) -> Self {
        let path = |name: &str| folder.join(name);
        let made = Self { ca: path("ca.pem"), certificate: path("certificate.pem"), key: path("key.pem") };
        let request = || {
            let mut command = tool("openssl");
            command.args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-noenc",
                "-days",
                "2",
            ]);
            command
        };
        let ca_key = path("ca-key.pem");
        let mut ca = request();
        ca.args(["-subj", "/CN=Interop CA", "-keyout"]).arg(&ca_key).arg("-out").arg(&made.ca);
        done(&mut ca);
        let mut leaf = request();
        leaf.args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]);
        // Without it, a verifier that is strict takes the leaf for a CA.
        leaf.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
        leaf.arg("-CA").arg(&made.ca).arg("-CAkey").arg(&ca_key);
        leaf.arg("-keyout").arg(&made.key).arg("-out").arg(&made.certificate);
        done(&mut leaf);
        made
    }
}

#[track_caller]
fn done(command: &mut Command) {
    let ended = run(command);
    assert!(ended.status.success(), "{command:?}: {ended:#?}");
}

/// aiosmtpd, which offers STARTTLS and implicit TLS, and AUTH PLAIN and LOGIN under either.
struct Aiosmtpd {
    plain: String,
    tls: String,
    ca: PathBuf,
    folder: PathBuf,
    taken: usize,
    _process: Running,
}

impl Aiosmtpd {
    fn start(test: &str) -> Self {
        let folder = folder(&format!("servers::aiosmtpd::{test}"));
        let Certificate { ca, certificate, key } = Certificate::new(&folder);
        let mut process = Running::start(python("aiosmtpd_server.py").arg(certificate).arg(key).arg(&folder));
        let lines = process.lines();
        let listener = |name: &str| {
            let line = lines.next("a listener of aiosmtpd");
            let port = line.strip_prefix("listening 127.0.0.1:").and_then(|rest| rest.strip_suffix(name));
            port.unwrap_or_else(|| panic!("not the listener{name}: {line}")).to_owned()
        };
        let (plain, tls) = (listener(" plain"), listener(" tls"));
        Self { plain, tls, ca, folder, taken: 0, _process: process }
    }

    /// The next message, and its envelope as JSON.
    #[track_caller]
    fn take(&mut self) -> (Vec<u8>, String) {
        let path = |ending| self.folder.join(format!("{}.{ending}", self.taken));
        let envelope = eventually("a message at aiosmtpd", || fs::read_to_string(path("json")).ok());
        let message = fs::read(path("eml")).unwrap();
        self.taken += 1;
        (message, envelope)
    }

    #[track_caller]
    fn assert_no_more(&self) {
        assert!(!self.folder.join(format!("{}.eml", self.taken)).exists(), "more arrived than was sent");
    }

    /// Every sample arrives as it was sent, by a connection that is as secure as it was to be.
    #[track_caller]
    fn takes_all(&mut self, url: &str, starttls: Option<&str>, tls: bool, authenticated: bool) {
        let ca = tls.then(|| self.ca.clone());
        for sample in samples() {
            let ended = Send { url, starttls, ca: ca.as_deref(), to: &RECIPIENTS }.run(&self.folder, &sample);
            assert_eq!(ended.status.code(), Some(0), "{}: {ended:#?}", sample.name);
            assert_told(&ended, &RECIPIENTS.map(|to| (to, "250")));
            let (message, envelope) = self.take();
            assert_same(&sample, &message);
            for part in [
                format!("\"from\": \"{SENDER}\", \"to\": [\"{}\", \"{}\"]", RECIPIENTS[0], RECIPIENTS[1]),
                format!("\"tls\": {tls}, \"authenticated\": {authenticated}"),
            ] {
                assert!(envelope.contains(&part), "{}: no {part} in {envelope}", sample.name);
            }
            // RFC 6152: what is not in 7 bits is declared.
            let declared = envelope.to_ascii_uppercase().contains("BODY=8BITMIME");
            assert!(declared || sample.octets.is_ascii(), "{}: not declared in {envelope}", sample.name);
        }
        self.assert_no_more();
    }
}

mod aiosmtpd {
    use super::*;

    #[test]
    #[ignore = "needs interop/install.sh"]
    fn plain() {
        let mut server = Aiosmtpd::start("plain");
        server.takes_all(&format!("smtp://localhost:{}", server.plain), Some("off"), false, false);
    }

    #[test]
    #[ignore = "needs interop/install.sh"]
    fn starttls() {
        let mut server = Aiosmtpd::start("starttls");
        server.takes_all(&format!("smtp://localhost:{}", server.plain), Some("required"), true, false);
    }

    #[test]
    #[ignore = "needs interop/install.sh"]
    fn implicit_tls() {
        let mut server = Aiosmtpd::start("implicit_tls");
        server.takes_all(&format!("smtps://localhost:{}", server.tls), None, true, false);
    }

    #[test]
    #[ignore = "needs interop/install.sh"]
    fn starttls_auth() {
        let mut server = Aiosmtpd::start("starttls_auth");
        server.takes_all(
            &format!("smtp://alice:secret@localhost:{}", server.plain),
            Some("required"),
            true,
            true,
        );
    }

    #[test]
    #[ignore = "needs interop/install.sh"]
    fn implicit_tls_auth() {
        let mut server = Aiosmtpd::start("implicit_tls_auth");
        server.takes_all(&format!("smtps://alice:secret@localhost:{}", server.tls), None, true, true);
    }

    /// Nothing is sent without the login that was asked for, nor over TLS that cannot be trusted: and then not in the clear.
    #[test]
    #[ignore = "needs interop/install.sh"]
    fn no_message_without_the_login_or_the_trust() {
        let server = Aiosmtpd::start("no_message_without_the_login_or_the_trust");
        let sample = &samples()[0];
        let (plain, tls) = (&server.plain, &server.tls);
        for (url, starttls, ca) in [
            (format!("smtp://alice:wrong@localhost:{plain}"), Some("required"), Some(&*server.ca)),
            (format!("smtps://alice:wrong@localhost:{tls}"), None, Some(&*server.ca)),
            (format!("smtp://localhost:{plain}"), Some("required"), None),
            (format!("smtps://localhost:{tls}"), None, None),
        ] {
            let ended = Send { url: &url, starttls, ca, to: &RECIPIENTS }.run(&server.folder, sample);
            assert!(matches!(ended.status.code(), Some(69 | 75)), "{url}: {ended:#?}");
            server.assert_no_more();
        }
    }

    /// Each recipient has a result of its own, and those who were accepted get the message whatever became of the others.
    #[test]
    #[ignore = "needs interop/install.sh"]
    fn refused_recipients() {
        let mut server = Aiosmtpd::start("refused_recipients");
        let url = format!("smtp://localhost:{}", server.plain);
        let sample = &samples()[0];
        let (bob, nobody, later) = (RECIPIENTS[0], "nobody@example.test", "later@example.test");
        for (results, status) in [
            (&[(nobody, "550"), (bob, "250")][..], 69),
            (&[(bob, "250"), (later, "451")], 75),
            (&[(later, "451"), (bob, "250"), (nobody, "550")], 69),
            (&[(nobody, "550")], 69),
            (&[(later, "451")], 75),
        ] {
            let to: Vec<&str> = results.iter().map(|(to, _)| *to).collect();
            let ended =
                Send { url: &url, starttls: Some("off"), ca: None, to: &to }.run(&server.folder, sample);
            assert_eq!(ended.status.code(), Some(status), "{ended:#?}");
            assert_told(&ended, results);
            if to.contains(&bob) {
                let (message, envelope) = server.take();
                assert_same(sample, &message);
                assert!(envelope.contains(&format!("\"to\": [\"{bob}\"]")), "{envelope}");
            }
        }
        server.assert_no_more();
    }
}

/// Postfix's smtp-sink with `-d`, which writes each message to a file. It knows no TLS.
struct Sink {
    port: u16,
    folder: PathBuf,
    _process: Running,
}

impl Sink {
    fn start(test: &str) -> Self {
        let folder = folder(&format!("servers::smtp_sink::{test}"));
        // It takes port 0, but does not say which one that became. So a free one is looked for, and another one if somebody else
        // was quicker: then smtp-sink ends at once.
        for _ in 0..10 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let mut command = postfix("smtp-sink");
            // As root it wants to be told whom to become: root, who may write to the folder.
            if fs::metadata("/proc/self").unwrap().uid() == 0 {
                command.args(["-u", "root"]);
            }
            command.args(["-d", "message."]).arg(format!("127.0.0.1:{port}")).arg("100").current_dir(&folder);
            let mut process = Running::start(&mut command);
            drop(process.lines());
            let up = eventually("smtp-sink", || match process.child.try_wait().unwrap() {
                Some(_) => Some(false),
                None => TcpStream::connect(("127.0.0.1", port)).is_ok().then_some(true),
            });
            if up {
                return Self { port, folder, _process: process };
            }
        }
        panic!("smtp-sink ended at once, ten times");
    }

    /// Waits for the file of `sample` to be written whole: it may be closed after the reply has left. What smtp-sink adds is, on top,
    /// the envelope and one `Received:`, and an empty line at the end; between, it writes LF for every CRLF of the message.
    #[track_caller]
    fn take(&self, sample: &Sample) {
        let once = ["X-Client-Addr", "X-Client-Proto", "X-Helo-Args", "X-Mail-Args", "Received"];
        let mut last = (Vec::new(), Vec::new());
        let path = eventually("a message at smtp-sink", || {
            let path = self.files().pop()?;
            let file = fs::read(&path).unwrap();
            let (fields, message) = top::strip(&file, &once, &["X-Rcpt-Args"]);
            last = (fields, String::from_utf8(message.to_vec()).unwrap().replace('\n', "\r\n").into_bytes());
            (last.1.len() >= sample.octets.len() + 2).then_some(path)
        });
        fs::remove_file(path).unwrap();
        assert!(self.files().is_empty(), "{}: more arrived than was sent", sample.name);
        let (fields, message) = last;
        assert_same(sample, message.strip_suffix(b"\r\n").unwrap());
        for name in once {
            assert_eq!(top::values(&fields, name).len(), 1, "{name} in {fields:?}");
        }
        assert_eq!(top::values(&fields, "X-Client-Proto"), ["ESMTP"]);
        assert_eq!(top::values(&fields, "X-Rcpt-Args"), RECIPIENTS.map(|to| format!("<{to}>")));
        let sender = top::values(&fields, "X-Mail-Args")[0];
        assert_eq!(sender.split(' ').next(), Some(&*format!("<{SENDER}>")), "{sender}");
    }

    fn files(&self) -> Vec<PathBuf> {
        let all = fs::read_dir(&self.folder).unwrap().map(|entry| entry.unwrap().path());
        all.filter(|path| {
            path.file_stem().is_some_and(|stem| stem == "message")
                && path.extension().is_some_and(|e| e != "eml")
        })
        .collect()
    }
}

mod smtp_sink {
    use super::*;

    #[test]
    #[ignore = "needs interop/install.sh"]
    fn plain() {
        let sink = Sink::start("plain");
        // It offers no STARTTLS, so opportunistic is as good as off.
        for starttls in ["off", "opportunistic"] {
            for sample in samples() {
                let url = format!("smtp://127.0.0.1:{}", sink.port);
                let send = Send { url: &url, starttls: Some(starttls), ca: None, to: &RECIPIENTS };
                let ended = send.run(&sink.folder, &sample);
                assert_eq!(ended.status.code(), Some(0), "{}: {ended:#?}", sample.name);
                assert_told(&ended, &RECIPIENTS.map(|to| (to, "250")));
                sink.take(&sample);
            }
        }
    }

    /// A server that does not offer the TLS that was required gets nothing.
    #[test]
    #[ignore = "needs interop/install.sh"]
    fn no_message_without_tls() {
        let sink = Sink::start("no_message_without_tls");
        let url = format!("smtp://127.0.0.1:{}", sink.port);
        let send = Send { url: &url, starttls: Some("required"), ca: None, to: &RECIPIENTS };
        let ended = send.run(&sink.folder, &samples()[0]);
        assert!(matches!(ended.status.code(), Some(69 | 75)), "{ended:#?}");
        assert!(sink.files().is_empty(), "a message left in the clear");
    }
}
