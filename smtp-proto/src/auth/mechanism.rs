use core::fmt;

use crate::octets::key;

macro_rules! mechanisms {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// A SASL mechanism that this crate knows by name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        #[repr(u8)]
        pub enum Mechanism { $($(#[$doc])* $variant,)* }

        impl Mechanism {
            /// Every mechanism, weakest first.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name as registered.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

mechanisms! {
    /// RFC 4505.
    Anonymous = "ANONYMOUS",
    /// draft-murchison-sasl-login: two prompts, no specification.
    Login = "LOGIN",
    /// RFC 4616.
    Plain = "PLAIN",
    /// RFC 2195.
    CramMd5 = "CRAM-MD5",
    /// Google's and Microsoft's forerunner of OAUTHBEARER.
    XOauth2 = "XOAUTH2",
    /// RFC 7628.
    OauthBearer = "OAUTHBEARER",
    /// RFC 5802.
    ScramSha1 = "SCRAM-SHA-1",
    /// RFC 5802, with channel binding.
    ScramSha1Plus = "SCRAM-SHA-1-PLUS",
    /// RFC 7677.
    ScramSha256 = "SCRAM-SHA-256",
    /// RFC 7677, with channel binding.
    ScramSha256Plus = "SCRAM-SHA-256-PLUS",
    /// RFC 4422, appendix A: what the lower layer has shown already.
    External = "EXTERNAL",
}

impl Mechanism {
    /// The mechanism of this name, in any case; `None` if this crate doesn't know it.
    #[must_use]
    #[inline]
    pub fn from_name(name: impl AsRef<[u8]>) -> Option<Self> {
        let name = name.as_ref();
        macro_rules! find {
            ($($mechanism:ident)*) => {{
                let found = key(name);
                $(if found == const { key(Self::$mechanism.name().as_bytes()) } { return Some(Self::$mechanism) })*
                None
            }};
        }
        match name.len() {
            5 => find!(Plain Login),
            7 => find!(XOauth2),
            8 => find!(CramMd5 External),
            9 => find!(Anonymous),
            11 => find!(ScramSha1 OauthBearer),
            13 => find!(ScramSha256),
            16 => find!(ScramSha1Plus),
            18 if name.eq_ignore_ascii_case(b"SCRAM-SHA-256-PLUS") => Some(Self::ScramSha256Plus),
            _ => None,
        }
    }

    /// Whether the password or token itself crosses the wire, so that TLS is a must.
    #[must_use]
    pub const fn is_cleartext(self) -> bool {
        matches!(self, Self::Plain | Self::Login | Self::XOauth2 | Self::OauthBearer)
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of mechanisms.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Mechanisms(u16);

impl Mechanisms {
    /// The empty set.
    pub const NONE: Self = Self(0);

    /// This set and `mechanism`.
    #[must_use]
    pub const fn with(self, mechanism: Mechanism) -> Self {
        Self(self.0 | 1 << mechanism as u8)
    }

    /// This set without `mechanism`.
    #[must_use]
    pub const fn without(self, mechanism: Mechanism) -> Self {
        Self(self.0 & !(1 << mechanism as u8))
    }

    /// Whether `mechanism` is in the set.
    #[must_use]
    pub const fn contains(self, mechanism: Mechanism) -> bool {
        self.0 & (1 << mechanism as u8) != 0
    }

    /// Whether nothing is in the set.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The mechanisms of both sets.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The members, weakest first.
    pub fn iter(self) -> impl DoubleEndedIterator<Item = Mechanism> {
        Mechanism::ALL.iter().copied().filter(move |m| self.contains(*m))
    }
}

impl FromIterator<Mechanism> for Mechanisms {
    fn from_iter<I: IntoIterator<Item = Mechanism>>(iter: I) -> Self {
        iter.into_iter().fold(Self::NONE, Self::with)
    }
}

impl fmt::Debug for Mechanisms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_in_any_case_and_no_other() {
        for mechanism in Mechanism::ALL {
            let name = mechanism.name();
            assert_eq!(Mechanism::from_name(name), Some(*mechanism));
            assert_eq!(Mechanism::from_name(name.to_ascii_lowercase()), Some(*mechanism));
            assert_eq!(Mechanism::from_name(&name.as_bytes()[1..]), None);
        }
    }
}
