use alloc::boxed::Box;
use core::time::Duration;

use bytes::BytesMut;

use super::report::Fate;
use super::{Content, Envelope, NotSent, Report, Unsendable, Want};
use crate::client::{Answer, Client, Step};
use crate::dot::Stuffer;
use crate::error::{NotNow, Violation};
use crate::extension::Extension;
use crate::param::{BodyType, Params};
use crate::stage::{Protocol, Stage};

mod body;

/// How the message's octets go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Transfer {
    /// DATA, unless the message is BINARYMIME. With PIPELINING it stands in the envelope's flight.
    #[default]
    Data,
    /// BDAT, where CHUNKING is offered: the first chunk waits for the replies to RCPT.
    Chunks,
    /// BDAT, and the first chunk goes with the envelope, before it is known whether anybody will have it (RFC 3030,
    /// 4.2 lets it). For small messages.
    ChunksInFlight,
}

/// One message on its way: the envelope, the message, and what became of it.
///
/// Poll it until [`Want::Done`]. At [`Want::Body`] give it a piece by [`body`](Self::body), or lend it by
/// [`segments`](Self::segments). If the connection fails, [`lost`](Self::lost) settles what is open.
///
/// [`begin`](Self::begin) may be called while the message ahead awaits its last reply: the envelope then rides in the
/// same write as that message's end (RFC 2920, 3.1).
///
/// A server may limit what it takes (RFC 9422). More recipients than RCPTMAX go in several transactions, one behind the
/// other: at [`Want::Again`] the message is needed once more. What the session has no room for is not sent.
#[derive(Debug)]
pub struct Delivery<'m> {
    envelope: &'m Envelope<'m>,
    /// The envelope as the server can read it, where that is another.
    legible: Option<Box<Envelope<'m>>>,
    params: Params<'static>,
    transfer: Transfer,
    /// Sees to the line ends of what goes in chunks; BINARYMIME has none.
    lines: Option<Stuffer>,
    /// Nobody knows what the message is, and the server takes 7-bit only.
    seven_bit: bool,
    next: Next,
    /// Recipients before this one are this transaction's, or an earlier one's.
    until: usize,
    /// Recipients of this transaction.
    asked: usize,
    /// Those whose RCPT was answered.
    answered: usize,
    /// The next one whose RCPT is to be answered.
    at: usize,
    accepted: usize,
    /// The reply that refused MAIL, which is everybody's.
    mail_refused: Option<Fate>,
    /// RCPT was accepted though MAIL was refused: the server is out of step.
    strays: bool,
    /// The end of the message was given out, in this transaction.
    ended: bool,
    unsendable: Option<Unsendable>,
    report: Report,
}

/// What is to be sent next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// To see whom the session has room for.
    Plan,
    /// The message from its start.
    Again,
    Mail,
    Rcpt(usize),
    /// DATA, or the decision that it is not worth it.
    Data,
    /// DATA's reply.
    Go,
    Body,
    /// Nothing: the end of the message, or all that was sent, is yet to be answered.
    Replies,
    /// The transaction is over.
    Over,
    Nothing,
}

impl<'m> Delivery<'m> {
    /// A delivery over a connection that is open. Nothing is sent yet.
    ///
    /// What this server cannot take is settled at once: [`poll`](Self::poll) then says [`Want::Done`].
    #[must_use]
    pub fn new(envelope: &'m Envelope<'m>, content: &Content, transfer: Transfer, client: &Client) -> Self {
        let capabilities = client.capabilities();
        let legible = envelope.legible(content, client).map(Box::new);
        let binary = content.body == Some(BodyType::BinaryMime);
        let transfer = match transfer {
            Transfer::Data if binary => Transfer::Chunks,
            _ if !capabilities.has(Extension::Chunking) => Transfer::Data,
            transfer => transfer,
        };
        let negotiated = legible.as_deref().unwrap_or(envelope).negotiate(content, client);
        let mut delivery = Self {
            envelope,
            legible,
            params: Params::default(),
            transfer,
            lines: (!binary).then(|| Stuffer::of_chunks(client.config().line_ends)),
            seven_bit: content.body.is_none() && !capabilities.has(Extension::EightBitMime),
            next: Next::Plan,
            until: 0,
            asked: 0,
            answered: 0,
            at: 0,
            accepted: 0,
            mail_refused: None,
            strays: false,
            ended: false,
            unsendable: None,
            report: Report::new(envelope.to.len()),
        };
        match negotiated {
            Ok(params) => delivery.params = params,
            Err(why) => delivery.give_up(why),
        }
        delivery
    }

    fn give_up(&mut self, why: Unsendable) {
        self.unsendable = Some(why);
        self.report.settle(Fate::NotSent(NotSent::Unsendable(why)));
        self.next = Next::Nothing;
    }

    /// Why this server cannot take the message as it is, if that is so. Nothing was sent then, nor will be.
    #[must_use]
    pub const fn unsendable(&self) -> Option<Unsendable> {
        self.unsendable
    }

    /// What became of the message so far.
    pub const fn report(&self) -> &Report {
        &self.report
    }

    /// What became of the message. Whoever awaits the reply to its end does so in vain: it is not known.
    pub fn into_report(mut self) -> Report {
        if self.ended {
            self.report.settle_before(self.until, Fate::Unknown);
        }
        self.report
    }

    /// Whether the end of the message was given out, for the last time: only replies are missing.
    #[must_use]
    pub const fn is_ended(&self) -> bool {
        self.ended && self.until == self.envelope.to.len()
    }

    fn said(&self) -> &Envelope<'m> {
        self.legible.as_deref().unwrap_or(self.envelope)
    }

    /// Chooses the next recipients that the server takes together and the session has room for.
    fn plan(&mut self, client: &mut Client) {
        let max = client.capabilities().limits().rcpt_max.map_or(usize::MAX, |max| max as usize);
        self.at = self.until;
        self.asked = 0;
        if client.mails_left() == Some(0) {
            return self.finish(Fate::NotSent(NotSent::MailMax));
        }
        while self.asked < max
            && let Some(to) = self.envelope.to.get(self.until)
        {
            match client.reserve_domain(&to.path) {
                true => self.asked += 1,
                false => self.report.set(self.until, Fate::NotSent(NotSent::RcptDomainMax)),
            }
            self.until += 1;
        }
        if self.asked == 0 {
            self.next = Next::Nothing;
        }
    }

    /// The message is there once more, from its start, or it is not: what is left to be sent is then settled.
    pub fn again(&mut self, there: bool) {
        if self.next != Next::Again {
            return;
        }
        if !there {
            return self.finish(Fate::NotSent(NotSent::ReadOnce));
        }
        self.next = Next::Mail;
    }

    /// Another transaction, if there is anybody left to send to.
    fn go_on(&mut self, client: &mut Client) {
        if self.until == self.envelope.to.len() {
            self.next = Next::Nothing;
            return;
        }
        if client.is_closed() {
            return self.lost(Stage::Mail);
        }
        self.next = Next::Again;
        self.lines = self.lines.map(|_| Stuffer::of_chunks(client.config().line_ends));
        (self.answered, self.accepted) = (0, 0);
        (self.strays, self.ended) = (false, false);
        self.plan(client);
    }

    /// Appends as much of the envelope as may be sent now. [`poll`](Self::poll) does so too; by itself this is for an
    /// envelope that follows the end of the message ahead, before that one is answered.
    ///
    /// # Errors
    ///
    /// [`NotNow`] if the connection is closed.
    pub fn begin(&mut self, client: &mut Client, output: &mut BytesMut) -> Result<(), NotNow> {
        while client.can_send() {
            match self.next {
                Next::Plan => {
                    self.next = Next::Mail;
                    self.plan(client);
                }
                Next::Mail if client.needs_reset() => client.rset(output)?,
                Next::Mail => match client.mail(&self.said().from, &self.params, output) {
                    Ok(()) => self.next = Next::Rcpt(self.at),
                    Err(NotNow::AwaitingReply) => return Ok(()),
                    Err(why) => return Err(why),
                },
                // Without pipelining the refusal is known by now, and nobody need be asked.
                Next::Rcpt(_) if self.mail_refused.is_some() => self.next = Next::Replies,
                Next::Rcpt(i) if i >= self.until => self.next = Next::Data,
                Next::Rcpt(i) => {
                    if self.report.is_waiting(i) {
                        let to = &self.said().to[i];
                        client.rcpt(&to.path, &to.params, output)?;
                    }
                    self.next = Next::Rcpt(i + 1);
                }
                Next::Data => {
                    let all_answered = self.answered == self.asked;
                    self.next = match self.transfer {
                        _ if self.mail_refused.is_some() || (all_answered && self.accepted == 0) => {
                            Next::Replies
                        }
                        Transfer::Data => {
                            client.data(output)?;
                            Next::Go
                        }
                        Transfer::Chunks if !all_answered => return Ok(()),
                        Transfer::Chunks | Transfer::ChunksInFlight => Next::Body,
                    };
                }
                Next::Again | Next::Go | Next::Body | Next::Replies | Next::Over | Next::Nothing => {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// What is next.
    ///
    /// # Errors
    ///
    /// A [`Violation`] of the server's: the connection is lost, and what became of the message is settled.
    pub fn poll(
        &mut self,
        client: &mut Client,
        now: Duration,
        input: &mut &[u8],
        output: &mut BytesMut,
    ) -> Result<Want, Violation> {
        loop {
            // A closed connection says so below.
            let _ = self.begin(client, output);
            if self.next == Next::Replies && !self.ended && !client.is_waiting() {
                self.settle(self.mail_refused.unwrap_or(Fate::NotSent(NotSent::Pending)));
            }
            if self.next == Next::Over {
                self.go_on(client);
            }
            match self.next {
                Next::Nothing => return Ok(Want::Done),
                Next::Again => return Ok(Want::Again),
                _ => {}
            }
            // What the server says meanwhile comes first: a refused chunk is the last one, and last words are the last.
            let may_send = self.next == Next::Body && self.takes_more(client);
            if may_send && input.is_empty() {
                return Ok(Want::Body);
            }
            let step = client.poll(now, input).inspect_err(|violation| self.lost(violation.stage()))?;
            match step {
                Step::Event(answer) => self.answered(&answer, client, output),
                Step::Unsolicited(answer) => self.last_words(&answer),
                Step::NeedInput(_) | Step::Idle if may_send => return Ok(Want::Body),
                Step::NeedInput(until) => return Ok(Want::Io(until)),
                Step::Closed => self.lost(client.stage()),
                Step::Idle | Step::StartTls => self.lost(Stage::Idle),
            }
        }
    }

    /// Whether a piece may be sent: a chunk waits where its command has to.
    fn takes_more(&self, client: &Client) -> bool {
        client.in_body() || (self.transfer != Transfer::Data && client.can_send())
    }

    /// The connection is gone, at this stage: whoever has no reply gets none.
    pub fn lost(&mut self, stage: Stage) {
        if self.ended {
            self.report.settle_before(self.until, Fate::Unknown);
        }
        self.finish(Fate::NotSent(NotSent::Lost(stage)));
    }

    /// What a server says while it is being sent the message, or instead of a reply: it closes.
    fn last_words(&mut self, answer: &Answer<'_>) {
        let fate = self.report.keep(answer.to, &answer.reply);
        self.settle(fate);
    }

    /// Settles this transaction, or, where MAIL was refused, which is the same for all, everything.
    fn settle(&mut self, fate: Fate) {
        if self.mail_refused.is_some() {
            return self.finish(fate);
        }
        self.report.settle_before(self.until, fate);
        self.next = Next::Over;
    }

    fn finish(&mut self, fate: Fate) {
        self.report.settle(fate);
        self.next = Next::Nothing;
    }

    fn answered(&mut self, answer: &Answer<'_>, client: &mut Client, output: &mut BytesMut) {
        let Answer { to: stage, ref reply } = *answer;
        let positive = reply.is_positive();
        match stage {
            Stage::Mail if !positive => self.mail_refused = Some(self.report.keep(stage, reply)),
            Stage::Mail => {}
            Stage::Rcpt => {
                let fate = match self.mail_refused {
                    Some(fate) => fate,
                    None if positive => Fate::Accepted,
                    None => self.report.keep(stage, reply),
                };
                self.accepted += usize::from(fate == Fate::Accepted);
                self.strays |= positive && self.mail_refused.is_some();
                while self.at < self.until && !self.report.is_waiting(self.at) {
                    self.at += 1;
                }
                self.report.set(self.at, fate);
                self.at += 1;
                self.answered += 1;
            }
            Stage::Data if reply.code().as_u16() == 354 && self.accepted > 0 => self.next = Next::Body,
            // Recipients without a MAIL of ours: even an empty message would be one too many for them.
            Stage::Data if reply.code().as_u16() == 354 && self.strays => {
                client.abandon();
                self.finish(self.mail_refused.unwrap_or(Fate::NotSent(NotSent::Pending)));
            }
            // RFC 2920, 3.1: a server may say 354 though nobody will have the message. Only the dot can follow.
            Stage::Data if reply.code().as_u16() == 354 => {
                let _ = client.finish(output);
                self.next = Next::Replies;
            }
            Stage::Chunk if positive => {}
            // Whatever chunks are behind it will be answered too.
            Stage::Data | Stage::Chunk => {
                let fate = self.report.keep(stage, reply);
                self.report.settle_before(self.until, fate);
                self.next = Next::Replies;
            }
            Stage::EndOfData | Stage::LastChunk => self.message_answered(answer, client),
            // A RSET ahead of the MAIL.
            _ => {}
        }
        if client.is_closed() {
            // A 421 to anything ends the connection: what is behind it is unanswered (RFC 5321, 3.8).
            let fate = self.report.keep(stage, reply);
            return self.settle(fate);
        }
        let nobody = self.accepted == 0 && self.answered == self.asked;
        if self.next == Next::Body && (nobody || self.mail_refused.is_some()) {
            self.next = Next::Replies;
        }
    }

    /// A reply to the whole message, or to one recipient's share of it.
    fn message_answered(&mut self, answer: &Answer<'_>, client: &Client) {
        let Answer { to: stage, ref reply } = *answer;
        let more = client.stage() == stage;
        let prdr = self.params.prdr() && reply.code().as_u16() != 353;
        if client.config().protocol == Protocol::Lmtp || (prdr && more) {
            let fate = self.report.keep(stage, reply);
            self.report.settle_next(fate);
        }
        if !more && reply.code().as_u16() != 353 {
            let fate = self.report.keep(stage, reply);
            self.settle(fate);
        }
    }
}
