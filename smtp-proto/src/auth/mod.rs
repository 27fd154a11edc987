//! SASL for SMTP (RFC 4954): mechanisms, their names, and the exchanges of both roles.

mod mechanism;

pub use mechanism::{Mechanism, Mechanisms};
