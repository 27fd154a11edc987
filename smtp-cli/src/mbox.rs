//! The mbox format, line by line: mboxrd, whose quoting can be taken back without loss.
//!
//! A message begins behind a line that starts with `From ` and stands at the start of the file or behind an empty line; the
//! empty line ahead of the next one is not of the message. A line of the message that starts with `From `, behind any
//! number of `>`, has one `>` more in the file.

use std::io::{self, BufRead, BufReader, Read};

/// How the line ahead of a message starts.
pub(crate) const FROM: &[u8; 5] = b"From ";

/// The longest piece of a line.
const PIECE: usize = 64 * 1024;

/// Lines of what is read; long ones in pieces, so that none has to fit into memory.
#[derive(Debug)]
pub(crate) struct Lines<R> {
    reader: BufReader<R>,
    piece: Vec<u8>,
    /// The next piece starts a line.
    starts: bool,
}

/// A line, or a piece of one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line<'l> {
    /// With its end, if that is in it.
    pub(crate) octets: &'l [u8],
    /// Whether the line starts with it.
    pub(crate) starts: bool,
}

impl<R: Read> Lines<R> {
    /// Of what begins at the start of a line: whoever reads the same once more gets the same pieces.
    pub(crate) fn new(source: R) -> Self {
        Self { reader: BufReader::with_capacity(PIECE, source), piece: Vec::new(), starts: true }
    }

    pub(crate) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        self.piece.clear();
        self.reader.by_ref().take(PIECE as u64).read_until(b'\n', &mut self.piece)?;
        let starts = std::mem::replace(&mut self.starts, self.piece.ends_with(b"\n"));
        Ok((!self.piece.is_empty()).then_some(Line { octets: &self.piece, starts }))
    }

    /// Whether there are no more.
    pub(crate) fn is_at_end(&mut self) -> io::Result<bool> {
        Ok(self.reader.fill_buf()?.is_empty())
    }
}

impl<'l> Line<'l> {
    /// As it is in the message.
    pub(crate) fn unquoted(self) -> &'l [u8] {
        if self.octets.starts_with(b">") && self.needs_quoting() { &self.octets[1..] } else { self.octets }
    }

    /// Whether it needs a `>` more in the file.
    pub(crate) fn needs_quoting(self) -> bool {
        let quotes = self.octets.iter().take_while(|octet| **octet == b'>').count();
        self.starts && self.octets[quotes..].starts_with(FROM)
    }

    pub(crate) fn is_empty(self) -> bool {
        self.starts && matches!(self.octets, b"\n" | b"\r\n")
    }
}
