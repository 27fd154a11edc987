//! Servers that refuse, leave, or say nothing: what the client says of it.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use smtp_driver::ErrorKind;
use smtp_driver::proto::error::Violation;
use smtp_driver::proto::extension::{Capabilities, Extension};
use smtp_driver::proto::session::{NotSent, Outcome};
use smtp_driver::proto::stage::Stage;
use smtp_driver::proto::status::Code;

use super::script::Wire;
use super::*;

/// The steps of a message to a server without PIPELINING, and what answers them.
const STEPS: [(Stage, &str, &str); 5] = [
    (Stage::Mail, "MAIL ", "250 ok\r\n"),
    (Stage::Rcpt, "RCPT ", "250 ok\r\n"),
    (Stage::Rcpt, "RCPT ", "250 ok\r\n"),
    (Stage::Data, "DATA", "354 go\r\n"),
    (Stage::EndOfData, "", "250 ok\r\n"),
];

/// Plays the steps ahead of number `step`, and hears that one.
fn play_up_to(wire: &mut Wire, step: usize) {
    wire.greet(&[]);
    for (at, (_, verb, answer)) in STEPS[..=step].iter().enumerate() {
        if verb.is_empty() {
            wire.hear_message()
        } else {
            drop(wire.hear(verb))
        }
        if at < step {
            wire.say(answer);
        }
    }
}

fn both<'a>() -> Envelope<'a> {
    envelope("ann@example.org", &["ben@example.net", "cat@example.net"])
}

/// Both sides of PIPECONNECT; and a server that has it no more, and takes the EHLO for out of sequence.
pub(crate) fn ehlo_goes_ahead_of_a_greeting_that_allows_it<A: Adapter>() {
    let cached = Capabilities::new().with(Extension::PipeConnect);
    let script = Script::new(|wire| {
        // Nothing was said to it yet.
        wire.hear("EHLO ");
        wire.say("220 mx.example.org ESMTP\r\n503 too early\r\n");
        wire.hear("EHLO ");
        wire.say("250 mx.example.org\r\n");
        wire.hear("QUIT");
        wire.say("221 bye\r\n");
    });
    let mut config = config();
    config.capabilities = config.capabilities.with(Extension::PipeConnect);
    let (server, post) = start::<A>(Service::new(config.shared()));
    A::run(async {
        let client =
            A::client(&script.destination().with_cached(cached.clone())).await.expect("a connection");
        client.quit().await;
        let mut client = A::client(&server.plain().with_cached(cached)).await.expect("a connection");
        let report = client.send(&both(), "x\r\n").await.expect("a report");
        assert!(report.all_delivered());
        client.quit().await;
    });
    script.end();
    server.end();
    assert_eq!((post.letters().len(), post.ended()), (1, vec![None]));
}

pub(crate) fn a_greeting_that_refuses_is_told<A: Adapter>() {
    struct Closed(u16);
    impl Handler for Closed {
        async fn message(&mut self) -> Reply<'static> {
            smtp_driver::OK
        }

        async fn connected(&mut self, _: smtp_driver::Peer<'_>) -> Reply<'static> {
            Reply::new(Code::new(self.0).expect("a code"), "not today").expect("a text")
        }
    }
    for code in [554, 421, 521] {
        let server = start_with::<A, _>(service(), move || Closed(code));
        A::run(async {
            let error = A::client(&server.plain()).await.err().expect("it refuses");
            assert_eq!(error.refusal().expect("a reply").code().as_u16(), code);
            assert_eq!(error.stage(), Stage::Greeting);
            assert!(error.to_string().contains("not today"), "{error}");
        });
        server.end();
    }
}

pub(crate) fn a_421_at_any_stage_ends_the_connection<A: Adapter>() {
    for stage in [Stage::Greeting, Stage::Hello] {
        let script = Script::new(move |wire| {
            if stage == Stage::Hello {
                wire.say("220 mx.example.org\r\n");
                wire.hear("EHLO ");
            }
            wire.say("421 mx.example.org leaving\r\n");
            assert_eq!(wire.rest(), b"", "nothing may follow a 421");
        });
        A::run(async {
            let error = A::client(&script.destination()).await.err().expect("it refuses");
            assert_eq!((error.stage(), error.refusal().expect("a reply").code().as_u16()), (stage, 421));
        });
        script.end();
    }
    for (step, (stage, ..)) in STEPS.into_iter().enumerate() {
        let script = Script::new(move |wire| {
            play_up_to(wire, step);
            wire.say("421 mx.example.org leaving\r\n");
            assert_eq!(wire.rest(), b"", "nothing may follow a 421");
        });
        A::run(async {
            let mut client = A::client(&script.destination()).await.expect("a connection");
            let report = client.send(&both(), "x\r\n").await.expect("a report");

            assert_eq!(codes(&report), [421, 421], "{stage}");
            assert!(report.outcomes().all(|outcome| !outcome.is_permanent() && !outcome.is_delivered()));
            assert!(!client.is_usable(), "{stage}");
            client.noop().await.expect_err("not usable");
            client.quit().await;
        });
        script.end();
    }
}

pub(crate) fn a_server_that_never_answers_times_out_at_that_stage<A: Adapter>() {
    fn timed_out(error: &Error, stage: Stage) {
        assert!(
            matches!(error.violation(), Some(Violation::TimedOut { stage: at }) if *at == stage),
            "{error}"
        );
        assert_eq!(error.stage(), stage);
    }
    for stage in [Stage::Greeting, Stage::Hello] {
        let script = Script::new(move |wire| {
            if stage == Stage::Hello {
                wire.say("220 mx.example.org\r\n");
                wire.hear("EHLO ");
            }
            wire.rest();
        });
        A::run(async {
            let started = Instant::now();
            let error = A::client(&script.destination().with_config(impatient())).await;
            timed_out(&error.err().expect("no answer"), stage);
            assert!(started.elapsed() < LONG / 3, "{:?}", started.elapsed());
        });
        script.end();
    }
    for (step, (stage, ..)) in STEPS.into_iter().enumerate() {
        let script = Script::new(move |wire| {
            play_up_to(wire, step);
            wire.rest();
        });
        A::run(async {
            let to = script.destination().with_config(impatient());
            let mut client = A::client(&to).await.expect("a connection");
            let failed = client.send(&both(), "x\r\n").await.expect_err("no answer");
            timed_out(&failed.error, stage);
            let unknown = |outcome| matches!(outcome, Outcome::Unknown(_));
            assert_eq!(failed.report.outcomes().all(unknown), stage == Stage::EndOfData, "{stage}");
            assert!(!client.is_usable());
            client.quit().await;
        });
        script.end();
    }
}

pub(crate) fn a_server_that_hangs_up_within_a_message_did_not_take_it<A: Adapter>() {
    // Whatever it says, a yes ahead of the end included.
    for last_words in ["", "452 the disk is full\r\n", "250 taken\r\n"] {
        let script = Script::new(move |wire| {
            play_up_to(wire, 3);
            wire.say("354 go\r\n");
            wire.hear_octets(100_000);
            wire.say(last_words);
        });
        A::run(async {
            let mut client = A::client(&script.destination()).await.expect("a connection");
            match client.send(&both(), long_message(16 << 20)).await {
                Err(failed) => {
                    let lost = |outcome| matches!(outcome, Outcome::NotSent(NotSent::Lost(_)));
                    assert!(failed.report.outcomes().all(lost), "{:?}", failed.report);
                }
                // What it said got here ahead of the reset.
                Ok(report) => {
                    assert_eq!(report.delivered(), 0, "{report:?}");
                    assert!(codes(&report).iter().all(|code| last_words.starts_with(&code.to_string())));
                }
            }
            assert!(!client.is_usable());
            client.quit().await;
        });
        script.end();
    }
}

pub(crate) fn a_server_that_hangs_up_behind_a_message_leaves_it_unknown<A: Adapter>() {
    let script = Script::new(|wire| play_up_to(wire, 4));
    A::run(async {
        let mut client = A::client(&script.destination()).await.expect("a connection");
        let failed = client.send(&both(), "x\r\n").await.expect_err("no answer");
        assert_eq!(failed.error.stage(), Stage::EndOfData);
        assert!(failed.report.outcomes().all(|outcome| matches!(outcome, Outcome::Unknown(_))));
        assert!(!client.is_usable());
    });
    script.end();
}

/// Reset, or closed one way, when each step is said.
pub(crate) fn a_connection_that_breaks_at_any_stage_is_told<A: Adapter>() {
    for half in [false, true] {
        for (step, (stage, ..)) in STEPS.into_iter().enumerate() {
            let script = Script::new(move |wire| {
                if step == 0 {
                    wire.greet(&[]);
                } else {
                    play_up_to(wire, step - 1);
                    wire.say(STEPS[step - 1].2);
                }
                wire.leave_unread();
                if half {
                    wire.hang_up();
                    wire.rest();
                }
            });
            A::run(async {
                let mut client = A::client(&script.destination()).await.expect("a connection");
                let failed = client.send(&both(), "x\r\n").await.expect_err("no answer");
                assert_eq!(failed.error.stage(), stage);
                let unknown = |outcome| matches!(outcome, Outcome::Unknown(_));
                let not_sent = |outcome| matches!(outcome, Outcome::NotSent(NotSent::Lost(_)));
                let mut outcomes = failed.report.outcomes();
                match stage {
                    Stage::EndOfData => assert!(outcomes.all(unknown), "{stage}"),
                    _ => assert!(outcomes.all(not_sent), "{stage}"),
                }
                assert!(!client.is_usable());
                client.quit().await;
            });
            script.end();
        }
    }
}

/// Haraka takes what rides behind a message for out of sequence: that is no word about the message, which goes by itself then.
pub(crate) fn an_envelope_that_may_not_ride_goes_by_itself<A: Adapter>() {
    let script = Script::new(|wire| {
        wire.greet(&["PIPELINING"]);
        wire.hear_letter();
        for verb in ["MAIL ", "RCPT ", "DATA"] {
            wire.hear(verb);
        }
        wire.say("250 ok\r\n503 behind DATA\r\n503 no MAIL\r\n503 no MAIL\r\n");
        // From here on each waits for the one ahead.
        wire.take_letter();
        wire.take_letter();
        wire.hear("QUIT");
        wire.say("221 bye\r\n");
    });
    A::run(async {
        let mut client = A::client(&script.destination()).await.expect("a connection");
        let envelope = envelope("ann@example.org", &["ben@example.net"]);
        let mut delivered = Vec::new();
        let messages = vec![(&envelope, "1\r\n"), (&envelope, "2\r\n"), (&envelope, "3\r\n")];
        client.send_all(messages, |report| delivered.push(report.all_delivered())).await.expect("all");
        assert_eq!(delivered, [true; 3]);
        client.quit().await;
    });
    script.end();
}

pub(crate) fn a_server_that_does_not_listen_is_unreachable<A: Adapter>() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = gone.local_addr().expect("an address").port();
    drop(gone);
    A::run(async {
        let error = A::client(&Destination::plain("127.0.0.1", port)).await.err().expect("nobody is there");
        assert_eq!(error.stage(), Stage::Connect);
        let refused = |error: &io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
        assert!(matches!(error.kind(), ErrorKind::Io(error) if refused(error)), "{error}");
    });
}

pub(crate) fn a_send_that_is_dropped_leaves_the_connection_unusable<A: Adapter>() {
    if !A::DROPS {
        // A function that returns cannot be dropped half way.
        return;
    }
    let script = Script::new(|wire| {
        wire.greet(&["PIPELINING"]);
        wire.hear("MAIL ");
        wire.rest();
    });
    A::run(async {
        let mut client = A::client(&script.destination()).await.expect("a connection");
        let envelope = both();
        {
            let mut send = pin!(client.send(&envelope, "x\r\n"));
            let polled = poll_fn(|context| Poll::Ready(send.as_mut().poll(context))).await;
            assert!(polled.is_pending(), "it waits for a reply");
        }
        assert!(!client.is_usable());
        let failed = client.send(&envelope, "x\r\n").await.expect_err("it lost step");
        assert!(failed.report.outcomes().all(|outcome| matches!(outcome, Outcome::NotSent(_))));
        client.noop().await.expect_err("it lost step");
        client.quit().await;
    });
    script.end();
}

/// The second message of a `send_all` that is dropped has its envelope under way: the next message would be sent to its
/// recipients.
pub(crate) fn a_send_all_that_is_dropped_leaves_the_connection_unusable<A: Adapter>() {
    if !A::DROPS {
        return;
    }
    let script = Script::new(|wire| {
        wire.greet(&["PIPELINING"]);
        wire.hear("MAIL ");
        wire.hear("RCPT ");
        wire.hear("RCPT ");
        wire.hear("DATA");
        wire.say("250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n");
        wire.hear_message();
        wire.say("250 ok\r\n");
        wire.rest();
    });
    A::run(async {
        let mut client = A::client(&script.destination()).await.expect("a connection");
        let envelope = both();
        let reported = Cell::new(0);
        {
            let messages = vec![(&envelope, "x\r\n"), (&envelope, "y\r\n")];
            let mut send = pin!(client.send_all(messages, |_| reported.set(reported.get() + 1)));
            let begun = Instant::now();
            // Once the first is answered, the second waits for the replies to its envelope.
            while reported.get() == 0 && begun.elapsed() < LONG {
                let polled = poll_fn(|context| Poll::Ready(send.as_mut().poll(context))).await;
                assert!(polled.is_pending(), "it waits for a reply");
                std::thread::sleep(SHORT / 20);
            }
        }
        assert_eq!(reported.get(), 1);
        assert!(!client.is_usable());
        client
            .send_all(vec![(&envelope, "z\r\n")], |_| panic!("it lost step"))
            .await
            .expect_err("it lost step");
        client.send_all(Vec::<(&Envelope<'_>, &str)>::new(), |_| {}).await.expect("nothing is sent");
        assert!(!client.is_usable());
        client.quit().await;
    });
    script.end();
}

pub(crate) fn a_record_for_a_greeting_names_the_port<A: Adapter>() {
    let script = Script::new(|wire| {
        // The alert of a server whose patience for a ClientHello is over.
        wire.say([0x15, 3, 3, 0, 2, 2, 0x50]);
        wire.rest();
    });
    A::run(async {
        let error = A::client(&script.destination()).await.err().expect("not a greeting");
        assert!(matches!(error.violation(), Some(Violation::ImplicitTls)), "{error}");
        assert!(error.to_string().contains("implicit TLS"), "{error}");
    });
    script.end();
}
