//! The shutdown flag, and work that it cuts.

use std::future::{pending, ready};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use futures_lite::future::{block_on, poll_once};
use smtp_driver::{Shutdown, unless};

#[test]
fn everybody_who_waits_is_woken_and_so_is_everybody_later() {
    let shutdown = Shutdown::new();
    assert!(!shutdown.has_begun());
    let waiting: Vec<_> = [(); 8]
        .map(|()| {
            let shutdown = shutdown.clone();
            thread::spawn(move || block_on(shutdown.wait()))
        })
        .into();
    thread::sleep(Duration::from_millis(20));
    shutdown.clone().begin();
    shutdown.begin();
    for thread in waiting {
        thread.join().expect("woken");
    }
    assert!(shutdown.has_begun());
    block_on(shutdown.wait());
}

#[test]
fn a_dropped_wait_leaves_the_others_alone() {
    let shutdown = Shutdown::new();
    let mut waiting = Box::pin(shutdown.wait());
    assert!(block_on(poll_once(&mut waiting)).is_none());
    assert!(block_on(poll_once(shutdown.wait())).is_none());
    shutdown.begin();
    block_on(waiting);
}

#[test]
fn work_is_done_unless_the_shutdown_has_begun() {
    let shutdown = Shutdown::new();
    assert_eq!(block_on(unless(&shutdown, ready(1))), Some(1));
    shutdown.begin();
    assert_eq!(block_on(unless(&shutdown, ready(1))), None);
}

#[test]
fn work_that_waits_is_dropped_when_the_shutdown_begins() {
    let (shutdown, held) = (Shutdown::new(), Arc::new(()));
    let (begins, work) = (shutdown.clone(), Arc::clone(&held));
    let begun = thread::spawn(move || {
        thread::sleep(Duration::from_millis(20));
        begins.begin();
    });
    let cut = block_on(unless(&shutdown, async move {
        let _held = work;
        pending::<()>().await;
    }));
    assert_eq!(cut, None);
    assert_eq!(Arc::strong_count(&held), 1);
    begun.join().expect("no panic");
}

/// Who waits in the system hears of it, whether he asked before or after, and however many there are.
#[cfg(unix)]
#[test]
fn the_descriptor_ends_when_the_shutdown_begins() {
    use std::io::Read as _;
    let (shutdown, late) = (Shutdown::new(), Shutdown::new());
    let waiting: Vec<_> = [(); 2]
        .map(|()| {
            let shutdown = shutdown.clone();
            thread::spawn(move || shutdown.descriptor().expect("a pipe").read(&mut [0]).expect("its end"))
        })
        .into();
    thread::sleep(Duration::from_millis(20));
    assert!(waiting.iter().all(|thread| !thread.is_finished()), "it had not begun");
    for shutdown in [&shutdown, &late] {
        shutdown.begin();
        assert_eq!(shutdown.descriptor().expect("a pipe").read(&mut [0]).expect("its end"), 0);
    }
    for thread in waiting {
        assert_eq!(thread.join().expect("woken"), 0);
    }
}
