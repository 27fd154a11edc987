//! What needs no socket: the accept loop over a listener that plays a script, the shutdown, the sharing of time, peers
//! in memory that want to use it up.
//!
//! What does is in `tests/suite`, which the adapters run.

mod accept;
mod connect;
mod copies;
mod destination;
mod exhaustion;
mod record;
mod shutdown;
#[cfg(all(feature = "tracing", feature = "scram"))]
mod traced;
