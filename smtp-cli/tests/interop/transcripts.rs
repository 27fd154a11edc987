//! What servers say, word for word: sessions that are kept as test data of the core, in `smtp-proto/tests/transcripts`.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use libtest_mimic::Trial;
use rustls::{ClientConnection, StreamOwned};

use crate::peer::installed;
use crate::peers::{self, Peer};
use crate::process::PATIENCE;
use crate::sender;

/// The package that each server comes from.
const PACKAGES: [(&str, &str); 11] = [
    ("Postfix", "postfix"),
    ("Exim", "exim4-daemon-light"),
    ("OpenSMTPD", "opensmtpd"),
    ("Dovecot LMTP", "dovecot-core"),
    ("Dovecot submission", "dovecot-core"),
    ("aiosmtpd", "aiosmtpd"),
    ("smtp-server", "smtp-server"),
    ("smtp-server LMTP", "smtp-server"),
    ("chasquid", "chasquid"),
    ("Haraka", "Haraka"),
    ("smtp-sink", "postfix"),
];

/// A session with each server; kept if SMTP_INTEROP_TRANSCRIPTS is set.
pub(crate) fn trials(trials: &mut Vec<Trial>) {
    for (name, _, peer) in peers::ALL {
        let test = move || {
            let text = record(peer());
            if env::var_os("SMTP_INTEROP_TRANSCRIPTS").is_some() {
                let file = format!("peer-{}.txt", name.to_lowercase().replace(' ', "-"));
                let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../smtp-proto/tests/transcripts");
                fs::write(folder.join(file), text).unwrap();
            }
            Ok(())
        };
        trials.push(Trial::test(format!("{name}: transcript"), test).with_ignored_flag(true));
    }
}

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// A conversation, and how it is written down.
struct Session {
    stream: Box<dyn Stream>,
    text: String,
}

fn record(peer: &Peer) -> String {
    let versions = fs::read_to_string(installed("versions")).unwrap();
    let package = PACKAGES.iter().find(|(name, _)| *name == peer.name).unwrap().1;
    let version = versions.lines().find_map(|line| line.strip_prefix(package)?.strip_prefix(' ')).unwrap();
    let tcp = TcpStream::connect(("127.0.0.1", peer.plain)).unwrap();
    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut session = Session { stream: Box::new(tcp.try_clone().unwrap()), text: String::new() };
    let _ = writeln!(
        session.text,
        "# {}, recorded by `just interop-transcripts`: {package} {version}.",
        peer.name
    );
    if peer.lmtp {
        session.text += "! lmtp\n";
    }
    let hello = if peer.lmtp { "LHLO client.example.test" } else { "EHLO client.example.test" };
    session.hear("220");
    let mut offered = session.say(hello, "250");
    if offered.contains(" PLAIN") {
        let head = session.text.find('\n').unwrap() + 1;
        session.text.insert_str(head, "! auth in clear\n");
    }
    if offered.contains("STARTTLS") && !peer.without_tls() {
        session.say("STARTTLS", "220");
        session.text += "C & S: the TLS handshake\n";
        let tls =
            ClientConnection::new(Arc::clone(&sender::TRUSTING), "localhost".try_into().unwrap()).unwrap();
        session.stream = Box::new(StreamOwned::new(tls, tcp));
        offered = session.say(hello, "250");
    }
    if offered.contains("AUTH ") && !peer.user.is_empty() {
        // alice@example.test or alice, and her password.
        let login = if peer.user.contains('@') {
            "AGFsaWNlQGV4YW1wbGUudGVzdABzZWNyZXQ="
        } else {
            "AGFsaWNlAHNlY3JldA=="
        };
        session.say(&format!("AUTH PLAIN {login}"), "235");
    }
    let mut mail = String::from("MAIL FROM:<a@example.test>");
    for (keyword, parameter) in
        [("SIZE", " SIZE=100"), ("8BITMIME", " BODY=8BITMIME"), ("DSN", " RET=HDRS ENVID=a+2Bb")]
    {
        mail += if offered.contains(keyword) { parameter } else { "" };
    }
    session.say(&mail, "250");
    let unknown = if peer.name == "smtp-sink" { "250" } else { "550" };
    session.say("RCPT TO:<bob@example.test>", "250");
    session.say("RCPT TO:<nobody@example.test>", unknown);
    session.say("RCPT TO:<carol@example.test>", "250");
    session.say("DATA", "354");
    for line in ["From: a@example.test", "Subject: transcript", "", "..a dot", "Gr\u{fc}\u{df}e"] {
        session.send(line);
    }
    session.say(".", "250");
    if peer.lmtp {
        session.hear("250");
    }
    if offered.contains("PIPELINING") {
        // What is owed for each is said in order.
        let group = ["MAIL FROM:<a@example.test>", "RCPT TO:<nobody@example.test>", "RSET", "NOOP"];
        group.iter().for_each(|line| session.send(line));
        ["250", unknown, "250", "250"].iter().for_each(|code| session.hear(code));
    }
    session.say("QUIT", "221");
    session.text
}

impl Session {
    /// Says a line and hears the reply, which it gives.
    #[track_caller]
    fn say(&mut self, line: &str, code: &str) -> String {
        self.send(line);
        let from = self.text.len();
        self.hear(code);
        self.text[from..].to_owned()
    }

    fn send(&mut self, line: &str) {
        self.stream.write_all(format!("{line}\r\n").as_bytes()).unwrap();
        let _ = writeln!(self.text, "{}", format!("C: {line}").trim_end());
    }

    /// One reply, which has to have this code.
    #[track_caller]
    fn hear(&mut self, code: &str) {
        let from = self.text.len();
        loop {
            let mut line = Vec::new();
            // An octet at a time: what stands behind it belongs to whoever reads next.
            let mut one = BufReader::with_capacity(1, &mut self.stream);
            one.read_until(b'\n', &mut line).unwrap();
            let line = String::from_utf8(line).unwrap();
            let _ = writeln!(self.text, "S: {}", line.trim_end_matches("\r\n"));
            assert!(line.starts_with(code), "not {code}:\n{}", self.text);
            if line.as_bytes().get(3) != Some(&b'-') {
                break;
            }
        }
        assert!(self.text[from..].lines().all(|line| line.len() < 512));
    }
}
