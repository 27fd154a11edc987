//! Commands (RFC 5321, 4.1; the extensions' own RFCs): one value a line, parsed and written.
//!
//! The parser works on one line without its end, and allocates nothing. Nothing can be put into a [`Command`] that
//! would end its line early.

mod attributes;
mod error;
mod grammar;
mod text;
mod verb;
mod write;

pub use attributes::{Attribute, Attributes};
pub use error::{BdatError, Error};
pub use text::{Invalid, Text, Word};
pub use verb::Verb;

use crate::address::{Domain, ForwardPath, ReversePath};
use crate::auth::{Base64, MechanismName};
use crate::param::{Declared, Params};

/// A command with its arguments.
///
/// ```
/// use smtp_proto::command::{Command, Options};
/// let command = Command::parse(b"mail from:<ann@example.org> SIZE=300", Options::default())?;
/// let Command::Mail(mail) = &command else { panic!("not MAIL") };
/// assert_eq!(mail.from.as_str(), "ann@example.org");
/// assert_eq!(mail.declared.size, Some(300));
///
/// let mut line = Vec::new();
/// command.write(&mut line);
/// assert_eq!(line, b"MAIL FROM:<ann@example.org> SIZE=300\r\n");
/// # Ok::<(), smtp_proto::command::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Command<'a> {
    /// RFC 5321, 4.1.1.1.
    Ehlo(Domain<'a>),
    /// RFC 5321, 4.1.1.1.
    Helo(Domain<'a>),
    /// RFC 2033, 4.1.
    Lhlo(Domain<'a>),
    /// RFC 5321, 4.1.1.2.
    Mail(Mail<'a>),
    /// RFC 5321, 4.1.1.3.
    Rcpt(Rcpt<'a>),
    /// RFC 5321, 4.1.1.4.
    Data,
    /// RFC 3030, 2: so many octets follow the line.
    Bdat {
        /// The octets that follow.
        size: u64,
        /// Whether they are the last of the message.
        last: bool,
    },
    /// RFC 5321, 4.1.1.5.
    Rset,
    /// RFC 5321, 4.1.1.9.
    Noop(Text<'a>),
    /// RFC 5321, 4.1.1.10.
    Quit,
    /// RFC 5321, 4.1.1.6.
    Vrfy(Text<'a>),
    /// RFC 5321, 4.1.1.7.
    Expn(Text<'a>),
    /// RFC 5321, 4.1.1.8.
    Help(Text<'a>),
    /// RFC 3207, 4.
    StartTls,
    /// RFC 4954, 4.
    Auth {
        /// The SASL mechanism.
        mechanism: MechanismName<'a>,
        /// The initial response; empty where a "=" stands.
        initial: Option<Base64<'a>>,
    },
    /// RFC 1985, 5: a node, `@domain`, or `#queue`.
    Etrn(Text<'a>),
    /// Postfix's XCLIENT_README.
    Xclient(Attributes<'a>),
    /// Postfix's XFORWARD_README.
    Xforward(Attributes<'a>),
    /// Any other. [`Command::verb`] tells the recognised ones, answered by 502, from the unknown ones, answered by 500.
    Other {
        /// The verb as it stood.
        verb: Word<'a>,
        /// What stood behind it.
        args: Text<'a>,
    },
}

/// MAIL (RFC 5321, 4.1.1.2).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Mail<'a> {
    /// Where the message comes from.
    pub from: ReversePath<'a>,
    /// The parameters.
    pub params: Params<'a>,
    /// What the parameters say to a state machine.
    pub declared: Declared,
}

impl<'a> Mail<'a> {
    /// For writing: what the parameters declare is not looked into.
    pub(crate) fn borrowed(from: &'a ReversePath<'_>, params: &'a Params<'_>) -> Self {
        Self { from: from.as_borrowed(), params: params.as_borrowed(), declared: Declared::default() }
    }

    /// MAIL with parameters. Those of RCPT, which belong elsewhere, count as unknown.
    #[must_use]
    pub fn new(from: impl Into<ReversePath<'a>>, params: Params<'a>) -> Self {
        let declared =
            Params::parse_mail(params.as_str()).map_or(Declared::UNKNOWN, |(_, declared)| declared);
        Self { from: from.into(), params, declared }
    }

    /// The same, borrowing from this one.
    #[must_use]
    pub fn as_borrowed(&self) -> Mail<'_> {
        Mail { from: self.from.as_borrowed(), params: self.params.as_borrowed(), declared: self.declared }
    }

    /// The same, borrowing from nothing.
    #[must_use]
    pub fn into_owned(self) -> Mail<'static> {
        Mail { from: self.from.into_owned(), params: self.params.into_owned(), declared: self.declared }
    }
}

/// MAIL without parameters.
impl<'a> From<ReversePath<'a>> for Mail<'a> {
    fn from(from: ReversePath<'a>) -> Self {
        Self { from, params: Params::default(), declared: Declared::default() }
    }
}

/// RCPT (RFC 5321, 4.1.1.3).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Rcpt<'a> {
    /// Where the message goes.
    pub to: ForwardPath<'a>,
    /// The parameters.
    pub params: Params<'a>,
    /// What the parameters say to a state machine.
    pub declared: Declared,
}

impl<'a> Rcpt<'a> {
    /// For writing: what the parameters declare is not looked into.
    pub(crate) fn borrowed(to: &'a ForwardPath<'_>, params: &'a Params<'_>) -> Self {
        Self { to: to.as_borrowed(), params: params.as_borrowed(), declared: Declared::default() }
    }

    /// RCPT with parameters. Those of MAIL, which belong elsewhere, count as unknown.
    #[must_use]
    pub fn new(to: impl Into<ForwardPath<'a>>, params: Params<'a>) -> Self {
        let declared =
            Params::parse_rcpt(params.as_str()).map_or(Declared::UNKNOWN, |(_, declared)| declared);
        Self { to: to.into(), params, declared }
    }

    /// The same, borrowing from this one.
    #[must_use]
    pub fn as_borrowed(&self) -> Rcpt<'_> {
        Rcpt { to: self.to.as_borrowed(), params: self.params.as_borrowed(), declared: self.declared }
    }

    /// The same, borrowing from nothing.
    #[must_use]
    pub fn into_owned(self) -> Rcpt<'static> {
        Rcpt { to: self.to.into_owned(), params: self.params.into_owned(), declared: self.declared }
    }
}

/// RCPT without parameters.
impl<'a> From<ForwardPath<'a>> for Rcpt<'a> {
    fn from(to: ForwardPath<'a>) -> Self {
        Self { to, params: Params::default(), declared: Declared::default() }
    }
}

/// How a command is parsed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// Whether the name behind EHLO, HELO and LHLO must be a domain or an address literal. Otherwise what real clients
    /// call themselves is taken as well: [`Domain::parse_lenient`].
    pub strict_hello: bool,
}

impl Options {
    /// These options with [`Options::strict_hello`] set so.
    #[must_use]
    pub const fn with_strict_hello(mut self, strict: bool) -> Self {
        self.strict_hello = strict;
        self
    }
}

impl<'a> Command<'a> {
    /// Parses a line without its CRLF.
    ///
    /// # Errors
    /// [`Error`] says what to answer. Behind an [`Error::Bdat`] octets may follow that nobody can count: the
    /// connection has to be closed.
    pub fn parse(line: &'a [u8], options: Options) -> Result<Self, Error> {
        grammar::command(line, options)
    }

    /// The verb, if it is one that this crate recognises.
    #[must_use]
    pub fn verb(&self) -> Option<Verb> {
        Some(match self {
            Self::Ehlo(_) => Verb::Ehlo,
            Self::Helo(_) => Verb::Helo,
            Self::Lhlo(_) => Verb::Lhlo,
            Self::Mail(_) => Verb::Mail,
            Self::Rcpt(_) => Verb::Rcpt,
            Self::Data => Verb::Data,
            Self::Bdat { .. } => Verb::Bdat,
            Self::Rset => Verb::Rset,
            Self::Noop(_) => Verb::Noop,
            Self::Quit => Verb::Quit,
            Self::Vrfy(_) => Verb::Vrfy,
            Self::Expn(_) => Verb::Expn,
            Self::Help(_) => Verb::Help,
            Self::StartTls => Verb::StartTls,
            Self::Auth { .. } => Verb::Auth,
            Self::Etrn(_) => Verb::Etrn,
            Self::Xclient(_) => Verb::Xclient,
            Self::Xforward(_) => Verb::Xforward,
            Self::Other { verb, .. } => return Verb::from_name(verb.as_str()),
        })
    }

    /// The same, borrowing from nothing.
    #[must_use]
    pub fn into_owned(self) -> Command<'static> {
        match self {
            Self::Ehlo(name) => Command::Ehlo(name.into_owned()),
            Self::Helo(name) => Command::Helo(name.into_owned()),
            Self::Lhlo(name) => Command::Lhlo(name.into_owned()),
            Self::Mail(mail) => Command::Mail(mail.into_owned()),
            Self::Rcpt(rcpt) => Command::Rcpt(rcpt.into_owned()),
            Self::Data => Command::Data,
            Self::Bdat { size, last } => Command::Bdat { size, last },
            Self::Rset => Command::Rset,
            Self::Noop(text) => Command::Noop(text.into_owned()),
            Self::Quit => Command::Quit,
            Self::Vrfy(text) => Command::Vrfy(text.into_owned()),
            Self::Expn(text) => Command::Expn(text.into_owned()),
            Self::Help(text) => Command::Help(text.into_owned()),
            Self::StartTls => Command::StartTls,
            Self::Auth { mechanism, initial } => {
                Command::Auth { mechanism: mechanism.into_owned(), initial: initial.map(Base64::into_owned) }
            }
            Self::Etrn(text) => Command::Etrn(text.into_owned()),
            Self::Xclient(attributes) => Command::Xclient(attributes.into_owned()),
            Self::Xforward(attributes) => Command::Xforward(attributes.into_owned()),
            Self::Other { verb, args } => Command::Other { verb: verb.into_owned(), args: args.into_owned() },
        }
    }
}
