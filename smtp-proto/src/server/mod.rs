//! The server's machine.
//!
//! [`Server::step`] looks at the input and says what the client did; the embedder answers with [`Server::reply`]. What
//! is malformed, out of sequence or over a limit the machine answers by itself ([`Event::Rejected`]).
//!
//! # Who owes what
//!
//! | event | replies owed |
//! | --- | --- |
//! | `Connect`, every command, `Unknown` | 1 |
//! | `Data` | 1: 354, or a refusal |
//! | `Chunk`, `Body`, `Discarded`, `Rejected` | 0 |
//! | `ChunkEnd` | 1 |
//! | `MessageEnd { replies }` | `replies`: 1; LMTP one per accepted recipient; PRDR the same and one more |
//! | `Auth`, `AuthResponse` | 1, or a `challenge` |
//! | `AuthCancelled` | 0: the machine said 501 |
//! | `Refused` | 0: the machine drains the message and answers at its end |
//!
//! # Complexity
//!
//! Linear in the input, whatever its cuts: an octet is looked for a line's end once, and as content once. A step with
//! nothing to do is constant.

mod answers;
mod config;
mod event;
mod receive;
mod state;

use alloc::sync::Arc;
use core::time::Duration;

use bytes::{BufMut, BytesMut};

pub use config::{Config, Policy};
pub use event::{Event, Refusal, Step, Taken};

use crate::auth::{Base64, Mechanisms};
use crate::command::{self, Command, Verb};
use crate::dot::Body;
use crate::error::{NotNow, Violation};
use crate::extension::{Capabilities, Extension};
use crate::limits::Deadline;
use crate::line;
use crate::param::Declared;
use crate::reply::Reply;
use crate::stage::Stage;
use crate::status::{Class, Code, Enhanced};
use answers as say;
use event::Kind;
use receive::{Chunk, Receiving};
use state::State;

/// One connection of a server: state, limits and one deadline; no buffer, no socket, no clock.
///
/// - ask: [`has_tls`](Self::has_tls), [`is_authenticated`](Self::is_authenticated),
///   [`capabilities`](Self::capabilities), [`mechanisms`](Self::mechanisms)
/// - tell: [`reply`](Self::reply), [`challenge`](Self::challenge), [`tls_established`](Self::tls_established),
///   [`set_authenticated`](Self::set_authenticated), [`timed_out`](Self::timed_out), [`shut_down`](Self::shut_down),
///   [`eof`](Self::eof)
/// - poll: [`step`](Self::step) and [`event`](Self::event), or [`poll`](Self::poll), which is both
#[derive(Debug)]
pub struct Server {
    config: Arc<Config>,
    capabilities: Capabilities<'static>,
    state: State,
    phase: Phase,
    owed: Owed,
    lines: line::Framing,
    deadline: Deadline,
    errors: u16,
    auth_failures: u16,
    /// Replies stand in the output that RFC 2920, 3.2 forbids to hold back.
    flush: bool,
    shutting_down: bool,
}

/// What the next octets are.
#[derive(Clone, Copy, Debug)]
enum Phase {
    /// Nobody was greeted yet.
    Opened,
    Commands,
    /// A line that was too long is skipped to its end, this many octets so far.
    SkipLine(usize),
    /// A base64 line.
    AuthResponse,
    /// A message or a chunk.
    Message(Receiving),
    /// 220 was said to STARTTLS.
    StartTls,
    Closed,
}

/// What a reply would answer.
#[derive(Clone, Copy, Debug)]
enum Owed {
    Nothing,
    Greeting,
    Hello(Verb),
    Mail(Declared),
    Rcpt,
    Data,
    Chunk,
    Message {
        left: u32,
    },
    StartTls,
    Auth,
    Rset,
    Xclient,
    Quit,
    /// NOOP, VRFY, EXPN, HELP and the like: answered at once, nothing changes.
    Plain(Verb),
    Unknown {
        recognised: bool,
    },
}

impl Server {
    /// A connection that was just opened, in the clear. Over implicit TLS call
    /// [`tls_established`](Self::tls_established) before the first step.
    #[must_use]
    pub fn new(config: Arc<Config>) -> Self {
        Self {
            capabilities: config.capabilities.clone(),
            config,
            state: State::default(),
            phase: Phase::Opened,
            owed: Owed::Nothing,
            lines: line::Framing::default(),
            deadline: Deadline::default(),
            errors: 0,
            auth_failures: 0,
            flush: false,
            shutting_down: false,
        }
    }

    /// Whether TLS is on.
    #[must_use]
    pub const fn has_tls(&self) -> bool {
        self.state.tls
    }

    /// Whether an AUTH command was answered 235.
    #[must_use]
    pub const fn is_authenticated(&self) -> bool {
        self.state.authenticated
    }

    /// The verb that greeted, once it was answered 250.
    #[must_use]
    pub const fn hello(&self) -> Option<Verb> {
        self.state.hello
    }

    /// Whether a transaction is open.
    #[must_use]
    pub const fn in_transaction(&self) -> bool {
        self.state.transaction.is_some()
    }

    /// The mechanisms that AUTH offers as things stand: those of [`capabilities`](Self::capabilities), less what needs
    /// TLS where there is none.
    #[must_use]
    pub fn mechanisms(&self) -> Mechanisms {
        state::mechanisms(&self.state, &self.config, &self.capabilities)
    }

    /// Whether nothing of a message is in hand and nothing is owed, so that the connection may be closed with a 421.
    #[must_use]
    pub const fn is_idle(&self) -> bool {
        matches!((&self.phase, &self.owed, &self.state.transaction), (Phase::Commands, Owed::Nothing, None))
    }

    /// What this server is.
    #[must_use]
    pub const fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// What EHLO lists.
    #[must_use]
    pub const fn capabilities(&self) -> &Capabilities<'static> {
        &self.capabilities
    }

    /// What EHLO will list: may change with the peer, its certificate or its login until Hello is answered.
    pub const fn capabilities_mut(&mut self) -> &mut Capabilities<'static> {
        &mut self.capabilities
    }

    /// Looks at the input and says what is next. Take the event with [`event`](Self::event), drop
    /// [`Taken::len`] octets of the input, answer, and step again. `now` is the age of the connection.
    ///
    /// # Errors
    ///
    /// A [`Violation`] is the client's fault and fatal: write its [`reply`](Violation::reply), if it has one, by
    /// [`write_last`](Self::write_last), and close.
    pub fn step(
        &mut self,
        now: Duration,
        input: &[u8],
        output: &mut BytesMut,
    ) -> Result<Step<Taken>, Violation> {
        Ok(match self.advance(now, input, output)? {
            Step::Event((taken, _)) => Step::Event(taken),
            Step::AwaitingReply => Step::AwaitingReply,
            Step::Flush(until) => Step::Flush(until),
            Step::NeedInput(until) => Step::NeedInput(until),
            Step::StartTls => Step::StartTls,
            Step::Closed => Step::Closed,
        })
    }

    /// The event that [`step`](Self::step) found in this input.
    ///
    /// The command is parsed again rather than rebuilt from offsets, so that an event is valid whatever `input` is.
    ///
    /// # Panics
    ///
    /// If `input` is not what `step` saw.
    #[must_use]
    pub fn event<'b>(&self, taken: Taken, input: &'b [u8]) -> Event<'b> {
        const NOT_SEEN: &str = "event() wants the input that step() saw";
        match taken.kind {
            Kind::Connect => Event::Connect,
            Kind::Command(len) => {
                let command = Command::parse(&input[..len], self.options()).expect(NOT_SEEN);
                Event::of(command).expect(NOT_SEEN)
            }
            Kind::AuthResponse(len) => Event::AuthResponse(Base64::parse(&input[..len]).expect(NOT_SEEN)),
            Kind::AuthCancelled => Event::AuthCancelled,
            Kind::Piece(piece) => Event::Body(piece.body(&input[..taken.len])),
            Kind::Raw => Event::Body(Body::raw(&input[..taken.len])),
            Kind::ChunkEnd => Event::ChunkEnd,
            Kind::MessageEnd { replies } => Event::MessageEnd { replies },
            Kind::Refused(why) => Event::Refused(why),
            Kind::Discarded => Event::Discarded,
            Kind::Rejected(code) => Event::Rejected(code),
        }
    }

    /// [`step`](Self::step) and [`event`](Self::event) in one, for callers whose input outlives their loop: takes the
    /// event from the front of `input`.
    ///
    /// # Errors
    ///
    /// As `step`.
    pub fn poll<'b>(
        &mut self,
        now: Duration,
        input: &mut &'b [u8],
        output: &mut BytesMut,
    ) -> Result<Step<Event<'b>>, Violation> {
        let seen = *input;
        Ok(match self.advance(now, seen, output)? {
            Step::Event((taken, event)) => {
                *input = &seen[taken.len..];
                Step::Event(event)
            }
            Step::AwaitingReply => Step::AwaitingReply,
            Step::Flush(until) => Step::Flush(until),
            Step::NeedInput(until) => Step::NeedInput(until),
            Step::StartTls => Step::StartTls,
            Step::Closed => Step::Closed,
        })
    }

    fn advance<'b>(
        &mut self,
        now: Duration,
        input: &'b [u8],
        output: &mut BytesMut,
    ) -> Result<Step<(Taken, Event<'b>)>, Violation> {
        // What the caller wrote by itself need not be asked for.
        self.flush &= !output.is_empty();
        let full = output.len() >= self.config.limits.output;
        if self.flush || (full && !output.is_empty()) {
            self.flush = false;
            return Ok(Step::Flush(Some(now.saturating_add(self.config.timeouts.write))));
        }
        if matches!(self.owed, Owed::Greeting) && self.refuses_early(input) {
            return Err(self.fail(Violation::EarlyTalker));
        }
        if !matches!(self.owed, Owed::Nothing) {
            return Ok(Step::AwaitingReply);
        }
        if self.shutting_down && self.is_idle() {
            self.close_with(&say::SHUTTING_DOWN, output);
        }
        match self.phase {
            Phase::Closed => Ok(Step::Closed),
            Phase::Opened => {
                if self.refuses_early(input) {
                    return Err(self.fail(Violation::EarlyTalker));
                }
                self.phase = Phase::Commands;
                self.owed = Owed::Greeting;
                Ok(found(0, Kind::Connect, Event::Connect))
            }
            Phase::StartTls if input.is_empty() => Ok(Step::StartTls),
            Phase::StartTls => Err(self.fail(Violation::BehindStartTls)),
            Phase::Commands => self.command(now, input, output),
            Phase::SkipLine(skipped) => self.skip_line(skipped, now, input),
            Phase::AuthResponse => self.auth_response(now, input, output),
            Phase::Message(receiving) => self.receive(receiving, now, input, output),
        }
    }

    /// A command line, from the grammar to the rules of sequence.
    fn command<'b>(
        &mut self,
        now: Duration,
        input: &'b [u8],
        output: &mut BytesMut,
    ) -> Result<Step<(Taken, Event<'b>)>, Violation> {
        // RFC 4954, 4: the initial response may be as long as any other.
        let auth = input.get(..AUTH.len()).is_some_and(|verb| verb.eq_ignore_ascii_case(AUTH));
        let limits = &self.config.limits;
        let (limit, too_long) = match auth {
            true => (limits.line.max(limits.auth_line + AUTH_NAME), say::AUTH_LINE_TOO_LONG),
            false => (limits.line, say::LINE_TOO_LONG),
        };
        let line = match self.lines.next(input, limit) {
            Ok(Some(line)) => line,
            Ok(None) => return Ok(self.need_input(now)),
            Err(_) => {
                self.phase = Phase::SkipLine(0);
                return self.reject(0, &too_long, output);
            }
        };
        self.deadline.clear();
        if line.flaw.is_some() {
            return self.reject(line.len, &say::BAD_LINE_END, output);
        }
        let command = match Command::parse(&input[..line.text], self.options()) {
            Ok(command) => command,
            Err(error) if error.is_undelimited() => return Err(self.fail(Violation::Undelimited)),
            Err(error) => return self.reject(line.len, &error.reply(), output),
        };
        let permitted = self.state.permit(&command, &self.config, &self.capabilities);
        if let Command::Bdat { size, last } = command {
            // To a client that was not offered CHUNKING, this need not be a chunk's beginning.
            if !self.state.may_chunk(&self.capabilities) {
                return Err(self.fail(Violation::Undelimited));
            }
            return self.chunk(Chunk { size, last, permitted, line: &line });
        }
        if let Err(refusal) = permitted {
            return match command {
                // Refused recipients are no errors (RFC 5321, 4.5.3.1.8 has them in the hundreds), nor is the DATA that
                // was sent along before they were known to be refused (RFC 2920, 3.1).
                Command::Rcpt(_) | Command::Data if self.state.hello.is_some() => {
                    Ok(self.answered(line.len, &refusal, output))
                }
                _ => self.reject(line.len, &refusal, output),
            };
        }
        if matches!(command, Command::StartTls) && input.len() > line.len {
            return Err(self.fail(Violation::BehindStartTls));
        }
        self.owed = Owed::of(&command);
        let taken = Taken { len: line.len, kind: Kind::Command(line.text) };
        match Event::of(command) {
            Some(event) => Ok(Step::Event((taken, event))),
            None => self.reject(line.len, &say::NOT_IMPLEMENTED, output),
        }
    }

    fn auth_response<'b>(
        &mut self,
        now: Duration,
        input: &'b [u8],
        output: &mut BytesMut,
    ) -> Result<Step<(Taken, Event<'b>)>, Violation> {
        let line = match self.lines.next(input, self.config.limits.auth_line) {
            Ok(Some(line)) => line,
            Ok(None) => return Ok(self.need_input(now)),
            Err(_) => {
                self.phase = Phase::SkipLine(0);
                return self.reject(0, &say::AUTH_LINE_TOO_LONG, output);
            }
        };
        self.deadline.clear();
        self.phase = Phase::Commands;
        if line.flaw.is_some() {
            return self.reject(line.len, &say::BAD_LINE_END, output);
        }
        let text = &input[..line.text];
        if text == b"*" {
            self.write(&say::CANCELLED, output);
            return Ok(found(line.len, Kind::AuthCancelled, Event::AuthCancelled));
        }
        match Base64::parse(text) {
            Ok(response) => {
                self.owed = Owed::Auth;
                Ok(found(line.len, Kind::AuthResponse(line.text), Event::AuthResponse(response)))
            }
            Err(_) => self.reject(line.len, &say::NOT_BASE64, output),
        }
    }

    fn skip_line<'b>(
        &mut self,
        skipped: usize,
        now: Duration,
        input: &'b [u8],
    ) -> Result<Step<(Taken, Event<'b>)>, Violation> {
        const CAP: usize = 1024 * 1024;
        if input.is_empty() {
            return Ok(self.need_input(now));
        }
        let line::Skipped { len, ended } = self.lines.skip(input);
        if skipped + len > CAP {
            return Err(self.fail(Violation::EndlessLine));
        }
        self.phase = if ended { Phase::Commands } else { Phase::SkipLine(skipped + len) };
        if ended {
            self.deadline.clear();
        }
        Ok(found(len, Kind::Discarded, Event::Discarded))
    }

    /// Answers what is owed: appends the reply to `output` and moves on as its code says.
    ///
    /// A 250 to EHLO or LHLO is followed by the capabilities; the greeting, 221 and 421 get the server's name in front;
    /// an enhanced status code is added where one is due and missing (RFC 2034). A 421 or 521 ends the connection.
    ///
    /// # Errors
    ///
    /// [`NotNow`] if no reply is owed, or if the code doesn't answer what was asked. Nothing is changed then.
    pub fn reply(&mut self, reply: &Reply<'_>, output: &mut BytesMut) -> Result<(), NotNow> {
        let code = reply.code();
        self.owed.admits(code)?;
        let owed = core::mem::replace(&mut self.owed, Owed::Nothing);
        let accepted = code.class() == Class::Completed;
        match owed {
            Owed::Hello(verb) if accepted => {
                let offered = state::offered(&self.state, &self.config, &self.capabilities);
                self.state.hello_accepted(verb, offered);
                self.write_hello(verb, reply, output);
                self.flush = true;
                return Ok(());
            }
            Owed::Message { left: 1 } => self.state.transaction_over(),
            Owed::Message { left } => self.owed = Owed::Message { left: left - 1 },
            Owed::Data if code == Code::START_MAIL => {
                self.phase = Phase::Message(Receiving::data(self.config.policy.line_ends));
            }
            Owed::Chunk if !accepted => self.chunk_refused(),
            Owed::Mail(declared) if accepted => self.state.mail_accepted(declared),
            Owed::Rcpt if accepted => self.state.rcpt_accepted(),
            Owed::StartTls if accepted => self.phase = Phase::StartTls,
            Owed::Auth if accepted => self.state.authenticated = true,
            // Whatever it is answered: a client that gave its recipients up must not reach them with its next message.
            Owed::Rset => self.state.transaction_over(),
            Owed::Xclient if accepted => {
                self.state.new_session();
                self.owed = Owed::Nothing;
            }
            Owed::Quit if accepted => self.phase = Phase::Closed,
            Owed::Greeting if !accepted => self.state.turned_away = true,
            _ => {}
        }
        self.flush |= owed.is_urgent();
        self.write_with_status(reply, &owed, output);
        if matches!(code, Code::NOT_AVAILABLE | Code::NO_MAIL_HOST) {
            self.phase = Phase::Closed;
            self.owed = Owed::Nothing;
        }
        self.count(&owed, code, output);
        Ok(())
    }

    /// Whether a reply is owed, and how many.
    #[must_use]
    pub const fn owed(&self) -> u32 {
        match self.owed {
            Owed::Nothing => 0,
            Owed::Message { left } => left,
            _ => 1,
        }
    }

    /// The reply that a server gives which has no opinion: it accepts what a transaction is made of, and refuses what
    /// it can't do. `None` if no reply is owed.
    #[must_use]
    pub const fn default_reply(&self) -> Option<Reply<'static>> {
        Some(match self.owed {
            Owed::Nothing => return None,
            Owed::Greeting => Reply::fixed(Code::READY, None, "ESMTP"),
            Owed::Hello(_) => Reply::fixed(Code::OK, None, "at your service"),
            Owed::Data => Reply::fixed(Code::START_MAIL, None, "end data with CRLF.CRLF"),
            Owed::StartTls => Reply::fixed(Code::READY, Some(Enhanced::fixed(2, 0, 0)), "go ahead"),
            Owed::Auth => {
                Reply::fixed(Code::AUTH_FAILED, Some(Enhanced::fixed(5, 7, 8)), "credentials refused")
            }
            Owed::Quit => Reply::fixed(Code::CLOSING, Some(Enhanced::fixed(2, 0, 0)), "closing"),
            Owed::Xclient => {
                Reply::fixed(Code::MAILBOX_UNAVAILABLE, Some(Enhanced::fixed(5, 7, 0)), "not for you")
            }
            Owed::Plain(Verb::Vrfy) => Reply::fixed(
                Code::CANNOT_VERIFY,
                Some(Enhanced::fixed(2, 5, 2)),
                "send some mail, we shall see",
            ),
            Owed::Plain(Verb::Help) => Reply::fixed(Code::HELP, None, "see RFC 5321"),
            Owed::Plain(Verb::Expn | Verb::Etrn | Verb::Xforward) => say::NOT_IMPLEMENTED,
            Owed::Unknown { recognised: true } => say::NOT_IMPLEMENTED,
            Owed::Unknown { recognised: false } => say::UNKNOWN,
            _ => Reply::fixed(Code::OK, None, "ok"),
        })
    }

    /// Asks the client for another response in an AUTH exchange: 334 and `data` in base64.
    ///
    /// # Errors
    ///
    /// [`NotNow`] if the last event was neither `Auth` nor `AuthResponse`, or is answered.
    pub fn challenge(&mut self, data: &[u8], output: &mut BytesMut) -> Result<(), NotNow> {
        let Owed::Auth = self.owed else { return Err(NotNow::NothingOwed) };
        self.owed = Owed::Nothing;
        self.phase = Phase::AuthResponse;
        output.put_slice(b"334 ");
        output.put_slice(Base64::encode(data).as_str().as_bytes());
        output.put_slice(b"\r\n");
        Ok(())
    }

    /// The TLS handshake is done: everything said before is forgotten (RFC 3207, 4.2). Over implicit TLS, the greeting
    /// comes next.
    pub fn tls_established(&mut self) {
        self.state.tls_established();
        self.capabilities = self.config.capabilities.clone();
        if let Phase::StartTls = self.phase {
            self.phase = Phase::Commands;
        }
    }

    /// Who the client is, is known by other means than AUTH: its certificate, its address, or LOGIN of XCLIENT. STARTTLS
    /// and XCLIENT forget it, as they do AUTH.
    pub const fn set_authenticated(&mut self) {
        self.state.authenticated = true;
    }

    /// The deadline passed: 421 and the end.
    pub fn timed_out(&mut self, output: &mut BytesMut) -> Violation {
        let violation = Violation::TimedOut { stage: self.stage() };
        self.close_with(&violation.reply().unwrap_or(say::SHUTTING_DOWN), output);
        violation
    }

    /// Ends the session with a 421 as soon as no transaction is open: at the latest when the message in hand is answered.
    pub const fn shut_down(&mut self) {
        self.shutting_down = true;
    }

    /// The client closed its side.
    ///
    /// # Errors
    ///
    /// [`Violation::Eof`] if it did so in the midst of a message, which is also between two of its chunks, or of a login:
    /// what was received of it is to be dropped.
    pub fn eof(&mut self) -> Result<(), Violation> {
        let stage = match self.stage() {
            Stage::Idle if self.state.transaction.is_some_and(|t| t.chunked) => Stage::Chunk,
            stage => stage,
        };
        self.phase = Phase::Closed;
        match stage {
            Stage::Idle | Stage::Greeting => Ok(()),
            _ => Err(Violation::Eof { stage }),
        }
    }

    const fn stage(&self) -> Stage {
        match self.phase {
            Phase::Opened => Stage::Greeting,
            Phase::Message(_) => Stage::Body,
            Phase::AuthResponse => Stage::Auth,
            Phase::StartTls => Stage::StartTls,
            Phase::Commands | Phase::SkipLine(_) | Phase::Closed => Stage::Idle,
        }
    }

    /// Whether this is input ahead of the greeting, from a client that may not send any.
    fn refuses_early(&self, input: &[u8]) -> bool {
        self.config.refuse_early_talkers
            && !input.is_empty()
            && !self.capabilities.has(Extension::PipeConnect)
    }

    fn options(&self) -> command::Options {
        command::Options::default().with_strict_hello(self.config.strict_hello)
    }

    fn need_input<T>(&mut self, now: Duration) -> Step<T> {
        Step::NeedInput(self.deadline.arm(now, self.config.timeouts.command))
    }

    /// The machine's own answer to something wrong; too many end the session.
    fn reject<'b>(
        &mut self,
        len: usize,
        reply: &Reply<'static>,
        output: &mut BytesMut,
    ) -> Result<Step<(Taken, Event<'b>)>, Violation> {
        self.errors = self.errors.saturating_add(1);
        if self.errors > self.config.limits.errors {
            return Err(self.fail(Violation::TooManyErrors));
        }
        Ok(self.answered(len, reply, output))
    }

    fn answered<'b>(
        &mut self,
        len: usize,
        reply: &Reply<'static>,
        output: &mut BytesMut,
    ) -> Step<(Taken, Event<'b>)> {
        self.write(reply, output);
        found(len, Kind::Rejected(reply.code()), Event::Rejected(reply.code()))
    }

    const fn fail(&mut self, violation: Violation) -> Violation {
        self.phase = Phase::Closed;
        self.owed = Owed::Nothing;
        violation
    }

    /// Unknown commands and failed logins add up to a 421.
    fn count(&mut self, owed: &Owed, code: Code, output: &mut BytesMut) {
        let refused = code.class() == Class::Permanent;
        match owed {
            Owed::Unknown { .. } if refused => self.errors = self.errors.saturating_add(1),
            Owed::Auth if refused => self.auth_failures = self.auth_failures.saturating_add(1),
            _ => return,
        }
        let limits = &self.config.limits;
        if self.errors > limits.errors || self.auth_failures >= limits.auth_failures {
            self.close_with(&Violation::TooManyErrors.reply().unwrap_or(say::SHUTTING_DOWN), output);
        }
    }

    fn close_with(&mut self, reply: &Reply<'static>, output: &mut BytesMut) {
        self.phase = Phase::Closed;
        self.owed = Owed::Nothing;
        self.write(reply, output);
    }

    /// Writes the last words of a session that a [`Violation`] ended: its [`reply`](Violation::reply), with the server's
    /// name in front of a 421.
    pub fn write_last(&self, reply: &Reply<'_>, output: &mut BytesMut) {
        self.write(reply, output);
    }

    /// Writes a reply that needs nothing added but the name in front of 221 and 421, and of the greeting.
    fn write(&self, reply: &Reply<'_>, output: &mut BytesMut) {
        let utf8 = self.state.transaction.as_ref().is_some_and(|t| t.declared.smtputf8);
        match reply.code() {
            Code::READY | Code::CLOSING | Code::NOT_AVAILABLE => self.write_named(reply, output),
            _ => reply.write(utf8, output),
        }
    }

    /// RFC 2034: a status on every reply to a client that was told of it, but for the greeting, EHLO and 3yz.
    fn write_with_status(&self, reply: &Reply<'_>, owed: &Owed, output: &mut BytesMut) {
        let due = self.state.offered.contains(Extension::EnhancedStatusCodes)
            && reply.status().is_none()
            && !matches!(owed, Owed::Greeting | Owed::Hello(_));
        match owed.status(reply.code().class()) {
            Some(status) if due => self.write(&reply.as_borrowed().with_status(status), output),
            _ if matches!(owed, Owed::StartTls) => reply.write(false, output),
            _ => self.write(reply, output),
        }
    }

    /// RFC 5321, 4.2: the greeting, 221 and 421 start with the domain.
    fn write_named(&self, reply: &Reply<'_>, output: &mut BytesMut) {
        let domain = self.config.domain.as_str();
        if reply.lines().next().is_some_and(|line| names(line.text, domain)) {
            return reply.write(false, output);
        }
        let text = alloc::format!("{domain} {}", reply.text());
        match Reply::new(reply.code(), text) {
            Ok(named) => match reply.status() {
                Some(status) => named.with_status(status).write(false, output),
                None => named.write(false, output),
            },
            // The text was a reply's and the name a domain's: neither holds a control character.
            Err(_) => reply.write(false, output),
        }
    }

    fn write_hello(&self, verb: Verb, reply: &Reply<'_>, output: &mut BytesMut) {
        if verb == Verb::Helo {
            return self.write_named(reply, output);
        }
        let text = reply.text();
        let text = text.lines().next().unwrap_or_default();
        let listed =
            self.capabilities.clone().restricted_to(self.state.offered).with_mechanisms(self.mechanisms());
        // RFC 2033, 5: they are offered in any case.
        let listed = match verb {
            Verb::Lhlo => listed.with(Extension::Pipelining).with(Extension::EnhancedStatusCodes),
            _ => listed,
        };
        let domain = self.config.domain.as_str();
        if names(text.as_bytes(), domain) {
            listed.write_ehlo(text, output);
        } else {
            listed.write_ehlo(&alloc::format!("{domain} {text}"), output);
        }
    }
}

/// The start of an AUTH command.
const AUTH: &[u8] = b"AUTH ";

/// Octets for `AUTH SCRAM-SHA-256-PLUS ` and some to spare.
const AUTH_NAME: usize = 64;

impl Owed {
    fn of(command: &Command<'_>) -> Self {
        use Command as C;
        match command {
            C::Ehlo(_) => Self::Hello(Verb::Ehlo),
            C::Helo(_) => Self::Hello(Verb::Helo),
            C::Lhlo(_) => Self::Hello(Verb::Lhlo),
            C::Mail(mail) => Self::Mail(mail.declared),
            C::Rcpt(_) => Self::Rcpt,
            C::Data => Self::Data,
            C::StartTls => Self::StartTls,
            C::Auth { .. } => Self::Auth,
            C::Rset => Self::Rset,
            C::Xclient(_) => Self::Xclient,
            C::Quit => Self::Quit,
            C::Other { .. } => Self::Unknown { recognised: command.verb().is_some() },
            C::Vrfy(_) => Self::Plain(Verb::Vrfy),
            C::Expn(_) => Self::Plain(Verb::Expn),
            C::Help(_) => Self::Plain(Verb::Help),
            C::Etrn(_) => Self::Plain(Verb::Etrn),
            C::Xforward(_) => Self::Plain(Verb::Xforward),
            C::Noop(_) => Self::Plain(Verb::Noop),
            C::Bdat { .. } => Self::Nothing,
        }
    }

    /// Whether this code answers it.
    const fn admits(&self, code: Code) -> Result<(), NotNow> {
        let fits = match (self, code.class()) {
            (Self::Nothing, _) => return Err(NotNow::NothingOwed),
            (_, Class::Transient | Class::Permanent) => true,
            (Self::Data, Class::Intermediate) => code.as_u16() == 354,
            (Self::Data, Class::Completed) => false,
            (Self::Greeting | Self::StartTls | Self::Xclient, Class::Completed) => code.as_u16() == 220,
            (Self::Auth, Class::Completed) => code.as_u16() == 235,
            (Self::Quit, Class::Completed) => code.as_u16() == 221,
            (_, Class::Completed) => true,
            (_, Class::Intermediate) => false,
        };
        if fits { Ok(()) } else { Err(NotNow::WrongCode(code)) }
    }

    /// RFC 2920, 3.2: replies that may not be held back.
    const fn is_urgent(&self) -> bool {
        matches!(
            self,
            Self::Greeting
                | Self::Hello(_)
                | Self::Data
                | Self::Plain(_)
                | Self::Quit
                | Self::Unknown { .. }
                | Self::Auth
        )
    }

    /// The status that is meant where the embedder gave none.
    const fn status(&self, class: Class) -> Option<Enhanced> {
        let digit = match class {
            Class::Completed => 2,
            Class::Intermediate => return None,
            Class::Transient => 4,
            Class::Permanent => 5,
        };
        let (subject, detail) = match self {
            Self::Mail(_) => (1, 0),
            Self::Rcpt if digit == 2 => (1, 5),
            Self::Auth => (7, if digit == 5 { 8 } else { 0 }),
            _ => (0, 0),
        };
        Enhanced::new(digit, subject, detail)
    }
}

impl<'b> Event<'b> {
    fn of(command: Command<'b>) -> Option<Self> {
        use Command as C;
        Some(match command {
            C::Ehlo(name) => Self::Hello { verb: Verb::Ehlo, name },
            C::Helo(name) => Self::Hello { verb: Verb::Helo, name },
            C::Lhlo(name) => Self::Hello { verb: Verb::Lhlo, name },
            C::Mail(mail) => Self::Mail(mail),
            C::Rcpt(rcpt) => Self::Rcpt(rcpt),
            C::Data => Self::Data,
            C::Bdat { size, last } => Self::Chunk { size, last },
            C::Rset => Self::Rset,
            C::Noop(text) => Self::Noop(text),
            C::Quit => Self::Quit,
            C::Vrfy(text) => Self::Vrfy(text),
            C::Expn(text) => Self::Expn(text),
            C::Help(text) => Self::Help(text),
            C::StartTls => Self::StartTls,
            C::Auth { mechanism, initial } => Self::Auth { mechanism: mechanism.known()?, initial },
            C::Etrn(text) => Self::Etrn(text),
            C::Xclient(attributes) => Self::Xclient(attributes),
            C::Xforward(attributes) => Self::Xforward(attributes),
            C::Other { verb, args } => Self::Unknown { verb, args },
        })
    }
}

/// Whether a reply's first line starts with the domain already.
fn names(text: &[u8], domain: &str) -> bool {
    matches!(text.strip_prefix(domain.as_bytes()), Some([] | [b' ', ..]))
}

fn found<'b>(len: usize, kind: Kind, event: Event<'b>) -> Step<(Taken, Event<'b>)> {
    Step::Event((Taken { len, kind }, event))
}
