//! `smtp send`, run to its end.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::mail::{SENDER, Sample};
use crate::process::{Ended, run};

/// What to say to `smtp send` beside the message.
#[derive(Debug)]
pub(crate) struct Send<'a> {
    /// `smtp[s]://[user:password@]host[:port]`.
    pub(crate) url: &'a str,
    pub(crate) starttls: Option<&'a str>,
    pub(crate) ca: Option<&'a Path>,
    pub(crate) to: &'a [&'a str],
}

impl Send<'_> {
    pub(crate) fn run(&self, folder: &Path, sample: &Sample) -> Ended {
        let file: PathBuf = folder.join("message.eml");
        fs::write(&file, &sample.octets).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_smtp"));
        command.args(["send", "--server", self.url, "--from", SENDER]);
        for recipient in self.to {
            command.args(["--to", recipient]);
        }
        if let Some(policy) = self.starttls {
            command.args(["--starttls", policy]);
        }
        if let Some(ca) = self.ca {
            command.arg("--ca").arg(ca);
        }
        run(command.arg(file))
    }
}

/// Each recipient has one line, which holds the code that it got.
#[track_caller]
pub(crate) fn assert_told(ended: &Ended, results: &[(&str, &str)]) {
    for (recipient, code) in results {
        let lines: Vec<&str> = ended.stdout.lines().filter(|line| line.contains(recipient)).collect();
        let words = |line: &str| line.split(|c: char| !c.is_ascii_digit()).any(|word| word == *code);
        assert!(matches!(lines[..], [line] if words(line)), "{recipient} was to get {code}: {ended:#?}");
    }
    assert_eq!(ended.stdout.lines().count(), results.len(), "one line for each recipient: {ended:#?}");
}
