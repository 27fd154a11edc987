use super::Verb;
use crate::reply::Reply;
use crate::status::{Code, Enhanced};
use crate::{address, param};

/// Why a line is no command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is nothing that could be a verb.
    #[error("the line does not start with a verb")]
    NoVerb,
    /// The line isn't UTF-8, or has a control character.
    #[error("the line has an octet that cannot stand there")]
    NotText,
    /// An argument is missing, malformed, or stands where none belongs.
    #[error("the arguments of {} are malformed", .0.name())]
    Arguments(Verb),
    /// The name behind EHLO, HELO or LHLO.
    #[error("malformed name: {0}")]
    Hello(#[source] address::Error),
    /// The reverse-path of MAIL.
    #[error("malformed reverse-path: {0}")]
    ReversePath(#[source] address::Error),
    /// The forward-path of RCPT.
    #[error("malformed forward-path: {0}")]
    ForwardPath(#[source] address::Error),
    /// The parameters of MAIL or RCPT.
    #[error("malformed parameters: {0}")]
    Params(#[source] param::Error),
    /// The line is BDAT, but does not say how many octets follow: the connection cannot go on.
    #[error("malformed BDAT: {0}")]
    Bdat(#[source] BdatError),
    /// The name of the SASL mechanism.
    #[error("the mechanism's name is malformed")]
    Mechanism,
    /// The initial response of AUTH isn't base64.
    #[error("the initial response is not base64")]
    InitialResponse,
}

/// Why nobody can tell how many octets follow a BDAT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum BdatError {
    /// It isn't a number, alone or with LAST behind it.
    #[error("it takes a number and LAST")]
    Malformed,
    /// The number is more than 64 bits hold.
    #[error("the number is out of range")]
    Overflow,
}

impl Error {
    /// Whether octets may follow the line that nobody can count, so that the connection has to be closed.
    #[must_use]
    pub const fn is_undelimited(&self) -> bool {
        matches!(self, Self::Bdat(_))
    }

    /// What to answer.
    #[must_use]
    pub const fn reply(&self) -> Reply<'static> {
        let (code, (class, subject, detail), text) = self.answer();
        let code = match code {
            500 => Code::UNRECOGNISED,
            553 => Code::BAD_MAILBOX_NAME,
            _ => Code::BAD_ARGUMENTS,
        };
        Reply::fixed(code, Some(Enhanced::fixed(class, subject, detail)), text)
    }

    /// Code, enhanced status code and text of the answer.
    const fn answer(&self) -> (u16, (u8, u16, u16), &'static str) {
        use address::Error as Address;
        match self {
            Self::NoVerb => (500, (5, 5, 2), "Command not recognised"),
            Self::NotText => (500, (5, 5, 2), "Octets that cannot stand in a command"),
            Self::Arguments(verb) => (501, (5, 5, 4), syntax(*verb)),
            Self::Hello(_) => (501, (5, 5, 4), "Domain or address literal wanted"),
            Self::ReversePath(Address::Path) => (501, (5, 1, 7), "Syntax: MAIL FROM:<address>"),
            Self::ReversePath(Address::TooLong) => (501, (5, 1, 7), "Path too long"),
            Self::ReversePath(_) => (553, (5, 1, 7), "Bad sender address syntax"),
            Self::ForwardPath(Address::Path) => (501, (5, 1, 3), "Syntax: RCPT TO:<address>"),
            Self::ForwardPath(Address::TooLong) => (501, (5, 1, 3), "Path too long"),
            Self::ForwardPath(_) => (553, (5, 1, 3), "Bad recipient address syntax"),
            Self::Params(param::Error::Malformed) => (501, (5, 5, 4), "Malformed parameter"),
            Self::Params(param::Error::BadValue(_)) => (501, (5, 5, 4), "Bad value of a parameter"),
            Self::Params(param::Error::Twice(_)) => (501, (5, 5, 4), "A parameter stands twice"),
            Self::Params(param::Error::TwoHolds) => (501, (5, 5, 4), "Either HOLDFOR or HOLDUNTIL"),
            Self::Bdat(BdatError::Malformed) => (501, (5, 5, 4), "Syntax: BDAT size [LAST]"),
            Self::Bdat(BdatError::Overflow) => (501, (5, 5, 4), "Chunk size out of range"),
            Self::Mechanism => (501, (5, 5, 4), "Malformed mechanism name"),
            Self::InitialResponse => (501, (5, 5, 2), "Cannot decode the response"),
        }
    }
}

const fn syntax(verb: Verb) -> &'static str {
    match verb {
        Verb::Mail => "Syntax: MAIL FROM:<address>",
        Verb::Rcpt => "Syntax: RCPT TO:<address>",
        Verb::Data | Verb::Rset | Verb::Quit | Verb::StartTls => "No argument allowed",
        Verb::Vrfy | Verb::Expn | Verb::Etrn => "Argument wanted",
        Verb::Auth => "Syntax: AUTH mechanism [initial-response]",
        Verb::Xclient | Verb::Xforward => "Bad attribute",
        _ => "Malformed argument",
    }
}
