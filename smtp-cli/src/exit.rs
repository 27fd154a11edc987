//! How the tool ends: the exit codes of sysexits.h, which mail software has always used.

use std::fmt;
use std::io::{self, Write as _};

/// The command line is wrong.
pub const USAGE: u8 = 64;
/// What was to be explained is malformed, or went wrong.
pub const DATA: u8 = 65;
/// The message or a certificate can't be read.
pub const NO_INPUT: u8 = 66;
/// The host's name has no address.
pub const NO_HOST: u8 = 68;
/// A recipient was refused for good.
pub const UNAVAILABLE: u8 = 69;
/// Something is missing in the tool itself.
pub const SOFTWARE: u8 = 70;
/// The system says no: an address can't be listened at.
pub const OS_ERROR: u8 = 71;
/// The Maildir can't be made.
pub const CANT_CREATE: u8 = 73;
/// Not sent, and worth another try.
pub const TEMP_FAIL: u8 = 75;
/// A server does something wrong.
pub const PROTOCOL: u8 = 76;
/// Certificates or keys are of no use.
pub const CONFIG: u8 = 78;

/// Why the tool ends other than well.
#[derive(Debug)]
pub struct Failure {
    code: u8,
    message: String,
}

impl Failure {
    /// Ends with this code, and says this on standard error.
    pub fn new(code: u8, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// The exit code.
    #[must_use]
    pub const fn code(&self) -> u8 {
        self.code
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Says something on standard error. That nobody may be there to hear it is no reason to fail.
pub fn complain(message: impl fmt::Display) {
    let _ = writeln!(io::stderr(), "smtp: {message}");
}

/// An error with everything that lies beneath it, each said once.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let cause = error.to_string();
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
        source = error.source();
    }
    text
}
