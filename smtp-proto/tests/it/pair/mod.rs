//! A client and a server in memory, joined by a wire whose weather the test makes, under a clock that the test moves.
//!
//! The client's conversations run as straight code: where they wait, the clock goes on to the next thing that happens,
//! and the server does what it can. So a test is as long as its story, and takes no time.

mod server;
mod wire;

use std::{sync::Arc, time::Duration};

use smtp_proto::{
    address::{Domain, Mailbox},
    client::{self, Client},
    command::Command,
    error::Violation,
    link::Link,
    reply::Reply,
    server::Config,
    session::{Call, Content, Delivery, Envelope, Error, Open, Options, Report, StartTls, Transfer, Want},
};

pub(crate) use server::{Act, Ask, PASSWORD, Stored, USER, reply, say};
use server::{Script, ServerEnd};
use wire::{Pipe, Read};
pub(crate) use wire::{Random, Weather};

/// What it costs, since it was last asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cost {
    /// The client's.
    pub(crate) writes: usize,
    /// How often the client, having written, had to stop until something came.
    pub(crate) waits: usize,
    pub(crate) octets: u64,
    /// The server's.
    pub(crate) server_writes: usize,
}

/// Why nothing more comes.
#[derive(Debug)]
enum Lost {
    End,
    TimedOut,
}

/// A message, and how it is to go.
pub(crate) struct Letter {
    pub(crate) envelope: Envelope<'static>,
    pub(crate) content: Content,
    pub(crate) data: Vec<u8>,
    pub(crate) transfer: Transfer,
    /// Octets that are given at a time.
    pub(crate) piece: usize,
}

impl Letter {
    /// To `a0@to.example` and so on.
    pub(crate) fn new(recipients: usize, data: impl Into<Vec<u8>>) -> Self {
        let data = data.into();
        let to = (0..recipients).map(|n| mailbox(&format!("a{n}@to.example")));
        let envelope = Envelope::new(mailbox("me@from.example"), to);
        Self { envelope, content: Content::of(&data), data, transfer: Transfer::Data, piece: 64 * 1024 }
    }

    pub(crate) fn by(mut self, transfer: Transfer) -> Self {
        self.transfer = transfer;
        self
    }

    pub(crate) fn in_pieces(mut self, piece: usize) -> Self {
        self.piece = piece;
        self
    }
}

pub(crate) fn mailbox(text: &str) -> Mailbox<'static> {
    text.parse().expect("well-formed")
}

pub(crate) fn domain(text: &str) -> Domain<'static> {
    text.parse().expect("well-formed")
}

/// A server's configuration that the tests begin with.
pub(crate) fn config() -> Config {
    Config::new(domain("mx.example"))
}

pub(crate) fn options() -> Options {
    Options::new(domain("client.example")).with_starttls(StartTls::Off)
}

/// How a pair is made.
pub(crate) struct Setup {
    pub(crate) server: Config,
    pub(crate) client: client::Config,
    pub(crate) up: Weather,
    pub(crate) down: Weather,
    pub(crate) implicit_tls: bool,
    pub(crate) script: Script,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            server: config(),
            client: client::Config::default(),
            up: Weather::default(),
            down: Weather::default(),
            implicit_tls: false,
            script: Box::new(|_| Act::Default),
        }
    }
}

impl Setup {
    pub(crate) fn new(server: Config) -> Self {
        let client = client_config(server.protocol);
        Self { server, client, ..Self::default() }
    }

    pub(crate) fn script(mut self, script: impl FnMut(Ask<'_>) -> Act + 'static) -> Self {
        self.script = Box::new(script);
        self
    }

    pub(crate) fn latency(mut self, latency: Duration) -> Self {
        (self.up, self.down) = (Weather::latency(latency), Weather::latency(latency));
        self
    }

    /// A pair of which nothing was said yet.
    pub(crate) fn pair(self) -> Pair {
        Pair::new(self)
    }

    /// A pair whose client is through with EHLO.
    pub(crate) fn opened(self) -> Pair {
        let mut pair = self.pair();
        pair.open(options()).expect("the connection opens");
        pair.cost();
        pair
    }
}

pub(crate) fn client_config(protocol: smtp_proto::stage::Protocol) -> client::Config {
    let mut config = client::Config::default();
    config.protocol = protocol;
    config
}

pub(crate) struct Pair {
    pub(crate) now: Duration,
    pub(crate) client: Client,
    pub(crate) link: Link,
    pub(crate) server: ServerEnd,
    pub(crate) up: Pipe,
    pub(crate) down: Pipe,
    cost: Cost,
    /// Written since the last wait.
    wrote: bool,
}

impl Pair {
    fn new(setup: Setup) -> Self {
        let mut client = Client::new(Arc::new(setup.client));
        let link = if setup.implicit_tls { tls_link() } else { Link::plain() };
        if setup.implicit_tls {
            client.tls_established();
        }
        Self {
            now: Duration::ZERO,
            client,
            link,
            server: ServerEnd::new(setup.server.shared(), setup.implicit_tls, setup.script),
            up: Pipe::new(setup.up),
            down: Pipe::new(setup.down),
            cost: Cost::default(),
            // The greeting is waited for as if connecting had been a write.
            wrote: true,
        }
    }

    /// What was spent since this was last asked.
    pub(crate) fn cost(&mut self) -> Cost {
        let octets = self.up.written();
        let total = Cost { octets, server_writes: self.server.writes, ..self.cost };
        let spent = Cost {
            writes: total.writes,
            waits: total.waits,
            octets: total.octets - self.cost.octets,
            server_writes: total.server_writes - self.cost.server_writes,
        };
        self.cost = Cost { writes: 0, waits: 0, ..total };
        spent
    }

    /// Greeting, EHLO and what else the options ask for.
    pub(crate) fn open(&mut self, options: Options) -> Result<(), Error> {
        let mut open = Open::new(Arc::new(options), *b"client's nonce, 18");
        loop {
            match self.poll(|client, now, input, output| open.poll(client, now, input, output))? {
                Want::Io(until) => self.io(until).map_err(|lost| self.violation(&lost))?,
                Want::StartTls => {
                    self.flush(None).map_err(|lost| self.violation(&lost))?;
                    self.start_tls();
                    while self.link.is_handshaking() {
                        let until = self.now + Duration::from_secs(60);
                        self.io(Some(until)).map_err(|lost| self.violation(&lost))?;
                    }
                    open.tls_established(&mut self.client, None);
                }
                Want::Done => return Ok(()),
                want => panic!("opening wants {want:?}"),
            }
        }
    }

    /// One message, start to end.
    pub(crate) fn deliver(&mut self, letter: &Letter) -> Report {
        let mut delivery = Delivery::new(&letter.envelope, &letter.content, letter.transfer, &self.client);
        self.drive(&mut delivery, letter, false);
        let _ = self.flush(None);
        delivery.into_report()
    }

    /// Messages one behind the other, the next one's envelope with the end of the one ahead.
    pub(crate) fn deliver_all<'l>(&mut self, letters: impl IntoIterator<Item = &'l Letter>) -> Vec<Report> {
        let mut reports = Vec::new();
        let mut ahead: Option<(Delivery<'_>, &Letter)> = None;
        for letter in letters {
            let mut delivery =
                Delivery::new(&letter.envelope, &letter.content, letter.transfer, &self.client);
            if let Some((mut ahead, letter)) = ahead.take() {
                let _ = delivery.begin(&mut self.client, self.link.output());
                self.drive(&mut ahead, letter, false);
                reports.push(ahead.into_report());
            }
            self.drive(&mut delivery, letter, true);
            match delivery.is_ended() {
                true => ahead = Some((delivery, letter)),
                false => reports.push(delivery.into_report()),
            }
        }
        if let Some((mut ahead, letter)) = ahead {
            self.drive(&mut ahead, letter, false);
            reports.push(ahead.into_report());
        }
        let _ = self.flush(None);
        reports
    }

    /// Polls until it is done, or, if asked to, until the end of the message stands in the output.
    fn drive(&mut self, delivery: &mut Delivery<'_>, letter: &Letter, to_end: bool) {
        let mut pieces = letter.data.chunks(letter.piece).peekable();
        while !(to_end && delivery.is_ended()) {
            let want = self.poll(|client, now, input, output| delivery.poll(client, now, input, output));
            let until = match want {
                Ok(Want::Io(until)) => until,
                Ok(Want::Body) => {
                    let piece = pieces.next().unwrap_or_default();
                    let last = pieces.peek().is_none();
                    let output = self.link.output();
                    let sent = delivery.body(piece, last, &mut self.client, output);
                    sent.unwrap_or_else(|why| panic!("asked for a piece and refused it: {why}"));
                    if !last {
                        self.cork();
                    }
                    continue;
                }
                Ok(Want::Again) => {
                    pieces = letter.data.chunks(letter.piece).peekable();
                    delivery.again(true);
                    continue;
                }
                Ok(Want::Done) => return,
                Ok(want) => panic!("delivering wants {want:?}"),
                Err(violation) => {
                    delivery.lost(violation.stage());
                    continue;
                }
            };
            if let Err(lost) = self.io(until) {
                let violation = self.violation(&lost);
                delivery.lost(violation.stage());
            }
        }
    }

    /// Writes what has gathered, if it is much.
    fn cork(&mut self) {
        if self.link.output().len() >= 64 * 1024 {
            let until = self.now + self.client.config().timeouts.block;
            if let Err(lost) = self.flush(Some(until)) {
                self.violation(&lost);
            }
        }
        // A server's last words are seen while the message goes out.
        self.server.run(self.now, &mut self.up, &mut self.down);
        if self.down.read(self.now, self.link.incoming()) == Read::Octets {
            let _ = self.link.received();
        }
    }

    /// One command, one reply.
    pub(crate) fn call(&mut self, command: Command<'_>) -> Result<Reply<'static>, Error> {
        let mut call = Call::new(command);
        loop {
            match self.poll(|client, now, input, output| call.poll(client, now, input, output))? {
                Want::Io(until) => self.io(until).map_err(|lost| self.violation(&lost))?,
                Want::Done => return Ok(call.into_reply().expect("a reply")),
                want => panic!("a call wants {want:?}"),
            }
        }
    }

    fn poll<T>(
        &mut self,
        poll: impl FnOnce(&mut Client, Duration, &mut &[u8], &mut bytes::BytesMut) -> T,
    ) -> T {
        let (input, output) = self.link.split();
        let mut rest = input;
        let result = poll(&mut self.client, self.now, &mut rest, output);
        let taken = input.len() - rest.len();
        self.link.consume(taken);
        result
    }

    fn violation(&mut self, lost: &Lost) -> Violation {
        let stage = self.client.stage();
        self.up.finish(self.now);
        match lost {
            Lost::TimedOut => self.client.timed_out(),
            Lost::End => self.client.eof().err().unwrap_or(Violation::Eof { stage }),
        }
    }

    /// Writes, then waits for octets.
    fn io(&mut self, until: Option<Duration>) -> Result<(), Lost> {
        self.flush(until)?;
        if std::mem::take(&mut self.wrote) {
            self.cost.waits += 1;
        }
        loop {
            self.settle();
            match self.down.read(self.now, self.link.incoming()) {
                Read::Octets => {
                    let received = self.link.received();
                    let _ = self.flush(until);
                    return match received {
                        Ok(()) => Ok(()),
                        // What was rightly decrypted before is to be read first.
                        Err(_) if self.link.input().is_empty() => Err(Lost::End),
                        Err(_) => Ok(()),
                    };
                }
                Read::End => {
                    let _ = self.link.eof();
                    return Err(Lost::End);
                }
                Read::Nothing => self.advance(until, self.down.next())?,
            }
        }
    }

    pub(crate) fn flush_all(&mut self) {
        let _ = self.flush(None);
    }

    fn flush(&mut self, until: Option<Duration>) -> Result<(), Lost> {
        loop {
            let octets = self.link.outgoing();
            if octets.is_empty() {
                return Ok(());
            }
            match self.up.write(self.now, octets) {
                0 => {
                    self.settle();
                    if self.up.is_full() {
                        self.advance(until, None)?;
                    }
                }
                n => {
                    self.link.sent(n);
                    self.cost.writes += 1;
                    self.wrote = true;
                }
            }
        }
    }

    /// The server does what it can now; a cut in one direction ends the other.
    fn settle(&mut self) {
        self.server.run(self.now, &mut self.up, &mut self.down);
        let reset = self.up.weather.reset || self.down.weather.reset;
        if self.down.is_cut() && !self.up.is_ended() {
            if reset { self.up.reset(self.now) } else { self.up.finish(self.now) }
        }
        if self.up.is_cut() && reset && !self.down.is_ended() {
            self.down.reset(self.now);
        }
        if self.server.is_closed() {
            self.up.reset(self.now);
        }
    }

    /// On to the next thing that happens.
    fn advance(&mut self, until: Option<Duration>, ours: Option<Duration>) -> Result<(), Lost> {
        let theirs = self.up.next().filter(|_| self.server.is_reading());
        let next = [theirs, ours, self.server.wake()].into_iter().flatten().min();
        match (next, until) {
            (Some(next), Some(until)) if next >= until => {
                self.now = until.max(self.now);
                Err(Lost::TimedOut)
            }
            (Some(next), _) => {
                self.now = next.max(self.now);
                Ok(())
            }
            (None, Some(until)) => {
                self.now = until.max(self.now);
                Err(Lost::TimedOut)
            }
            (None, None) => panic!("nothing will ever happen again, and there is no deadline"),
        }
    }

    /// The client is silent: the clock goes on, and the server with it.
    pub(crate) fn idle(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            self.settle();
            let theirs = self.up.next().filter(|_| self.server.is_reading());
            match [theirs, self.server.wake()].into_iter().flatten().min() {
                Some(next) if next <= end && !self.server.is_closed() => self.now = next.max(self.now),
                _ => break,
            }
        }
        self.now = end;
    }

    #[cfg(feature = "rustls")]
    fn start_tls(&mut self) {
        self.link.start_tls(crate::tls::client()).expect("nothing stands in the clear");
    }

    #[cfg(not(feature = "rustls"))]
    fn start_tls(&mut self) {
        unreachable!("STARTTLS was offered without TLS");
    }
}

#[cfg(feature = "rustls")]
fn tls_link() -> Link {
    Link::tls(crate::tls::client())
}

#[cfg(not(feature = "rustls"))]
fn tls_link() -> Link {
    unreachable!("TLS without TLS")
}
