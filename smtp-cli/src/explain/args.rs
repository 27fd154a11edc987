//! The command line of `smtp explain`.

use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  A reply, an enhanced status code, a command:
    smtp explain 452 4.5.3 Too many recipients
    smtp explain 5.7.1
    smtp explain 'MAIL FROM:<ann@example.org> SIZE=300 RET=HDRS'
  A whole conversation, as telnet, openssl s_client, swaks, curl -v, smtplib or an RFC show it:
    smtp explain --file session.txt
    swaks --to ben@example.net --server localhost | smtp explain
  What a bounce says:
    smtp explain 'host mx.example.net said: 550 5.1.1 No such user (in reply to RCPT TO)'
  Every parsed field, an object for each line:
    smtp explain --json 'RCPT TO:<ben@example.net> NOTIFY=NEVER'

Passwords are never shown: of AUTH only the mechanism and, where it stands in the clear, the user's name.

It ends with
  0   if it is sound
  65  if a line is malformed, or the conversation went wrong
  66  if the file can't be read";

/// `smtp explain`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// One line; words are joined. Without it and --file, standard input is read.
    #[arg(value_name = "TEXT", conflicts_with = "file")]
    pub text: Vec<String>,
    /// A conversation, or lines of one. - is standard input.
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Print a JSON object for each line.
    #[arg(long)]
    pub json: bool,
}
