//! The pump between the SMTP machines and a transport, written once for every runtime.
//!
//! This crate opens no socket and starts no thread. What it needs of those is in two traits, [`Io`] and [`Listener`];
//! `smtp-tokio`, `smtp-asyncstd` and `smtp-blocking` implement them.

pub mod io;

mod accept;
mod connect;
mod shutdown;

pub use accept::accept_loop;
pub use connect::connect_each;
pub use io::{Io, Listener};
pub use shutdown::{Shutdown, unless};
