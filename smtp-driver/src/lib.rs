//! The pump between the SMTP machines and a transport, written once for every runtime.
//!
//! This crate opens no socket and starts no thread. What it needs of those is in two traits, [`Io`] and [`Listener`];
//! `smtp-tokio`, `smtp-asyncstd` and `smtp-blocking` implement them, and give this crate's types out as their own. Use one of
//! those, or write another: this crate is for who brings a runtime or a transport.
//!
//! # A transport of one's own
//!
//! [`Io`] is a read, a write, and the age of the connection. Whatever has those carries SMTP: a socket, a pipe to a process, a
//! simulation. This one answers from memory:
//!
//! ```
//! use std::collections::VecDeque;
//! use std::io::{self, IoSlice};
//! use std::time::Duration;
//!
//! use bytes::BytesMut;
//! use smtp_driver::proto::session::Envelope;
//! use smtp_driver::{Destination, Io};
//!
//! /// What the server says, write by write, and all that it hears.
//! struct Script {
//!     says: VecDeque<&'static str>,
//!     heard: Vec<u8>,
//! }
//!
//! impl Io for Script {
//!     fn age(&self) -> Duration {
//!         Duration::ZERO // time stands still
//!     }
//!     async fn read(&mut self, buf: &mut BytesMut, _until: Option<Duration>) -> io::Result<usize> {
//!         let said = self.says.pop_front().unwrap_or_default();
//!         buf.extend_from_slice(said.as_bytes());
//!         Ok(said.len()) // 0 is the end
//!     }
//!     async fn write(&mut self, bufs: &[IoSlice<'_>], _until: Option<Duration>) -> io::Result<usize> {
//!         bufs.iter().for_each(|piece| self.heard.extend_from_slice(piece));
//!         Ok(bufs.iter().map(|piece| piece.len()).sum())
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # futures_lite::future::block_on(async {
//! let says = ["220 mx\r\n", "250-mx\r\n250 PIPELINING\r\n", "250 ok\r\n250 ok\r\n354 go\r\n", "250 stored\r\n"];
//! let script = Script { says: says.into(), heard: Vec::new() };
//! let mut connection = Destination::plain("mx.example.org", 25).open(script).await?;
//! let envelope = Envelope::parse("ann@example.org", ["ben@example.net"])?;
//! let report = connection.send(&envelope, "Subject: hello\r\n\r\nHello, Ben.\r\n").await?;
//! assert!(report.all_delivered());
//! let heard = String::from_utf8_lossy(&connection.io().heard);
//! assert!(heard.contains("MAIL FROM:<ann@example.org>\r\nRCPT TO:<ben@example.net>\r\nDATA\r\n"));
//! # Ok(())
//! # }) }
//! ```
//!
//! # A runtime of one's own
//!
//! A [`Listener`] accepts, spawns and waits; [`serve`] does the rest. A [`Connector`] makes [`Pool`]s. `examples/runtime` is a
//! complete adapter in under 100 lines. A transport whose futures are ready when they return is a blocking one: [`ready`] has the
//! same connections and pools as plain functions.
//!
//! # A handler without a network
//!
//! [`server::Connection::serve`] runs a [`Handler`] over any `Io`: that is how to test one, and how to fuzz it
//! (`examples/fuzz_handler.rs`).
//!
//! # Features
//!
//! | feature | default | brings |
//! | --- | --- | --- |
//! | `rustls` | yes | STARTTLS and implicit TLS, both roles |
//! | `scram` | yes | SCRAM and CRAM-MD5 |
//! | `idna` | yes | A-labels for servers without SMTPUTF8 |
//! | `tracing` | | a span for each connection and each message, with what was said but no secret |

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
#[cfg_attr(not(feature = "tracing"), path = "untraced.rs")]
mod trace;
mod trust;
mod turns;

pub use accept::accept_loop;
pub use client::SendError;
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
