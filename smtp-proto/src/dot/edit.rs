//! What is put in or left out between content and wire, for both directions.
//!
//! A line end is never taken out, only completed: an LF behind a CR that stands alone, a CR ahead of an LF that does. So each
//! edit is something put in ahead of an octet, or a dot left out, and the two octets ahead decide which.

use bytes::BufMut;

use super::Flaws;
use super::scan::{self, CR, CRLF, LF, STEP};
use crate::wide::wide;

/// What the edits are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rules {
    /// A CR or LF alone becomes a CRLF.
    pub(super) mend: bool,
    /// What becomes of dots that begin a line.
    pub(super) dots: Dots,
}

/// What becomes of a dot that begins a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dots {
    /// It is doubled.
    Stuff,
    /// It is left out.
    Unstuff,
    /// It is content like all else, as in a chunk.
    Keep,
}

/// More edits than this in one window, and it goes through a small buffer: a call for each would cost more than the octets.
const FEW: u32 = 2;

/// A stretch of at most [`STEP`] octets, and where in it an edit may be.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    at: usize,
    len: usize,
    mask: u32,
    /// Every edit is that of a dot behind a CRLF.
    dots: bool,
}

/// Passes over the clean stretches of a chunk.
#[derive(Clone, Debug)]
struct Windows<'c> {
    bytes: &'c [u8],
    first: u32,
    at: usize,
    /// The last window was full of edits, and so will the next be.
    dense: bool,
    flaws: Flaws,
}

impl<'c> Windows<'c> {
    /// Over `bytes`, of which nothing is undecided: a CR at their end stands alone. `first` is what was ahead of them.
    const fn new(bytes: &'c [u8], first: u32) -> Self {
        Self { bytes, first, at: 0, dense: false, flaws: Flaws::NONE }
    }

    /// The next window, for who goes on from it in another call.
    #[inline(never)]
    fn seek(&mut self) -> Option<Window> {
        wide(
            #[inline(always)]
            || self.next(),
        )
    }

    #[inline(always)]
    fn next(&mut self) -> Option<Window> {
        if self.at > 0 && !self.dense {
            self.at = scan::clean_until(self.bytes, self.at);
        }
        let at = self.at;
        // What stands ahead of the first octets is not in the chunk.
        let len = if at == 0 { 2 } else { STEP }.min(self.bytes.len() - at);
        if len == 0 {
            return None;
        }
        let marks = scan::marks::<false>(self.bytes, at, len, self.first);
        self.flaws |= marks.flaws;
        self.at += len;
        self.dense = marks.mask.count_ones() > FEW;
        let behind = scan::behind(self.bytes, at, self.first);
        let whole = marks.flaws.intersection(Flaws::BARE_CR.union(Flaws::BARE_LF)).is_empty();
        Some(Window { at, len, mask: marks.mask, dots: whole && (behind as u8 != LF || behind == CRLF) })
    }

    /// What completes a CR at the end of the chunk, once all was looked at.
    fn close(&mut self, rules: Rules) -> &'static [u8] {
        if self.bytes.last() != Some(&CR) {
            return &[];
        }
        self.flaws |= Flaws::BARE_CR;
        if rules.mend { b"\n" } else { &[] }
    }
}

/// What is put in ahead of the octet at `at`, and whether that is left out.
fn edit(bytes: &[u8], at: usize, first: u32, rules: Rules) -> (&'static [u8], bool) {
    let (octet, behind) = (bytes[at], scan::behind(bytes, at, first));
    let behind_cr = behind as u8 == CR;
    if octet == b'.' && rules.dots != Dots::Keep {
        // Going out, every line end is a CRLF once mended; coming in, only a true one makes a line.
        let stuff = rules.dots == Dots::Stuff;
        return match (stuff, rules.mend) {
            (true, true) if behind_cr => (b"\n.", false),
            (true, true) if behind as u8 == LF => (b".", false),
            (false, true) if behind_cr => (b"\n", false),
            (true, _) if behind == CRLF => (b".", false),
            (false, _) if behind == CRLF => (b"", true),
            _ => (b"", false),
        };
    }
    if rules.mend && behind_cr != (octet == LF) {
        return (if behind_cr { b"\n" } else { b"\r" }, false);
    }
    (b"", false)
}

/// Appends `bytes`, edited; gives the flaws that are in them.
pub(super) fn append(bytes: &[u8], first: u32, rules: Rules, output: &mut impl BufMut) -> Flaws {
    wide(
        #[inline(always)]
        || append_by_windows(bytes, first, rules, output),
    )
}

#[inline(always)]
fn append_by_windows(bytes: &[u8], first: u32, rules: Rules, output: &mut impl BufMut) -> Flaws {
    let mut windows = Windows::new(bytes, first);
    let mut room = Room { octets: [0; Room::LEN], len: 0 };
    let mut from = 0;
    while let Some(window) = windows.next() {
        let Window { at, len, mut mask, .. } = window;
        if mask.count_ones() > FEW {
            output.put_slice(&bytes[from..at]);
            room.edit(bytes, first, rules, window);
            from = at + len;
            if !room.has_room() || from == bytes.len() {
                room.empty(output);
            }
            continue;
        }
        room.empty(output);
        while mask != 0 {
            let at = at + mask.trailing_zeros() as usize;
            mask &= mask - 1;
            let (put, leave) = edit(bytes, at, first, rules);
            if leave || !put.is_empty() {
                output.put_slice(&bytes[from..at]);
                output.put_slice(put);
                from = at + usize::from(leave);
            }
        }
    }
    output.put_slice(&bytes[from..]);
    output.put_slice(windows.close(rules));
    windows.flaws
}

/// What windows full of edits come to, on its way to the output.
struct Room {
    octets: [u8; Self::LEN],
    len: usize,
}

impl Room {
    const LEN: usize = 1024;
    /// What a window comes to at most: two octets put in ahead of each, and a stretch that is copied whole behind it.
    const WINDOW: usize = 4 * STEP;

    const fn has_room(&self) -> bool {
        self.len + Self::WINDOW <= Self::LEN
    }

    fn empty(&mut self, output: &mut impl BufMut) {
        if self.len > 0 {
            output.put_slice(&self.octets[..self.len]);
            self.len = 0;
        }
    }

    /// Each stretch between two edits is copied with as many octets behind it as a window has: one move of a fixed
    /// length, of which the next edit overwrites what is too much.
    #[inline(always)]
    fn edit(&mut self, bytes: &[u8], first: u32, rules: Rules, window: Window) {
        let Window { at, len, mut mask, dots } = window;
        let mut padded = [0; 2 * STEP];
        let octets = match bytes.get(at..at + 2 * STEP) {
            Some(octets) => octets.first_chunk().unwrap_or(&padded),
            None => {
                padded[..len].copy_from_slice(&bytes[at..at + len]);
                &padded
            }
        };
        let mut from = 0;
        // All alike, as in a message of nothing but dots: nothing has to be decided for each.
        if dots && rules.dots != Dots::Keep {
            let stuff = rules.dots == Dots::Stuff;
            while mask != 0 {
                let next = mask.trailing_zeros() as usize;
                mask &= mask - 1;
                // The dot is copied with what is ahead of it, and again with what follows it.
                self.copy(octets, from, next + usize::from(stuff));
                from = next + usize::from(!stuff);
            }
        }
        while mask != 0 {
            let next = mask.trailing_zeros() as usize;
            mask &= mask - 1;
            let (put, leave) = edit(bytes, at + next, first, rules);
            if leave || !put.is_empty() {
                self.copy(octets, from, next);
                for &octet in put {
                    self.octets[self.len] = octet;
                    self.len += 1;
                }
                from = next + usize::from(leave);
            }
        }
        self.copy(octets, from, len);
    }

    #[inline(always)]
    fn copy(&mut self, octets: &[u8; 2 * STEP], from: usize, to: usize) {
        let source = octets.get(from..from + STEP);
        if let (Some(source), Some(room)) = (source, self.octets.get_mut(self.len..self.len + STEP)) {
            room.copy_from_slice(source);
        }
        self.len += to - from;
    }
}

/// The flaws of `bytes` that [`append`] would give, and up to where there is no edit in them.
pub(super) fn survey(bytes: &[u8], first: u32) -> (Flaws, usize) {
    wide(
        #[inline(always)]
        || {
            let mut windows = Windows::new(bytes, first);
            let mut clean = None;
            while let Some(window) = windows.next() {
                if window.mask != 0 && clean.is_none() {
                    clean = Some(window.at);
                }
            }
            windows.close(Rules { mend: false, dots: Dots::Stuff });
            (windows.flaws, clean.unwrap_or(bytes.len()))
        },
    )
}

/// The same edits, lent in slices.
#[derive(Clone, Debug)]
pub(super) struct Lent<'c> {
    windows: Windows<'c>,
    rules: Rules,
    /// Lent up to here.
    from: usize,
    window: Window,
    /// What is lent next, ahead of `from`.
    queued: &'c [u8],
}

impl<'c> Lent<'c> {
    /// Up to `clean` there is known to be no edit.
    pub(super) fn new(ahead: &'c [u8], bytes: &'c [u8], first: u32, rules: Rules, clean: usize) -> Self {
        let windows = Windows { at: clean, ..Windows::new(bytes, first) };
        Self { windows, rules, from: 0, window: Window::default(), queued: ahead }
    }

    /// The octet at which the next edit is, what is put in ahead of it, and whether it is left out.
    #[inline]
    fn seek(&mut self) -> Option<(usize, &'static [u8], bool)> {
        loop {
            while self.window.mask != 0 {
                let at = self.window.at + self.window.mask.trailing_zeros() as usize;
                self.window.mask &= self.window.mask - 1;
                let (put, leave): (&[u8], _) = match self.rules.dots {
                    Dots::Stuff if self.window.dots => (b".", false),
                    Dots::Unstuff if self.window.dots => (b"", true),
                    _ => edit(self.windows.bytes, at, self.windows.first, self.rules),
                };
                if leave || !put.is_empty() {
                    return Some((at, put, leave));
                }
            }
            self.window = self.windows.seek()?;
        }
    }
}

impl<'c> Iterator for Lent<'c> {
    type Item = &'c [u8];

    #[inline]
    fn next(&mut self) -> Option<&'c [u8]> {
        loop {
            if !self.queued.is_empty() {
                return Some(core::mem::take(&mut self.queued));
            }
            let bytes = self.windows.bytes;
            if self.from == bytes.len() {
                return None;
            }
            let run = match self.seek() {
                // The dot that is put in is lent from the message, and once more with what follows it.
                Some((at, b".", _)) => {
                    let run = &bytes[self.from..=at];
                    self.from = at;
                    run
                }
                Some((at, put, leave)) => {
                    let run = &bytes[self.from..at];
                    (self.from, self.queued) = (at + usize::from(leave), put);
                    run
                }
                None => {
                    let run = &bytes[self.from..];
                    (self.from, self.queued) = (bytes.len(), self.windows.close(self.rules));
                    run
                }
            };
            if !run.is_empty() {
                return Some(run);
            }
        }
    }
}
