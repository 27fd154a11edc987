//! A Maildir: a message is written in `tmp`, and appears in `new` once it is on the disk, whole.
//!
//! Nothing here locks and nothing is ever written in place, so that any number of servers may share a Maildir, and a
//! reader may look at any time. What a killed server leaves in `tmp` is for the reader to remove when it is 36 hours old,
//! as the format has it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::draft::{Draft, Target};
use super::id::MessageId;

/// A Maildir.
#[derive(Debug)]
pub(super) struct Maildir {
    root: PathBuf,
    /// This machine's name, as file names have it.
    host: String,
}

impl Maildir {
    /// Opens the Maildir at `root`, and makes what there isn't of it.
    ///
    /// # Errors
    ///
    /// The system's.
    pub(super) fn open(root: &Path) -> io::Result<Self> {
        // A folder that is made is an entry in the one above it, and lasts only once that one is on the disk.
        let made: Vec<_> = root.ancestors().take_while(|folder| !folder.exists()).collect();
        for part in ["tmp", "new", "cur"] {
            fs::create_dir_all(root.join(part))?;
        }
        sync(root)?;
        made.into_iter().try_for_each(sync_above)?;
        let host = gethostname::gethostname().to_string_lossy().replace('/', "\\057").replace(':', "\\072");
        Ok(Self { root: root.into(), host })
    }

    /// A message of this name. Nothing is on the disk yet.
    #[must_use]
    pub(super) fn begin(self: &Arc<Self>, id: &MessageId) -> Draft {
        let name = format!("{}.{}.{}", id.seconds(), id.as_str(), self.host);
        Draft::new(TmpFile { maildir: Arc::clone(self), name, file: None })
    }

    fn path(&self, part: &str, name: &str) -> PathBuf {
        [&self.root, Path::new(part), Path::new(name)].iter().collect()
    }
}

/// A file in `tmp`, removed with this value.
#[derive(Debug)]
struct TmpFile {
    maildir: Arc<Maildir>,
    name: String,
    file: Option<File>,
}

impl TmpFile {
    fn open(&mut self) -> io::Result<&mut File> {
        match self.file {
            Some(ref mut file) => Ok(file),
            None => {
                let mut options = OpenOptions::new();
                options.write(true).create_new(true);
                #[cfg(unix)]
                std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
                Ok(self.file.insert(options.open(self.maildir.path("tmp", &self.name))?))
            }
        }
    }
}

impl Target for TmpFile {
    fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        self.open()?.write_all(octets)
    }

    fn commit(&mut self) -> io::Result<PathBuf> {
        let new = self.maildir.path("new", &self.name);
        self.open()?.sync_all()?;
        // Its name is unique, so that nothing can be there to be replaced.
        fs::rename(self.maildir.path("tmp", &self.name), &new)?;
        self.file = None;
        if let Err(error) = sync(&self.maildir.root.join("new")) {
            // Refused, it will be sent again: as far as that is still possible, it isn't there twice then.
            let _ = fs::remove_file(&new);
            return Err(error);
        }
        Ok(new)
    }
}

impl Drop for TmpFile {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            // Where it can't be removed, the rule of 36 hours will see to it.
            let _ = fs::remove_file(self.maildir.path("tmp", &self.name));
        }
    }
}

/// Sees to it that the entry of what was made is on the disk.
pub(super) fn sync_above(made: &Path) -> io::Result<()> {
    match made.parent() {
        Some(above) if above.as_os_str().is_empty() => sync(Path::new(".")),
        Some(above) => sync(above),
        None => Ok(()),
    }
}

/// Sees to it that a directory's entries are on the disk.
fn sync(directory: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(directory)?.sync_all() } else { Ok(()) }
}
