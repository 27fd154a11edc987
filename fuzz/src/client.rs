//! The client's machine, fed a server's octets: cut or whole it finds the same replies, and it says whole lines.

use std::sync::Arc;

use arbitrary::Arbitrary;
use bytes::BytesMut;
use smtp_proto::address::{Domain, ForwardPath, ReversePath};
use smtp_proto::auth::Mechanism;
use smtp_proto::client::{Client, Config, Step};
use smtp_proto::command::{Attribute, Attributes, Command, Options, Text, Word};
use smtp_proto::dot::LineEnds;
use smtp_proto::error::{NotNow, Violation};
use smtp_proto::param::{Param, Params};
use smtp_proto::stage::Protocol;

use super::script::{Party, Script, Went};
use super::server::{NOW, unchanged};

/// Any octets of a server's, while the script's calls are made.
pub fn bytes(input: &[u8]) {
    let script = Script::read(input);
    let whole = Run::new(Script { cuts: &[], ..script }, true).all();
    let cut = Run::new(script, false).all();
    let plaintext = Some(Violation::BehindStartTls);
    if whole.end == plaintext || cut.end == plaintext {
        // What is behind the 220 may come too late to be seen: what went before is the same.
        let common = whole.told.len().min(cut.told.len());
        return assert_eq!(whole.told[..common], cut.told[..common]);
    }
    assert_eq!(whole.told, cut.told);
    assert_eq!(whole.end, cut.end);
    assert_eq!(whole.said.escape_ascii().to_string(), cut.said.escape_ascii().to_string());
}

/// A client by the letters that stand in `options`.
pub fn config(script: &Script<'_>) -> Arc<Config> {
    let mut config = Config::default();
    if script.has(b'l') {
        config.protocol = Protocol::Lmtp;
    }
    config.lenient_replies = script.has(b'o');
    if script.has(b'j') || script.has(b'b') {
        config.line_ends = if script.has(b'j') { LineEnds::Reject } else { LineEnds::Keep };
    }
    if script.has(b'k') {
        (config.limits.flight_replies, config.limits.flight) = (3, 48);
    }
    if script.has(b'K') {
        (config.limits.reply_line, config.limits.reply) = (64, 192);
    }
    Arc::new(config)
}

/// What may be called on a client at any time.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    Ehlo,
    Helo,
    StartTls,
    Auth,
    AuthInitial,
    AuthResponse,
    AuthCancel,
    Mail,
    MailPrdr,
    Rcpt,
    Data,
    Chunk,
    LastChunk,
    OpenChunk,
    Body,
    Segments,
    DirtyBody,
    Finish,
    Rset,
    Noop,
    Quit,
    Xclient,
    Vrfy,
    Other,
    Wrong,
}

/// The letter of each call in a script.
const LETTERS: [(u8, Call); 25] = [
    (b'e', Call::Ehlo),
    (b'h', Call::Helo),
    (b's', Call::StartTls),
    (b'A', Call::Auth),
    (b'a', Call::AuthInitial),
    (b'r', Call::AuthResponse),
    (b'*', Call::AuthCancel),
    (b'm', Call::Mail),
    (b'p', Call::MailPrdr),
    (b't', Call::Rcpt),
    (b'd', Call::Data),
    (b'b', Call::Chunk),
    (b'B', Call::LastChunk),
    (b'o', Call::OpenChunk),
    (b'w', Call::Body),
    (b'g', Call::Segments),
    (b'W', Call::DirtyBody),
    (b'.', Call::Finish),
    (b'R', Call::Rset),
    (b'n', Call::Noop),
    (b'q', Call::Quit),
    (b'x', Call::Xclient),
    (b'v', Call::Vrfy),
    (b'X', Call::Other),
    (b'!', Call::Wrong),
];

impl Call {
    /// Makes it. At the wrong time it changes nothing; at the right one it says whole lines, or octets of a message.
    pub fn make(self, client: &mut Client, output: &mut BytesMut) -> Result<(), NotNow> {
        const PIECE: &[u8] = b".dot\r\n";
        let (mark, waited, could) = (output.len(), client.is_waiting(), client.can_send());
        let made = unchanged(client, output, |client, output| self.call(client, PIECE, output));
        let said = &output[mark..];
        let shown = said.escape_ascii();
        made?;
        match self {
            Self::Body | Self::Segments | Self::DirtyBody => {}
            Self::Finish => assert!(said.ends_with(b".\r\n") && client.is_waiting(), "{shown}"),
            Self::AuthResponse | Self::AuthCancel => {
                assert!(said.ends_with(b"\r\n") && !waited, "{shown}");
                assert_eq!(said.iter().filter(|octet| octet.is_ascii_control()).count(), 2, "{shown}");
            }
            _ => {
                assert!(could, "{self:?} where nothing can be sent");
                let line = said.split(|octet| *octet == b'\r').next().unwrap_or_default();
                Command::parse(line, Options::default()).unwrap_or_else(|error| panic!("{shown}: {error}"));
                let chunked = matches!(self, Self::Chunk | Self::LastChunk);
                let behind = if chunked { PIECE.len() } else { 0 };
                assert_eq!(said.len(), line.len() + 2 + behind, "{shown}");
                assert_ne!(client.is_waiting(), client.in_body() && !waited, "{self:?}");
            }
        }
        Ok(())
    }

    fn call(self, client: &mut Client, piece: &[u8], output: &mut BytesMut) -> Result<(), NotNow> {
        let name = Domain::parse("me.example").expect("a domain");
        match self {
            Self::Ehlo => client.ehlo(&name, output),
            Self::Helo => client.helo(&name, output),
            Self::StartTls => client.starttls(output),
            Self::Auth => client.auth(Mechanism::Login, None, output),
            Self::AuthInitial => client.auth(Mechanism::Plain, Some(b"\0a\0b"), output),
            Self::AuthResponse => client.auth_response(b"\0a\r\nb", output),
            Self::AuthCancel => client.auth_cancel(output),
            Self::Mail => client.mail(&ReversePath::Null, &Params::default(), output),
            Self::MailPrdr => {
                let params = Params::default().with(&Param::Prdr).expect("a parameter");
                client.mail(&ReversePath::parse("<a@b>").expect("a path"), &params, output)
            }
            Self::Rcpt => client.rcpt(&ForwardPath::Postmaster, &Params::default(), output),
            Self::Data => client.data(output),
            Self::Chunk | Self::LastChunk => {
                client.chunk(piece.len() as u64, self == Self::LastChunk, output)?;
                client.body(piece, output)
            }
            Self::OpenChunk => client.chunk(2 * piece.len() as u64, true, output),
            Self::Body => client.body(piece, output),
            Self::Segments => {
                client.segments(piece).map(|lent| lent.for_each(|s| output.extend_from_slice(s)))
            }
            Self::DirtyBody => client.body(b"\n.\r\0", output),
            Self::Finish => client.finish(output),
            Self::Rset => client.rset(output),
            Self::Noop => client.noop(output),
            Self::Quit => client.quit(output),
            Self::Xclient => {
                let attributes = Attributes::new([(Attribute::Helo, "a b")]).expect("attributes");
                client.xclient(&attributes, output)
            }
            Self::Vrfy => client.command(&Command::Vrfy(Text::new("ann").expect("text")), output),
            Self::Other => {
                let (verb, args) = (Word::new("XFOO").expect("a word"), Text::default());
                client.command(&Command::Other { verb, args }, output)
            }
            Self::Wrong => client.command(&Command::Data, output),
        }
    }
}

struct Run<'i> {
    client: Client,
    script: Script<'i>,
    calls: std::iter::Peekable<std::slice::Iter<'i, u8>>,
    /// By `poll`, or by `step` and `event`: it makes no difference.
    polls: bool,
    output: BytesMut,
    log: Log,
}

/// What was seen.
#[derive(Debug, Default)]
struct Log {
    told: Vec<String>,
    said: Vec<u8>,
    end: Option<Violation>,
}

impl<'i> Run<'i> {
    fn new(script: Script<'i>, polls: bool) -> Self {
        Self {
            client: Client::new(config(&script)),
            script,
            calls: script.answers.iter().peekable(),
            polls,
            output: BytesMut::new(),
            log: Log::default(),
        }
    }

    fn all(mut self) -> Log {
        let script = self.script;
        if script.feed(&mut self, &mut Vec::new()) != Went::Over {
            self.log.told.push(format!("{:?}", self.client.eof()));
            assert!(self.client.is_closed() && !self.client.can_send());
        }
        self.log
    }

    /// Makes calls: when nothing is awaited, and behind a `+` as soon as it may.
    fn speak(&mut self) {
        let mut went = !self.client.is_waiting() && !self.client.is_closed();
        while went {
            let Some(letter) = self.calls.next() else { break };
            if let Some((_, call)) = LETTERS.iter().find(|(of, _)| of == letter) {
                let made = call.make(&mut self.client, &mut self.output);
                self.log.told.push(format!("{call:?} {made:?}"));
            }
            let along = self.calls.next_if_eq(&&b'+').is_some() && self.client.can_send();
            went = along || !self.client.is_waiting();
        }
        self.log.said.extend_from_slice(&self.output);
        self.output.clear();
    }
}

impl Party for Run<'_> {
    fn step(&mut self, input: &[u8]) -> Went {
        self.speak();
        let mut rest = input;
        let answer = if self.polls {
            match self.client.poll(NOW, &mut rest) {
                Ok(Step::Event(answer) | Step::Unsolicited(answer)) => Ok(answer),
                other => Err(other.map(|step| eventless(&step))),
            }
        } else {
            match self.client.step(NOW, input) {
                Ok(Step::Event(taken) | Step::Unsolicited(taken)) => {
                    rest = &input[taken.len()..];
                    Ok(self.client.event(taken, input))
                }
                other => Err(other.map(|step| eventless(&step))),
            }
        };
        match answer {
            Ok(answer) => {
                assert!(rest.len() < input.len(), "a reply of nothing");
                self.log.told.push(format!("{answer:?} {}", self.client.accepted()));
                Went::On(input.len() - rest.len())
            }
            Err(Ok(went)) => went,
            Err(Err(violation)) => {
                assert!(self.client.is_closed(), "{violation} is fatal");
                self.log.end = Some(violation);
                Went::Over
            }
        }
    }

    fn tls_established(&mut self) {
        self.client.tls_established();
    }
}

fn eventless<E: std::fmt::Debug>(step: &Step<E>) -> Went {
    match step {
        Step::Idle | Step::NeedInput(_) => Went::Wait,
        Step::StartTls => Went::Tls,
        Step::Closed => Went::Over,
        other => panic!("{other:?} is not known here"),
    }
}
