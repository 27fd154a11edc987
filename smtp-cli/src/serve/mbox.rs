//! An mbox: messages one behind the other in one file. One server at a time may write to it.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use smtp_tokio::proto::address::ReversePath;
use smtp_tokio::proto::received::Timestamp;
use tempfile::SpooledTempFile;

use super::draft::{Draft, Target};
use super::maildir::sync_above;
use crate::mbox::Lines;

/// Octets of a message that are kept in memory while it comes in; a longer one goes into a temporary file.
const IN_MEMORY: usize = 256 * 1024;

/// An mbox, appended to by one message at a time.
#[derive(Debug)]
pub(super) struct Mbox {
    path: PathBuf,
    file: Mutex<File>,
}

impl Mbox {
    /// Opens the mbox at `path`, and makes it if there is none. What a killed server has left half written at its end is
    /// ended, so that the next message begins on a line of its own.
    ///
    /// # Errors
    ///
    /// The system's.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path)?;
        sync_above(path)?;
        let len = file.metadata()?.len();
        let mut end = Vec::new();
        file.seek(SeekFrom::Start(len.saturating_sub(2)))?;
        file.read_to_end(&mut end)?;
        match &end[..] {
            [] | b"\n\n" => {}
            [.., b'\n'] => file.write_all(b"\n")?,
            _ => file.write_all(b"\n\n")?,
        }
        Ok(Self { path: path.into(), file: Mutex::new(file) })
    }

    /// A message from `from` that comes at this second since 1970.
    pub(super) fn begin(self: &Arc<Self>, from: &ReversePath<'_>, seconds: u64) -> Draft {
        let sender = if *from == ReversePath::Null { "MAILER-DAEMON" } else { from.as_str() };
        let date = Timestamp::from_unix(i64::try_from(seconds).unwrap_or(i64::MAX), 0).to_string();
        let line = match date.split(' ').collect::<Vec<_>>()[..] {
            // RFC 5322 to asctime(3).
            [weekday, day, month, year, time, ..] => {
                let weekday = weekday.trim_end_matches(',');
                format!("From {sender} {weekday} {month} {day:>2} {time} {year}\n")
            }
            _ => format!("From {sender} {date}\n"),
        };
        Draft::new(Spool { mbox: Arc::clone(self), line, text: SpooledTempFile::new(IN_MEMORY) })
    }
}

/// A message that is not in the mbox yet.
#[derive(Debug)]
struct Spool {
    mbox: Arc<Mbox>,
    /// The line ahead of it.
    line: String,
    text: SpooledTempFile,
}

impl Target for Spool {
    fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        self.text.write_all(octets)
    }

    fn commit(&mut self) -> io::Result<PathBuf> {
        self.text.rewind()?;
        let file = self.mbox.file.lock().unwrap_or_else(PoisonError::into_inner);
        let len = file.metadata()?.len();
        let written = append(&file, &self.line, &mut self.text).and_then(|()| file.sync_data());
        if let Err(error) = written {
            // What is half there would be taken for a message.
            let _ = file.set_len(len);
            return Err(error);
        }
        Ok(self.mbox.path.clone())
    }
}

/// Lines end in LF here, and those that would begin a message are quoted.
fn append(mbox: &File, line: &str, text: &mut SpooledTempFile) -> io::Result<()> {
    let (mut out, mut lines) = (BufWriter::new(mbox), Lines::new(text));
    out.write_all(line.as_bytes())?;
    let mut ended = true;
    while let Some(line) = lines.next()? {
        if line.needs_quoting() {
            out.write_all(b">")?;
        }
        match line.octets.strip_suffix(b"\r\n") {
            Some(octets) => {
                out.write_all(octets)?;
                out.write_all(b"\n")?;
            }
            None => out.write_all(line.octets)?,
        }
        ended = line.octets.ends_with(b"\n");
    }
    out.write_all(if ended { b"\n" } else { b"\n\n" })?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(messages: &[&str], before: &str) -> String {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("mbox");
        std::fs::write(&path, before).expect("room");
        let mbox = Arc::new(Mbox::open(&path).expect("an mbox"));
        for message in messages {
            let text = SpooledTempFile::new(IN_MEMORY);
            let mut spool = Spool { mbox: Arc::clone(&mbox), line: "From a\n".into(), text };
            spool.write(message.as_bytes()).expect("room");
            assert_eq!(spool.commit().expect("room"), path);
        }
        std::fs::read_to_string(&path).expect("text")
    }

    #[test]
    fn messages_stand_behind_each_other_quoted_and_with_lf() {
        let mbox = written(&["S: a\r\n\r\nFrom here\r\n>From\r\n>From x\r\n", "S: b\r\n\r\nx"], "");
        assert_eq!(mbox, "From a\nS: a\n\n>From here\n>From\n>>From x\n\nFrom a\nS: b\n\nx\n\n");
    }

    #[test]
    fn what_was_left_half_written_is_ended() {
        for (before, end) in [("From z\nhalf a li", "\n\n"), ("From z\nx\n", "\n"), ("From z\nx\n\n", "")] {
            assert_eq!(written(&["x\r\n"], before), format!("{before}{end}From a\nx\n\n"));
        }
    }
}
