use super::credentials::Proof;
use super::{Credentials, Mechanism, Mechanisms};

/// What the connection keeps from others, which decides [which mechanisms](Mechanisms::strongest) may be used on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Channel {
    /// Nothing: none that sends the password or token itself.
    Clear,
    /// All, as under TLS. Also what a connection in the clear is if the user has said so in so many words.
    Secure,
    /// All, and its channel binding is known: any -PLUS goes before any without. Then a SCRAM without it means that none
    /// was offered, which is what its message will say.
    Bound,
}

impl Mechanisms {
    /// The strongest of these that can carry `credentials` over the `channel`, if there is one.
    ///
    /// ```
    /// use smtp_proto::auth::{Channel, Credentials, Mechanism, Mechanisms};
    ///
    /// let offered = Mechanisms::NONE.with(Mechanism::Plain).with(Mechanism::Login);
    /// let credentials = Credentials::password("tim", "tanstaaftanstaaf");
    /// assert_eq!(offered.strongest(&credentials, Channel::Secure), Some(Mechanism::Plain));
    /// assert_eq!(offered.strongest(&credentials, Channel::Clear), None);
    /// ```
    #[must_use]
    pub fn strongest(self, credentials: &Credentials, channel: Channel) -> Option<Mechanism> {
        let fits = |mechanism: Mechanism| {
            self.contains(mechanism)
                && mechanism.is_supported()
                && mechanism.carries(credentials)
                && (channel != Channel::Clear || !mechanism.is_cleartext())
                && (channel == Channel::Bound || !mechanism.binds())
        };
        let strongest_first = || Mechanism::ALL.iter().rev().copied().filter(|m| fits(*m));
        strongest_first().find(|m| m.binds()).or_else(|| strongest_first().next())
    }
}

impl Mechanism {
    /// Whether this build has it: SCRAM and CRAM-MD5 need the feature `scram`.
    #[must_use]
    pub const fn is_supported(self) -> bool {
        cfg!(feature = "scram") || !(self.is_scram() || matches!(self, Self::CramMd5))
    }

    /// Whether the client speaks first, so that its first message may stand in the AUTH command.
    #[must_use]
    pub const fn is_client_first(self) -> bool {
        !matches!(self, Self::Login | Self::CramMd5)
    }

    /// Whether it is one of the -PLUS mechanisms, which bind to the TLS channel.
    #[must_use]
    pub const fn binds(self) -> bool {
        matches!(self, Self::ScramSha1Plus | Self::ScramSha256Plus)
    }

    /// Whether it is SCRAM, with or without -PLUS.
    #[must_use]
    pub const fn is_scram(self) -> bool {
        matches!(self, Self::ScramSha1 | Self::ScramSha1Plus | Self::ScramSha256 | Self::ScramSha256Plus)
    }

    /// Whether it can carry an authorization identity apart from the user's name.
    #[must_use]
    pub const fn carries_authzid(self) -> bool {
        matches!(self, Self::Plain | Self::OauthBearer | Self::External) || self.is_scram()
    }

    fn carries(self, credentials: &Credentials) -> bool {
        self.takes(&credentials.proof) && (credentials.authzid.is_none() || self.carries_authzid())
    }

    pub(super) const fn takes(self, proof: &Proof) -> bool {
        match proof {
            Proof::Password { .. } => {
                matches!(self, Self::Plain | Self::Login | Self::CramMd5) || self.is_scram()
            }
            Proof::Token { .. } => matches!(self, Self::XOauth2 | Self::OauthBearer),
            Proof::External => matches!(self, Self::External),
            Proof::Anonymous { .. } => matches!(self, Self::Anonymous),
        }
    }
}
