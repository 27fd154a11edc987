//! Running a future on the thread that asks for it.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

/// Runs `future` to its end, and parks the thread while it waits for something other than a socket of this crate.
///
/// Futures that need a runtime of their own, tokio's for one, do not find it here.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let unpark = Arc::new(Unpark { thread: thread::current(), woken: AtomicBool::new(false) });
    let waker = Waker::from(Arc::clone(&unpark));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
        // The thread's own token is not enough: the future may park the thread for ends of its own, and use it up.
        while !unpark.woken.swap(false, Ordering::Acquire) {
            thread::park();
        }
    }
}

struct Unpark {
    thread: Thread,
    woken: AtomicBool,
}

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use super::*;

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
    fn a_wake_whose_token_the_future_itself_used_up_is_not_lost() {
        block_on(pending_once(|waker| {
            waker.wake();
            thread::park();
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
}
