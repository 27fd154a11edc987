use super::{Malformed, Reply, grammar};
use crate::marks::Marks;
use crate::octets;
use crate::status::Code;

/// Finds a whole reply at the start of a buffer that grows.
///
/// # Complexity
///
/// Every octet is looked at once, however small the pieces in which the reply comes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Framing {
    /// Where the line that is not whole yet starts.
    line: u32,
    /// How far that line was searched for its end.
    searched: u32,
    code: Option<Code>,
    lenient: bool,
}

impl Framing {
    /// Lines end with CRLF only, and their codes are equal.
    #[must_use]
    pub const fn new() -> Self {
        Self { line: 0, searched: 0, code: None, lenient: false }
    }

    /// LF alone ends a line too, a bare CR is text, and codes may differ: as [`Reply::parse_lenient`] reads them.
    ///
    /// [`Reply::parse_lenient`]: super::Reply::parse_lenient
    #[must_use]
    pub const fn lenient() -> Self {
        Self { lenient: true, ..Self::new() }
    }

    /// The length of the reply at the start of `input`, once it is whole; then it is ready for the next one.
    ///
    /// Until then `input` is to be the same octets and more of them. The limits count line ends, and are capped at
    /// `u32::MAX`.
    ///
    /// # Errors
    ///
    /// As soon as the octets can't become a reply within the limits: the first fault counts, wherever the cuts fell.
    pub fn next(
        &mut self,
        input: &[u8],
        line_limit: usize,
        total_limit: usize,
    ) -> Result<Option<usize>, Malformed> {
        let found = self.find(input, line_limit, total_limit)?;
        Ok(found.map(|(len, _)| len))
    }

    /// The same, and the reply itself, which need not be parsed any more.
    ///
    /// # Errors
    ///
    /// As [`Framing::next`].
    #[inline]
    pub fn reply<'b>(
        &mut self,
        input: &'b [u8],
        line_limit: usize,
        total_limit: usize,
    ) -> Result<Option<(usize, Reply<'b>)>, Malformed> {
        let found = self.find(input, line_limit, total_limit)?;
        Ok(found.map(|(len, code)| (len, Reply::framed(&input[..len], code))))
    }

    /// The length and the code that counts: of any line, since they are equal, or of the last if lenient.
    fn find(
        &mut self,
        input: &[u8],
        line_limit: usize,
        total_limit: usize,
    ) -> Result<Option<(usize, Code)>, Malformed> {
        let total_limit = total_limit.min(u32::MAX as usize);
        let (mut line, mut searched) = (self.line as usize, self.searched as usize);
        loop {
            let window = line.saturating_add(line_limit).min(total_limit);
            let seen = input.get(..window).unwrap_or(input);
            let found = if self.lenient {
                octets::find::<11>(seen, searched, |octet| octet == b'\n')
            } else {
                octets::find::<14>(seen, searched, |octet| matches!(octet, b'\r' | b'\n'))
            };
            let end = match found {
                Some(end) if seen.get(end..end + 2) == Some(b"\r\n") => end + 1,
                Some(end) if seen[end] == b'\n' => end,
                Some(end) if end + 1 < seen.len() => end,
                // Nothing yet, or a CR with nothing behind it.
                end if input.len() < window => {
                    // `max`: a caller that shortened the buffer gets no answer, not a panic.
                    let searched = end.unwrap_or_else(|| searched.max(input.len()));
                    (self.line, self.searched) = (line as u32, searched as u32);
                    return Ok(None);
                }
                _ if line.saturating_add(line_limit) <= total_limit => return Err(Malformed::LineTooLong),
                _ => return Err(Malformed::TooLong),
            };
            // What is no reply at all is called so, rather than by its line end.
            let whole = input.get(line..=end).unwrap_or_default();
            let Ok((_, head)) = grammar::head(whole) else { return Err(Malformed::NotAReply) };
            if !self.lenient {
                if !matches!(whole, [.., b'\r', b'\n']) {
                    return Err(Malformed::BareLineEnd);
                }
                if *self.code.get_or_insert(head.code) != head.code {
                    return Err(Malformed::MixedCodes);
                }
            }
            let end = end + 1;
            if !head.more {
                *self = Self { lenient: self.lenient, ..Self::new() };
                return Ok(Some((end, head.code)));
            }
            let window = input.get(..total_limit).unwrap_or(input);
            (line, searched) = alike(window, line, end, line_limit);
        }
    }
}

/// Passes over whole lines that begin as the one at `first` does, with its code and a hyphen, and end with CRLF: nearly all of a long
/// reply. Gives where the first other one begins, from `line` on, and where its end may be, ahead of which there is none.
#[inline(never)]
fn alike(input: &[u8], first: usize, mut line: usize, line_limit: usize) -> (usize, usize) {
    let head = input.get(first..first + 4);
    let mut ends = Marks::<14>::new(&input[line..]);
    let base = line;
    loop {
        let end = base + ends.position(line - base, |at| matches!(input[base + at], b'\r' | b'\n'));
        let good = input.get(line..line + 4) == head && input.get(end..end + 2) == Some(b"\r\n");
        if !good || end + 2 - line > line_limit {
            return (line, end);
        }
        line = end + 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &[u8], expected: Result<Option<usize>, Malformed>) {
        assert_eq!(Framing::new().next(input, 16, 32), expected, "{:?}", input.escape_ascii());
    }

    #[test]
    fn limits_count_to_the_octet() {
        check(b"250 0123456789\r\n", Ok(Some(16)));
        check(b"250 0123456789", Ok(None));
        check(b"250 01234567890", Ok(None));
        check(b"250 01234567890\r", Err(Malformed::LineTooLong));
        check(b"250 0123456789012", Err(Malformed::LineTooLong));
        check(b"250-0123456789\r\n250 0123456789\r\n", Ok(Some(32)));
        check(b"250-0123456789\r\n250-0123456789\r\n", Err(Malformed::TooLong));
        check(b"250-0123456789\r\n250-01234567\r\n250\r\n", Err(Malformed::TooLong));
    }

    #[test]
    fn strict_and_lenient() {
        for (input, strict, lenient) in [
            (&b"250\r\n"[..], Ok(Some(5)), Ok(Some(5))),
            (b"250-\r\n250 \r\n", Ok(Some(12)), Ok(Some(12))),
            (b"250 a\n", Err(Malformed::BareLineEnd), Ok(Some(6))),
            (b"250 a\rb\r\n", Err(Malformed::BareLineEnd), Ok(Some(9))),
            (b"250 a\r\r\n", Err(Malformed::BareLineEnd), Ok(Some(8))),
            (b"250-a\r\n550 b\r\n", Err(Malformed::MixedCodes), Ok(Some(14))),
            (b"250\rfoo\r\n", Err(Malformed::NotAReply), Err(Malformed::NotAReply)),
            (b"SSH-2.0\n", Err(Malformed::NotAReply), Err(Malformed::NotAReply)),
            (b"\r\n", Err(Malformed::NotAReply), Err(Malformed::NotAReply)),
            (b"150 a\r\n", Err(Malformed::NotAReply), Err(Malformed::NotAReply)),
            (b"2500\r\n", Err(Malformed::NotAReply), Err(Malformed::NotAReply)),
        ] {
            assert_eq!(Framing::new().next(input, 512, 512), strict, "{:?}", input.escape_ascii());
            assert_eq!(Framing::lenient().next(input, 512, 512), lenient, "{:?}", input.escape_ascii());
        }
    }

    #[test]
    fn it_is_small() {
        assert!(size_of::<Framing>() <= 16);
    }
}
