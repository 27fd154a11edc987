//! Pools: what they use again, what they see, and what they never send twice. And LIMITS, over sockets.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::task::Poll;

use smtp_driver::proto::extension::SessionLimits;
use smtp_driver::proto::session::{NotSent, Outcome};

use super::script::{Play, Scripts, Wire};
use super::*;

pub(super) const HELLO: &str = "Subject: hello\r\n\r\nHello, Ben.\r\n";

pub(super) fn ben<'a>() -> Envelope<'a> {
    envelope("ann@example.org", &["ben@example.net"])
}

pub(super) fn play(play: impl FnOnce(&mut Wire) + Send + 'static) -> Play {
    Box::new(play)
}

/// One message, then QUIT.
pub(super) fn one_letter() -> Play {
    play(|wire| {
        wire.greet(&[]);
        wire.take_letter();
        wire.hear("QUIT");
        wire.say("221 bye\r\n");
        wire.rest();
    })
}

pub(super) fn pool_of<A: Adapter>(to: &Destination, change: impl FnOnce(&mut Limits)) -> A::Pool {
    let mut limits = Limits::default();
    change(&mut limits);
    A::pool(to, limits)
}

pub(super) fn pool<A: Adapter>(to: &Destination) -> A::Pool {
    pool_of::<A>(to, |_| {})
}

pub(super) async fn delivered(pool: &impl Pool) {
    let report = pool.send(&ben(), HELLO).await.expect("a report");
    assert!(report.all_delivered(), "{report:?}");
}

/// A server that offers these limits.
fn limited<A: Adapter>(change: impl FnOnce(&mut SessionLimits)) -> (Running, Post) {
    let mut limits = SessionLimits::default();
    change(&mut limits);
    let mut config = config();
    config.capabilities = config.capabilities.with_limits(limits);
    start::<A>(Service::new(config.shared()))
}

pub(crate) fn many_recipients_go_in_several_transactions<A: Adapter>() {
    let (server, post) = limited::<A>(|limits| limits.rcpt_max = Some(100));
    let to: Vec<_> = (0..250).map(|n| format!("to{n}@example.net")).collect();
    let to: Vec<_> = to.iter().map(String::as_str).collect();
    A::run(async {
        let mut client = A::client(&server.plain()).await.expect("a connection");
        let report = client.send(&envelope("ann@example.org", &to), HELLO).await.expect("a report");
        assert_eq!((report.len(), report.delivered()), (250, 250));
        client.quit().await;
    });
    let letters = post.letters();
    assert_eq!(letters.iter().map(|letter| letter.to.len()).collect::<Vec<_>>(), [100, 100, 50]);
    assert_eq!(
        letters.iter().flat_map(|letter| &letter.to).collect::<Vec<_>>(),
        to.iter().collect::<Vec<_>>()
    );
    assert!(letters.iter().all(|letter| letter.body == HELLO.as_bytes()));
    server.end();
    assert_eq!(post.ended(), [None], "over one connection");
}

pub(crate) fn a_stream_is_not_read_twice<A: Adapter>() {
    let (server, post) = limited::<A>(|limits| limits.rcpt_max = Some(2));
    A::run(async {
        let mut client = A::client(&server.plain()).await.expect("a connection");
        // Nothing was read yet for the first two, who are refused.
        let to =
            ["550-a@example.net", "550-b@example.net", "c@example.net", "d@example.net", "e@example.net"];
        let message = A::stream(HELLO.into(), false);
        let report = client.send(&envelope("ann@example.org", &to), message).await.expect("a report");
        assert_eq!(codes(&report), [550, 550, 250, 250, 0]);
        assert_eq!(report.outcome(4), Some(Outcome::NotSent(NotSent::ReadOnce)));
        assert!(client.send(&ben(), HELLO).await.expect("in step").all_delivered());
        client.quit().await;
    });
    assert_eq!(post.letters().len(), 2);
    server.end();
}

pub(crate) fn a_pool_uses_its_connections_again<A: Adapter>() {
    for (messages, connections) in [(100, 1), (2, 3), (1, 5)] {
        let (server, post) = start::<A>(service());
        A::run(async {
            let pool = pool_of::<A>(&server.plain(), |limits| limits.messages = messages);
            for _ in 0..5 {
                delivered(&pool).await;
            }
            assert_eq!(pool.idle(), usize::from(messages > 1));
            pool.close().await;
            assert_eq!(pool.idle(), 0);
        });
        server.end();
        assert_eq!(post.letters().len(), 5);
        assert_eq!(post.ended().len(), connections, "with {messages} messages a connection");
    }
}

pub(crate) fn a_pool_keeps_to_what_a_session_takes<A: Adapter>() {
    let (server, post) = limited::<A>(|limits| limits.mail_max = Some(2));
    A::run(async {
        let pool = pool::<A>(&server.plain());
        for _ in 0..5 {
            delivered(&pool).await;
        }
        pool.close().await;
    });
    server.end();
    assert_eq!((post.letters().len(), post.ended().len()), (5, 3));

    let (server, post) = limited::<A>(|limits| {
        (limits.rcpt_domain_max, limits.rcpt_max, limits.mail_max) = (Some(1), Some(2), Some(1));
    });
    A::run(async {
        let pool = pool::<A>(&server.plain());
        let to = ["a@one.org", "b@two.org", "550-c@one.org", "d@two.org", "e@one.org", "f@three.org"];
        let report = pool.send(&envelope("ann@example.org", &to), HELLO).await.expect("a report");
        assert_eq!(codes(&report), [250, 250, 550, 250, 250, 250]);
        pool.close().await;
    });
    server.end();
    let mut to: Vec<_> = post.letters().into_iter().flat_map(|letter| letter.to).collect();
    to.sort();
    assert_eq!(to, ["a@one.org", "b@two.org", "d@two.org", "e@one.org", "f@three.org"], "each once");
}

pub(crate) fn a_pool_sees_that_the_server_hung_up<A: Adapter>() {
    let (gone, is_gone) = mpsc::channel();
    let far = Scripts::new(vec![
        play(move |wire| {
            wire.greet(&[]);
            wire.take_letter();
            wire.hang_up();
            gone.send(()).expect("somebody waits");
            assert_eq!(wire.rest(), b"", "it was used again");
        }),
        one_letter(),
    ]);
    A::run(async {
        let pool = pool::<A>(&far.destination());
        delivered(&pool).await;
        is_gone.recv().expect("it hangs up");
        settle::<A>().await;
        delivered(&pool).await;
        assert_eq!(pool.idle(), 1);
        pool.close().await;
    });
    far.end();
}

/// What has arrived is known to the reactor too.
async fn settle<A: Adapter>() {
    let (listener, _) = A::listen().await;
    smtp_driver::Listener::sleep(&listener, Duration::from_millis(50)).await;
}

pub(crate) fn a_pool_sees_a_421_on_an_idle_connection<A: Adapter>() {
    let (said, is_said) = mpsc::channel();
    let far = Scripts::new(vec![
        play(move |wire| {
            wire.greet(&[]);
            wire.take_letter();
            // It does not close: this is for the client to do.
            wire.say("421 4.4.2 you idle\r\n");
            said.send(()).expect("somebody waits");
            assert_eq!(wire.rest(), b"", "it was used again");
        }),
        one_letter(),
    ]);
    A::run(async {
        let pool = pool::<A>(&far.destination());
        delivered(&pool).await;
        is_said.recv().expect("it speaks");
        settle::<A>().await;
        delivered(&pool).await;
        pool.close().await;
    });
    far.end();
}

pub(crate) fn a_pool_asks_those_that_idled_long<A: Adapter>() {
    let far = Scripts::new(vec![
        play(|wire| {
            wire.greet(&[]);
            wire.take_letter();
            wire.hear("NOOP");
            wire.say("250 here\r\n");
            wire.take_letter();
            wire.hear("NOOP");
            wire.say("421 no longer\r\n");
        }),
        one_letter(),
    ]);
    A::run(async {
        let pool = pool_of::<A>(&far.destination(), |limits| limits.noop_after = Duration::ZERO);
        for _ in 0..3 {
            delivered(&pool).await;
        }
        pool.close().await;
    });
    far.end();
}

pub(crate) fn a_pool_closes_those_that_idle_too_long<A: Adapter>() {
    let left = || {
        play(|wire| {
            wire.greet(&[]);
            wire.take_letter();
            wire.hear("QUIT");
            assert_eq!(wire.rest(), b"");
        })
    };
    let far = Scripts::new(vec![left(), left()]);
    A::run(async {
        let pool = pool_of::<A>(&far.destination(), |limits| limits.idle = SHORT);
        delivered(&pool).await;
        pool.sweep().await;
        assert_eq!(pool.idle(), 1, "it is young");
        thread::sleep(SHORT);
        // Nobody swept, and yet it is not used.
        delivered(&pool).await;
        thread::sleep(SHORT);
        pool.sweep().await;
        assert_eq!(pool.idle(), 0);
    });
    far.end();
}

pub(crate) fn a_pool_is_bounded<A: Adapter>() {
    struct Slow(Arc<AtomicUsize>, Arc<AtomicUsize>);
    impl Handler for Slow {
        async fn connected(&mut self, _: smtp_driver::Peer<'_>) -> Reply<'static> {
            let live = self.0.fetch_add(1, Ordering::SeqCst) + 1;
            self.1.fetch_max(live, Ordering::SeqCst);
            Reply::fixed(smtp_driver::proto::status::Code::READY, None, "hello")
        }
        async fn message(&mut self) -> Reply<'static> {
            thread::sleep(Duration::from_millis(5));
            smtp_driver::OK
        }
        fn ended(&mut self, _: Result<(), Error>) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }
    let (live, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (counted, peak) = (Arc::clone(&live), Arc::clone(&most));
    let server = start_with::<A, _>(service(), move || Slow(Arc::clone(&counted), Arc::clone(&peak)));
    let done = Arc::new(AtomicUsize::new(0));
    A::run(async {
        let pool = pool_of::<A>(&server.plain(), |limits| limits.connections = 3);
        let task = |_| {
            let (pool, done) = (pool.clone(), Arc::clone(&done));
            Box::pin(async move {
                for _ in 0..4 {
                    delivered(&pool).await;
                    done.fetch_add(1, Ordering::SeqCst);
                }
            }) as Pin<Box<dyn Future<Output = ()> + Send>>
        };
        A::together((0..8).map(task).collect()).await;
        assert!((1..=3).contains(&pool.idle()));
        assert_eq!(pool.waiting(), 0);
        pool.close().await;
    });
    server.end();
    assert_eq!(done.load(Ordering::SeqCst), 32);
    assert_eq!(most.load(Ordering::SeqCst), 3, "connections at once");
}

async fn yielding() {
    let mut polled = false;
    poll_fn(|context| {
        if std::mem::replace(&mut polled, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

pub(crate) fn a_pool_serves_in_the_order_of_arrival<A: Adapter>() {
    const COUNT: usize = 6;
    let begun = Arc::new(AtomicUsize::new(0));
    let (tell, told) = mpsc::channel::<A::Pool>();
    let (order, came) = mpsc::channel();
    let seen = Arc::clone(&begun);
    let far = Scripts::new(vec![play(move |wire| {
        wire.greet(&[]);
        for n in 0..COUNT {
            order.send(wire.hear("MAIL FROM:<")).expect("somebody looks");
            if n == 0 {
                let pool = told.recv().expect("a pool");
                seen.store(1, Ordering::SeqCst);
                while pool.waiting() < COUNT - 1 {
                    thread::sleep(Duration::from_millis(1));
                }
            }
            wire.say("250 ok\r\n");
            wire.hear("RCPT ");
            wire.say("250 ok\r\n");
            wire.hear("DATA");
            wire.say("354 go\r\n");
            wire.hear_message();
            wire.say("250 ok\r\n");
        }
        wire.hear("QUIT");
        wire.say("221 bye\r\n");
    })]);
    A::run(async {
        let pool = pool_of::<A>(&far.destination(), |limits| limits.connections = 1);
        tell.send(pool.clone()).expect("it waits");
        let task = |n: usize| {
            let (pool, begun) = (pool.clone(), Arc::clone(&begun));
            Box::pin(async move {
                while n > 0 && (begun.load(Ordering::SeqCst) == 0 || pool.waiting() != n - 1) {
                    yielding().await;
                }
                let from = format!("from{n}@example.org");
                let report = pool.send(&envelope(&from, &["ben@example.net"]), HELLO).await;
                assert!(report.expect("a report").all_delivered());
            }) as Pin<Box<dyn Future<Output = ()> + Send>>
        };
        A::together((0..COUNT).map(task).collect()).await;
        pool.close().await;
    });
    far.end();
    let came: Vec<_> = came.iter().collect();
    for (n, line) in came.iter().enumerate() {
        assert!(line.contains(&format!("<from{n}@")), "{came:?}");
    }
    assert_eq!(came.len(), COUNT);
}

pub(crate) fn a_pool_that_closes_says_quit<A: Adapter>() {
    let far = Scripts::new(vec![play(|wire| {
        wire.greet(&[]);
        wire.take_letter();
        wire.hear("QUIT");
        wire.say("221 bye\r\n");
        assert_eq!(wire.rest(), b"");
    })]);
    A::run(async {
        let pool = pool::<A>(&far.destination());
        delivered(&pool).await;
        pool.close().await;
        let error = pool.send(&ben(), HELLO).await.expect_err("it is closed");
        assert!(matches!(error.report.outcome(0), Some(Outcome::NotSent(_))), "{:?}", error.report);
    });
    far.end();
}

pub(crate) fn a_pool_is_whole_after_a_send_is_dropped<A: Adapter>() {
    if !A::DROPS {
        return;
    }
    let far = Scripts::new(vec![
        play(|wire| {
            wire.greet(&[]);
            wire.rest();
        }),
        one_letter(),
    ]);
    A::run(async {
        let pool = pool_of::<A>(&far.destination(), |limits| limits.connections = 1);
        {
            let envelope = ben();
            let mut send = pin!(pool.send(&envelope, HELLO));
            let started = Instant::now();
            while started.elapsed() < SHORT {
                let polled = poll_fn(|context| Poll::Ready(send.as_mut().poll(context))).await;
                assert!(polled.is_pending(), "nobody answers");
                yielding().await;
            }
        }
        assert_eq!(pool.idle(), 0);
        delivered(&pool).await;
        pool.close().await;
    });
    far.end();
}
