//! How each client is told to deliver a message.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::mail::{Mail, SENDER, nasty};
use crate::peer::{node, postfix, python, tool};
use crate::receiver::USER;
use crate::room::room;
use crate::sender::Security;
use crate::targets::Target;

/// How a client is to deliver.
#[derive(Clone, Debug)]
pub(super) struct Way<'w> {
    pub(super) target: &'w Target,
    pub(super) security: Security,
    pub(super) lmtp: bool,
    /// The mechanism and the secret.
    pub(super) login: Option<(&'static str, &'static str)>,
    /// What of SMTP it is to use beside.
    pub(super) special: &'static str,
    pub(super) mail: &'w Mail,
    pub(super) to: Vec<&'w str>,
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
pub(super) fn smtplib(way: &Way<'_>) -> Command {
    let to = if way.lmtp { way.to[..1].to_vec() } else { way.to.clone() };
    Way { to, ..*way }.script(python("smtplib_client.py"))
}

pub(super) fn aiosmtplib(way: &Way<'_>) -> Command {
    way.script(python("aiosmtplib_client.py"))
}

pub(super) fn nodemailer(way: &Way<'_>) -> Command {
    way.script(node("nodemailer_client.js"))
}

/// swaks changes a message in several ways of its own (it expands tokens and `\n`, drops a last line that is a dot, adds an empty
/// line), which `--no-data-fixup` turns off, and with them its dot-stuffing and its final dot: so it is given those, and adds the
/// last CRLF.
pub(super) fn swaks(way: &Way<'_>) -> Command {
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

pub(super) fn curl(way: &Way<'_>) -> Command {
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

pub(super) fn msmtp(way: &Way<'_>) -> Command {
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
pub(super) fn with_an_empty_line() -> Mail {
    let mut mail = nasty();
    mail.octets.extend_from_slice(b"\r\n\r\n");
    mail
}

/// It knows no TLS, and stuffs the file's dots itself.
pub(super) fn smtp_source(way: &Way<'_>) -> Command {
    let mut command = postfix("sbin/smtp-source");
    if way.lmtp {
        command.arg("-L");
    }
    let text = String::from_utf8(way.mail.octets.clone()).unwrap();
    let file = way.file(text.trim_end_matches("\r\n").replace("\r\n", "\n").as_bytes());
    command.args(["-F", &file, "-f", SENDER, "-t", way.to[0], &format!("127.0.0.1:{}", way.port())]);
    command
}

pub(super) fn git(way: &Way<'_>) -> Command {
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
        let how = if way.security == Security::Implicit { "ssl" } else { "tls" };
        command
            .arg(format!("--smtp-encryption={how}"))
            .arg(format!("--smtp-ssl-cert-path={}", room().ca.display()));
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
