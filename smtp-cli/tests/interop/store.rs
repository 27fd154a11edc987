//! Where a server puts messages, and how one is found there again.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::mail::{Mail, assert_same};
use crate::process::eventually;
use crate::receiver::{How, Ledger};

/// What a message became at a server.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stored {
    /// What the server put on top: trace fields.
    pub(crate) trace: String,
    /// The rest, with CRLF for line ends.
    pub(crate) message: Vec<u8>,
    /// How it came, where the server is ours.
    pub(crate) how: Option<How>,
}

#[derive(Debug)]
pub(crate) enum Store {
    /// A file for each message.
    Files(Files),
    /// In the memory of a server of ours, which the peer relays to.
    Ours(Arc<Ledger>),
}

#[derive(Debug)]
pub(crate) struct Files {
    /// Those of any folder below this one, but for `tmp`, where maildirs have what is not whole yet.
    pub(crate) folder: PathBuf,
    /// The lines end in LF.
    pub(crate) lf: bool,
    /// There is a file for each recipient.
    pub(crate) each: bool,
    /// What stands behind each message.
    pub(crate) tail: &'static [u8],
}

impl Files {
    /// A maildir for each recipient.
    pub(crate) const fn maildirs(folder: PathBuf) -> Self {
        Self { folder, lf: true, each: true, tail: b"" }
    }

    /// Files as the message came, which stand there once they are whole.
    pub(crate) const fn whole(folder: PathBuf) -> Self {
        Self { folder, lf: false, each: false, tail: b"" }
    }

    fn find(&self, mail: &Mail) -> Vec<PathBuf> {
        let mut found = Vec::new();
        walk(&self.folder, &mut |path| {
            // One that is gone meanwhile was somebody else's.
            let Ok(file) = fs::read(path) else { return };
            if contains(&file[..file.len().min(8192)], mail.mark.as_bytes()) {
                found.push(path.to_owned());
            }
        });
        found
    }

    fn read(&self, path: &Path, mail: &Mail) -> Option<Stored> {
        let mut file = fs::read(path).ok()?;
        if self.lf {
            assert!(!contains(&file, b"\r"), "{}: a CR in a file of lines that end in LF", path.display());
            file = String::from_utf8(file).unwrap().replace('\n', "\r\n").into_bytes();
        }
        let at = position(&file, mail.mark.as_bytes())?;
        let message = file[at..].strip_suffix(self.tail)?.to_vec();
        Some(Stored { trace: String::from_utf8_lossy(&file[..at]).into_owned(), message, how: None })
    }
}

impl Store {
    /// Waits for this message, for so many recipients, and compares each copy with what was sent; gives the first.
    #[track_caller]
    pub(crate) fn take(&self, mail: &Mail, recipients: usize) -> Stored {
        match self {
            Self::Ours(ledger) => {
                let arrived = ledger.take(mail);
                assert_same(mail, &arrived.message);
                arrived
            }
            Self::Files(files) => {
                let copies = if files.each { recipients } else { 1 };
                let wanted = mail.len();
                let mut last = Vec::new();
                let whole = eventually(&format!("{} at the server", mail.mark), || {
                    let paths = files.find(mail);
                    let all: Option<Vec<_>> = paths.iter().map(|path| files.read(path, mail)).collect();
                    last = all.unwrap_or_default();
                    // One that is written to in place may not be whole yet.
                    let whole = last.len() >= copies && last.iter().all(|one| one.message.len() >= wanted);
                    whole.then_some(paths)
                });
                assert_eq!(whole.len(), copies, "copies of {}", mail.mark);
                for (one, path) in last.iter().zip(&whole) {
                    assert_same(mail, &one.message);
                    fs::remove_file(path).unwrap();
                }
                last.remove(0)
            }
        }
    }

    /// Nothing of this message is there.
    #[track_caller]
    pub(crate) fn assert_without(&self, mail: &Mail) {
        match self {
            Self::Ours(ledger) => assert!(!ledger.has(mail), "{} arrived", mail.mark),
            Self::Files(files) => {
                assert_eq!(files.find(mail), Vec::<PathBuf>::new(), "{} arrived", mail.mark)
            }
        }
    }
}

fn walk(folder: &Path, visit: &mut impl FnMut(&Path)) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "tmp") {
                walk(&path, visit);
            }
        } else if path.extension().is_none_or(|extension| extension != "part") {
            visit(&path);
        }
    }
}

fn position(octets: &[u8], wanted: &[u8]) -> Option<usize> {
    octets.windows(wanted.len()).position(|window| window == wanted)
}

pub(crate) fn contains(octets: &[u8], wanted: &[u8]) -> bool {
    position(octets, wanted).is_some()
}
