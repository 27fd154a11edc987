//! SMTP and LMTP, both roles, sans-IO: values, state machines and whole conversations, which are given octets and the age of the
//! connection, and give octets back.
//!
//! Nothing here knows a socket, a clock, a thread or a runtime. Who wants those already put together takes `smtp-tokio`,
//! `smtp-asyncstd` or `smtp-blocking`; who brings a transport of their own, `smtp-driver`. This crate is for an event loop, another
//! TLS library, a simulation, a proxy, a fuzzer.
//!
//! # Where to begin
//!
//! | you want | look at |
//! | --- | --- |
//! | to read or write a command, a reply, an address, a parameter | [`command`], [`reply`], [`address`], [`param`], [`extension`], [`status`] |
//! | to be a server | [`server::Server`] |
//! | to send mail, without caring which reply means what | [`session`]: [`Open`](session::Open), [`Delivery`](session::Delivery), [`Call`](session::Call) |
//! | to say each command yourself | [`client::Client`] |
//! | buffers between a socket and a machine, with rustls between them or not | [`link::Link`] |
//! | to log in, or let others | [`auth`] |
//! | to find the end of a message, or stuff its dots | [`dot`] |
//! | trace fields, and the header of a balancer | [`received`], [`proxy`] |
//!
//! # Values
//!
//! A value is its text, checked once. What was parsed is written back octet for octet, and none can be made that has a line
//! end in it:
//!
//! ```
//! use smtp_proto::address::Mailbox;
//! use smtp_proto::command::{Command, Options};
//!
//! let Command::Mail(mail) = Command::parse(b"MAIL FROM:<\"ann b\"@example.org> SIZE=1000", Options::default())? else {
//!     panic!("MAIL it is");
//! };
//! assert_eq!(mail.from.as_str(), "\"ann b\"@example.org");
//! assert_eq!(mail.params.size(), Some(1000));
//! assert!(Mailbox::parse("ann@example.org>\r\nRCPT TO:<cat@example.net").is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # A server
//!
//! [`step`](server::Server::step) looks at the input and says what is next; [`reply`](server::Server::reply) answers. The
//! input and the output are the caller's buffers. Here the client has sent all that it has to say at once, as PIPELINING lets it:
//!
//! ```
//! use bytes::{Buf as _, BytesMut};
//! use core::time::Duration;
//! use smtp_proto::address::Domain;
//! use smtp_proto::server::{Config, Event, Server, Step};
//!
//! let mut config = Config::new(Domain::parse("mx.example.org")?);
//! config.refuse_early_talkers = false;
//! let mut server = Server::new(config.shared());
//! let mut input = BytesMut::from(
//!     "EHLO client.example.net\r\nMAIL FROM:<ann@example.net>\r\nRCPT TO:<ben@example.org>\r\nDATA\r\n\
//!      Subject: hello\r\n\r\n..and one dot.\r\n.\r\nQUIT\r\n",
//! );
//! let (mut output, mut message) = (BytesMut::new(), Vec::new());
//! loop {
//!     let age = Duration::ZERO; // since the connection was opened
//!     match server.step(age, &input, &mut output)? {
//!         Step::Event(taken) => {
//!             match server.event(taken, &input) {
//!                 Event::Body(body) => body.append_to(&mut message),
//!                 Event::MessageEnd { .. } => println!("stored"),
//!                 _ => {}
//!             }
//!             // As a server without an opinion answers; yours gives replies of its own.
//!             while let Some(reply) = server.default_reply() {
//!                 server.reply(&reply, &mut output)?;
//!             }
//!             input.advance(taken.len());
//!         }
//!         Step::Flush(_until) => continue, // write `output` to the socket, then step on
//!         Step::NeedInput(_until) => break, // write `output`, then read into `input`
//!         Step::StartTls => unreachable!("not offered"),
//!         _ => break, // closed: write `output`, then close
//!     }
//! }
//! assert_eq!(message, b"Subject: hello\r\n\r\n.and one dot.\r\n");
//! assert!(output.starts_with(b"220 mx.example.org ") && output.ends_with(b"closing\r\n"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A reply is owed for each command before the next is looked at; [the table](server#who-owes-what) says how many for which
//! event. Time is an argument, and what is waited for has a deadline, an age: when it passes, call
//! [`timed_out`](server::Server::timed_out).
//!
//! # A client, against that server, without a network
//!
//! A conversation is polled until it wants octets to flow. Both machines of this test stand in one thread:
//!
//! ```
//! use bytes::{Buf as _, BytesMut};
//! use core::time::Duration;
//! use smtp_proto::address::Domain;
//! use smtp_proto::client::{self, Client};
//! use smtp_proto::server::{self, Server};
//! use smtp_proto::session::{Content, Delivery, Envelope, Open, Options, StartTls, Transfer, Want};
//! # use std::sync::Arc;
//!
//! /// The other end: answers everything by default.
//! fn serve(server: &mut Server, input: &mut BytesMut, output: &mut BytesMut) {
//!     while let Ok(server::Step::Event(taken)) = server.step(Duration::ZERO, input, output) {
//!         while let Some(reply) = server.default_reply() {
//!             server.reply(&reply, output).expect("the default fits");
//!         }
//!         input.advance(taken.len());
//!     }
//! }
//!
//! let mut server = Server::new(server::Config::new(Domain::parse("mx.example.org")?).shared());
//! let mut client = Client::new(client::Config::default().shared());
//! let (mut to_server, mut to_client) = (BytesMut::new(), BytesMut::new());
//!
//! let options = Options::new(Domain::parse("client.example.net")?).with_starttls(StartTls::Off);
//! let mut open = Open::new(Arc::new(options), [0; 18]); // random octets, if there is a login by SCRAM
//! loop {
//!     let mut input = &to_client[..];
//!     let want = open.poll(&mut client, Duration::ZERO, &mut input, &mut to_server)?;
//!     to_client = input.into();
//!     let Want::Io(_until) = want else { break };
//!     serve(&mut server, &mut to_server, &mut to_client);
//! }
//!
//! let envelope = Envelope::parse("ann@example.net", ["ben@example.org"])?;
//! let message = b"Subject: hello\r\n\r\nHello, Ben.\r\n";
//! let mut delivery = Delivery::new(&envelope, &Content::of(message), Transfer::Data, &client);
//! loop {
//!     let mut input = &to_client[..];
//!     let want = delivery.poll(&mut client, Duration::ZERO, &mut input, &mut to_server)?;
//!     to_client = input.into();
//!     match want {
//!         Want::Io(_until) => serve(&mut server, &mut to_server, &mut to_client),
//!         Want::Body => delivery.body(message, true, &mut client, &mut to_server)?,
//!         _ => break,
//!     }
//! }
//! assert!(delivery.into_report().all_delivered());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # TLS
//!
//! With the feature `rustls`, a [`Link`](link::Link) runs rustls as one more stage between the socket and the machine. With
//! another library: at [`Step::StartTls`](server::Step::StartTls), or [`Want::StartTls`](session::Want::StartTls), write the output, shake hands, and say
//! [`tls_established`](server::Server::tls_established); over implicit TLS say it before the first step. No octet that came
//! ahead of the handshake is ever taken for one that came through it.
//!
//! # Examples
//!
//! In this repository: `smtp-proto/examples/event_loop.rs`, many connections in one thread of one's own;
//! `smtp-proto/examples/native-tls`, the machines under another TLS library; `smtp-blocking/examples/proxy.rs`, a filtering
//! proxy made of the two machines.
//!
//! # Features
//!
//! | feature | default | brings |
//! | --- | --- | --- |
//! | `std` | yes | `std` in the dependencies; the crate itself is `no_std` with `alloc` |
//! | `scram` | yes | SCRAM and CRAM-MD5 |
//! | `saslprep` | yes | SASLprep of names and passwords beyond ASCII |
//! | `rustls` | | the `tls` module |
//! | `idna` | | `to_a_labels` of domains beyond ASCII |
//! | `serde` | | `Serialize`, and `Deserialize` through the parsers, for the values |
#![no_std]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

pub mod address;
pub mod auth;
pub mod client;
pub mod command;
pub mod dot;
pub mod error;
pub mod extension;
pub mod limits;
pub mod line;
pub mod link;
mod marks;
mod octets;
pub mod param;
pub mod proxy;
pub mod received;
pub mod reply;
#[cfg(feature = "serde")]
mod serde;
pub mod server;
pub mod session;
pub mod stage;
pub mod status;
#[cfg(feature = "rustls")]
pub mod tls;
mod wide;

// Part of the public API: these are the versions that it is built on.
pub use bytes;
#[cfg(feature = "rustls")]
pub use rustls;
