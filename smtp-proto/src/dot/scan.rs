//! The scan that everything in this module rests on, and the few octets of context that a cut may not lose.
//!
//! Mail is text: nearly every block has CRLFs, and nearly none has anything else of interest. So a block is first asked one
//! question that the compiler answers with vectors, and octets are looked at singly only where the answer is yes.

use memchr::{memchr, memrchr};

use super::Flaws;
use crate::wide::wide;

pub(super) const CR: u8 = b'\r';
pub(super) const LF: u8 = b'\n';

/// The octets ahead of a position, the nearest one lowest. What CRLF, a dot and an end of data are depends on no more.
pub(super) const CRLF: u32 = 0x0D0A;

/// The longest line of text without its CRLF (RFC 5321, 4.5.3.1.6).
const LINE: isize = 998;

const BLOCK: usize = 256;
/// As many as a mask has bits.
pub(super) const STEP: usize = 32;

/// What a block holds.
#[derive(Clone, Copy)]
struct Class {
    /// A CR or LF alone, or a dot behind an LF; also when its other half stands just ahead of the block.
    hit: bool,
    lf: bool,
    /// NUL, or an octet over 127.
    odd: bool,
}

/// One pass without branches over `N` octets from `at`, which is at least 1.
#[inline(always)]
fn classify<const N: usize>(bytes: &[u8], at: usize) -> Class {
    let (before, block) = (&bytes[at - 1..at - 1 + N], &bytes[at..at + N]);
    let (mut hit, mut lf, mut odd) = (0u8, 0u8, 0u8);
    for (&last, &octet) in before.iter().zip(block) {
        let line_end = u8::from(octet == LF);
        hit |= (u8::from(last == CR) ^ line_end) | (u8::from(last == LF) & u8::from(octet == b'.'));
        lf |= line_end;
        odd |= u8::from(octet.cast_signed() <= 0);
    }
    Class { hit: hit != 0, lf: lf != 0, odd: odd != 0 }
}

/// What is odd about octets.
#[inline(always)]
fn oddities(octets: &[u8]) -> Flaws {
    let (mut low, mut high) = (u8::MAX, 0u8);
    for &octet in octets {
        low = low.min(octet);
        high |= octet;
    }
    let nul = if low == 0 { Flaws::NUL } else { Flaws::NONE };
    if high >= 0x80 { nul | Flaws::EIGHT_BIT } else { nul }
}

/// The same, where dots behind line ends are expected: how many are stuffed, and whether octets must be looked at singly.
struct Dots {
    single: bool,
    stuffed: u8,
}

/// One pass over `STEP` octets from `at`, which is at least 2; one more is looked ahead.
#[inline(always)]
fn classify_dots(bytes: &[u8], at: usize) -> Dots {
    let window = |from: usize| &bytes[from..from + STEP];
    let near = window(at - 2).iter().zip(window(at - 1)).zip(window(at)).zip(window(at + 1));
    let (mut single, mut stuffed) = (0u8, 0u8);
    for (((&before, &last), &octet), &next) in near {
        let dot = u8::from(last == LF) & u8::from(octet == b'.');
        single |= (u8::from(last == CR) ^ u8::from(octet == LF)) | (dot & u8::from(next == CR));
        stuffed += dot & u8::from(before == CR);
    }
    Dots { single: single != 0, stuffed }
}

/// The octets of a window that are of interest, a bit for each, lowest first, and what is wrong in it.
pub(super) struct Marks {
    pub(super) mask: u32,
    pub(super) flaws: Flaws,
}

/// Marks the window of `len` octets, at most [`STEP`], from `at`: what [`Class::hit`] tells of, and with `LINES` every LF too.
/// A CR alone is marked at the octet behind it.
#[inline(always)]
pub(super) fn marks<const LINES: bool>(bytes: &[u8], at: usize, len: usize, first: u32) -> Marks {
    let mut marked = [0u8; STEP];
    let (mut cr, mut lf, mut nul, mut high) = (0u8, 0u8, 0u8, 0u8);
    let mut mark = |mark: &mut u8, last: u8, octet: u8| {
        let (behind_cr, line_end) = (u8::from(last == CR), u8::from(octet == LF));
        let dot = u8::from(last == LF) & u8::from(octet == b'.');
        cr |= behind_cr & !line_end;
        lf |= line_end & !behind_cr;
        nul |= u8::from(octet == 0);
        high |= octet;
        *mark = (behind_cr ^ line_end) | dot | if LINES { line_end } else { 0 };
    };
    if at > 0 && len == STEP {
        let (before, window) = (&bytes[at - 1..at - 1 + STEP], &bytes[at..at + STEP]);
        for ((m, &last), &octet) in marked.iter_mut().zip(before).zip(window) {
            mark(m, last, octet);
        }
    } else {
        let mut last = behind(bytes, at, first) as u8;
        for (m, &octet) in marked.iter_mut().zip(&bytes[at..at + len]) {
            mark(m, last, octet);
            last = octet;
        }
    }
    let mut flaws = Flaws::NONE;
    for (there, flaw) in [
        (cr != 0, Flaws::BARE_CR),
        (lf != 0, Flaws::BARE_LF),
        (nul != 0, Flaws::NUL),
        (high >= 0x80, Flaws::EIGHT_BIT),
    ] {
        if there {
            flaws |= flaw;
        }
    }
    Marks { mask: pack(&marked), flaws }
}

/// One bit for each octet, all of which are 0 or 1. The factor brings the bits of eight octets together in the highest.
#[inline(always)]
fn pack(marked: &[u8; STEP]) -> u32 {
    let mut mask = 0;
    for eight in marked.as_chunks::<8>().0.iter().rev() {
        mask = mask << 8 | (u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56) as u32;
    }
    mask
}

/// The two octets ahead of `at`, when `first` was ahead of 0.
#[inline]
pub(super) fn behind(bytes: &[u8], at: usize, first: u32) -> u32 {
    match bytes[..at] {
        [.., before, last] => u32::from(before) << 8 | u32::from(last),
        [last] => (first << 8 | u32::from(last)) & 0xFFFF,
        [] => first & 0xFFFF,
    }
}

/// The first position from `at` on (at least 1) from which octets must be looked at singly: everything ahead of it is free of
/// NUL, of CR and LF alone, and of dots that begin a line.
#[inline(always)]
pub(super) fn clean_until(bytes: &[u8], mut at: usize) -> usize {
    while clean::<BLOCK>(bytes, at) {
        at += BLOCK;
    }
    while clean::<STEP>(bytes, at) {
        at += STEP;
    }
    // The rest of a chunk is looked at together with what is ahead of it.
    let last = bytes.len().saturating_sub(STEP);
    if (1..at).contains(&last) && clean::<STEP>(bytes, last) { bytes.len() } else { at }
}

/// Whether there are `N` octets from `at`, which is at least 1, and nothing among them that [`clean_until`] stops at.
#[inline(always)]
fn clean<const N: usize>(bytes: &[u8], at: usize) -> bool {
    let Some(block) = bytes.get(at..at + N) else { return false };
    let class = classify::<N>(bytes, at);
    !class.hit && !(class.odd && oddities(block).contains(Flaws::NUL))
}

/// The context at `at`, when `first` was that at 0.
pub(super) fn context(bytes: &[u8], at: usize, first: u32) -> u32 {
    bytes[at.saturating_sub(4)..at].iter().fold(first, |context, &octet| context << 8 | u32::from(octet))
}

/// One pass over a piece of a message: its flaws, its line lengths, and, on the wire, its stuffed dots and its end.
#[derive(Debug)]
pub(super) struct Pass<'b> {
    bytes: &'b [u8],
    first: u32,
    /// Dots that begin a line are transparency's; a line of a dot is the end.
    wire: bool,
    /// A CR or LF alone ends a line.
    mend: bool,
    pub(super) flaws: Flaws,
    pub(super) stuffed: usize,
    /// CRs and LFs alone.
    pub(super) bare: usize,
    /// Where the line begins; ahead of the piece when negative. While `vague` is not 0 it only begins behind the last LF of
    /// that many octets from here: the exact place is sought when it matters.
    line: isize,
    vague: usize,
}

impl<'b> Pass<'b> {
    /// Over `bytes`, of which nothing is undecided: a CR at their end stands alone.
    pub(super) fn new(bytes: &'b [u8], first: u32, column: u16, wire: bool, mend: bool) -> Self {
        let line = -isize::from(column.cast_signed());
        Self { bytes, first, wire, mend, flaws: Flaws::NONE, stuffed: 0, bare: 0, line, vague: 0 }
    }

    /// Goes to the end of the piece, or to the end of the message: where its last line, the dot, begins.
    pub(super) fn run(&mut self) -> Option<usize> {
        wide(
            #[inline(always)]
            || self.pass(),
        )
    }

    #[inline(always)]
    fn pass(&mut self) -> Option<usize> {
        let len = self.bytes.len();
        // What stands ahead of the first two octets is not in the piece.
        let (mut at, mut until) = (0, len.min(2));
        while at < len {
            while at < until {
                let next = until.min(at + STEP);
                if !self.step(at)
                    && let Some(end) = self.singly(at, next)
                {
                    return Some(end);
                }
                at = next;
            }
            while at + BLOCK <= len {
                let class = classify::<BLOCK>(self.bytes, at);
                if class.hit {
                    break;
                }
                self.block(at, BLOCK, class);
                at += BLOCK;
            }
            until = len.min(at + BLOCK);
        }
        self.close();
        None
    }

    /// Takes `STEP` octets from `at`, or those that are left, if none of them has to be looked at singly.
    #[inline(always)]
    fn step(&mut self, at: usize) -> bool {
        let len = self.bytes.len();
        // What is left is looked at together with what is ahead of it.
        let from = at.min(len.saturating_sub(STEP));
        if from == 0 {
            return false;
        }
        let class = classify::<STEP>(self.bytes, from);
        if !class.hit {
            // The first line end among them may be one that was measured.
            let measured = from < at && class.lf && len.cast_signed() - self.line > LINE;
            if !measured {
                self.block(from, STEP, class);
            }
            return !measured;
        }
        if from < 2 || at + STEP >= len {
            return false;
        }
        let dots = classify_dots(self.bytes, at);
        if !dots.single {
            self.stuffed += usize::from(dots.stuffed);
            self.block(at, STEP, class);
        }
        !dots.single
    }

    /// The octets of the line that is open at the end, as far as they count.
    pub(super) fn column(&self) -> u16 {
        let open = self.bytes.len().cast_signed() - self.line;
        u16::try_from(open.clamp(0, LINE + 1)).unwrap_or(0)
    }

    /// Takes a block in which every CR and LF is half of a CRLF.
    #[inline(always)]
    fn block(&mut self, at: usize, len: usize, class: Class) {
        if class.odd {
            self.flaws |= oddities(&self.bytes[at..at + len]);
        }
        if !class.lf {
            return;
        }
        // Blocks are shorter than lines may be: only the line that ends first in this one can be too long.
        if (at + len).cast_signed() - self.line > LINE {
            self.settle();
            let first = memchr(LF, &self.bytes[at..at + len]).unwrap_or(0);
            self.measure((at + first).cast_signed() - 1);
        }
        self.line = at.cast_signed();
        self.vague = len;
    }

    /// Takes octets one by one where that is called for, up to the end of the message if it is there.
    fn singly(&mut self, mut from: usize, until: usize) -> Option<usize> {
        while from < until {
            self.settle();
            let len = STEP.min(until - from);
            let marks = marks::<true>(self.bytes, from, len, self.first);
            let mut mask = marks.mask;
            while mask != 0 {
                let at = from + mask.trailing_zeros() as usize;
                mask &= mask - 1;
                if self.octet(at) {
                    // What is beyond the end is not the message's.
                    self.flaws |= self::marks::<true>(self.bytes, from, at - from, self.first).flaws;
                    return Some(at);
                }
            }
            self.flaws |= marks.flaws;
            from += len;
        }
        None
    }

    /// Takes an octet that is marked. True if it is the dot that ends the message.
    fn octet(&mut self, at: usize) -> bool {
        let (octet, behind) = (self.bytes[at], behind(self.bytes, at, self.first));
        let behind_cr = behind as u8 == CR;
        if octet == LF {
            if behind_cr {
                self.end_line(at.cast_signed() - 1, at + 1);
            } else {
                self.alone(at, at + 1);
            }
        } else if behind_cr {
            self.alone(at - 1, at);
        } else if self.wire && octet == b'.' && behind == CRLF {
            if self.bytes[at + 1..].starts_with(b"\r\n") {
                return true;
            }
            self.stuffed += 1;
            self.line = at.cast_signed() + 1;
        }
        false
    }

    fn close(&mut self) {
        self.settle();
        let len = self.bytes.len();
        if self.bytes.last() == Some(&CR) {
            self.flaws |= Flaws::BARE_CR;
            self.alone(len - 1, len);
        }
        self.measure(len.cast_signed());
    }

    /// A CR or LF alone, which ends a line if it is to become a CRLF.
    fn alone(&mut self, at: usize, next: usize) {
        self.bare += 1;
        if self.mend {
            self.end_line(at.cast_signed(), next);
        }
    }

    /// The line in hand ends at `at`, and another begins at `next`.
    fn end_line(&mut self, at: isize, next: usize) {
        self.measure(at);
        self.line = next.cast_signed();
    }

    fn measure(&mut self, until: isize) {
        if until - self.line > LINE {
            self.flaws |= Flaws::LONG_LINE;
        }
    }

    fn settle(&mut self) {
        if self.vague == 0 {
            return;
        }
        let from = self.line.cast_unsigned();
        let last = memrchr(LF, &self.bytes[from..from + self.vague]).unwrap_or(0);
        let mut line = from + last + 1;
        if self.wire && self.bytes.get(line) == Some(&b'.') {
            line += 1;
        }
        self.line = line.cast_signed();
        self.vague = 0;
    }
}
