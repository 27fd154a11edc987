//! The command line of `smtp send`.

use std::path::PathBuf;

use clap::{ArgAction, ValueEnum};

use crate::args::Private;

const EXAMPLES: &str = "\
Examples:
  To a server on this machine, from standard input:
    printf 'Subject: hello\\n\\nHello, Ben.\\n' |
      smtp send --server smtp://localhost:25 --from ann@example.org --to ben@example.net -
  By submission, with STARTTLS (port 587), and by implicit TLS (port 465); the password is asked for, or read from a
  file or a variable; in the URL what is special in it is percent-encoded (@ is %40):
    smtp send --server smtp://mail.example.org --user ann \\
      --from ann@example.org --to ben@example.net message.eml
    smtp send --server smtps://ann@mail.example.org --password-file secret.txt \\
      --auth SCRAM-SHA-256 --from ann@example.org --to ben@example.net message.eml
    smtp send --server smtps://ann@mail.example.org --password-env MY_SECRET \\
      --from ann@example.org --to ben@example.net message.eml
    smtp send --server smtps://ann:p%40ss@mail.example.org \\
      --from ann@example.org --to ben@example.net message.eml
  To a test server whose CA this system does not know, and to one without TLS:
    smtp send --server smtp://localhost:2525 --ca ca.pem \\
      --from ann@example.org --to ben@example.net message.eml
    smtp send --server smtp://localhost:2525 --starttls off \\
      --from ann@example.org --to ben@example.net message.eml
  An mbox and all files of a directory, over four connections; what is refused for now is tried five times more, after
  1, 2, 4 … seconds; rows only for what was not delivered:
    smtp send --server smtp://localhost:2525 --starttls off \\
      --jobs 4 --retry 5 --retry-wait 1 --quiet \\
      --from ann@example.org --to ben@example.net archive.mbox outbox/
  With every step shown, as it is said, and when:
    smtp send --server smtp://localhost:2525 --starttls off --trace \\
      --from ann@example.org --to ben@example.net message.eml
  With a report on its delivery, its priority, and TLS at every hop; results as JSON:
    smtp send --server smtps://mx.example.net \\
      --dsn success,failure --dsn-ret hdrs --dsn-envid QQ314159 \\
      --priority 3 --requiretls --json --from ann@example.org --to ben@example.net message.eml
  A bounce (no sender), to two, by LMTP, under a name of one's own; by LMTP to a Unix socket; LMTP said otherwise:
    smtp send --server lmtp://localhost:2424 --name mx.example.org \\
      --from '' --to ben@example.net --to cat@example.net bounce.eml
    smtp send --server lmtp:///run/dovecot/lmtp --from '' --to ben@example.net bounce.eml
    smtp send --server smtp://localhost:2424 --lmtp --from '' --to ben@example.net bounce.eml
  A password to a server without TLS:
    smtp send --server smtp://ann:secret@localhost:2525 --starttls off --auth-in-clear \\
      --from ann@example.org --to ben@example.net message.eml

Ports, if not given: smtp 25, or 587 with a user; smtps 465; lmtp 24.
STARTTLS, if not given: required on the ports 587 and 2525 and with a user, opportunistic otherwise; off on a Unix socket.
Passwords: from the URL, --password-file, --password-env (SMTP_PASSWORD if not given), or asked for, in this order.

A file that begins with \"From \" is an mbox (mboxrd: a > ahead of quoted \"From \" lines is taken off). Of a directory
every file is sent, in the order of their names; of a Maildir those in new and cur. Nothing is read into memory whole.

It prints a row for each recipient of each message, and a summary on standard error if there were several, and ends with
  0   if all were served
  69  if any was refused for good (5yz, logins aside)
  75  otherwise: it may be tried again
  64  if the command line is wrong, 66 if a message can't be read
Nothing is sent again whose end was given to a server that did not answer: it may have been taken (\"unknown\").";

/// `smtp send`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The server: `smtp`, `smtps` or `lmtp://[user[:password]@]host[:port]`, or `lmtp:///path` of a Unix socket.
    #[arg(long, value_name = "URL")]
    pub server: Private,
    /// Speak LMTP (RFC 2033), as with lmtp://.
    #[arg(long)]
    pub lmtp: bool,
    /// What to do about STARTTLS.
    #[arg(long, value_enum, value_name = "WHEN")]
    pub starttls: Option<StartTls>,
    /// Trust the CAs of this PEM file, beside the system's.
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// Who logs in.
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// The password is the first line of this file.
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// The password is in this environment variable.
    #[arg(long, value_name = "VARIABLE", conflicts_with = "password_file")]
    pub password_env: Option<String>,
    /// Log in by this mechanism and no other: PLAIN, SCRAM-SHA-256, XOAUTH2 (the password is the token) …; otherwise by
    /// the strongest that is offered.
    #[arg(long, value_name = "MECHANISM")]
    pub auth: Option<String>,
    /// Let the password cross the wire without TLS.
    #[arg(long)]
    pub auth_in_clear: bool,
    /// The name to greet with; otherwise the connection's address.
    #[arg(long, value_name = "DOMAIN")]
    pub name: Option<String>,
    /// The sender's address; '' for none.
    #[arg(long, value_name = "ADDRESS")]
    pub from: String,
    /// A recipient's address. May be repeated.
    #[arg(long, value_name = "ADDRESS", required = true, action = ArgAction::Append)]
    pub to: Vec<String>,
    /// When to report on the delivery (RFC 3461): never, or some of success, failure, delay.
    #[arg(long, value_name = "WHEN", value_delimiter = ',')]
    pub dsn: Vec<Notify>,
    /// How much of the message a report of failure returns.
    #[arg(long, value_enum, value_name = "WHAT")]
    pub dsn_ret: Option<Return>,
    /// What reports call this message.
    #[arg(long, value_name = "ID")]
    pub dsn_envid: Option<String>,
    /// Every hop has to use TLS (RFC 8689).
    #[arg(long)]
    pub requiretls: bool,
    /// The message's priority (RFC 6710), from -9 to 9.
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(i8).range(-9..=9))]
    pub priority: Option<i8>,
    /// How many connections to send over at once.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub jobs: u16,
    /// How often to try again what was refused for now (4yz), or never reached the server.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub retry: u32,
    /// Seconds to wait before trying again: doubled each time, up to a minute.
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0, value_parser = seconds)]
    pub retry_wait: f64,
    /// Print the conversation on standard error: writes, arrows, times; no secrets.
    #[arg(long)]
    pub trace: bool,
    /// Print results as JSON, a line each, and a last one for all.
    #[arg(long)]
    pub json: bool,
    /// Print no progress, and rows only for recipients that were not served.
    #[arg(long, short)]
    pub quiet: bool,
    /// Messages: files, mboxes, directories, or - for standard input. Line ends of LF alone are sent as CRLF.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
}

/// When to use STARTTLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StartTls {
    /// Fail without it
    Required,
    /// Use it where it is offered
    Opportunistic,
    /// Never
    Off,
}

/// When to report on a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Notify {
    /// Not at all
    Never,
    /// When it was delivered
    Success,
    /// When it can't be delivered
    Failure,
    /// When it is late
    Delay,
}

/// How much of a message comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Return {
    /// The whole message
    Full,
    /// Its header
    Hdrs,
}

/// Seconds, and parts of them.
fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if (0.0..=86_400.0).contains(&seconds) => Ok(seconds),
        _ => Err("not a number of seconds, of a day at the most".into()),
    }
}
