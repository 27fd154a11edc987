//! The server's machine, fed a client's octets: cut or whole it says the same, and it answers what it owes, no more.

use std::sync::Arc;
use std::time::Duration;

use arbitrary::Arbitrary;
use bytes::BytesMut;
use smtp_proto::address::Domain;
use smtp_proto::auth::Mechanism;
use smtp_proto::dot::LineEnds;
use smtp_proto::error::{NotNow, Violation};
use smtp_proto::extension::{Extension, SessionLimits};
use smtp_proto::reply::{Framing, Reply};
use smtp_proto::server::{Config, Event, Server, Step};
use smtp_proto::stage::Protocol;
use smtp_proto::status::{Class, Code, Enhanced};

use super::script::{Party, Script, Went, settle};

/// Any octets of a client's.
pub fn bytes(input: &[u8]) {
    let script = Script::read(input);
    let whole = Run::new(Script { cuts: &[], ..script }, true).all();
    let cut = Run::new(script, false).all();
    let plaintext = Some(Violation::BehindStartTls);
    if whole.end == plaintext || cut.end == plaintext {
        // What is behind STARTTLS may come too late to be seen: what went before is the same.
        let common = whole.told.len().min(cut.told.len());
        return assert_eq!(whole.told[..common], cut.told[..common]);
    }
    assert_eq!(whole.told, cut.told);
    assert_eq!(whole.end, cut.end);
    assert_eq!(whole.said.escape_ascii().to_string(), cut.said.escape_ascii().to_string());
}

/// A server by the letters that stand in `options`.
pub fn config(script: &Script<'_>) -> Arc<Config> {
    let has = |option| script.has(option);
    let mut config = Config::new(Domain::parse("mx.example").expect("a domain"));
    if has(b'l') {
        config = config.lmtp();
    }
    if has(b's') {
        config = config.with_starttls();
    }
    if has(b'a') {
        config = config.with_auth(Mechanism::ALL.iter().copied().collect());
    }
    if has(b'x') {
        use Extension as E;
        for more in [E::Xclient, E::Xforward, E::Etrn, E::Help, E::Expn, E::RequireTls] {
            config.capabilities = config.capabilities.with(more);
        }
    }
    if has(b'p') {
        config.capabilities = config.capabilities.with(Extension::Prdr);
    }
    if has(b'i') {
        config.capabilities = config.capabilities.with(Extension::PipeConnect);
    }
    if has(b'm') {
        let limits = SessionLimits::default().with_mail_max(2).with_rcpt_max(1);
        config.capabilities = config.capabilities.with_limits(limits);
    }
    if has(b'z') {
        config.capabilities = config.capabilities.with_size(48);
    }
    if has(b'k') {
        let limits = &mut config.limits;
        (limits.line, limits.auth_line, limits.recipients, limits.errors) = (64, 96, 3, 3);
        (limits.block, limits.output, limits.drain, limits.auth_failures) = (16, 256, 128, 2);
    }
    if has(b'n') || has(b'b') {
        config.policy.line_ends = if has(b'n') { LineEnds::Normalise } else { LineEnds::Keep };
        config.policy.nul = true;
    }
    if has(b'f') {
        config.policy.long_lines = false;
        config.policy.undeclared_8bit = false;
    }
    config.auth_in_clear = has(b'c');
    config.require_tls = has(b't');
    config.require_auth = has(b'r');
    config.refuse_early_talkers = !has(b'E');
    config.strict_hello = has(b'h');
    config.shared()
}

/// What an embedder may do where a reply is owed.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// What [`Server::default_reply`] says.
    Default,
    Ok,
    Ready,
    LoggedIn,
    Closing,
    Go,
    Challenge,
    Later,
    Never,
    Goodbye,
    NoHost,
    Long,
    ShutDown,
}

impl Answer {
    /// A letter for each, as a script has them.
    pub const fn from_letter(letter: u8) -> Self {
        match letter {
            b'2' => Self::Ok,
            b'g' => Self::Ready,
            b'a' => Self::LoggedIn,
            b'q' => Self::Closing,
            b'3' => Self::Go,
            b'c' => Self::Challenge,
            b'4' => Self::Later,
            b'5' => Self::Never,
            b'1' => Self::Goodbye,
            b'x' => Self::NoHost,
            b'l' => Self::Long,
            b's' => Self::ShutDown,
            _ => Self::Default,
        }
    }

    /// Does it. A reply that doesn't fit is refused, and nothing is changed by it.
    pub fn give(self, server: &mut Server, output: &mut BytesMut) -> Result<(), NotNow> {
        const LONG: &str =
            "so many words that no line of five hundred and twelve octets can hold them all at once, ";
        let status = Some(Enhanced::fixed(4, 2, 1));
        let reply = match self {
            Self::Default => server.default_reply().ok_or(NotNow::NothingOwed)?,
            Self::Challenge => return unchanged(server, output, |s, output| s.challenge(b"tell me", output)),
            Self::ShutDown => {
                server.shut_down();
                return Ok(());
            }
            Self::Ok => Reply::fixed(Code::OK, None, "ok"),
            Self::Ready => Reply::fixed(Code::READY, None, "mx.example ready"),
            Self::LoggedIn => Reply::fixed(Code::AUTHENTICATED, None, "in"),
            Self::Closing => Reply::fixed(Code::CLOSING, None, "bye"),
            Self::Go => Reply::fixed(Code::START_MAIL, None, "go"),
            Self::Later => Reply::fixed(Code::MAILBOX_BUSY, status, "later"),
            Self::Never => Reply::fixed(Code::MAILBOX_UNAVAILABLE, None, "no\nnever"),
            Self::Goodbye => Reply::fixed(Code::NOT_AVAILABLE, None, ""),
            Self::NoHost => Reply::fixed(Code::NO_MAIL_HOST, None, "nobody here"),
            Self::Long => Reply::new(Code::OK, LONG.repeat(9)).expect("text"),
        };
        unchanged(server, output, |server, output| server.reply(&reply, output))
    }
}

/// A call that comes at the wrong time leaves everything as it was.
pub fn unchanged<M: std::fmt::Debug, T>(
    machine: &mut M,
    output: &mut BytesMut,
    call: impl FnOnce(&mut M, &mut BytesMut) -> Result<T, NotNow>,
) -> Result<T, NotNow> {
    let (before, len) = (format!("{machine:?}"), output.len());
    let done = call(machine, output);
    if let Err(error) = &done
        && *error != NotNow::Unsendable
    {
        assert_eq!(len, output.len(), "{error:?} with output");
        assert_eq!(before, format!("{machine:?}"), "{error:?} with a change");
    }
    done
}

/// The codes of the replies that `output` is made of.
pub fn codes(output: &[u8]) -> Vec<u16> {
    let (mut codes, mut rest) = (Vec::new(), output);
    while !rest.is_empty() {
        let shown = rest.escape_ascii();
        let len = Framing::new().next(rest, 512, usize::MAX).expect("a well-formed reply");
        let len = len.unwrap_or_else(|| panic!("half a reply: {shown}"));
        let reply = Reply::parse(&rest[..len]).unwrap_or_else(|error| panic!("{error}: {shown}"));
        assert!(!reply.lines().any(|line| line.text.contains(&0)), "{shown}");
        codes.push(reply.code().as_u16());
        rest = &rest[len..];
    }
    codes
}

/// One connection of a scripted embedder's.
struct Run<'i> {
    server: Server,
    script: Script<'i>,
    answers: std::slice::Iter<'i, u8>,
    /// By `poll`, or by `step` and `event`: it makes no difference.
    polls: bool,
    output: BytesMut,
    log: Log,
    /// Recipients of the transaction, and whether PRDR was asked for.
    recipients: u32,
    prdr: bool,
}

/// What was seen of it.
#[derive(Debug, Default)]
struct Log {
    told: Vec<Told>,
    said: Vec<u8>,
    end: Option<Violation>,
}

#[derive(Debug, PartialEq)]
enum Told {
    Event(String),
    Body(Vec<u8>),
}

impl<'i> Run<'i> {
    fn new(script: Script<'i>, polls: bool) -> Self {
        Self {
            server: Server::new(config(&script)),
            script,
            answers: script.answers.iter(),
            polls,
            output: BytesMut::new(),
            log: Log::default(),
            recipients: 0,
            prdr: false,
        }
    }

    fn all(mut self) -> Log {
        let (mut input, script) = (Vec::new(), self.script);
        if !script.has(b'e') {
            settle(&mut self, &mut input, &mut 9);
        }
        if script.feed(&mut self, &mut input) != Went::Over {
            let eof = self.server.eof();
            self.log.told.push(Told::Event(format!("{eof:?}")));
            assert_eq!(settle(&mut self, &mut input, &mut 9), Went::Over);
        }
        self.log
    }

    fn flush(&mut self) {
        self.log.said.extend_from_slice(&self.output);
        codes(&self.output);
        self.output.clear();
    }

    /// Writes the event down, and checks what the machine said to it by itself.
    fn told(&mut self, event: &Event<'_>, said: &[u16]) {
        let config = self.server.config();
        let lmtp = config.protocol == Protocol::Lmtp;
        match event {
            Event::Body(body) => {
                assert!(said.is_empty() && self.server.owed() == 0);
                let mut octets = Vec::new();
                body.append_to(&mut octets);
                match self.log.told.last_mut() {
                    Some(Told::Body(all)) => all.extend(octets),
                    _ => self.log.told.push(Told::Body(octets)),
                }
                return;
            }
            Event::Discarded => return assert!(said.is_empty() && self.server.owed() == 0),
            Event::Refused(_) => {
                assert!(said.is_empty() && self.server.owed() == 0);
                // How much went by before the flaw is seen depends on the cuts; so does which of two is seen first.
                if let Some(Told::Body(_)) = self.log.told.last() {
                    self.log.told.pop();
                }
                return self.log.told.push(Told::Event("Refused".into()));
            }
            Event::Rejected(code) => {
                let each = self.recipients.max(1) as usize + usize::from(self.prdr && !lmtp);
                let codes = if let [353, rest @ ..] = said { rest } else { said };
                assert!(codes.iter().all(|said| *said == code.as_u16()), "{codes:?} for {code}");
                assert!(codes.len() == 1 || (codes.len() == each && (lmtp || self.prdr)), "{codes:?}");
            }
            Event::AuthCancelled => assert_eq!(said, [501]),
            Event::MessageEnd { replies } => {
                let prdr = self.prdr && !lmtp;
                assert_eq!(said, &[353][..usize::from(prdr)]);
                let expected =
                    if lmtp { self.recipients } else { 1 + if prdr { self.recipients } else { 0 } };
                assert_eq!(*replies, expected);
                assert_eq!(self.server.owed(), expected);
            }
            Event::Chunk { .. } => assert!(said.is_empty() && self.server.owed() == 0),
            _ => {
                assert!(said.is_empty(), "{said:?} to {event:?}");
                assert_eq!(self.server.owed(), 1, "{event:?}");
            }
        }
        self.log.told.push(Told::Event(format!("{event:?}")));
    }

    /// Answers what is owed.
    fn answer(&mut self, event: Event<'_>, rest: &[u8]) {
        while self.server.owed() > 0 {
            let waits = self.server.step(NOW, rest, &mut BytesMut::new());
            assert!(matches!(waits, Ok(Step::AwaitingReply)), "{waits:?} with a reply owed");
            let (mark, owed) = (self.output.len(), self.server.owed());
            let answer = self.answers.next().map_or(Answer::Default, |letter| Answer::from_letter(*letter));
            if answer.give(&mut self.server, &mut self.output).is_err() {
                Answer::Default.give(&mut self.server, &mut self.output).expect("what is owed has a default");
            }
            let said = codes(&self.output[mark..]);
            if answer == Answer::ShutDown {
                assert!(said.is_empty() && self.server.owed() == owed);
                continue;
            }
            assert!(matches!(said[..], [_] | [_, 421]), "{said:?}");
            let accepted = Code::new(said[0]).is_some_and(|code| code.class() == Class::Completed);
            match &event {
                Event::Mail(mail) if accepted => (self.recipients, self.prdr) = (0, mail.declared.prdr),
                Event::Rcpt(_) if accepted => self.recipients += 1,
                // XCLIENT's new session begins with a greeting, which is another event.
                _ => {}
            }
        }
    }
}

impl Party for Run<'_> {
    fn step(&mut self, input: &[u8]) -> Went {
        let mut rest = input;
        let mark = self.output.len();
        let step = if self.polls {
            self.server.poll(NOW, &mut rest, &mut self.output)
        } else {
            match self.server.step(NOW, input, &mut self.output) {
                Ok(Step::Event(taken)) => {
                    rest = &input[taken.len()..];
                    Ok(Step::Event(self.server.event(taken, input)))
                }
                other => other.map(eventless),
            }
        };
        let said = codes(&self.output[mark..]);
        let len = input.len() - rest.len();
        match step {
            Ok(Step::Event(event)) => {
                self.told(&event, &said);
                self.answer(event, rest);
                return Went::On(len);
            }
            Ok(Step::Flush(_)) => {
                assert!(!self.output.is_empty() && said.is_empty());
                self.flush();
                return Went::On(0);
            }
            Ok(Step::NeedInput(_)) => assert!(said.is_empty()),
            Ok(Step::StartTls) => {
                assert!(said.is_empty());
                self.flush();
                return Went::Tls;
            }
            Ok(Step::Closed) => {
                assert!(matches!(said[..], [] | [421]));
                self.flush();
                return Went::Over;
            }
            Ok(other) => panic!("{other:?} with nothing owed"),
            Err(violation) => {
                let last_words = violation.reply().map(|reply| reply.code().as_u16());
                assert_eq!(said, Vec::from_iter(last_words));
                assert!(matches!(
                    self.server.step(NOW, input, &mut self.output),
                    Ok(Step::Closed | Step::Flush(_))
                ));
                self.flush();
                self.log.end = Some(violation);
                return Went::Over;
            }
        }
        self.flush();
        Went::Wait
    }

    fn tls_established(&mut self) {
        self.server.tls_established();
    }
}

/// The age of every connection: no deadline passes.
pub const NOW: Duration = Duration::ZERO;

fn eventless<A: std::fmt::Debug, B>(step: Step<A>) -> Step<B> {
    match step {
        Step::AwaitingReply => Step::AwaitingReply,
        Step::Flush(until) => Step::Flush(until),
        Step::NeedInput(until) => Step::NeedInput(until),
        Step::StartTls => Step::StartTls,
        Step::Closed => Step::Closed,
        other => panic!("{other:?} is not known here"),
    }
}
