//! `smtp serve`, started for one test on ports that the system picks.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{Running, eventually};
use crate::top;

pub(crate) const USER: &str = "alice";
pub(crate) const PASSWORD: &str = "correct horse";

#[derive(Debug)]
pub(crate) struct Server {
    /// The port in the clear, which offers STARTTLS.
    pub(crate) plain: u16,
    /// The port with TLS from the first octet.
    pub(crate) tls: u16,
    /// The PEM file that its certificate is to be checked against.
    pub(crate) ca: PathBuf,
    maildir: PathBuf,
    _process: Running,
}

/// A message in the maildir.
#[derive(Debug)]
pub(crate) struct Arrived {
    pub(crate) return_path: String,
    pub(crate) received: String,
    pub(crate) recipients: Vec<String>,
    pub(crate) message: Vec<u8>,
}

impl Server {
    /// With `accounts`, `USER` can log in.
    pub(crate) fn start(folder: &Path, accounts: bool) -> Self {
        let maildir = folder.join("maildir");
        let mut command = Command::new(env!("CARGO_BIN_EXE_smtp"));
        command.args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--implicit-tls",
            "127.0.0.1:0",
            "--tls-self-signed",
        ]);
        command.arg("--maildir").arg(&maildir).current_dir(folder);
        if accounts {
            command.args(["--user", &format!("{USER}:{PASSWORD}")]);
        }
        let mut process = Running::start(&mut command);
        let lines = process.lines();
        let (mut plain, mut tls, mut ca) = (None, None, None);
        while plain.is_none() || tls.is_none() || ca.is_none() {
            let line = lines.next("the listeners and the CA of `smtp serve`");
            match line.split_once(' ') {
                Some(("ca", file)) => ca = Some(folder.join(file)),
                Some(("listening", at)) => match at.split_once(' ') {
                    Some((address, "plain")) => plain = Some(port(address)),
                    Some((address, "tls")) => tls = Some(port(address)),
                    _ => panic!("an unknown listener: {line}"),
                },
                _ => {}
            }
        }
        let (plain, tls, ca) = (plain.unwrap(), tls.unwrap(), ca.unwrap());
        Self { plain, tls, ca, maildir, _process: process }
    }

    /// Takes what has arrived for `recipients` out of the maildir, once there is something for each. A server may store a message
    /// once or for each recipient: here the copies must be the same, and become one.
    #[track_caller]
    pub(crate) fn take(&self, recipients: &[&str]) -> Arrived {
        let mut all: Option<Arrived> = None;
        eventually("a message for each recipient in the maildir", || {
            for path in self.files() {
                let copy = parse(&fs::read(&path).unwrap());
                fs::remove_file(path).unwrap();
                match &mut all {
                    None => all = Some(copy),
                    Some(first) => {
                        assert!(first.message == copy.message, "the copies of one message differ");
                        assert_eq!(first.return_path, copy.return_path);
                        first.recipients.extend(copy.recipients);
                    }
                }
            }
            all.as_ref()
                .filter(|all| recipients.iter().all(|to| all.recipients.iter().any(|has| has == to)))?;
            all.take()
        })
    }

    /// Whether nothing has arrived, or all of it was taken.
    pub(crate) fn is_empty(&self) -> bool {
        self.files().is_empty()
    }

    fn files(&self) -> Vec<PathBuf> {
        let Ok(folder) = fs::read_dir(self.maildir.join("new")) else { return Vec::new() };
        folder.map(|entry| entry.unwrap().path()).collect()
    }
}

fn port(address: &str) -> u16 {
    address.parse::<std::net::SocketAddr>().unwrap_or_else(|error| panic!("{address}: {error}")).port()
}

/// What `smtp serve --maildir` writes: Return-Path:, Received: and, for each recipient, Delivered-To: or X-Original-To:, then the
/// message exactly as it came.
fn parse(file: &[u8]) -> Arrived {
    let (fields, message) =
        top::strip(file, &["Return-Path", "Received"], &["Delivered-To", "X-Original-To"]);
    let one = |name| match top::values(&fields, name)[..] {
        [value] => value.to_owned(),
        ref other => panic!("{name}: {other:?} in {}", file[..file.len().min(600)].escape_ascii()),
    };
    let mut recipients = top::values(&fields, "Delivered-To");
    recipients.extend(top::values(&fields, "X-Original-To"));
    let mut recipients: Vec<_> = recipients.iter().map(|to| to.trim_matches(['<', '>']).to_owned()).collect();
    // Both headers may name the same one; in two files, that is a copy too many.
    recipients.sort();
    recipients.dedup();
    Arrived {
        return_path: one("Return-Path"),
        received: one("Received"),
        recipients,
        message: message.to_vec(),
    }
}
