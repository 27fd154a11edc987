//! SASL for SMTP (RFC 4954): mechanisms, their names, and the exchanges of both roles.
//!
//! The state machines know that AUTH is a challenge and a response in base64, and nothing of any mechanism. What stands
//! here turns one message into the next, raw octets in and raw octets out: [`client::Exchange`] answers challenges from
//! [`Credentials`], [`server::Exchange`] asks its caller to check a [`server::Claim`] or to look up a
//! [`server::Secret`]. Neither has a callback, a clock or a source of randomness: random octets are an argument.
//!
//! The mechanisms are written on RustCrypto's primitives and not on rsasl, whose sessions call back for each property,
//! which cannot wait for an asynchronous lookup, and which pulls in far more than the four hashes that are needed.
//!
//! No mechanism here negotiates a security layer. After a 535 the same password must not be tried with a weaker
//! mechanism: whoever answered may be after it.

mod base64;
mod binding;
mod choice;
pub mod client;
mod cram;
mod credentials;
mod error;
mod gs2;
mod hash;
mod mechanism;
mod name;
mod oauth;
mod plain;
mod prep;
mod scram;
pub mod server;

pub use base64::Base64;
pub use binding::ChannelBinding;
pub use choice::Channel;
pub use credentials::Credentials;
pub use error::Error;
pub use mechanism::{Mechanism, Mechanisms};
pub use name::MechanismName;
pub use prep::saslprep;
pub use scram::{ITERATIONS_MAX, ITERATIONS_MIN};

/// The longest message, in octets, that an exchange looks at: what 12288 octets of base64 decode to (RFC 4954, 4).
pub const MESSAGE_LIMIT: usize = 12_288 / 4 * 3;

/// The longest trace of ANONYMOUS, in characters (RFC 4505, 2).
const ANONYMOUS_TRACE_MAX: usize = 255;

/// As many random octets as an exchange wants for its nonce; at least [`NONCE_MIN`] are needed.
pub const NONCE_LEN: usize = 18;

/// The fewest random octets that an exchange takes for its nonce: as many as in the example of RFC 7677.
pub const NONCE_MIN: usize = 15;
