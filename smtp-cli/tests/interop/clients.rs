//! Their clients deliver to our servers: the rows of the second matrix.

use std::fs;
use std::path::Path;
use std::process::Command;

use libtest_mimic::Trial;

use crate::mail::{Mail, RECIPIENTS, SENDER, international, nasty, patch};
use crate::matrix::{self, Table};
use crate::peer::{node, postfix, python, tool};
use crate::peers::{self, Peer};
use crate::process::run;
use crate::receiver::{PASSWORD, Runtime, TOKEN, USER};
use crate::room::room;
use crate::sender::{Client as Ours, Errand, Security, Sending};
use crate::servers::GREYLISTING;
use crate::store::Stored;
use crate::targets::{Target, target};

const TITLE: &str = "Their clients, our servers";

/// How a client is to deliver.
#[derive(Clone, Debug)]
pub(crate) struct Way<'w> {
    pub(crate) target: &'w Target,
    security: Security,
    lmtp: bool,
    /// The mechanism and the secret.
    login: Option<(&'static str, &'static str)>,
    /// What of SMTP it is to use beside.
    special: &'static str,
    mail: &'w Mail,
    to: Vec<&'w str>,
}

const ROWS: [&str; 18] = [
    "plain",
    "STARTTLS",
    "implicit TLS",
    "AUTH PLAIN",
    "AUTH LOGIN",
    "AUTH CRAM-MD5",
    "AUTH XOAUTH2",
    "AUTH SCRAM-SHA-1",
    "AUTH SCRAM-SHA-256",
    "wrong password",
    "PIPELINING",
    "CHUNKING",
    "SMTPUTF8",
    "DSN",
    "PRDR",
    "XCLIENT",
    "LMTP",
    GREYLISTING,
];

/// A client, made ready to deliver one message; where it can check the server's certificate, it does.
type Make = fn(&Way<'_>) -> Command;

/// A client: its name, how it is made ready, the message that it is given, and its rows.
type Client = (&'static str, Make, fn() -> Mail, &'static str);

const CLIENTS: [Client; 8] = [
    (
        "swaks",
        swaks,
        nasty,
        "plain, STARTTLS, implicit TLS, AUTH PLAIN, AUTH LOGIN, AUTH CRAM-MD5, wrong password, PIPELINING, PRDR, XCLIENT, LMTP",
    ),
    (
        "curl",
        curl,
        nasty,
        "plain, STARTTLS, implicit TLS, AUTH PLAIN, AUTH LOGIN, AUTH CRAM-MD5, AUTH XOAUTH2, wrong password",
    ),
    (
        "msmtp",
        msmtp,
        nasty,
        "plain, STARTTLS, implicit TLS, AUTH PLAIN, AUTH LOGIN, AUTH CRAM-MD5, AUTH SCRAM-SHA-1, AUTH SCRAM-SHA-256, \
         wrong password, DSN, LMTP",
    ),
    (
        "smtplib",
        smtplib,
        nasty,
        "plain, STARTTLS, implicit TLS, AUTH PLAIN, AUTH LOGIN, AUTH CRAM-MD5, wrong password, SMTPUTF8, LMTP",
    ),
    (
        "aiosmtplib",
        aiosmtplib,
        nasty,
        "plain, STARTTLS, implicit TLS, AUTH PLAIN, AUTH LOGIN, AUTH CRAM-MD5, wrong password, SMTPUTF8",
    ),
    (
        "nodemailer",
        nodemailer,
        nasty,
        "plain, STARTTLS, implicit TLS, AUTH PLAIN, AUTH LOGIN, AUTH CRAM-MD5, AUTH XOAUTH2, wrong password, SMTPUTF8, DSN, LMTP",
    ),
    ("smtp-source", smtp_source, with_an_empty_line, "plain, LMTP"),
    ("git send-email", git, patch, "plain, AUTH PLAIN, wrong password"),
];

/// A relay: its name, how it is started, to whom it relays, and its rows, each with the transport that its configuration has for it.
type Relay = (&'static str, fn() -> &'static Peer, &'static [Ours], &'static [(&'static str, &'static str)]);

/// Those that queue a message, and then deliver it as clients. Their transports are `plain`, `starttls`, `secure` (with TLS, and a login),
/// `lmtp`, and `grey`, to a server that puts off at first. Dovecot's is the connection to the server behind its own.
const RELAYS: [Relay; 3] = [
    (
        "Postfix",
        peers::postfix,
        &Ours::ALL,
        &[
            ("plain", "plain"),
            ("STARTTLS", "starttls"),
            ("AUTH SCRAM-SHA-256", "secure"),
            ("PIPELINING", "starttls"),
            ("SMTPUTF8", "starttls"),
            ("DSN", "starttls"),
            ("LMTP", "lmtp"),
            (GREYLISTING, "grey"),
        ],
    ),
    (
        "Exim",
        peers::exim,
        &Ours::ALL,
        &[
            ("plain", "plain"),
            ("STARTTLS", "starttls"),
            ("AUTH CRAM-MD5", "secure"),
            ("PIPELINING", "starttls"),
            ("CHUNKING", "starttls"),
            ("SMTPUTF8", "starttls"),
            ("DSN", "starttls"),
            ("PRDR", "starttls"),
            ("LMTP", "lmtp"),
            (GREYLISTING, "grey"),
        ],
    ),
    (
        "Dovecot submission",
        peers::dovecot_submission,
        &[Ours::Of(Runtime::Tokio)],
        &[("plain", "plain"), ("CHUNKING", "plain"), ("DSN", "plain")],
    ),
];

/// Cells that are empty where one would look for something.
const NOTES: [(&str, &str, &str); 1] = [(
    "Postfix",
    "CHUNKING",
    "Postfix has CHUNKING as a server only (its BDAT_README): smtp(8) of 3.7 sends DATA, though ours offer it",
)];

/// A test for each cell that there is.
pub(crate) fn trials(trials: &mut Vec<Trial>) -> Table {
    for (column, client, mail, rows) in CLIENTS {
        for row in rows.split(", ") {
            for of in Ours::ALL.into_iter().filter(|of| offers(*of, row)) {
                let mail = if row == "SMTPUTF8" { international } else { mail };
                let test = move || delivers(client, row, &mail(), &target(of));
                trials.push(matrix::trial((TITLE, row, column), of, of.letter(), test));
            }
        }
    }
    for (column, peer, to, rows) in RELAYS {
        for (row, transport) in rows {
            for of in to.iter().copied().filter(|of| offers(*of, row)) {
                let test = move || relays(peer(), row, transport, of);
                trials.push(matrix::trial((TITLE, row, column), of, of.letter(), test));
            }
        }
    }
    for (column, row, why) in NOTES {
        matrix::note((TITLE, row, column), why);
    }
    let columns = CLIENTS.map(|(name, ..)| name).into_iter().chain(RELAYS.map(|(name, ..)| name));
    Table { title: TITLE, rows: ROWS.into(), columns: columns.collect() }
}

/// `smtp serve` has no logins by token, does not offer PRDR, and believes nobody who he is.
fn offers(of: Ours, row: &str) -> bool {
    of != Ours::Tool || !["PRDR", "XCLIENT", "AUTH XOAUTH2"].contains(&row)
}

/// What a relay takes for the domain that stands for a server of ours arrives there.
fn relays(peer: &'static Peer, row: &'static str, transport: &str, of: Ours) {
    let mail = if row == "SMTPUTF8" { international() } else { nasty() };
    let domain = if peer.submission { "example.test".into() } else { format!("{transport}.{of}.test") };
    let names = if row == "SMTPUTF8" { &["\u{fc}ser"][..] } else { &["bob", "carol"] };
    let to: Vec<_> = names.iter().map(|name| format!("{name}@{domain}")).collect();
    let mut sending = Sending::to(&mail, to.iter().map(|to| &**to));
    if row == "DSN" {
        sending = sending.with_dsn();
    }
    if row == GREYLISTING {
        // Whom a server puts off it knows by sender and recipient: that is each relay's own.
        sending = sending.from(&format!("{}@example.test", peer.name.to_lowercase()));
    }
    let security = if peer.submission { Security::StartTls } else { Security::Plain };
    let ended = Errand::new(peer, security, vec![sending]).run(Ours::Of(Runtime::Blocking));
    assert!(ended.told[0].iter().all(|fate| fate.code == 250), "{ended:?}");
    let stored = target(of).store.take(&mail, to.len());
    came(row, ["starttls", "secure"].contains(&transport), transport == "secure", &stored);
}

/// The message arrives as it was sent; with the wrong password it does not, and the client says so.
fn delivers(client: Make, row: &'static str, mail: &Mail, target: &Target) {
    let wrong = row == "wrong password";
    let mechanism = row.strip_prefix("AUTH ").or_else(|| wrong.then_some("PLAIN"));
    let secret = match mechanism {
        _ if wrong => "wrong",
        Some("XOAUTH2") => TOKEN,
        _ => PASSWORD,
    };
    let security = match row {
        "implicit TLS" => Security::Implicit,
        _ if row == "STARTTLS" || mechanism.is_some() => Security::StartTls,
        _ => Security::Plain,
    };
    let to = if row == "SMTPUTF8" { vec!["\u{fc}ser@example.test"] } else { RECIPIENTS.into() };
    let login = mechanism.map(|mechanism| (mechanism, secret));
    let way = Way { target, security, lmtp: row == "LMTP", login, special: row, mail, to };
    let ended = run(&mut client(&way));
    assert_eq!(ended.status.success(), !wrong, "{ended:#?}");
    if wrong {
        return target.store.assert_without(mail);
    }
    came(row, security != Security::Plain, login.is_some(), &target.store.take(mail, 2));
}

/// It came as its row says: by what our server has heard and knows, or by what `smtp serve` wrote on top (RFC 3848).
#[track_caller]
fn came(row: &str, tls: bool, login: bool, stored: &Stored) {
    let Some(how) = &stored.how else {
        // The first: those below it are a relay's.
        let named = stored.trace.split_whitespace().skip_while(|word| *word != "with").nth(1).unwrap();
        let base = match row {
            "SMTPUTF8" => "UTF8SMTP",
            "LMTP" => "LMTP",
            // smtp-source says HELO.
            _ if named == "SMTP" => "SMTP",
            _ => "ESMTP",
        };
        let with = format!("{base}{}{}", if tls { "S" } else { "" }, if login { "A" } else { "" });
        return assert_eq!(named, with, "{}", stored.trace);
    };
    assert_eq!((how.tls, how.login), (tls, login), "{how:?}");
    let both = ["MAIL FROM:", "\r\nRCPT TO:"];
    let said: &[&str] = match row {
        "STARTTLS" => &["STARTTLS\r\n"],
        "PIPELINING" => &both,
        "CHUNKING" => &["BDAT "],
        "SMTPUTF8" => &[" SMTPUTF8"],
        "DSN" => &[" NOTIFY=FAILURE"],
        "PRDR" => &[" PRDR"],
        "XCLIENT" => &["XCLIENT ADDR=192.0.2.7 "],
        "LMTP" => &["LHLO "],
        _ if row.starts_with("AUTH ") => &[row],
        _ => &[],
    };
    // In one read: what is said there did not wait for a reply to what is said ahead of it.
    let heard = |read: &String| said.iter().all(|one| read.to_ascii_uppercase().contains(one));
    assert!(said.is_empty() || how.heard.iter().any(heard), "{said:?}: {:?}", how.heard);
    let claimed = how.claimed.map(|address| address.ip().to_string());
    assert_eq!(claimed.as_deref(), (row == "XCLIENT").then_some("192.0.2.7"));
}

impl Way<'_> {
    fn port(&self) -> u16 {
        match self.security {
            _ if self.lmtp => self.target.lmtp,
            Security::Implicit => self.target.tls,
            _ => self.target.plain,
        }
    }

    /// The message in a file, and how it is written there.
    fn file(&self, octets: &[u8]) -> String {
        let number = self.mail.mark.trim_start_matches("X-Interop: ");
        let file = room().folder("clients").join(format!("{number}eml"));
        fs::write(&file, octets).unwrap();
        file.to_str().unwrap().to_owned()
    }

    /// With LF for line ends, as files have them.
    fn lf(&self) -> String {
        let text = String::from_utf8(self.mail.octets.clone()).unwrap();
        self.file((self.mail.above.clone() + &text).replace("\r\n", "\n").as_bytes())
    }

    fn crlf(&self) -> String {
        self.file(&self.mail.octets)
    }

    /// How scripts of `interop/` are told: by one word.
    fn security(&self) -> &'static str {
        match self.security {
            _ if self.lmtp => "lmtp",
            Security::Plain => "plain",
            Security::StartTls => "starttls",
            Security::Implicit => "tls",
        }
    }

    fn script(&self, mut command: Command) -> Command {
        let (mechanism, secret) = self.login.unwrap_or(("-", "-"));
        command.args([&*self.port().to_string(), self.security()]).arg(&room().ca);
        command.args([mechanism, USER, secret, SENDER, &self.crlf()]);
        if self.special == "DSN" {
            command.arg("--dsn");
        }
        command.args(&self.to);
        command
    }
}

/// In LMTP it waits for one reply, however many recipients there are: so it is given one.
fn smtplib(way: &Way<'_>) -> Command {
    let to = if way.lmtp { way.to[..1].to_vec() } else { way.to.clone() };
    Way { to, ..*way }.script(python("smtplib_client.py"))
}

fn aiosmtplib(way: &Way<'_>) -> Command {
    way.script(python("aiosmtplib_client.py"))
}

fn nodemailer(way: &Way<'_>) -> Command {
    way.script(node("nodemailer_client.js"))
}

/// swaks changes a message in several ways of its own (it expands tokens and `\n`, drops a last line that is a dot, adds an empty
/// line), which `--no-data-fixup` turns off, and with them its dot-stuffing and its final dot: so it is given those, and adds the
/// last CRLF.
fn swaks(way: &Way<'_>) -> Command {
    let text = String::from_utf8(way.mail.arriving()).unwrap();
    let stuffed =
        text.split_inclusive('\n').map(|line| if line.starts_with('.') { [".", line] } else { ["", line] });
    let file = way.file(stuffed.flatten().chain(["."]).collect::<String>().as_bytes());
    let mut command = tool("swaks");
    command.args(["--server", "localhost", "--port", &way.port().to_string(), "--timeout", "20s"]);
    command.args(["--from", SENDER, "--to", &way.to.join(","), "--no-data-fixup", "--hide-all"]);
    command.arg("--data").arg(format!("@{file}"));
    match way.security {
        Security::Plain => {}
        Security::StartTls => drop(command.arg("--tls")),
        Security::Implicit => drop(command.arg("--tls-on-connect")),
    }
    if way.security != Security::Plain {
        command.arg("--tls-verify").arg("--tls-ca-path").arg(&room().ca);
    }
    if let Some((mechanism, secret)) = way.login {
        command.args(["--auth", mechanism, "--auth-user", USER, "--auth-password", secret]);
    }
    match way.special {
        "PIPELINING" => drop(command.arg("--pipeline")),
        "PRDR" => drop(command.arg("--prdr")),
        "XCLIENT" => drop(command.args(["--xclient", "ADDR=192.0.2.7 NAME=x.example.test"])),
        "LMTP" => drop(command.args(["--protocol", "LMTP"])),
        _ => {}
    }
    command
}

fn curl(way: &Way<'_>) -> Command {
    let scheme = if way.security == Security::Implicit { "smtps" } else { "smtp" };
    let mut command = tool("curl");
    // Without -q, the options of whoever runs the tests would count too.
    command.args(["-q", "-sS", "--max-time", "20", "--mail-from", SENDER, "--upload-file", &way.crlf()]);
    command.arg("--url").arg(format!("{scheme}://localhost:{}/client.example.test", way.port()));
    for recipient in &way.to {
        command.args(["--mail-rcpt", recipient]);
    }
    if way.security != Security::Plain {
        command.arg("--ssl-reqd").arg("--cacert").arg(&room().ca);
    }
    match way.login {
        Some(("XOAUTH2", token)) => {
            command.args(["--user", USER, "--oauth2-bearer", token, "--login-options", "AUTH=XOAUTH2"]);
        }
        Some((mechanism, secret)) => {
            command.args([
                "--user",
                &format!("{USER}:{secret}"),
                "--login-options",
                &format!("AUTH={mechanism}"),
            ]);
        }
        None => {}
    }
    command
}

fn msmtp(way: &Way<'_>) -> Command {
    let mut command = tool("sh");
    command.args([
        "-c",
        "file=$1; shift; exec msmtp \"$@\" <\"$file\"",
        "sh",
        &way.lf(),
        "--file=/dev/null",
        "--host=localhost",
    ]);
    command.args(["--timeout=20".into(), format!("--port={}", way.port()), format!("--from={SENDER}")]);
    match way.security {
        Security::Plain => drop(command.arg("--tls=off")),
        security => {
            command.arg("--tls=on").arg(format!("--tls-trust-file={}", room().ca.display()));
            command
                .arg(format!("--tls-starttls={}", if security == Security::StartTls { "on" } else { "off" }));
        }
    }
    match way.login {
        Some((mechanism, secret)) => {
            command.args([format!("--auth={}", mechanism.to_lowercase()), format!("--user={USER}")]);
            command.arg(format!("--passwordeval=echo {secret}"));
        }
        None => drop(command.arg("--auth=off")),
    }
    match way.special {
        "DSN" => drop(command.args(["--dsn-notify=failure,delay", "--dsn-return=hdrs"])),
        "LMTP" => drop(command.arg("--protocol=lmtp")),
        _ => {}
    }
    command.arg("--").args(&way.to);
    command
}

/// smtp-source puts an empty line behind every message.
fn with_an_empty_line() -> Mail {
    let mut mail = nasty();
    mail.octets.extend_from_slice(b"\r\n\r\n");
    mail
}

/// It knows no TLS, and stuffs the file's dots itself.
fn smtp_source(way: &Way<'_>) -> Command {
    let mut command = postfix("sbin/smtp-source");
    if way.lmtp {
        command.arg("-L");
    }
    let text = String::from_utf8(way.mail.octets.clone()).unwrap();
    let file = way.file(text.trim_end_matches("\r\n").replace("\r\n", "\n").as_bytes());
    command.args(["-F", &file, "-f", SENDER, "-t", way.to[0], &format!("127.0.0.1:{}", way.port())]);
    command
}

fn git(way: &Way<'_>) -> Command {
    let mut command = Command::new("/usr/bin/git");
    // Settings of whoever runs the tests would count too.
    command
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .current_dir(Path::new("/"));
    command.args([
        "-c",
        "user.name=A",
        "-c",
        "user.email=a@example.test",
        "send-email",
        "--quiet",
        "--confirm=never",
    ]);
    command.args(["--smtp-server=localhost".into(), format!("--smtp-server-port={}", way.port())]);
    command.args([
        format!("--from=A <{SENDER}>"),
        format!("--to={}", way.to.join(",")),
        "--suppress-cc=all".into(),
    ]);
    if way.security != Security::Plain {
        command.arg("--smtp-encryption=tls").arg(format!("--smtp-ssl-cert-path={}", room().ca.display()));
    }
    if let Some((mechanism, secret)) = way.login {
        command.args([
            format!("--smtp-user={USER}"),
            format!("--smtp-pass={secret}"),
            format!("--smtp-auth={mechanism}"),
        ]);
    }
    command.arg(way.lf());
    command
}
