//! A part of a file, read by position, so that any number of readers may share the file.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;

/// A part of a file, and how far it was read.
#[derive(Clone, Debug)]
pub(super) struct Window {
    file: Arc<File>,
    at: u64,
    end: u64,
}

impl Window {
    pub(super) fn whole(file: &Arc<File>) -> io::Result<Self> {
        Ok(Self { file: Arc::clone(file), at: 0, end: file.metadata()?.len() })
    }

    /// From `start` to `end` of the file.
    pub(super) fn part(&self, start: u64, end: u64) -> Self {
        Self { file: Arc::clone(&self.file), at: start, end }
    }

    /// Octets that are left to read.
    pub(super) const fn len(&self) -> u64 {
        self.end.saturating_sub(self.at)
    }
}

impl Read for Window {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = usize::try_from(self.len()).unwrap_or(usize::MAX).min(buffer.len());
        if room == 0 {
            return Ok(0);
        }
        let n = read_at(&self.file, &mut buffer[..room], self.at)?;
        if n == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file has become shorter"));
        }
        self.at += n as u64;
        Ok(n)
    }
}

#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, at)
}

#[cfg(windows)]
fn read_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, at)
}
