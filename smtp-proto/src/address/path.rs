use core::fmt;
use core::str::FromStr;

use super::{Error, Mailbox, grammar};

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
        grammar::whole(text, Error::Path, grammar::reverse_path).map(Self::checked)
    }

    /// For what the grammar has taken.
    #[inline(always)]
    pub(crate) fn checked(mailbox: Option<(&'a str, usize)>) -> Self {
        mailbox.map_or(Self::Null, |mailbox| Self::Mailbox(Mailbox::checked(mailbox)))
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
        grammar::whole(text, Error::Path, grammar::forward_path).map(Self::checked)
    }

    /// For what the grammar has taken.
    #[inline(always)]
    pub(crate) fn checked(mailbox: Option<(&'a str, usize)>) -> Self {
        mailbox.map_or(Self::Postmaster, |mailbox| Self::Mailbox(Mailbox::checked(mailbox)))
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

/// With its angle brackets or without; nothing at all is `<>`.
impl<'a> TryFrom<&'a str> for ReversePath<'a> {
    type Error = Error;

    fn try_from(text: &'a str) -> Result<Self, Error> {
        match text {
            "" => Ok(Self::Null),
            _ if text.starts_with('<') => Self::parse(text),
            _ => Mailbox::parse(text).map(Self::Mailbox),
        }
    }
}

/// With its angle brackets or without.
impl<'a> TryFrom<&'a str> for ForwardPath<'a> {
    type Error = Error;

    fn try_from(text: &'a str) -> Result<Self, Error> {
        match text {
            _ if text.starts_with('<') => Self::parse(text),
            _ if text.eq_ignore_ascii_case("postmaster") => Ok(Self::Postmaster),
            _ => Mailbox::parse(text).map(Self::Mailbox),
        }
    }
}

/// As [`TryFrom`].
impl FromStr for ReversePath<'static> {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        ReversePath::try_from(text).map(ReversePath::into_owned)
    }
}

/// As [`TryFrom`].
impl FromStr for ForwardPath<'static> {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        ForwardPath::try_from(text).map(ForwardPath::into_owned)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_come_with_brackets_or_without() {
        for text in ["<ann@x.example>", "ann@x.example"] {
            assert_eq!(text.parse::<ReversePath<'static>>().unwrap().as_str(), "ann@x.example");
            assert_eq!(text.parse::<ForwardPath<'static>>().unwrap().as_str(), "ann@x.example");
        }
        for text in ["", "<>"] {
            assert_eq!(text.parse(), Ok(ReversePath::Null));
            assert!(text.parse::<ForwardPath<'static>>().is_err(), "{text:?} goes nowhere");
        }
        for text in ["postmaster", "<Postmaster>"] {
            assert_eq!(text.parse(), Ok(ForwardPath::Postmaster));
            assert!(text.parse::<ReversePath<'static>>().is_err(), "{text:?} is nobody's address");
        }
        for text in ["<ann@x.example", "ann@x.example>", "<<ann@x.example>>", "ann", "<ann@x.example> SIZE=1"]
        {
            assert!(text.parse::<ReversePath<'static>>().is_err(), "{text:?}");
            assert!(text.parse::<ForwardPath<'static>>().is_err(), "{text:?}");
        }
    }
}
