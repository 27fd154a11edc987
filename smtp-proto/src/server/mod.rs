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
mod lines;
mod owed;
mod receive;
mod reply;
mod state;
mod terms;
pub mod usual;

use alloc::sync::Arc;
use core::time::Duration;

use bytes::BytesMut;

pub use config::{Config, Invalid, Policy};
pub use event::{Event, Refusal, Step, Taken};

use crate::auth::{Base64, Mechanisms};
use crate::command::{self, Command, Verb};
use crate::dot::Body;
use crate::error::Violation;
use crate::extension::{Capabilities, Extension};
use crate::limits::Deadline;
use crate::line;
use crate::reply::Reply;
use crate::stage::Stage;
use answers as say;
use event::Kind;
use owed::Owed;
use receive::Receiving;
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

    /// The known mechanisms that AUTH offers as things stand: those of [`capabilities`](Self::capabilities), less what needs
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
    /// A [`Violation`] is the client's fault and fatal: its [`reply`](Violation::reply), if it has one, stands in the output
    /// by then. Write that, and close.
    pub fn step(
        &mut self,
        now: Duration,
        input: &[u8],
        output: &mut BytesMut,
    ) -> Result<Step<Taken>, Violation> {
        Ok(self.advance(now, input, output)?.map(|(taken, _)| taken))
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
            Kind::Command(len) => Event::of(Command::parse(&input[..len], self.options()).expect(NOT_SEEN)),
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
        Ok(self.advance(now, seen, output)?.map(|(taken, event)| {
            *input = &seen[taken.len..];
            event
        }))
    }

    fn advance<'b>(
        &mut self,
        now: Duration,
        input: &'b [u8],
        output: &mut BytesMut,
    ) -> Result<Step<(Taken, Event<'b>)>, Violation> {
        self.deadline.resume(now);
        let step = self.look(now, input, output);
        match &step {
            Ok(Step::Event(_)) => self.deadline.pause(now),
            Ok(_) => {}
            Err(violation) => {
                if let Some(reply) = violation.reply() {
                    self.write(&reply, output);
                }
            }
        }
        step
    }

    fn look<'b>(
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

    /// Ends the session with a 421 at once, whatever is in hand: a client that is not done when a shutdown has had its time.
    /// What was received of a message is to be dropped.
    pub fn close(&mut self, output: &mut BytesMut) {
        if !matches!(self.phase, Phase::Closed) {
            self.close_with(&say::SHUTTING_DOWN, output);
        }
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
}

fn found<'b>(len: usize, kind: Kind, event: Event<'b>) -> Step<(Taken, Event<'b>)> {
    Step::Event((Taken { len, kind }, event))
}
