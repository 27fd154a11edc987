//! What is put in or left out between content and wire, for both directions.

use bytes::BufMut;

use super::Flaws;
use super::scan::{self, CR, CRLF, LF};

/// What the edits are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rules {
    /// A CR or LF alone becomes a CRLF.
    pub(super) mend: bool,
    /// Dots that begin a line are doubled; else one is left out.
    pub(super) stuff: bool,
}

/// What happens ahead of an octet. A line end is never taken out, only completed: that is all that mending needs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Edit {
    None,
    Cr,
    Lf,
    Dot,
    LfDot,
}

/// Where one is in the lines.
#[derive(Clone, Copy, Debug)]
struct Position {
    context: u32,
    rules: Rules,
    flaws: Flaws,
}

impl Position {
    /// Going out, a line begins where one begins in what is sent; coming in, only behind a true CRLF.
    #[inline(always)]
    fn step(&mut self, octet: u8) -> Edit {
        let last = self.context as u8;
        let mut edit = Edit::None;
        if (last == CR) != (octet == LF) {
            self.flaws |= if last == CR { Flaws::BARE_CR } else { Flaws::BARE_LF };
            if self.rules.mend {
                edit = if last == CR { Edit::Lf } else { Edit::Cr };
                if self.rules.stuff {
                    self.context = if last == CR { CRLF } else { u32::from(CR) };
                }
            }
        }
        if octet == b'.' && self.context & 0xFFFF == CRLF {
            edit = if edit == Edit::Lf { Edit::LfDot } else { Edit::Dot };
        }
        if octet == 0 {
            self.flaws |= Flaws::NUL;
        }
        self.context = self.context << 8 | u32::from(octet);
        edit
    }

    /// At the end of what is decided: a CR there stands alone.
    fn close(&mut self) -> &'static [u8] {
        if self.context as u8 != CR {
            return &[];
        }
        self.flaws |= Flaws::BARE_CR;
        if self.rules.mend { b"\n" } else { &[] }
    }
}

/// How many octets are taken singly before the next look at a whole block.
const STRETCH: usize = 32;

/// Appends `bytes`, edited; gives the flaws that are in them. Clean stretches are copied whole, others by way of a small
/// buffer, so that a message of nothing but dots costs no call per line.
pub(super) fn append(bytes: &[u8], first: u32, rules: Rules, output: &mut impl BufMut) -> Flaws {
    let mut position = Position { context: first, rules, flaws: Flaws::NONE };
    let mut at = 0;
    while at < bytes.len() {
        if at > 0 {
            let clean = scan::clean_until(bytes, at);
            if clean > at {
                output.put_slice(&bytes[at..clean]);
                at = clean;
                position.context = scan::context(bytes, at, first);
            }
        }
        let until = bytes.len().min(at + STRETCH);
        // At most three octets for one, and a mask in place of a bounds check.
        let mut buffer = [0; 128];
        let mut len = 0usize;
        let mut put = |octet: u8| {
            buffer[len & 127] = octet;
            len += 1;
        };
        for &octet in &bytes[at..until] {
            match position.step(octet) {
                Edit::None => {}
                Edit::Cr => put(CR),
                Edit::Lf => put(LF),
                Edit::Dot if rules.stuff => put(b'.'),
                Edit::Dot => continue,
                Edit::LfDot => {
                    put(LF);
                    put(b'.');
                }
            }
            put(octet);
        }
        output.put_slice(&buffer[..len]);
        at = until;
    }
    output.put_slice(position.close());
    position.flaws
}

/// The flaws of `bytes` that [`append`] would give.
pub(super) fn flaws(bytes: &[u8], first: u32) -> Flaws {
    let mut lent = Lent::new(&[], bytes, first, Rules { mend: false, stuff: true });
    while lent.seek().is_some() {}
    lent.position.close();
    lent.position.flaws
}

/// The same edits, lent in slices.
#[derive(Clone, Debug)]
pub(super) struct Lent<'c> {
    bytes: &'c [u8],
    first: u32,
    /// Lent up to here,
    from: usize,
    /// looked at up to here,
    at: usize,
    /// and to be looked at singly up to here.
    until: usize,
    position: Position,
    /// What is lent next, ahead of `from`.
    queued: &'static [u8],
}

impl<'c> Lent<'c> {
    pub(super) fn new(ahead: &'static [u8], bytes: &'c [u8], first: u32, rules: Rules) -> Self {
        let position = Position { context: first, rules, flaws: Flaws::NONE };
        Self { bytes, first, from: 0, at: 0, until: bytes.len().min(1), position, queued: ahead }
    }

    /// The next edit, and the octet ahead of which it happens.
    fn seek(&mut self) -> Option<(usize, Edit)> {
        while self.at < self.bytes.len() {
            if self.at >= self.until {
                let clean = scan::clean_until(self.bytes, self.at);
                if clean > self.at {
                    self.at = clean;
                    self.position.context = scan::context(self.bytes, clean, self.first);
                }
                self.until = self.bytes.len().min(clean + STRETCH);
            }
            for at in self.at..self.until {
                let edit = self.position.step(self.bytes[at]);
                if edit != Edit::None {
                    self.at = at + 1;
                    return Some((at, edit));
                }
            }
            self.at = self.until;
        }
        None
    }
}

impl<'c> Iterator for Lent<'c> {
    type Item = &'c [u8];

    fn next(&mut self) -> Option<&'c [u8]> {
        loop {
            if !self.queued.is_empty() {
                return Some(core::mem::take(&mut self.queued));
            }
            if self.from == self.bytes.len() {
                return None;
            }
            let from = self.from;
            let run = match self.seek() {
                None => {
                    self.from = self.bytes.len();
                    self.queued = self.position.close();
                    &self.bytes[from..]
                }
                Some((at, edit)) => {
                    self.from = at;
                    self.queued = match edit {
                        Edit::Dot if !self.position.rules.stuff => {
                            self.from = at + 1;
                            &[]
                        }
                        Edit::None => &[],
                        Edit::Dot => b".",
                        Edit::Cr => b"\r",
                        Edit::Lf => b"\n",
                        Edit::LfDot => b"\n.",
                    };
                    &self.bytes[from..at]
                }
            };
            if !run.is_empty() {
                return Some(run);
            }
        }
    }
}
