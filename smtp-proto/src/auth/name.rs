use alloc::borrow::Cow;
use core::fmt;
use core::hash::{Hash, Hasher};

use nom::bytes::complete::take_while_m_n;
use nom::combinator::map_res;
use nom::{IResult, Parser as _};

use super::{Error, Mechanism};

/// The name of a SASL mechanism, known here or not. Kept as written; compared without regard to case.
#[derive(Clone)]
pub struct MechanismName<'a>(Cow<'a, str>);

impl<'a> MechanismName<'a> {
    /// Takes a whole name.
    ///
    /// # Errors
    /// [`Error::Malformed`] if it isn't 1 to 20 letters, digits, hyphens and underscores.
    pub fn parse(input: &'a [u8]) -> Result<Self, Error> {
        match mechanism_name(input) {
            Ok((b"", name)) => Ok(name),
            _ => Err(Error::Malformed("the mechanism's name")),
        }
    }

    /// The name as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The mechanism of this name, if this crate knows it.
    #[must_use]
    pub fn known(&self) -> Option<Mechanism> {
        Mechanism::from_name(self.as_str())
    }

    /// The same name without the borrow.
    #[must_use]
    pub fn into_owned(self) -> MechanismName<'static> {
        MechanismName(Cow::Owned(self.0.into_owned()))
    }

    /// The same name, borrowed.
    #[must_use]
    pub fn as_borrowed(&self) -> MechanismName<'_> {
        MechanismName(Cow::Borrowed(&self.0))
    }
}

/// ```text
/// sasl-mech = 1*20mech-char                       ; RFC 4422, 3.1
/// mech-char = UPPER-ALPHA / DIGIT / HYPHEN / UNDERSCORE
/// ```
/// In SMTP these are case-insensitive (RFC 4954, 8).
pub(crate) fn mechanism_name(input: &[u8]) -> IResult<&[u8], MechanismName<'_>> {
    let name = take_while_m_n(1, 20, |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_'));
    map_res(name, |name| core::str::from_utf8(name).map(|name| MechanismName(Cow::Borrowed(name))))
        .parse(input)
}

impl From<Mechanism> for MechanismName<'static> {
    fn from(mechanism: Mechanism) -> Self {
        Self(Cow::Borrowed(mechanism.name()))
    }
}

impl PartialEq for MechanismName<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for MechanismName<'_> {}

impl Hash for MechanismName<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.bytes().for_each(|c| state.write_u8(c.to_ascii_uppercase()));
        state.write_u8(0xff);
    }
}

impl fmt::Debug for MechanismName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for MechanismName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert_eq!(
            MechanismName::parse(b"scram-sha-256-plus").unwrap().known(),
            Some(Mechanism::ScramSha256Plus)
        );
        assert_eq!(MechanismName::parse(b"X_OWN-1").unwrap().known(), None);
        for bad in [&b""[..], b"PLAIN ", b"PL AIN", b"PLAIN=", b"ABCDEFGHIJKLMNOPQRSTU", b"\xc3\xa4"] {
            assert!(MechanismName::parse(bad).is_err(), "{bad:?}");
        }
    }
}
