//! Two errors, kept apart by type: what the peer did wrong, and what the caller did too early.

use crate::extension::Extension;
use crate::reply::{self, Reply};
use crate::stage::Stage;
use crate::status::{Code, Enhanced};

/// The peer broke the protocol so that the conversation cannot go on: fatal.
///
/// A syntax error in a command is not one: it is answered 500 or 501 and the session goes on.
/// A refusal is not one either: it is a reply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// Octets stood behind STARTTLS, or behind its 220: somebody may have put them there (RFC 3207, 5).
    #[error("octets behind STARTTLS in the clear")]
    BehindStartTls,
    /// A reply that is not one (RFC 5321, 4.2).
    #[error("at {stage}: {source}")]
    Reply {
        /// What the reply should have answered.
        stage: Stage,
        /// What is wrong with it.
        source: reply::Malformed,
    },
    /// A reply where none was owed, other than the 421 that may come at any time.
    #[error("a reply that answers nothing")]
    Unsolicited,
    /// A code that the command cannot be answered with, such as 354 to MAIL.
    #[error("{code} does not answer {stage}")]
    WrongCode {
        /// What was answered.
        stage: Stage,
        /// The code that came.
        code: Code,
    },
    /// A TLS record where a greeting should be: this port speaks implicit TLS.
    #[error("a TLS record where a greeting should be: this port speaks implicit TLS")]
    ImplicitTls,
    /// The connection ended in the midst of something.
    #[error("the connection ended at {stage}")]
    Eof {
        /// What was not finished.
        stage: Stage,
    },
    /// The peer was silent for longer than RFC 5321, 4.5.3.2 lets it.
    #[error("timed out at {stage}")]
    TimedOut {
        /// What was waited for.
        stage: Stage,
    },
    /// The client spoke before the greeting.
    #[error("octets ahead of the greeting")]
    EarlyTalker,
    /// More wrong commands, or failed logins, than the limit.
    #[error("too many errors")]
    TooManyErrors,
    /// A refused message or chunk is longer than what is drained of one.
    #[error("a refused message went on for too long")]
    Undrainable,
    /// A BDAT whose length cannot be told, so that its octets can't be told from commands (RFC 3030, 2).
    #[error("a BDAT command whose end cannot be told")]
    Undelimited,
    /// Data of any kind behind a line that is longer than what is skipped of one.
    #[error("an endless line")]
    EndlessLine,
}

impl Violation {
    /// Where the conversation stood.
    #[must_use]
    pub const fn stage(&self) -> Stage {
        match self {
            Self::Reply { stage, .. }
            | Self::WrongCode { stage, .. }
            | Self::Eof { stage }
            | Self::TimedOut { stage } => *stage,
            Self::BehindStartTls => Stage::StartTls,
            Self::ImplicitTls | Self::EarlyTalker => Stage::Greeting,
            Self::Undrainable => Stage::Body,
            Self::Undelimited => Stage::Chunk,
            Self::Unsolicited | Self::TooManyErrors | Self::EndlessLine => Stage::Idle,
        }
    }

    /// What a server says before it closes, if anything: the text without the server's name, which stands first.
    #[must_use]
    pub const fn reply(&self) -> Option<Reply<'static>> {
        const fn closing(code: Code, status: Enhanced, text: &'static str) -> Option<Reply<'static>> {
            Some(Reply::fixed(code, Some(status), text))
        }
        match self {
            Self::EarlyTalker => {
                closing(Code::FAILED, Enhanced::fixed(5, 5, 0), "you spoke before the greeting")
            }
            Self::TooManyErrors => closing(Code::NOT_AVAILABLE, Enhanced::fixed(4, 7, 0), "too many errors"),
            Self::Undrainable => {
                closing(Code::TOO_BIG, Enhanced::fixed(5, 3, 4), "message too big; closing the connection")
            }
            Self::Undelimited => {
                closing(Code::NOT_AVAILABLE, Enhanced::fixed(4, 5, 4), "BDAT without a usable length")
            }
            Self::EndlessLine => closing(Code::NOT_AVAILABLE, Enhanced::fixed(4, 5, 2), "line too long"),
            Self::TimedOut { .. } => closing(Code::NOT_AVAILABLE, Enhanced::fixed(4, 4, 2), "timed out"),
            _ => None,
        }
    }
}

/// The caller asked for something that the protocol does not allow at this point: nothing was written, nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotNow {
    /// Replies are owed that have to come first, or the flight is full: poll until `can_send`.
    #[error("replies are awaited first")]
    AwaitingReply,
    /// No reply is owed: to a server, nothing asks for one; to a conversation, its reply has come.
    #[error("no reply is owed")]
    NothingOwed,
    /// The server has not asked for a response to AUTH.
    #[error("no challenge of AUTH is open")]
    NotChallenged,
    /// A login has succeeded already.
    #[error("a login has succeeded already")]
    Authenticated,
    /// The verb has a method of its own, which knows what comes of it.
    #[error("this verb has a method of its own")]
    OwnMethod,
    /// Line ends are kept as they are ([`LineEnds::Keep`](crate::dot::LineEnds::Keep)), which is for BINARYMIME, and DATA
    /// does not carry that (RFC 3030, 3).
    #[error("line ends are kept, which DATA cannot carry")]
    LineEndsKept,
    /// This code does not answer what was asked: 354 answers only DATA, 334 is `challenge`'s.
    #[error("{0} does not answer this command")]
    WrongCode(Code),
    /// EHLO, HELO or LHLO was not answered yet, or isn't the one for this protocol.
    #[error("no successful EHLO, HELO or LHLO yet, or not the one of this protocol")]
    NoHello,
    /// There is no transaction to add to, or nobody to send to.
    #[error("no transaction is open for this")]
    NoTransaction,
    /// A transaction is open: end it, or RSET.
    #[error("a transaction is open")]
    TransactionOpen,
    /// A message or a chunk is being sent.
    #[error("in the midst of a message")]
    InBody,
    /// No message or chunk is being sent, or the chunk is full.
    #[error("no message is being sent, or the chunk is full")]
    NotInBody,
    /// The server does not offer what this needs.
    #[error("the server does not offer {}", .0.keyword())]
    NotOffered(Extension),
    /// TLS is on already.
    #[error("TLS is on already")]
    TlsActive,
    /// The message holds what cannot be sent: a bare CR or LF under `LineEnds::Reject`, or a NUL.
    #[error("the message holds octets that cannot be sent")]
    Unsendable,
    /// The connection is closed, or lost step and must not be used again.
    #[error("the connection is closed")]
    Closed,
}
