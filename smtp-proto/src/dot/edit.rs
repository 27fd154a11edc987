//! What is put in or left out between content and wire, for both directions.
//!
//! A line end is never taken out, only completed: an LF behind a CR that stands alone, a CR ahead of an LF that does. So each
//! edit is something put in ahead of an octet, or a dot left out, and the two octets ahead decide which.

use bytes::BufMut;

use super::Flaws;
use super::scan::{self, CR, CRLF, LF, STEP};

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
struct Window {
    at: usize,
    len: usize,
    mask: u32,
    /// Whether it has no CR and no LF alone.
    whole: bool,
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

    fn next(&mut self) -> Option<Window> {
        if self.at > 0 && !self.dense {
            self.at = scan::clean_until(self.bytes, self.at);
        }
        let at = self.at;
        let len = STEP.min(self.bytes.len() - at);
        if len == 0 {
            return None;
        }
        let marks = scan::marks::<false>(self.bytes, at, len, self.first);
        self.flaws |= marks.flaws;
        self.at += len;
        self.dense = marks.mask.count_ones() > FEW;
        let whole = marks.flaws.intersection(Flaws::BARE_CR.union(Flaws::BARE_LF)).is_empty();
        Some(Window { at, len, mask: marks.mask, whole })
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
    let mut windows = Windows::new(bytes, first);
    let mut from = 0;
    while let Some(Window { at, len, mut mask, whole }) = windows.next() {
        if mask.count_ones() > FEW {
            output.put_slice(&bytes[from..at]);
            // Where no line end is incomplete, mending comes to nothing. The first octet may stand behind one that is.
            let behind = scan::behind(bytes, at, first);
            let whole = whole && (behind as u8 != LF || behind == CRLF);
            match (rules.mend && !whole, rules.dots) {
                (false, Dots::Unstuff) => rewrite::<false, UNSTUFF>(bytes, at, len, first, output),
                (false, Dots::Stuff) => rewrite::<false, STUFF>(bytes, at, len, first, output),
                (true, Dots::Unstuff) => rewrite::<true, UNSTUFF>(bytes, at, len, first, output),
                (true, Dots::Stuff) => rewrite::<true, STUFF>(bytes, at, len, first, output),
                (true, Dots::Keep) => rewrite::<true, KEEP>(bytes, at, len, first, output),
                (false, Dots::Keep) => output.put_slice(&bytes[at..at + len]),
            }
            from = at + len;
            continue;
        }
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

/// [`Dots`], as a constant may be one.
const KEEP: u8 = 0;
const STUFF: u8 = 1;
const UNSTUFF: u8 = 2;

/// [`edit`] for every octet of a window, without branches: what is put in or left out is told by vectors first.
fn rewrite<const MEND: bool, const DOTS: u8>(
    bytes: &[u8],
    at: usize,
    len: usize,
    first: u32,
    output: &mut impl BufMut,
) {
    // At most three octets for one; the mask stands for a bounds check.
    const ROOM: usize = 4 * STEP;
    let mut padded = [0; STEP + 2];
    let octets = if at >= 2 && len == STEP {
        &bytes[at - 2..at + STEP]
    } else {
        padded[..2].copy_from_slice(&(scan::behind(bytes, at, first) as u16).to_be_bytes());
        padded[2..2 + len].copy_from_slice(&bytes[at..at + len]);
        &padded
    };
    let window = |from: usize| &octets[from..from + STEP];
    let (mut ends, mut fixes, mut dots) = ([0u8; STEP], [0u8; STEP], [0u8; STEP]);
    for (at, ((&before, &last), &octet)) in window(0).iter().zip(window(1)).zip(window(2)).enumerate() {
        ends[at] = if last == CR { LF } else { CR };
        fixes[at] = u8::from((last == CR) ^ (octet == LF));
        let line =
            if MEND && DOTS == STUFF { (last == CR) | (last == LF) } else { (before == CR) & (last == LF) };
        dots[at] = u8::from((DOTS != KEEP) & (octet == b'.') & line);
    }
    let mut buffer = [0; ROOM];
    let mut end = 0;
    for (at, &octet) in window(2)[..len].iter().enumerate() {
        if MEND {
            buffer[end % ROOM] = ends[at];
            end += usize::from(fixes[at]);
        }
        let dot = usize::from(dots[at]);
        if DOTS == STUFF {
            buffer[end % ROOM] = b'.';
            buffer[(end + dot) % ROOM] = octet;
            end += 1 + dot;
        } else {
            buffer[end % ROOM] = octet;
            end += 1 - dot;
        }
    }
    output.put_slice(&buffer[..end]);
}

/// The flaws of `bytes` that [`append`] would give.
pub(super) fn flaws(bytes: &[u8], first: u32) -> Flaws {
    let mut windows = Windows::new(bytes, first);
    while windows.next().is_some() {}
    windows.close(Rules { mend: false, dots: Dots::Stuff });
    windows.flaws
}

/// The same edits, lent in slices.
#[derive(Clone, Debug)]
pub(super) struct Lent<'c> {
    windows: Windows<'c>,
    rules: Rules,
    /// Lent up to here.
    from: usize,
    /// Where edits may be, counted from `at`.
    mask: u32,
    at: usize,
    /// What is lent next, ahead of `from`.
    queued: &'static [u8],
}

impl<'c> Lent<'c> {
    pub(super) const fn new(ahead: &'static [u8], bytes: &'c [u8], first: u32, rules: Rules) -> Self {
        Self { windows: Windows::new(bytes, first), rules, from: 0, mask: 0, at: 0, queued: ahead }
    }

    /// The octet at which the next edit is, what is put in ahead of it, and whether it is left out.
    fn seek(&mut self) -> Option<(usize, &'static [u8], bool)> {
        loop {
            while self.mask != 0 {
                let at = self.at + self.mask.trailing_zeros() as usize;
                self.mask &= self.mask - 1;
                let (put, leave) = edit(self.windows.bytes, at, self.windows.first, self.rules);
                if leave || !put.is_empty() {
                    return Some((at, put, leave));
                }
            }
            let window = self.windows.next()?;
            (self.at, self.mask) = (window.at, window.mask);
        }
    }
}

impl<'c> Iterator for Lent<'c> {
    type Item = &'c [u8];

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
