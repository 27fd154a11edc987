//! SMTP and LMTP on blocking sockets: those of std, and a thread for each connection, under [`smtp_driver`].
//!
//! No reactor and no executor: a future of this crate's does its work, blocks in it, and is ready when it returns.
//! [`block_on`] runs it.

mod block_on;
mod listener;
mod socket;
mod wake;

pub use block_on::block_on;
pub use listener::Listener;
pub use socket::Socket;
