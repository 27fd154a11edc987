//! SMTP and LMTP on smol and async-std: the sockets and the clock of `async-io` under [`smtp_driver`].
//!
//! `async-io` is the reactor of both, so one code serves both; where they part, in how a task is spawned, the
//! [`Listener`] is given the way: see [`spawn`].

pub mod spawn;

mod listener;
mod socket;

pub use listener::Listener;
pub use socket::Socket;
