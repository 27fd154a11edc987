//! The command line of `smtp serve`.

use std::path::PathBuf;

use crate::args::Private;

const EXAMPLES: &str = "\
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
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
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
