//! The command line of `smtp serve`.

use std::path::PathBuf;

use super::rules::Rule;
use super::steps::{Delay, Step};
use crate::args::Private;

const EXAMPLES: &str = "\
Examples:
  Take everything and throw it away, on the default 127.0.0.1:2525, or on ports of the system's choice:
    smtp serve
    smtp serve --listen 127.0.0.1:0 --listen [::1]:0
  The same under load, with nothing printed but the sum:
    smtp serve --quiet
  Store it, with STARTTLS and with implicit TLS, under a CA made for the occasion:
    smtp serve --maildir /tmp/mail --tls-self-signed \\
      --listen 127.0.0.1:2525 --implicit-tls 127.0.0.1:4650
  In an mbox, and say so as JSON:
    smtp serve --mbox /tmp/mail.mbox --json
  With a certificate of one's own, under a name of one's own, messages up to 10 MiB:
    smtp serve --listen 0.0.0.0:25 --tls-cert chain.pem --tls-key key.pem \\
      --name mx.example.org --max-size 10485760
  With logins, for loopback too; the second lets passwords cross the wire in the clear:
    smtp serve --tls-self-signed --user ann:secret --user ben:hidden --require-auth
    smtp serve --users users.txt --auth-in-clear
  LMTP, by TCP and on a Unix socket:
    smtp serve --lmtp --listen 127.0.0.1:2424 --listen /tmp/lmtp.sock --maildir /tmp/mail
  For testing senders: refuse some, by rule; have everybody come back after five seconds; be slow; be cut off when a
  message has been taken and not answered; offer less, or more:
    smtp serve --rule 'rcpt full@*: 452 4.2.2 mailbox full' \\
      --rule 'message quota@*: 452 4.2.2 over quota' --rule 'mail <>: 550 5.7.1 no bounces here'
    smtp serve --greylist 5
    smtp serve --delay connect=3 --delay message=0.5
    smtp serve --cut message
    smtp serve --without PIPELINING --without CHUNKING --offer MT-PRIORITY --offer 'LIMITS RCPTMAX=5'

A rule is 'STEP PATTERN: REPLY'. STEP is mail (PATTERN is matched with the sender, <> if there is none), rcpt, data or
message (after the final dot), which are matched with the recipients. * stands for anything, ? for a character. The first
rule that fits counts. A message that a rule refuses for one recipient is refused for all, but in LMTP.
Delays and cuts are at connect, hello, mail, rcpt, data, body or message: a connection that is cut gets no reply.

What it prints, a line each:
  ca FILE                   the CA to trust, with --tls-self-signed
  listening ADDR plain      once ADDR is bound; STARTTLS is offered there if there is a certificate
  listening ADDR tls
  message ID from=<…> to=<…>,<…> size=OCTETS file=PATH
  total messages=N size=OCTETS      at the end

A message is answered 250 once it is on the disk. SIGTERM or SIGINT ends the server when the messages in hand are
answered; a second one ends it at once. It ends with 0, or with
  64  if the command line is wrong, 66 if a file can't be read, 78 if a certificate is of no use
  71  if an address can't be listened at, 73 if the Maildir or the mbox can't be made";

/// `smtp serve`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Listen at this address, or at the path of a Unix socket, in the clear and with STARTTLS if there is a certificate.
    /// May be repeated.
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
    /// Let the users of this file log in: NAME:PASSWORD, a line each.
    #[arg(long, value_name = "FILE")]
    pub users: Option<PathBuf>,
    /// Take no mail without a login, not even from this machine.
    #[arg(long)]
    pub require_auth: bool,
    /// Let passwords cross the wire without TLS.
    #[arg(long)]
    pub auth_in_clear: bool,
    /// Store messages in this Maildir, made if need be; otherwise they are counted and thrown away.
    #[arg(long, value_name = "DIR", conflicts_with = "mbox")]
    pub maildir: Option<PathBuf>,
    /// Append messages to this mbox (mboxrd), which nobody else may write to meanwhile.
    #[arg(long, value_name = "FILE")]
    pub mbox: Option<PathBuf>,
    /// Speak LMTP (RFC 2033).
    #[arg(long)]
    pub lmtp: bool,
    /// The longest message, in octets; 0 for no limit.
    #[arg(long, value_name = "N", default_value_t = 50 * 1024 * 1024)]
    pub max_size: u64,
    /// The server's own name; otherwise this machine's.
    #[arg(long, value_name = "DOMAIN")]
    pub name: Option<String>,
    /// Answer so where this fits. May be repeated.
    #[arg(long, value_name = "STEP PATTERN: REPLY")]
    pub rule: Vec<Rule>,
    /// Have whoever sends to somebody for the first time come back after so many seconds.
    #[arg(long, value_name = "SECONDS")]
    pub greylist: Option<u32>,
    /// Wait so long at this step. May be repeated.
    #[arg(long, value_name = "STEP=SECONDS")]
    pub delay: Vec<Delay>,
    /// Cut the connection off at this step, without a reply. May be repeated.
    #[arg(long, value_name = "STEP")]
    pub cut: Vec<Step>,
    /// Do not offer this extension. May be repeated.
    #[arg(long, value_name = "KEYWORD")]
    pub without: Vec<String>,
    /// Offer this, too: a line of the response to EHLO. May be repeated.
    #[arg(long, value_name = "LINE")]
    pub offer: Vec<String>,
    /// Print JSON, an object a line.
    #[arg(long)]
    pub json: bool,
    /// Print no line for each message, only the sum at the end.
    #[arg(long, short)]
    pub quiet: bool,
}
