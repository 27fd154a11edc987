//! The server's side of one AUTH command.

use alloc::borrow::ToOwned as _;
use alloc::boxed::Box;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::fmt;
use core::mem;

use super::hash::Hash;
use super::scram::{self, Answer, Identity};
use super::{
    ANONYMOUS_TRACE_MAX, ChannelBinding, Error, MESSAGE_LIMIT, Mechanism, Mechanisms, cram, oauth, plain,
};

/// One AUTH command, seen from the server: responses in, [`Next`] out, raw octets both, base64 being the caller's.
///
/// Each [`Next`] says which one method carries on; between two calls any time may pass, so a handler may ask a database.
/// A method called when it wasn't due refuses the exchange with [`Error::OutOfStep`].
///
/// ```
/// use smtp_proto::auth::Mechanism;
/// use smtp_proto::auth::server::{Claim, Exchange, Next, Offer};
///
/// let mut exchange = Exchange::new(Mechanism::Plain, &Offer::default())?;
/// // C: AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm
/// let mut next = exchange.start(Some(b"\0tim\0tanstaaftanstaaf"));
/// let user = loop {
///     next = match next {
///         Next::Challenge(challenge) => exchange.respond(b"what the client answers to the 334"),
///         Next::Verify(Claim::Password { user, password, .. }) => match password == "tanstaaftanstaaf" {
///             true => exchange.accept(user),
///             false => exchange.deny(),
///         },
///         Next::Accept { user, authzid } => break user, // reply 235, if `user` may act as `authzid`
///         Next::Refuse(error) => panic!("{}", error.reply()), // reply these
///         _ => exchange.deny(), // what this server does not serve
///     };
/// };
/// assert_eq!(user, "tim");
/// # Ok::<(), smtp_proto::auth::Error>(())
/// ```
pub struct Exchange {
    mechanism: Mechanism,
    state: State,
}

/// What a server offered, and what it brings to an exchange.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Offer<'a> {
    /// The mechanisms in its reply to EHLO. SCRAM looks here whether a -PLUS was among them.
    pub mechanisms: Mechanisms,
    /// The binding to the TLS channel; the -PLUS mechanisms need it.
    pub binding: ChannelBinding<'a>,
    /// [`NONCE_LEN`](super::NONCE_LEN) fresh octets from a cryptographic source of randomness, for SCRAM and CRAM-MD5.
    pub nonce: &'a [u8],
    /// The server's own name, for CRAM-MD5's challenge.
    pub domain: &'a str,
}

impl<'a> Offer<'a> {
    /// An offer of these, with this nonce, bound to no channel.
    #[must_use]
    pub const fn new(mechanisms: Mechanisms, nonce: &'a [u8]) -> Self {
        Self { mechanisms, binding: ChannelBinding::None, nonce, domain: "" }
    }

    /// Bound to this channel.
    #[must_use]
    pub const fn with_binding(self, binding: ChannelBinding<'a>) -> Self {
        Self { binding, ..self }
    }

    /// By a server of this name.
    #[must_use]
    pub const fn with_domain(self, domain: &'a str) -> Self {
        Self { domain, ..self }
    }
}

/// What comes next in an exchange.
#[derive(Debug)]
#[must_use = "it says what carries the exchange on"]
#[non_exhaustive]
pub enum Next {
    /// Send this in a 334 (empty: `334 ` and nothing), then give the response to [`Exchange::respond`].
    Challenge(Vec<u8>),
    /// Check this, then [`Exchange::accept`] or [`Exchange::deny`].
    Verify(Claim),
    /// Find this user's secret, then [`Exchange::with_secret`], or [`Exchange::deny`] if there is none.
    Lookup {
        /// The user's name, prepared by SASLprep where the mechanism says so.
        user: String,
    },
    /// The client is who it says. If `user` may act as `authzid`, reply 235, otherwise 535.
    ///
    /// There is never any data to send along: SMTP has no place for it in a 235, so SCRAM's last word was a challenge.
    Accept {
        /// Who was proven.
        user: String,
        /// Whom it asks to act as, if it asks.
        authzid: Option<String>,
    },
    /// The end; reply with [`Error::reply`].
    Refuse(Error),
}

/// What a client claims, for the caller to check. `Debug` shows no password and no token.
///
/// Names and passwords are as they were sent. SASLprep is due before comparing (RFC 4616, 2).
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Claim {
    /// PLAIN, LOGIN. Compare in constant time, better: compare slow hashes.
    Password {
        /// Whom to act as, if that isn't the user.
        authzid: Option<String>,
        /// The user's name.
        user: String,
        /// The password.
        password: String,
    },
    /// OAUTHBEARER, XOAUTH2. Accept the user that the token belongs to.
    Token {
        /// Whom the client says the token is for.
        user: Option<String>,
        /// The bearer token.
        token: String,
        /// The server's name as the client knows it; must be right if it is there (RFC 7628, 3.2).
        host: Option<String>,
        /// The server's port as the client knows it.
        port: Option<u16>,
    },
    /// EXTERNAL. Accept the user of the TLS client certificate.
    External {
        /// Whom to act as, if that isn't the user of the certificate.
        authzid: Option<String>,
    },
    /// ANONYMOUS.
    Anonymous {
        /// What the client wants in the log.
        trace: String,
    },
}

/// What a server keeps of a user's password. `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Secret {
    /// The password itself: CRAM-MD5 needs it, SCRAM can do without.
    Password(String),
    /// What SCRAM keeps instead (RFC 5802, 3), for one hash function.
    Scram {
        /// The salt, as raw octets.
        salt: Vec<u8>,
        /// The iteration count; clients refuse one under 4096.
        iterations: u32,
        /// `H(HMAC(SaltedPassword, "Client Key"))`.
        stored_key: Vec<u8>,
        /// `HMAC(SaltedPassword, "Server Key")`.
        server_key: Vec<u8>,
    },
}

enum State {
    /// Nothing was heard yet.
    Start,
    LoginUser,
    LoginPassword {
        user: String,
    },
    Claimed {
        authzid: Option<String>,
        token: bool,
    },
    Cram {
        challenge: Vec<u8>,
    },
    CramLookup {
        challenge: Vec<u8>,
        user: String,
        digest: Vec<u8>,
    },
    Scram(Box<scram::Server>),
    /// The client was told why its token is no good; it answers something, and is refused.
    TokenDenied,
    Done,
}

impl Exchange {
    /// Gets ready for `AUTH mechanism`. Whether it was offered, and whether it is fit without TLS, is the caller's check.
    ///
    /// # Errors
    /// [`Error::Unsupported`] and [`Error::NoBinding`], which are 504; [`Error::NonceTooShort`] if the caller erred.
    pub fn new(mechanism: Mechanism, offer: &Offer<'_>) -> Result<Self, Error> {
        if !mechanism.is_supported() {
            return Err(Error::Unsupported(mechanism));
        }
        if mechanism.binds() && !offer.binding.is_available() {
            return Err(Error::NoBinding);
        }
        let state = match mechanism {
            Mechanism::CramMd5 => State::Cram { challenge: cram::challenge(offer.nonce, offer.domain)? },
            scram if scram.is_scram() => State::Scram(Box::new(scram::Server::new(scram, offer)?)),
            _ => State::Start,
        };
        Ok(Self { mechanism, state })
    }

    /// The mechanism.
    #[must_use]
    pub const fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// Begins, with the decoded initial response if there was one.
    pub fn start(&mut self, initial: Option<&[u8]>) -> Next {
        if !matches!(self.state, State::Start | State::Cram { .. } | State::Scram(_)) {
            return self.refuse(Error::OutOfStep);
        }
        match (self.mechanism, initial) {
            (Mechanism::CramMd5, Some(_)) => self.refuse(Error::InitialNotAllowed),
            (Mechanism::CramMd5, None) => match &self.state {
                State::Cram { challenge } => Next::Challenge(challenge.clone()),
                _ => self.refuse(Error::OutOfStep),
            },
            (Mechanism::Login, None) => {
                self.state = State::LoginUser;
                Next::Challenge(b"Username:".to_vec())
            }
            (Mechanism::Login, Some(user)) => {
                // Outside what RFC 4954, 4 allows, but Outlook and its kin do it.
                self.state = State::LoginUser;
                self.respond(user)
            }
            (_, None) => Next::Challenge(Vec::new()),
            (_, Some(initial)) => self.respond(initial),
        }
    }

    /// Takes the decoded response to a challenge.
    pub fn respond(&mut self, response: &[u8]) -> Next {
        if response.len() > MESSAGE_LIMIT {
            return self.refuse(Error::TooLong);
        }
        self.heard(response).unwrap_or_else(|error| self.refuse(error))
    }

    /// Says that the claim is true, and whom it proves.
    pub fn accept(&mut self, user: impl Into<String>) -> Next {
        match mem::replace(&mut self.state, State::Done) {
            State::Claimed { authzid, .. } => Next::Accept { user: user.into(), authzid },
            _ => Next::Refuse(Error::OutOfStep),
        }
    }

    /// Says that the claim is false, or that there is no such user.
    pub fn deny(&mut self) -> Next {
        self.deny_token(oauth::INVALID_TOKEN)
    }

    /// As [`deny`](Self::deny), with the JSON that tells an OAuth client why (RFC 7628, 3.2.2).
    pub fn deny_token(&mut self, json: &str) -> Next {
        match mem::replace(&mut self.state, State::Done) {
            State::Claimed { token: true, .. } => {
                self.state = State::TokenDenied;
                Next::Challenge(json.as_bytes().to_owned())
            }
            State::Claimed { .. } | State::CramLookup { .. } | State::Scram(_) => Next::Refuse(Error::Denied),
            _ => Next::Refuse(Error::OutOfStep),
        }
    }

    /// Gives the secret of the user that was asked for.
    pub fn with_secret(&mut self, secret: &Secret) -> Next {
        self.proved(secret).unwrap_or_else(|error| self.refuse(error))
    }

    fn heard(&mut self, response: &[u8]) -> Result<Next, Error> {
        match mem::replace(&mut self.state, State::Done) {
            State::Start => self.first(response),
            State::LoginUser => {
                let user = name(response)?;
                if user.is_empty() {
                    return Err(Error::Malformed("an empty user's name"));
                }
                self.state = State::LoginPassword { user };
                Ok(Next::Challenge(b"Password:".to_vec()))
            }
            State::LoginPassword { user } => {
                let password = name(response)?;
                // There are directories that take an empty password for anybody.
                if password.is_empty() {
                    return Err(Error::Malformed("an empty password"));
                }
                Ok(self.verify(Claim::Password { authzid: None, user, password }, None))
            }
            State::Cram { challenge } => {
                let (user, digest) = cram::parse(response)?;
                self.state = State::CramLookup { challenge, user: user.to_string(), digest };
                Ok(Next::Lookup { user: user.to_string() })
            }
            State::Scram(mut scram) => {
                let next = match scram.respond(response)? {
                    Answer::Lookup(user) => Next::Lookup { user },
                    Answer::Challenge(challenge) => Next::Challenge(challenge),
                    Answer::Accept(Identity { user, authzid }) => return Ok(Next::Accept { user, authzid }),
                };
                self.state = State::Scram(scram);
                Ok(next)
            }
            State::TokenDenied => Err(Error::Denied),
            State::Claimed { .. } | State::CramLookup { .. } | State::Done => Err(Error::OutOfStep),
        }
    }

    fn proved(&mut self, secret: &Secret) -> Result<Next, Error> {
        match mem::replace(&mut self.state, State::Done) {
            State::CramLookup { challenge, user, digest } => {
                let password = match secret {
                    Secret::Password(password) if !password.is_empty() => password,
                    _ => return Err(Error::WrongSecret),
                };
                match cram::fits(Hash::of(self.mechanism)?, &digest, password, &challenge) {
                    true => Ok(Next::Accept { user, authzid: None }),
                    false => Err(Error::Denied),
                }
            }
            State::Scram(mut scram) => {
                let challenge = scram.with_secret(secret)?;
                self.state = State::Scram(scram);
                Ok(Next::Challenge(challenge))
            }
            _ => Err(Error::OutOfStep),
        }
    }

    /// The first message of the mechanisms in which the client speaks first.
    fn first(&mut self, message: &[u8]) -> Result<Next, Error> {
        match self.mechanism {
            Mechanism::Plain => {
                let (authzid, user, password) = plain::parse(message)?;
                let authzid = some(authzid);
                let claim = Claim::Password {
                    authzid: authzid.clone(),
                    user: user.to_string(),
                    password: password.to_string(),
                };
                Ok(self.verify(claim, authzid))
            }
            Mechanism::OauthBearer => Ok(self.token(oauth::parse_bearer(message)?)),
            Mechanism::XOauth2 => Ok(self.token(oauth::parse_xoauth2(message)?)),
            Mechanism::External => {
                let authzid = some(&name(message)?);
                Ok(self.verify(Claim::External { authzid: authzid.clone() }, authzid))
            }
            Mechanism::Anonymous => {
                let trace = name(message)?;
                if trace.chars().count() > ANONYMOUS_TRACE_MAX {
                    return Err(Error::Malformed("ANONYMOUS: a trace too long"));
                }
                Ok(self.verify(Claim::Anonymous { trace }, None))
            }
            _ => Err(Error::Unsupported(self.mechanism)),
        }
    }

    fn token(&mut self, message: oauth::Message<'_>) -> Next {
        let claim = Claim::Token {
            user: message.user,
            token: message.token.to_string(),
            host: message.host.map(str::to_string),
            port: message.port,
        };
        let next = self.verify(claim, None);
        // No token at all is how a client asks which one is wanted (RFC 7628, 4.3).
        if message.token.is_empty() { self.deny() } else { next }
    }

    fn verify(&mut self, claim: Claim, authzid: Option<String>) -> Next {
        self.state = State::Claimed { authzid, token: matches!(claim, Claim::Token { .. }) };
        Next::Verify(claim)
    }

    fn refuse(&mut self, error: Error) -> Next {
        self.state = State::Done;
        Next::Refuse(error)
    }
}

/// UTF-8 without NUL, which is all that LOGIN, EXTERNAL and ANONYMOUS ask of a message.
fn name(message: &[u8]) -> Result<String, Error> {
    match core::str::from_utf8(message) {
        Ok(text) if !text.contains('\0') => Ok(text.to_string()),
        _ => Err(Error::Malformed("not UTF-8 without NUL")),
    }
}

fn some(name: &str) -> Option<String> {
    (!name.is_empty()).then(|| name.to_string())
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange").field("mechanism", &self.mechanism).finish_non_exhaustive()
    }
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Password { authzid, user, .. } => f
                .debug_struct("Password")
                .field("authzid", authzid)
                .field("user", user)
                .finish_non_exhaustive(),
            Self::Token { user, .. } => f.debug_struct("Token").field("user", user).finish_non_exhaustive(),
            Self::External { authzid } => f.debug_struct("External").field("authzid", authzid).finish(),
            Self::Anonymous { trace } => f.debug_struct("Anonymous").field("trace", trace).finish(),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Password(_) => "Password(..)",
            Self::Scram { .. } => "Scram { .. }",
        })
    }
}
