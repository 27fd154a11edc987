//! Domains, mailboxes and paths (RFC 5321, 4.1.2 and 4.1.3), internationalised ones included (RFC 6531, 3.3).
//!
//! Each value is the text as it stood, checked once. What was parsed is written back byte for byte; only a source
//! route is dropped (RFC 5321, appendix C). UTF-8 is taken wherever RFC 6531 allows it: whether the transaction
//! declared SMTPUTF8 is for the caller to ask, by `is_ascii`.

pub(crate) mod class;
mod domain;
pub(crate) mod grammar;
mod mailbox;
mod path;

pub use domain::{Domain, Literal};
pub use mailbox::Mailbox;
pub use path::{ForwardPath, ReversePath};

/// Why a text is no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The path does not stand in angle brackets, or something stands behind it.
    #[error("the path does not stand in angle brackets")]
    Path,
    /// The local part is neither a dot-string nor a quoted string.
    #[error("the local part is malformed")]
    LocalPart,
    /// The domain is malformed or missing.
    #[error("the domain is malformed or missing")]
    Domain,
    /// The address literal is malformed.
    #[error("the address literal is malformed")]
    Literal,
    /// The text holds a control character.
    #[error("a control character stands in it")]
    Control,
    /// Longer than RFC 5321, 4.5.3.1 allows.
    #[error("it is too long")]
    TooLong,
}
