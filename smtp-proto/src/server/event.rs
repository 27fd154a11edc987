use core::time::Duration;

use crate::address::Domain;
use crate::auth::{Base64, MechanismName};
use crate::command::{Attributes, Command, Mail, Rcpt, Text, Verb, Word};
use crate::dot::{Body, Piece};
use crate::status::Code;

/// What [`Server::step`](super::Server::step) found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step<E> {
    /// Something of the client's: take it from the input, and answer it where a reply is owed.
    Event(E),
    /// A reply is owed; the next command is not looked at before it was given. Where that takes a while, write what is in
    /// the output first: the client may wait for just that.
    AwaitingReply,
    /// The replies may not be held back (RFC 2920, 3.2), or are many: write them by that age of the connection, then
    /// step again.
    Flush(Option<Duration>),
    /// Write what is in the output, then read, and give up at that age of the connection.
    NeedInput(Option<Duration>),
    /// Write what is in the output, still in the clear, then speak TLS.
    StartTls,
    /// Write what is in the output, then close.
    Closed,
}

impl<E> Step<E> {
    /// The same step, with what is made of its event.
    pub fn map<F>(self, make: impl FnOnce(E) -> F) -> Step<F> {
        match self {
            Self::Event(event) => Step::Event(make(event)),
            Self::AwaitingReply => Step::AwaitingReply,
            Self::Flush(until) => Step::Flush(until),
            Self::NeedInput(until) => Step::NeedInput(until),
            Self::StartTls => Step::StartTls,
            Self::Closed => Step::Closed,
        }
    }
}

/// What the client did. The table in the [module's documentation](super) says how many replies each is owed.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'b> {
    /// The connection was opened: the greeting is owed.
    Connect,
    /// EHLO, HELO or LHLO. A 250 to it lists the capabilities.
    Hello {
        /// Which of the three.
        verb: Verb,
        /// Who the client says that it is.
        name: Domain<'b>,
    },
    /// MAIL.
    Mail(Mail<'b>),
    /// RCPT.
    Rcpt(Rcpt<'b>),
    /// DATA: 354 asks for the message.
    Data,
    /// BDAT. No reply is owed before its octets have come.
    Chunk {
        /// Octets of the chunk.
        size: u64,
        /// Whether the message ends with it.
        last: bool,
    },
    /// A piece of the message.
    Body(Body<'b>),
    /// A chunk that is not the last one has come.
    ChunkEnd,
    /// The message is here, whole: answering it takes it over or refuses it.
    MessageEnd {
        /// How many replies are owed: 1; in LMTP and under PRDR one per accepted recipient, in their order, and under
        /// PRDR one more for the message.
        replies: u32,
    },
    /// The machine refuses the message in hand and will say so at its end: drop what was stored of it.
    Refused(Refusal),
    /// A piece of a refused message went by.
    Discarded,
    /// The machine answered a command by itself, with this code: it was malformed, out of sequence or over a limit.
    Rejected(Code),
    /// STARTTLS: 220 makes the next step [`Step::StartTls`].
    StartTls,
    /// AUTH: answer 235, a refusal, or [`Server::challenge`](super::Server::challenge).
    Auth {
        /// The mechanism, one of those offered: of this crate's, if it is [`known`](MechanismName::known), or of the
        /// embedder's own, which the capabilities list
        /// ([`with_keyword("AUTH GSSAPI NTLM")`](crate::extension::Capabilities::with_keyword)). Those are offered without
        /// TLS, too: one that shows a password is to be listed at `Hello`, under TLS only.
        mechanism: MechanismName<'b>,
        /// The initial response.
        initial: Option<Base64<'b>>,
    },
    /// The answer to a challenge.
    AuthResponse(Base64<'b>),
    /// The client gave AUTH up; the machine said 501.
    AuthCancelled,
    /// RSET.
    Rset,
    /// NOOP.
    Noop(Text<'b>),
    /// VRFY.
    Vrfy(Text<'b>),
    /// EXPN.
    Expn(Text<'b>),
    /// HELP.
    Help(Text<'b>),
    /// ETRN.
    Etrn(Text<'b>),
    /// XCLIENT: 220, which is its greeting, opens a new session.
    Xclient(Attributes<'b>),
    /// XFORWARD.
    Xforward(Attributes<'b>),
    /// QUIT.
    Quit,
    /// A verb that the machine doesn't serve.
    Unknown {
        /// The verb as it came.
        verb: Word<'b>,
        /// What stood behind it.
        args: Text<'b>,
    },
}

/// Why the machine refuses a message. Where there are several reasons, the reply tells of the least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Refusal {
    /// Longer than SIZE allows.
    TooBig,
    /// A bare CR or a bare LF.
    LineEnds,
    /// A NUL.
    Nul,
    /// A line of more than 998 octets.
    LongLine,
    /// Octets over 127 that were not declared.
    EightBit,
}

/// An event that borrows nothing: turn it into an [`Event`] with [`Server::event`](super::Server::event), then drop
/// [`len`](Self::len) octets from the front of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    pub(super) len: usize,
    pub(super) kind: Kind,
}

impl Taken {
    /// Octets of the input that the event takes.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether it takes none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Connect,
    /// A command of that many octets, its line end left out.
    Command(usize),
    AuthResponse(usize),
    AuthCancelled,
    Piece(Piece),
    /// Octets of a chunk.
    Raw,
    ChunkEnd,
    MessageEnd {
        replies: u32,
    },
    Refused(Refusal),
    Discarded,
    Rejected(Code),
}

impl<'b> Event<'b> {
    pub(super) fn of(command: Command<'b>) -> Self {
        use Command as C;
        match command {
            C::Ehlo(name) => Self::Hello { verb: Verb::Ehlo, name },
            C::Helo(name) => Self::Hello { verb: Verb::Helo, name },
            C::Lhlo(name) => Self::Hello { verb: Verb::Lhlo, name },
            C::Mail(mail) => Self::Mail(mail),
            C::Rcpt(rcpt) => Self::Rcpt(rcpt),
            C::Data => Self::Data,
            C::Bdat { size, last } => Self::Chunk { size, last },
            C::Rset => Self::Rset,
            C::Noop(text) => Self::Noop(text),
            C::Quit => Self::Quit,
            C::Vrfy(text) => Self::Vrfy(text),
            C::Expn(text) => Self::Expn(text),
            C::Help(text) => Self::Help(text),
            C::StartTls => Self::StartTls,
            C::Auth { mechanism, initial } => Self::Auth { mechanism, initial },
            C::Etrn(text) => Self::Etrn(text),
            C::Xclient(attributes) => Self::Xclient(attributes),
            C::Xforward(attributes) => Self::Xforward(attributes),
            C::Other { verb, args } => Self::Unknown { verb, args },
        }
    }
}
