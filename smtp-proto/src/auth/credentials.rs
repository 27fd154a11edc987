use alloc::string::String;
use core::fmt;

/// Who a client says it is, and what proves it. `Debug` shows names, never a password or a token.
///
/// ```
/// use smtp_proto::auth::Credentials;
///
/// let credentials = Credentials::password("tim", "tanstaaftanstaaf").acting_for("ann");
/// assert!(!format!("{credentials:?}").contains("tanstaaf"));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    pub(super) proof: Proof,
    pub(super) authzid: Option<String>,
    pub(super) host: Option<(String, u16)>,
}

#[derive(Clone, PartialEq, Eq)]
pub(super) enum Proof {
    Password { user: String, password: String },
    Token { user: String, token: String },
    External,
    Anonymous { trace: String },
}

impl Credentials {
    /// A user's name (the authentication identity) and password.
    #[must_use]
    pub fn password(user: impl Into<String>, password: impl Into<String>) -> Self {
        Self::of(Proof::Password { user: user.into(), password: password.into() })
    }

    /// A user's name and an OAuth 2.0 bearer token.
    #[must_use]
    pub fn token(user: impl Into<String>, token: impl Into<String>) -> Self {
        Self::of(Proof::Token { user: user.into(), token: token.into() })
    }

    /// What the TLS client certificate shows already. An empty `authzid` leaves the identity to be derived from it.
    #[must_use]
    pub fn external(authzid: impl Into<String>) -> Self {
        Self::of(Proof::External).acting_for(authzid)
    }

    /// Nobody in particular; `trace` is for the server's log, often a mail address, and may be empty (RFC 4505).
    #[must_use]
    pub fn anonymous(trace: impl Into<String>) -> Self {
        Self::of(Proof::Anonymous { trace: trace.into() })
    }

    /// Asks to act as `authzid` (the authorization identity) with the rights of the user that is proven; an empty one
    /// asks for nothing.
    #[must_use]
    pub fn acting_for(mut self, authzid: impl Into<String>) -> Self {
        self.authzid = Some(authzid.into()).filter(|authzid| !authzid.is_empty());
        self
    }

    /// Names the server in an OAUTHBEARER exchange (RFC 7628, 3.1: `host` and `port`). Other mechanisms ignore it.
    #[must_use]
    pub fn at_host(mut self, host: impl Into<String>, port: u16) -> Self {
        self.host = Some((host.into(), port));
        self
    }

    /// The user's name, if there is one.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        match &self.proof {
            Proof::Password { user, .. } | Proof::Token { user, .. } => Some(user),
            Proof::External | Proof::Anonymous { .. } => None,
        }
    }

    /// The authorization identity, where one was asked for.
    #[must_use]
    pub fn authzid(&self) -> Option<&str> {
        self.authzid.as_deref()
    }

    const fn of(proof: Proof) -> Self {
        Self { proof, authzid: None, host: None }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.proof {
            Proof::Password { .. } => "password",
            Proof::Token { .. } => "token",
            Proof::External => "external",
            Proof::Anonymous { .. } => "anonymous",
        };
        f.debug_struct("Credentials")
            .field("kind", &kind)
            .field("user", &self.user())
            .field("authzid", &self.authzid)
            .finish_non_exhaustive()
    }
}
