//! What a reply would answer, which codes can, and what each brings with it.

use crate::command::{Command, Verb};
use crate::error::NotNow;
use crate::param::Declared;
use crate::status::{Class, Code, Enhanced};

/// What a reply would answer.
#[derive(Clone, Copy, Debug)]
pub(super) enum Owed {
    Nothing,
    Greeting,
    Hello(Verb),
    Mail(Declared),
    Rcpt,
    Data,
    Chunk,
    Message {
        left: u32,
    },
    StartTls,
    Auth,
    Rset,
    Xclient,
    Quit,
    /// NOOP, VRFY, EXPN, HELP and the like: answered at once, nothing changes.
    Plain(Verb),
    Unknown {
        recognised: bool,
    },
}

impl Owed {
    pub(super) fn of(command: &Command<'_>) -> Self {
        use Command as C;
        match command {
            C::Ehlo(_) => Self::Hello(Verb::Ehlo),
            C::Helo(_) => Self::Hello(Verb::Helo),
            C::Lhlo(_) => Self::Hello(Verb::Lhlo),
            C::Mail(mail) => Self::Mail(mail.declared),
            C::Rcpt(_) => Self::Rcpt,
            C::Data => Self::Data,
            C::StartTls => Self::StartTls,
            C::Auth { .. } => Self::Auth,
            C::Rset => Self::Rset,
            C::Xclient(_) => Self::Xclient,
            C::Quit => Self::Quit,
            C::Other { .. } => Self::Unknown { recognised: command.verb().is_some() },
            C::Vrfy(_) => Self::Plain(Verb::Vrfy),
            C::Expn(_) => Self::Plain(Verb::Expn),
            C::Help(_) => Self::Plain(Verb::Help),
            C::Etrn(_) => Self::Plain(Verb::Etrn),
            C::Xforward(_) => Self::Plain(Verb::Xforward),
            C::Noop(_) => Self::Plain(Verb::Noop),
            C::Bdat { .. } => Self::Nothing,
        }
    }

    /// Whether this code answers it.
    pub(super) const fn admits(&self, code: Code) -> Result<(), NotNow> {
        let fits = match (self, code.class()) {
            (Self::Nothing, _) => return Err(NotNow::NothingOwed),
            (_, Class::Transient | Class::Permanent) => true,
            (Self::Data, Class::Intermediate) => code.as_u16() == 354,
            (Self::Data, Class::Completed) => false,
            (Self::Greeting | Self::StartTls | Self::Xclient, Class::Completed) => code.as_u16() == 220,
            (Self::Auth, Class::Completed) => code.as_u16() == 235,
            (Self::Quit, Class::Completed) => code.as_u16() == 221,
            (_, Class::Completed) => true,
            (_, Class::Intermediate) => false,
        };
        if fits { Ok(()) } else { Err(NotNow::WrongCode(code)) }
    }

    /// RFC 2920, 3.2: replies that may not be held back.
    pub(super) const fn is_urgent(&self) -> bool {
        matches!(
            self,
            Self::Greeting
                | Self::Hello(_)
                | Self::Data
                | Self::Plain(_)
                | Self::Quit
                | Self::Unknown { .. }
                | Self::Auth
        )
    }

    /// The status that is meant where the embedder gave none.
    pub(super) const fn status(&self, class: Class) -> Option<Enhanced> {
        let digit = match class {
            Class::Completed => 2,
            Class::Intermediate => return None,
            Class::Transient => 4,
            Class::Permanent => 5,
        };
        let (subject, detail) = match self {
            Self::Mail(_) => (1, 0),
            Self::Rcpt if digit == 2 => (1, 5),
            Self::Auth => (7, if digit == 5 { 8 } else { 0 }),
            _ => (0, 0),
        };
        Enhanced::new(digit, subject, detail)
    }
}
