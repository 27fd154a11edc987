//! SMTP and LMTP, both roles, sans-IO.
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
mod octets;
pub mod param;
pub mod proxy;
pub mod received;
pub mod reply;
pub mod server;
pub mod session;
pub mod stage;
pub mod status;
#[cfg(feature = "rustls")]
pub mod tls;
mod wide;
