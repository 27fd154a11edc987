//! What a pool sends again over another connection, and what it never does (RFC 5321, 6.1).

use smtp_driver::proto::session::{NotSent, Outcome};

use super::pool::*;
use super::script::{Play, Scripts, Wire};
use super::*;

/// How a server can leave before the end of a message was given to it.
fn cuts() -> [fn(&mut Wire); 5] {
    [
        |wire| drop(wire.hear("MAIL ")),
        |wire| {
            wire.hear("MAIL ");
            wire.say("421 4.3.2 restarting\r\n");
        },
        |wire| {
            wire.hear("MAIL ");
            wire.say("250 ok\r\n");
            wire.hear("RCPT ");
            wire.say("250 ok\r\n");
            wire.hear("DATA");
        },
        |wire| {
            wire.hear("MAIL ");
            wire.say("250 ok\r\n");
            wire.hear("RCPT ");
            wire.say("421 4.3.2 restarting\r\n");
        },
        // In the midst of the message.
        |wire| {
            for (verb, answer) in [("MAIL ", "250"), ("RCPT ", "250"), ("DATA", "354")] {
                wire.hear(verb);
                wire.say(format!("{answer} ok\r\n"));
            }
            wire.hear_octets(100_000);
        },
    ]
}

/// One that is cut in its midst is longer than what the system's buffers take, so that its end is not given out.
fn message_for(cut: usize) -> Vec<u8> {
    if cut == 4 { long_message(8 << 20) } else { HELLO.into() }
}

pub(crate) fn a_pool_tries_again_what_was_cut_short<A: Adapter>() {
    for (at, cut) in cuts().into_iter().enumerate() {
        let message = message_for(at);
        let far = Scripts::new(vec![
            play(move |wire| {
                wire.greet(&[]);
                wire.take_letter();
                cut(wire);
            }),
            one_letter(),
        ]);
        A::run(async {
            let pool = pool::<A>(&far.destination());
            delivered(&pool).await;
            let report = pool.send(&ben(), &message).await;
            let report = report.unwrap_or_else(|error| panic!("cut {at}: {error} {:?}", error.report));
            assert!(report.all_delivered(), "cut {at}: {report:?}");
            pool.close().await;
        });
        far.end();
    }
}

pub(crate) fn a_pool_tries_again_but_once<A: Adapter>() {
    for (at, cut) in cuts().into_iter().enumerate() {
        let message = message_for(at);
        let far = Scripts::new(vec![
            play(move |wire| {
                wire.greet(&[]);
                wire.take_letter();
                cut(wire);
            }),
            play(move |wire| {
                wire.greet(&[]);
                cut(wire);
            }),
        ]);
        A::run(async {
            let pool = pool::<A>(&far.destination());
            delivered(&pool).await;
            let report = match pool.send(&ben(), &message).await {
                Ok(report) => report,
                Err(error) => error.report,
            };
            assert_eq!(report.delivered(), 0);
            let outcome = report.outcome(0).expect("one");
            assert!(!outcome.is_permanent() && !matches!(outcome, Outcome::Unknown(_)), "{outcome}");
            assert_eq!(pool.idle(), 0);
        });
        far.end();
    }
}

pub(crate) fn a_pool_does_not_repeat_what_may_have_been_taken<A: Adapter>() {
    let far = Scripts::new(vec![play(|wire| {
        wire.greet(&[]);
        wire.take_letter();
        wire.hear_letter();
    })]);
    A::run(async {
        let pool = pool::<A>(&far.destination());
        delivered(&pool).await;
        let error = pool.send(&ben(), HELLO).await.expect_err("it is lost");
        assert!(matches!(error.report.outcome(0), Some(Outcome::Unknown(_))), "{:?}", error.report);
        assert_eq!(pool.idle(), 0);
    });
    far.end();
    // A 421 to the message is an answer: whoever asks again decides that.
    let far = Scripts::new(vec![play(|wire| {
        wire.greet(&[]);
        wire.take_letter();
        wire.hear_letter();
        wire.say("421 4.3.2 restarting\r\n");
    })]);
    A::run(async {
        let pool = pool::<A>(&far.destination());
        delivered(&pool).await;
        let report = pool.send(&ben(), HELLO).await.expect("an answer");
        assert_eq!(codes(&report), [421]);
    });
    far.end();
}

pub(crate) fn a_pool_does_not_repeat_what_was_decided<A: Adapter>() {
    let far = Scripts::new(vec![play(|wire| {
        wire.greet(&[]);
        wire.take_letter();
        wire.hear("MAIL ");
        wire.say("250 ok\r\n");
        wire.hear("RCPT ");
        wire.say("550 5.1.1 unknown\r\n");
        wire.hear("RCPT ");
    })]);
    A::run(async {
        let pool = pool::<A>(&far.destination());
        delivered(&pool).await;
        let both = envelope("ann@example.org", &["cat@example.net", "ben@example.net"]);
        let error = pool.send(&both, HELLO).await.expect_err("it is lost");
        assert_eq!(codes(&error.report), [550, 0]);
        assert!(matches!(error.report.outcome(1), Some(Outcome::NotSent(NotSent::Lost(_)))));
    });
    far.end();
}

pub(crate) fn a_pool_does_not_repeat_what_it_cannot_read_again<A: Adapter>() {
    let far = Scripts::new(vec![
        play(|wire| {
            wire.greet(&[]);
            wire.take_letter();
            // Nothing was read of the message here.
            wire.hear("MAIL ");
        }),
        one_letter_then(cuts()[4]),
    ]);
    A::run(async {
        let pool = pool::<A>(&far.destination());
        delivered(&pool).await;
        let message = A::stream(HELLO.into(), false);
        assert!(pool.send(&ben(), message).await.expect("a report").all_delivered());
        let message = A::stream(message_for(4), false);
        let error = pool.send(&ben(), message).await.expect_err("it is lost");
        assert!(matches!(error.report.outcome(0), Some(Outcome::NotSent(NotSent::Lost(_)))));
    });
    far.end();
}

fn one_letter_then(cut: fn(&mut Wire)) -> Play {
    play(move |wire| {
        wire.greet(&[]);
        wire.take_letter();
        cut(wire);
    })
}
