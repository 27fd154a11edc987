//! The server's machine under a transcript.

use core::time::Duration;

use bytes::{Buf, BytesMut};
use smtp_proto::auth::Base64;
use smtp_proto::error::Violation;
use smtp_proto::param::Params;
use smtp_proto::reply::{Framing, Reply};
use smtp_proto::server::{Event, Server, Step};

use super::script::{Line, Said, Script};
use super::settings::{config, is_list, listed};

/// What came of a session.
#[derive(Clone, Debug, Default)]
pub(crate) struct Session {
    /// The events, pieces of a message put together, and where in the client's octets each ends.
    pub(crate) events: Vec<Told>,
    pub(crate) output: Vec<u8>,
    /// Which replies the machine gave by itself.
    pub(crate) own: Vec<bool>,
    /// How it ended, and what was left of the input.
    pub(crate) end: End,
    pub(crate) left: usize,
}

/// How much of the input a violation leaves unread depends on the cuts, and nobody reads it.
impl PartialEq for Session {
    fn eq(&self, other: &Self) -> bool {
        let same_rest = self.left == other.left || matches!(self.end, End::Violation(_));
        let same = self.events == other.events && self.output == other.output && self.own == other.own;
        same && same_rest && self.end == other.end
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) event: What,
    pub(crate) at: usize,
}

/// Where an event's octets end depends on the cuts, in the midst of a message; so does which of its faults is found first.
impl PartialEq for Told {
    fn eq(&self, other: &Self) -> bool {
        let refused =
            |told: &Self| matches!(&told.event, What::Event(event) if event.starts_with("Refused "));
        self.event == other.event || (refused(self) && refused(other))
    }
}

impl Eq for Told {}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Event(String),
    Body(Vec<u8>),
}

impl core::fmt::Display for What {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Event(event) => f.write_str(event),
            Self::Body(octets) if octets.len() > 64 => write!(f, "Body {} octets", octets.len()),
            Self::Body(octets) => write!(f, "Body \"{}\"", octets.escape_ascii()),
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum End {
    #[default]
    Open,
    Closed,
    Violation(String),
}

/// Where the input is cut.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cut {
    Nowhere,
    At(usize),
    Everywhere,
    /// After this many octets, and so on.
    Each(usize),
    /// At places that follow from this number.
    Seeded(u64),
}

impl Cut {
    /// The pieces of a segment that starts at `from` of the whole.
    pub(crate) fn pieces(self, segment: &[u8], from: usize) -> Vec<&[u8]> {
        match self {
            Self::Nowhere => vec![segment],
            Self::At(at) if (from..from + segment.len()).contains(&at) => {
                let (head, tail) = segment.split_at(at - from);
                vec![head, tail]
            }
            Self::At(_) => vec![segment],
            Self::Everywhere => segment.chunks(1).collect(),
            Self::Each(len) => segment.chunks(len).collect(),
            Self::Seeded(seed) => {
                let (mut pieces, mut rest, mut random) = (Vec::new(), segment, seed | 1);
                while !rest.is_empty() {
                    random ^= random << 13;
                    random ^= random >> 7;
                    random ^= random << 17;
                    // Short pieces more often than long ones.
                    let longest = [1, 2, 3, 9, 40, 500][(random >> 32) as usize % 6];
                    let (piece, behind) = rest.split_at(rest.len().min(1 + random as usize % longest));
                    pieces.push(piece);
                    rest = behind;
                }
                pieces
            }
        }
    }
}

struct Run<'s> {
    server: Server,
    replies: Vec<&'s Said>,
    /// What a transcript says that has no `!` offer is offered.
    follow: bool,
    output: BytesMut,
    session: Session,
    /// Octets of the output that hold whole replies, which were counted.
    counted: usize,
    consumed: usize,
    /// By `poll` rather than by `step` and `event`.
    poll: bool,
    /// Replies vary with the event, where the transcript has none.
    mood: Option<u64>,
}

/// Runs the client's octets through the machine; the embedder says what the transcript has the server say.
pub(crate) fn serve(script: &Script, cut: Cut, trailing: &[u8]) -> Session {
    let server = Server::new(config(script).shared());
    let mut run = Run {
        server,
        replies: script.replies(),
        follow: script.values("offer").next().is_none() && script.values("mechanisms").next().is_none(),
        output: BytesMut::new(),
        session: Session::default(),
        counted: 0,
        consumed: 0,
        poll: script.has("poll"),
        mood: script.number("mood"),
    };
    if script.has("implicit tls") {
        run.server.tls_established();
    }
    let mut input = BytesMut::new();
    if !script.has("early") {
        run.pump(&mut input);
    }
    let mut segments = script.client_segments();
    segments.last_mut().expect("one").1.extend_from_slice(trailing);
    let mut from = 0;
    for (tls, segment) in &segments {
        if *tls {
            assert!(input.is_empty(), "{}: {} octets wait for TLS", script.name, input.len());
            let step = run.server.step(Duration::ZERO, &[], &mut run.output);
            assert!(matches!(step, Ok(Step::StartTls)), "{}: no STARTTLS: {step:?}", script.name);
            run.server.tls_established();
        }
        for piece in cut.pieces(segment, from) {
            input.extend_from_slice(piece);
            run.pump(&mut input);
        }
        from += segment.len();
    }
    run.session.left = input.len();
    run.flush();
    run.session
}

impl Run<'_> {
    fn pump(&mut self, input: &mut BytesMut) {
        loop {
            let len = if self.poll {
                let mut rest = &input[..];
                match self.server.poll(Duration::ZERO, &mut rest, &mut self.output) {
                    Ok(Step::Event(event)) => {
                        let len = input.len() - rest.len();
                        self.event(&event, len);
                        len
                    }
                    other if self.goes_on(&other) => 0,
                    _ => return,
                }
            } else {
                match self.server.step(Duration::ZERO, input, &mut self.output) {
                    Ok(Step::Event(taken)) => {
                        let event = self.server.event(taken, input);
                        self.event(&event, taken.len());
                        taken.len()
                    }
                    other if self.goes_on(&other) => 0,
                    _ => return,
                }
            };
            input.advance(len);
        }
    }

    /// Whether there is anything to do without more input, after a step that was no event.
    fn goes_on<E: core::fmt::Debug>(&mut self, step: &Result<Step<E>, Violation>) -> bool {
        match step {
            Ok(Step::Flush(_)) => {
                self.flush();
                return true;
            }
            Ok(Step::NeedInput(_) | Step::StartTls) => {}
            Ok(Step::Closed) if self.session.end == End::Open => self.session.end = End::Closed,
            Ok(Step::Closed) => {}
            Ok(other) => panic!("nothing waits for {other:?}"),
            Err(violation) => {
                self.session.end = End::Violation(format!("{violation:?}"));
            }
        }
        self.count(true);
        false
    }

    /// What was said is written.
    fn flush(&mut self) {
        self.count(true);
        assert_eq!(self.counted, self.output.len(), "half a reply");
        self.session.output.extend_from_slice(&self.output);
        self.output.clear();
        self.counted = 0;
    }

    /// Looks for replies that were added to the output.
    fn count(&mut self, own: bool) {
        while let Ok(Some(len)) = Framing::new().next(&self.output[self.counted..], 8192, 65536) {
            self.counted += len;
            self.session.own.push(own);
        }
    }

    /// Keeps the event and answers what it is owed.
    fn event(&mut self, event: &Event<'_>, len: usize) {
        self.count(true);
        self.consumed += len;
        self.keep(event);
        let hello = matches!(event, Event::Hello { .. });
        while self.server.owed() > 0 {
            let said = self.replies.get(self.session.own.len()).copied();
            if let Some(said) = said.filter(|said| hello && self.follow && is_list(said)) {
                *self.server.capabilities_mut() = listed(said);
            }
            let reply = match said {
                Some(said) => said.reply(),
                None if self.mood.is_some() => self.moody(event),
                None => self.server.default_reply().expect("a reply is owed"),
            };
            let answered = match reply.code().as_u16() {
                334 => {
                    let text = reply.text();
                    let challenge = Base64::parse(text.as_bytes()).expect("base64").decode();
                    self.server.challenge(&challenge, &mut self.output)
                }
                _ => self.server.reply(&reply, &mut self.output),
            };
            if let Err(error) = answered {
                self.note(What::Event(format!("{error} ({reply})")));
                let sorry = Reply::parse(b"421 the transcript does not fit\r\n").expect("a reply");
                let _ = self.server.reply(&sorry, &mut self.output);
            }
            // The first is the embedder's; a 421 may stand behind it.
            let before = self.session.own.len();
            self.count(true);
            if let Some(own) = self.session.own.get_mut(before) {
                *own = false;
            }
        }
    }

    /// A reply that follows from the event and from how many there were.
    fn moody(&self, event: &Event<'_>) -> Reply<'static> {
        let fixed = |raw| Reply::parse(raw).expect("a reply");
        let before = self.session.own.len() + self.session.events.len();
        let number = before as u64 + self.mood.unwrap_or_default();
        match (event, number % 7) {
            (Event::Auth { .. } | Event::AuthResponse(_), 0..4) => fixed(b"334 eHl6\r\n"),
            (Event::Auth { .. } | Event::AuthResponse(_), 4) => fixed(b"235 welcome\r\n"),
            (Event::MessageEnd { .. } | Event::ChunkEnd | Event::Rcpt(_) | Event::Mail(_), 0) => {
                fixed(b"451-not\r\n451 now\r\n")
            }
            (Event::Data | Event::Hello { .. } | Event::Rset, 6) => fixed(b"550 no\r\n"),
            _ => self.server.default_reply().expect("a reply is owed"),
        }
    }

    fn note(&mut self, event: What) {
        self.session.events.push(Told { event, at: self.consumed });
    }

    /// Puts pieces of a message together, and forgets those of a refused one, as an embedder would.
    fn keep(&mut self, event: &Event<'_>) {
        let event = match event {
            Event::Body(body) => {
                let mut octets = Vec::new();
                body.append_to(&mut octets);
                assert_eq!(octets.len(), body.len(), "Body::len");
                if let Some(Told { event: What::Body(before), at }) = self.session.events.last_mut() {
                    before.extend(octets);
                    *at = self.consumed;
                    return;
                }
                What::Body(octets)
            }
            Event::Discarded => {
                // The rest of a line that was too long.
                if let Some(Told { event: What::Event(event), at }) = self.session.events.last_mut()
                    && event == "Rejected 500"
                {
                    *at = self.consumed;
                }
                return;
            }
            Event::Refused(why) => {
                if let Some(Told { event: What::Body(_), .. }) = self.session.events.last() {
                    self.session.events.pop();
                }
                What::Event(format!("Refused {why:?}"))
            }
            other => What::Event(name(other)),
        };
        self.note(event);
    }
}

/// An event as `=` lines name it.
pub(crate) fn name(event: &Event<'_>) -> String {
    let with = |params: &Params<'_>| params.to_string();
    match event {
        Event::Hello { verb, name } => format!("Hello {} {}", verb.name(), name.as_str()),
        Event::Mail(mail) => format!("Mail <{}>{}", mail.from.as_str(), with(&mail.params)),
        Event::Rcpt(rcpt) => format!("Rcpt <{}>{}", rcpt.to.as_str(), with(&rcpt.params)),
        Event::Chunk { size, last } => format!("Chunk {size}{}", if *last { " LAST" } else { "" }),
        Event::MessageEnd { replies } => format!("MessageEnd {replies}"),
        Event::Rejected(code) => format!("Rejected {code}"),
        Event::Auth { mechanism, initial } => match initial {
            Some(initial) => format!("Auth {} {}", mechanism.as_str(), initial.as_initial()),
            None => format!("Auth {mechanism}"),
        },
        Event::AuthResponse(response) => format!("AuthResponse {}", response.as_str()),
        Event::Noop(text) => format!("Noop {text}").trim_end().to_owned(),
        Event::Vrfy(text) => format!("Vrfy {text}"),
        Event::Expn(text) => format!("Expn {text}"),
        Event::Help(text) => format!("Help {text}").trim_end().to_owned(),
        Event::Etrn(text) => format!("Etrn {text}"),
        Event::Xclient(attributes) => format!("Xclient {attributes}"),
        Event::Xforward(attributes) => format!("Xforward {attributes}"),
        Event::Unknown { verb, args } => format!("Unknown {verb} {args}").trim_end().to_owned(),
        other => format!("{other:?}"),
    }
}

/// Compares a session with what the transcript says.
pub(crate) fn compare(script: &Script, session: &Session) -> Result<(), String> {
    let mut output = &session.output[..];
    for (n, said) in script.replies().into_iter().enumerate() {
        let Ok(Some(len)) = Framing::new().next(output, 8192, 65536) else {
            return Err(format!("reply {n} is missing: {}", said.raw.escape_ascii()));
        };
        let raw = &output[..len];
        output = &output[len..];
        let (given, wanted) = (Reply::parse(raw).map_err(|error| error.to_string())?, said.reply());
        let listed = given.code() == wanted.code() && is_list(said);
        let same = given.code() == wanted.code()
            && (wanted.status().is_none() || given.status() == wanted.status())
            && (!said.exact || raw == said.raw)
            && (!listed || lines(&given) == lines(&wanted));
        if !same {
            return Err(format!("reply {n} is {}, not {}", raw.escape_ascii(), said.raw.escape_ascii()));
        }
        if said.own && !session.own[n] {
            return Err(format!("the machine left reply {n} to the embedder: {wanted}"));
        }
    }
    if !output.is_empty() {
        return Err(format!("more was said: {}", output.escape_ascii()));
    }
    for (range, wanted) in script.expected() {
        let told: Vec<String> = session.told_in(&range).map(ToString::to_string).collect();
        if told != wanted {
            let at = script.client_octets()[range].escape_ascii().to_string();
            return Err(format!("behind {at}\n  told   {told:?}\n  wanted {wanted:?}"));
        }
    }
    let usual = if let Some(221 | 421) = last_code(script) { "Closed" } else { "Open" };
    let end = script.values("ends").next().unwrap_or(usual);
    let ended = match &session.end {
        End::Violation(violation) => violation.clone(),
        end => format!("{end:?}"),
    };
    if ended != end { Err(format!("it ended {ended}, not {end}")) } else { Ok(()) }
}

impl Session {
    fn told_in<'s>(&'s self, range: &core::ops::Range<usize>) -> impl Iterator<Item = &'s What> {
        let (start, end) = (range.start, range.end);
        self.events.iter().filter(move |told| start < told.at && told.at <= end).map(|told| &told.event)
    }
}

fn last_code(script: &Script) -> Option<u16> {
    script.lines.iter().rev().find_map(|line| match line {
        Line::Server(said) => Some(said.reply().code().as_u16()),
        _ => None,
    })
}

/// The capabilities that a reply lists, in no order, and each one's words in none.
fn lines(reply: &Reply<'_>) -> Vec<Vec<String>> {
    let mut lines: Vec<Vec<String>> = reply
        .lines()
        .skip(1)
        // smtp-sink ends its list with a line of nothing.
        .filter(|line| !line.text_lossy().is_empty())
        .map(|line| {
            let mut words: Vec<String> = line.text_lossy().split(' ').map(str::to_uppercase).collect();
            words[1..].sort();
            words
        })
        .collect();
    lines.sort();
    lines
}
