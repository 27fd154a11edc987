//! The scan that everything in this module rests on, and the few octets of context that a cut may not lose.
//!
//! Mail is text: nearly every block has CRLFs, and nearly none has anything else of interest. So a block is first asked one
//! question that the compiler answers with vectors, and octets are looked at singly only where the answer is yes.

use memchr::memrchr;

use super::Flaws;
use crate::wide::wide;

pub(super) const CR: u8 = b'\r';
pub(super) const LF: u8 = b'\n';

/// The octets ahead of a position, the nearest one lowest. What CRLF, a dot and an end of data are depends on no more.
pub(super) const CRLF: u32 = 0x0D0A;

/// The longest line of text without its CRLF (RFC 5321, 4.5.3.1.6).
const LINE: isize = 998;

const BLOCK: usize = 256;
/// Less than a line may be long without a block.
const NEAR: usize = 128;
/// As many as a mask has bits.
pub(super) const STEP: usize = 32;

/// What a block holds.
#[derive(Clone, Copy)]
struct Class {
    /// A CR or LF alone, or a dot behind an LF; also when its other half stands just ahead of the block.
    hit: bool,
    /// NUL, or an octet over 127.
    odd: bool,
}

/// One pass without branches over `N` octets from `at`, which is at least 1.
#[inline(always)]
fn classify<const N: usize>(bytes: &[u8], at: usize) -> Class {
    let (before, block) = (&bytes[at - 1..at - 1 + N], &bytes[at..at + N]);
    let (mut hit, mut odd) = (0u8, 0u8);
    for (&last, &octet) in before.iter().zip(block) {
        hit |=
            (u8::from(last == CR) ^ u8::from(octet == LF)) | (u8::from(last == LF) & u8::from(octet == b'.'));
    }
    // The least of four at a time, and only that is compared: the least of all would be a search within a vector.
    let (front, back) = block.split_at(N / 2);
    let ((a, b), (c, d)) = (front.split_at(N / 4), back.split_at(N / 4));
    for (((&a, &b), &c), &d) in a.iter().zip(b).zip(c).zip(d) {
        let low = a.cast_signed().min(b.cast_signed()).min(c.cast_signed().min(d.cast_signed()));
        odd |= u8::from(low <= 0);
    }
    Class { hit: hit != 0, odd: odd != 0 }
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

/// The same as [`Class`], where dots behind line ends are expected.
struct Dots {
    /// There is a CR or LF alone, or the end of the message.
    single: bool,
    stuffed: u8,
    odd: bool,
}

/// One pass over `STEP` octets from `at`, which is at least 2; one more is looked ahead.
#[inline(always)]
fn classify_dots(bytes: &[u8], at: usize) -> Dots {
    let window = |from: usize| &bytes[from..from + STEP];
    let near = window(at - 2).iter().zip(window(at - 1)).zip(window(at)).zip(window(at + 1));
    let (mut single, mut stuffed, mut odd) = (0u8, 0u8, 0u8);
    for (((&before, &last), &octet), &next) in near {
        let dot = u8::from(last == LF) & u8::from(octet == b'.');
        single |= (u8::from(last == CR) ^ u8::from(octet == LF)) | (dot & u8::from(next == CR));
        stuffed += dot & u8::from(before == CR);
        odd |= u8::from(octet.cast_signed() <= 0);
    }
    Dots { single: single != 0, stuffed, odd: odd != 0 }
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
    let (mut cr, mut lf) = (0u8, 0u8);
    let mut mark = |mark: &mut u8, last: u8, octet: u8| {
        let (behind_cr, line_end) = (u8::from(last == CR), u8::from(octet == LF));
        let dot = u8::from(last == LF) & u8::from(octet == b'.');
        cr |= behind_cr & !line_end;
        lf |= line_end & !behind_cr;
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
    let mut flaws = oddities(&bytes[at..at + len]);
    if cr != 0 {
        flaws |= Flaws::BARE_CR;
    }
    if lf != 0 {
        flaws |= Flaws::BARE_LF;
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
        at += BLOCK - skew(bytes, at);
    }
    // What is left is looked at together with what is ahead of it.
    if bytes.len() - at < BLOCK && clean::<BLOCK>(bytes, bytes.len().saturating_sub(BLOCK)) {
        return bytes.len();
    }
    while clean::<STEP>(bytes, at) {
        at += STEP;
    }
    if bytes.len() - at < STEP && clean::<STEP>(bytes, bytes.len().saturating_sub(STEP)) {
        return bytes.len();
    }
    at
}

/// How many of the first two octets, for which there is no block, need no look at what is ahead of them: both, or none.
#[inline(always)]
fn plain_start(bytes: &[u8]) -> usize {
    let start = &bytes[..bytes.len().min(2)];
    let special = |octet: &u8| matches!(*octet, 0 | CR | LF | b'.' | 0x80..);
    if start.iter().any(special) { 0 } else { start.len() }
}

/// How many octets of the first block are better looked at twice, so that those behind it stand as memory is read.
#[inline(always)]
fn skew(bytes: &[u8], at: usize) -> usize {
    if at == 2 && bytes.len() > 4 * BLOCK { bytes[at..].as_ptr().addr() % STEP } else { 0 }
}

/// Whether there are `N` octets from `at`, one ahead of them, and nothing among them that [`clean_until`] stops at.
#[inline(always)]
fn clean<const N: usize>(bytes: &[u8], at: usize) -> bool {
    let Some(block) = bytes.get(at..at + N).filter(|_| at > 0) else { return false };
    let class = classify::<N>(bytes, at);
    !(class.hit | class.odd) || (!class.hit && !oddities(block).contains(Flaws::NUL))
}

/// The context at `at`, when `first` was that at 0.
pub(super) fn context(bytes: &[u8], at: usize, first: u32) -> u32 {
    match bytes[..at].last_chunk() {
        Some(last) => u32::from_be_bytes(*last),
        None => bytes[..at].iter().fold(first, |context, &octet| context << 8 | u32::from(octet)),
    }
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
    /// Dots that begin a line, behind a CRLF.
    pub(super) dots: usize,
    /// CRs and LFs alone.
    pub(super) bare: usize,
    /// Where a line begins; ahead of the piece when negative. Others may have begun since: see [`Pass::measure`]. While
    /// `vague`, it is only so that one begins within [`NEAR`] octets from here.
    line: isize,
    vague: bool,
}

impl<'b> Pass<'b> {
    /// Over `bytes`, of which nothing is undecided: a CR at their end stands alone.
    pub(super) fn new(bytes: &'b [u8], first: u32, column: u16, wire: bool, mend: bool) -> Self {
        let line = -isize::from(column.cast_signed());
        Self { bytes, first, wire, mend, flaws: Flaws::NONE, dots: 0, bare: 0, line, vague: false }
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
        let (mut at, mut dense) = (plain_start(self.bytes), false);
        while at < len {
            // What is left is looked at together with what is ahead of it; what stands ahead of the first octet is not here.
            let from = at.min(len.saturating_sub(BLOCK));
            if from > 0 && !dense {
                let class = classify::<BLOCK>(self.bytes, from);
                // One question to most blocks; which of the two it was, to few.
                if !(class.hit | class.odd) {
                    at = self.block(from, false);
                    continue;
                }
                if !class.hit {
                    at = self.block(from, true);
                    continue;
                }
            }
            let (until, dots) = (if at == 0 { 2 } else { at + BLOCK }.min(len), self.dots);
            while at < until {
                let next = until.min(at + STEP);
                if !self.step(at)
                    && let Some(end) = self.singly(at, next)
                {
                    return Some(end);
                }
                at = next;
            }
            // In a message of dots there is no block without one.
            dense = self.dots - dots > BLOCK / STEP;
        }
        self.close();
        None
    }

    /// Takes a block of plain text, and says from where to go on.
    #[inline(always)]
    fn block(&mut self, from: usize, odd: bool) -> usize {
        self.plain(from, from + BLOCK, odd);
        from + BLOCK - skew(self.bytes, from)
    }

    /// Takes `STEP` octets from `at`, or those that are left, if none of them has to be looked at singly.
    #[inline(always)]
    fn step(&mut self, at: usize) -> bool {
        let len = self.bytes.len();
        if at >= 2 && at + STEP < len {
            let dots = classify_dots(self.bytes, at);
            if !dots.single {
                self.dots += usize::from(dots.stuffed);
                self.plain(at, at + STEP, dots.odd);
            }
            return !dots.single;
        }
        let from = at.min(len.saturating_sub(STEP));
        if from == 0 {
            return false;
        }
        let class = classify::<STEP>(self.bytes, from);
        if !class.hit {
            self.plain(from, from + STEP, class.odd);
        }
        !class.hit
    }

    /// The octets of the line that is open at the end, as far as they count.
    pub(super) fn column(&self) -> u16 {
        let len = self.bytes.len();
        let line = self.last_line(len).unwrap_or(self.line);
        u16::try_from((len.cast_signed() - line).clamp(0, LINE + 1)).unwrap_or(0)
    }

    /// Takes octets of which every CR and LF is half of a CRLF.
    #[inline(always)]
    fn plain(&mut self, from: usize, until: usize, odd: bool) {
        if odd {
            self.flaws |= oddities(&self.bytes[from..until]);
        }
        let open = until.cast_signed() - self.line;
        if open > LINE - BLOCK.cast_signed() {
            // Where a line begins near the end, that is near enough: another block of it is not too long either.
            let near = from.max(until.saturating_sub(NEAR));
            let begins = open <= LINE
                && near.cast_signed() >= self.line
                && self.bytes[near..until].iter().fold(false, |any, &octet| any | (octet == LF));
            if begins {
                (self.line, self.vague) = (near.cast_signed(), true);
            } else {
                // A CR at the end may be half of a CRLF.
                self.measure(until - usize::from(self.bytes[until - 1] == CR));
            }
        }
    }

    /// Takes octets one by one where that is called for, up to the end of the message if it is there.
    fn singly(&mut self, from: usize, until: usize) -> Option<usize> {
        let mut mask = if from == 0 {
            // Both of the first two, rather than find out.
            (1 << until) - 1
        } else {
            marks::<true>(self.bytes, from, until - from, self.first).mask
        };
        while mask != 0 {
            let at = from + mask.trailing_zeros() as usize;
            mask &= mask - 1;
            if self.octet(at) {
                // What is beyond the end is not the message's.
                self.flaws |= oddities(&self.bytes[from..at]);
                return Some(at);
            }
        }
        self.flaws |= oddities(&self.bytes[from..until]);
        None
    }

    /// Takes an octet that is marked. True if it is the dot that ends the message.
    fn octet(&mut self, at: usize) -> bool {
        let (octet, behind) = (self.bytes[at], behind(self.bytes, at, self.first));
        let behind_cr = behind as u8 == CR;
        if octet == LF {
            if behind_cr {
                // Who goes on from here by many octets at a time does not stop at the dot.
                let dot = self.wire && self.bytes.get(at + 1) == Some(&b'.');
                self.end_line(at.cast_signed() - 1, at + 1 + usize::from(dot));
            } else {
                self.alone(Flaws::BARE_LF, at, at + 1);
            }
        } else if behind_cr {
            // Where the one ahead of the piece is told of: with the piece that it ended.
            self.alone(Flaws::BARE_CR, at - 1, at);
        } else if octet == b'.' && behind == CRLF {
            if self.wire {
                if self.bytes[at + 1..].starts_with(b"\r\n") {
                    return true;
                }
                (self.line, self.vague) = (at.cast_signed() + 1, false);
            }
            self.dots += 1;
        }
        false
    }

    fn close(&mut self) {
        let len = self.bytes.len();
        if self.bytes.last() == Some(&CR) {
            self.alone(Flaws::BARE_CR, len - 1, len);
        }
        self.measure(len);
    }

    /// A CR or LF alone, which ends a line if it is to become a CRLF.
    fn alone(&mut self, flaw: Flaws, at: usize, next: usize) {
        self.flaws |= flaw;
        self.bare += 1;
        if self.mend {
            self.end_line(at.cast_signed(), next);
        }
    }

    /// The line in hand ends at `at`, and another begins at `next`.
    fn end_line(&mut self, at: isize, next: usize) {
        self.measure(at.max(0).cast_unsigned());
        (self.line, self.vague) = (next.cast_signed(), false);
    }

    /// Sees to it that no line up to `until` is too long: goes from one to the last that begins no further on than a line may be
    /// long, so that those between are not looked for.
    fn measure(&mut self, until: usize) {
        while until.cast_signed() - self.line > LINE {
            if core::mem::take(&mut self.vague) {
                self.line = self.last_line(self.line.cast_unsigned() + NEAR).unwrap_or(self.line);
                continue;
            }
            // Not beyond: an LF alone that ends the line in hand may stand where the one of a CRLF would.
            match self.last_line((self.line + LINE + 2).cast_unsigned().min(until)) {
                Some(line) => self.line = line,
                None => {
                    self.flaws |= Flaws::LONG_LINE;
                    // Told once, and the rest of it counts from here.
                    let until = until.cast_signed();
                    self.line = self.last_line(until.cast_unsigned()).unwrap_or(until);
                    return;
                }
            }
        }
    }

    /// The last line that begins behind the one in hand, and not behind `until`.
    fn last_line(&self, until: usize) -> Option<isize> {
        let from = self.line.max(0).cast_unsigned();
        let mut until = until.min(self.bytes.len());
        loop {
            let at = from + memrchr(LF, self.bytes.get(from..until)?)?;
            if self.mend || behind(self.bytes, at, self.first) as u8 == CR {
                let dot = self.wire && self.bytes.get(at + 1) == Some(&b'.');
                return Some((at + 1 + usize::from(dot)).cast_signed());
            }
            until = at;
        }
    }
}
