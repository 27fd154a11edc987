//! The scan that everything in this module rests on, and the few octets of context that a cut may not lose.
//!
//! Mail is text: nearly every block has CRLFs, and nearly none has anything else of interest. So a block is first asked one
//! question that the compiler answers with vectors, and octets are looked at singly only where the answer is yes.

use memchr::{memchr, memrchr};

use super::Flaws;

pub(super) const CR: u8 = b'\r';
pub(super) const LF: u8 = b'\n';

/// The octets ahead of a position, the nearest one lowest. What CRLF, a dot and an end of data are depends on no more.
pub(super) const CRLF: u32 = 0x0D0A;

/// The longest line of text without its CRLF (RFC 5321, 4.5.3.1.6).
const LINE: isize = 998;

const BLOCK: usize = 256;
const STEP: usize = 32;

/// What a block holds.
#[derive(Clone, Copy)]
struct Class {
    /// A CR or LF alone, or a dot behind an LF; also when its other half stands just ahead of the block.
    hit: bool,
    lf: bool,
    nul: bool,
    high: bool,
}

/// One pass without branches over `N` octets from `at`, which is at least 1.
#[inline]
fn classify<const N: usize>(bytes: &[u8], at: usize) -> Class {
    let (before, block) = (&bytes[at - 1..at - 1 + N], &bytes[at..at + N]);
    let (mut hit, mut lf, mut nul, mut high) = (0u8, 0u8, 0u8, 0u8);
    for (&last, &octet) in before.iter().zip(block) {
        let line_end = u8::from(octet == LF);
        hit |= (u8::from(last == CR) ^ line_end) | (u8::from(last == LF) & u8::from(octet == b'.'));
        lf |= line_end;
        nul |= u8::from(octet == 0);
        high |= octet;
    }
    Class { hit: hit != 0, lf: lf != 0, nul: nul != 0, high: high >= 0x80 }
}

/// The same, where dots behind line ends are expected: how many are stuffed, and whether octets must be looked at singly.
struct Dots {
    single: bool,
    stuffed: u8,
    class: Class,
}

/// One pass over `STEP` octets from `at`, which is at least 2; one more is looked ahead.
#[inline]
fn classify_dots(bytes: &[u8], at: usize) -> Dots {
    let window = |from: usize| &bytes[from..from + STEP];
    let near = window(at - 2).iter().zip(window(at - 1)).zip(window(at)).zip(window(at + 1));
    let (mut single, mut stuffed, mut lf, mut nul, mut high) = (0u8, 0u8, 0u8, 0u8, 0u8);
    for (((&before, &last), &octet), &next) in near {
        let line_end = u8::from(octet == LF);
        let dot = u8::from(last == LF) & u8::from(octet == b'.');
        single |= (u8::from(last == CR) ^ line_end) | (dot & u8::from(next == CR));
        stuffed += dot & u8::from(before == CR);
        lf |= line_end;
        nul |= u8::from(octet == 0);
        high |= octet;
    }
    let class = Class { hit: true, lf: lf != 0, nul: nul != 0, high: high >= 0x80 };
    Dots { single: single != 0, stuffed, class }
}

/// The first position from `at` on (at least 1) from which octets must be looked at singly: everything ahead of it is free of
/// NUL, of CR and LF alone, and of dots that begin a line.
pub(super) fn clean_until(bytes: &[u8], mut at: usize) -> usize {
    let clean = |class: Class| !class.hit && !class.nul;
    while at + STEP <= bytes.len() && clean(classify::<STEP>(bytes, at)) {
        at += STEP;
        while at + BLOCK <= bytes.len() && clean(classify::<BLOCK>(bytes, at)) {
            at += BLOCK;
        }
    }
    at
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
        let len = self.bytes.len();
        let mut at = len.min(2);
        if let Some(end) = self.singly(0, at) {
            return Some(end);
        }
        while at < len {
            let mut until = len;
            if at + BLOCK <= len {
                let class = classify::<BLOCK>(self.bytes, at);
                if !class.hit {
                    self.block(at, BLOCK, class);
                    at += BLOCK;
                    continue;
                }
                until = at + BLOCK;
            }
            while at + STEP <= until && at + STEP < len {
                let dots = classify_dots(self.bytes, at);
                if dots.single {
                    if let Some(end) = self.singly(at, at + STEP) {
                        return Some(end);
                    }
                } else {
                    self.stuffed += usize::from(dots.stuffed);
                    self.block(at, STEP, dots.class);
                }
                at += STEP;
            }
            if let Some(end) = self.singly(at, until) {
                return Some(end);
            }
            at = until;
        }
        self.close();
        None
    }

    /// The octets of the line that is open at the end, as far as they count.
    pub(super) fn column(&self) -> u16 {
        let open = self.bytes.len().cast_signed() - self.line;
        u16::try_from(open.clamp(0, LINE + 1)).unwrap_or(0)
    }

    /// Takes a block in which every CR and LF is half of a CRLF.
    fn block(&mut self, at: usize, len: usize, class: Class) {
        self.octets(class.nul, class.high);
        if !class.lf {
            return;
        }
        // Blocks are shorter than lines may be: only the line that ends first in this one can be too long.
        if (at + len).cast_signed() - self.line > LINE {
            self.settle();
            let first = memchr(LF, &self.bytes[at..at + len]).unwrap_or(0);
            self.end_line((at + first).cast_signed() - 1);
        }
        self.line = at.cast_signed();
        self.vague = len;
    }

    /// Takes octets one by one, up to the end of the message if it is there.
    fn singly(&mut self, from: usize, until: usize) -> Option<usize> {
        if from == until {
            return None;
        }
        self.settle();
        let mut context = context(self.bytes, from, self.first);
        let (mut low, mut high, mut end) = (u8::MAX, 0, None);
        for (at, &octet) in (from..until).zip(&self.bytes[from..until]) {
            let behind_cr = context as u8 == CR;
            if octet == LF {
                if behind_cr {
                    self.end_line(at.cast_signed() - 1);
                    self.line = at.cast_signed() + 1;
                } else {
                    self.alone(Flaws::BARE_LF, at, at + 1);
                }
            } else if behind_cr {
                self.alone(Flaws::BARE_CR, at - 1, at);
            }
            if octet == b'.' && self.wire && context & 0xFFFF == CRLF {
                if self.bytes[at + 1..].starts_with(b"\r\n") {
                    end = Some(at);
                    break;
                }
                self.stuffed += 1;
                self.line = at.cast_signed() + 1;
            }
            low = low.min(octet);
            high |= octet;
            context = context << 8 | u32::from(octet);
        }
        self.octets(low == 0, high >= 0x80);
        end
    }

    fn close(&mut self) {
        self.settle();
        let len = self.bytes.len();
        if self.bytes.last() == Some(&CR) {
            self.alone(Flaws::BARE_CR, len - 1, len);
        }
        self.end_line(len.cast_signed());
    }

    fn alone(&mut self, flaw: Flaws, at: usize, next: usize) {
        self.flaws |= flaw;
        self.bare += 1;
        if self.mend {
            self.end_line(at.cast_signed());
            self.line = next.cast_signed();
        }
    }

    fn octets(&mut self, nul: bool, high: bool) {
        if nul {
            self.flaws |= Flaws::NUL;
        }
        if high {
            self.flaws |= Flaws::EIGHT_BIT;
        }
    }

    /// The line in hand has no octet of text from `at` on.
    fn end_line(&mut self, at: isize) {
        if at - self.line > LINE {
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
