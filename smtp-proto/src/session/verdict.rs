//! What a sender does next: a function of the command, the code of its reply, and what was accepted before.

use super::{Error, NotSent, Outcome, Unsendable};
use crate::extension::Extension;
use crate::reply::Reply;
use crate::stage::Stage;
use crate::status::{Class, Code};

/// What is to be done about a message for one recipient, or about a conversation that failed.
///
/// A code alone does not tell: 552 to RCPT may mean "too many recipients" (RFC 5321, 4.5.3.1.10), 530 to RCPT is about
/// the sender's login and not about the recipient, 554 as the greeting about the host and not about the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Verdict {
    /// Nothing: the server took the message over.
    Delivered,
    /// Send it to this recipient in a further transaction, at once: the server takes no more in one.
    NextTransaction,
    /// Try again later, here or at another host.
    TryLater,
    /// This host will not have it, which says nothing about the recipient: try another host of the domain. Where there
    /// is none, it has failed.
    TryAnotherHost,
    /// Log in, with other credentials, by another mechanism, or under TLS; until then the message waits (RFC 4954, 6).
    Authenticate,
    /// Tell the sender: there is no point in sending the same again.
    Failed,
    /// Whether the server took it over is not known: to be treated as a temporary failure, at the risk of a duplicate.
    Unknown,
}

impl Verdict {
    /// The verdict on `reply`, given at `stage`.
    ///
    /// `after_accepted` is whether this transaction has an accepted recipient already, which matters to RCPT only.
    #[must_use]
    pub fn of(stage: Stage, reply: &Reply<'_>, after_accepted: bool) -> Self {
        let code = reply.code();
        match code {
            // RFC 5321, 3.8: whatever it answers, it is the connection that ends.
            Code::NOT_AVAILABLE => return Self::TryLater,
            // RFC 7504, 4: this host takes no mail.
            Code::NO_MAIL_HOST => return Self::TryAnotherHost,
            Code::AUTH_REQUIRED
            | Code::MECHANISM_TOO_WEAK
            | Code::AUTH_FAILED
            | Code::ENCRYPTION_REQUIRED => return Self::Authenticate,
            _ => {}
        }
        let full = matches!(code, Code::NO_STORAGE | Code::TOO_BIG) && stage == Stage::Rcpt && after_accepted;
        if full && reply.status().is_none_or(|status| (status.subject(), status.detail()) == (5, 3)) {
            return Self::NextTransaction;
        }
        match (code.class(), stage) {
            (Class::Completed, Stage::EndOfData | Stage::LastChunk) => Self::Delivered,
            (Class::Permanent, Stage::Greeting | Stage::Hello | Stage::StartTls | Stage::Xclient) => {
                Self::TryAnotherHost
            }
            (Class::Permanent, Stage::Auth) => Self::Authenticate,
            (Class::Permanent, _) => Self::Failed,
            // 2yz and 3yz at other stages decide nothing.
            (Class::Completed | Class::Intermediate | Class::Transient, _) => Self::TryLater,
        }
    }
}

impl Outcome<'_> {
    /// What to do next.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Replied { stage, reply, after_accepted } => Verdict::of(*stage, reply, *after_accepted),
            // RFC 8689, 4.2.1: another host of the domain may do.
            Self::NotSent(NotSent::Unsendable(
                Unsendable::Needs(Extension::RequireTls) | Unsendable::HostNotAuthentic,
            )) => Verdict::TryAnotherHost,
            Self::NotSent(NotSent::Unsendable(_)) => Verdict::Failed,
            Self::NotSent(_) => Verdict::TryLater,
            Self::Unknown(_) => Verdict::Unknown,
        }
    }
}

impl Error {
    /// What to do next about the messages that were to be sent. No recipient is refused by it.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Refused { stage, reply } => match Verdict::of(*stage, reply, false) {
                Verdict::Failed => Verdict::TryAnotherHost,
                verdict => verdict,
            },
            Self::NoStartTls => Verdict::TryAnotherHost,
            Self::NoMechanism(_) | Self::Auth(_) => Verdict::Authenticate,
            Self::Violation(_) | Self::NotNow(_) => Verdict::TryLater,
        }
    }
}
