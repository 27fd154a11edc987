use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::str::FromStr;

use super::class::has_control;
use super::{Domain, Error, grammar};

/// Longest local part that is built here (RFC 5321, 4.5.3.1.1). What arrives may be longer, as far as its path goes.
const LOCAL_PART_MAX: usize = 64;

/// A mailbox, `Local-part "@" ( Domain / address-literal )` (RFC 5321, 4.1.2; RFC 6531, 3.3).
///
/// The text is kept as it stood, quotes included. Two mailboxes are equal, and hash alike, when their local parts are
/// the same octets once unquoted, and their domains are equal but for the case of ASCII letters.
///
/// ```
/// use smtp_proto::address::Mailbox;
/// let quoted = Mailbox::parse(r#""joe"@Example.org"#)?;
/// assert_eq!(quoted, Mailbox::parse("joe@example.org")?);
/// assert_eq!(quoted.as_str(), r#""joe"@Example.org"#);
/// assert_eq!(quoted.local_part(), "joe");
/// # Ok::<(), smtp_proto::address::Error>(())
/// ```
#[derive(Clone)]
pub struct Mailbox<'a> {
    text: Cow<'a, str>,
    at: u16,
}

impl<'a> Mailbox<'a> {
    /// Takes an address without angle brackets, of at most 254 octets.
    ///
    /// # Errors
    /// Says which part is malformed.
    pub fn parse(text: &'a str) -> Result<Self, Error> {
        grammar::whole(text, Error::Domain, grammar::mailbox).map(Self::checked)
    }

    /// For what the grammar has taken: the text, and the place of its "@".
    #[inline(always)]
    pub(super) fn checked((text, at): (&'a str, usize)) -> Self {
        // The grammar takes 254 octets at most.
        Self { text: Cow::Borrowed(text), at: at as u16 }
    }

    /// The whole text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The local part as it stood, quotes included.
    #[must_use]
    pub fn local_part_raw(&self) -> &str {
        &self.text[..usize::from(self.at)]
    }

    /// The local part without the quoting. Only one with a quoted pair is copied.
    #[must_use]
    pub fn local_part(&self) -> Cow<'_, str> {
        let raw = self.local_part_raw();
        let Some(inner) = raw.strip_prefix('"').and_then(|raw| raw.strip_suffix('"')) else {
            return Cow::Borrowed(raw);
        };
        if !inner.contains('\\') {
            return Cow::Borrowed(inner);
        }
        let mut escaped = false;
        Cow::Owned(
            inner
                .chars()
                .filter(|&c| {
                    escaped = c == '\\' && !escaped;
                    !escaped
                })
                .collect(),
        )
    }

    /// The domain or address literal.
    #[must_use]
    pub fn domain(&self) -> Domain<'_> {
        Domain::checked(&self.text[usize::from(self.at) + 1..])
    }

    /// Whether neither part needs SMTPUTF8.
    #[must_use]
    pub fn is_ascii(&self) -> bool {
        self.text.is_ascii()
    }

    /// The same, borrowing from nothing.
    #[must_use]
    pub fn into_owned(self) -> Mailbox<'static> {
        Mailbox { text: Cow::Owned(self.text.into_owned()), at: self.at }
    }

    /// The same, borrowing from this one.
    #[must_use]
    pub fn as_borrowed(&self) -> Mailbox<'_> {
        Mailbox { text: Cow::Borrowed(&self.text), at: self.at }
    }
}

impl Mailbox<'static> {
    /// Builds a mailbox from a local part that is not quoted, quoting it only where the grammar asks for it.
    ///
    /// # Errors
    /// [`Error::LocalPart`] for an empty local part, [`Error::Control`] for one with a control character,
    /// [`Error::TooLong`] for more than 64 octets, and [`Error::Domain`] for a domain that only
    /// [`Domain::parse_lenient`] takes.
    pub fn new(local_part: &str, domain: &Domain<'_>) -> Result<Self, Error> {
        if local_part.is_empty() {
            return Err(Error::LocalPart);
        }
        if has_control(local_part) {
            return Err(Error::Control);
        }
        let mut text = String::with_capacity(local_part.len() + domain.as_str().len() + 3);
        if matches!(grammar::dot_string(local_part), Ok(("", _))) {
            text.push_str(local_part);
        } else {
            text.push('"');
            for c in local_part.chars() {
                if matches!(c, '"' | '\\') {
                    text.push('\\');
                }
                text.push(c);
            }
            text.push('"');
        }
        if text.len() > LOCAL_PART_MAX {
            return Err(Error::TooLong);
        }
        text.push('@');
        text.push_str(domain.as_str());
        Self::try_from(text)
    }
}

impl<'a> TryFrom<&'a str> for Mailbox<'a> {
    type Error = Error;

    fn try_from(text: &'a str) -> Result<Self, Error> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Mailbox<'static> {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        let at = Mailbox::parse(&text)?.at;
        Ok(Self { text: Cow::Owned(text), at })
    }
}

impl FromStr for Mailbox<'static> {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Mailbox::parse(text).map(Mailbox::into_owned)
    }
}

impl PartialEq<Mailbox<'_>> for Mailbox<'_> {
    fn eq(&self, other: &Mailbox<'_>) -> bool {
        self.local_part() == other.local_part() && self.domain() == other.domain()
    }
}

impl Eq for Mailbox<'_> {}

impl Hash for Mailbox<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.local_part().hash(state);
        self.domain().hash(state);
    }
}

impl fmt::Debug for Mailbox<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.text, f)
    }
}

impl fmt::Display for Mailbox<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl AsRef<str> for Mailbox<'_> {
    fn as_ref(&self) -> &str {
        &self.text
    }
}

#[cfg(feature = "idna")]
impl Mailbox<'_> {
    /// The same mailbox with its domain's U-labels as A-labels; `None` if the local part isn't ASCII, as there is no
    /// such way for that.
    #[must_use]
    pub fn to_a_labels(&self) -> Option<Mailbox<'static>> {
        if !self.local_part_raw().is_ascii() {
            return None;
        }
        let domain = self.domain().to_a_labels().ok()?;
        let text = alloc::format!("{}@{}", self.local_part_raw(), domain.as_str());
        Mailbox::parse(&text).ok().map(Mailbox::into_owned)
    }
}
