use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

use super::class::has_control;
use super::{Error, grammar};

/// A domain or an address literal (RFC 5321, 4.1.2 and 4.1.3), as text of 1 to 255 octets.
///
/// Two are equal when their text is, but for the case of ASCII letters.
///
/// ```
/// use smtp_proto::address::Domain;
/// let domain = Domain::parse("Mail.Example.ORG")?;
/// assert_eq!(domain, Domain::parse("mail.example.org")?);
/// assert_eq!(domain.as_str(), "Mail.Example.ORG");
/// assert!(Domain::parse("[IPv6:2001:db8::1]")?.literal().is_some());
/// # Ok::<(), smtp_proto::address::Error>(())
/// ```
#[derive(Clone)]
pub struct Domain<'a>(Cow<'a, str>);

/// What an address literal says (RFC 5321, 4.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Literal<'a> {
    /// `[192.0.2.1]`
    V4(Ipv4Addr),
    /// `[IPv6:2001:db8::1]`
    V6(Ipv6Addr),
    /// `[tag:content]`, of which none is registered but IPv6.
    General {
        /// What stands before the colon.
        tag: &'a str,
        /// What stands behind it.
        content: &'a str,
    },
}

impl<'a> Domain<'a> {
    /// Takes what RFC 5321 and RFC 6531 (U-labels) call a domain or an address literal.
    ///
    /// # Errors
    /// [`Error::Domain`], [`Error::Literal`], [`Error::Control`] or [`Error::TooLong`].
    pub fn parse(text: &'a str) -> Result<Self, Error> {
        let text = grammar::whole(text, Error::Domain, grammar::domain_or_literal)?;
        if has_control(text) { Err(Error::Control) } else { Ok(Self(Cow::Borrowed(text))) }
    }

    /// Takes also what clients call themselves in EHLO and HELO: names with underscores, bare IP addresses, a dot at
    /// the end. Such a name is not good for a [`Mailbox`](super::Mailbox).
    ///
    /// # Errors
    /// [`Error::Domain`], [`Error::Control`] or [`Error::TooLong`].
    pub fn parse_lenient(text: &'a str) -> Result<Self, Error> {
        // A literal may hold more than a name, whoever is lenient with it.
        if text.starts_with('[')
            && let Ok(literal) = Self::parse(text)
        {
            return Ok(literal);
        }
        grammar::whole(text, Error::Domain, grammar::lenient_name).map(|text| Self(Cow::Borrowed(text)))
    }

    /// For text that the grammar has taken.
    pub(super) const fn checked(text: &'a str) -> Self {
        Self(Cow::Borrowed(text))
    }

    /// The text, with its brackets if it is a literal.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What the address literal says; `None` for a name.
    #[must_use]
    pub fn literal(&self) -> Option<Literal<'_>> {
        grammar::literal(self.0.strip_prefix('[')?.strip_suffix(']')?)
    }

    /// Whether there is no U-label in it.
    #[must_use]
    pub fn is_ascii(&self) -> bool {
        self.0.is_ascii()
    }

    /// The same, borrowing from nothing.
    #[must_use]
    pub fn into_owned(self) -> Domain<'static> {
        Domain(Cow::Owned(self.0.into_owned()))
    }

    /// The same, borrowing from this one.
    #[must_use]
    pub fn as_borrowed(&self) -> Domain<'_> {
        Domain(Cow::Borrowed(&self.0))
    }
}

impl From<IpAddr> for Domain<'static> {
    fn from(address: IpAddr) -> Self {
        Self(Cow::Owned(match address {
            IpAddr::V4(address) => format!("[{address}]"),
            IpAddr::V6(address) => format!("[IPv6:{address}]"),
        }))
    }
}

impl<'a> TryFrom<&'a str> for Domain<'a> {
    type Error = Error;

    fn try_from(text: &'a str) -> Result<Self, Error> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Domain<'static> {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        Domain::parse(&text)?;
        Ok(Self(Cow::Owned(text)))
    }
}

impl FromStr for Domain<'static> {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Domain::parse(text).map(Domain::into_owned)
    }
}

impl PartialEq<Domain<'_>> for Domain<'_> {
    fn eq(&self, other: &Domain<'_>) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for Domain<'_> {}

impl Hash for Domain<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.bytes().for_each(|octet| state.write_u8(octet.to_ascii_lowercase()));
        state.write_u8(0xff);
    }
}

impl fmt::Debug for Domain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl fmt::Display for Domain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for Domain<'_> {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

#[cfg(feature = "idna")]
impl Domain<'_> {
    /// The same domain with its U-labels as A-labels (RFC 5891), for a server that does not offer SMTPUTF8.
    ///
    /// ```
    /// # use smtp_proto::address::Domain;
    /// assert_eq!(Domain::parse("b\u{fc}cher.example")?.to_a_labels()?.as_str(), "xn--bcher-kva.example");
    /// # Ok::<(), smtp_proto::address::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Domain`] if a label has no A-label.
    pub fn to_a_labels(&self) -> Result<Domain<'static>, Error> {
        if self.is_ascii() {
            return Ok(self.clone().into_owned());
        }
        let ascii = idna::domain_to_ascii_cow(self.0.as_bytes(), idna::AsciiDenyList::STD3);
        let ascii = ascii.map_err(|_| Error::Domain)?;
        Domain::parse(&ascii).map(Domain::into_owned)
    }
}
