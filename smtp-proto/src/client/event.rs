use core::time::Duration;

use crate::reply::Reply;
use crate::stage::Stage;

/// What [`Client::step`](super::Client::step) found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step<E> {
    /// The reply to a command.
    Event(E),
    /// A reply that nobody asked for: a 421 while idle, or a server's last words in the midst of a message. The
    /// connection is over.
    Unsolicited(E),
    /// No reply is awaited and nothing has come: say something.
    Idle,
    /// Write what is in the output, then read, and give up at that age of the connection.
    NeedInput(Option<Duration>),
    /// The server said 220 to STARTTLS: speak TLS.
    StartTls,
    /// Nothing more will come: close.
    Closed,
}

impl<E> Step<E> {
    /// The same step, with what is made of its reply.
    pub fn map<F>(self, make: impl FnOnce(E) -> F) -> Step<F> {
        match self {
            Self::Event(event) => Step::Event(make(event)),
            Self::Unsolicited(event) => Step::Unsolicited(make(event)),
            Self::Idle => Step::Idle,
            Self::NeedInput(until) => Step::NeedInput(until),
            Self::StartTls => Step::StartTls,
            Self::Closed => Step::Closed,
        }
    }
}

/// A reply and what it answers.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Answer<'b> {
    /// What is answered.
    pub to: Stage,
    /// The reply as it stands in the input.
    pub reply: Reply<'b>,
}

/// A reply that borrows nothing: turn it into an [`Answer`] with [`Client::event`](super::Client::event), then drop
/// [`len`](Self::len) octets from the front of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    pub(super) len: usize,
    pub(super) to: Stage,
}

impl Taken {
    /// Octets of the input that the reply takes.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Never: a reply has a code.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}
