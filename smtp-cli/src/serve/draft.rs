//! A message while it comes in: gathered in blocks, and written by threads that may wait for the disk.

use std::fmt::Debug;
use std::io;
use std::mem;
use std::path::PathBuf;

use tokio::task::{JoinHandle, spawn_blocking};

/// What is gathered of a message before it is written: one system call, and one task for it, per so many octets.
const BLOCK: usize = 64 * 1024;

/// Where a message is written to. Dropped before it was committed, it leaves nothing behind.
pub(super) trait Target: Debug + Send {
    /// More of the message.
    fn write(&mut self, octets: &[u8]) -> io::Result<()>;

    /// The message is whole: sees to it that it lasts, and says where it is.
    fn commit(&mut self) -> io::Result<PathBuf>;
}

/// A message on its way to where it is stored. Dropped before [`commit`](Self::commit) has said that it is there, it leaves
/// nothing behind.
#[derive(Debug)]
pub(super) struct Draft {
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

/// Where to, and octets for it: they travel to the thread that writes them and come back.
#[derive(Debug)]
struct Block {
    target: Box<dyn Target>,
    octets: Vec<u8>,
}

impl Draft {
    pub(super) fn new(target: impl Target + 'static) -> Self {
        let block = Block { target: Box::new(target), octets: Vec::new() };
        Self { state: State::Idle(Box::new(block)), gathered: Vec::new() }
    }

    /// Where more may be put of the message. Call [`advance`](Self::advance) when something was.
    pub(super) const fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.gathered
    }

    /// Writes what was gathered if it is enough: one block is on its way to the disk while the next one gathers.
    ///
    /// # Errors
    ///
    /// Those of the writes so far. The message is lost then.
    pub(super) async fn advance(&mut self) -> io::Result<()> {
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

    /// Puts the message on the disk and where it belongs, and says where that is: it stays there whatever happens to
    /// this process or this machine.
    ///
    /// # Errors
    ///
    /// Those of any write so far. The message is not there then.
    pub(super) async fn commit(mut self) -> io::Result<PathBuf> {
        let mut block = self.take_block().await?;
        mem::swap(&mut block.octets, &mut self.gathered);
        let committed = spawn_blocking(move || {
            block.write()?;
            block.target.commit()
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
        self.target.write(&self.octets)?;
        self.octets.clear();
        Ok(())
    }
}
