//! Whole conversations as values: opening a connection, delivering a message, a single command, leaving.
//!
//! Each is polled with the machine, the input and the output, and says what it [`Want`]s. They know which replies end
//! what; whoever drives them never sees a reply code.
//!
//! - [`Open`]: greeting, EHLO or HELO, STARTTLS, EHLO again, AUTH
//! - [`Delivery`]: MAIL, RCPT …, DATA or BDAT, the message; a [`Report`] with one [`Outcome`] per recipient
//! - [`Renew`]: XCLIENT, and EHLO again
//! - [`Call`]: NOOP, RSET, VRFY, QUIT and other commands with one reply

mod call;
mod delivery;
mod envelope;
mod open;
mod renew;
mod report;
mod verdict;

use core::time::Duration;

pub use call::Call;
pub use delivery::{Delivery, Transfer};
pub use envelope::{Content, Envelope, Recipient, Unsendable};
pub use open::{Open, Options, StartTls};
pub use renew::Renew;
pub use report::{NotSent, Outcome, Report, Unknown};
pub use verdict::Verdict;

use crate::auth::{self, Mechanisms};
use crate::error::{NotNow, Violation};
use crate::reply::Reply;
use crate::stage::Stage;

/// What a conversation needs next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Want {
    /// Write what is in the output, then read, and give up at that age of the connection.
    Io(Option<Duration>),
    /// Write what is in the output, then do the TLS handshake, and say so.
    StartTls,
    /// The next piece of the message.
    Body,
    /// The message from its start: the server takes so many recipients at a time (RFC 9422), and there are more. See
    /// [`Delivery::again`].
    Again,
    /// Nothing: it is over. There may be output to write.
    Done,
}

/// Why a conversation failed as a whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The server broke the protocol.
    #[error(transparent)]
    Violation(#[from] Violation),
    /// The server said no.
    #[error("{stage} was answered {reply}")]
    Refused {
        /// To what.
        stage: Stage,
        /// In these words.
        reply: Reply<'static>,
    },
    /// The caller asked out of step.
    #[error(transparent)]
    NotNow(#[from] NotNow),
    /// TLS is required and the server does not offer STARTTLS: nothing but EHLO was said.
    #[error("TLS is required, and the server does not offer STARTTLS")]
    NoStartTls,
    /// None of the server's mechanisms takes these credentials, or none does without TLS: nothing of them was sent.
    #[error("no usable AUTH mechanism among {0:?}")]
    NoMechanism(Mechanisms),
    /// The login failed on this side: what the server sent can't be answered, or proves nothing.
    #[error("AUTH failed: {0}")]
    Auth(#[from] auth::Error),
}

impl Error {
    /// Where the conversation stood.
    #[must_use]
    pub const fn stage(&self) -> Stage {
        match self {
            Self::Violation(violation) => violation.stage(),
            Self::Refused { stage, .. } => *stage,
            Self::NotNow(_) => Stage::Idle,
            Self::NoStartTls => Stage::StartTls,
            Self::NoMechanism(_) | Self::Auth(_) => Stage::Auth,
        }
    }

    /// What the server said, if that is the reason.
    #[must_use]
    pub const fn reply(&self) -> Option<&Reply<'static>> {
        match self {
            Self::Refused { reply, .. } => Some(reply),
            _ => None,
        }
    }
}

fn refused(stage: Stage, reply: &Reply<'_>) -> Error {
    Error::Refused { stage, reply: reply.clone().into_owned() }
}
