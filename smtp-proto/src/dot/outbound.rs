use bytes::{BufMut, BytesMut};
use memchr::memchr2;

use super::edit::{self, Dots, Lent, Rules};
use super::scan::{CR, CRLF, LF};
use super::{Flaws, LineEnds, Part};

/// Writes messages for DATA: doubles the dots that begin a line (RFC 5321, 4.5.2), sees to line ends, and ends each message.
/// Chunks may be cut anywhere; the only thing that waits is one CR at the end of a chunk.
///
/// Once a chunk was refused, so is everything up to [`Stuffer::new`], the end included: behind a 354 there is no way back,
/// and what went out already must not become a message. The connection is to be dropped.
///
/// Under [`LineEnds::Keep`] dots are doubled behind CRLF only, since the other end must undo just that.
#[derive(Clone, Copy, Debug)]
pub struct Stuffer {
    ends: LineEnds,
    /// Whether dots are doubled, as DATA wants it and BDAT doesn't.
    stuff: bool,
    state: State,
    refused: Flaws,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// At the start of the message, or behind a line end.
    Line,
    /// Within a line.
    Text,
    /// A CR was given and is not sent yet.
    Cr,
}

/// What a chunk starts from once the CR that waited is settled.
struct Start<'c> {
    ahead: &'static [u8],
    chunk: &'c [u8],
    first: u32,
    flaws: Flaws,
}

impl Stuffer {
    /// At the start of a message.
    #[must_use]
    pub const fn new(ends: LineEnds) -> Self {
        Self { ends, stuff: true, state: State::Line, refused: Flaws::NONE }
    }

    /// For the text of a message in chunks: sees to line ends, and to nothing else.
    pub(crate) const fn of_chunks(ends: LineEnds) -> Self {
        Self { stuff: false, ..Self::new(ends) }
    }

    /// Appends `chunk` as it is to be sent.
    ///
    /// # Errors
    ///
    /// What in it is not sent under this policy. Nothing of the chunk is appended then.
    pub fn append<'c>(&mut self, chunk: impl Into<Part<'c>>, output: &mut BytesMut) -> Result<(), Flaws> {
        let part = chunk.into();
        let chunk = part.octets();
        if chunk.is_empty() {
            return self.standing();
        }
        self.standing()?;
        let mark = output.len();
        let start = self.start(chunk);
        output.reserve(start.ahead.len() + start.chunk.len());
        output.put_slice(start.ahead);
        let flaws = if self.is_clean(part) {
            output.put_slice(start.chunk);
            Flaws::NONE
        } else {
            start.flaws | edit::append(start.chunk, start.first, self.rules(), output)
        };
        self.advance(chunk);
        self.refused = flaws.intersection(self.refuses());
        if !self.refused.is_empty() {
            output.truncate(mark);
        }
        self.standing()
    }

    /// The same octets lent in slices, for a vectored write: those of `chunk`, and between them what is put in. A chunk that
    /// is refused lends none: see [`Segments::refused`].
    pub fn segments<'c>(&mut self, chunk: impl Into<Part<'c>>) -> Segments<'c> {
        let part = chunk.into();
        let chunk = part.octets();
        if chunk.is_empty() || !self.refused.is_empty() {
            return Segments { lent: Form::Raw(None), refused: self.refused };
        }
        let start = self.start(chunk);
        if self.is_clean(part) {
            self.advance(chunk);
            let lent = Form::Raw(Some(start.chunk).filter(|chunk| !chunk.is_empty()));
            return Segments { lent, refused: Flaws::NONE };
        }
        let (mut clean, mut flaws) = (0, Flaws::NONE);
        if self.ends != LineEnds::Keep {
            (flaws, clean) = edit::survey(start.chunk, start.first);
            self.refused = (start.flaws | flaws).intersection(self.refuses());
        }
        self.advance(chunk);
        let (ahead, chunk) =
            if self.refused.is_empty() { (start.ahead, start.chunk) } else { (&[][..], &[][..]) };
        let lent = if self.stuff {
            Form::Stuffed(Lent::new(ahead, chunk, start.first, self.rules(), clean.min(chunk.len())))
        } else {
            // A search for each line's end takes far longer than the survey, and most chunks have nothing to mend.
            let bare = flaws.intersection(Flaws::BARE_CR.union(Flaws::BARE_LF));
            let mend = self.ends == LineEnds::Normalise && !bare.is_empty();
            Form::Mended(Mended { queued: ahead, rest: chunk, mend })
        };
        Segments { lent, refused: self.refused }
    }

    /// Ends the message: closes its last line if that is open, then `.` CRLF. The next message may follow.
    ///
    /// # Errors
    ///
    /// What was refused; a CR that is the message's last octet under [`LineEnds::Reject`].
    pub fn finish(&mut self, output: &mut BytesMut) -> Result<(), Flaws> {
        if self.state == State::Cr && self.ends == LineEnds::Reject {
            self.refused |= Flaws::BARE_CR;
        }
        self.standing()?;
        output.put_slice(match (self.state, self.ends) {
            (State::Line, _) => b".\r\n",
            (State::Cr, LineEnds::Keep) => b"\r\r\n.\r\n",
            (State::Text | State::Cr, _) => b"\r\n.\r\n",
        });
        self.state = State::Line;
        Ok(())
    }

    /// What ends the last chunk: the CR that waits.
    pub(crate) fn close(&mut self) -> Result<&'static [u8], Flaws> {
        let waits = core::mem::replace(&mut self.state, State::Line) == State::Cr;
        if waits && self.ends == LineEnds::Reject {
            self.refused |= Flaws::BARE_CR;
        }
        self.standing()?;
        Ok(match self.ends {
            _ if !waits => b"",
            LineEnds::Keep => b"\r",
            _ => b"\r\n",
        })
    }

    const fn standing(&self) -> Result<(), Flaws> {
        if self.refused.is_empty() { Ok(()) } else { Err(self.refused) }
    }

    /// Whether the part goes as it is, but for a CR at its end, and that is known without a look at all of it.
    fn is_clean(&self, part: Part<'_>) -> bool {
        let edge = match part.octets().first() {
            Some(b'.') => self.state == State::Line,
            Some(&LF) => true,
            _ => false,
        };
        !edge && self.state != State::Cr && part.is_clean(self.stuff)
    }

    fn rules(&self) -> Rules {
        Rules { mend: self.ends == LineEnds::Normalise, dots: Dots::Stuff }
    }

    const fn refuses(&self) -> Flaws {
        match self.ends {
            LineEnds::Reject => Flaws::BARE_CR.union(Flaws::BARE_LF).union(Flaws::NUL),
            LineEnds::Normalise => Flaws::NUL,
            LineEnds::Keep => Flaws::NONE,
        }
    }

    /// Settles the CR that waits, and leaves off the one that is to wait.
    fn start<'c>(&self, chunk: &'c [u8]) -> Start<'c> {
        let (waits, body) = (self.state == State::Cr, chunk.strip_suffix(&[CR]).unwrap_or(chunk));
        if !waits {
            let first = if self.state == State::Line { CRLF } else { 0 };
            return Start { ahead: &[], chunk: body, first, flaws: Flaws::NONE };
        }
        if let Some(rest) = body.strip_prefix(&[LF]) {
            return Start { ahead: b"\r\n", chunk: rest, first: CRLF, flaws: Flaws::NONE };
        }
        let (ahead, first): (&'static [u8], u32) =
            if self.ends == LineEnds::Normalise { (b"\r\n", CRLF) } else { (b"\r", 0) };
        Start { ahead, chunk: body, first, flaws: Flaws::BARE_CR }
    }

    fn advance(&mut self, chunk: &[u8]) {
        self.state = match chunk {
            [] => self.state,
            [.., CR] => State::Cr,
            [.., CR, LF] => State::Line,
            [LF] if self.state == State::Cr => State::Line,
            [.., LF] if self.ends == LineEnds::Normalise => State::Line,
            _ => State::Text,
        };
    }
}

/// A chunk as it is to be sent, in slices. From [`Stuffer::segments`].
#[derive(Clone, Debug)]
pub struct Segments<'c> {
    lent: Form<'c>,
    refused: Flaws,
}

#[derive(Clone, Debug)]
enum Form<'c> {
    Stuffed(Lent<'c>),
    Mended(Mended<'c>),
    Raw(Option<&'c [u8]>),
}

impl<'c> Segments<'c> {
    /// A chunk of BDAT, which is lent as it is.
    pub(crate) fn raw(chunk: &'c [u8]) -> Self {
        Self { lent: Form::Raw(Some(chunk)), refused: Flaws::NONE }
    }

    /// What the chunk, or one ahead of it, was refused for: then nothing is lent, and the message cannot be ended.
    #[must_use]
    pub const fn refused(&self) -> Flaws {
        self.refused
    }
}

/// Text between whose slices a bare CR or LF became a CRLF.
#[derive(Clone, Debug)]
struct Mended<'c> {
    queued: &'static [u8],
    rest: &'c [u8],
    mend: bool,
}

impl<'c> Iterator for Mended<'c> {
    type Item = &'c [u8];

    fn next(&mut self) -> Option<&'c [u8]> {
        let queued = core::mem::take(&mut self.queued);
        if !queued.is_empty() {
            return Some(queued);
        }
        let mut from = 0;
        while self.mend
            && let Some(n) = memchr2(CR, LF, &self.rest[from..])
        {
            let at = from + n;
            if self.rest[at..].starts_with(b"\r\n") {
                from = at + 2;
                continue;
            }
            let text = &self.rest[..at];
            (self.rest, self.queued) = (&self.rest[at + 1..], b"\r\n");
            return if text.is_empty() { self.next() } else { Some(text) };
        }
        let rest = core::mem::take(&mut self.rest);
        Some(rest).filter(|rest| !rest.is_empty())
    }
}

impl<'c> Iterator for Segments<'c> {
    type Item = &'c [u8];

    fn next(&mut self) -> Option<&'c [u8]> {
        match &mut self.lent {
            Form::Stuffed(lent) => lent.next(),
            Form::Mended(mended) => mended.next(),
            Form::Raw(chunk) => chunk.take(),
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::dot::Surveyed;

    /// Text in chunks, of which is known what is in it or not, comes to the same octets: all of up to five that matter, at all cuts.
    #[test]
    fn what_is_known_of_text_in_chunks_changes_nothing() {
        const ALPHABET: [u8; 5] = [CR, LF, b'.', b'a', 0];
        let sent = |parts: [Part<'_>; 2], ends| {
            let mut lines = Stuffer::of_chunks(ends);
            let wire = parts.map(|part| {
                let segments = lines.segments(part);
                (segments.refused(), segments.collect::<Vec<_>>().concat())
            });
            (wire, lines.close())
        };
        for number in 0..5usize.pow(5) {
            for len in 0..=5 {
                let message: Vec<u8> =
                    (0..len).map(|place| ALPHABET[number / 5usize.pow(place) % 5]).collect();
                let known = Surveyed::new(&message).part();
                for cut in 0..=message.len() {
                    let (first, rest) = known.split_at(cut);
                    let unknown = [first.octets().into(), rest.octets().into()];
                    for ends in [LineEnds::Reject, LineEnds::Normalise, LineEnds::Keep] {
                        assert_eq!(
                            sent([first, rest], ends),
                            sent(unknown, ends),
                            "{ends:?} {} cut at {cut}",
                            message.escape_ascii()
                        );
                    }
                }
            }
        }
    }
}
