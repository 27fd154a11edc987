//! Service extensions (RFC 5321, 2.2): their keywords, sets of them, and the capabilities that an EHLO response lists.

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

    /// The members, in the order of [`Extension::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Extension> {
        Extension::ALL.iter().copied().filter(move |e| self.contains(*e))
    }
}
