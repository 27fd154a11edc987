//! The command line of `smtp bench`.

use std::str::FromStr;

use clap::Subcommand;

const EXAMPLES: &str = "\
Examples:
  10,000 messages of 4 KiB over 20 connections, into a sink of our own:
    smtp bench sink --listen 127.0.0.1:2526
    smtp bench load smtp://127.0.0.1:2526 --messages 10000 --connections 20 --size 4k
  What it can do besides: smtp bench load --help, smtp bench sink --help";

/// `smtp bench`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Which end to be.
    #[command(subcommand)]
    pub end: End,
}

/// An end of the wire.
#[derive(Debug, Subcommand)]
pub enum End {
    /// Send messages as fast as they are taken, or at a rate.
    Load(Box<Load>),
    /// Take messages, count them and throw them away.
    Sink(Sink),
}

const LOAD_EXAMPLES: &str = "\
Examples:
  1,000 messages of 1 KiB over 10 connections, as fast as they are taken:
    smtp bench load smtp://localhost:2525
  For ten seconds at 500 messages a second, 5 recipients each, of three sizes in turn:
    smtp bench load smtp://localhost:2525 --time 10 --rate 500 --recipients 5 --size 1k,20k,1M
  By BDAT; and one command at a time, over a new connection for each message, as smtp-source does it:
    smtp bench load smtp://localhost:2525 --chunking
    smtp bench load smtp://localhost:2525 --no-pipelining --per-connection 1
  Under TLS, by STARTTLS and from the first octet, on both cores; certificates are not looked at:
    smtp bench load smtp://localhost:2525 --starttls --threads 2
    smtp bench load smtps://localhost:4650 --messages 5000 --connections 50
  LMTP, from and to addresses of one's own, for programs:
    smtp bench load lmtp://localhost:2424 --from ann@example.org --to ben@example.net --json
  A server on another machine, which has to be yours; give up on what takes longer than 5 seconds:
    smtp bench load smtp://mx.test.example:25 --i-run-this-server --timeout 5

Latency is the time from a message's turn to the reply to its end: with --rate from when it was due, so that a server
that falls behind shows. With PIPELINING an envelope is under way while the message ahead awaits its reply, and that
wait counts.

It ends with
  0   if every message was taken for every recipient
  64  if the server is not on this machine, and --i-run-this-server is not given
  75  otherwise";

/// `smtp bench load`.
#[derive(Debug, clap::Args)]
#[command(after_help = LOAD_EXAMPLES)]
pub struct Load {
    /// The server: `smtp`, `smtps` or `lmtp://host[:port]`. On this machine, unless told otherwise.
    #[arg(value_name = "URL")]
    pub server: String,
    /// How many messages: 1000 if neither this nor --time is given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub messages: Option<u64>,
    /// Begin no further message after so many seconds.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub time: Option<f64>,
    /// How many connections at once.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub connections: u32,
    /// Connect anew after so many messages.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub per_connection: Option<u64>,
    /// The messages' size in octets, with k or M; of several, each in turn.
    #[arg(long, value_name = "SIZE", value_delimiter = ',', default_value = "1k")]
    pub size: Vec<Size>,
    /// Recipients of each message.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub recipients: u32,
    /// The sender's address; '' for none.
    #[arg(long, value_name = "ADDRESS", default_value = "bench@example.org")]
    pub from: String,
    /// The recipient's address; of several recipients, +1, +2 … stand behind the local part.
    #[arg(long, value_name = "ADDRESS", default_value = "bench@example.net")]
    pub to: String,
    /// Send by BDAT where the server offers it.
    #[arg(long)]
    pub chunking: bool,
    /// Say one command at a time, whatever the server offers.
    #[arg(long)]
    pub no_pipelining: bool,
    /// Start TLS. Any certificate will do.
    #[arg(long)]
    pub starttls: bool,
    /// Messages a second, in all.
    #[arg(long, value_name = "N", value_parser = seconds)]
    pub rate: Option<f64>,
    /// How many threads to run on.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=256))]
    pub threads: u32,
    /// How long any step may take, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 60.0, value_parser = seconds)]
    pub timeout: f64,
    /// Load a server on another machine. You have to run it, or to be allowed to do this by who does.
    #[arg(long)]
    pub i_run_this_server: bool,
    /// Print a JSON object.
    #[arg(long)]
    pub json: bool,
}

const SINK_EXAMPLES: &str = "\
Examples:
  Until it is interrupted:
    smtp bench sink --listen 127.0.0.1:2526
  For 10,000 messages, or a minute, with STARTTLS, for programs:
    smtp bench sink --listen 127.0.0.1:0 --messages 10000 --time 60 --tls-self-signed --json
  LMTP:
    smtp bench sink --lmtp

A server that stores what it takes, answers by rule or takes its time is smtp serve.

What it prints: `listening ADDR` once ADDR is bound, and at the end what it has counted.";

/// `smtp bench sink`.
#[derive(Debug, clap::Args)]
#[command(after_help = SINK_EXAMPLES)]
pub struct Sink {
    /// Listen at this address.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:2525")]
    pub listen: String,
    /// End after so many messages.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub messages: Option<u64>,
    /// End after so many seconds.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub time: Option<f64>,
    /// Offer STARTTLS, with a certificate made for the occasion.
    #[arg(long)]
    pub tls_self_signed: bool,
    /// Speak LMTP (RFC 2033).
    #[arg(long)]
    pub lmtp: bool,
    /// Print a JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Octets: a number, with k or M for 1,024 and 1,048,576 of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub usize);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.trim_end_matches(['k', 'K', 'M']);
        let unit = match &text[digits.len()..] {
            "" => 1,
            "k" | "K" => 1024,
            "M" => 1024 * 1024,
            _ => return Err("a number, and k or M".into()),
        };
        let number: usize = digits.parse().map_err(|_| "a number, and k or M")?;
        let size = number.checked_mul(unit).filter(|size| *size <= LONGEST);
        size.map(Self).ok_or_else(|| format!("{LONGEST} octets are the most"))
    }
}

/// Each size is kept in memory once.
const LONGEST: usize = 256 * 1024 * 1024;

fn seconds(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "not a number")?;
    if number > 0.0 && number <= 1e6 {
        Ok(number)
    } else {
        Err("more than 0, and no more than 1000000".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        for (text, octets) in [("0", 0), ("1000", 1000), ("4k", 4096), ("4K", 4096), ("1M", 1_048_576)] {
            assert_eq!(text.parse(), Ok(Size(octets)));
        }
        for text in ["", "k", "4kk", "4kM", "-1", "1G", "257M", "99999999999999999999"] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
    }
}
