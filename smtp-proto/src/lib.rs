//! SMTP and LMTP, both roles, sans-IO.
#![no_std]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

pub mod address;
pub mod auth;
pub mod chunk;
pub mod command;
pub mod dot;
pub mod extension;
pub mod line;
pub mod link;
pub mod param;
pub mod reply;
pub mod status;
#[cfg(feature = "rustls")]
pub mod tls;
