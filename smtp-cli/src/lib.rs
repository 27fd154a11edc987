//! The tool `smtp`: [`serve`] takes messages and stores or refuses them, [`send`] sends some, [`probe`] looks at
//! servers, [`explain`] says what they mean, [`tour`] shows around.
//!
//! A library so that tests and the tour can run its parts; what it is made of is `smtp-tokio`.

pub mod args;
pub mod bench;
pub mod exit;
pub mod explain;
mod generate;
mod mbox;
pub mod probe;
pub mod send;
pub mod serve;
mod style;
pub mod tour;
mod trace;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser as _;

use args::{Args, Command};

/// Runs the tool with this command line, the program's name first.
pub fn run(args: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> ExitCode {
    let args = match Args::try_parse_from(args) {
        Ok(args) => args,
        Err(error) => {
            // Where neither stream can be written to, nobody is there to be told.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(exit::USAGE) } else { ExitCode::SUCCESS };
        }
    };
    let ended = match args.command {
        None | Some(Command::Tour) => return tour::run(),
        Some(Command::Completions { shell }) => Ok(generate::completions(shell)),
        Some(Command::Manual { folder }) => generate::manual(&folder),
        Some(Command::Serve(args)) => on_tokio(serve::run(*args)),
        Some(Command::Send(args)) => on_tokio(send::run(*args)),
        Some(Command::Bench(args)) => bench::run(&args),
        Some(Command::Explain(args)) => explain::run(&args),
        Some(Command::Probe(args)) => on_tokio(probe::run(args)),
    };
    ended.unwrap_or_else(|failure| {
        exit::complain(&failure);
        ExitCode::from(failure.code())
    })
}

fn on_tokio(work: impl Future<Output = Result<ExitCode, exit::Failure>>) -> Result<ExitCode, exit::Failure> {
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| exit::Failure::new(exit::OS_ERROR, format!("no threads to run on: {error}")))?;
    let ended = runtime.block_on(work);
    // A resolver that hangs would hold the tool for as long as it does.
    runtime.shutdown_background();
    ended
}

/// The cryptography that TLS uses here.
pub(crate) fn crypto() -> std::sync::Arc<rustls::crypto::CryptoProvider> {
    rustls::crypto::ring::default_provider().into()
}

/// The README's examples are compiled as they stand there.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
mod readme {}
