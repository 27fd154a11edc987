//! Lines of commands: where they end, and what in them has no place in a line.
//!
//! ```text
//! command = verb [SP arguments] CRLF        ; RFC 5321, 2.3.8: only CRLF ends a line
//! ```

use memchr::memchr;

use crate::octets;

/// Finds the end of a line in a growing input, and remembers how far it has looked. It keeps no octet.
#[derive(Clone, Copy, Debug, Default)]
pub struct Framing {
    looked: usize,
    flaw: Option<Flaw>,
    lenient: bool,
    behind_cr: bool,
}

/// A line at the start of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Found {
    /// Octets with the line's end, to be consumed.
    pub len: usize,
    /// Octets without it.
    pub text: usize,
    /// The first thing that has no place in a line: to be answered 500 5.5.2.
    pub flaw: Option<Flaw>,
}

/// What has no place in a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Flaw {
    /// A CR without its LF.
    BareCr,
    /// An LF without its CR.
    BareLf,
    /// An octet of value 0.
    Nul,
}

/// The line is longer than the limit. [`Framing::skip`] passes over the rest of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the line is too long")]
#[non_exhaustive]
pub struct TooLong;

/// How much of a line was passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Skipped {
    /// Octets to be consumed.
    pub len: usize,
    /// Whether the end of the line is among them.
    pub ended: bool,
}

impl Framing {
    /// Only CRLF ends a line.
    #[must_use]
    pub const fn new() -> Self {
        Self { looked: 0, flaw: None, lenient: false, behind_cr: false }
    }

    /// LF alone ends a line too.
    #[must_use]
    pub const fn lenient() -> Self {
        Self { lenient: true, ..Self::new() }
    }

    /// Looks for the line that begins `input`; `limit` counts its end. `None`: more is needed, and the next input begins with
    /// the same octets.
    ///
    /// # Errors
    ///
    /// [`TooLong`], as soon as `limit` octets stand there without an end.
    ///
    /// # Complexity
    ///
    /// Each octet of a line is looked at once, whatever the cuts, and none beyond the limit.
    pub fn next(&mut self, input: &[u8], limit: usize) -> Result<Option<Found>, TooLong> {
        let window = &input[..input.len().min(limit)];
        let ends = |octet| matches!(octet, b'\r' | b'\n' | 0);
        let mut from = octets::skip::<14>(window, self.looked);
        while let Some(at) = octets::find::<14>(window, from, ends) {
            let flaw = match window[at] {
                b'\r' => match window.get(at + 1) {
                    Some(b'\n') => return Ok(Some(self.found(at, at + 2))),
                    Some(_) => Flaw::BareCr,
                    None => {
                        self.looked = at;
                        return self.wait(window, limit);
                    }
                },
                b'\n' if self.lenient => return Ok(Some(self.found(at, at + 1))),
                b'\n' => Flaw::BareLf,
                _ => Flaw::Nul,
            };
            self.flaw.get_or_insert(flaw);
            from = at + 1;
        }
        self.looked = self.looked.max(window.len());
        self.wait(window, limit)
    }

    /// Passes over a line that was too long: from its start, or where the last call left off.
    pub fn skip(&mut self, input: &[u8]) -> Skipped {
        *self = Self { looked: 0, flaw: None, ..*self };
        let mut from = 0;
        while let Some(at) = memchr(b'\n', &input[from..]) {
            let at = from + at;
            let behind_cr = if at == 0 { self.behind_cr } else { input[at - 1] == b'\r' };
            if behind_cr || self.lenient {
                self.behind_cr = false;
                return Skipped { len: at + 1, ended: true };
            }
            from = at + 1;
        }
        if let Some(&last) = input.last() {
            self.behind_cr = last == b'\r';
        }
        Skipped { len: input.len(), ended: false }
    }

    fn found(&mut self, text: usize, len: usize) -> Found {
        let flaw = self.flaw.take();
        self.looked = 0;
        Found { len, text, flaw }
    }

    const fn wait(&self, window: &[u8], limit: usize) -> Result<Option<Found>, TooLong> {
        if window.len() >= limit { Err(TooLong) } else { Ok(None) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(framing: Framing, input: &[u8]) -> Option<Found> {
        let mut once = framing;
        let found = once.next(input, 512).unwrap();
        let mut grown = framing;
        let last = found.map_or(input.len(), |found| found.len);
        for end in 0..last {
            assert_eq!(grown.next(&input[..end], 512), Ok(None), "{end} octets of {input:?}");
        }
        assert_eq!(grown.next(&input[..last], 512), Ok(found), "{input:?} octet by octet");
        found
    }

    #[test]
    fn only_crlf_ends_a_line_and_the_first_flaw_is_told() {
        for (input, len, text, flaw) in [
            (&b"\r\n"[..], 2, 0, None),
            (b"NOOP\r\nQUIT\r\n", 6, 4, None),
            (b"NOOP\nQUIT\r\n", 11, 9, Some(Flaw::BareLf)),
            (b"NOOP\rQUIT\r\n", 11, 9, Some(Flaw::BareCr)),
            (b"NOOP\r\r\n", 7, 5, Some(Flaw::BareCr)),
            (b"NO\0OP\n\r\n", 8, 6, Some(Flaw::Nul)),
            (b"\n\r\n", 3, 1, Some(Flaw::BareLf)),
        ] {
            assert_eq!(whole(Framing::new(), input), Some(Found { len, text, flaw }), "{input:?}");
        }
        assert_eq!(whole(Framing::new(), b"NOOP\n"), None);
        assert_eq!(whole(Framing::new(), b"NOOP\r"), None);
    }

    #[test]
    fn lenient_framing_ends_at_lf_too() {
        let found = |len, text, flaw| Some(Found { len, text, flaw });
        assert_eq!(whole(Framing::lenient(), b"NOOP\nQUIT\r\n"), found(5, 4, None));
        assert_eq!(whole(Framing::lenient(), b"NOOP\r\n"), found(6, 4, None));
        assert_eq!(whole(Framing::lenient(), b"NO\rOP\n"), found(6, 5, Some(Flaw::BareCr)));
    }

    #[test]
    fn a_flaw_is_forgotten_with_its_line() {
        let mut framing = Framing::new();
        assert_eq!(framing.next(b"a\0\r\n", 512), Ok(Some(Found { len: 4, text: 2, flaw: Some(Flaw::Nul) })));
        assert_eq!(framing.next(b"a\r\n", 512), Ok(Some(Found { len: 3, text: 1, flaw: None })));
    }

    #[test]
    fn the_limit_counts_the_line_end() {
        let mut framing = Framing::new();
        assert_eq!(framing.next(b"abcdef\r\n", 8).map(|found| found.map(|found| found.len)), Ok(Some(8)));
        assert_eq!(framing.next(b"abcdefg\r\n", 8), Err(TooLong));
        assert_eq!(Framing::new().next(b"abcdefg", 8), Ok(None));
        assert_eq!(Framing::new().next(b"abcdefgh", 8), Err(TooLong));
    }

    #[test]
    fn the_rest_of_a_long_line_is_passed_over_at_any_cut() {
        // Its flaws are its own.
        let input = b"01\x003456789\r0\n123\r\nQUIT\r\n";
        for cut in 0..18 {
            let mut framing = Framing::new();
            assert_eq!(framing.next(input, 8), Err(TooLong));
            assert_eq!(framing.skip(&input[..cut]), Skipped { len: cut, ended: false });
            assert_eq!(framing.skip(&input[cut..]), Skipped { len: 18 - cut, ended: true });
            assert_eq!(framing.next(&input[18..], 8), Ok(Some(Found { len: 6, text: 4, flaw: None })));
        }
    }

    #[test]
    fn framing_is_small() {
        assert!(size_of::<Framing>() <= 16);
    }
}
