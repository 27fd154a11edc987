use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt;
use core::net::IpAddr;

use nom::Parser;
use nom::character::complete::char;
use nom::combinator::recognize;
use nom::multi::many0_count;
use nom::sequence::separated_pair;

use super::Invalid;
use crate::address::class::{KEYWORD, run};
use crate::param::Xtext;
use crate::param::xtext::{Case, Parsed, xtext};

/// What XCLIENT and XFORWARD say of a client: one or more `name=value`, each once, each value in xtext.
///
/// A value encodes no control character.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Attributes<'a>(Cow<'a, str>);

/// An attribute of XCLIENT (C) or XFORWARD (F).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Attribute {
    /// C, F: the client's host name.
    Name,
    /// C, F: its address.
    Addr,
    /// C, F: its port.
    Port,
    /// C, F: SMTP or ESMTP.
    Proto,
    /// C, F: the name it gave itself.
    Helo,
    /// C: as whom it authenticated.
    Login,
    /// C: the server's address.
    DestAddr,
    /// C: the server's port.
    DestPort,
    /// F: the message's identifier.
    Ident,
    /// F: LOCAL or REMOTE.
    Source,
}

impl Attribute {
    /// Every attribute.
    pub const ALL: &'static [Self] = &[
        Self::Name,
        Self::Addr,
        Self::Port,
        Self::Proto,
        Self::Helo,
        Self::Login,
        Self::DestAddr,
        Self::DestPort,
        Self::Ident,
        Self::Source,
    ];

    /// The name as it is sent.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Name => "NAME",
            Self::Addr => "ADDR",
            Self::Port => "PORT",
            Self::Proto => "PROTO",
            Self::Helo => "HELO",
            Self::Login => "LOGIN",
            Self::DestAddr => "DESTADDR",
            Self::DestPort => "DESTPORT",
            Self::Ident => "IDENT",
            Self::Source => "SOURCE",
        }
    }
}

impl<'a> Attributes<'a> {
    /// Takes the arguments of XCLIENT or XFORWARD.
    ///
    /// # Errors
    /// [`Invalid`] if there is none, one is malformed or unknown, or one stands twice.
    pub fn parse(text: &'a str) -> Result<Self, Invalid> {
        match attributes(text) {
            Ok(("", _)) => {}
            _ => return Err(Invalid),
        }
        let mut seen = 0_u16;
        for (name, _) in words(text) {
            let attribute = Attribute::ALL.iter().find(|known| known.name().eq_ignore_ascii_case(name));
            let bit = 1 << *attribute.ok_or(Invalid)? as u8;
            if seen & bit != 0 {
                return Err(Invalid);
            }
            seen |= bit;
        }
        Ok(Self(Cow::Borrowed(text)))
    }

    /// Encodes `attributes`.
    ///
    /// # Errors
    /// [`Invalid`] if there is none, a value is empty or has a control character, or an attribute stands twice.
    pub fn new<'v>(
        attributes: impl IntoIterator<Item = (Attribute, &'v str)>,
    ) -> Result<Attributes<'static>, Invalid> {
        let mut text = String::new();
        for (attribute, value) in attributes {
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(attribute.name());
            text.push('=');
            text.push_str(Xtext::encode(value.as_bytes()).as_str());
        }
        Attributes::parse(&text)?;
        Ok(Attributes(Cow::Owned(text)))
    }

    /// The text as it stood.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The attributes in order.
    pub fn iter(&self) -> impl Iterator<Item = (Attribute, Xtext<'_>)> {
        words(&self.0).filter_map(|(name, value)| {
            let attribute = Attribute::ALL.iter().find(|known| known.name().eq_ignore_ascii_case(name))?;
            Some((*attribute, Xtext::parse(value).ok()?))
        })
    }

    /// The value of `attribute`, with what encodes it. `[UNAVAILABLE]` and `[TEMPUNAVAIL]` are values like others.
    #[must_use]
    pub fn get(&self, attribute: Attribute) -> Option<Xtext<'_>> {
        self.iter().find(|(found, _)| *found == attribute).map(|(_, value)| value)
    }

    /// The value of `attribute` as an IP address, for [`Attribute::Addr`] and [`Attribute::DestAddr`].
    #[must_use]
    pub fn address(&self, attribute: Attribute) -> Option<IpAddr> {
        let value = self.get(attribute)?;
        let octets = value.decode();
        let text = core::str::from_utf8(&octets).ok()?;
        match text.split_at_checked(5) {
            Some((tag, text)) if tag.eq_ignore_ascii_case("IPv6:") => text.parse().ok().map(IpAddr::V6),
            _ => text.parse().ok(),
        }
    }

    /// Those of them that a server [lists](crate::extension::Capabilities::words) behind XCLIENT or XFORWARD; `None` if none
    /// is left.
    #[must_use]
    pub fn listed_in(&self, names: &str) -> Option<Attributes<'_>> {
        let listed = |name: &str| names.split([' ', '\t']).any(|listed| listed.eq_ignore_ascii_case(name));
        if words(&self.0).all(|(name, _)| listed(name)) {
            return Some(self.as_borrowed());
        }
        let mut text = String::new();
        for word in
            self.0.split(' ').filter(|word| word.split_once('=').is_some_and(|(name, _)| listed(name)))
        {
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(word);
        }
        (!text.is_empty()).then_some(Attributes(Cow::Owned(text)))
    }

    /// The same, borrowing from this one.
    #[must_use]
    pub fn as_borrowed(&self) -> Attributes<'_> {
        Attributes(Cow::Borrowed(&self.0))
    }

    /// The same, borrowing from nothing.
    #[must_use]
    pub fn into_owned(self) -> Attributes<'static> {
        Attributes(Cow::Owned(self.0.into_owned()))
    }
}

impl fmt::Display for Attributes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `1*( SP attribute-name "=" attribute-value )`, the value in xtext (XCLIENT_README, XFORWARD_README)
fn attributes(input: &str) -> Parsed<'_, &str> {
    let attribute =
        || separated_pair(run(KEYWORD), char('='), xtext(Case::Either, |octet| !octet.is_ascii_control()));
    recognize((attribute(), many0_count((char(' '), attribute())))).parse(input)
}

fn words(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split(' ').filter_map(|word| word.split_once('='))
}
