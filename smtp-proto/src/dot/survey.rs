use memchr::memchr;

use super::scan::{self, CR, CRLF, LF, Pass};
use super::{Flaws, Piece, Surveyed};

/// What a client needs to know of a message before it sends it: SIZE, BODY, SMTPUTF8, and whether it can be sent at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Survey {
    /// What stands in the way of sending it as it is. Lines are measured as they will be once normalised.
    pub flaws: Flaws,
    /// Octets over 127 in the header: the message is internationalized (RFC 6531, 3.4).
    pub header_eight_bit: bool,
    /// Octets that are sent under [`LineEnds::Normalise`](super::LineEnds::Normalise), without doubled dots and the end of data,
    /// but with the CRLF that a last line without one gets: what SIZE declares (RFC 1870, 5). A message without flaws has
    /// this size under every policy.
    pub size: u64,
}

/// Surveys a message that lies in memory, in one scan.
#[must_use]
pub fn survey(message: &[u8]) -> Survey {
    *Surveyed::new(message).found()
}

/// Surveys a message that comes in chunks, cut anywhere; also what comes by BDAT, where nothing is looked for but flaws.
#[derive(Clone, Copy, Debug)]
pub struct Surveyor {
    found: Survey,
    /// A dot begins a line, as far as one sees who forgets the piece ahead.
    dots: bool,
    context: u32,
    column: u16,
    /// A CR came last, and isn't counted yet.
    waits: bool,
    in_header: bool,
    header_line: HeaderLine,
}

/// What the line of the header in hand has so far: a lone CR may yet be half of the CRLF that makes it an empty one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HeaderLine {
    Empty,
    Cr,
    Text,
}

impl Default for Surveyor {
    fn default() -> Self {
        Self::new()
    }
}

impl Surveyor {
    /// At the start of a message.
    #[must_use]
    pub const fn new() -> Self {
        let found = Survey { flaws: Flaws::NONE, header_eight_bit: false, size: 0 };
        Self {
            found,
            dots: false,
            context: CRLF,
            column: 0,
            waits: false,
            in_header: true,
            header_line: HeaderLine::Empty,
        }
    }

    /// What is found in all of a message, and whether a dot begins a line behind its first.
    pub(super) fn all(message: &[u8]) -> (Survey, bool) {
        let mut surveyor = Self::new();
        surveyor.octets(message);
        // The header is looked for only where it matters.
        if surveyor.found.flaws.contains(Flaws::EIGHT_BIT) {
            surveyor.header(message);
        }
        (surveyor.finish(), surveyor.dots)
    }

    /// The next octets of the message.
    pub fn add(&mut self, chunk: &[u8]) {
        if self.in_header {
            self.header(chunk);
        }
        self.octets(chunk);
    }

    /// The next octets of a message that comes by BDAT as text, to be lent with its line ends completed, whatever the cut:
    /// a CR at the end of one piece is lent as CRLF, and the LF at the start of the next then left out.
    pub fn mend(&mut self, chunk: &[u8]) -> Piece {
        let (waited, size) = (self.waits, self.found.size);
        let skip = waited && chunk.first() == Some(&LF);
        self.octets(chunk);
        // What waits isn't counted before it is known for what it is; here it is lent at once.
        let ahead = |waits: bool| if waits { 2 } else { 0 };
        let lent = self.found.size + ahead(self.waits) - size - ahead(waited);
        Piece::text(chunk.len(), lent, self.found.flaws, skip)
    }

    fn octets(&mut self, chunk: &[u8]) {
        let Some(&octet) = chunk.first() else { return };
        let mut chunk = chunk;
        if core::mem::take(&mut self.waits) {
            if octet == LF {
                chunk = &chunk[1..];
                self.found.size += 2;
                (self.context, self.column) = (CRLF, 0);
            } else {
                self.pass(&[CR]);
            }
        }
        if let Some(rest) = chunk.strip_suffix(&[CR]) {
            chunk = rest;
            self.waits = true;
        }
        self.pass(chunk);
    }

    /// What was found, once all of the message was given.
    #[must_use]
    pub fn finish(mut self) -> Survey {
        if self.waits {
            self.pass(&[CR]);
        }
        if self.context as u8 != LF {
            self.found.size += 2;
        }
        self.found
    }

    /// What was found so far.
    #[must_use]
    pub const fn flaws(&self) -> Flaws {
        self.found.flaws
    }

    fn pass(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let mut pass = Pass::new(bytes, 0, self.column, false, true);
        pass.run();
        self.found.flaws |= pass.flaws;
        self.dots |= pass.dots > 0;
        self.found.size += (bytes.len() + pass.bare) as u64;
        self.column = pass.column();
        self.context = scan::context(bytes, bytes.len(), self.context);
        if self.context as u8 == CR {
            self.context = CRLF;
        }
    }

    /// Lines up to the first empty one, ended by LF with or without CR.
    fn header(&mut self, chunk: &[u8]) {
        let mut rest = chunk;
        while !rest.is_empty() {
            let (line, ended) = match memchr(LF, rest) {
                Some(end) => (&rest[..end], true),
                None => (rest, false),
            };
            rest = &rest[(line.len() + usize::from(ended))..];
            self.header_line = match (self.header_line, line) {
                (so_far, []) => so_far,
                (HeaderLine::Empty, [CR]) => HeaderLine::Cr,
                _ => HeaderLine::Text,
            };
            self.found.header_eight_bit |= !line.is_ascii();
            if !ended {
                return;
            }
            if self.header_line != HeaderLine::Text {
                self.in_header = false;
                return;
            }
            self.header_line = HeaderLine::Empty;
        }
    }
}
