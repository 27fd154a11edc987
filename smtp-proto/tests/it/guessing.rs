//! Who guesses passwords is sent away, whatever else is said in between.

use std::time::Duration;

use bytes::BytesMut;
use smtp_proto::auth::{Mechanism, Mechanisms};
use smtp_proto::extension::Extension;
use smtp_proto::reply::Reply;
use smtp_proto::server::{Config, Event, Server, Step};
use smtp_proto::status::Code;

use crate::pair::config;

fn offering() -> Config {
    let mechanisms: Mechanisms =
        [Mechanism::Plain, Mechanism::Login, Mechanism::CramMd5].into_iter().collect();
    let mut config = config().with_starttls().with_auth(mechanisms);
    config.capabilities = config.capabilities.with(Extension::Xclient);
    config.auth_in_clear = true;
    config
}

/// A server that knows no password, and asks once more where it was given nothing.
struct Door {
    server: Server,
    output: BytesMut,
}

impl Door {
    fn new(config: Config) -> Self {
        let mut door = Self { server: Server::new(config.shared()), output: BytesMut::new() };
        door.hear("");
        door
    }

    /// The codes of what is said to this, a flight in one piece.
    fn hear(&mut self, flight: &str) -> Vec<u16> {
        let (mut input, mut said) = (flight.as_bytes(), Vec::new());
        loop {
            match self.server.poll(Duration::ZERO, &mut input, &mut self.output) {
                Ok(Step::Event(Event::Auth { initial: None, .. })) => {
                    self.server.challenge(b"", &mut self.output).expect("it is owed");
                }
                Ok(Step::Event(Event::Xclient(_))) => {
                    let yes = Reply::fixed(Code::READY, None, "who are you?");
                    self.server.reply(&yes, &mut self.output).expect("it is owed");
                }
                Ok(Step::Event(_) | Step::Flush(_)) => {}
                Ok(Step::StartTls) => self.server.tls_established(),
                Ok(_) | Err(_) => break,
            }
            if let Some(reply) = self.server.default_reply() {
                self.server.reply(&reply, &mut self.output).expect("it is owed");
            }
            said.extend_from_slice(&self.output.split());
        }
        said.extend_from_slice(&self.output.split());
        let lines = String::from_utf8(said).expect("ASCII");
        let last_lines = lines.lines().filter(|line| line.as_bytes()[3] == b' ');
        last_lines.map(|line| line[..3].parse().expect("a code")).collect()
    }
}

/// By the default, three guesses.
#[test]
fn the_third_guess_is_the_last() {
    for guess in [
        "AUTH PLAIN AGEAYg==\r\n",
        "AUTH PLAIN\r\nAGEAYg==\r\n",
        "AUTH LOGIN\r\nYQ==\r\n",
        "AUTH CRAM-MD5\r\nYSBi\r\n",
    ] {
        let mut door = Door::new(offering());
        assert_eq!(door.hear("EHLO c\r\n"), [250]);
        for _ in 0..2 {
            assert_eq!(door.hear(guess).last(), Some(&535), "{guess}");
        }
        assert_eq!(door.hear(guess)[guess.lines().count() - 1..], [535, 421], "{guess}");
        assert!(door.hear(guess).is_empty(), "it is closed");
    }
}

/// Nothing makes it forget: no new greeting, no TLS, no other client's name.
#[test]
fn guesses_are_counted_over_everything() {
    for between in [
        "RSET\r\n",
        "EHLO d\r\n",
        "STARTTLS\r\n",
        "XCLIENT ADDR=192.0.2.1\r\n",
        "MAIL FROM:<a@b>\r\nRSET\r\n",
        "NOOP\r\n",
    ] {
        let mut door = Door::new(offering());
        let mut guesses = 0;
        loop {
            door.hear("EHLO c\r\n");
            let said = door.hear("AUTH PLAIN AGEAYg==\r\n");
            assert_eq!(said.first(), Some(&535), "{between}");
            guesses += 1;
            if said.contains(&421) {
                break;
            }
            door.hear(between);
        }
        assert_eq!(guesses, 3, "{between}");
    }
}

/// All in one flight: what is behind the third is not heard.
#[test]
fn a_flight_of_guesses_is_cut_short() {
    let mut door = Door::new(offering());
    let flight = format!("EHLO c\r\n{}", "AUTH PLAIN AGEAYg==\r\n".repeat(100));
    assert_eq!(door.hear(&flight), [250, 535, 535, 535, 421]);
}

/// What cannot be a guess is an error, and errors have a limit too.
#[test]
fn malformed_logins_end_as_errors_do() {
    for wrong in ["AUTH PLAIN ====\r\n", "AUTH PLAIN\r\n=\r\n", "AUTH NTLM\r\n", "AUTH\r\n"] {
        let mut config = offering();
        config.limits.errors = 5;
        let mut door = Door::new(config);
        assert_eq!(door.hear("EHLO c\r\n"), [250]);
        let mut said = Vec::new();
        while said.last() != Some(&421) {
            said = door.hear(wrong);
            assert!(matches!(said.last(), Some(421 | 501 | 504)), "{wrong}: {said:?}");
        }
        assert!(door.hear("NOOP\r\n").is_empty(), "{wrong}");
    }
}
