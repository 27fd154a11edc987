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

    /// What a server answers.
    #[must_use]
    pub const fn reply(&self) -> Reply<'static> {
        use address::Error as Address;
        let (code, status, text) = match self {
            Self::NoVerb => (Code::UNRECOGNISED, SYNTAX, "Command not recognised"),
            Self::NotText => (Code::UNRECOGNISED, SYNTAX, "Octets that cannot stand in a command"),
            Self::Arguments(verb) => (Code::BAD_ARGUMENTS, ARGUMENTS, syntax(*verb)),
            Self::Hello(_) => (Code::BAD_ARGUMENTS, ARGUMENTS, "Domain or address literal wanted"),
            Self::ReversePath(Address::Path) => (Code::BAD_ARGUMENTS, SENDER, "Syntax: MAIL FROM:<address>"),
            Self::ReversePath(Address::TooLong) => (Code::BAD_ARGUMENTS, SENDER, "Path too long"),
            Self::ReversePath(_) => (Code::BAD_MAILBOX_NAME, SENDER, "Bad sender address syntax"),
            Self::ForwardPath(Address::Path) => (Code::BAD_ARGUMENTS, RECIPIENT, "Syntax: RCPT TO:<address>"),
            Self::ForwardPath(Address::TooLong) => (Code::BAD_ARGUMENTS, RECIPIENT, "Path too long"),
            Self::ForwardPath(_) => (Code::BAD_MAILBOX_NAME, RECIPIENT, "Bad recipient address syntax"),
            Self::Params(param::Error::Malformed) => (Code::BAD_ARGUMENTS, ARGUMENTS, "Malformed parameter"),
            Self::Params(param::Error::BadValue(_)) => {
                (Code::BAD_ARGUMENTS, ARGUMENTS, "Bad value of a parameter")
            }
            Self::Params(param::Error::Twice(_)) => {
                (Code::BAD_ARGUMENTS, ARGUMENTS, "A parameter stands twice")
            }
            Self::Params(param::Error::TwoHolds) => {
                (Code::BAD_ARGUMENTS, ARGUMENTS, "Either HOLDFOR or HOLDUNTIL")
            }
            Self::Bdat(BdatError::Malformed) => (Code::BAD_ARGUMENTS, ARGUMENTS, "Syntax: BDAT size [LAST]"),
            Self::Bdat(BdatError::Overflow) => (Code::BAD_ARGUMENTS, ARGUMENTS, "Chunk size out of range"),
            Self::Mechanism => (Code::BAD_ARGUMENTS, ARGUMENTS, "Malformed mechanism name"),
            Self::InitialResponse => (Code::BAD_ARGUMENTS, SYNTAX, "Cannot decode the response"),
        };
        Reply::fixed(code, Some(status), text)
    }
}

/// Syntax error (RFC 3463, 3.6).
const SYNTAX: Enhanced = Enhanced::fixed(5, 5, 2);
/// Invalid command arguments (RFC 3463, 3.6).
const ARGUMENTS: Enhanced = Enhanced::fixed(5, 5, 4);
/// Bad sender's mailbox address syntax (RFC 3463, 3.2).
const SENDER: Enhanced = Enhanced::fixed(5, 1, 7);
/// Bad destination mailbox address syntax (RFC 3463, 3.2).
const RECIPIENT: Enhanced = Enhanced::fixed(5, 1, 3);

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
