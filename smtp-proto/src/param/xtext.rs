use alloc::borrow::Cow;
use alloc::string::{FromUtf8Error, String};
use alloc::vec::Vec;
use core::cell::Cell;
use core::fmt::{self, Write as _};

use nom::branch::alt;
use nom::bytes::complete::tag;
use nom::combinator::recognize;
use nom::multi::many0_count;
use nom::sequence::delimited;
use nom::{IResult, Parser};

use super::Error;
use crate::address::Mailbox;
use crate::address::class::{ATEXT, VALUE, XCHAR, is, split};
use crate::octets;

/// A value parser: which keyword the value belongs to is known only to its caller.
pub(crate) type Parsed<'a, T> = IResult<&'a str, T, ()>;

/// Longest ORCPT value (RFC 3461, 4.2).
const ORCPT_MAX: usize = 500;

/// Text encoded as xtext (RFC 3461, 4). The encoding is kept, so that it is passed on as it came.
///
/// ```
/// use smtp_proto::param::Xtext;
/// let envid = Xtext::encode(b"QQ 3+4");
/// assert_eq!(envid.as_str(), "QQ+203+2B4");
/// assert_eq!(&*envid.decode(), b"QQ 3+4");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Xtext<'a>(Cow<'a, str>);

impl<'a> Xtext<'a> {
    /// Takes encoded text, with hexadecimal digits of either case.
    ///
    /// # Errors
    /// [`Error::Malformed`] if it isn't xtext, or empty.
    pub fn parse(text: &'a str) -> Result<Self, Error> {
        match xtext(Case::Either, |_| true)(text) {
            Ok(("", text)) => Ok(Self::checked(text)),
            _ => Err(Error::Malformed),
        }
    }

    /// Encodes `octets`.
    #[must_use]
    pub fn encode(octets: &[u8]) -> Xtext<'static> {
        let mut text = String::with_capacity(octets.len());
        for &octet in octets {
            if is(octet, XCHAR) {
                text.push(char::from(octet));
            } else {
                // Writing to a String cannot fail.
                let _ = write!(text, "+{octet:02X}");
            }
        }
        Xtext(Cow::Owned(text))
    }

    /// For text that the grammar has taken.
    pub(super) const fn checked(text: &'a str) -> Self {
        Self(Cow::Borrowed(text))
    }

    /// The encoded text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What it encodes. Only where something is escaped is it copied.
    #[must_use]
    pub fn decode(&self) -> Cow<'_, [u8]> {
        if !self.0.contains('+') {
            return Cow::Borrowed(self.0.as_bytes());
        }
        let mut octets = Vec::with_capacity(self.0.len());
        decode(&self.0, |octet| octets.push(octet));
        Cow::Owned(octets)
    }

    /// The same, borrowing from this one.
    #[must_use]
    pub fn as_borrowed(&self) -> Xtext<'_> {
        Xtext(Cow::Borrowed(&self.0))
    }

    /// The same, borrowing from nothing.
    #[must_use]
    pub fn into_owned(self) -> Xtext<'static> {
        Xtext(Cow::Owned(self.0.into_owned()))
    }
}

impl fmt::Display for Xtext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Hands out the octets that well-formed xtext encodes.
pub(crate) fn decode(text: &str, mut push: impl FnMut(u8)) {
    let mut rest = text;
    while let Some(&octet) = rest.as_bytes().first() {
        if let Ok((behind, octet)) = hexchar(Case::Either)(rest) {
            push(octet);
            rest = behind;
        } else {
            push(octet);
            rest = rest.get(1..).unwrap_or_default();
        }
    }
}

/// Which hexadecimal digits are taken: DSN writes them upper-case, AUTH in either case (RFC 4954, 8).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Case {
    Upper,
    Either,
}

/// `xtext = *( xchar / hexchar )` (RFC 3461, 4), but not empty, since an esmtp-value isn't. `encodes` says which octets
/// may be encoded.
#[inline(always)]
pub(crate) fn xtext<'a>(
    case: Case,
    encodes: impl Fn(u8) -> bool + Copy,
) -> impl Fn(&'a str) -> Parsed<'a, &'a str> {
    move |input| {
        let octets = input.as_bytes();
        let end = octets::position(octets, 0, |at| match octets[at] {
            // The two digits behind it are not asked about.
            b'+' => {
                !hexchar(case)(input.get(at..).unwrap_or_default()).is_ok_and(|(_, octet)| encodes(octet))
            }
            octet => !is(octet, XCHAR),
        });
        match input.split_at_checked(end) {
            Some((text, rest)) if end > 0 => Ok((rest, text)),
            _ => Err(nom::Err::Error(())),
        }
    }
}

/// `hexchar = "+" 2HEXDIG` (RFC 3461, 4)
fn hexchar<'a>(case: Case) -> impl Fn(&'a str) -> Parsed<'a, u8> + Copy {
    let digit = move |octet: u8| match octet {
        b'0'..=b'9' => Some(octet - b'0'),
        b'A'..=b'F' => Some(octet - b'A' + 10),
        b'a'..=b'f' if case == Case::Either => Some(octet - b'a' + 10),
        _ => None,
    };
    move |input| match input.as_bytes() {
        [b'+', high, low, ..] => match (digit(*high), digit(*low)) {
            (Some(high), Some(low)) => Ok((&input[3..], high << 4 | low)),
            _ => Err(nom::Err::Error(())),
        },
        _ => Err(nom::Err::Error(())),
    }
}

/// SP to "~": what ENVID may encode, and of ORCPT by the letter (RFC 3461, 4.2 and 4.4).
pub(super) const fn printable(octet: u8) -> bool {
    matches!(octet, b' '..=b'~')
}

/// The original recipient of a message (RFC 3461, 4.2; RFC 6533, 3): an address type and an address encoded its way.
///
/// The encoding is kept, so that it is passed on as it came.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Orcpt<'a>(Cow<'a, str>);

impl<'a> Orcpt<'a> {
    /// Takes the value of ORCPT.
    ///
    /// # Errors
    /// [`Error::BadValue`]
    pub fn parse(text: &'a str) -> Result<Self, Error> {
        match orcpt(text) {
            Ok(("", text)) => Ok(Self::checked(text)),
            _ => Err(Error::BadValue("ORCPT")),
        }
    }

    /// For text that the grammar has taken.
    pub(super) const fn checked(text: &'a str) -> Self {
        Self(Cow::Borrowed(text))
    }

    /// Encodes `mailbox`: as type `rfc822`, or as `utf-8` in its ASCII form if the mailbox isn't ASCII.
    ///
    /// # Errors
    /// [`Error::BadValue`] if the encoded text is longer than 500 octets.
    pub fn new(mailbox: &Mailbox<'_>) -> Result<Orcpt<'static>, Error> {
        let text = mailbox.as_str();
        let mut encoded = String::with_capacity(text.len() + 8);
        encoded.push_str(if mailbox.is_ascii() { "rfc822;" } else { "utf-8;" });
        for c in text.chars() {
            // Writing to a String cannot fail.
            let _ = match c {
                '!'..='~' if !matches!(c, '+' | '=') && (mailbox.is_ascii() || c != '\\') => {
                    encoded.write_char(c)
                }
                _ if mailbox.is_ascii() => write!(encoded, "+{:02X}", u32::from(c)),
                _ => write!(encoded, "\\x{{{:02X}}}", u32::from(c)),
            };
        }
        Orcpt::parse(&encoded)?;
        Ok(Orcpt(Cow::Owned(encoded)))
    }

    /// The whole value, encoded.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The address type, as `rfc822`.
    #[must_use]
    pub fn address_type(&self) -> &str {
        self.0.split_once(';').map_or("", |(kind, _)| kind)
    }

    /// The address, decoded.
    #[must_use]
    pub fn address(&self) -> Cow<'_, str> {
        let (kind, text) = self.0.split_once(';').unwrap_or_default();
        let utf8 = kind.eq_ignore_ascii_case("utf-8");
        if !text.contains(if utf8 { '\\' } else { '+' }) {
            return Cow::Borrowed(text);
        }
        if !utf8 {
            return Cow::Owned(decoded(text).unwrap_or_default());
        }
        let mut address = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let (behind, c) = embedded(rest).unwrap_or_else(|_| (&rest[c.len_utf8()..], c));
            address.push(c);
            rest = behind;
        }
        Cow::Owned(address)
    }

    /// The same, borrowing from this one.
    #[must_use]
    pub fn as_borrowed(&self) -> Orcpt<'_> {
        Orcpt(Cow::Borrowed(&self.0))
    }

    /// The same, borrowing from nothing.
    #[must_use]
    pub fn into_owned(self) -> Orcpt<'static> {
        Orcpt(Cow::Owned(self.0.into_owned()))
    }
}

impl fmt::Display for Orcpt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `original-recipient-address = addr-type ";" xtext`, `addr-type = atom` (RFC 3461, 4.2), and
/// `utf-8-type-addr = "utf-8;" utf-8-enc-addr` (RFC 6533, 3)
#[inline(always)]
pub(super) fn orcpt(input: &str) -> Parsed<'_, &str> {
    let octets = input.as_bytes();
    // An esmtp-value has no "=", though an atom may.
    let of_type = |octet: u8| octet.is_ascii() && is(octet, ATEXT) && is(octet, VALUE);
    let at = octets::position(octets, 0, |at| !of_type(octets[at]));
    let (true, Some(b';'), Some(address)) = (at > 0, octets.get(at), input.get(at + 1..)) else {
        return Err(nom::Err::Error(()));
    };
    let (rest, _) = if at == "utf-8".len() && octets[..at].eq_ignore_ascii_case(b"utf-8") {
        utf8_address(address)?
    } else {
        // RFC 3461 has an ASCII address below this. Postfix encodes one in UTF-8 the same way where the mail is SMTPUTF8's.
        let high = Cell::new(false);
        let encodes = |octet: u8| {
            printable(octet)
                || !octet.is_ascii() && {
                    high.set(true);
                    true
                }
        };
        let (behind, text) = xtext(Case::Upper, encodes)(address)?;
        if high.get() && !decoded(text).is_ok_and(|address| !address.contains(char::is_control)) {
            return Err(nom::Err::Error(()));
        }
        (behind, text)
    };
    let text = &input[..input.len() - rest.len()];
    if text.len() > ORCPT_MAX { Err(nom::Err::Error(())) } else { Ok((rest, text)) }
}

/// What an address of type `rfc822` and the like encodes; those that were parsed decode to UTF-8.
fn decoded(text: &str) -> Result<String, FromUtf8Error> {
    let mut octets = Vec::with_capacity(text.len());
    decode(text, |octet| octets.push(octet));
    String::from_utf8(octets)
}

/// `utf-8-addr-unitext = 1*(QUCHAR / EmbeddedUnicodeChar)`, which holds utf-8-addr-xtext (RFC 6533, 3)
fn utf8_address(input: &str) -> Parsed<'_, &str> {
    let plain = |input| {
        let (taken, rest) = split(input, |octet| !octet.is_ascii() || is(octet, XCHAR) && octet != b'\\');
        if taken.is_empty() || taken.chars().any(char::is_control) {
            return Err(nom::Err::Error(()));
        }
        Ok((rest, taken))
    };
    recognize((alt((plain, recognize(embedded))), many0_count(alt((plain, recognize(embedded))))))
        .parse(input)
}

/// `EmbeddedUnicodeChar = %x5C.78 "{" HEXPOINT "}"` (RFC 6533, 3), but no control character
fn embedded(input: &str) -> Parsed<'_, char> {
    let digits = |input| {
        let (digits, rest) = split(input, |octet| matches!(octet, b'0'..=b'9' | b'A'..=b'F'));
        let point = if (2..=6).contains(&digits.len()) { u32::from_str_radix(digits, 16).ok() } else { None };
        match point.and_then(char::from_u32) {
            Some(c) if !c.is_control() => Ok((rest, c)),
            _ => Err(nom::Err::Error(())),
        }
    };
    delimited(tag("\\x{"), digits, tag("}")).parse(input)
}
