//! Their clients deliver to `smtp serve`.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::mail::{RECIPIENTS, SENDER, Sample, assert_same, samples};
use crate::peer::{python, tool};
use crate::process::{Ended, folder, run};
use crate::serve::{PASSWORD, Server, USER};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Security {
    Plain,
    StartTls,
    Implicit,
}

/// How a client is to reach the server, and as whom.
#[derive(Clone, Copy, Debug)]
struct Way<'a> {
    server: &'a Server,
    security: Security,
    /// The mechanism and the password.
    login: Option<(&'a str, &'a str)>,
}

impl Way<'_> {
    fn port(&self) -> u16 {
        if self.security == Security::Implicit { self.server.tls } else { self.server.plain }
    }
}

/// A client, made ready to deliver one message; where it can check the server's certificate, it does.
type Client = fn(Way<'_>, &Path, &Sample) -> Command;

fn smtplib(way: Way<'_>, folder: &Path, sample: &Sample) -> Command {
    let file = folder.join("message.eml");
    fs::write(&file, &sample.octets).unwrap();
    let security = match way.security {
        Security::Plain => "plain",
        Security::StartTls => "starttls",
        Security::Implicit => "tls",
    };
    let (mechanism, password) = way.login.unwrap_or(("-", "-"));
    let mut command = python("smtplib_client.py");
    command.args(["localhost", &way.port().to_string(), security]).arg(&way.server.ca);
    command.args([mechanism, USER, password, SENDER]).arg(file).args(RECIPIENTS);
    command
}

/// swaks changes a message in several ways of its own (it expands tokens and `\n`, drops a last line that is a dot, adds an empty
/// line), which `--no-data-fixup` turns off, and with them its dot-stuffing and its final dot: so it is given those, and adds the
/// last CRLF.
fn swaks(way: Way<'_>, folder: &Path, sample: &Sample) -> Command {
    let file = folder.join("message.wire");
    let text = String::from_utf8(sample.octets.clone()).unwrap();
    let stuffed =
        text.split_inclusive('\n').map(|line| if line.starts_with('.') { [".", line] } else { ["", line] });
    fs::write(&file, stuffed.flatten().chain(["."]).collect::<String>()).unwrap();
    let mut command = tool("swaks");
    command.args(["--server", "localhost", "--port", &way.port().to_string(), "--timeout", "20s"]);
    command.args(["--from", SENDER, "--to", &RECIPIENTS.join(","), "--no-data-fixup", "--hide-all"]);
    command.arg("--data").arg(format!("@{}", file.display()));
    match way.security {
        Security::Plain => {}
        Security::StartTls => drop(command.arg("--tls")),
        Security::Implicit => drop(command.arg("--tls-on-connect")),
    }
    if way.security != Security::Plain {
        command.arg("--tls-verify").arg("--tls-ca-path").arg(&way.server.ca);
    }
    if let Some((mechanism, password)) = way.login {
        command.args(["--auth", mechanism, "--auth-user", USER, "--auth-password", password]);
    }
    command
}

fn curl(way: Way<'_>, folder: &Path, sample: &Sample) -> Command {
    let file = folder.join("message.eml");
    fs::write(&file, &sample.octets).unwrap();
    let scheme = if way.security == Security::Implicit { "smtps" } else { "smtp" };
    let mut command = tool("curl");
    // Without -q, the options of whoever runs the tests would count too.
    command.args(["-q", "-sS", "--max-time", "20", "--mail-from", SENDER, "--upload-file"]).arg(file);
    command.arg("--url").arg(format!("{scheme}://localhost:{}/client.example.test", way.port()));
    for recipient in RECIPIENTS {
        command.args(["--mail-rcpt", recipient]);
    }
    if way.security != Security::Plain {
        command.arg("--ssl-reqd").arg("--cacert").arg(&way.server.ca);
    }
    if let Some((mechanism, password)) = way.login {
        command.args([
            "--user",
            &format!("{USER}:{password}"),
            "--login-options",
            &format!("AUTH={mechanism}"),
        ]);
    }
    command
}

/// Every sample, by this client and this way, arrives as it was sent.
#[track_caller]
fn delivers(test: &str, client: Client, security: Security, mechanism: Option<&str>) {
    let folder = folder(&format!("clients::{test}"));
    let server = Server::start(&folder, mechanism.is_some());
    let way = Way { server: &server, security, login: mechanism.map(|mechanism| (mechanism, PASSWORD)) };
    for sample in samples() {
        let ended = run(&mut client(way, &folder, &sample));
        assert!(ended.status.success(), "{}: {ended:#?}", sample.name);
        let arrived = server.take(&RECIPIENTS);
        assert_same(&sample, &arrived.message);
        assert_eq!(arrived.return_path, format!("<{SENDER}>"), "{}", sample.name);
        let mut recipients = arrived.recipients;
        recipients.sort();
        assert_eq!(recipients, RECIPIENTS, "{}", sample.name);
        // RFC 3848 names what the message came in by: S where there was TLS, A where there was AUTH.
        let with = match (security, mechanism) {
            (Security::Plain, None) => "ESMTP",
            (Security::Plain, Some(_)) => "ESMTPA",
            (_, None) => "ESMTPS",
            (_, Some(_)) => "ESMTPSA",
        };
        let named = arrived.received.split(' ').skip_while(|word| !word.eq_ignore_ascii_case("with")).nth(1);
        assert_eq!(named.map(|word| word.trim_end_matches(';')), Some(with), "{}", arrived.received);
    }
    assert!(server.is_empty(), "more arrived than was sent");
}

/// A wrong password is refused, and nothing arrives.
#[track_caller]
fn refused(test: &str, client: Client, told: impl Fn(&Ended) -> bool) {
    let folder = folder(&format!("clients::{test}"));
    let server = Server::start(&folder, true);
    let sample = &samples()[0];
    for mechanism in ["PLAIN", "LOGIN"] {
        let way = Way { server: &server, security: Security::StartTls, login: Some((mechanism, "wrong")) };
        let ended = run(&mut client(way, &folder, sample));
        assert!(!ended.status.success() && told(&ended), "{mechanism}: {ended:#?}");
        assert!(server.is_empty(), "{mechanism}: a message arrived from a client that was refused");
        // The same client, the same way and the right password: so it was the password that was refused.
        let way = Way { login: Some((mechanism, PASSWORD)), ..way };
        let ended = run(&mut client(way, &folder, sample));
        assert!(ended.status.success(), "{mechanism}: {ended:#?}");
        assert_same(sample, &server.take(&RECIPIENTS).message);
    }
}

/// The tests of one client: each way that a mail program is set up in.
macro_rules! client {
    ($client:ident, refused: $told:expr) => {
        mod $client {
            use super::{Security, delivers, refused};

            const CLIENT: super::Client = super::$client;

            #[test]
            #[ignore = "needs interop/install.sh"]
            fn plain() {
                delivers(concat!(stringify!($client), "::plain"), CLIENT, Security::Plain, None);
            }

            #[test]
            #[ignore = "needs interop/install.sh"]
            fn starttls() {
                delivers(concat!(stringify!($client), "::starttls"), CLIENT, Security::StartTls, None);
            }

            #[test]
            #[ignore = "needs interop/install.sh"]
            fn implicit_tls() {
                delivers(concat!(stringify!($client), "::implicit_tls"), CLIENT, Security::Implicit, None);
            }

            #[test]
            #[ignore = "needs interop/install.sh"]
            fn starttls_auth_plain() {
                let test = concat!(stringify!($client), "::starttls_auth_plain");
                delivers(test, CLIENT, Security::StartTls, Some("PLAIN"));
            }

            #[test]
            #[ignore = "needs interop/install.sh"]
            fn starttls_auth_login() {
                let test = concat!(stringify!($client), "::starttls_auth_login");
                delivers(test, CLIENT, Security::StartTls, Some("LOGIN"));
            }

            #[test]
            #[ignore = "needs interop/install.sh"]
            fn implicit_tls_auth_plain() {
                let test = concat!(stringify!($client), "::implicit_tls_auth_plain");
                delivers(test, CLIENT, Security::Implicit, Some("PLAIN"));
            }

            #[test]
            #[ignore = "needs interop/install.sh"]
            fn implicit_tls_auth_login() {
                let test = concat!(stringify!($client), "::implicit_tls_auth_login");
                delivers(test, CLIENT, Security::Implicit, Some("LOGIN"));
            }

            #[test]
            #[ignore = "needs interop/install.sh"]
            fn wrong_password() {
                refused(concat!(stringify!($client), "::wrong_password"), CLIENT, $told);
            }
        }
    };
}

client!(smtplib, refused: |ended| ended.stderr.contains("SMTPAuthenticationError: (535"));
// 28 is swaks's status for AUTH that failed.
client!(swaks, refused: |ended| ended.status.code() == Some(28));
// 67 is curl's status for a login that was denied.
client!(curl, refused: |ended| ended.status.code() == Some(67));
