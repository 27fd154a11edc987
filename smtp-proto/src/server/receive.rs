//! The message: DATA's and BDAT's octets, what is wrong with them, and the draining of what is refused.

use core::time::Duration;

use bytes::{BufMut, BytesMut};

use super::answers as say;
use super::event::{Event, Kind, Refusal, Step, Taken};
use super::{Owed, Phase, Server, found};
use crate::command::Command;
use crate::dot::{Body, Flaws, LineEnds, Piece, Scan, Scanner};
use crate::error::Violation;
use crate::param::BodyType;
use crate::reply::Reply;
use crate::stage::Protocol;

type Advance<'b> = Result<Step<(Taken, Event<'b>)>, Violation>;

/// A message or a chunk that is being received.
#[derive(Clone, Copy, Debug)]
pub(super) struct Receiving {
    framing: Framing,
    verdict: Verdict,
    /// Octets of content so far.
    size: u64,
    /// Octets since the deadline was armed.
    since: u64,
}

#[derive(Clone, Copy, Debug)]
enum Framing {
    Data(Scanner),
    Chunk { left: u64, last: bool },
}

/// Who answers at the end.
#[derive(Clone, Copy, Debug)]
enum Verdict {
    /// The embedder: the octets are lent to it.
    Open,
    /// The machine, with what the refusal says.
    Refused(Refusal),
    /// The machine: the BDAT stood where none may.
    OutOfSequence,
}

impl Receiving {
    pub(super) const fn data(ends: LineEnds) -> Self {
        Self { framing: Framing::Data(Scanner::new(ends)), verdict: Verdict::Open, size: 0, since: 0 }
    }
}

impl Server {
    /// A BDAT command: what it announces is received, or drained where it may not stand.
    pub(super) fn chunk<'b>(&mut self, chunk: Chunk<'_>) -> Advance<'b> {
        let Chunk { size, last, permitted, line } = chunk;
        let received = self.state.transaction.as_ref().map_or(0, |t| t.received);
        let total = received.saturating_add(size);
        let too_big = self.capabilities.size().is_some_and(|limit| total > limit);
        let verdict = match (permitted, too_big) {
            (Err(_), _) => Verdict::OutOfSequence,
            (Ok(()), true) => Verdict::Refused(Refusal::TooBig),
            (Ok(()), false) => Verdict::Open,
        };
        if !matches!(verdict, Verdict::Open) && total > self.drain_cap() {
            return Err(self.fail(Violation::Undrainable));
        }
        if let Some(transaction) = &mut self.state.transaction {
            transaction.chunked = true;
        }
        let framing = Framing::Chunk { left: size, last };
        self.phase = Phase::Message(Receiving { framing, verdict, size: received, since: 0 });
        Ok(match verdict {
            Verdict::Open => found(line.len, Kind::Command(line.text), Event::Chunk { size, last }),
            Verdict::Refused(why) => found(line.len, Kind::Refused(why), Event::Refused(why)),
            Verdict::OutOfSequence => found(line.len, Kind::Discarded, Event::Discarded),
        })
    }

    pub(super) fn receive<'b>(
        &mut self,
        mut receiving: Receiving,
        now: Duration,
        input: &'b [u8],
        output: &mut BytesMut,
    ) -> Advance<'b> {
        if !matches!(receiving.verdict, Verdict::Open) && receiving.size > self.drain_cap() {
            return Err(self.fail(Violation::Undrainable));
        }
        match &mut receiving.framing {
            Framing::Data(scanner) => match scanner.scan(input) {
                Scan::Piece(piece) => {
                    let body = Event::Body(piece.body(&input[..piece.len]));
                    let taken = Taken { len: piece.len, kind: Kind::Piece(piece) };
                    self.lend(receiving, taken, body, piece.size, piece.flaws)
                }
                Scan::End { len } => self.message_end(receiving, len, output),
                Scan::More => Ok(self.need_block(now)),
            },
            Framing::Chunk { left: 0, last: true } => {
                // A CR as the very last octet is a bare one, and no octet behind it has shown that.
                if let (Verdict::Open, Some(why)) =
                    (receiving.verdict, self.refusal(receiving.size, self.surveyed()))
                {
                    receiving.verdict = Verdict::Refused(why);
                    self.phase = Phase::Message(receiving);
                    return Ok(found(0, Kind::Refused(why), Event::Refused(why)));
                }
                self.message_end(receiving, 0, output)
            }
            Framing::Chunk { left: 0, last: false } => self.chunk_end(receiving, output),
            Framing::Chunk { .. } if input.is_empty() => Ok(self.need_block(now)),
            Framing::Chunk { left, .. } => {
                let len = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                *left -= len as u64;
                let octets = &input[..len];
                if let Some(piece) = self.mend(octets) {
                    let taken = Taken { len, kind: Kind::Piece(piece) };
                    let body = Event::Body(piece.body(octets));
                    return self.lend(receiving, taken, body, piece.size, piece.flaws);
                }
                let flaws = self.survey(octets);
                let taken = Taken { len, kind: Kind::Raw };
                self.lend(receiving, taken, Event::Body(Body::raw(octets)), len as u64, flaws)
            }
        }
    }

    /// What is wrong with all the octets of a message in chunks.
    fn surveyed(&self) -> Flaws {
        match &self.state.transaction {
            Some(t) if t.declared.body != BodyType::BinaryMime => t.survey.finish().flaws,
            _ => Flaws::NONE,
        }
    }

    /// A piece of content goes to the embedder, unless it shows the message to be one that is refused.
    fn lend<'b>(
        &mut self,
        mut receiving: Receiving,
        taken: Taken,
        body: Event<'b>,
        size: u64,
        flaws: Flaws,
    ) -> Advance<'b> {
        receiving.size = receiving.size.saturating_add(size);
        receiving.since += taken.len as u64;
        if receiving.since >= self.config.limits.block {
            receiving.since = 0;
            self.deadline.clear();
        }
        let step = match receiving.verdict {
            Verdict::Open => match self.refusal(receiving.size, flaws) {
                None => Step::Event((taken, body)),
                Some(why) => {
                    receiving.verdict = Verdict::Refused(why);
                    found(taken.len, Kind::Refused(why), Event::Refused(why))
                }
            },
            Verdict::Refused(_) | Verdict::OutOfSequence => {
                found(taken.len, Kind::Discarded, Event::Discarded)
            }
        };
        self.phase = Phase::Message(receiving);
        Ok(step)
    }

    /// A chunk's octets with their line ends completed, where that is what to do, and where they are text.
    fn mend(&mut self, octets: &[u8]) -> Option<Piece> {
        if self.config.policy.line_ends != LineEnds::Normalise {
            return None;
        }
        let transaction = self.state.transaction.as_mut()?;
        (transaction.declared.body != BodyType::BinaryMime).then(|| transaction.survey.mend(octets))
    }

    /// What is wrong with a chunk's octets. Under BINARYMIME nothing is: bare line ends, NULs and long lines are content.
    fn survey(&mut self, octets: &[u8]) -> Flaws {
        match &mut self.state.transaction {
            Some(transaction) if transaction.declared.body != BodyType::BinaryMime => {
                transaction.survey.add(octets);
                transaction.survey.flaws()
            }
            _ => Flaws::NONE,
        }
    }

    fn refusal(&self, size: u64, flaws: Flaws) -> Option<Refusal> {
        if self.capabilities.size().is_some_and(|limit| size > limit) {
            return Some(Refusal::TooBig);
        }
        if flaws.is_empty() {
            return None;
        }
        let policy = &self.config.policy;
        let line_end = flaws.contains(Flaws::BARE_CR) || flaws.contains(Flaws::BARE_LF);
        if line_end && policy.line_ends == LineEnds::Reject {
            return Some(Refusal::LineEnds);
        }
        if flaws.contains(Flaws::NUL) && !policy.nul {
            return Some(Refusal::Nul);
        }
        if flaws.contains(Flaws::LONG_LINE) && !policy.long_lines {
            return Some(Refusal::LongLine);
        }
        let declared = self.state.transaction.as_ref().map(|t| t.declared.body);
        let undeclared = declared != Some(BodyType::EightBitMime);
        if flaws.contains(Flaws::EIGHT_BIT) && undeclared && !policy.undeclared_8bit {
            return Some(Refusal::EightBit);
        }
        None
    }

    fn chunk_end<'b>(&mut self, receiving: Receiving, output: &mut BytesMut) -> Advance<'b> {
        self.received(&receiving);
        match receiving.verdict {
            Verdict::Open => {
                self.owed = Owed::Chunk;
                Ok(found(0, Kind::ChunkEnd, Event::ChunkEnd))
            }
            Verdict::Refused(why) => {
                self.chunk_refused();
                let reply = self.refused(why, receiving.size);
                Ok(self.answered(0, &reply, output))
            }
            Verdict::OutOfSequence => self.reject_bdat(false, output),
        }
    }

    /// The end of data, or of the last chunk.
    fn message_end<'b>(&mut self, receiving: Receiving, len: usize, output: &mut BytesMut) -> Advance<'b> {
        self.received(&receiving);
        if let Verdict::OutOfSequence = receiving.verdict {
            return self.reject_bdat(true, output);
        }
        // RFC 2033, 4.2: one reply per accepted recipient, also where the message is refused as a whole.
        let replies = self.state.replies(self.config.protocol);
        let prdr = self.state.transaction.as_ref().is_some_and(|t| t.declared.prdr);
        if prdr && self.config.protocol == Protocol::Smtp {
            output.put_slice(b"353 per-recipient replies follow\r\n");
        }
        let Verdict::Refused(why) = receiving.verdict else {
            self.owed = Owed::Message { left: replies };
            return Ok(found(len, Kind::MessageEnd { replies }, Event::MessageEnd { replies }));
        };
        let reply = self.refused(why, receiving.size);
        for _ in 1..replies {
            self.write(&reply, output);
        }
        let step = self.answered(len, &reply, output);
        self.state.transaction_over();
        Ok(step)
    }

    fn received(&mut self, receiving: &Receiving) {
        self.deadline.clear();
        self.phase = Phase::Commands;
        if let Some(transaction) = &mut self.state.transaction {
            transaction.received = receiving.size;
        }
    }

    fn reject_bdat<'b>(&mut self, last: bool, output: &mut BytesMut) -> Advance<'b> {
        let bdat = Command::Bdat { size: 0, last };
        let verdict = self.state.permit(&bdat, &self.config, &self.capabilities);
        let reply = verdict.err().unwrap_or(say::CHUNK_FAILED);
        let replies = match (&self.state.transaction, self.config.protocol) {
            (Some(t), Protocol::Lmtp) if last => t.recipients.max(1),
            _ => 1,
        };
        for _ in 1..replies {
            self.write(&reply, output);
        }
        if last {
            self.state.transaction_over();
        } else {
            self.chunk_refused();
        }
        // As DATA: chunks behind refused recipients, or behind a refused chunk, were sent before that was known.
        match self.state.hello {
            Some(_) => Ok(self.answered(0, &reply, output)),
            None => self.reject(0, &reply, output),
        }
    }

    /// RFC 3030, 2: what follows a refused chunk is discarded, until LAST or RSET.
    pub(super) const fn chunk_refused(&mut self) {
        if let Some(transaction) = &mut self.state.transaction {
            transaction.failed = true;
        }
    }

    /// What a refused message is answered at its end. Which of its faults was found first hangs on how it came in; this
    /// does not.
    fn refused(&self, why: Refusal, size: u64) -> Reply<'static> {
        let too_big = self.capabilities.size().is_some_and(|limit| size > limit);
        match why {
            _ if too_big => say::TOO_BIG,
            Refusal::TooBig => say::TOO_BIG,
            _ => say::BAD_CONTENT,
        }
    }

    fn drain_cap(&self) -> u64 {
        self.capabilities.size().map_or(self.config.limits.drain, |size| size.saturating_add(size / 2))
    }

    fn need_block<T>(&mut self, now: Duration) -> Step<T> {
        Step::NeedInput(self.deadline.arm(now, self.config.timeouts.block))
    }
}

/// A BDAT command, as far as receiving its octets needs to know it.
pub(super) struct Chunk<'a> {
    pub(super) size: u64,
    pub(super) last: bool,
    pub(super) permitted: Result<(), Reply<'static>>,
    pub(super) line: &'a crate::line::Found,
}
