//! The server's side: time, shutdown, limits, waits, and the pull loop.

use smtp_driver::proto::command::Rcpt;
use smtp_driver::proto::server::Event;
use smtp_driver::proto::status::Code;
use smtp_driver::{Listener as _, OK, Peer};

use super::script::Wire;
use super::*;

pub(crate) fn a_client_that_drips_is_timed_out<A: Adapter>() {
    let mut config = config();
    config.timeouts.command = 2 * SHORT;
    config.timeouts.block = 2 * SHORT;
    let (server, post) = start::<A>(Service::new(config.shared()));
    // Within a command, and within a message.
    for preamble in ["", "EHLO there\r\nMAIL FROM:<ann@example.org>\r\nRCPT TO:<ben@example.net>\r\nDATA\r\n"]
    {
        let mut wire = Wire::client(server.port);
        wire.reply("220");
        wire.say(preamble);
        for code in ["250", "250", "250", "354"].iter().take(preamble.lines().count()) {
            wire.reply(code);
        }
        let started = Instant::now();
        while started.elapsed() < LONG && wire.try_say("a") {
            thread::sleep(Duration::from_millis(20));
            if started.elapsed() > 3 * SHORT {
                break;
            }
        }
        wire.reply("421");
        wire.rest();
        assert!(started.elapsed() < LONG / 3, "{:?}", started.elapsed());
    }
    server.end();
    assert_eq!(post.letters(), []);
    assert!(post.ended().iter().flatten().filter(|how| how.contains("timed out")).count() == 2);
}

/// What comes while the handler takes its time for the greeting came ahead of it.
pub(crate) fn an_early_talker_is_turned_away<A: Adapter>() {
    struct Doorman;
    impl Handler for Doorman {
        async fn message(&mut self) -> Reply<'static> {
            OK
        }

        async fn connected(&mut self, _: Peer<'_>) -> Reply<'static> {
            thread::sleep(SHORT);
            Reply::fixed(Code::READY, None, "ESMTP")
        }
    }
    let server = start_with::<A, _>(service(), || Doorman);
    let mut wire = Wire::client(server.port);
    wire.say("EHLO there\r\n");
    wire.reply("554");
    assert_eq!(wire.rest(), b"");
    let mut polite = Wire::client(server.port);
    polite.reply("220");
    polite.say("QUIT\r\n");
    polite.reply("221");
    server.end();
}

/// A transaction that a refused chunk ended leaves the next one nothing.
pub(crate) fn recipients_of_a_refused_chunk_are_forgotten<A: Adapter>() {
    let (server, post) = start::<A>(service());
    let mut wire = Wire::client(server.port);
    wire.reply("220");
    wire.say("EHLO there\r\n");
    wire.reply("250");
    wire.say("MAIL FROM:<body-450-ann@example.org>\r\nRCPT TO:<cat@example.net>\r\n");
    wire.say("BDAT 3\r\nx\r\nBDAT 3 LAST\r\ny\r\n");
    for code in ["250", "250", "450", "503"] {
        wire.reply(code);
    }
    wire.say("MAIL FROM:<ann@example.org>\r\nRCPT TO:<ben@example.net>\r\nBDAT 3 LAST\r\nz\r\nQUIT\r\n");
    for code in ["250", "250", "250", "221"] {
        wire.reply(code);
    }
    server.end();
    assert_eq!(post.letters().len(), 1);
    assert_eq!(post.letters()[0].to, ["ben@example.net"]);
}

pub(crate) fn a_shutdown_waits_for_the_message_in_hand<A: Adapter>() {
    let (server, post) = start::<A>(service());
    let (mut idle, mut busy) = (Wire::client(server.port), Wire::client(server.port));
    for wire in [&mut idle, &mut busy] {
        wire.reply("220");
        wire.say("EHLO there\r\n");
        wire.reply("250");
    }
    busy.say("MAIL FROM:<ann@example.org>\r\nRCPT TO:<ben@example.net>\r\nDATA\r\n");
    for code in ["250", "250", "354"] {
        busy.reply(code);
    }
    busy.say("Subject: x\r\n");
    server.shutdown.begin();
    let told = idle.reply("421");
    assert!(told.contains(" mx.example.org "), "{told}");
    assert_eq!(idle.rest(), b"");
    thread::sleep(SHORT);
    assert!(!server.thread.is_finished(), "a message is in hand");
    busy.say("\r\nlast words\r\n.\r\n");
    busy.reply("250");
    busy.reply("421");
    assert_eq!(busy.rest(), b"");
    server.end();
    assert_eq!(post.letters()[0].body, b"Subject: x\r\n\r\nlast words\r\n");
}

pub(crate) fn a_forgotten_responder_answers_451<A: Adapter>() {
    let (tell, told) = std::sync::mpsc::channel();
    let server = thread::spawn(move || {
        A::run(async {
            let (mut listener, address) = A::listen().await;
            tell.send(address.port()).expect("somebody asked");
            let io = listener.accept().await.expect("a connection");
            let mut connection = A::pull(io, config().shared(), Security::Plain, Shutdown::new());
            let mut message = Vec::new();
            while let Some(turn) = A::next(&mut connection).await.expect("no error") {
                match turn {
                    Turn::Command(Event::Rcpt(rcpt), responder) if rcpt.to.as_str().starts_with("ben") => {
                        responder.reply(&OK).expect("it answers");
                    }
                    // Here is where one forgets.
                    Turn::Command(Event::Rcpt(_) | Event::MessageEnd { .. }, _) => {}
                    Turn::Command(_, responder) => responder.accept(),
                    Turn::Body(body) => body.append_to(&mut message),
                    _ => {}
                }
            }
            message
        })
    });
    let port = told.recv().expect("it listens");
    A::run(async {
        let mut client = A::client(&Destination::plain("127.0.0.1", port)).await.expect("a connection");
        let to = ["ben@example.net", "cat@example.net"];
        let report = client.send(&envelope("ann@example.org", &to), "x\r\n").await.expect("a report");
        assert_eq!(codes(&report), [451, 451]);
        assert!(client.is_usable());
        client.quit().await;
    });
    assert_eq!(server.join().expect("no panic"), b"x\r\n");
}

pub(crate) fn a_handler_that_waits_holds_no_reply_back<A: Adapter>() {
    struct Slow {
        gate: Shutdown,
        rcpts: usize,
    }
    impl Handler for Slow {
        async fn message(&mut self) -> Reply<'static> {
            OK
        }

        async fn rcpt(&mut self, _: &Rcpt<'_>) -> Reply<'static> {
            self.rcpts += 1;
            if self.rcpts == 3 {
                self.gate.wait().await;
            }
            OK
        }
    }
    let gate = Shutdown::new();
    let handler = gate.clone();
    let server = start_with::<A, _>(service(), move || Slow { gate: handler.clone(), rcpts: 0 });
    let mut wire = Wire::client(server.port);
    wire.reply("220");
    wire.say("EHLO there\r\n");
    wire.reply("250");
    // All at once, the end included.
    let rcpts = "RCPT TO:<ben@example.net>\r\n".repeat(20);
    wire.say(format!("MAIL FROM:<>\r\n{rcpts}DATA\r\n"));
    // What is owed already comes, though the third recipient has to wait.
    for _ in 0..3 {
        wire.reply("250");
    }
    gate.begin();
    for _ in 2..20 {
        wire.reply("250");
    }
    wire.reply("354");
    wire.say("x\r\n.\r\nQUIT\r\n");
    wire.reply("250");
    wire.reply("221");
    assert_eq!(wire.rest(), b"");
    server.end();
}

pub(crate) fn connections_over_the_limit_wait<A: Adapter>() {
    let (server, post) = start::<A>(service().with_max_connections(1));
    A::run(async {
        let mut first = A::client(&server.plain()).await.expect("a connection");
        let error = A::client(&server.plain().with_config(impatient())).await.err().expect("it has to wait");
        assert!(error.to_string().contains("timed out at the greeting"), "{error}");
        first.noop().await.expect("undisturbed");
        first.quit().await;
        let mut second = A::client(&server.plain()).await.expect("a connection");
        let report = second.send(&envelope("", &["ben@example.net"]), "x\r\n").await.expect("a report");
        assert!(report.all_delivered());
        second.quit().await;
    });
    server.end();
    assert_eq!(post.letters().len(), 1);
}
