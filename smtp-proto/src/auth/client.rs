//! The client's side of one AUTH command.

use alloc::borrow::ToOwned as _;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::{fmt, mem};

use super::credentials::Proof;
use super::hash::Hash;
use super::{
    ANONYMOUS_TRACE_MAX, ChannelBinding, Credentials, Error, MESSAGE_LIMIT, Mechanism, cram, oauth, plain,
    scram,
};

/// One AUTH command, seen from the client: challenges in, responses out, raw octets both, base64 being the caller's.
///
/// - Before AUTH: [`initial`](Self::initial) may go with the command, if the command's line stays within 512 octets.
/// - At each 334: [`respond`](Self::respond) gives the response, also where the initial one was left out; its error is
///   answered with `*`.
/// - At 235: [`succeeded`](Self::succeeded) says whether to believe it.
///
/// ```
/// use smtp_proto::auth::{ChannelBinding, Credentials, Mechanism, client::Exchange};
///
/// let credentials = Credentials::password("tim", "tanstaaftanstaaf");
/// let mut exchange = Exchange::new(Mechanism::Plain, &credentials, ChannelBinding::None, &[])?;
/// assert_eq!(exchange.initial().unwrap(), b"\0tim\0tanstaaftanstaaf");
/// // S: 235 2.7.0 welcome
/// exchange.succeeded()?;
/// # Ok::<(), smtp_proto::auth::Error>(())
/// ```
pub struct Exchange {
    mechanism: Mechanism,
    kind: Kind,
    /// An empty challenge was answered with the initial response. It is so answered once, even where the initial
    /// response went with the command: there are servers that do not read it there.
    restarted: bool,
}

enum Kind {
    /// PLAIN, EXTERNAL, ANONYMOUS.
    Single {
        message: Vec<u8>,
    },
    Login {
        user: String,
        password: String,
        asked: u8,
    },
    Token {
        message: Vec<u8>,
        refusal: Option<String>,
    },
    Cram {
        hash: Hash,
        user: String,
        password: String,
        answered: bool,
    },
    Scram(Box<scram::Client>),
}

impl Exchange {
    /// Gets ready for `AUTH mechanism`.
    ///
    /// `nonce` is [`NONCE_LEN`](super::NONCE_LEN) fresh octets from a cryptographic source of randomness; only SCRAM
    /// reads them. `binding` is for SCRAM too: with it, a mechanism without -PLUS tells the server that no -PLUS was
    /// seen on offer. So give [`ChannelBinding::None`] where one was, and was not chosen.
    ///
    /// # Errors
    /// The caller's: [`Error::Unsupported`], [`Error::WrongCredentials`], [`Error::NoAuthzid`], [`Error::Unsendable`],
    /// [`Error::Prohibited`], [`Error::NonceTooShort`], [`Error::NoBinding`].
    pub fn new(
        mechanism: Mechanism,
        credentials: &Credentials,
        binding: ChannelBinding<'_>,
        nonce: &[u8],
    ) -> Result<Self, Error> {
        if !mechanism.is_supported() {
            return Err(Error::Unsupported(mechanism));
        }
        if credentials.authzid.is_some() && !mechanism.carries_authzid() {
            return Err(Error::NoAuthzid(mechanism));
        }
        let authzid = credentials.authzid().unwrap_or_default();
        let kind = match (mechanism, &credentials.proof) {
            (Mechanism::Plain, Proof::Password { user, password }) => {
                Kind::Single { message: plain::message(authzid, user, password)? }
            }
            (Mechanism::Login, Proof::Password { user, password }) => {
                plain::message(authzid, user, password)?;
                Kind::Login { user: user.clone(), password: password.clone(), asked: 0 }
            }
            (Mechanism::OauthBearer, Proof::Token { user, token }) => {
                let host = credentials.host.as_ref().map(|(host, port)| (host.as_str(), *port));
                let message = oauth::bearer(credentials.authzid().unwrap_or(user), token, host)?;
                Kind::Token { message, refusal: None }
            }
            (Mechanism::XOauth2, Proof::Token { user, token }) => {
                Kind::Token { message: oauth::xoauth2(user, token)?, refusal: None }
            }
            (Mechanism::External, Proof::External) => single(authzid, "the authorization identity")?,
            (Mechanism::Anonymous, Proof::Anonymous { trace })
                if trace.chars().count() > ANONYMOUS_TRACE_MAX =>
            {
                return Err(Error::Unsendable("the trace"));
            }
            (Mechanism::Anonymous, Proof::Anonymous { trace }) => single(trace, "the trace")?,
            (Mechanism::CramMd5, Proof::Password { user, password }) => {
                plain::message(authzid, user, password)?;
                let (user, password) = (user.clone(), password.clone());
                Kind::Cram { hash: Hash::of(mechanism)?, user, password, answered: false }
            }
            (scram, Proof::Password { user, password }) if scram.is_scram() => {
                let client = scram::Client::new(scram, credentials, (user, password), binding, nonce)?;
                Kind::Scram(Box::new(client))
            }
            _ => return Err(Error::WrongCredentials(mechanism)),
        };
        Ok(Self { mechanism, kind, restarted: false })
    }

    /// The mechanism to name in the AUTH command.
    #[must_use]
    pub const fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// The initial response, which may be empty (`=` on the wire); `None` where the server speaks first.
    ///
    /// Where it doesn't fit in the command, leave it out: the server then sends an empty challenge for it.
    #[must_use]
    pub fn initial(&self) -> Option<Vec<u8>> {
        self.first()
    }

    /// The response to a challenge; it may be empty, which is an empty line on the wire.
    ///
    /// SCRAM computes here what the server asks for, up to [`ITERATIONS_MAX`](super::ITERATIONS_MAX) times two hashes:
    /// typically milliseconds, at the most about a second.
    ///
    /// # Errors
    /// The exchange must not go on: send `*`. [`Error::Malformed`], [`Error::OutOfStep`], [`Error::TooLong`], and of
    /// SCRAM [`Error::Nonce`], [`Error::TooFewIterations`], [`Error::TooManyIterations`], [`Error::ServerNotVerified`],
    /// [`Error::Server`].
    pub fn respond(&mut self, challenge: &[u8]) -> Result<Vec<u8>, Error> {
        if challenge.len() > MESSAGE_LIMIT {
            return Err(Error::TooLong);
        }
        if challenge.is_empty()
            && !self.restarted
            && let Some(message) = self.first()
        {
            self.restarted = true;
            return Ok(message);
        }
        match &mut self.kind {
            Kind::Single { .. } => Err(Error::OutOfStep),
            // What the prompts say is nobody's standard; their order is.
            Kind::Login { user, password, asked } => {
                *asked = asked.saturating_add(1);
                match asked {
                    1 => Ok(user.as_bytes().to_owned()),
                    2 => Ok(password.as_bytes().to_owned()),
                    _ => Err(Error::OutOfStep),
                }
            }
            Kind::Token { refusal, .. } => {
                if refusal.is_some() || challenge.is_empty() {
                    return Err(Error::OutOfStep);
                }
                *refusal = Some(printable(challenge));
                Ok(if self.mechanism == Mechanism::OauthBearer { b"\x01".to_vec() } else { Vec::new() })
            }
            Kind::Cram { hash, user, password, answered } => {
                if mem::replace(answered, true) {
                    return Err(Error::OutOfStep);
                }
                // An empty challenge would have the answer be the same each time.
                if challenge.is_empty() {
                    return Err(Error::Malformed("CRAM-MD5: an empty challenge"));
                }
                Ok(cram::response(*hash, user, password, challenge))
            }
            Kind::Scram(client) => client.respond(challenge),
        }
    }

    /// Asked at 235: whether the success that the server claims is one.
    ///
    /// # Errors
    /// [`Error::ServerNotVerified`] if it should have proved that it knows the password, and did not;
    /// [`Error::Token`] if it had refused the token before.
    pub fn succeeded(&self) -> Result<(), Error> {
        match &self.kind {
            Kind::Scram(client) if !client.is_verified() => Err(Error::ServerNotVerified),
            _ => self.refusal().map_or(Ok(()), Err),
        }
    }

    /// Asked at a refusal: what the server said in the exchange itself, being more exact than its reply:
    /// [`Error::Token`] with an OAuth server's JSON.
    #[must_use]
    pub fn refusal(&self) -> Option<Error> {
        match &self.kind {
            Kind::Token { refusal, .. } => refusal.clone().map(Error::Token),
            _ => None,
        }
    }

    /// The initial response, while the server has said nothing of weight.
    fn first(&self) -> Option<Vec<u8>> {
        match &self.kind {
            Kind::Single { message } | Kind::Token { message, refusal: None } => Some(message.clone()),
            Kind::Scram(client) => client.first(),
            Kind::Token { .. } | Kind::Login { .. } | Kind::Cram { .. } => None,
        }
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange").field("mechanism", &self.mechanism).finish_non_exhaustive()
    }
}

fn single(message: &str, what: &'static str) -> Result<Kind, Error> {
    if message.contains('\0') {
        return Err(Error::Unsendable(what));
    }
    Ok(Kind::Single { message: message.as_bytes().to_owned() })
}

/// A peer's words as they may go to a log.
fn printable(text: &[u8]) -> String {
    String::from_utf8_lossy(text).chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
