//! The server's end: the event and reply loop over a link, a script that may say otherwise than the default, and a
//! record of all that was taken over.

use std::{collections::HashMap, ops::Range, sync::Arc, time::Duration};

use smtp_proto::{
    auth::{
        Mechanism,
        server::{Claim, Exchange, Next, Offer, Secret},
    },
    error::Violation,
    link::Link,
    reply::Reply,
    server::{Config, Event, Server, Step},
    stage::Stage,
    status::Code,
};

use super::wire::{Pipe, Read};

pub(crate) const USER: &str = "tim";
pub(crate) const PASSWORD: &str = "tanstaaftanstaaf";

/// What is asked of the script.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask<'a> {
    pub(crate) stage: Stage,
    /// The how-manieth of its stage on this connection, from 0.
    pub(crate) n: usize,
    /// Of RCPT: the mailbox. At the end of a message: the one whose reply is owed in LMTP and PRDR.
    pub(crate) to: &'a str,
}

#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// What a server says that has no opinion.
    Default,
    Say(Reply<'static>),
    /// The same, so much later.
    Later(Duration, Option<Reply<'static>>),
    /// Never answers.
    Hang,
    /// Tells the machine to shut down, then answers as by default.
    ShutDown,
}

pub(crate) fn reply(code: u16, text: &'static str) -> Reply<'static> {
    Reply::new(Code::new(code).expect("a code"), text).expect("a text")
}

pub(crate) fn say(code: u16, text: &'static str) -> Act {
    Act::Say(reply(code, text))
}

pub(crate) type Script = Box<dyn FnMut(Ask<'_>) -> Act>;

/// A message that the server took over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) from: String,
    /// MAIL's parameters.
    pub(crate) params: String,
    /// For whom it was taken over.
    pub(crate) to: Vec<String>,
    pub(crate) data: Vec<u8>,
    pub(crate) tls: bool,
    pub(crate) user: Option<String>,
}

#[derive(Debug, Default)]
struct Draft {
    stored: Stored,
    /// Accepted by RCPT.
    to: Vec<String>,
    /// Replies to the end of the message that were given, and their number.
    answered: usize,
    replies: usize,
    is_stored: bool,
}

/// A reply that waits to be given.
#[derive(Debug)]
struct Job {
    /// `None`: never.
    at: Option<Duration>,
    stage: Stage,
    reply: Option<Reply<'static>>,
    to: String,
}

pub(crate) struct ServerEnd {
    pub(crate) machine: Server,
    pub(crate) link: Link,
    script: Script,
    /// All messages that were answered 2yz, in their order.
    pub(crate) stored: Vec<Stored>,
    /// The verbs' stages, as they came.
    pub(crate) heard: Vec<Stage>,
    pub(crate) violation: Option<Violation>,
    /// The link's error, if TLS failed.
    pub(crate) failed: bool,
    pub(crate) writes: usize,
    /// Within a message of more octets, says 421 and closes.
    pub(crate) fail_after: Option<usize>,
    seen: HashMap<Stage, usize>,
    draft: Draft,
    exchange: Option<Exchange>,
    user: Option<String>,
    job: Option<Job>,
    deadline: Option<Duration>,
    reading: bool,
    /// The wire is full.
    blocked: bool,
    closed: bool,
}

impl ServerEnd {
    pub(crate) fn new(config: Arc<Config>, implicit_tls: bool, script: Script) -> Self {
        let mut machine = Server::new(config);
        let link = if implicit_tls { tls_link() } else { Link::plain() };
        if implicit_tls {
            machine.tls_established();
        }
        Self {
            machine,
            link,
            script,
            stored: Vec::new(),
            heard: Vec::new(),
            violation: None,
            failed: false,
            writes: 0,
            fail_after: None,
            seen: HashMap::new(),
            draft: Draft::default(),
            exchange: None,
            user: None,
            job: None,
            deadline: None,
            reading: false,
            blocked: false,
            closed: false,
        }
    }

    /// When it wants to be run again, whatever comes over the wire.
    pub(crate) fn wake(&self) -> Option<Duration> {
        match &self.job {
            _ if self.closed => None,
            Some(job) if !self.blocked => job.at,
            _ => self.deadline,
        }
    }

    /// Whether octets from the wire would be read.
    pub(crate) fn is_reading(&self) -> bool {
        self.reading
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Does all that can be done at this time.
    pub(crate) fn run(&mut self, now: Duration, up: &mut Pipe, down: &mut Pipe) {
        loop {
            self.reading = false;
            // What did not fit goes first; beyond that, replies leave when the machine says so.
            if self.closed {
                return;
            }
            if self.blocked && !self.write(now, down) {
                if self.deadline.is_some_and(|until| until <= now) {
                    self.closed = true;
                    down.finish(now);
                }
                return;
            }
            if let Some(job) = self.job.take_if(|job| job.at.is_some_and(|at| at <= now)) {
                self.answer(&job.to, job.stage, job.reply);
                self.ask_next(now, job.stage);
                continue;
            }
            if self.job.is_some() {
                // Nothing is held back while a handler thinks.
                self.write(now, down);
                return;
            }
            if self.link.is_handshaking() {
                if !self.write(now, down) {
                    return;
                }
                let until = *self.deadline.get_or_insert(now + self.machine.config().timeouts.command);
                if !self.read(now, up, down) {
                    if until <= now {
                        self.close(now, down);
                    }
                    return;
                }
                continue;
            }
            if self.fail_after.is_some_and(|octets| self.draft.stored.data.len() > octets) {
                reply(421, "disk failure").write(false, self.link.output());
                self.close(now, down);
                return;
            }
            match self.step(now) {
                Ok(Step::Event(())) => {}
                Ok(Step::Flush(_)) => {
                    self.write(now, down);
                }
                Ok(Step::NeedInput(until)) => {
                    self.deadline = until;
                    if !self.write(now, down) {
                        return;
                    }
                    if !self.read(now, up, down) {
                        if until.is_some_and(|until| until <= now) {
                            let violation = self.machine.timed_out(self.link.output());
                            self.violation = Some(violation);
                            continue;
                        }
                        return;
                    }
                }
                Ok(Step::StartTls) => {
                    if !self.write(now, down) {
                        return;
                    }
                    self.start_tls();
                    self.user = None;
                }
                Ok(Step::Closed) => self.close(now, down),
                Ok(_) => panic!("the loop left a reply owing"),
                Err(violation) => {
                    self.violation = Some(violation);
                    self.close(now, down);
                }
            }
        }
    }

    /// Whether all was written.
    fn write(&mut self, now: Duration, down: &mut Pipe) -> bool {
        let was_blocked = self.blocked;
        loop {
            let octets = self.link.outgoing();
            self.blocked = !octets.is_empty();
            if !self.blocked {
                return true;
            }
            match down.write(now, octets) {
                0 => {
                    if !was_blocked {
                        self.deadline = Some(now + self.machine.config().timeouts.write);
                    }
                    return false;
                }
                n => self.link.sent(n),
            }
            self.writes += 1;
        }
    }

    /// Whether anything came.
    fn read(&mut self, now: Duration, up: &mut Pipe, down: &mut Pipe) -> bool {
        self.reading = true;
        match up.read(now, self.link.incoming()) {
            Read::Nothing => return false,
            Read::Octets => {
                self.failed |= self.link.received().is_err();
                if self.failed || self.link.peer_closed() {
                    self.violation = self.machine.eof().err();
                    self.close(now, down);
                }
            }
            Read::End => {
                self.failed |= self.link.eof().is_err();
                self.violation = self.machine.eof().err();
                self.close(now, down);
            }
        }
        true
    }

    fn close(&mut self, now: Duration, down: &mut Pipe) {
        self.link.close();
        self.write(now, down);
        down.finish(now);
        self.closed = true;
    }

    fn step(&mut self, now: Duration) -> Result<Step<()>, Violation> {
        let (input, output) = self.link.split();
        let taken = match self.machine.step(now, input, output)? {
            Step::Event(taken) => taken,
            Step::AwaitingReply => return Ok(Step::AwaitingReply),
            Step::Flush(until) => return Ok(Step::Flush(until)),
            Step::NeedInput(until) => return Ok(Step::NeedInput(until)),
            Step::StartTls => return Ok(Step::StartTls),
            Step::Closed => return Ok(Step::Closed),
            _ => unreachable!("a step of a later version"),
        };
        let mut to = String::new();
        let stage = match self.machine.event(taken, input) {
            Event::Connect => Stage::Greeting,
            Event::Hello { .. } => Stage::Hello,
            Event::Mail(mail) => {
                self.draft = Draft::default();
                self.draft.stored.from = mail.from.as_str().to_owned();
                self.draft.stored.params = mail.params.to_string();
                Stage::Mail
            }
            Event::Rcpt(rcpt) => {
                to = rcpt.to.as_str().to_owned();
                Stage::Rcpt
            }
            Event::Data => Stage::Data,
            Event::Body(body) => {
                body.append_to(&mut self.draft.stored.data);
                Stage::Idle
            }
            Event::Chunk { .. } | Event::Discarded | Event::AuthCancelled => Stage::Idle,
            Event::Refused(_) => {
                self.draft.stored.data.clear();
                Stage::Idle
            }
            Event::Rejected(_) => Stage::Idle,
            Event::ChunkEnd => Stage::Chunk,
            Event::MessageEnd { replies } => {
                self.draft.replies = replies as usize;
                to = self.draft.to.first().cloned().unwrap_or_default();
                Stage::EndOfData
            }
            Event::StartTls => Stage::StartTls,
            Event::Auth { mechanism, initial } => {
                let mechanism = mechanism.known().expect("one of ours");
                let initial = initial.map(|initial| initial.decode());
                let mechanisms = self.machine.capabilities().mechanisms();
                let offer = Offer::new(mechanisms, b"a nonce of eighteen").with_domain("mx.example");
                let mut exchange = Exchange::new(mechanism, &offer).expect("offered");
                let next = exchange.start(initial.as_deref());
                self.link.consume(taken.len());
                self.heard.push(Stage::Auth);
                self.authenticate(mechanism, exchange, next);
                return Ok(Step::Event(()));
            }
            Event::AuthResponse(response) => {
                let response = response.decode();
                let mut exchange = self.exchange.take().expect("an exchange is open");
                let next = exchange.respond(&response);
                self.link.consume(taken.len());
                self.authenticate(Mechanism::Plain, exchange, next);
                return Ok(Step::Event(()));
            }
            Event::Rset => Stage::Rset,
            Event::Noop(_) => Stage::Noop,
            Event::Quit => Stage::Quit,
            _ => Stage::Other,
        };
        self.link.consume(taken.len());
        if stage != Stage::Idle {
            self.heard.push(stage);
            self.ask(now, stage, to);
        }
        Ok(Step::Event(()))
    }

    fn ask(&mut self, now: Duration, stage: Stage, to: String) {
        let n = self.seen.entry(stage).or_default();
        let act = (self.script)(Ask { stage, n: *n, to: &to });
        *n += 1;
        let (at, reply) = match act {
            Act::Default => (Some(now), None),
            Act::Say(reply) => (Some(now), Some(reply)),
            Act::Later(by, reply) => (Some(now + by), reply),
            Act::Hang => (None, None),
            Act::ShutDown => {
                self.machine.shut_down();
                (Some(now), None)
            }
        };
        if at == Some(now) {
            self.answer(&to, stage, reply);
            return self.ask_next(now, stage);
        }
        self.job = Some(Job { at, stage, reply, to });
    }

    /// A message in LMTP or under PRDR is owed more replies than one.
    fn ask_next(&mut self, now: Duration, stage: Stage) {
        if stage == Stage::EndOfData && self.draft.answered > 0 && self.machine.owed() > 0 {
            let to = self.draft.to.get(self.draft.answered).cloned().unwrap_or_default();
            self.ask(now, stage, to);
        }
    }

    fn answer(&mut self, to: &str, stage: Stage, reply: Option<Reply<'static>>) {
        let reply = reply.or_else(|| self.machine.default_reply()).expect("a reply is owed");
        self.machine
            .reply(&reply, self.link.output())
            .unwrap_or_else(|why| panic!("{reply} to {stage}: {why}"));
        if stage == Stage::Rcpt && reply.is_positive() {
            self.draft.to.push(to.to_owned());
        }
        if stage == Stage::EndOfData {
            let n = self.draft.answered;
            self.draft.answered += 1;
            let whole = self.draft.replies == 1;
            // Under PRDR the reply behind all recipients' is for the message as a whole.
            if reply.is_positive() && (whole || n < self.draft.to.len()) {
                let for_whom = if whole { 0..self.draft.to.len() } else { n..n + 1 };
                self.take_over(for_whom);
            }
        }
    }

    /// At each positive reply: what is told to the client is true from then on.
    fn take_over(&mut self, for_whom: Range<usize>) {
        let draft = &mut self.draft;
        if !draft.is_stored {
            draft.is_stored = true;
            let (tls, user) = (self.machine.has_tls(), self.user.clone());
            self.stored.push(Stored { tls, user, ..std::mem::take(&mut draft.stored) });
        }
        let stored = self.stored.last_mut().expect("just stored");
        stored.to.extend_from_slice(&draft.to[for_whom]);
    }

    fn authenticate(&mut self, mechanism: Mechanism, mut exchange: Exchange, mut next: Next) {
        let output = self.link.output();
        loop {
            next = match next {
                Next::Challenge(challenge) => {
                    self.machine.challenge(&challenge, output).expect("an exchange is open");
                    self.exchange = Some(exchange);
                    return;
                }
                Next::Verify(Claim::Password { user, password, .. }) if password == PASSWORD => {
                    exchange.accept(user)
                }
                Next::Lookup { user } if user == USER => {
                    let secret = Secret::Password(PASSWORD.into());
                    exchange.with_secret(&secret)
                }
                Next::Verify(_) | Next::Lookup { .. } => exchange.deny(),
                Next::Accept { user, .. } => {
                    self.user = Some(user);
                    return self.machine.reply(&reply(235, "welcome"), output).expect("an exchange is open");
                }
                Next::Refuse(error) => {
                    return self.machine.reply(&error.reply(), output).expect("an exchange is open");
                }
                next => panic!("{mechanism}: {next:?}"),
            }
        }
    }

    #[cfg(feature = "rustls")]
    fn start_tls(&mut self) {
        self.link.start_tls(crate::tls::server()).expect("nothing stands in the clear");
        self.deadline = None;
        self.machine.tls_established();
    }

    #[cfg(not(feature = "rustls"))]
    fn start_tls(&mut self) {
        unreachable!("STARTTLS was offered without TLS");
    }
}

#[cfg(feature = "rustls")]
fn tls_link() -> Link {
    Link::tls(crate::tls::server())
}

#[cfg(not(feature = "rustls"))]
fn tls_link() -> Link {
    unreachable!("TLS without TLS")
}
