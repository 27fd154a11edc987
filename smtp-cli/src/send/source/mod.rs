//! Where messages come from: files, mboxes, directories, standard input. None is read into memory whole.

mod mbox;
mod text;
mod window;

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use smtp_tokio::proto::dot::Surveyor;
use smtp_tokio::proto::session::Content;

use crate::mbox::FROM;
pub(super) use text::Text;
use window::Window;

/// A message to be sent: a part of a file.
#[derive(Debug)]
pub(super) struct Item {
    /// What it is called in results.
    pub(super) name: String,
    /// What the server has to be told of it.
    pub(super) content: Content,
    /// Octets of its file, for the progress.
    pub(super) octets: u64,
    window: Window,
    /// It is of an mbox, and its lines are quoted as that has it.
    pub(super) quoted: bool,
}

/// What is found when files are read.
#[derive(Debug)]
pub(super) enum Found {
    Message(Item),
    /// A file, or the rest of it, can't be read.
    Unreadable {
        name: String,
        error: io::Error,
    },
}

/// All files that there are to read.
#[derive(Debug)]
pub(super) struct Sources {
    files: Vec<Source>,
    /// Their octets.
    pub(super) octets: u64,
}

#[derive(Debug)]
enum Source {
    Path(PathBuf),
    /// Standard input or a pipe, of this name, as it was when it had ended.
    Spooled(String, Arc<File>),
}

impl Sources {
    /// Looks what there is. Directories are listed; standard input is put into a temporary file, since what is to be
    /// declared of a message is known only when it was read, and it may have to be sent again.
    ///
    /// # Errors
    ///
    /// The first of `paths` that can't be read, and why.
    pub(super) fn find(paths: &[PathBuf]) -> Result<Self, (PathBuf, io::Error)> {
        let mut this = Self { files: Vec::new(), octets: 0 };
        for path in paths {
            this.add(path).map_err(|error| (path.clone(), error))?;
        }
        Ok(this)
    }

    fn add(&mut self, path: &Path) -> io::Result<()> {
        if path == Path::new("-") {
            return self.spool(path, &mut io::stdin().lock());
        }
        let found = fs::metadata(path)?.file_type();
        if found.is_file() {
            return self.add_file(path.into());
        }
        if !found.is_dir() {
            return self.spool(path, &mut File::open(path)?);
        }
        let parts = ["new", "cur"].map(|part| path.join(part));
        if parts.iter().all(|part| part.is_dir()) {
            return parts.iter().try_for_each(|part| self.add_folder(part));
        }
        self.add_folder(path)
    }

    /// What can be read only once, and has no length, goes into a file that has both.
    fn spool(&mut self, path: &Path, source: &mut impl Read) -> io::Result<()> {
        let mut file = tempfile::tempfile()?;
        self.octets += io::copy(source, &mut file)?;
        self.files.push(Source::Spooled(path.display().to_string(), Arc::new(file)));
        Ok(())
    }

    fn add_folder(&mut self, folder: &Path) -> io::Result<()> {
        let mut paths = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
            if !hidden && fs::metadata(entry.path())?.is_file() {
                paths.push(entry.path());
            }
        }
        paths.sort();
        paths.into_iter().try_for_each(|path| self.add_file(path))
    }

    fn add_file(&mut self, path: PathBuf) -> io::Result<()> {
        // That it can be read shows now, before anything is sent.
        self.octets += File::open(&path)?.metadata()?.len();
        self.files.push(Source::Path(path));
        Ok(())
    }

    /// Whether there is one file at the most, which may yet be an mbox.
    pub(super) fn is_single(&self) -> bool {
        self.files.len() <= 1
    }

    /// Reads all files, and gives what is found to `give` until that says that it is enough.
    pub(super) fn read(self, mut give: impl FnMut(Found) -> bool) {
        for source in self.files {
            let (name, file) = match source {
                Source::Path(path) => (path.display().to_string(), File::open(path).map(Arc::new)),
                Source::Spooled(name, file) => (name, Ok(file)),
            };
            let go_on = match file.and_then(|file| read(&name, &file, &mut give)) {
                Ok(go_on) => go_on,
                Err(error) => give(Found::Unreadable { name, error }),
            };
            if !go_on {
                return;
            }
        }
    }
}

/// One file: a message, or an mbox, as its first octets say. No message begins so (RFC 5322, 2.2: a field's name has no
/// space).
fn read(name: &str, file: &Arc<File>, give: &mut impl FnMut(Found) -> bool) -> io::Result<bool> {
    let window = Window::whole(file)?;
    let mut start = [0; FROM.len()];
    if window.clone().read_exact(&mut start).is_ok() && start == *FROM {
        return mbox::scan(name, &window, give);
    }
    let (mut reader, mut surveyor, mut block) = (window.clone(), Surveyor::new(), vec![0; BLOCK]);
    loop {
        match reader.read(&mut block)? {
            0 => break,
            n => surveyor.add(&block[..n]),
        }
    }
    let (octets, content) = (window.len(), Content::surveyed(&surveyor.finish()));
    Ok(give(Found::Message(Item { name: name.into(), content, octets, window, quoted: false })))
}

/// Octets that are read at once.
const BLOCK: usize = 64 * 1024;

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::io::Write as _;

    /// What is found in a file of these octets.
    pub(super) fn found(octets: &[u8]) -> Vec<Item> {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(octets).expect("room");
        let mut items = Vec::new();
        let mut give = |found| match found {
            Found::Message(item) => {
                items.push(item);
                true
            }
            Found::Unreadable { error, .. } => panic!("{error}"),
        };
        assert!(read("x", &Arc::new(file), &mut give).expect("it can be read"));
        items
    }

    #[test]
    fn a_file_is_told_as_a_message_that_lies_in_memory() {
        let long = [&b"Subject: long\n\n"[..], &b"x".repeat(200_000), b"\n\xff"].concat();
        for message in [&b""[..], b"Subject: x\n\nx", b"Subject: \xc3\xa4\n\nx\n", &long, b"From: ann\n\n"] {
            let items = found(message);
            assert_eq!(items.len(), 1);
            assert_eq!(items[0].content, Content::of(message));
        }
    }

    #[test]
    fn directories_are_listed_in_order_and_maildirs_by_their_folders() {
        let folder = tempfile::tempdir().expect("a folder");
        let names = |folder: &Path| {
            let sources = Sources::find(&[folder.into()]).expect("it can be read");
            let mut names = Vec::new();
            sources.read(|found| {
                let Found::Message(item) = found else { panic!("{found:?}") };
                let name = item.name.strip_prefix(folder.to_str().expect("UTF-8")).expect("in it").to_owned();
                names.push(name);
                true
            });
            names
        };
        for name in ["b", "a", ".hidden"] {
            fs::write(folder.path().join(name), "Subject: x\n\n").expect("room");
        }
        fs::create_dir(folder.path().join("new")).expect("room");
        fs::write(folder.path().join("new/c"), "Subject: x\n\n").expect("room");
        assert_eq!(names(folder.path()), ["/a", "/b"]);
        fs::create_dir(folder.path().join("cur")).expect("room");
        assert_eq!(names(folder.path()), ["/new/c"]);
    }
}
