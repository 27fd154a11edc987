//! What is made of the command line: completions and the manual.

use std::fs;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::args::Args;
use crate::exit::{self, Failure};

/// Prints the completions for a shell.
pub(crate) fn completions(shell: Shell) -> ExitCode {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "smtp", &mut text);
    // Whoever asked may have stopped reading.
    let _ = io::Write::write_all(&mut io::stdout(), &text);
    ExitCode::SUCCESS
}

/// Writes a page of the manual for each command into `folder`.
///
/// # Errors
///
/// If that can't be written to.
pub(crate) fn manual(folder: &Path) -> Result<ExitCode, Failure> {
    fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(Args::command(), folder))
        .map_err(|error| Failure::new(exit::CANT_CREATE, format!("{}: {error}", folder.display())))?;
    Ok(ExitCode::SUCCESS)
}
