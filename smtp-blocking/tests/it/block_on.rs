//! What the futures of a handler rely on.

use std::future::poll_fn;
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use smtp_blocking::block_on;

/// Pending once; `wake` is told how to wake it.
async fn pending_once(wake: impl Fn(Waker)) {
    let mut polled = false;
    poll_fn(|context| {
        if std::mem::replace(&mut polled, true) {
            return Poll::Ready(());
        }
        wake(context.waker().clone());
        Poll::Pending
    })
    .await;
}

#[test]
fn a_wake_before_the_park_is_not_lost() {
    block_on(pending_once(|waker| waker.wake()));
}

#[test]
fn a_wake_is_not_lost_to_a_future_that_parks_the_thread_for_ends_of_its_own() {
    block_on(pending_once(|waker| {
        waker.wake();
        thread::park_timeout(Duration::from_millis(20));
    }));
}

#[test]
fn a_wake_from_another_thread_comes_through() {
    block_on(pending_once(|waker| {
        thread::spawn(move || {
            thread::sleep(Duration::from_millis(20));
            waker.wake();
        });
    }));
}

#[test]
fn an_unpark_by_somebody_else_does_not_poll() {
    let mut polls = 0;
    let thread = thread::current();
    block_on(async {
        poll_fn(|context| {
            polls += 1;
            if polls == 2 {
                return Poll::Ready(());
            }
            let (thread, waker) = (thread.clone(), context.waker().clone());
            thread.unpark();
            thread::spawn(move || {
                thread::sleep(Duration::from_millis(20));
                waker.wake();
            });
            Poll::Pending
        })
        .await;
    });
    assert_eq!(polls, 2);
}
