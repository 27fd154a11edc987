//! The command line of `smtp probe`.

use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  Every usual port of a host: 25, 465, 587, 2525, and 24 for LMTP:
    smtp probe mx.example.org
  Certain ports, of several hosts, for programs:
    smtp probe --json mx.example.org:25 [2001:db8::25]:587 mail.example.net:465
  A test server whose CA this system does not know:
    smtp probe --ca ca.pem localhost:2525
  One that takes its time to greet; and LMTP on a port of its own:
    smtp probe --timeout 30 mx.example.org:25
    smtp probe --lmtp localhost:2424

It greets, asks for TLS where that is offered, greets again, and leaves: nothing is ever sent. Where STARTTLS is offered
it connects once more, to see whether a command that stands behind STARTTLS in the clear is carried over into TLS.

It ends with
  0   if nothing is wrong
  69  if no port speaks
  76  if it warns of something";

/// `smtp probe`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The hosts; without a port, every usual one is tried.
    #[arg(value_name = "HOST[:PORT]", required = true)]
    pub hosts: Vec<String>,
    /// Trust the CAs of this PEM file, beside the system's.
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// Speak LMTP. On port 24, and where EHLO is refused, it is tried anyway.
    #[arg(long)]
    pub lmtp: bool,
    /// How long each step may take, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub timeout: u64,
    /// Print a JSON object for each port.
    #[arg(long)]
    pub json: bool,
}
