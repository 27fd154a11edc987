//! How a shutdown reaches the threads that are blocked in the system.
//!
//! One thread for each listener waits for the shutdown, then cuts the reads of the connections that idle and wakes
//! the accept. A connection in the midst of a message is in no list, and is left alone.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use smtp_driver::{Shutdown, unless};

use crate::block_on;
use crate::listener::Accept;
use crate::socket::Stream;

/// What a listener, its connections and the waking thread share.
#[derive(Debug)]
pub(crate) struct Waits<S> {
    shutdown: Shutdown,
    /// Whether a thread is in accept.
    accepting: AtomicBool,
    /// The sockets that a thread is reading from while idle, by their address in memory.
    idle: Mutex<HashMap<usize, Arc<S>>>,
    /// Begins when nobody is left to be woken, and ends the waking thread.
    abandoned: Shutdown,
}

impl<S: Stream> Waits<S> {
    /// Starts the thread that waits.
    pub(crate) fn start<L: Accept<Stream = S>>(
        listener: &Arc<L>,
        shutdown: &Shutdown,
    ) -> io::Result<Arc<Self>> {
        let waits = Arc::new(Self {
            shutdown: shutdown.clone(),
            accepting: AtomicBool::new(false),
            idle: Mutex::default(),
            abandoned: Shutdown::new(),
        });
        let (waiting, listener) = (Arc::downgrade(&waits), Arc::downgrade(listener));
        let (shutdown, abandoned) = (shutdown.clone(), waits.abandoned.clone());
        thread::Builder::new().name("smtp-shutdown".into()).spawn(move || {
            let begun = block_on(unless(&abandoned, shutdown.wait()));
            if let (Some(()), Some(waits)) = (begun, waiting.upgrade()) {
                waits.cut();
                waits.wake(&listener);
            }
        })?;
        Ok(waits)
    }

    /// Cuts the reads that idle.
    fn cut(&self) {
        for (_, stream) in self.idle().drain() {
            // Fails where the peer has hung up, which ends the read too.
            let _ = stream.socket().shutdown(std::net::Shutdown::Read);
        }
    }

    /// Wakes the thread in accept.
    fn wake<L: Accept>(&self, listener: &Weak<L>) {
        let mut attempt = 0;
        while self.accepting.load(Ordering::SeqCst)
            && let Some(listener) = listener.upgrade()
        {
            // A connection harms no one else who may accept from the same socket. If it was they who took it, or
            // if the address is no longer ours, the socket is shut down, where a system can do that.
            if attempt % 2 == 0 {
                listener.connect_to_itself();
            } else {
                listener.shut_down();
            }
            attempt += 1;
            // Not held meanwhile: the socket closes when its owner says so.
            drop(listener);
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Does `accept`, which blocks, so that a shutdown wakes it. `None` after a shutdown, whatever came.
    pub(crate) fn accept<T>(&self, accept: impl FnOnce() -> T) -> Option<T> {
        // Said before the flag is looked at; the waking thread looks the other way round.
        self.accepting.store(true, Ordering::SeqCst);
        let accepted = (!self.shutdown.has_begun()).then(accept);
        self.accepting.store(false, Ordering::SeqCst);
        accepted.filter(|_| !self.shutdown.has_begun())
    }

    /// Does `read`, which blocks in a read from `stream`, so that a shutdown cuts it. `None` if it did.
    pub(crate) fn read<T>(&self, stream: &Arc<S>, read: impl FnOnce() -> T) -> Option<T> {
        let key = Arc::as_ptr(stream).addr();
        self.idle().insert(key, Arc::clone(stream));
        // If it begins only now, the waking thread finds the entry.
        let done = (!self.shutdown.has_begun()).then(read);
        // Where the entry is gone the socket is cut, though the read may have got something just before. Then that
        // waits in its buffer: no message may begin on a socket that will not read it to its end.
        self.idle().remove(&key).and(done)
    }

    fn idle(&self) -> MutexGuard<'_, HashMap<usize, Arc<S>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S> Drop for Waits<S> {
    fn drop(&mut self) {
        self.abandoned.begin();
    }
}
