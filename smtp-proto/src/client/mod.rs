//! The client's machine.
//!
//! Commands are appended to the output by methods named after their verbs; [`Client::step`] says which reply came, and
//! to what. With PIPELINING several commands may be in flight: [`Client::can_send`] is where that is decided.
//!
//! A message is sent by [`data`](Client::data), then after its 354 by [`body`](Client::body) in pieces of any size and
//! [`finish`](Client::finish); or by [`chunk`](Client::chunk) and `body`, chunk by chunk.
//!
//! # Complexity
//!
//! Linear in what is sent and received, whatever the cuts.

mod config;
mod event;
mod flight;
mod state;

use alloc::sync::Arc;
use core::time::Duration;

use bytes::{BufMut, BytesMut};

pub use config::Config;
pub use event::{Answer, Step, Taken};

use crate::address::{Domain, ForwardPath, ReversePath};
use crate::auth::{Base64, MechanismName};
use crate::command::{Attributes, Command, Mail, Rcpt, Text};
use crate::dot::{Segments, Stuffer};
use crate::error::{NotNow, Violation};
use crate::extension::{Capabilities, Extension};
use crate::limits::Deadline;
use crate::link;
use crate::param::Params;
use crate::reply::{self, Reply};
use crate::stage::{Protocol, Stage};
use flight::Flight;
use state::State;

/// One connection of a client: what is in flight, and one deadline; no buffer, no socket, no clock.
///
/// - ask: [`can_send`](Self::can_send), [`capabilities`](Self::capabilities), [`needs_reset`](Self::needs_reset)
/// - tell: a method for each verb, [`body`](Self::body), [`finish`](Self::finish),
///   [`tls_established`](Self::tls_established), [`eof`](Self::eof), [`timed_out`](Self::timed_out)
/// - poll: [`step`](Self::step) and [`event`](Self::event), or [`poll`](Self::poll), which is both
#[derive(Debug)]
pub struct Client {
    config: Arc<Config>,
    capabilities: Capabilities<'static>,
    state: State,
    phase: Phase,
    flight: Flight,
    replies: reply::Framing,
    deadline: Deadline,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    Commands,
    /// 354 has come: octets of the message are dot-stuffed.
    Data(Stuffer),
    /// Octets that the chunk still lacks.
    Chunk {
        left: u64,
        last: bool,
    },
    /// The 220 to STARTTLS has come.
    StartTls,
    Closed,
}

impl Client {
    /// A connection that was just opened: the greeting is awaited. Over implicit TLS call
    /// [`tls_established`](Self::tls_established) first.
    #[must_use]
    pub fn new(config: Arc<Config>) -> Self {
        let mut flight = Flight::default();
        flight.push(Stage::Greeting, 0);
        let replies =
            if config.lenient_replies { reply::Framing::lenient() } else { reply::Framing::default() };
        Self {
            config,
            capabilities: Capabilities::new(),
            state: State::default(),
            phase: Phase::Commands,
            flight,
            replies,
            deadline: Deadline::default(),
        }
    }

    /// What the server's last EHLO or LHLO response listed; nothing after HELO, or before.
    #[must_use]
    pub const fn capabilities(&self) -> &Capabilities<'static> {
        &self.capabilities
    }

    /// What this client does.
    #[must_use]
    pub const fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// Whether TLS is on.
    #[must_use]
    pub const fn has_tls(&self) -> bool {
        self.state.tls
    }

    /// Whether AUTH succeeded.
    #[must_use]
    pub const fn is_authenticated(&self) -> bool {
        self.state.authenticated
    }

    /// Whether a command may be appended now: nothing is in flight, or what is may be followed by another (RFC 2920,
    /// 3.1), the server offers PIPELINING, and the flight is not full.
    #[must_use]
    pub fn can_send(&self) -> bool {
        self.admit().is_ok()
    }

    /// Whether replies are owed.
    #[must_use]
    pub const fn is_waiting(&self) -> bool {
        !self.flight.is_empty()
    }

    /// Whether a message, or a chunk of one, is being sent.
    #[must_use]
    pub const fn in_body(&self) -> bool {
        matches!(self.phase, Phase::Data(_) | Phase::Chunk { .. })
    }

    /// Whether RSET has to come before the next MAIL: a transaction was begun that no message will end, since all RCPT
    /// were refused, or DATA was, or a chunk was (RFC 2920, 3.1; RFC 3030, 2), the last one too; or that may yet be.
    #[must_use]
    pub fn needs_reset(&self) -> bool {
        let left_open = self.state.open && self.flight.is_empty() && !self.in_body();
        left_open || self.flight.back() == Some(Stage::LastChunk)
    }

    /// Recipients accepted in the transaction whose replies came last.
    #[must_use]
    pub const fn accepted(&self) -> u32 {
        self.state.accepted
    }

    /// Whether the connection is over.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed)
    }

    /// Looks at the input and says what is next. Take the reply with [`event`](Self::event), then drop [`Taken::len`]
    /// octets of the input. `now` is the age of the connection.
    ///
    /// # Errors
    ///
    /// A [`Violation`] is the server's fault and fatal: close.
    pub fn step(&mut self, now: Duration, input: &[u8]) -> Result<Step<Taken>, Violation> {
        match self.phase {
            Phase::Closed => return Ok(Step::Closed),
            Phase::StartTls if input.is_empty() => return Ok(Step::StartTls),
            Phase::StartTls => return Err(self.fail(Violation::BehindStartTls)),
            _ => {}
        }
        let awaited = self.flight.front();
        if awaited.is_none() && input.is_empty() {
            return Ok(Step::Idle);
        }
        let to = self.stage();
        if to == Stage::Greeting && link::looks_like_tls(input) {
            return Err(self.fail(Violation::ImplicitTls));
        }
        let limits = &self.config.limits;
        match self.replies.next(input, limits.reply_line, limits.reply) {
            Ok(None) => Ok(Step::NeedInput(self.deadline.arm(now, self.patience(to)))),
            Ok(Some(len)) => {
                let reply =
                    self.parse(&input[..len]).map_err(|source| Violation::Reply { stage: to, source });
                let taken = Taken { len, to };
                self.deadline.clear();
                match reply.and_then(|reply| self.take(awaited, &reply, input.len() > len)) {
                    Ok(()) if awaited.is_none() => Ok(Step::Unsolicited(taken)),
                    Ok(()) => Ok(Step::Event(taken)),
                    Err(violation) => Err(self.fail(violation)),
                }
            }
            Err(source) => Err(self.fail(Violation::Reply { stage: to, source })),
        }
    }

    /// The reply that [`step`](Self::step) found in this input.
    ///
    /// # Panics
    ///
    /// If `input` is not what `step` saw.
    #[must_use]
    pub fn event<'b>(&self, taken: Taken, input: &'b [u8]) -> Answer<'b> {
        let reply = self.parse(&input[..taken.len]).expect("event() wants the input that step() saw");
        Answer { to: taken.to, reply }
    }

    /// [`step`](Self::step) and [`event`](Self::event) in one: takes the reply from the front of `input`.
    ///
    /// # Errors
    ///
    /// As `step`.
    pub fn poll<'b>(&mut self, now: Duration, input: &mut &'b [u8]) -> Result<Step<Answer<'b>>, Violation> {
        let seen = *input;
        Ok(match self.step(now, seen)? {
            Step::Event(taken) => {
                *input = &seen[taken.len..];
                Step::Event(self.event(taken, seen))
            }
            Step::Unsolicited(taken) => {
                *input = &seen[taken.len..];
                Step::Unsolicited(self.event(taken, seen))
            }
            Step::Idle => Step::Idle,
            Step::NeedInput(until) => Step::NeedInput(until),
            Step::StartTls => Step::StartTls,
            Step::Closed => Step::Closed,
        })
    }

    fn parse<'b>(&self, raw: &'b [u8]) -> Result<Reply<'b>, reply::Malformed> {
        if self.config.lenient_replies { Reply::parse_lenient(raw) } else { Reply::parse(raw) }
    }

    /// What a reply changes.
    fn take(&mut self, awaited: Option<Stage>, reply: &Reply<'_>, more: bool) -> Result<(), Violation> {
        let code = reply.code();
        let Some(stage) = awaited else {
            // A server that speaks unasked says why it leaves, or is out of step: either way it is over.
            self.phase = Phase::Closed;
            let last_words = code.as_u16() == 421 || self.in_body() || !reply.is_positive();
            return if last_words { Ok(()) } else { Err(Violation::Unsolicited) };
        };
        if !self.state.admits(stage, code) {
            return Err(Violation::WrongCode { stage, code });
        }
        if self.state.ends(stage, code, self.config.protocol) {
            self.flight.pop();
        }
        if matches!(code.as_u16(), 421 | 521) {
            self.phase = Phase::Closed;
            self.flight.clear();
            return Ok(());
        }
        let later_mail = self.flight.contains(Stage::Mail);
        // In LMTP each recipient's answer settles its share, whatever it says.
        let over = self.flight.is_empty() && self.config.protocol == Protocol::Smtp;
        self.state.answered(stage, code, later_mail, over);
        match (stage, reply.is_positive()) {
            (Stage::Hello, true) => self.capabilities = Capabilities::parse(reply).into_owned(),
            (Stage::Data, _) if code.as_u16() == 354 => {
                self.phase = Phase::Data(Stuffer::new(self.config.line_ends));
            }
            (Stage::StartTls, true) if more => return Err(Violation::BehindStartTls),
            (Stage::StartTls, true) => self.phase = Phase::StartTls,
            (Stage::Quit, _) => self.phase = Phase::Closed,
            (Stage::Xclient, true) => self.capabilities = Capabilities::new(),
            _ => {}
        }
        Ok(())
    }

    fn patience(&self, stage: Stage) -> Duration {
        let timeouts = &self.config.timeouts;
        match stage {
            Stage::Greeting => timeouts.greeting,
            Stage::Data => timeouts.data,
            Stage::Body => timeouts.block,
            Stage::EndOfData | Stage::LastChunk => timeouts.end_of_data,
            Stage::Quit => timeouts.quit,
            _ => timeouts.command,
        }
    }

    fn admit(&self) -> Result<(), NotNow> {
        match self.phase {
            Phase::Closed => return Err(NotNow::Closed),
            Phase::StartTls => return Err(NotNow::AwaitingReply),
            Phase::Data(_) | Phase::Chunk { .. } => return Err(NotNow::InBody),
            Phase::Commands if self.state.challenged => return Err(NotNow::AwaitingReply),
            Phase::Commands => {}
        }
        let Some(last) = self.flight.back() else { return Ok(()) };
        let limits = &self.config.limits;
        let room = self.flight.has_room()
            && self.flight.owed() < limits.flight_replies
            && self.flight.octets() < limits.flight;
        if room && last.may_be_followed() && self.capabilities.has(Extension::Pipelining) {
            Ok(())
        } else {
            Err(NotNow::AwaitingReply)
        }
    }

    fn send(&mut self, stage: Stage, command: &Command<'_>, output: &mut BytesMut) {
        let before = output.len();
        command.write(output);
        self.flight.push(stage, output.len() - before);
    }

    /// EHLO; in LMTP, LHLO.
    ///
    /// # Errors
    ///
    /// [`NotNow`] while replies are awaited.
    pub fn ehlo(&mut self, name: &Domain<'_>, output: &mut BytesMut) -> Result<(), NotNow> {
        self.admit()?;
        let name = name.as_borrowed();
        let command = match self.config.protocol {
            Protocol::Smtp => Command::Ehlo(name),
            Protocol::Lmtp => Command::Lhlo(name),
        };
        self.send(Stage::Hello, &command, output);
        Ok(())
    }

    /// HELO, for servers that know no EHLO: no extension can be used then.
    ///
    /// # Errors
    ///
    /// [`NotNow`] while replies are awaited, and in LMTP, which has none.
    pub fn helo(&mut self, name: &Domain<'_>, output: &mut BytesMut) -> Result<(), NotNow> {
        self.admit()?;
        if self.config.protocol == Protocol::Lmtp {
            return Err(NotNow::NoHello);
        }
        self.send(Stage::Hello, &Command::Helo(name.as_borrowed()), output);
        Ok(())
    }

    /// STARTTLS (RFC 3207). A 220 to it makes a later step [`Step::StartTls`].
    ///
    /// # Errors
    ///
    /// [`NotNow`] while anything is in flight, if it was not offered, if TLS is on, or within a transaction.
    pub fn starttls(&mut self, output: &mut BytesMut) -> Result<(), NotNow> {
        self.admit_alone()?;
        if self.state.tls {
            return Err(NotNow::TlsActive);
        }
        self.offered(Extension::StartTls)?;
        self.send(Stage::StartTls, &Command::StartTls, output);
        Ok(())
    }

    /// AUTH (RFC 4954), with an initial response where the mechanism has one and the line stays within 512 octets.
    ///
    /// # Errors
    ///
    /// [`NotNow`] while anything is in flight, within a transaction, if logged in already, or if it was not offered.
    pub fn auth<'m>(
        &mut self,
        mechanism: impl Into<MechanismName<'m>>,
        initial: Option<&[u8]>,
        output: &mut BytesMut,
    ) -> Result<(), NotNow> {
        self.admit_alone()?;
        if self.state.authenticated {
            return Err(NotNow::NothingOwed);
        }
        self.offered(Extension::Auth)?;
        let initial = initial.map(Base64::encode);
        self.send(Stage::Auth, &Command::Auth { mechanism: mechanism.into(), initial }, output);
        Ok(())
    }

    /// The answer to a 334.
    ///
    /// # Errors
    ///
    /// [`NotNow`] if no challenge is open.
    pub fn auth_response(&mut self, response: &[u8], output: &mut BytesMut) -> Result<(), NotNow> {
        self.challenged()?;
        output.put_slice(Base64::encode(response).as_str().as_bytes());
        output.put_slice(b"\r\n");
        Ok(())
    }

    /// Gives the exchange up: `*`. The reply will be 501.
    ///
    /// # Errors
    ///
    /// [`NotNow`] if no challenge is open.
    pub fn auth_cancel(&mut self, output: &mut BytesMut) -> Result<(), NotNow> {
        self.challenged()?;
        output.put_slice(b"*\r\n");
        Ok(())
    }

    fn challenged(&mut self) -> Result<(), NotNow> {
        if self.is_closed() {
            return Err(NotNow::Closed);
        }
        if !core::mem::take(&mut self.state.challenged) {
            return Err(NotNow::NothingOwed);
        }
        self.flight.push(Stage::Auth, 0);
        Ok(())
    }

    /// MAIL. The parameters are sent as they are: what the server did not offer it will refuse.
    ///
    /// # Errors
    ///
    /// [`NotNow`] while replies are awaited that have to come first, without EHLO, or while a transaction is open.
    pub fn mail(
        &mut self,
        from: &ReversePath<'_>,
        params: &Params<'_>,
        output: &mut BytesMut,
    ) -> Result<(), NotNow> {
        self.admit()?;
        self.greeted()?;
        if self.state.open {
            return Err(NotNow::TransactionOpen);
        }
        // Which of two was answered 353 could not be told.
        if params.prdr() != self.state.prdr_asked && self.flight.contains(Stage::Mail) {
            return Err(NotNow::AwaitingReply);
        }
        self.state.mail_sent(params.prdr());
        self.send(Stage::Mail, &Command::Mail(Mail::borrowed(from, params)), output);
        Ok(())
    }

    /// RCPT.
    ///
    /// # Errors
    ///
    /// [`NotNow`] while replies are awaited that have to come first, or without MAIL.
    pub fn rcpt(
        &mut self,
        to: &ForwardPath<'_>,
        params: &Params<'_>,
        output: &mut BytesMut,
    ) -> Result<(), NotNow> {
        self.admit()?;
        self.transaction()?;
        self.send(Stage::Rcpt, &Command::Rcpt(Rcpt::borrowed(to, params)), output);
        Ok(())
    }

    /// DATA. After its 354 the message follows, or at least [`finish`](Self::finish): there is no way back.
    ///
    /// # Errors
    ///
    /// [`NotNow`] while replies are awaited that have to come first, or without a transaction.
    pub fn data(&mut self, output: &mut BytesMut) -> Result<(), NotNow> {
        self.admit()?;
        self.transaction()?;
        self.send(Stage::Data, &Command::Data, output);
        Ok(())
    }

    /// BDAT (RFC 3030): `size` octets follow by [`body`](Self::body).
    ///
    /// # Errors
    ///
    /// [`NotNow`] while replies are awaited that have to come first, without a transaction, or if CHUNKING was not
    /// offered.
    pub fn chunk(&mut self, size: u64, last: bool, output: &mut BytesMut) -> Result<(), NotNow> {
        self.admit()?;
        self.transaction()?;
        self.offered(Extension::Chunking)?;
        self.phase = Phase::Chunk { left: size, last };
        Command::Bdat { size, last }.write(output);
        self.chunk_filled();
        Ok(())
    }

    fn chunk_filled(&mut self) {
        if let Phase::Chunk { left: 0, last } = self.phase {
            self.phase = Phase::Commands;
            self.flight.push(if last { Stage::LastChunk } else { Stage::Chunk }, 0);
            self.state.open &= !last;
        }
    }

    /// A piece of the message, cut anywhere: dot-stuffed after DATA, as it is in a chunk, whose size is said ahead. What
    /// goes there must be CRLF-ended lines, unless it is BINARYMIME; [`Delivery`](crate::session::Delivery) sees to it.
    ///
    /// # Errors
    ///
    /// [`NotNow::NotInBody`] without a 354, or for more octets than the chunk has left. [`NotNow::Unsendable`] if the
    /// piece holds what may not be sent: since nothing can take a DATA back, close the connection then.
    pub fn body(&mut self, piece: &[u8], output: &mut BytesMut) -> Result<(), NotNow> {
        match &mut self.phase {
            Phase::Data(stuffer) => stuffer.append(piece, output).map_err(|_| NotNow::Unsendable),
            _ => {
                self.fill_chunk(piece.len() as u64)?;
                output.put_slice(piece);
                Ok(())
            }
        }
    }

    /// So many octets of the chunk in hand were given out.
    pub(crate) fn fill_chunk(&mut self, octets: u64) -> Result<(), NotNow> {
        let Phase::Chunk { left, .. } = &mut self.phase else { return Err(NotNow::NotInBody) };
        *left = left.checked_sub(octets).ok_or(NotNow::NotInBody)?;
        self.chunk_filled();
        Ok(())
    }

    /// The same octets as [`body`](Self::body) would append, lent in slices for a vectored write.
    ///
    /// # Errors
    ///
    /// As `body`.
    pub fn segments<'c>(&mut self, piece: &'c [u8]) -> Result<Segments<'c>, NotNow> {
        match &mut self.phase {
            Phase::Data(stuffer) => Ok(stuffer.segments(piece)),
            _ => {
                self.fill_chunk(piece.len() as u64)?;
                Ok(Segments::raw(piece))
            }
        }
    }

    /// Ends the message after DATA: its last line's CRLF, if it lacks it, and the final dot.
    ///
    /// # Errors
    ///
    /// [`NotNow::NotInBody`] without a 354; [`NotNow::Unsendable`] as [`body`](Self::body).
    pub fn finish(&mut self, output: &mut BytesMut) -> Result<(), NotNow> {
        let Phase::Data(stuffer) = &mut self.phase else { return Err(NotNow::NotInBody) };
        stuffer.finish(output).map_err(|_| NotNow::Unsendable)?;
        self.phase = Phase::Commands;
        self.state.open = false;
        // A part of a server's last words may have set it.
        self.deadline.clear();
        self.flight.push(Stage::EndOfData, 0);
        Ok(())
    }

    /// RSET: the transaction is given up.
    ///
    /// # Errors
    ///
    /// [`NotNow`] while replies are awaited that have to come first, or in the midst of a message.
    pub fn rset(&mut self, output: &mut BytesMut) -> Result<(), NotNow> {
        self.admit()?;
        self.state.open = false;
        self.send(Stage::Rset, &Command::Rset, output);
        Ok(())
    }

    /// NOOP: is the server still there?
    ///
    /// # Errors
    ///
    /// [`NotNow`] while replies are awaited that have to come first, or in the midst of a message.
    pub fn noop(&mut self, output: &mut BytesMut) -> Result<(), NotNow> {
        self.command(&Command::Noop(Text::default()), output)
    }

    /// QUIT.
    ///
    /// # Errors
    ///
    /// [`NotNow`] while replies are awaited that have to come first, or in the midst of a message.
    pub fn quit(&mut self, output: &mut BytesMut) -> Result<(), NotNow> {
        self.command(&Command::Quit, output)
    }

    /// XCLIENT (Postfix): who the server shall take us for. A 220 opens a new session: EHLO again.
    ///
    /// # Errors
    ///
    /// [`NotNow`] as for [`noop`](Self::noop), and if it was not offered.
    pub fn xclient(&mut self, attributes: &Attributes<'_>, output: &mut BytesMut) -> Result<(), NotNow> {
        self.offered(Extension::Xclient)?;
        self.command(&Command::Xclient(attributes.as_borrowed()), output)
    }

    /// Any other command that takes one reply and changes nothing: VRFY, EXPN, HELP, NOOP, ETRN, XFORWARD, or a verb
    /// of the embedder's own.
    ///
    /// # Errors
    ///
    /// [`NotNow`] while replies are awaited that have to come first, in the midst of a message, and for verbs that
    /// have a method of their own.
    pub fn command(&mut self, command: &Command<'_>, output: &mut BytesMut) -> Result<(), NotNow> {
        use Command as C;
        self.admit()?;
        let stage = match command {
            C::Noop(_) => Stage::Noop,
            C::Quit => Stage::Quit,
            C::Vrfy(_) => Stage::Vrfy,
            C::Expn(_) => Stage::Expn,
            C::Help(_) => Stage::Help,
            C::Etrn(_) => Stage::Etrn,
            C::Xclient(_) => Stage::Xclient,
            C::Xforward(_) => Stage::Xforward,
            C::Other { .. } => Stage::Other,
            _ => return Err(NotNow::NothingOwed),
        };
        self.send(stage, command, output);
        Ok(())
    }

    const fn greeted(&self) -> Result<(), NotNow> {
        if self.state.greeted { Ok(()) } else { Err(NotNow::NoHello) }
    }

    const fn transaction(&self) -> Result<(), NotNow> {
        if self.state.open { Ok(()) } else { Err(NotNow::NoTransaction) }
    }

    fn offered(&self, extension: Extension) -> Result<(), NotNow> {
        if self.capabilities.has(extension) { Ok(()) } else { Err(NotNow::NotOffered(extension)) }
    }

    fn admit_alone(&self) -> Result<(), NotNow> {
        self.admit()?;
        if self.is_waiting() {
            return Err(NotNow::AwaitingReply);
        }
        self.greeted()?;
        if self.state.open { Err(NotNow::TransactionOpen) } else { Ok(()) }
    }

    /// The TLS handshake is done: everything said before is forgotten (RFC 3207, 4.2), so EHLO comes next. Over
    /// implicit TLS the greeting is still awaited.
    pub fn tls_established(&mut self) {
        self.state.tls_established();
        self.capabilities = Capabilities::new();
        if let Phase::StartTls = self.phase {
            self.phase = Phase::Commands;
        }
    }

    /// The server closed its side.
    ///
    /// # Errors
    ///
    /// [`Violation::Eof`] if replies were owed, or a message was being sent.
    pub fn eof(&mut self) -> Result<(), Violation> {
        let stage = self.stage();
        let closed = self.is_closed();
        self.phase = Phase::Closed;
        match stage {
            _ if closed => Ok(()),
            Stage::Idle | Stage::Quit => Ok(()),
            _ => Err(Violation::Eof { stage }),
        }
    }

    /// The deadline passed: the connection has lost step and is over.
    pub fn timed_out(&mut self) -> Violation {
        let stage = self.stage();
        self.fail(Violation::TimedOut { stage })
    }

    /// What is waited for.
    #[must_use]
    pub fn stage(&self) -> Stage {
        match self.flight.front() {
            Some(stage) => stage,
            None if self.in_body() => Stage::Body,
            None => Stage::Idle,
        }
    }

    /// Marks the connection as one that must not be used again.
    pub fn abandon(&mut self) {
        self.phase = Phase::Closed;
    }

    fn fail(&mut self, violation: Violation) -> Violation {
        self.phase = Phase::Closed;
        violation
    }
}
