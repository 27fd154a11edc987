//! The pump between the SMTP machines and a transport, written once for every runtime.
//!
//! This crate opens no socket and starts no thread. What it needs of those is in two traits, [`Io`] and [`Listener`];
//! `smtp-tokio`, `smtp-asyncstd` and `smtp-blocking` implement them, and give this crate's types out as their own.

pub mod client;
pub mod io;
pub mod pool;
pub mod ready;
pub mod server;

mod accept;
mod connect;
mod destination;
mod error;
mod handler;
mod message;
mod pump;
mod serve;
mod shutdown;
mod trust;
mod turns;

pub use accept::accept_loop;
pub use connect::connect_each;
pub use destination::Destination;
pub use error::{Error, ErrorKind};
pub use handler::{Answer, Handler, OK, Peer, Said};
pub use io::{Io, Listener, Record};
pub use ipnet;
pub use message::{Message, Piece, Source, Stream};
pub use pool::{Connector, Pool};
pub use serve::{Service, serve};
pub use shutdown::{Shutdown, unless};
pub use smtp_proto as proto;
pub use trust::{Proxy, Trust};
