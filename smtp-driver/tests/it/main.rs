//! What needs no socket: the accept loop over a listener that plays a script, the shutdown, the sharing of time.
//!
//! What does is in `tests/suite`, which the adapters run.

mod accept;
mod connect;
mod destination;
mod shutdown;
