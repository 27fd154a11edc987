//! So many may go at once, the others wait: first come, first served.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use event_listener::{Event, listener};

/// A semaphore without a runtime that hands a turn over to whoever has waited longest: nobody who comes later can take
/// it in between.
#[derive(Debug)]
pub(crate) struct Turns(Mutex<State>);

#[derive(Debug)]
struct State {
    free: usize,
    queue: VecDeque<Arc<Place>>,
}

#[derive(Debug, Default)]
struct Place {
    /// Changed under the lock only.
    given: AtomicBool,
    event: Event,
}

/// The right to go; given on when dropped.
#[derive(Debug)]
pub(crate) struct Turn<'t>(&'t Turns);

impl Turns {
    pub(crate) fn new(count: usize) -> Self {
        Self(Mutex::new(State { free: count, queue: VecDeque::new() }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a turn. Dropping the future gives the place in the queue up.
    pub(crate) async fn take(&self) -> Turn<'_> {
        let place = {
            let mut state = self.state();
            if state.free > 0 {
                state.free -= 1;
                return Turn(self);
            }
            let place = Arc::new(Place::default());
            state.queue.push_back(Arc::clone(&place));
            place
        };
        let waiting = Waiting { turns: self, place };
        loop {
            listener!(waiting.place.event => given);
            if waiting.place.given.load(Ordering::SeqCst) {
                // What was given is now the turn's to give on.
                waiting.place.given.store(false, Ordering::SeqCst);
                return Turn(self);
            }
            given.await;
        }
    }

    fn give(&self) {
        let mut state = self.state();
        match state.queue.pop_front() {
            Some(place) => {
                place.given.store(true, Ordering::SeqCst);
                place.event.notify(1);
            }
            None => state.free += 1,
        }
    }

    /// How many wait.
    pub(crate) fn waiting(&self) -> usize {
        self.state().queue.len()
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.give();
    }
}

struct Waiting<'t> {
    turns: &'t Turns,
    place: Arc<Place>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.turns.state().queue.retain(|place| !Arc::ptr_eq(place, &self.place));
        if self.place.given.load(Ordering::SeqCst) {
            self.turns.give();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{Future, poll_fn};
    use std::pin::pin;
    use std::task::Poll;

    use futures_lite::future::block_on;

    use super::*;

    async fn once<T>(future: std::pin::Pin<&mut impl Future<Output = T>>) -> Option<T> {
        let mut future = future;
        poll_fn(|context| match future.as_mut().poll(context) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending => Poll::Ready(None),
        })
        .await
    }

    #[test]
    fn turns_go_to_those_who_wait_in_their_order_and_to_nobody_in_between() {
        block_on(async {
            let turns = Turns::new(1);
            let only = turns.take().await;
            let (mut first, mut second) = (pin!(turns.take()), pin!(turns.take()));
            assert!(once(first.as_mut()).await.is_none() && once(second.as_mut()).await.is_none());
            drop(only);
            // It comes when the turn is free and the first in the queue has not yet looked.
            let mut late = pin!(turns.take());
            assert!(once(late.as_mut()).await.is_none());
            assert!(once(second.as_mut()).await.is_none());
            let turn = once(first.as_mut()).await.expect("its turn");
            assert_eq!(turns.waiting(), 2);
            drop(turn);
            drop(once(second.as_mut()).await.expect("its turn"));
            drop(once(late.as_mut()).await.expect("its turn"));
            drop(turns.take().await);
        });
    }

    #[test]
    fn a_place_that_is_given_up_is_nobodys_and_a_turn_not_taken_goes_on() {
        block_on(async {
            let turns = Turns::new(1);
            let only = turns.take().await;
            let mut gone = Box::pin(turns.take());
            let mut given = Box::pin(turns.take());
            let mut last = pin!(turns.take());
            assert!(once(gone.as_mut()).await.is_none());
            assert!(once(given.as_mut()).await.is_none());
            assert!(once(last.as_mut()).await.is_none());
            drop(gone);
            drop(only);
            drop(given);
            drop(once(last.as_mut()).await.expect("its turn"));
            assert_eq!(turns.waiting(), 0);
            drop(turns.take().await);
        });
    }
}
