//! Where a conversation went wrong: its lines are given to the core's own two machines, which know who may say what,
//! when.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use smtp_tokio::proto::address::Domain;
use smtp_tokio::proto::auth::{Base64, Mechanism, MechanismName};
use smtp_tokio::proto::client::{self, Client};
use smtp_tokio::proto::command::{self, Command, Options, Text, Verb, Word};
use smtp_tokio::proto::dot::LineEnds;
use smtp_tokio::proto::error::NotNow;
use smtp_tokio::proto::extension::{Capabilities, Extension};
use smtp_tokio::proto::reply::{self, Reply};
use smtp_tokio::proto::server::{self, Server};
use smtp_tokio::proto::session::Verdict;
use smtp_tokio::proto::stage::{Protocol, Stage};

use super::input::{Kind, Line};

/// What is to be said of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    /// The line's number.
    pub(super) line: usize,
    pub(super) gravity: Gravity,
    pub(super) what: String,
    /// What to do about it.
    pub(super) next: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gravity {
    /// The standards were broken.
    Fault,
    /// The server said no.
    Refusal,
    /// It worked, here.
    Warning,
}

impl Gravity {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Fault => "fault",
            Self::Refusal => "refusal",
            Self::Warning => "warning",
        }
    }
}

/// What was found out.
#[derive(Debug, Default)]
pub(super) struct Judgement {
    pub(super) findings: Vec<Finding>,
    /// The last line of each reply that was understood, and what it answers.
    pub(super) answers: Vec<(usize, Stage)>,
}

/// Judges a conversation; one that has only one side is none, and there is nothing to say of it.
pub(super) fn judge(lines: &[Line<'_>]) -> Judgement {
    let has = |kind| lines.iter().any(|line| line.kind == kind);
    if !has(Kind::Command) || !has(Kind::Reply) {
        return Judgement::default();
    }
    let lmtp = lines.iter().any(|line| line.kind == Kind::Command && verb(line.text) == Some(Verb::Lhlo));
    let mut replay = Replay::new(lmtp);
    replay.pipeconnect = lines.iter().any(|line| {
        line.kind == Kind::Reply && line.text.get(4..).is_some_and(|text| text.starts_with(b"PIPECONNECT"))
    });
    let skipped = replay.begin(lines);
    for line in &lines[skipped..] {
        replay.line(line);
    }
    if let Some(last) = lines.last() {
        replay.end(last.number);
    }
    replay.judgement
}

fn verb(text: &[u8]) -> Option<Verb> {
    let word = text.trim_ascii().split(|octet| *octet == b' ').next()?;
    Verb::from_name(word)
}

struct Replay {
    client: Client,
    /// `None` once the server of the conversation does what ours would not.
    server: Option<Server>,
    /// What the server's machine has not looked at yet.
    said: BytesMut,
    /// What the server's machine answers by itself, to commands that the conversation's server has yet to answer.
    own: VecDeque<Reply<'static>>,
    /// Lines of a reply that goes on.
    reply: Vec<u8>,
    /// The client's machine is out of step with the conversation: nothing can be said of the rest.
    lost: bool,
    /// The server is one that takes EHLO ahead of its greeting.
    pipeconnect: bool,
    judgement: Judgement,
}

/// Time does not pass here.
const NOW: Duration = Duration::ZERO;

/// The longest chunk that is looked into.
const CHUNK: u64 = 16 * 1024 * 1024;

impl Replay {
    fn new(lmtp: bool) -> Self {
        let mut client = client::Config::default();
        client.limits.reply_line = usize::MAX;
        client.limits.reply = usize::MAX;
        let name = Domain::from(std::net::IpAddr::from([127, 0, 0, 1]));
        let mut server = server::Config::new(name);
        // What is left to a server's policy is not what this is about.
        server.policy.line_ends = LineEnds::Keep;
        server.policy.nul = true;
        server.limits.errors = u16::MAX;
        server.limits.auth_failures = u16::MAX;
        server.limits.recipients = u32::MAX;
        server.auth_in_clear = true;
        server.refuse_early_talkers = false;
        server.unknown_parameters = true;
        if lmtp {
            (client, server) = (client.lmtp(), server.lmtp());
        }
        Self {
            client: Client::new(client.shared()),
            server: Some(Server::new(server.shared())),
            said: BytesMut::new(),
            own: VecDeque::new(),
            reply: Vec::new(),
            lost: false,
            pipeconnect: false,
            judgement: Judgement::default(),
        }
    }

    /// What was cut off at the start is made up; says how many lines are passed over.
    fn begin(&mut self, lines: &[Line<'_>]) -> usize {
        let said = |line: &&Line<'_>| line.kind == Kind::Command;
        let first = lines.iter().find(said).and_then(|line| verb(line.text));
        let greets = matches!(first, Some(Verb::Ehlo | Verb::Helo | Verb::Lhlo));
        let start = lines.iter().position(|line| matches!(line.kind, Kind::Command | Kind::Reply));
        let start = start.unwrap_or_default();
        if lines[start].kind == Kind::Reply {
            let refused = lines[start].text.starts_with(b"4") || lines[start].text.starts_with(b"5");
            if lines[start].text.starts_with(b"220") || (refused && (greets || first == Some(Verb::Quit))) {
                return 0;
            }
        }
        let greeted_late = || {
            let first = lines.iter().find(|line| line.kind == Kind::Reply);
            first.is_some_and(|line| line.text.starts_with(b"220"))
        };
        if greets && greeted_late() {
            return 0;
        }
        self.answer(b"220 there\r\n", 0);
        if !greets {
            self.hello();
        }
        if matches!(first, Some(Verb::Rcpt | Verb::Data | Verb::Bdat)) {
            self.made_up(b"MAIL FROM:<>", b"250 ok\r\n");
        }
        if matches!(first, Some(Verb::Data | Verb::Bdat)) {
            self.made_up(b"RCPT TO:<postmaster>", b"250 ok\r\n");
        }
        self.judgement = Judgement::default();
        lines.iter().position(|line| said(&line)).unwrap_or_default()
    }

    fn made_up(&mut self, command: &[u8], reply: &[u8]) {
        self.line(&Line { number: 0, kind: Kind::Command, text: command });
        self.answer(reply, 0);
    }

    /// A server that offers all there is.
    fn hello(&mut self) {
        let all = Extension::ALL.iter().copied().fold(Capabilities::new(), Capabilities::with);
        let mechanisms = Mechanism::ALL.iter().copied().collect();
        let mut reply = Vec::new();
        all.with_mechanisms(mechanisms).write_ehlo("there", &mut reply);
        match self.client.config().protocol {
            Protocol::Smtp => self.made_up(b"EHLO here", &reply),
            Protocol::Lmtp => self.made_up(b"LHLO here", &reply),
        }
    }

    fn line(&mut self, line: &Line<'_>) {
        if self.lost {
            return;
        }
        let not_now = match line.kind {
            Kind::Command => self.command(line),
            Kind::Content if self.client.in_body() => self.content(line.text),
            Kind::End if self.client.in_body() => self.end_of_data(b"."),
            Kind::Response => self.response(line),
            Kind::Reply => {
                self.reply.extend_from_slice(line.text);
                self.reply.extend_from_slice(b"\r\n");
                if line.text.get(3) != Some(&b'-') {
                    let reply = std::mem::take(&mut self.reply);
                    self.answer(&reply, line.number);
                }
                Ok(())
            }
            _ => Ok(()),
        };
        if let Err(why) = not_now {
            let what = self.too_early(why);
            self.find(line.number, Gravity::Fault, what, None);
            self.lost = true;
            return;
        }
        self.look(line.number);
    }

    /// A command, to both machines.
    fn command(&mut self, line: &Line<'_>) -> Result<(), NotNow> {
        let parsed = Command::parse(line.text, Options::default());
        let command = match unmasked(line.text, parsed) {
            Ok(command) => command,
            Err(error) => {
                let next = format!("a server answers {}", error.reply());
                self.find(line.number, Gravity::Fault, error.to_string(), Some(next));
                // Whatever it is, it is answered once.
                let odd = Word::new("X").map_err(|_| NotNow::Closed)?;
                self.say(&Command::Other { verb: odd, args: Text::EMPTY })?;
                self.tell(line.text);
                return Ok(());
            }
        };
        self.say(&command)?;
        match &command {
            // What is secret stays here.
            Command::Auth { mechanism, .. } => {
                let mut told = format!("AUTH {}", mechanism.as_str());
                if line.text.trim_ascii().split(|octet| *octet == b' ').nth(2).is_some() {
                    told.push_str(" =");
                }
                self.tell(told.as_bytes());
            }
            Command::Bdat { size, .. } => {
                self.tell(line.text);
                if *size > CHUNK {
                    self.lost = true;
                    return Ok(());
                }
                let chunk = vec![b'x'; usize::try_from(*size).unwrap_or_default()];
                self.client.body(&chunk, &mut BytesMut::new()).or_else(|error| {
                    // An empty chunk is over with its command.
                    if chunk.is_empty() { Ok(()) } else { Err(error) }
                })?;
                self.said.extend_from_slice(&chunk);
            }
            _ => self.tell(line.text),
        }
        Ok(())
    }

    fn say(&mut self, command: &Command<'_>) -> Result<(), NotNow> {
        let (client, out) = (&mut self.client, &mut BytesMut::new());
        match command {
            Command::Ehlo(name) if self.pipeconnect && client.stage() == Stage::Greeting => {
                let cached = Capabilities::new().with(Extension::PipeConnect);
                client.ehlo_ahead(name, &cached, out)
            }
            Command::Ehlo(name) | Command::Lhlo(name) => client.ehlo(name, out),
            Command::Helo(name) => client.helo(name, out),
            Command::Mail(mail) => client.mail(&mail.from, &mail.params, out),
            Command::Rcpt(rcpt) => client.rcpt(&rcpt.to, &rcpt.params, out),
            Command::Data => client.data(out),
            Command::Bdat { size, last } => client.chunk(*size, *last, out),
            Command::Rset => client.rset(out),
            Command::StartTls => client.starttls(out),
            Command::Auth { mechanism, .. } => client.auth(mechanism.as_borrowed(), None, out),
            other => client.command(other, out),
        }
    }

    fn content(&mut self, text: &[u8]) -> Result<(), NotNow> {
        let mut line = text.to_vec();
        line.extend_from_slice(b"\r\n");
        self.client.body(&line, &mut BytesMut::new())?;
        self.tell(text);
        Ok(())
    }

    fn end_of_data(&mut self, dot: &[u8]) -> Result<(), NotNow> {
        self.client.finish(&mut BytesMut::new())?;
        self.tell(dot);
        Ok(())
    }

    fn response(&mut self, line: &Line<'_>) -> Result<(), NotNow> {
        if line.text == b"*" {
            self.client.auth_cancel(&mut BytesMut::new())?;
            self.tell(b"*");
            return Ok(());
        }
        if Base64::parse(line.text).is_err() && !is_masked(line.text) {
            let next = Some("a server answers 501 5.5.2".into());
            self.find(line.number, Gravity::Fault, "the response is not base64".into(), next);
        }
        self.client.auth_response(b"", &mut BytesMut::new())?;
        self.tell(b"AA==");
        Ok(())
    }

    /// A line of the client's, for the server's machine.
    fn tell(&mut self, text: &[u8]) {
        self.said.extend_from_slice(text);
        self.said.extend_from_slice(b"\r\n");
    }

    /// The server's machine looks at what it was told, up to where it is owed a reply.
    fn look(&mut self, number: usize) {
        let Some(server) = &mut self.server else { return };
        loop {
            let mut output = BytesMut::new();
            let step = server.step(NOW, &self.said, &mut output);
            let mut framing = reply::Framing::new();
            while let Ok(Some(len)) = framing.next(&output, usize::MAX, usize::MAX) {
                self.own.extend(Reply::parse(&output[..len]).map(Reply::into_owned).ok());
                output.advance(len);
            }
            match step {
                Ok(server::Step::Event(taken)) => self.said.advance(taken.len()),
                Ok(server::Step::Flush(_)) => {}
                Ok(server::Step::StartTls) => server.tls_established(),
                Ok(_) => return,
                Err(violation) => {
                    self.server = None;
                    return self.find(number, Gravity::Fault, violation.to_string(), None);
                }
            }
        }
    }

    /// A whole reply.
    fn answer(&mut self, raw: &[u8], number: usize) {
        if self.client.in_body() && self.end_of_data(b"\r\n.").is_ok() {
            // The message is not shown.
            self.look(number);
        }
        match self.client.poll(NOW, &mut &*raw) {
            Ok(client::Step::Event(answer)) => {
                self.judgement.answers.push((number, answer.to));
                self.look(number);
                self.compare(number, answer.to, &answer.reply);
            }
            Ok(client::Step::Unsolicited(answer)) => {
                let what = format!("the server speaks unasked, and leaves: {}", answer.reply);
                let next = answer.reply.advice().next;
                self.find(number, Gravity::Refusal, what, Some(next.into()));
            }
            Ok(_) => self.find(number, Gravity::Fault, "a reply behind the end".into(), None),
            Err(violation) => {
                self.lost = true;
                let next = Some("the two ends are out of step: close the connection".into());
                self.find(number, Gravity::Fault, violation.to_string(), next);
            }
        }
        if let Ok(client::Step::StartTls) = self.client.poll(NOW, &mut &b""[..]) {
            self.client.tls_established();
        }
        self.look(number);
    }

    /// What the conversation's server answered, beside what the server's machine says.
    fn compare(&mut self, number: usize, stage: Stage, reply: &Reply<'_>) {
        let own = self.own.pop_front();
        let says_no = |reply: &Reply<'_>| reply.is_transient() || reply.is_permanent();
        if says_no(reply) {
            let mut what = format!("{stage} is refused: {}", meaning(reply));
            if let Some(own) = own.as_ref().filter(|own| says_no(own)) {
                what = format!("{what}; the standard asks for that ({})", own.text());
            }
            let next = self.next(stage, reply);
            self.find(number, Gravity::Refusal, what, Some(next));
        } else if let Some(own) = own.as_ref().filter(|own| says_no(own)) {
            let what = format!("the server lets it pass, which others answer {own}");
            self.find(number, Gravity::Warning, what, None);
        }
        let Some(server) = &mut self.server else { return };
        if own.as_ref().is_some_and(|own| says_no(own) == says_no(reply)) {
            return;
        }
        let out = &mut BytesMut::new();
        if stage == Stage::Hello && reply.is_positive() {
            *server.capabilities_mut() = Capabilities::parse(reply).into_owned();
        }
        let answered = match (own, reply.code().as_u16()) {
            (Some(_), _) => Err(NotNow::NothingOwed),
            (None, 334) => server.challenge(b"", out),
            (None, _) => server.reply(reply, out),
        };
        if answered.is_err() {
            self.server = None;
        }
    }

    fn next(&self, stage: Stage, reply: &Reply<'_>) -> String {
        let verdict = Verdict::of(stage, reply, self.client.accepted() > 0);
        match stage {
            Stage::Greeting
            | Stage::Auth
            | Stage::Mail
            | Stage::Rcpt
            | Stage::Data
            | Stage::EndOfData
            | Stage::Chunk
            | Stage::LastChunk => match verdict {
                Verdict::NextTransaction => "send it to this recipient in a further transaction, at once",
                Verdict::TryLater => "try again later, here or at another host",
                Verdict::TryAnotherHost => {
                    "try another host of the domain; where there is none, tell the sender"
                }
                _ => reply.advice().next,
            },
            _ => reply.advice().next,
        }
        .into()
    }

    fn end(&mut self, number: usize) {
        if self.lost || self.client.is_closed() {
            return;
        }
        if self.client.is_waiting() {
            let what = format!("it ends here, and {} is not answered", self.client.stage());
            self.find(number, Gravity::Warning, what, None);
        } else if self.client.in_body() {
            self.find(number, Gravity::Warning, "it ends here, within the message".into(), None);
        }
    }

    fn too_early(&self, why: NotNow) -> String {
        match why {
            NotNow::AwaitingReply => {
                let stage = self.client.stage();
                let offered = self.client.capabilities().has(Extension::Pipelining);
                match stage {
                    Stage::Greeting => "the client speaks ahead of the greeting".into(),
                    _ if offered => format!(
                        "the client does not wait for the reply to {stage}, which ends a group of commands \
                         (RFC 2920, 3.1)"
                    ),
                    _ => format!(
                        "the client does not wait for the reply to {stage}, and PIPELINING is not offered"
                    ),
                }
            }
            other => format!("the client may not say this here: {other}"),
        }
    }

    fn find(&mut self, line: usize, gravity: Gravity, what: String, next: Option<String>) {
        self.judgement.findings.push(Finding { line, gravity, what, next });
    }
}

fn meaning(reply: &Reply<'_>) -> String {
    let advice = reply.advice();
    match (advice.detail, reply.status()) {
        (Some(detail), Some(status)) => format!("{} ({status}: {detail})", advice.meaning),
        _ => advice.meaning.into(),
    }
}

/// An AUTH whose initial response a tool has put something else for.
fn unmasked<'t>(
    text: &'t [u8],
    parsed: Result<Command<'t>, command::Error>,
) -> Result<Command<'t>, command::Error> {
    if parsed != Err(command::Error::InitialResponse) {
        return parsed;
    }
    let mut words = text.split(|octet| *octet == b' ').skip(1);
    match (words.next().map(MechanismName::parse), words.next()) {
        (Some(Ok(mechanism)), Some(response)) if is_masked(response) => {
            Ok(Command::Auth { mechanism, initial: None })
        }
        _ => parsed,
    }
}

/// Whether this stands where a secret was: `…`, `***`, `<hidden>`, `[not shown]`.
fn is_masked(text: &[u8]) -> bool {
    text.starts_with("…".as_bytes())
        || text.starts_with(b"...")
        || text.first().is_some_and(|octet| b"*<[".contains(octet))
}
