//! A message as it is sent: read block by block, on a thread that may wait for the disk.

use std::io::{self, Read as _};
use std::sync::Arc;

use smtp_tokio::proto::session::Content;
use smtp_tokio::{Message, Piece};
use tokio::task::spawn_blocking;

use super::window::Window;
use super::{BLOCK, Item};
use crate::mbox::Lines;

/// A message that is read while it is sent.
#[derive(Debug)]
pub(crate) struct Text {
    item: Arc<Item>,
    block: Option<Box<Block>>,
}

/// Where the message is read, and what was read last: they travel to the thread that reads and come back.
#[derive(Debug)]
struct Block {
    reader: Reader,
    octets: Vec<u8>,
    last: bool,
}

#[derive(Debug)]
enum Reader {
    Plain(Window),
    Mbox(Lines<Window>),
}

impl Text {
    pub(crate) const fn new(item: Arc<Item>) -> Self {
        Self { item, block: None }
    }
}

impl Message for Text {
    fn content(&self) -> Content {
        self.item.content
    }

    async fn next(&mut self) -> io::Result<Piece<'_>> {
        let mut block = self.block.take().unwrap_or_else(|| Box::new(Block::new(&self.item)));
        let read = spawn_blocking(move || block.fill().map(|()| block));
        let block = self.block.insert(read.await??);
        Ok(Piece { octets: &block.octets, last: block.last })
    }

    fn rewind(&mut self) -> bool {
        self.block = None;
        true
    }
}

impl Block {
    fn new(item: &Item) -> Self {
        let window = item.window.clone();
        let reader = if item.quoted { Reader::Mbox(Lines::new(window)) } else { Reader::Plain(window) };
        Self { reader, octets: Vec::new(), last: false }
    }

    fn fill(&mut self) -> io::Result<()> {
        self.octets.clear();
        match &mut self.reader {
            Reader::Plain(window) => {
                window.by_ref().take(BLOCK as u64).read_to_end(&mut self.octets)?;
                self.last = window.len() == 0;
            }
            Reader::Mbox(lines) => {
                while self.octets.len() < BLOCK
                    && let Some(line) = lines.next()?
                {
                    self.octets.extend_from_slice(line.unquoted());
                }
                self.last = lines.is_at_end()?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// All of a message, by the blocks in which it is sent.
    pub(in super::super) fn read(item: Item) -> Vec<u8> {
        let (mut block, mut text) = (Block::new(&item), Vec::new());
        while !block.last {
            block.fill().expect("it can be read");
            assert!(block.octets.len() <= 2 * BLOCK);
            text.extend_from_slice(&block.octets);
        }
        text
    }

    #[test]
    fn a_file_is_read_in_blocks_and_is_the_same() {
        for len in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 5 * BLOCK] {
            let message = b"0123456789\n".repeat(len / 11 + 1)[..len].to_vec();
            let mut items = super::super::tests::found(&message);
            assert!(read(items.remove(0)) == message, "{len}");
        }
    }
}
