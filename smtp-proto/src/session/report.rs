use alloc::vec::Vec;
use core::fmt;

use super::{Unsendable, Verdict};
use crate::reply::Reply;
use crate::stage::Stage;

/// What became of a message for one recipient.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Outcome<'r> {
    /// The server answered: 2yz means that it took the message over, anything else that it did not.
    Replied {
        /// What it answered: MAIL, RCPT, DATA, BDAT or the end of data.
        stage: Stage,
        /// In these words.
        reply: Reply<'r>,
        /// Whether it answers RCPT, and another recipient of the transaction was accepted before.
        after_accepted: bool,
    },
    /// The message was not handed over: it may be sent again, here or elsewhere.
    NotSent(NotSent),
    /// The end of the message was given to the transport and its reply never came: it may have been taken or not (RFC
    /// 5321, 6.1). To be treated as a temporary failure, at the risk of a duplicate.
    Unknown(Unknown),
}

impl Outcome<'_> {
    /// Whether the server took the message over for this recipient.
    #[must_use]
    pub fn is_delivered(&self) -> bool {
        matches!(self, Self::Replied { stage: Stage::EndOfData | Stage::LastChunk, reply, .. } if reply.is_positive())
    }

    /// Whether there is no point in sending it again as it is: a 5yz that is about this recipient or this message, or a
    /// server that lacks what it needs. See [`verdict`](Self::verdict).
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        self.verdict() == Verdict::Failed
    }
}

/// What happened, in a line.
impl fmt::Display for Outcome<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Replied { stage, reply, .. } => write!(f, "{stage} was answered {reply}"),
            Self::NotSent(why) => why.fmt(f),
            Self::Unknown(why) => why.fmt(f),
        }
    }
}

/// Why a message was not handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotSent {
    /// This server cannot take it.
    #[error(transparent)]
    Unsendable(Unsendable),
    /// The connection was lost, or closed by the server, before the end of the message was given to it.
    #[error("the connection ended at {0}")]
    Lost(Stage),
    /// The message's source failed, or it holds octets that may not be sent.
    #[error("the message could not be read, or holds octets that may not be sent")]
    Source,
    /// The server takes no further message in this session (RFC 9422, MAILMAX): another connection may do.
    #[error("the server takes no more messages on this connection")]
    MailMax,
    /// The server takes no recipient of a further domain in this session (RFC 9422, RCPTDOMAINMAX): another connection
    /// may do.
    #[error("the server takes no recipients of further domains on this connection")]
    RcptDomainMax,
    /// The server takes fewer recipients at a time (RFC 9422, RCPTMAX), and the message can be read only once.
    #[error("the server takes fewer recipients at a time, and the message can be read only once")]
    ReadOnce,
    /// The delivery has not come so far, or was dropped.
    #[error("not yet answered")]
    Pending,
}

/// Why it is not known what became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the connection ended between the end of the message and its reply")]
#[non_exhaustive]
pub struct Unknown;

/// What became of a message: an [`Outcome`] for every recipient, in the envelope's order.
#[derive(Clone, Default, PartialEq)]
#[must_use = "it says who was not served, which is no error"]
pub struct Report {
    /// Replies as they came, one behind the other; recipients share those that were for all of them.
    text: Vec<u8>,
    fates: Vec<Fate>,
    /// A recipient of the transaction in hand was accepted.
    accepted: bool,
    /// No recipient before this one waits for a reply of its own to the message.
    searched: usize,
    end_given: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// RCPT was not answered yet.
    Waiting,
    /// RCPT was accepted.
    Accepted,
    Replied {
        stage: Stage,
        at: usize,
        len: usize,
        after_accepted: bool,
    },
    NotSent(NotSent),
    Unknown,
}

impl Report {
    pub(super) fn new(recipients: usize) -> Self {
        Self::all(recipients, Fate::Waiting)
    }

    /// The report of a message that never reached a server.
    pub fn not_sent(recipients: usize, why: NotSent) -> Self {
        Self::all(recipients, Fate::NotSent(why))
    }

    fn all(recipients: usize, fate: Fate) -> Self {
        Self {
            text: Vec::new(),
            fates: alloc::vec![fate; recipients],
            accepted: false,
            searched: 0,
            end_given: false,
        }
    }

    /// Whether the end of the message was given out, for whichever recipients: then it must not be sent again of
    /// itself (RFC 5321, 6.1).
    #[must_use]
    pub const fn end_was_given(&self) -> bool {
        self.end_given
    }

    pub(super) const fn give_end(&mut self) {
        self.end_given = true;
    }

    /// Takes over what became of the recipients at `places` when they were sent to once more: the outcomes of `later`,
    /// in that order.
    pub fn amend(&mut self, places: &[usize], later: &Self) {
        let base = self.text.len();
        self.text.extend_from_slice(&later.text);
        self.end_given |= later.end_given;
        for (place, fate) in places.iter().zip(&later.fates) {
            let fate = match *fate {
                Fate::Replied { stage, at, len, after_accepted } => {
                    Fate::Replied { stage, at: base + at, len, after_accepted }
                }
                fate => fate,
            };
            self.set(*place, fate);
        }
    }

    /// One outcome per recipient.
    pub fn outcomes(&self) -> impl ExactSizeIterator<Item = Outcome<'_>> {
        self.fates.iter().map(|fate| self.read(*fate))
    }

    /// The outcome for the recipient at this place of the envelope.
    #[must_use]
    pub fn outcome(&self, recipient: usize) -> Option<Outcome<'_>> {
        self.fates.get(recipient).map(|fate| self.read(*fate))
    }

    fn read(&self, fate: Fate) -> Outcome<'_> {
        match fate {
            Fate::Waiting | Fate::Accepted => Outcome::NotSent(NotSent::Pending),
            Fate::Replied { stage, at, len, after_accepted } => {
                let raw = &self.text[at..at + len];
                match Reply::parse_lenient(raw) {
                    Ok(reply) => Outcome::Replied { stage, reply, after_accepted },
                    // Kept as written by `Reply::write`, which only writes what parses.
                    Err(_) => Outcome::NotSent(NotSent::Lost(stage)),
                }
            }
            Fate::NotSent(why) => Outcome::NotSent(why),
            Fate::Unknown => Outcome::Unknown(Unknown),
        }
    }

    /// How many recipients there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.fates.len()
    }

    /// Whether there are no recipients: such a message goes to nobody.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.fates.is_empty()
    }

    /// Whether there are recipients and every one was served.
    #[must_use]
    pub fn all_delivered(&self) -> bool {
        !self.is_empty() && self.outcomes().all(|outcome| outcome.is_delivered())
    }

    /// How many recipients were served.
    #[must_use]
    pub fn delivered(&self) -> usize {
        self.outcomes().filter(Outcome::is_delivered).count()
    }

    /// Keeps a reply, to be shared by those whom it is for.
    pub(super) fn keep(&mut self, stage: Stage, reply: &Reply<'_>) -> Fate {
        let at = self.text.len();
        reply.write(true, &mut self.text);
        let after_accepted = stage == Stage::Rcpt && self.accepted;
        Fate::Replied { stage, at, len: self.text.len() - at, after_accepted }
    }

    pub(super) fn set(&mut self, recipient: usize, fate: Fate) {
        if let Some(slot) = self.fates.get_mut(recipient) {
            *slot = fate;
            self.accepted |= fate == Fate::Accepted;
        }
    }

    /// Whether this recipient's fate is not known at all yet.
    pub(super) fn is_waiting(&self, recipient: usize) -> bool {
        self.fates.get(recipient) == Some(&Fate::Waiting)
    }

    /// Settles those before `end` whose fate is open.
    pub(super) fn settle_before(&mut self, end: usize, fate: Fate) {
        let end = end.min(self.fates.len());
        for slot in &mut self.fates[..end] {
            if matches!(slot, Fate::Waiting | Fate::Accepted) {
                *slot = fate;
            }
        }
        self.accepted = false;
    }

    /// Settles everybody whose fate is open.
    pub(super) fn settle(&mut self, fate: Fate) {
        self.settle_before(self.fates.len(), fate);
    }

    /// Settles the first recipient that was accepted and has no reply to the message yet (RFC 2033, 4.2).
    pub(super) fn settle_next(&mut self, fate: Fate) {
        let rest = &self.fates[self.searched..];
        self.searched += rest.iter().position(|slot| *slot == Fate::Accepted).unwrap_or(rest.len());
        self.set(self.searched, fate);
    }
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.outcomes()).finish()
    }
}
