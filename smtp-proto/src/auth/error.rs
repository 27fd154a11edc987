use alloc::string::String;

use super::Mechanism;
use crate::reply::Reply;
use crate::status::{Code, Enhanced};

/// Why an exchange ended without success. It never holds a password, a token or a key.
///
/// On a client the conversation answers a challenge that gave an error with `*`; on a server [`reply`](Self::reply) says
/// what to reply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Not base64 as RFC 4954, 4 wants it.
    #[error("not valid base64")]
    Base64,
    /// A message that the mechanism's grammar doesn't allow.
    #[error("malformed: {0}")]
    Malformed(&'static str),
    /// A message over [`MESSAGE_LIMIT`](super::MESSAGE_LIMIT).
    #[error("a message too long for any mechanism")]
    TooLong,
    /// The mechanism needs a feature that this build leaves out.
    #[error("{0} is not part of this build")]
    Unsupported(Mechanism),
    /// The mechanism cannot carry this kind of credentials.
    #[error("{0} cannot carry these credentials")]
    WrongCredentials(Mechanism),
    /// The mechanism has no place for an authorization identity, and one was asked for.
    #[error("{0} cannot carry an authorization identity")]
    NoAuthzid(Mechanism),
    /// A name, password or token with octets that the mechanism cannot carry, or that SASLprep forbids.
    #[error("{0} cannot be sent with this mechanism")]
    Unsendable(&'static str),
    /// A name or password that is empty, or that SASLprep or this build forbids.
    #[error("characters that SASLprep does not allow")]
    Prohibited,
    /// Fewer random octets than [`NONCE_MIN`](super::NONCE_MIN): the caller's fault.
    #[error("too few random octets for a nonce")]
    NonceTooShort,
    /// A -PLUS mechanism without channel binding.
    #[error("there is nothing to bind the channel to")]
    NoBinding,
    /// An initial response to a mechanism in which the server speaks first.
    #[error("an initial response, but the server speaks first")]
    InitialNotAllowed,
    /// A message or an answer for which it was not the time.
    #[error("a message when none was due")]
    OutOfStep,
    /// The nonce that came back doesn't carry on the one that was sent: an answer to another exchange.
    #[error("the nonce is not the one of this exchange")]
    Nonce,
    /// Fewer PBKDF2 iterations asked for than is safe: the answer would be easy to crack.
    #[error("{0} iterations are too few to be safe")]
    TooFewIterations(u32),
    /// More PBKDF2 iterations than are worth computing for a server that has proved nothing.
    #[error("{0} iterations are too many")]
    TooManyIterations(u64),
    /// The client's channel binding isn't this channel's: somebody sits in between.
    #[error("the channel binding does not match")]
    BindingMismatch,
    /// The client believes that no -PLUS was offered, and one was: somebody took it off the list.
    #[error("the offer of channel binding was taken out on the way")]
    Downgrade,
    /// The server claimed success without proving that it knows the password.
    #[error("the server did not prove that it knows the password")]
    ServerNotVerified,
    /// What a SCRAM server said in `e=` (RFC 5802, 7).
    #[error("the server refused: {0}")]
    Server(String),
    /// The token was refused; what an OAuth server said of it, JSON by RFC 7628, 3.2.2.
    #[error("the token was refused: {0}")]
    Token(String),
    /// The credentials are not right.
    #[error("the credentials are not valid")]
    Denied,
    /// The stored secret doesn't fit the mechanism: the server's own fault.
    #[error("the stored secret does not fit the mechanism")]
    WrongSecret,
}

impl Error {
    /// What a server replies (RFC 4954, 4 and 6).
    ///
    /// What would tell an attacker which part was wrong is all 535 5.7.8.
    #[must_use]
    pub const fn reply(&self) -> Reply<'static> {
        const fn reply(code: Code, status: Enhanced, text: &'static str) -> Reply<'static> {
            Reply::fixed(code, Some(status), text)
        }
        match self {
            Self::Base64 | Self::Malformed(_) | Self::OutOfStep => {
                reply(Code::BAD_ARGUMENTS, Enhanced::fixed(5, 5, 2), "cannot make sense of the response")
            }
            Self::InitialNotAllowed => reply(
                Code::BAD_ARGUMENTS,
                Enhanced::fixed(5, 7, 0),
                "this mechanism takes no initial response",
            ),
            Self::TooLong => reply(Code::UNRECOGNISED, Enhanced::fixed(5, 5, 6), "response too long"),
            Self::Unsupported(_) | Self::NoBinding => {
                reply(Code::PARAMETER_NOT_IMPLEMENTED, Enhanced::fixed(5, 5, 4), "mechanism not offered")
            }
            Self::NonceTooShort | Self::WrongSecret => {
                reply(Code::AUTH_TEMPORARY, Enhanced::fixed(4, 7, 0), "cannot authenticate just now")
            }
            _ => reply(Code::AUTH_FAILED, Enhanced::fixed(5, 7, 8), "credentials refused"),
        }
    }
}
