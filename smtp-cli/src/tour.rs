//! `smtp tour`: what this project can do, shown on this machine.

use std::process::ExitCode;

use crate::exit;

/// Runs the tour.
#[must_use]
pub fn run() -> ExitCode {
    eprintln!("smtp: the tour isn't there yet; see `smtp --help`");
    ExitCode::from(exit::SOFTWARE)
}
