//! The client's conversations against the server's machine, over a wire that cuts and may damage what it carries.
//!
//! On a wire that only cuts, both ends agree on who got the message, and on every octet of it.

use std::sync::Arc;

use bytes::BytesMut;
use smtp_proto::address::{Domain, ForwardPath, Mailbox, ReversePath};
use smtp_proto::auth::Credentials;
use smtp_proto::client::Client;
use smtp_proto::error::{NotNow, Violation};
use smtp_proto::extension::Extension;
use smtp_proto::param::{Param, Params};
use smtp_proto::server::{Event, Server, Step};
use smtp_proto::session::{
    Call, Content, Delivery, Envelope, Error, NotSent, Open, Options, Outcome, Recipient, Report, StartTls,
    Transfer, Want,
};
use smtp_proto::stage::{Protocol, Stage};
use smtp_proto::status::{Class, Code};

use super::bodies::{mended, model_in, model_out};
use super::client as clients;
use super::script::{Party, Script, Went, settle};
use super::server::{self as servers, Answer, NOW, codes};

/// A message, twice, from one end to the other.
pub fn pair(input: &[u8]) {
    let script = Script::read(input);
    let mut near = Near::new(script);
    if !near.open() {
        return;
    }
    let mut params = Params::default();
    if script.has(b'p') && near.client.capabilities().has(Extension::Prdr) {
        params = params.with(&Param::Prdr).expect("a parameter");
    }
    let recipients = 1 + script.options.iter().filter(|letter| **letter == b'u').count().min(6);
    let to = |n| Mailbox::new(&format!("rcpt{n}"), &Domain::parse("b.example").expect("a domain"));
    let to: Vec<ForwardPath<'_>> = (0..recipients).map(|n| to(n).expect("a mailbox").into()).collect();
    let mut envelope = Envelope::new(ReversePath::Null, to.into_iter().map(Recipient::from));
    envelope.params = params;
    let (mut first, mut second) = (near.delivery(&envelope), near.delivery(&envelope));
    let along = script.has(b'N').then_some(&mut second);
    let alive = near.deliver(&mut first, along) && near.deliver(&mut second, None);
    if !alive {
        second.lost(near.client.stage());
    }
    near.agree([first.into_report(), second.into_report()]);
    if !alive {
        return;
    }
    let mut quit = Call::quit();
    let left = near.converse(|client, input, output| quit.poll(client, NOW, input, output));
    assert!(near.damaged() || !matches!(left, Err(Some(Error::Violation(_)))), "{left:?}");
}

/// The client, and the wire.
struct Near<'i> {
    script: Script<'i>,
    client: Client,
    output: BytesMut,
    /// What has come, and what is on its way.
    input: Vec<u8>,
    coming: Vec<u8>,
    cuts: usize,
    out: Damage<'i>,
    back: Damage<'i>,
    far: Far<'i>,
    far_input: Vec<u8>,
    turns: usize,
    given_up: bool,
}

impl<'i> Near<'i> {
    fn new(script: Script<'i>) -> Self {
        Self {
            script,
            client: Client::new(clients::config(&script)),
            output: BytesMut::new(),
            input: Vec::new(),
            coming: Vec::new(),
            cuts: 0,
            out: Damage { pairs: script.damage, lower: true, passed: 0, cut_off: false },
            back: Damage { pairs: script.damage, lower: false, passed: 0, cut_off: false },
            far: Far {
                server: Server::new(servers::config(&script)),
                answers: script.answers.iter(),
                output: BytesMut::new(),
                recipients: 0,
                delivered: 0,
                body: Vec::new(),
                bodies: Vec::new(),
            },
            far_input: Vec::new(),
            turns: 0,
            given_up: false,
        }
    }

    /// Also where the client takes no reply of a reasonable length, or has given the connection up.
    fn damaged(&self) -> bool {
        !self.script.damage.is_empty() || self.script.has(b'K') || self.given_up
    }

    fn open(&mut self) -> bool {
        let mut options = Options::new(Domain::parse("me.example").expect("a domain"));
        options.starttls = StartTls::Opportunistic;
        options.auth_in_clear = true;
        if self.script.has(b'a') {
            options.credentials = Some(Arc::new(Credentials::password("tim", "tanstaaftanstaaf")));
        }
        let mut open = Open::new(Arc::new(options), [1; 18]);
        loop {
            match self.converse(|client, input, output| open.poll(client, NOW, input, output)) {
                Ok(Want::Done) => return true,
                Ok(Want::StartTls) => {
                    self.exchange();
                    if !matches!(settle(&mut self.far, &mut self.far_input, &mut 99), Went::Tls) {
                        assert!(self.damaged(), "only one of two speaks TLS");
                        return false;
                    }
                    self.far.tls_established();
                    open.tls_established(&mut self.client, None);
                }
                Ok(want) => panic!("{want:?} while opening"),
                Err(error) => {
                    assert!(self.damaged() || !matches!(error, Some(Error::Violation(_))), "{error:?}");
                    return false;
                }
            }
        }
    }

    fn transfer(&self) -> Transfer {
        match () {
            () if self.script.has(b'F') => Transfer::ChunksInFlight,
            () if self.script.has(b'B') => Transfer::Chunks,
            () => Transfer::Data,
        }
    }

    fn delivery<'m>(&self, envelope: &'m Envelope<'m>) -> Delivery<'m> {
        Delivery::new(envelope, &Content::of(self.script.octets), self.transfer(), &self.client)
    }

    /// Delivers a message, and begins the next as soon as this one is ended. Whether the connection can be used on.
    fn deliver(&mut self, delivery: &mut Delivery<'_>, mut next: Option<&mut Delivery<'_>>) -> bool {
        let message = self.script.octets;
        let mut pieces = self.script.cuts(message.len()).into_iter().chain([message.len()]);
        let (mut from, mut begun) = (0, false);
        loop {
            if delivery.is_ended()
                && let Some(next) = next.take()
            {
                let before = self.output.len();
                begun = next.begin(&mut self.client, &mut self.output).is_ok();
                assert!(self.output.len() - before < 512, "more than an envelope");
            }
            match self.converse(|client, input, output| delivery.poll(client, NOW, input, output)) {
                Ok(Want::Done) => {
                    let alive = !self.client.is_closed();
                    assert!(!alive || begun || !self.client.is_waiting(), "done before all is answered");
                    return alive;
                }
                Ok(Want::Body) => {
                    let cut = pieces.next().expect("a piece is asked for behind the last one");
                    let (piece, last) = (&message[from..cut], cut == message.len());
                    from = cut;
                    let given = delivery.body(piece, last, &mut self.client, &mut self.output);
                    assert!(matches!(given, Ok(()) | Err(NotNow::Unsendable)), "{given:?}");
                }
                Ok(Want::Again) => delivery.again(false),
                Ok(want) => panic!("{want:?} while delivering"),
                Err(violation) => {
                    // An embedder that refuses RSET leaves its client no way on, whatever is in flight behind it.
                    self.given_up |=
                        matches!(violation, Some(Violation::WrongCode { stage: Stage::Rset, .. }));
                    assert!(self.damaged() || violation.is_none(), "{violation:?}");
                    delivery.lost(self.client.stage());
                    return false;
                }
            }
        }
    }

    /// Both ends say the same of who got what.
    fn agree(&self, reports: [Report; 2]) {
        if self.damaged() {
            return;
        }
        let delivered: usize = reports.iter().map(Report::delivered).sum();
        assert_eq!(delivered, self.far.delivered, "{reports:?}");
        for outcome in reports.iter().flat_map(Report::outcomes) {
            let open = matches!(outcome, Outcome::NotSent(NotSent::Pending) | Outcome::Unknown(_));
            assert!(!open, "{outcome:?}");
        }
        let message = self.script.octets;
        let chunking = self.client.capabilities().has(Extension::Chunking);
        let chunked = chunking && self.transfer() != Transfer::Data;
        let expected = if chunked {
            // Each end sees to the line ends by a policy of its own.
            let sent = mended(message, self.client.config().line_ends).content;
            mended(&sent, self.far.server.config().policy.line_ends).content
        } else {
            self.through(message)
        };
        for body in &self.far.bodies {
            assert_eq!(body.escape_ascii().to_string(), expected.escape_ascii().to_string());
        }
    }

    /// What DATA makes of a message.
    fn through(&self, message: &[u8]) -> Vec<u8> {
        let wire = model_out(message, self.client.config().line_ends).unwrap_or_default();
        model_in(&wire, self.far.server.config().policy.line_ends).content
    }

    /// Polls a conversation until it wants something other than input. `None`: there will be no more input.
    fn converse<E>(
        &mut self,
        mut poll: impl FnMut(&mut Client, &mut &[u8], &mut BytesMut) -> Result<Want, E>,
    ) -> Result<Want, Option<E>> {
        loop {
            self.turns += 1;
            let bound = 4096 + 64 * self.script.octets.len() + 1024 * self.script.answers.len();
            assert!(self.turns < bound, "going round in circles");
            let mut rest = &self.input[..];
            let want = poll(&mut self.client, &mut rest, &mut self.output)?;
            let len = self.input.len() - rest.len();
            self.input.drain(..len);
            let Want::Io(_) = want else { return Ok(want) };
            if !self.exchange() {
                assert!(self.damaged() || self.far.is_over(), "both wait");
                let _ = self.client.eof();
                return Err(None);
            }
        }
    }

    /// Lets octets through, both ways. Whether any came.
    fn exchange(&mut self) -> bool {
        let sent = self.out.pass(&self.output.split());
        let cuts = self.script.cuts(sent.len());
        let mut from = 0;
        let mut steps = 256 + 16 * (self.far_input.len() + sent.len());
        for cut in cuts.into_iter().chain([sent.len()]) {
            self.far_input.extend_from_slice(&sent[from..cut]);
            from = cut;
            settle(&mut self.far, &mut self.far_input, &mut steps);
        }
        if self.out.cut_off {
            let _ = self.far.server.eof();
        }
        let back = self.back.pass(&self.far.output.split());
        self.coming.extend(back);
        self.cuts += 1;
        let sizes = self.script.cuts;
        let size = sizes
            .get(self.cuts % sizes.len().max(1))
            .map_or(usize::MAX, |octet| usize::from(octet.wrapping_sub(b'0')).max(1));
        let size = size.min(self.coming.len());
        self.input.extend(self.coming.drain(..size));
        size > 0
    }
}

/// What becomes of one direction of the wire.
struct Damage<'i> {
    pairs: &'i [u8],
    lower: bool,
    passed: usize,
    cut_off: bool,
}

impl Damage<'_> {
    /// Octets go through. Each pair of damage is a gap, `0` for none, and what becomes of the octet behind it; capital
    /// letters hold for what the server says.
    fn pass(&mut self, octets: &[u8]) -> Vec<u8> {
        let mut through = Vec::new();
        for &octet in octets {
            let [gap, what, rest @ ..] = self.pairs else {
                through.push(octet);
                continue;
            };
            if what.is_ascii_lowercase() != self.lower {
                self.pairs = rest;
                through.push(octet);
                continue;
            }
            if self.cut_off || self.passed < usize::from(gap.wrapping_sub(b'0')) {
                self.passed += 1;
                through.extend((!self.cut_off).then_some(octet));
                continue;
            }
            (self.passed, self.pairs) = (0, rest);
            match what.to_ascii_lowercase() {
                b'x' => {}
                b'd' => through.extend([octet, octet]),
                b'r' => through.push(b'\r'),
                b'n' => through.push(b'\n'),
                b'z' => through.push(0),
                b'h' => through.push(octet | 0x80),
                b'c' => self.cut_off = true,
                _ => through.push(*what),
            }
        }
        through
    }
}

/// The server and its embedder.
struct Far<'i> {
    server: Server,
    answers: std::slice::Iter<'i, u8>,
    output: BytesMut,
    recipients: usize,
    /// To how many recipients it said that they have the message.
    delivered: usize,
    body: Vec<u8>,
    bodies: Vec<Vec<u8>>,
}

impl Far<'_> {
    fn is_over(&mut self) -> bool {
        matches!(self.server.step(NOW, &[], &mut BytesMut::new()), Ok(Step::Closed))
    }

    fn answer(&mut self, event: &Event<'_>) {
        let prdr = matches!(event, Event::MessageEnd { replies } if *replies > 1)
            && self.server.config().protocol == Protocol::Smtp;
        while self.server.owed() > 0 {
            let (mark, owed) = (self.output.len(), self.server.owed());
            let answer = self.answers.next().map_or(Answer::Default, |letter| Answer::from_letter(*letter));
            if answer.give(&mut self.server, &mut self.output).is_err() {
                Answer::Default.give(&mut self.server, &mut self.output).expect("what is owed has a default");
            }
            let accepted = codes(&self.output[mark..])
                .first()
                .and_then(|code| Code::new(*code))
                .is_some_and(|code| code.class() == Class::Completed);
            match event {
                Event::Mail(_) if accepted => {
                    self.recipients = 0;
                    self.body.clear();
                }
                Event::Rcpt(_) if accepted => self.recipients += 1,
                Event::MessageEnd { replies } if accepted => {
                    let each = self.server.config().protocol == Protocol::Lmtp || prdr;
                    // PRDR's last reply is for the message.
                    self.delivered += match each {
                        true if prdr && owed == 1 => 0,
                        true => 1,
                        false => self.recipients,
                    };
                    if *replies == owed {
                        self.bodies.push(std::mem::take(&mut self.body));
                    }
                }
                _ => {}
            }
        }
    }
}

impl Party for Far<'_> {
    fn step(&mut self, input: &[u8]) -> Went {
        let mut rest = input;
        // Replies leave at once: what holds them back is not this target's.
        let mut output = BytesMut::new();
        let step = self.server.poll(NOW, &mut rest, &mut output);
        self.output.unsplit(output);
        match step {
            Ok(Step::Event(event)) => {
                match &event {
                    Event::Body(body) => body.append_to(&mut self.body),
                    Event::Refused(_) => self.body.clear(),
                    event => self.answer(event),
                }
                Went::On(input.len() - rest.len())
            }
            Ok(Step::Flush(_)) => Went::On(0),
            Ok(Step::NeedInput(_)) => Went::Wait,
            Ok(Step::StartTls) => Went::Tls,
            Ok(Step::Closed) => Went::Over,
            Ok(other) => panic!("{other:?} with nothing owed"),
            Err(_) => Went::Over,
        }
    }

    fn tls_established(&mut self) {
        self.server.tls_established();
    }
}
