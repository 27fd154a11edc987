//! One flag, raised once, that any thread or task can wait for.

use std::future::{Future, poll_fn};
#[cfg(unix)]
use std::io::{self, PipeReader, PipeWriter};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
#[cfg(unix)]
use std::sync::{Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};

use event_listener::{Event, EventListener, listener};

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

/// What one task waits with for a shutdown, again and again. What is registered stays so between two waits: of all that wait
/// for one flag, none then takes its lock for each read.
#[derive(Debug, Default)]
pub(crate) struct Watch(Option<(Pin<Box<EventListener>>, Waker)>);

impl Watch {
    /// As [`unless`], of the same `shutdown` each time.
    pub(crate) async fn unless<T>(
        &mut self,
        shutdown: &Shutdown,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        if shutdown.has_begun() {
            return None;
        }
        let mut work = pin!(work);
        poll_fn(|context| match work.as_mut().poll(context) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending => self.poll(shutdown, context).map(|()| None),
        })
        .await
    }

    fn poll(&mut self, shutdown: &Shutdown, context: &mut Context<'_>) -> Poll<()> {
        let waker = context.waker();
        if self.0.as_ref().is_none_or(|(_, known)| !known.will_wake(waker)) {
            let mut listener = Box::pin(shutdown.0.event.listen());
            // If it is told at once, it has begun, as is seen below.
            let _ = listener.as_mut().poll(context);
            self.0 = Some((listener, waker.clone()));
        }
        // It may have begun between the look and the listening; if it begins from here on, the waker is called.
        if shutdown.has_begun() { Poll::Ready(()) } else { Poll::Pending }
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Whoever waits again, by the same waker or by another one, as after a task was moved, is woken by it.
    #[test]
    fn every_wait_of_a_watch_is_woken() {
        let (shutdown, mut watch) = (Shutdown::new(), Watch::default());
        let counts = [(); 2].map(|()| Arc::new(Count::default()));
        for count in [&counts[0], &counts[0], &counts[1]] {
            let waker = Waker::from(Arc::clone(count));
            let mut wait = pin!(watch.unless(&shutdown, std::future::pending::<()>()));
            assert!(wait.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        }
        shutdown.begin();
        assert_eq!(counts.map(|count| count.0.load(Ordering::SeqCst)), [0, 1]);
        let waker = Waker::noop();
        let mut wait = pin!(watch.unless(&shutdown, std::future::pending::<()>()));
        assert!(wait.as_mut().poll(&mut Context::from_waker(waker)).is_ready());
    }

    /// Work that is done at once registers nothing, and its result counts also while a watch is kept.
    #[test]
    fn what_is_ready_is_not_waited_for() {
        let (shutdown, mut watch) = (Shutdown::new(), Watch::default());
        let waker = Waker::noop();
        {
            let mut done = pin!(watch.unless(&shutdown, std::future::ready(1)));
            assert_eq!(done.as_mut().poll(&mut Context::from_waker(waker)), Poll::Ready(Some(1)));
        }
        assert!(watch.0.is_none());
    }
}
