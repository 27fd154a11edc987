//! Their clients deliver to our servers: the rows of the second matrix.

mod make;

use std::process::Command;

use libtest_mimic::Trial;

use self::make::Way;
use crate::mail::{Mail, RECIPIENTS, international, nasty, patch};
use crate::matrix::{self, Table};
use crate::peers::{self, Peer};
use crate::process::run;
use crate::receiver::{PASSWORD, Runtime, TOKEN};
use crate::sender::{Client as Ours, Errand, Security, Sending};
use crate::servers::GREYLISTING;
use crate::store::Stored;
use crate::targets::{Target, target};

const TITLE: &str = "Their clients, our servers";

const ROWS: [&str; 19] = [
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
    "PIPECONNECT",
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
        make::swaks,
        nasty,
        "plain, STARTTLS, implicit TLS, AUTH PLAIN, AUTH LOGIN, AUTH CRAM-MD5, wrong password, PIPELINING, PRDR, XCLIENT, LMTP",
    ),
    (
        "curl",
        make::curl,
        nasty,
        "plain, STARTTLS, implicit TLS, AUTH PLAIN, AUTH LOGIN, AUTH CRAM-MD5, AUTH XOAUTH2, wrong password, SMTPUTF8",
    ),
    (
        "msmtp",
        make::msmtp,
        nasty,
        "plain, STARTTLS, implicit TLS, AUTH PLAIN, AUTH LOGIN, AUTH CRAM-MD5, AUTH SCRAM-SHA-1, AUTH SCRAM-SHA-256, \
         wrong password, DSN, LMTP",
    ),
    (
        "smtplib",
        make::smtplib,
        nasty,
        "plain, STARTTLS, implicit TLS, AUTH PLAIN, AUTH LOGIN, AUTH CRAM-MD5, wrong password, SMTPUTF8, LMTP",
    ),
    (
        "aiosmtplib",
        make::aiosmtplib,
        nasty,
        "plain, STARTTLS, implicit TLS, AUTH PLAIN, AUTH LOGIN, AUTH CRAM-MD5, wrong password, SMTPUTF8",
    ),
    (
        "nodemailer",
        make::nodemailer,
        nasty,
        "plain, STARTTLS, implicit TLS, AUTH PLAIN, AUTH LOGIN, AUTH CRAM-MD5, AUTH XOAUTH2, wrong password, SMTPUTF8, DSN, LMTP, PIPELINING",
    ),
    ("smtp-source", make::smtp_source, make::with_an_empty_line, "plain, LMTP"),
    (
        "git send-email",
        make::git,
        patch,
        "plain, STARTTLS, implicit TLS, AUTH PLAIN, AUTH LOGIN, AUTH CRAM-MD5, wrong password",
    ),
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
            ("PIPECONNECT", "plain"),
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
                trials.push(matrix::trial((TITLE, row, column), to(of), of.letter(), test));
            }
        }
    }
    for (column, peer, served, rows) in RELAYS {
        for (row, transport) in rows {
            for of in served.iter().copied().filter(|of| offers(*of, row)) {
                let test = move || relays(peer(), row, transport, of);
                trials.push(matrix::trial((TITLE, row, column), to(of), of.letter(), test));
            }
        }
    }
    for (column, row, why) in NOTES {
        matrix::note((TITLE, row, column), why);
    }
    let columns = CLIENTS.map(|(name, ..)| name).into_iter().chain(RELAYS.map(|(name, ..)| name));
    Table { title: TITLE, rows: ROWS.into(), columns: columns.collect() }
}

/// Which server of ours it is, in a test's name.
pub(crate) fn to(of: Ours) -> String {
    match of {
        Ours::Of(runtime) => format!("to {runtime}"),
        Ours::Tool => "to serve".into(),
    }
}

/// `smtp serve` has no logins by token, does not offer PRDR and PIPECONNECT, and believes nobody who he is.
fn offers(of: Ours, row: &str) -> bool {
    of != Ours::Tool || !["PRDR", "PIPECONNECT", "XCLIENT", "AUTH XOAUTH2"].contains(&row)
}

/// What a relay takes for the domain that stands for a server of ours arrives there.
fn relays(peer: &'static Peer, row: &'static str, transport: &str, of: Ours) {
    if row == "PIPECONNECT" {
        // It uses what it remembers of an earlier connection.
        relays(peer, "plain", transport, of);
    }
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
        "PIPECONNECT" => &["EHLO ", "MAIL FROM:"],
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
