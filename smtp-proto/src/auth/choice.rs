use super::credentials::Proof;
use super::{Credentials, Mechanism, Mechanisms};

/// The strongest of the `offered` mechanisms that can carry `credentials`, if there is one.
///
/// `secure` says that TLS is on, `binding` that its channel binding is known. Without TLS a mechanism that sends the
/// password or token itself is chosen only if `allow_cleartext` says so in so many words. With `binding`, any -PLUS goes
/// before any without: then a SCRAM without it means that none was offered, which is what its message will say.
///
/// ```
/// use smtp_proto::auth::{Credentials, Mechanism, Mechanisms, strongest};
///
/// let offered = Mechanisms::NONE.with(Mechanism::Plain).with(Mechanism::Login);
/// let credentials = Credentials::password("tim", "tanstaaftanstaaf");
/// assert_eq!(strongest(offered, &credentials, true, false, false), Some(Mechanism::Plain));
/// assert_eq!(strongest(offered, &credentials, false, false, false), None);
/// ```
#[must_use]
pub fn strongest(
    offered: Mechanisms,
    credentials: &Credentials,
    secure: bool,
    allow_cleartext: bool,
    binding: bool,
) -> Option<Mechanism> {
    let fits = |mechanism: Mechanism| {
        offered.contains(mechanism)
            && mechanism.is_supported()
            && mechanism.carries(credentials)
            && (secure || allow_cleartext || !mechanism.is_cleartext())
            && (binding || !mechanism.binds())
    };
    let strongest_first = || Mechanism::ALL.iter().rev().copied().filter(|m| fits(*m));
    strongest_first().find(|m| m.binds()).or_else(|| strongest_first().next())
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
