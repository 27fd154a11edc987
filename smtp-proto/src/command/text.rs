use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt;

use crate::address::class::{KEYWORD, has_control, is};

/// A text that cannot stand in a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("the text has a character that cannot stand there")]
#[non_exhaustive]
pub struct Invalid;

/// The argument of a command, a String of RFC 5321, 4.1.2 or several: no control character but HT, and no space at
/// either end. It may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Text<'a>(Cow<'a, str>);

impl<'a> Text<'a> {
    /// No argument.
    pub const EMPTY: Text<'static> = Text(Cow::Borrowed(""));

    /// Takes `text` without the spaces and tabs around it.
    ///
    /// # Errors
    /// [`Invalid`] if it has a control character that isn't HT.
    pub fn new(text: impl Into<Cow<'a, str>>) -> Result<Self, Invalid> {
        let text = match text.into() {
            Cow::Borrowed(text) => Cow::Borrowed(trim(text)),
            Cow::Owned(text) if trim(&text).len() == text.len() => Cow::Owned(text),
            Cow::Owned(text) => Cow::Owned(String::from(trim(&text))),
        };
        let bad = has_control(&text) && text.chars().any(|c| c.is_control() && c != '\t');
        if bad { Err(Invalid) } else { Ok(Self(text)) }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether it needs no SMTPUTF8.
    #[must_use]
    pub fn is_ascii(&self) -> bool {
        self.0.is_ascii()
    }

    /// The same, borrowing from this one.
    #[must_use]
    pub fn as_borrowed(&self) -> Text<'_> {
        Text(Cow::Borrowed(&self.0))
    }

    /// The same, borrowing from nothing.
    #[must_use]
    pub fn into_owned(self) -> Text<'static> {
        Text(Cow::Owned(self.0.into_owned()))
    }
}

fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'a> TryFrom<&'a str> for Text<'a> {
    type Error = Invalid;

    fn try_from(text: &'a str) -> Result<Self, Invalid> {
        Self::new(text)
    }
}

/// A verb of somebody's own: letters, digits, and hyphens or underscores, 1 to 64 of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Word<'a>(Cow<'a, str>);

impl<'a> Word<'a> {
    /// Takes `text` as a verb.
    ///
    /// # Errors
    /// [`Invalid`] if it is empty, too long, or has another character.
    pub fn new(text: impl Into<Cow<'a, str>>) -> Result<Self, Invalid> {
        let text = text.into();
        let good = text.bytes().all(|octet| is(octet, KEYWORD) || octet == b'_');
        if good && (1..=64).contains(&text.len()) { Ok(Self(text)) } else { Err(Invalid) }
    }

    /// The verb as it stood.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same, borrowing from this one.
    #[must_use]
    pub fn as_borrowed(&self) -> Word<'_> {
        Word(Cow::Borrowed(&self.0))
    }

    /// The same, borrowing from nothing.
    #[must_use]
    pub fn into_owned(self) -> Word<'static> {
        Word(Cow::Owned(self.0.into_owned()))
    }
}

impl fmt::Display for Word<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'a> TryFrom<&'a str> for Word<'a> {
    type Error = Invalid;

    fn try_from(text: &'a str) -> Result<Self, Invalid> {
        Self::new(text)
    }
}
