//! What a handler has a say in: mechanisms of its own, and how long a shutdown waits.

use smtp_driver::proto::status::{Code, Enhanced};
use smtp_driver::{Answer, OK, Said};

use super::script::Wire;
use super::*;

/// Knows one mechanism of its own: the client says `a`, is asked `b?`, and says `b`.
#[derive(Default)]
struct Own(bool);

impl Handler for Own {
    async fn message(&mut self) -> Reply<'static> {
        OK
    }

    async fn exchange(&mut self, mechanism: &str, said: Said<'_>) -> Answer {
        assert!(mechanism.eq_ignore_ascii_case("X-OWN"));
        let begun = std::mem::take(&mut self.0);
        match said {
            Said::Begin(None) => Answer::Challenge(Vec::new()),
            Said::Begin(Some(b"a")) => self.ask(),
            Said::Response(b"a") if !begun => self.ask(),
            Said::Response(b"b") if begun => {
                let welcome = Some(Enhanced::fixed(2, 7, 0));
                Answer::Reply(Reply::fixed(Code::AUTHENTICATED, welcome, "welcome"))
            }
            _ => Answer::Reply(Reply::fixed(Code::AUTH_FAILED, None, "no")),
        }
    }
}

impl Own {
    fn ask(&mut self) -> Answer {
        self.0 = true;
        Answer::Challenge(b"b?".to_vec())
    }
}

/// RFC 4954, 4: a mechanism that only the handler knows goes through `serve` as through the pull loop.
pub(crate) fn a_handler_has_mechanisms_of_its_own<A: Adapter>() {
    let mut config = config();
    config.require_auth = true;
    config.capabilities = config.capabilities.with_keyword("AUTH X-OWN").expect("a keyword");
    let service = Service::new(config.shared());
    let server = start_with::<A, _>(service.clone(), Own::default);
    let greeted = |port| {
        let mut wire = Wire::client(port);
        wire.reply("220");
        wire.say("EHLO there\r\n");
        wire.reply("250");
        wire
    };
    let mut wire = greeted(server.port);
    // base64: YQ== is a, Yg== is b, Yj8= is b?
    for (line, answer) in [
        ("MAIL FROM:<>", "530"),
        ("AUTH X-OTHER YQ==", "504"),
        ("AUTH X-OWN Yg==", "535"),
        // Given up half way, and begun anew.
        ("AUTH x-own YQ==", "334 Yj8="),
        ("*", "501"),
        ("AUTH X-OWN YQ==", "334 Yj8="),
        ("YQ==", "535"),
        ("MAIL FROM:<>", "530"),
        ("AUTH X-OWN", "334 "),
        ("YQ==", "334 Yj8="),
        ("Yg==", "235"),
        ("MAIL FROM:<>", "250"),
        ("QUIT", "221"),
    ] {
        wire.say(format!("{line}\r\n"));
        wire.hear(answer);
    }
    server.end();

    // Whoever lists one and does not know it lets nobody in.
    let server = start::<A>(service).0;
    let mut wire = greeted(server.port);
    wire.say("AUTH X-OWN YQ==\r\nQUIT\r\n");
    wire.reply("535");
    wire.reply("221");
    server.end();
}

/// A shutdown waits for who is in the midst of a message, but not for ever: neither for silence, nor for drops.
pub(crate) fn a_shutdown_has_its_time<A: Adapter>() {
    for (preamble, drips) in [
        ("MAIL FROM:<ann@example.org>\r\nRCPT TO:<ben@example.net>\r\nDATA\r\nSubject: x\r\n", true),
        ("MAIL FROM:<ann@example.org>\r\nRCPT TO:<ben@example.net>\r\nDATA\r\nSubject: x\r\n", false),
        ("MAIL FROM:<ann@example.org>\r\nRCPT TO:<ben@example.net>\r\nBDAT 100000\r\nx", true),
        ("MAIL FROM:<ann@example.org>\r\nRCPT TO:<ben@example.net>\r\nDA", false),
    ] {
        let (server, post) = start::<A>(service().with_grace(2 * SHORT));
        let mut wire = Wire::client(server.port);
        wire.reply("220");
        wire.say(format!("EHLO there\r\n{preamble}"));
        for _ in 0..3 {
            wire.reply("250");
        }
        if preamble.contains("DATA") {
            wire.reply("354");
        }
        let started = Instant::now();
        server.shutdown.begin();
        while drips && started.elapsed() < 3 * SHORT && wire.try_say("a") {
            thread::sleep(Duration::from_millis(5));
        }
        let told = wire.reply("421");
        assert!(told.contains("4.3.2") || told.contains("shutting down"), "{told}");
        wire.rest();
        assert!(started.elapsed() > SHORT, "it had no time at all");
        server.end();
        assert!(started.elapsed() < LONG / 3, "{:?}", started.elapsed());
        assert_eq!(post.letters(), []);
    }
}
