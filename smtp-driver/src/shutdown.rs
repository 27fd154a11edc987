//! One flag, raised once, that any thread or task can wait for.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use event_listener::{Event, listener};

/// Asks a server to end: no new connections, a 421 for those that idle, and time to finish for those that do not.
///
/// Clones share the one flag. It belongs to no runtime: [`begin`](Self::begin) may be called from a task of any, or
/// from a plain thread that waits for signals. It takes a lock, so not from within a signal handler itself.
#[derive(Clone, Debug, Default)]
pub struct Shutdown(Arc<Flag>);

#[derive(Debug, Default)]
struct Flag {
    begun: AtomicBool,
    event: Event,
}

impl Shutdown {
    /// A shutdown that has not begun.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins it. Saying so again does nothing.
    pub fn begin(&self) {
        self.0.begun.store(true, Ordering::SeqCst);
        self.0.event.notify(usize::MAX);
    }

    /// Whether it has begun.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.0.begun.load(Ordering::SeqCst)
    }

    /// Waits until it begins. Allocates nothing, and may be dropped and called anew at any time.
    pub async fn wait(&self) {
        while !self.has_begun() {
            listener!(self.0.event => begun);
            // It may have begun between the look and the listening.
            if self.has_begun() {
                return;
            }
            begun.await;
        }
    }
}

/// Does `work`, unless `shutdown` has begun or begins before it is done: then drops it and gives `None`.
///
/// `work` must be safe to drop at any await, as [`Io::read`](crate::Io::read) is.
pub async fn unless<T>(shutdown: &Shutdown, work: impl Future<Output = T>) -> Option<T> {
    if shutdown.has_begun() {
        return None;
    }
    let (mut work, mut begun) = (pin!(work), pin!(shutdown.wait()));
    // The work goes first: it is mostly ready, and then nothing need be registered with the flag.
    poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending => begun.as_mut().poll(context).map(|()| None),
    })
    .await
}
