//! Accepting, counting and ending connections, the same on every runtime.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use event_listener::{Event, listener};

use crate::{Listener, Shutdown, unless};

/// How long to leave the system alone when it has no descriptor or memory for one more connection.
const SHORTAGE: Duration = Duration::from_millis(100);

/// Accepts connections from `listener` and runs `run` on each, until `shutdown` begins and all have ended.
///
/// At `max_connections` live ones it stops accepting until one has ended, and the kernel's backlog waits. When the
/// system is short of descriptors or memory it waits a little and tries again. At the shutdown the listening socket
/// is closed at once; what the connections do about it is theirs to say.
///
/// # Errors
/// What [`Listener::accept`] gives when no connection can come any more: `InvalidInput` (the socket does not listen)
/// and `BrokenPipe` (a listener of one's own has ended). Live connections are waited for then too.
pub async fn accept_loop<L, F, Fut>(
    mut listener: L,
    max_connections: usize,
    shutdown: &Shutdown,
    run: F,
) -> io::Result<()>
where
    L: Listener,
    F: Fn(L::Io) -> Fut,
    Fut: Future<Output = ()> + Send + 'static,
{
    listener.heed(shutdown);
    let live = Arc::new(Live::default());
    let result = loop {
        if unless(shutdown, live.fewer_than(max_connections)).await.is_none() {
            break Ok(());
        }
        let error = match unless(shutdown, listener.accept()).await {
            None => break Ok(()),
            Some(Ok(io)) => {
                // A future that another one takes in and then awaits stands in that twice: all of a connection's memory.
                let (ticket, conversation) = (live.enter(), Box::pin(run(io)));
                listener.spawn(async move {
                    let _until_the_end = ticket;
                    conversation.await;
                });
                continue;
            }
            Some(Err(error)) => error,
        };
        match After::of(&error) {
            After::Next => {}
            // Cut short by a shutdown where that can be done; it is short enough where it cannot.
            After::Wait => drop(unless(shutdown, listener.sleep(SHORTAGE)).await),
            After::End => break Err(error),
        }
    };
    // Those in the backlog are told now, rather than left to wait for a server that will not come back.
    drop(listener);
    live.fewer_than(1).await;
    result
}

/// What to do after an accept that failed.
enum After {
    Next,
    Wait,
    End,
}

impl After {
    fn of(error: &io::Error) -> Self {
        use io::ErrorKind as Kind;
        match error.kind() {
            // One connection's trouble, and it has left the queue: to wait would let a peer that resets its
            // connections slow down the others.
            Kind::ConnectionAborted | Kind::ConnectionReset | Kind::Interrupted => Self::Next,
            Kind::InvalidInput | Kind::BrokenPipe => Self::End,
            // EMFILE, ENFILE, ENOBUFS, ENOMEM; and on Linux the network's passing errors, which accept(2) says to
            // treat as if nothing had come.
            _ => Self::Wait,
        }
    }
}

/// How many connections there are.
#[derive(Default)]
struct Live {
    count: AtomicUsize,
    ended: Event,
}

impl Live {
    fn enter(self: &Arc<Self>) -> Ticket {
        self.count.fetch_add(1, Ordering::SeqCst);
        Ticket(Arc::clone(self))
    }

    async fn fewer_than(&self, limit: usize) {
        while self.count.load(Ordering::SeqCst) >= limit {
            listener!(self.ended => ended);
            // One may have ended between the look and the listening.
            if self.count.load(Ordering::SeqCst) < limit {
                return;
            }
            ended.await;
        }
    }
}

/// One live connection. Counted off when dropped, so also when its task panics or was never run.
struct Ticket(Arc<Live>);

impl Drop for Ticket {
    fn drop(&mut self) {
        self.0.count.fetch_sub(1, Ordering::SeqCst);
        self.0.ended.notify(usize::MAX);
    }
}
