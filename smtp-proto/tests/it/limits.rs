//! Bounds in time and space, on any input.

use core::time::Duration;

use bytes::{Buf, BytesMut};
use smtp_proto::address::Domain;
use smtp_proto::client::{self, Client};
use smtp_proto::error::Violation;
use smtp_proto::reply::Malformed;
use smtp_proto::server::{self, Config, Server};
use smtp_proto::stage::Stage;

const NOW: Duration = Duration::ZERO;
const MINUTE: Duration = Duration::from_secs(60);

fn config() -> Config {
    let mut config = Config::new(Domain::parse("mx.example.org").expect("a domain"));
    config.limits.errors = 60_000;
    config
}

/// A connection of a server that answers as servers do, and what it keeps.
struct Served {
    server: Server,
    input: BytesMut,
    output: BytesMut,
    now: Duration,
    /// The most octets that had to wait in the input, and in the output.
    most_input: usize,
    most_output: usize,
    flushes: usize,
    replies: usize,
}

impl Served {
    fn new(config: Config) -> Self {
        let mut served = Self {
            server: Server::new(config.shared()),
            input: BytesMut::new(),
            output: BytesMut::new(),
            now: NOW,
            most_input: 0,
            most_output: 0,
            flushes: 0,
            replies: 0,
        };
        served.feed(b"").expect("a greeting");
        served
    }

    fn written(&mut self) {
        self.most_output = self.most_output.max(self.output.len());
        self.replies += self.output.iter().filter(|octet| **octet == b'\n').count();
        self.output.clear();
    }

    /// Until more input is wanted; then until when.
    fn feed(&mut self, octets: &[u8]) -> Result<Option<Duration>, Violation> {
        self.input.extend_from_slice(octets);
        loop {
            match self.server.step(self.now, &self.input, &mut self.output)? {
                server::Step::Event(taken) => {
                    self.input.advance(taken.len());
                    while let Some(reply) = self.server.default_reply() {
                        self.server.reply(&reply, &mut self.output).expect("a reply is owed");
                    }
                }
                server::Step::Flush(_) => {
                    self.flushes += 1;
                    self.written();
                }
                server::Step::NeedInput(until) => {
                    self.most_input = self.most_input.max(self.input.len());
                    self.written();
                    return Ok(until);
                }
                other => panic!("{other:?}"),
            }
        }
    }

    /// The code of the reply to one line.
    fn ask(&mut self, line: &str) -> String {
        self.input.extend_from_slice(line.as_bytes());
        self.input.extend_from_slice(b"\r\n");
        let mut said = String::new();
        loop {
            match self.server.step(self.now, &self.input, &mut self.output).expect("no violation") {
                server::Step::Event(taken) => {
                    self.input.advance(taken.len());
                    while let Some(reply) = self.server.default_reply() {
                        self.server.reply(&reply, &mut self.output).expect("a reply is owed");
                    }
                }
                server::Step::NeedInput(_) => break,
                server::Step::Flush(_) => {
                    said.push_str(&String::from_utf8_lossy(&self.output));
                    self.output.clear();
                }
                other => panic!("{other:?}"),
            }
        }
        said.push_str(&String::from_utf8_lossy(&self.output));
        self.output.clear();
        said[..3].to_owned()
    }
}

#[test]
fn an_endless_line_is_neither_kept_nor_read_for_ever() {
    for piece in [1, 100, 4096, 5000] {
        let mut served = Served::new(config());
        let octets = vec![b'x'; piece];
        let mut sent = 0;
        let violation = loop {
            sent += piece;
            match served.feed(&octets) {
                Ok(_) => assert!(sent < 1_200_000, "read for ever"),
                Err(violation) => break violation,
            }
        };
        assert_eq!(violation, Violation::EndlessLine);
        // The first read beyond a mebibyte, and none before.
        assert_eq!(sent, ((1 << 20) / piece + 1) * piece);
        assert!(served.most_input < 4096, "{} octets were kept", served.most_input);
        assert_eq!(served.replies, 2, "the greeting, and one 500");
    }
}

#[test]
fn an_endless_response_to_auth_is_not_kept_either() {
    let mut with_auth = config();
    let plain = smtp_proto::auth::Mechanisms::NONE.with(smtp_proto::auth::Mechanism::Plain);
    with_auth = with_auth.with_auth(plain);
    with_auth.auth_in_clear = true;
    let mut served = Served::new(with_auth);
    assert_eq!(served.ask("EHLO c.example.com"), "250");
    let step = served.server.step(NOW, b"AUTH PLAIN\r\n", &mut served.output);
    assert!(matches!(step, Ok(server::Step::Event(_))), "{step:?}");
    served.server.challenge(b"", &mut served.output).expect("AUTH is here");
    let violation = (0..).find_map(|_| served.feed(&[b'A'; 4096]).err());
    assert_eq!(violation, Some(Violation::EndlessLine));
    assert!(served.most_input <= 12_290, "{} octets were kept", served.most_input);
}

/// Feeds a client pieces until it has had enough; how many octets it took.
fn weary(piece: &[u8]) -> (Violation, usize) {
    let mut client = Client::new(client::Config::default().into());
    let mut input = Vec::new();
    loop {
        input.extend_from_slice(piece);
        assert!(input.len() < 1_000_000, "read for ever");
        match client.step(NOW, &input) {
            Ok(client::Step::NeedInput(_)) => {}
            Ok(other) => panic!("{other:?}"),
            Err(violation) => {
                assert!(client.is_closed());
                return (violation, input.len());
            }
        }
    }
}

#[test]
fn an_endless_reply_is_given_up() {
    let at = |source| Violation::Reply { stage: Stage::Greeting, source };
    let mut client = Client::new(client::Config::default().into());
    let line = [b"220 ".to_vec(), vec![b'x'; 5000]].concat();
    let cut = (4..line.len()).find(|end| client.step(NOW, &line[..*end]).is_err());
    assert_eq!(cut, Some(4096), "the line's limit");
    // Many short lines: the reply's limit.
    let (violation, octets) = weary(b"220-\r\n");
    assert_eq!(violation, at(Malformed::TooLong));
    assert!((65_536..65_600).contains(&octets), "{octets}");
    let (violation, octets) = weary(b"220-short\r\n220-and short\r\n");
    assert_eq!(violation, at(Malformed::TooLong));
    assert!((65_536..65_600).contains(&octets), "{octets}");
}

#[test]
fn a_server_that_is_fed_an_octet_at_a_time_gives_up_on_time() {
    let mut served = Served::new(config());
    let until = served.feed(b"").expect("nothing wrong");
    assert_eq!(until, Some(5 * MINUTE));
    for octet in b"NOOP and nothing more, ever" {
        served.now += Duration::from_secs(9);
        assert_eq!(served.feed(&[*octet]), Ok(until), "an octet puts nothing off");
    }
    // A whole command does.
    served.now = 4 * MINUTE;
    assert_eq!(served.feed(b"\r\n"), Ok(Some(9 * MINUTE)));
    served.now = 9 * MINUTE;
    let violation = served.server.timed_out(&mut served.output);
    assert_eq!(violation, Violation::TimedOut { stage: Stage::Idle });
    assert!(served.output.starts_with(b"421 4.4.2 mx.example.org "), "{:?}", served.output);
    assert!(matches!(
        served.server.step(served.now, b"NOOP\r\n", &mut served.output),
        Ok(server::Step::Closed)
    ));
}

#[test]
fn a_line_that_is_skipped_puts_nothing_off() {
    let mut served = Served::new(config());
    served.feed(&[b'x'; 5000]).expect("a refusal");
    for second in 0..20 {
        served.now = Duration::from_secs(second * 10);
        assert_eq!(served.feed(b"xxxx"), Ok(Some(5 * MINUTE)), "at {second}");
    }
}

#[test]
fn a_message_keeps_to_a_least_rate() {
    let mut served = Served::new(config());
    for line in ["EHLO c.example.com", "MAIL FROM:<a@example.com>", "RCPT TO:<b@example.org>"] {
        assert_eq!(served.ask(line), "250");
    }
    assert_eq!(served.ask("DATA"), "354");
    let until = served.feed(b"").expect("nothing wrong");
    for _ in 0..60 {
        served.now += Duration::from_secs(4);
        assert_eq!(served.feed(b"a drop\r\n"), Ok(until), "drops put nothing off");
    }
    // 64 KiB in all do.
    served.feed(&b"0123456789012345678901234567890123456789\r\n".repeat(1560)).expect("a message");
    let until = Some(served.now + 5 * MINUTE);
    assert_eq!(served.feed(b""), Ok(until));
    // And the count begins anew.
    for _ in 0..60 {
        served.now += Duration::from_secs(4);
        assert_eq!(served.feed(b"a drop\r\n"), Ok(until), "drops put nothing off");
    }
    let violation = served.server.timed_out(&mut served.output);
    assert_eq!(violation, Violation::TimedOut { stage: Stage::Body });
}

#[test]
fn a_client_that_is_fed_an_octet_at_a_time_gives_up_on_time() {
    let mut client = Client::new(client::Config::default().into());
    let reply = b"220-mx.example.org\r\n220-takes\r\n220-its\r\n220-time\r\n";
    for (n, end) in (0..=reply.len()).enumerate() {
        let now = Duration::from_secs(5 * n as u64);
        let step = client.step(now, &reply[..end]).expect("a reply so far");
        let client::Step::NeedInput(until) = step else { panic!("{step:?}") };
        assert_eq!(until, Some(5 * MINUTE), "neither an octet nor a line puts anything off");
    }
    assert_eq!(client.timed_out(), Violation::TimedOut { stage: Stage::Greeting });
    assert!(client.is_closed());
}

#[test]
fn each_reply_of_a_flight_has_its_own_time() {
    let mut client = Client::new(client::Config::default().into());
    let mut output = BytesMut::new();
    let until = |client: &mut Client, now: Duration| match client.step(now, b"") {
        Ok(client::Step::NeedInput(until)) => until,
        other => panic!("{other:?}"),
    };
    let hear = |client: &mut Client, now: Duration, mut reply: &[u8]| {
        let step = client.poll(now, &mut reply);
        assert!(matches!(step, Ok(client::Step::Event(_))), "{step:?}");
    };
    hear(&mut client, NOW, b"220 hello\r\n");
    client.ehlo(&Domain::parse("c.example.com").expect("a domain"), &mut output).expect("EHLO");
    hear(&mut client, NOW, b"250-hello\r\n250 PIPELINING\r\n");
    client.rset(&mut output).expect("RSET");
    client.rset(&mut output).expect("another behind it");
    assert_eq!(until(&mut client, MINUTE), Some(6 * MINUTE));
    assert_eq!(until(&mut client, 5 * MINUTE), Some(6 * MINUTE));
    hear(&mut client, 5 * MINUTE, b"250 ok\r\n");
    assert_eq!(until(&mut client, 5 * MINUTE), Some(10 * MINUTE));
}

#[test]
fn ten_thousand_recipients_are_answered_each() {
    let mut served = Served::new(config());
    for line in ["EHLO c.example.com", "MAIL FROM:<a@example.com>"] {
        assert_eq!(served.ask(line), "250");
    }
    let mut taken = 0;
    for n in 0..10_000 {
        match &*served.ask(&format!("RCPT TO:<r{n}@example.org>")) {
            "250" => taken += 1,
            code => assert_eq!(code, "452", "recipient {n}"),
        }
    }
    assert_eq!(taken, 1000);
    assert_eq!(served.ask("DATA"), "354", "those that were taken are served");
    assert_eq!(served.ask("x\r\n."), "250");
}

#[test]
fn a_million_resets_are_answered_and_leave_nothing_behind() {
    let mut served = Served::new(config());
    assert_eq!(served.ask("EHLO c.example.com"), "250");
    served.replies = 0;
    let group = b"RSET\r\n".repeat(2500);
    for _ in 0..400 {
        served.feed(&group).expect("nothing wrong");
    }
    assert_eq!(served.replies, 1_000_000);
    assert!(served.input.is_empty() && served.server.is_idle());
    assert!(served.most_output < 16 * 1024 + 512, "{} octets waited to be written", served.most_output);
    assert!(served.flushes > 400, "{} flushes", served.flushes);
}

#[test]
fn replies_are_not_gathered_without_bound() {
    let mut served = Served::new(config());
    assert_eq!(served.ask("EHLO c.example.com"), "250");
    for (line, urgent) in
        [("RSET", false), ("NOOP", true), ("RCPT TO:<b@example.org>", false), ("MAIL FROM:<", false)]
    {
        (served.flushes, served.most_output) = (0, 0);
        served.feed(&format!("{line}\r\n").into_bytes().repeat(10_000)).expect("nothing wrong");
        assert!(served.most_output < 16 * 1024 + 512, "{line}: {}", served.most_output);
        let wanted = if urgent { 10_000..10_001 } else { 5..80 };
        assert!(wanted.contains(&served.flushes), "{line}: {} flushes", served.flushes);
    }
    // A caller that doesn't write is asked again, and nothing is added.
    let mut output = BytesMut::new();
    let mut server = Server::new(config().shared());
    let mut input = BytesMut::from(&b"RSET\r\n".repeat(10_000)[..]);
    while !matches!(server.step(NOW, &b""[..], &mut output), Ok(server::Step::NeedInput(_))) {
        if let Some(reply) = server.default_reply() {
            server.reply(&reply, &mut output).expect("a reply is owed");
        } else {
            output.clear();
        }
    }
    let full = loop {
        match server.step(NOW, &input, &mut output).expect("nothing wrong") {
            server::Step::Event(taken) => {
                input.advance(taken.len());
                let reply = server.default_reply().expect("a reply is owed");
                server.reply(&reply, &mut output).expect("a reply is owed");
            }
            server::Step::Flush(_) => break output.len(),
            other => panic!("{other:?}"),
        }
    };
    for _ in 0..3 {
        assert!(matches!(server.step(NOW, &input, &mut output), Ok(server::Step::Flush(_))));
        assert_eq!(output.len(), full);
    }
}
