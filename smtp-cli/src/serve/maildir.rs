//! A Maildir: a message is written in `tmp`, and appears in `new` once it is on the disk, whole.
//!
//! Nothing here locks and nothing is ever written in place, so that any number of servers may share a Maildir, and a
//! reader may look at any time. What a killed server leaves in `tmp` is for the reader to remove when it is 36 hours old,
//! as the format has it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::task::{JoinHandle, spawn_blocking};

/// What is gathered of a message before it is written: one system call, and one task for it, per so many octets.
const BLOCK: usize = 64 * 1024;

/// A Maildir.
#[derive(Debug)]
pub struct Maildir {
    root: PathBuf,
    /// This machine's name, as file names have it.
    host: String,
    /// Tells apart the messages of this process, and of others that had its number.
    count: AtomicU64,
    random: u32,
}

impl Maildir {
    /// Opens the Maildir at `root`, and makes what there isn't of it.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn open(root: &Path) -> io::Result<Self> {
        // A folder that is made is an entry in the one above it, and lasts only once that one is on the disk.
        let made: Vec<_> = root.ancestors().take_while(|folder| !folder.exists()).collect();
        for part in ["tmp", "new", "cur"] {
            fs::create_dir_all(root.join(part))?;
        }
        sync(root)?;
        for folder in made {
            match folder.parent() {
                Some(above) if above.as_os_str().is_empty() => sync(Path::new("."))?,
                Some(above) => sync(above)?,
                None => {}
            }
        }
        let mut random = [0; 4];
        getrandom::fill(&mut random)?;
        let host = gethostname::gethostname().to_string_lossy().replace('/', "\\057").replace(':', "\\072");
        Ok(Self { root: root.into(), host, count: AtomicU64::new(0), random: u32::from_le_bytes(random) })
    }

    /// A message of this name. Nothing is on the disk yet.
    #[must_use]
    pub fn begin(self: &Arc<Self>, id: &MessageId) -> Draft {
        let name = format!("{}.{}.{}", id.seconds, id.unique, self.host);
        let file = TmpFile { maildir: Arc::clone(self), name, file: None };
        Draft { state: State::Idle(Box::new(Block { file, octets: Vec::new() })), gathered: Vec::new() }
    }

    /// A name for the next message.
    #[must_use]
    pub fn next_id(&self) -> MessageId {
        MessageId::new(&self.count, self.random)
    }

    fn path(&self, part: &str, name: &str) -> PathBuf {
        [&self.root, Path::new(part), Path::new(name)].iter().collect()
    }
}

/// What a message is called: unique on this machine, and an atom, so that a header can have it.
#[derive(Clone, Debug)]
pub struct MessageId {
    seconds: u64,
    unique: String,
}

impl MessageId {
    /// The next one of those that `count` counts.
    pub fn new(count: &AtomicU64, random: u32) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let (micros, process) = (now.subsec_micros(), std::process::id());
        let count = count.fetch_add(1, Ordering::Relaxed);
        Self { seconds: now.as_secs(), unique: format!("M{micros}P{process}Q{count}R{random:08x}") }
    }

    /// The part that is unique.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.unique
    }

    /// When the message came, in seconds since 1970.
    #[must_use]
    pub const fn seconds(&self) -> u64 {
        self.seconds
    }
}

/// A message on its way into a Maildir. Dropped before [`commit`](Self::commit) has said that it is there, it leaves
/// nothing behind.
#[derive(Debug)]
pub struct Draft {
    state: State,
    /// What has come while the block before it is being written.
    gathered: Vec<u8>,
}

#[derive(Debug)]
enum State {
    Idle(Box<Block>),
    Writing(JoinHandle<io::Result<Box<Block>>>),
    /// A write has failed, or was not waited for.
    Failed,
}

/// The file and octets for it: they travel to the thread that writes them and come back.
#[derive(Debug)]
struct Block {
    file: TmpFile,
    octets: Vec<u8>,
}

impl Draft {
    /// Where more may be put of the message. Call [`advance`](Self::advance) when something was.
    pub const fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.gathered
    }

    /// Writes what was gathered if it is enough: one block is on its way to the disk while the next one gathers.
    ///
    /// # Errors
    ///
    /// Those of the writes so far. The message is lost then.
    pub async fn advance(&mut self) -> io::Result<()> {
        if self.gathered.len() < BLOCK {
            return Ok(());
        }
        let mut block = self.take_block().await?;
        mem::swap(&mut block.octets, &mut self.gathered);
        self.state = State::Writing(spawn_blocking(move || {
            block.write()?;
            Ok(block)
        }));
        Ok(())
    }

    /// Puts the message on the disk, then into `new`, and says where it is: it stays there whatever happens to this
    /// process or this machine.
    ///
    /// # Errors
    ///
    /// Those of any write so far. The message is not in `new` then, unless a reader was faster than an error of the
    /// directory's own.
    pub async fn commit(mut self) -> io::Result<PathBuf> {
        let mut block = self.take_block().await?;
        mem::swap(&mut block.octets, &mut self.gathered);
        let committed = spawn_blocking(move || {
            block.write()?;
            block.file.commit()
        });
        committed.await?
    }

    async fn take_block(&mut self) -> io::Result<Box<Block>> {
        // Where the wait is given up, nothing is left to go on with.
        match mem::replace(&mut self.state, State::Failed) {
            State::Idle(block) => Ok(block),
            State::Writing(task) => task.await?,
            State::Failed => Err(io::Error::other("the message is lost already")),
        }
    }
}

impl Block {
    fn write(&mut self) -> io::Result<()> {
        self.file.open()?.write_all(&self.octets)?;
        self.octets.clear();
        Ok(())
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

/// Sees to it that a directory's entries are on the disk.
fn sync(directory: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(directory)?.sync_all() } else { Ok(()) }
}
