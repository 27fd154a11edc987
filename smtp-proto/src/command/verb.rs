macro_rules! verbs {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// The first word of a command, of those that this crate recognises.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Verb { $($(#[$doc])* $variant,)* }

        impl Verb {
            /// Every verb.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The verb as it is sent.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

verbs! {
    /// RFC 5321, 4.1.1.1.
    Ehlo = "EHLO",
    /// RFC 5321, 4.1.1.1.
    Helo = "HELO",
    /// RFC 2033, 4.1.
    Lhlo = "LHLO",
    /// RFC 5321, 4.1.1.2.
    Mail = "MAIL",
    /// RFC 5321, 4.1.1.3.
    Rcpt = "RCPT",
    /// RFC 5321, 4.1.1.4.
    Data = "DATA",
    /// RFC 3030, 2.
    Bdat = "BDAT",
    /// RFC 5321, 4.1.1.5.
    Rset = "RSET",
    /// RFC 5321, 4.1.1.9.
    Noop = "NOOP",
    /// RFC 5321, 4.1.1.10.
    Quit = "QUIT",
    /// RFC 5321, 4.1.1.6.
    Vrfy = "VRFY",
    /// RFC 5321, 4.1.1.7.
    Expn = "EXPN",
    /// RFC 5321, 4.1.1.8.
    Help = "HELP",
    /// RFC 3207, 4.
    StartTls = "STARTTLS",
    /// RFC 4954, 4.
    Auth = "AUTH",
    /// RFC 1985, 5.
    Etrn = "ETRN",
    /// Postfix's XCLIENT_README.
    Xclient = "XCLIENT",
    /// Postfix's XFORWARD_README.
    Xforward = "XFORWARD",
    /// RFC 4468, 3.
    Burl = "BURL",
    /// RFC 2645, 5.
    Atrn = "ATRN",
    /// RFC 5321, appendix F.1.
    Turn = "TURN",
    /// RFC 5321, appendix F.6.
    Send = "SEND",
    /// RFC 5321, appendix F.6.
    Soml = "SOML",
    /// RFC 5321, appendix F.6.
    Saml = "SAML",
    /// Sendmail's.
    Verb = "VERB",
}

impl Verb {
    /// The verb of this name, in any case of letters.
    #[must_use]
    pub fn from_name(name: impl AsRef<[u8]>) -> Option<Self> {
        let name = name.as_ref();
        Self::ALL.iter().copied().find(|verb| verb.name().as_bytes().eq_ignore_ascii_case(name))
    }
}
