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

mod commands;
mod config;
mod event;
mod flight;
mod state;

use alloc::sync::Arc;
use core::time::Duration;

pub use config::Config;
pub use event::{Answer, Step, Taken};

use crate::address::ForwardPath;
use crate::dot::Stuffer;
use crate::error::Violation;
use crate::extension::{Capabilities, Domains, Extension};
use crate::limits::Deadline;
use crate::link;
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

    /// Whether somebody vouched for the host: see [`set_host_authentic`](Self::set_host_authentic).
    #[must_use]
    pub const fn host_is_authentic(&self) -> bool {
        self.state.authentic
    }

    /// Vouches for the host, whose certificate was verified by TLS: its name was configured, was found by an MX lookup
    /// under DNSSEC, or fits the domain's MTA-STS policy. Without that, no message is sent with REQUIRETLS (RFC 8689, 4.2.1).
    ///
    /// Does nothing without TLS, and STARTTLS and XCLIENT forget it.
    pub const fn set_host_authentic(&mut self) {
        self.state.authentic = self.state.tls;
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

    /// How many transactions more this session has room for, where the server says (RFC 9422, MAILMAX).
    #[must_use]
    pub fn mails_left(&self) -> Option<u32> {
        self.capabilities.limits().mail_max.map(|max| max.saturating_sub(self.state.mails))
    }

    /// Keeps room for a recipient at this domain, if the session has any (RFC 9422, RCPTDOMAINMAX).
    pub(crate) fn reserve_domain(&mut self, to: &ForwardPath<'_>) -> bool {
        let Some(max) = self.capabilities.limits().rcpt_domain_max else { return true };
        let over = self.state.domains.is_over(to, max);
        if !over {
            self.state.domains.add(Domains::of(to));
        }
        !over
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
        Ok(self.advance(now, input)?.map(|(taken, _)| taken))
    }

    fn advance<'b>(&mut self, now: Duration, input: &'b [u8]) -> Result<Step<(Taken, Reply<'b>)>, Violation> {
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
        if to == Stage::Greeting && link::may_become_tls(input) {
            return Ok(Step::NeedInput(self.deadline.arm(now, self.patience(to))));
        }
        let limits = &self.config.limits;
        match self.replies.reply(input, limits.reply_line, limits.reply) {
            Ok(None) => Ok(Step::NeedInput(self.deadline.arm(now, self.patience(to)))),
            Ok(Some((len, reply))) => {
                let taken = Taken { len, to };
                self.deadline.clear();
                match self.take(awaited, &reply, input.len() > len) {
                    Ok(()) if awaited.is_none() => Ok(Step::Unsolicited((taken, reply))),
                    Ok(()) => Ok(Step::Event((taken, reply))),
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
        Ok(self.advance(now, seen)?.map(|(taken, reply)| {
            *input = &seen[taken.len..];
            Answer { to: taken.to, reply }
        }))
    }

    fn parse<'b>(&self, raw: &'b [u8]) -> Result<Reply<'b>, reply::Malformed> {
        if self.config.lenient_replies { Reply::parse_lenient(raw) } else { Reply::parse(raw) }
    }

    /// What a reply changes.
    fn take(&mut self, awaited: Option<Stage>, reply: &Reply<'_>, more: bool) -> Result<(), Violation> {
        let code = reply.code();
        let Some(stage) = awaited else {
            // A server that speaks unasked says why it leaves, or is out of step: either way it is over.
            let last_words = self.in_body() || !reply.is_positive();
            self.phase = Phase::Closed;
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
            (Stage::Hello, true) if self.state.extended => {
                let offered = Capabilities::parse(reply);
                let used = offered.set().difference(self.config.unused);
                self.capabilities = offered.restricted_to(used).into_owned();
            }
            // Whatever lines its response has, HELO has no extensions (RFC 5321, 4.1.1.1).
            (Stage::Hello, true) => self.capabilities = Capabilities::new(),
            (Stage::Data, _) if code.as_u16() == 354 => {
                self.phase = Phase::Data(Stuffer::new(self.config.line_ends));
            }
            (Stage::StartTls, true) if more => return Err(Violation::BehindStartTls),
            (Stage::StartTls, true) => self.phase = Phase::StartTls,
            (Stage::Quit, _) => self.phase = Phase::Closed,
            (Stage::Xclient, true) => self.capabilities = Capabilities::new(),
            _ => {}
        }
        if stage == Stage::Hello && !self.state.tls {
            self.disbelieve();
        }
        Ok(())
    }

    /// What means nothing in the clear, where anybody may have written it: REQUIRETLS (RFC 8689, 2), and LIMITS where TLS is
    /// to be had (RFC 9422, 7).
    fn disbelieve(&mut self) {
        let mut offered = core::mem::take(&mut self.capabilities).without(Extension::RequireTls);
        if offered.has(Extension::StartTls) {
            offered = offered.without(Extension::Limits);
        }
        self.capabilities = offered;
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
