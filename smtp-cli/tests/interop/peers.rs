//! The servers that we did not write: how each is started, what it offers, where it stores.

mod mta;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use crate::peer::{self, installed, interop, node, python, tool};
use crate::process::{listening, run, serve};
use crate::receiver::{Runtime, server};
use crate::room::{SIZE, configure, open, port, room};
use crate::store::{Files, Store};

/// A server, started.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    /// The port in the clear, with STARTTLS where it is offered.
    pub(crate) plain: u16,
    /// The port with TLS from the first octet.
    pub(crate) tls: Option<u16>,
    pub(crate) lmtp: bool,
    /// Who logs in, with the password `secret`.
    pub(crate) user: &'static str,
    /// What it takes only from who has logged in.
    pub(crate) submission: bool,
    pub(crate) store: Store,
}

type Entry = (&'static str, &'static str, fn() -> &'static Peer);

/// Each by name, with the rows of the matrix that it has beside those that all have; it is started when it is first asked for.
pub(crate) const ALL: [Entry; 11] = [
    (
        "Postfix",
        "STARTTLS, implicit TLS, AUTH PLAIN, AUTH LOGIN, AUTH CRAM-MD5, AUTH SCRAM-SHA-1, AUTH SCRAM-SHA-256, overlapped, \
         CHUNKING, CHUNKING in flight, SMTPUTF8, DSN, 451, greylisting, 421, 552",
        postfix,
    ),
    (
        "Exim",
        "STARTTLS, implicit TLS, AUTH PLAIN, AUTH LOGIN, AUTH CRAM-MD5, overlapped, CHUNKING, CHUNKING in flight, SMTPUTF8, DSN, \
         PRDR, PIPECONNECT, 451, greylisting, 421, 552",
        exim,
    ),
    ("OpenSMTPD", "STARTTLS, implicit TLS, DSN, 451, 421, 552", || &mta::OPENSMTPD),
    (
        "Dovecot LMTP",
        "STARTTLS, implicit TLS, overlapped, CHUNKING, CHUNKING in flight, LMTP, 451, 552",
        || &DOVECOT.0,
    ),
    (
        "Dovecot submission",
        "STARTTLS, implicit TLS, AUTH PLAIN, AUTH LOGIN, AUTH CRAM-MD5, AUTH SCRAM-SHA-1, AUTH SCRAM-SHA-256, overlapped, \
         CHUNKING, CHUNKING in flight, DSN, 451, 421, 552",
        dovecot_submission,
    ),
    ("aiosmtpd", "STARTTLS, implicit TLS, AUTH PLAIN, AUTH LOGIN, SMTPUTF8, 451, 421, 552", || &AIOSMTPD),
    (
        "smtp-server",
        "STARTTLS, implicit TLS, AUTH PLAIN, AUTH LOGIN, AUTH CRAM-MD5, AUTH XOAUTH2, overlapped, SMTPUTF8, DSN, 451, 421, 552",
        || &SMTP_SERVER.0,
    ),
    (
        "smtp-server LMTP",
        "STARTTLS, AUTH PLAIN, AUTH LOGIN, AUTH CRAM-MD5, AUTH XOAUTH2, overlapped, SMTPUTF8, DSN, LMTP, 451, 421, 552",
        || &SMTP_SERVER.1,
    ),
    ("chasquid", "STARTTLS, implicit TLS, AUTH PLAIN, overlapped, SMTPUTF8, 451, 421, 552", || &CHASQUID),
    (
        "Haraka",
        "STARTTLS, implicit TLS, AUTH PLAIN, AUTH LOGIN, AUTH CRAM-MD5, overlapped, SMTPUTF8, 451, 421, 552",
        || &HARAKA,
    ),
    ("smtp-sink", "overlapped, DSN", || &SINK),
];

impl Peer {
    /// Lists STARTTLS, and fails each handshake.
    pub(crate) fn without_tls(&self) -> bool {
        quirk(self.name, "STARTTLS")
    }
}

pub(crate) fn quirk(name: &str, row: &str) -> bool {
    QUIRKS.iter().any(|(one, its, _)| (*one, *its) == (name, row))
}

/// Whether a server has a row.
pub(crate) fn has(rows: &str, row: &str) -> bool {
    rows.split(", ").any(|one| one == row)
}

const NO_TLS: &str = "OpenSMTPD 6.8 as Debian 12 has it fails every handshake with OpenSSL 3, whatever the key and the version of TLS. \
    Nothing is sent then, in the clear least of all";

const KNOWS_ALL: &str =
    "smtp-sink takes all, or can be told to refuse a command to all: there is nobody to be told apart";

/// Cells that are empty, though one would look for something there.
pub(crate) const NONE: [(&str, &str, &str); 5] = [
    ("smtp-sink", "550", KNOWS_ALL),
    ("smtp-sink", "451", KNOWS_ALL),
    ("smtp-sink", "421", KNOWS_ALL),
    ("smtp-sink", "552", KNOWS_ALL),
    ("Dovecot LMTP", "421", "Nothing in Dovecot's configuration has LMTP answer so"),
];

/// Cells that are another way than they should: server, row, and why. Their tests show that they still are.
pub(crate) const QUIRKS: [(&str, &str, &str); 4] = [
    ("OpenSMTPD", "STARTTLS", NO_TLS),
    ("OpenSMTPD", "implicit TLS", NO_TLS),
    (
        "Dovecot submission",
        "overlapped",
        "Dovecot 2.3.19's submission process ends itself (`assertion failed: pending_rcpt_cmds == 0`) where RCPT of the next message \
         is there when it answers the end of one. Not by `send_all`, either",
    ),
    (
        "chasquid",
        "overlapped",
        "chasquid 1.11 reads past the final dot and drops what it has read: what rides behind is not heard, and both sides wait. \
             Send messages one by one there (`send`, a pool), not by `send_all`",
    ),
];

static DOVECOT: LazyLock<(Peer, Peer)> = LazyLock::new(|| {
    let folder = room().folder("dovecot");
    let raw = room().folder("dovecot/raw");
    let mail = room().folder("dovecot/mail");
    own("nobody:nogroup", &mail);
    let mut users = format!("alice:{{PLAIN}}secret:65534:65534::{}/alice::\n", mail.display());
    // There is nowhere to put what comes for `later`: that is seen once the message is there.
    let nowhere = Path::new("/proc/nowhere");
    let full = format!("userdb_quota_rule=*:bytes={SIZE}");
    for (user, home, fields) in [
        ("bob", mail.join("bob"), ""),
        ("carol", mail.join("carol"), ""),
        ("full", mail.join("full"), &full),
        ("later", nowhere.to_owned(), ""),
    ] {
        let home = home.display();
        users += &format!("{user}@example.test:{{PLAIN}}secret:65534:65534::{home}::{fields}\n");
    }
    fs::write(folder.join("users"), users).unwrap();
    let ports = [(); 4].map(|()| port());
    let relay = server(Runtime::Tokio);
    let values = [
        ("plain", ports[0].to_string()),
        ("tls", ports[1].to_string()),
        ("submission", ports[2].to_string()),
        ("submissions", ports[3].to_string()),
        ("ours_plain", relay.plain.to_string()),
        ("raw", raw.display().to_string()),
    ];
    let configuration = folder.join("dovecot.conf");
    configure(
        "dovecot.conf",
        &configuration,
        &folder,
        &values.each_ref().map(|(name, value)| (*name, &**value)),
    );
    serve(Command::new("dovecot").arg("-F").arg("-c").arg(configuration));
    listening(ports[0]);
    listening(ports[2]);
    let lmtp = Peer {
        name: "Dovecot LMTP",
        plain: ports[0],
        tls: Some(ports[1]),
        lmtp: true,
        user: "",
        submission: false,
        store: Store::Files(Files::maildirs(mail)),
    };
    let submission = Peer {
        name: "Dovecot submission",
        plain: ports[2],
        tls: Some(ports[3]),
        lmtp: false,
        user: "alice",
        submission: true,
        store: Store::Ours(relay.ledger.clone()),
    };
    (lmtp, submission)
});

static AIOSMTPD: LazyLock<Peer> = LazyLock::new(|| {
    let folder = room().folder("aiosmtpd");
    let mut command = python("aiosmtpd_server.py");
    command.arg(&room().certificate).arg(&room().key).arg(&folder).arg(SIZE.to_string());
    let lines = serve(&mut command);
    let (plain, tls) = (lines.port("plain"), lines.port("tls"));
    Peer {
        name: "aiosmtpd",
        plain,
        tls: Some(tls),
        lmtp: false,
        user: "alice",
        submission: false,
        store: Store::Files(Files::whole(folder)),
    }
});

static SMTP_SERVER: LazyLock<(Peer, Peer)> = LazyLock::new(|| {
    let folder = room().folder("smtp-server");
    let mut command = node("smtp_server.js");
    command.arg(&room().certificate).arg(&room().key).arg(&folder).arg(SIZE.to_string());
    let lines = serve(&mut command);
    let (plain, tls, lmtp) = (lines.port("plain"), lines.port("tls"), lines.port("lmtp"));
    let smtp = Peer {
        name: "smtp-server",
        plain,
        tls: Some(tls),
        lmtp: false,
        user: "alice",
        submission: false,
        store: Store::Files(Files::whole(folder.clone())),
    };
    let lmtp = Peer {
        name: "smtp-server LMTP",
        plain: lmtp,
        tls: None,
        lmtp: true,
        store: Store::Files(Files::whole(folder)),
        ..smtp
    };
    (smtp, lmtp)
});

static CHASQUID: LazyLock<Peer> = LazyLock::new(|| {
    let root = installed("roots/chasquid/usr/bin");
    let folder = room().folder("chasquid");
    let domain = |below: &str| room().folder(&format!("chasquid/{below}"));
    let certificates = domain("certs/chasquid.example.test");
    fs::copy(&room().certificate, certificates.join("fullchain.pem")).unwrap();
    fs::copy(&room().key, certificates.join("privkey.pem")).unwrap();
    domain("domains/example.test");
    domain("data");
    let mail = domain("mail");
    let program = folder.join("store");
    let script = format!(
        "#!/bin/sh\ncat >\"{0}/$1.$$.part\" && mv \"{0}/$1.$$.part\" \"{0}/$1.$$\"\n",
        mail.display()
    );
    fs::write(&program, script).unwrap();
    open(&program, 0o755);
    let ports = [(); 3].map(|()| port().to_string());
    let values = [("relay", &*ports[0]), ("plain", &*ports[1]), ("tls", &*ports[2])];
    configure("chasquid.conf", &folder.join("chasquid.conf"), &folder, &values);
    for user in ["alice", "bob", "carol", "later"] {
        let mut command = Command::new(root.join("chasquid-util"));
        command.arg(format!("-C={}", folder.display())).args(["user-add", &format!("{user}@example.test")]);
        done(command.arg("--password=secret"));
    }
    let hook = room().folder("chasquid/hooks").join("post-data");
    fs::copy(interop("config/chasquid-post-data"), &hook).unwrap();
    open(&hook, 0o755);
    serve(Command::new(root.join("chasquid")).arg(format!("-config_dir={}", folder.display())));
    let [_, plain, tls] = ports.map(|port| port.parse().unwrap());
    listening(plain);
    Peer {
        name: "chasquid",
        plain,
        tls: Some(tls),
        lmtp: false,
        user: "alice@example.test",
        submission: true,
        store: Store::Files(Files::maildirs(mail)),
    }
});

static HARAKA: LazyLock<Peer> = LazyLock::new(|| {
    let folder = room().folder("haraka");
    let mail = room().folder("haraka/mail");
    let config = room().folder("haraka/config");
    fs::copy(interop("haraka_plugin.js"), room().folder("haraka/plugins").join("interop.js")).unwrap();
    let (plain, tls) = (port(), port());
    let values = [("plain", &*plain.to_string()), ("tls", &tls.to_string())];
    for (template, file) in [
        ("haraka-smtp.ini", "smtp.ini"),
        ("haraka-connection.ini", "connection.ini"),
        ("haraka-auth.ini", "auth_flat_file.ini"),
    ] {
        configure(template, &config.join(file), &folder, &values);
    }
    fs::copy(&room().certificate, config.join("tls_cert.pem")).unwrap();
    fs::copy(&room().key, config.join("tls_key.pem")).unwrap();
    for (file, text) in [
        ("me", "haraka.example.test"),
        ("loglevel", "WARN"),
        ("plugins", "tls\nauth/flat_file\ninterop"),
        ("tls.ini", "key=tls_key.pem\ncert=tls_cert.pem"),
    ] {
        fs::write(config.join(file), format!("{text}\n")).unwrap();
    }
    let mut command = tool("node");
    let modules = installed("npm/node_modules");
    command.arg(modules.join("Haraka/bin/haraka")).arg("-c").arg(&folder);
    serve(command.env("HARAKA", &folder).env("NODE_PATH", modules));
    listening(plain);
    Peer {
        name: "Haraka",
        plain,
        tls: Some(tls),
        lmtp: false,
        user: "alice",
        submission: false,
        store: Store::Files(Files::whole(mail)),
    }
});

/// Postfix's smtp-sink with `-d`, which writes each message to a file, an envelope ahead of it and an empty line behind.
static SINK: LazyLock<Peer> = LazyLock::new(|| {
    let folder = room().folder("smtp-sink");
    let plain = port();
    let mut command = peer::postfix("sbin/smtp-sink");
    command.args(["-u", "root", "-d", "message.", &format!("127.0.0.1:{plain}"), "100"]).current_dir(&folder);
    serve(&mut command);
    listening(plain);
    Peer {
        name: "smtp-sink",
        plain,
        tls: None,
        lmtp: false,
        user: "",
        submission: false,
        store: Store::Files(Files { folder, lf: true, each: false, tail: b"\r\n" }),
    }
});

pub(crate) fn postfix() -> &'static Peer {
    &mta::POSTFIX
}

pub(crate) fn exim() -> &'static Peer {
    &mta::EXIM
}

pub(crate) fn dovecot_submission() -> &'static Peer {
    &DOVECOT.1
}

fn own(whose: &str, path: &Path) {
    done(Command::new("chown").arg(whose).arg(path));
}

#[track_caller]
fn done(command: &mut Command) {
    let ended = run(command);
    assert!(ended.status.success(), "{command:?}: {ended:#?}");
}
