//! The command line. What each command takes stands beside it.

use std::fmt;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::{bench, explain, probe, send, serve};

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
    /// Take mail: store it, count it, or refuse it by rule.
    Serve(Box<serve::Args>),
    /// Send messages: files, directories, mboxes, standard input.
    Send(Box<send::Args>),
    /// Say what a reply, a code, a command or a conversation means, and where it went wrong.
    Explain(explain::Args),
    /// Look at a server: which ports speak what, and what is wrong with them.
    Probe(probe::Args),
    /// Load a server, or be one that counts: how fast is it?
    Bench(bench::Args),
    /// Show what is there, on this machine.
    Tour,
    /// Print the completions for a shell.
    Completions {
        /// Which.
        shell: clap_complete::Shell,
    },
    /// Write the pages of the manual, one for each command, into a directory.
    Manual {
        /// Which: made, if need be.
        folder: PathBuf,
    },
}

/// A text that may hold a password: never shown, not even where it is malformed.
#[derive(Clone, PartialEq, Eq)]
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
