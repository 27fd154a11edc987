//! `smtp bench`: a load generator and a sink.

mod args;
mod load;
mod plan;
mod progress;
mod report;
mod sink;
mod tally;

use std::process::ExitCode;

pub use args::{Args, End, Load, Sink, Size};

use crate::exit::Failure;

/// Loads a server, or is one.
///
/// # Errors
///
/// [`Failure`] if the command line is wrong, the server may not be loaded, or it can't be listened.
pub fn run(args: &Args) -> Result<ExitCode, Failure> {
    match &args.end {
        End::Load(args) => load::run(args),
        End::Sink(args) => sink::run(args),
    }
}
