//! How a connection's task gets onto an executor.
//!
//! A [`Listener`](crate::Listener) takes any `Fn(Task)`; for an executor of one's own that is
//! `move |task| executor.spawn(task).detach()`. The functions here serve the global executors.

use std::future::Future;
use std::pin::Pin;

/// What is to be run: one connection, from its greeting to its end.
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Spawns on smol's global executor.
#[cfg(feature = "smol")]
pub fn smol(task: Task) {
    smol::spawn(task).detach();
}

/// Spawns on async-std's executor.
#[cfg(feature = "async-std")]
pub fn async_std(task: Task) {
    async_std::task::spawn(task);
}
