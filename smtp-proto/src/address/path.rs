use core::fmt;

use nom::Parser;
use nom::bytes::complete::tag;
use nom::combinator::{map, value};

use super::class::no_case;
use super::grammar::{self, Parsed};
use super::{Error, Mailbox};

/// Where a message comes from: the argument of MAIL (RFC 5321, 4.1.2).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ReversePath<'a> {
    /// `<>`: to be answered by nobody, as a bounce is (RFC 5321, 4.5.5).
    Null,
    /// A mailbox in angle brackets.
    Mailbox(Mailbox<'a>),
}

/// Where a message goes: the argument of RCPT (RFC 5321, 4.1.2).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ForwardPath<'a> {
    /// `<Postmaster>` without a domain, in any case of letters (RFC 5321, 4.1.1.3).
    Postmaster,
    /// A mailbox in angle brackets.
    Mailbox(Mailbox<'a>),
}

impl<'a> ReversePath<'a> {
    /// Takes a path with its angle brackets.
    ///
    /// # Errors
    /// Says which part is malformed.
    pub fn parse(text: &'a str) -> Result<Self, Error> {
        grammar::whole(text, Error::Path, Self::parser)
    }

    /// `Reverse-path = Path / "<>"` (RFC 5321, 4.1.2)
    #[inline]
    pub(crate) fn parser(input: &'a str) -> Parsed<'a, Self> {
        if input.starts_with("<>") {
            return value(Self::Null, tag("<>")).parse(input);
        }
        map(grammar::path, |mailbox| Self::Mailbox(Mailbox::checked(mailbox))).parse(input)
    }

    /// The mailbox, if there is one.
    #[must_use]
    pub const fn mailbox(&self) -> Option<&Mailbox<'a>> {
        match self {
            Self::Null => None,
            Self::Mailbox(mailbox) => Some(mailbox),
        }
    }

    /// Whether the path needs no SMTPUTF8.
    #[must_use]
    pub fn is_ascii(&self) -> bool {
        self.mailbox().is_none_or(Mailbox::is_ascii)
    }

    /// The same, borrowing from nothing.
    #[must_use]
    pub fn into_owned(self) -> ReversePath<'static> {
        match self {
            Self::Null => ReversePath::Null,
            Self::Mailbox(mailbox) => ReversePath::Mailbox(mailbox.into_owned()),
        }
    }

    /// The same, borrowing from this one.
    #[must_use]
    pub fn as_borrowed(&self) -> ReversePath<'_> {
        self.mailbox().map_or(ReversePath::Null, |mailbox| ReversePath::Mailbox(mailbox.as_borrowed()))
    }

    /// The text between the angle brackets.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.mailbox().map_or("", Mailbox::as_str)
    }
}

impl<'a> ForwardPath<'a> {
    /// Takes a path with its angle brackets.
    ///
    /// # Errors
    /// Says which part is malformed.
    pub fn parse(text: &'a str) -> Result<Self, Error> {
        grammar::whole(text, Error::Path, Self::parser)
    }

    /// `Forward-path = Path`, or `"<Postmaster>"` (RFC 5321, 4.1.1.3 and 4.1.2)
    #[inline]
    pub(crate) fn parser(input: &'a str) -> Parsed<'a, Self> {
        let postmaster = value(Self::Postmaster, no_case("<Postmaster>"));
        match grammar::path(input) {
            Ok((rest, mailbox)) => Ok((rest, Self::Mailbox(Mailbox::checked(mailbox)))),
            Err(error) => { postmaster }.parse(input).map_err(|_: nom::Err<Error>| error),
        }
    }

    /// The mailbox, if it is not the bare postmaster.
    #[must_use]
    pub const fn mailbox(&self) -> Option<&Mailbox<'a>> {
        match self {
            Self::Postmaster => None,
            Self::Mailbox(mailbox) => Some(mailbox),
        }
    }

    /// Whether the path needs no SMTPUTF8.
    #[must_use]
    pub fn is_ascii(&self) -> bool {
        self.mailbox().is_none_or(Mailbox::is_ascii)
    }

    /// The same, borrowing from nothing.
    #[must_use]
    pub fn into_owned(self) -> ForwardPath<'static> {
        match self {
            Self::Postmaster => ForwardPath::Postmaster,
            Self::Mailbox(mailbox) => ForwardPath::Mailbox(mailbox.into_owned()),
        }
    }

    /// The same, borrowing from this one.
    #[must_use]
    pub fn as_borrowed(&self) -> ForwardPath<'_> {
        self.mailbox().map_or(ForwardPath::Postmaster, |mailbox| ForwardPath::Mailbox(mailbox.as_borrowed()))
    }

    /// The text between the angle brackets.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.mailbox().map_or("Postmaster", Mailbox::as_str)
    }
}

impl<'a> From<Mailbox<'a>> for ReversePath<'a> {
    fn from(mailbox: Mailbox<'a>) -> Self {
        Self::Mailbox(mailbox)
    }
}

impl<'a> From<Mailbox<'a>> for ForwardPath<'a> {
    fn from(mailbox: Mailbox<'a>) -> Self {
        Self::Mailbox(mailbox)
    }
}

impl fmt::Display for ReversePath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.as_str())
    }
}

impl fmt::Display for ForwardPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.as_str())
    }
}
