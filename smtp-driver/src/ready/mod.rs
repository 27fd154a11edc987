//! Plain functions, for transports whose futures are ready when they return: what a blocking adapter gives out as its own.
//!
//! Each runs the future of the same name on the thread that calls it. Where such a future waits for something else than
//! the transport, a handler's own wait, the thread is parked.

pub mod client;
pub mod server;

mod pool;

pub use pool::Pool;
