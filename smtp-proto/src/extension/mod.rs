//! Service extensions (RFC 5321, 2.2): their keywords, sets of them, and the capabilities that an EHLO response lists.

mod capabilities;
mod domains;
mod keyword;
mod limits;
mod lines;

pub use capabilities::Capabilities;
pub(crate) use domains::Domains;
pub use keyword::Invalid;
pub use limits::{FutureRelease, SessionLimits};

use core::fmt;

macro_rules! extensions {
    ($($(#[$doc:meta])* $variant:ident = $keyword:literal,)*) => {
        /// A service extension that this crate knows by its EHLO keyword.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        #[repr(u8)]
        pub enum Extension { $($(#[$doc])* $variant,)* }

        impl Extension {
            /// Every extension, in the order in which a server lists them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The EHLO keyword as registered.
            #[must_use]
            pub const fn keyword(self) -> &'static str {
                match self { $(Self::$variant => $keyword,)* }
            }
        }
    };
}

extensions! {
    /// RFC 2920.
    Pipelining = "PIPELINING",
    /// RFC 1870.
    Size = "SIZE",
    /// RFC 6152.
    EightBitMime = "8BITMIME",
    /// RFC 3030.
    BinaryMime = "BINARYMIME",
    /// RFC 3030.
    Chunking = "CHUNKING",
    /// RFC 6531.
    SmtpUtf8 = "SMTPUTF8",
    /// RFC 3461.
    Dsn = "DSN",
    /// RFC 2034.
    EnhancedStatusCodes = "ENHANCEDSTATUSCODES",
    /// RFC 3207.
    StartTls = "STARTTLS",
    /// RFC 4954.
    Auth = "AUTH",
    /// RFC 2852.
    DeliverBy = "DELIVERBY",
    /// RFC 4865.
    FutureRelease = "FUTURERELEASE",
    /// RFC 6710.
    MtPriority = "MT-PRIORITY",
    /// RFC 8689.
    RequireTls = "REQUIRETLS",
    /// RFC 7293.
    Rrvs = "RRVS",
    /// RFC 9422.
    Limits = "LIMITS",
    /// RFC 3865.
    NoSoliciting = "NO-SOLICITING",
    /// RFC 3885.
    Mtrk = "MTRK",
    /// RFC 1985.
    Etrn = "ETRN",
    /// RFC 5321, 4.1.1.8.
    Help = "HELP",
    /// RFC 5321, 4.1.1.6.
    Vrfy = "VRFY",
    /// RFC 5321, 4.1.1.7.
    Expn = "EXPN",
    /// Postfix's XCLIENT_README.
    Xclient = "XCLIENT",
    /// Postfix's XFORWARD_README.
    Xforward = "XFORWARD",
    /// Per-recipient answers after the end of data, as Exim speaks it.
    Prdr = "PRDR",
    /// EHLO ahead of the greeting, as Exim speaks it.
    PipeConnect = "PIPECONNECT",
}

/// A set of extensions.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Extensions(u32);

impl Extensions {
    /// The empty set.
    pub const NONE: Self = Self(0);

    /// This set and `extension`.
    #[must_use]
    pub const fn with(self, extension: Extension) -> Self {
        Self(self.0 | 1 << extension as u8)
    }

    /// This set without `extension`.
    #[must_use]
    pub const fn without(self, extension: Extension) -> Self {
        Self(self.0 & !(1 << extension as u8))
    }

    /// Whether `extension` is in the set.
    #[must_use]
    pub const fn contains(self, extension: Extension) -> bool {
        self.0 & (1 << extension as u8) != 0
    }

    /// Whether every member of `other` is in this set.
    #[must_use]
    pub const fn contains_all(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether nothing is in the set.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many there are.
    #[must_use]
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// The members of both sets.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The members of either set.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The members of this set that are not in `other`.
    #[must_use]
    pub const fn difference(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The members, in the order of [`Extension::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Extension> {
        let mut left = self.0;
        core::iter::from_fn(move || {
            let extension = Extension::ALL.get(left.trailing_zeros() as usize)?;
            left &= left - 1;
            Some(*extension)
        })
    }
}

impl FromIterator<Extension> for Extensions {
    fn from_iter<I: IntoIterator<Item = Extension>>(iter: I) -> Self {
        iter.into_iter().fold(Self::NONE, Self::with)
    }
}

impl fmt::Debug for Extensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl fmt::Display for Extension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.keyword())
    }
}
