//! The tool `smtp`.

use std::process::ExitCode;

fn main() -> ExitCode {
    smtp_cli::run(std::env::args_os())
}
