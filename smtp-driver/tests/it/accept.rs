//! The accept loop over a listener that plays a script.

use std::collections::VecDeque;
use std::future::{Future, pending};
use std::io::{self, ErrorKind, IoSlice};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use futures_lite::future::{block_on, poll_once};
use smtp_driver::{Io, Listener, Shutdown, accept_loop};

const EMFILE: i32 = 24;
const ENFILE: i32 = 23;

struct Silent;

impl Io for Silent {
    fn age(&self) -> Duration {
        Duration::ZERO
    }

    async fn read(&mut self, _: &mut BytesMut, _: Option<Duration>) -> io::Result<usize> {
        Ok(0)
    }

    async fn write(&mut self, _: &[IoSlice<'_>], _: Option<Duration>) -> io::Result<usize> {
        Ok(0)
    }
}

/// Accepts as the script says, then nothing for ever.
struct Script {
    accepts: VecDeque<io::Result<Silent>>,
    slept: Arc<AtomicUsize>,
    open: Arc<()>,
    /// Whether tasks are dropped rather than run, as by a runtime with no thread to give.
    spawns_none: bool,
}

impl Script {
    fn new(accepts: impl IntoIterator<Item = io::Result<Silent>>) -> Self {
        Self {
            accepts: accepts.into_iter().collect(),
            slept: Arc::default(),
            open: Arc::default(),
            spawns_none: false,
        }
    }
}

impl Listener for Script {
    type Io = Silent;

    async fn accept(&mut self) -> io::Result<Silent> {
        match self.accepts.pop_front() {
            Some(accepted) => accepted,
            None => pending().await,
        }
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        if !self.spawns_none {
            thread::spawn(|| block_on(task));
        }
    }

    async fn sleep(&self, _: Duration) {
        self.slept.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_shortage_is_slept_over_and_a_lost_connection_is_not() {
    let script = Script::new([
        Err(io::Error::from_raw_os_error(EMFILE)),
        Err(ErrorKind::ConnectionAborted.into()),
        Err(io::Error::from_raw_os_error(ENFILE)),
        Err(ErrorKind::OutOfMemory.into()),
        Ok(Silent),
    ]);
    let (slept, shutdown) = (Arc::clone(&script.slept), Shutdown::new());
    let ends = shutdown.clone();
    block_on(accept_loop(script, 1, &shutdown, move |_| {
        let ends = ends.clone();
        async move { ends.begin() }
    }))
    .expect("only a shutdown ends it");
    assert_eq!(slept.load(Ordering::SeqCst), 3);
}

#[test]
fn a_socket_that_does_not_listen_ends_the_loop_when_the_connections_have_ended() {
    let script = Script::new([Ok(Silent), Err(ErrorKind::InvalidInput.into()), Ok(Silent)]);
    let ended = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&ended);
    let result = block_on(accept_loop(script, 10, &Shutdown::new(), move |_| {
        let counted = Arc::clone(&counted);
        async move {
            thread::sleep(Duration::from_millis(50));
            counted.fetch_add(1, Ordering::SeqCst);
        }
    }));
    assert_eq!(result.expect_err("that error").kind(), ErrorKind::InvalidInput);
    assert_eq!(ended.load(Ordering::SeqCst), 1, "the one before it is waited for, none after it is taken");
}

#[test]
fn a_connection_that_no_task_was_had_for_is_counted_off() {
    let mut script = Script::new([Ok(Silent), Ok(Silent), Err(ErrorKind::BrokenPipe.into())]);
    script.spawns_none = true;
    // With a limit of one, the second would wait for ever if the first still counted.
    let result = block_on(accept_loop(script, 1, &Shutdown::new(), |_| async {}));
    assert_eq!(result.expect_err("that error").kind(), ErrorKind::BrokenPipe);
}

#[test]
fn a_connection_whose_task_panics_is_counted_off() {
    let script = Script::new([Ok(Silent), Err(ErrorKind::BrokenPipe.into())]);
    let result = block_on(accept_loop(script, 1, &Shutdown::new(), |_| async { panic!("on purpose") }));
    assert_eq!(result.expect_err("that error").kind(), ErrorKind::BrokenPipe);
}

#[test]
fn the_listening_socket_is_closed_before_the_connections_are_waited_for() {
    let script = Script::new([Ok(Silent)]);
    let (open, shutdown) = (Arc::downgrade(&script.open), Shutdown::new());
    let (ends, closed) = (shutdown.clone(), Arc::new(Mutex::new(false)));
    let seen = Arc::clone(&closed);
    block_on(accept_loop(script, 10, &shutdown, move |_| {
        let (ends, open, seen) = (ends.clone(), open.clone(), Arc::clone(&seen));
        async move {
            ends.begin();
            let started = Instant::now();
            while open.strong_count() > 0 && started.elapsed() < Duration::from_secs(10) {
                thread::sleep(Duration::from_millis(1));
            }
            *seen.lock().expect("no panic") = open.strong_count() == 0;
        }
    }))
    .expect("a shutdown");
    assert!(*closed.lock().expect("no panic"));
}

#[test]
fn a_shutdown_that_has_begun_accepts_nothing() {
    let shutdown = Shutdown::new();
    shutdown.begin();
    let script = Script::new([Ok(Silent)]);
    block_on(accept_loop(script, 1, &shutdown, |_| async { panic!("it was accepted") })).expect("a shutdown");
}

#[test]
fn no_connection_is_accepted_at_a_limit_of_none() {
    let shutdown = Shutdown::new();
    let script = Script::new([Ok(Silent)]);
    let mut accepting = Box::pin(accept_loop(script, 0, &shutdown, |_| async { panic!("it was accepted") }));
    assert!(block_on(poll_once(&mut accepting)).is_none());
    shutdown.begin();
    // Not even one that is counted as live, so this ends.
    block_on(accepting).expect("a shutdown");
}
