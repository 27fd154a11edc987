use alloc::{borrow::Cow, string::String};

use crate::marks::Marks;
use crate::octets;
use crate::status::{Code, Enhanced};

/// One line of a reply, without its code and line end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Line<'r> {
    /// The enhanced code in front, if its class is that of the reply's code.
    pub status: Option<Enhanced>,
    /// What stands behind. From a peer it may hold any octets but CRLF.
    pub text: &'r [u8],
}

impl<'r> Line<'r> {
    /// The text, with U+FFFD for what is not UTF-8.
    #[must_use]
    pub fn text_lossy(&self) -> Cow<'r, str> {
        String::from_utf8_lossy(self.text)
    }
}

/// The lines of a reply.
#[derive(Clone, Debug)]
pub struct Lines<'r> {
    raw: RawLines<'r>,
    /// The one in front of every line of a composed reply, not part of its text.
    status: Option<Enhanced>,
    code: Code,
}

impl<'r> Lines<'r> {
    pub(super) fn new(raw: RawLines<'r>, status: Option<Enhanced>, code: Code) -> Self {
        Self { raw, status, code }
    }
}

impl<'r> Iterator for Lines<'r> {
    type Item = Line<'r>;

    fn next(&mut self) -> Option<Line<'r>> {
        let text = self.raw.next()?;
        if self.status.is_some() {
            return Some(Line { status: self.status, text });
        }
        Some(match Enhanced::prefix(text) {
            Some((status, text)) if status.fits(self.code) => Line { status: Some(status), text },
            _ => Line { status: None, text },
        })
    }
}

/// The texts of a reply's lines.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawLines<'r> {
    rest: Option<&'r [u8]>,
    wire: bool,
}

impl<'r> RawLines<'r> {
    pub(crate) const fn composed(text: &'r str) -> Self {
        Self { rest: Some(text.as_bytes()), wire: false }
    }

    /// Of whole lines, each with code and LF.
    pub(crate) const fn wire(raw: &'r [u8]) -> Self {
        Self { rest: Some(raw), wire: true }
    }
}

impl<'r> RawLines<'r> {
    /// Gives `each` line to it, and how many of its octets stand ahead of its first space or HT.
    #[inline(always)]
    pub(crate) fn parted(self, mut each: impl FnMut(&'r [u8], usize)) {
        let octets = self.rest.unwrap_or_default();
        let code = if self.wire { "250-".len() } else { 0 };
        let mut blanks = Marks::<33>::new(octets);
        let mut line = 0;
        while line < octets.len() {
            let start = line + code;
            // A CR that is no line's end is a part of a word.
            let word = blanks.position(start, |at| {
                octets[at..].starts_with(b"\r\n") || matches!(octets[at], b' ' | b'\t' | b'\n')
            });
            // Most lines are one word.
            let (behind, end) = match octets.get(word) {
                Some(b'\r') => (word, word + 1),
                _ => {
                    let found = octets.get(word) == Some(&b'\n');
                    let end = if found { word } else { blanks.position(word, |at| octets[at] == b'\n') };
                    (end - usize::from(self.wire && octets[..end].ends_with(b"\r")), end)
                }
            };
            let text = octets.get(start..behind).unwrap_or_default();
            each(text, text.len().min(word - start));
            line = end + 1;
        }
    }
}

impl<'r> Iterator for RawLines<'r> {
    type Item = &'r [u8];

    #[inline]
    fn next(&mut self) -> Option<&'r [u8]> {
        let rest = self.rest?;
        let Some(end) = octets::find::<11>(rest, 0, |octet| octet == b'\n') else {
            self.rest = None;
            // Behind a peer's last LF nothing is left; behind a composed one, the last line.
            return (!self.wire).then_some(rest);
        };
        let (line, rest) = (&rest[..end], &rest[end + 1..]);
        self.rest = Some(rest);
        if !self.wire {
            return Some(line);
        }
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        Some(line.get(4..).unwrap_or_default())
    }
}
