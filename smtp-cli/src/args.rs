//! The command line.

use std::fmt;
use std::path::PathBuf;

use clap::{ArgAction, Args as ClapArgs, Parser, Subcommand, ValueEnum};

pub use crate::explain::Explain;
pub use crate::probe::Probe;

/// SMTP and LMTP on the command line.
///
/// Without a command: the tour.
#[derive(Debug, Parser)]
#[command(name = "smtp", version, max_term_width = 100)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What the tool does.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Take mail, and store it in a Maildir.
    Serve(Serve),
    /// Send one message.
    Send(Send),
    /// Say what a reply, a code, a command or a conversation means, and where it went wrong.
    Explain(Explain),
    /// Look at a server: which ports speak what, and what is wrong with them.
    Probe(Probe),
    /// Show what is there, on this machine.
    Tour,
}

/// A text that may hold a password: never shown, not even where it is malformed.
#[derive(Clone)]
pub struct Private(pub(crate) String);

impl From<String> for Private {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Private {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

const SERVE_EXAMPLES: &str = "\
Examples:
  Take everything and throw it away, on the default 127.0.0.1:2525, or on ports of the system's choice:
    smtp serve
    smtp serve --listen 127.0.0.1:0 --listen [::1]:0
  Store it, with STARTTLS and with implicit TLS, under a CA made for the occasion:
    smtp serve --maildir /tmp/mail --tls-self-signed \\
      --listen 127.0.0.1:2525 --implicit-tls 127.0.0.1:4650
  With a certificate of one's own, under a name of one's own, messages up to 10 MiB:
    smtp serve --listen 0.0.0.0:25 --tls-cert chain.pem --tls-key key.pem \\
      --name mx.example.org --max-size 10485760
  With logins, for loopback too; the second lets passwords cross the wire in the clear:
    smtp serve --tls-self-signed --user ann:secret --user ben:hidden --require-auth
    smtp serve --user ann:secret --auth-in-clear
  LMTP:
    smtp serve --lmtp --listen 127.0.0.1:2424 --maildir /tmp/mail

What it prints, a line each:
  ca FILE                   the CA to trust, with --tls-self-signed
  listening ADDR plain      once ADDR is bound; STARTTLS is offered there if there is a certificate
  listening ADDR tls
  message ID from=<…> to=<…>,<…> size=OCTETS file=PATH

A message is answered 250 once it is on the disk. SIGTERM or SIGINT ends the server when the messages in hand are
answered; a second one ends it at once.";

/// `smtp serve`.
#[derive(Debug, ClapArgs)]
#[command(after_help = SERVE_EXAMPLES)]
pub struct Serve {
    /// Listen at this address, in the clear and with STARTTLS if there is a certificate. May be repeated.
    #[arg(long, value_name = "ADDR", num_args = 1..)]
    pub listen: Vec<String>,
    /// Listen at this address and speak TLS from the first octet. May be repeated.
    #[arg(long, value_name = "ADDR", num_args = 1..)]
    pub implicit_tls: Vec<String>,
    /// The certificate and those that lead to its CA, in PEM.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// The certificate's private key, in PEM.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Make a CA, and a certificate for localhost, 127.0.0.1 and ::1.
    #[arg(long, conflicts_with_all = ["tls_cert", "tls_key"])]
    pub tls_self_signed: bool,
    /// Let this user log in. Other machines may then not send without. Others on this machine can read it in the list
    /// of processes.
    #[arg(long, value_name = "NAME:PASSWORD", num_args = 1..)]
    pub user: Vec<Private>,
    /// Take no mail without a login, not even from this machine.
    #[arg(long, requires = "user")]
    pub require_auth: bool,
    /// Let passwords cross the wire without TLS.
    #[arg(long, requires = "user")]
    pub auth_in_clear: bool,
    /// Store messages in this Maildir, made if need be; otherwise they are counted and thrown away.
    #[arg(long, value_name = "DIR")]
    pub maildir: Option<PathBuf>,
    /// Speak LMTP (RFC 2033).
    #[arg(long)]
    pub lmtp: bool,
    /// The longest message, in octets; 0 for no limit.
    #[arg(long, value_name = "N", default_value_t = 50 * 1024 * 1024)]
    pub max_size: u64,
    /// The server's own name; otherwise this machine's.
    #[arg(long, value_name = "DOMAIN")]
    pub name: Option<String>,
}

const SEND_EXAMPLES: &str = "\
Examples:
  To a server on this machine, from standard input:
    printf 'Subject: hello\\n\\nHello, Ben.\\n' |
      smtp send --server smtp://localhost:25 --from ann@example.org --to ben@example.net -
  By submission, with STARTTLS (port 587), and by implicit TLS (port 465); what is special in a user's name or a
  password is percent-encoded (@ is %40):
    smtp send --server smtp://ann:p%40ss@mail.example.org \\
      --from ann@example.org --to ben@example.net message.eml
    smtp send --server smtps://ann:p%40ss@mail.example.org \\
      --from ann@example.org --to ben@example.net message.eml
  To a test server whose CA this system does not know, and to one without TLS:
    smtp send --server smtp://localhost:2525 --ca ca.pem \\
      --from ann@example.org --to ben@example.net message.eml
    smtp send --server smtp://localhost:2525 --starttls off \\
      --from ann@example.org --to ben@example.net message.eml
  A bounce (no sender), to two, by LMTP, under a name of one's own:
    smtp send --server lmtp://localhost:2424 --name mx.example.org \\
      --from '' --to ben@example.net --to cat@example.net bounce.eml
  A password to a server without TLS:
    smtp send --server smtp://ann:secret@localhost:2525 --starttls off --auth-in-clear \\
      --from ann@example.org --to ben@example.net message.eml

Ports, if not given: smtp 25, or 587 with a user; smtps 465; lmtp 24.
STARTTLS, if not given: required on the ports 587 and 2525 and with a user, opportunistic otherwise.

It prints a line for each recipient, and ends with
  0   if all were served
  69  if any was refused for good (5yz, logins aside)
  75  otherwise: it may be tried again
  64  if the command line is wrong, 66 if the message can't be read";

/// `smtp send`.
#[derive(Debug, ClapArgs)]
#[command(after_help = SEND_EXAMPLES)]
pub struct Send {
    /// The server: `smtp`, `smtps` or `lmtp://[user:password@]host[:port]`.
    #[arg(long, value_name = "URL")]
    pub server: Private,
    /// What to do about STARTTLS.
    #[arg(long, value_enum, value_name = "WHEN")]
    pub starttls: Option<StartTls>,
    /// Trust the CAs of this PEM file, beside the system's.
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
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
    /// The message, header and all, or - for standard input. Line ends of LF alone are sent as CRLF.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
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
