use bytes::BufMut;

use super::edit::{self, Dots, Lent, Rules};
use super::scan::{self, CR, CRLF, LF, Pass};
use super::{Flaws, LineEnds};

/// Finds pieces of a message, and its end, at the start of a growing input. It keeps no octet.
///
/// Only CRLF `.` CRLF ends a message, at its very start `.` CRLF, and only behind a true CRLF is a dot transparency's
/// (RFC 5321, 4.1.1.4 and 4.5.2), whatever the policy and wherever the input is cut.
///
/// # Complexity
///
/// Each octet is looked at a fixed number of times: two at most wait in the input for their successors.
#[derive(Clone, Copy, Debug)]
pub struct Scanner {
    ends: LineEnds,
    line_start: bool,
    /// Octets of the line in hand, as far as they count.
    column: u16,
}

/// What stands at the start of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Scan {
    /// Content. Consume its [`len`](Piece::len) octets ahead of the next scan.
    Piece(Piece),
    /// The end of the message.
    End {
        /// The octets of `.` CRLF, to be consumed.
        len: usize,
    },
    /// Nothing can be told from what is there: at most two octets.
    More,
}

/// Where a piece of a message lies on the wire, and what was seen in it. [`Piece::body`] lends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Piece {
    /// Octets of the wire, to be consumed.
    pub len: usize,
    /// Octets of content: what SIZE counts (RFC 1870, 3).
    pub size: u64,
    /// What is wrong with it.
    pub flaws: Flaws,
    line_start: bool,
    plain: bool,
    mend: bool,
    dots: Dots,
    /// The LF at its start ends no line: the CR ahead of it was taken for a line end.
    skip: bool,
}

impl Scanner {
    /// At the start of a message, which is the octet behind the CRLF of DATA.
    #[must_use]
    pub const fn new(ends: LineEnds) -> Self {
        Self { ends, line_start: true, column: 0 }
    }

    /// Looks at `input`, which begins with the first octet not consumed yet. What it tells of is to be consumed.
    pub fn scan(&mut self, input: &[u8]) -> Scan {
        if input.is_empty() {
            return Scan::More;
        }
        let first = if self.line_start { CRLF } else { 0 };
        let held = undecided(input, first);
        let wire = &input[..input.len() - held];
        let mend = self.ends == LineEnds::Normalise;
        let mut pass = Pass::new(wire, first, self.column, true, mend);
        let end = pass.run();
        if end == Some(0) {
            return Scan::End { len: 3 };
        }
        let len = end.unwrap_or(wire.len());
        if len == 0 {
            return Scan::More;
        }
        let mended = if mend { pass.bare } else { 0 };
        let piece = Piece {
            len,
            size: (len - pass.dots + mended) as u64,
            flaws: pass.flaws,
            line_start: self.line_start,
            plain: pass.dots == 0 && mended == 0,
            mend,
            dots: Dots::Unstuff,
            skip: false,
        };
        self.line_start = scan::context(wire, len, first) & 0xFFFF == CRLF;
        self.column = if self.line_start { 0 } else { pass.column() };
        Scan::Piece(piece)
    }
}

/// How many octets at the end of `input` mean one thing or another by what follows: CR, or a dot that begins a line, or both.
fn undecided(input: &[u8], first: u32) -> usize {
    let context = scan::context(input, input.len(), first);
    match context.to_be_bytes() {
        [CR, LF, b'.', CR] => 2,
        [.., CR] | [_, CR, LF, b'.'] => 1,
        _ => 0,
    }
}

impl Piece {
    /// A piece of text that was not stuffed, cut anywhere, of which the line ends are to be completed: those that are
    /// not make it `size` octets long.
    pub(super) const fn text(wire: usize, size: u64, flaws: Flaws, skip: bool) -> Self {
        let plain = size == wire as u64 && !skip;
        Self { len: wire, size, flaws, line_start: false, plain, mend: true, dots: Dots::Keep, skip }
    }

    /// The piece as it stands in `wire`, the input that was scanned.
    ///
    /// # Panics
    ///
    /// If `wire` is shorter than the piece.
    #[must_use]
    pub fn body(self, wire: &[u8]) -> Body<'_> {
        let wire = &wire[usize::from(self.skip)..self.len];
        let first = if self.line_start { CRLF } else { 0 };
        let rules = Rules { mend: self.mend, dots: self.dots };
        Body { wire, first, rules, plain: self.plain, size: self.size as usize }
    }
}

/// A view of a piece of a message as it stands on the wire; decoded when asked for.
#[derive(Clone, Copy, Debug)]
pub struct Body<'b> {
    wire: &'b [u8],
    first: u32,
    rules: Rules,
    plain: bool,
    size: usize,
}

impl<'b> Body<'b> {
    /// What needs no decoding, as in BDAT.
    #[must_use]
    pub const fn raw(chunk: &'b [u8]) -> Self {
        let rules = Rules { mend: false, dots: Dots::Keep };
        Self { wire: chunk, first: 0, rules, plain: true, size: chunk.len() }
    }

    /// Octets of content.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.size
    }

    /// Whether there is no content.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.size == 0
    }

    /// The content, when nothing is to be taken out or put in.
    #[must_use]
    pub const fn as_slice(&self) -> Option<&'b [u8]> {
        if self.plain { Some(self.wire) } else { None }
    }

    /// The content in slices, cut where a dot is left out or a line end completed.
    pub fn slices(&self) -> impl Iterator<Item = &'b [u8]> + use<'b> {
        let (plain, coded) = if self.plain { (self.wire, &[][..]) } else { (&[][..], self.wire) };
        Lent::new(plain, coded, self.first, self.rules, 0)
    }

    /// Appends the content. Many small cuts cost less so than by [`Body::slices`].
    pub fn append_to(&self, output: &mut impl BufMut) {
        if self.plain {
            output.put_slice(self.wire);
        } else {
            edit::append(self.wire, self.first, self.rules, output);
        }
    }
}
