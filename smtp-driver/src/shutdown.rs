//! One flag, raised once, that any thread or task can wait for.

use std::future::{Future, poll_fn};
#[cfg(unix)]
use std::io::{self, PipeReader, PipeWriter};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
#[cfg(unix)]
use std::sync::{Mutex, OnceLock, PoisonError};
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
    /// Made when it is first asked for. The writing end is closed when the shutdown begins.
    #[cfg(unix)]
    pipe: OnceLock<(PipeReader, Mutex<Option<PipeWriter>>)>,
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
        #[cfg(unix)]
        self.0.hang_up();
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

#[cfg(unix)]
impl Shutdown {
    /// What `poll` and its like find readable from when it has begun, for who waits in the system: one descriptor for
    /// however many wait. It is a pipe's, whose other end is closed then; nothing is ever to be read from it.
    ///
    /// # Errors
    /// Those of the system, when it is first asked for.
    pub fn descriptor(&self) -> io::Result<&PipeReader> {
        if self.0.pipe.get().is_none() {
            let (reader, writer) = io::pipe()?;
            // Whoever was quicker has made one as good.
            let _ = self.0.pipe.set((reader, Mutex::new(Some(writer))));
        }
        // It may have begun before there was a pipe.
        if self.has_begun() {
            self.0.hang_up();
        }
        self.0.pipe.get().map(|(reader, _)| reader).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

#[cfg(unix)]
impl Flag {
    fn hang_up(&self) {
        if let Some((_, writer)) = self.pipe.get() {
            drop(writer.lock().unwrap_or_else(PoisonError::into_inner).take());
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
