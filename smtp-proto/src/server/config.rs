use alloc::sync::Arc;

use crate::address::Domain;
use crate::auth::Mechanisms;
use crate::dot::LineEnds;
use crate::extension::{Capabilities, Extension};
use crate::limits::{ServerLimits, ServerTimeouts};
use crate::stage::Protocol;

/// What to do with content that is legal in no message but stands in some.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Policy {
    /// Bare CR and bare LF: refused by default, since what ends a line differs from server to server and a message
    /// can be smuggled in the difference.
    pub line_ends: LineEnds,
    /// NUL: refused by default.
    pub nul: bool,
    /// Lines over 998 octets (RFC 5321, 4.5.3.1.6): taken by default.
    pub long_lines: bool,
    /// Octets over 127 without BODY=8BITMIME: taken by default.
    pub undeclared_8bit: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self { line_ends: LineEnds::Reject, nul: false, long_lines: true, undeclared_8bit: true }
    }
}

/// What a server is: made once, shared by its connections.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// The server's own name: it stands first in the greeting, in 221 and in 421.
    pub domain: Domain<'static>,
    /// SMTP or LMTP.
    pub protocol: Protocol,
    /// What EHLO lists. STARTTLS is left out under TLS, REQUIRETLS without it, AUTH where it may not be used.
    pub capabilities: Capabilities<'static>,
    /// What is done with flawed content.
    pub policy: Policy,
    /// Every cap.
    pub limits: ServerLimits,
    /// Every wait.
    pub timeouts: ServerTimeouts,
    /// 530 to everything but NOOP, EHLO, STARTTLS and QUIT until TLS is on (RFC 3207, 4).
    pub require_tls: bool,
    /// 530 to everything but AUTH, EHLO, HELO, NOOP, RSET and QUIT until logged in (RFC 4954, 4).
    pub require_auth: bool,
    /// Mechanisms that show the password are offered without TLS, too.
    pub auth_in_clear: bool,
    /// Octets ahead of the greeting end the connection.
    pub refuse_early_talkers: bool,
    /// Parameters of MAIL and RCPT that this crate doesn't know are handed over with the event, for the embedder to take
    /// or to answer 555. Otherwise the machine answers so (RFC 5321, 4.1.1.11).
    pub unknown_parameters: bool,
    /// EHLO names are held to the grammar; otherwise underscores and bare addresses pass, as real clients send them.
    pub strict_hello: bool,
}

impl Config {
    /// An SMTP server of this name with PIPELINING, 8BITMIME, SMTPUTF8, CHUNKING, BINARYMIME, DSN,
    /// ENHANCEDSTATUSCODES and a SIZE of 50 MiB (precedents: 10 MiB, 25 MiB, 50 MiB). STARTTLS and AUTH are added by
    /// [`Self::with_starttls`] and [`Self::with_auth`].
    #[must_use]
    pub fn new(domain: Domain<'static>) -> Self {
        let offered = [
            Extension::Pipelining,
            Extension::EightBitMime,
            Extension::SmtpUtf8,
            Extension::Chunking,
            Extension::BinaryMime,
            Extension::Dsn,
            Extension::EnhancedStatusCodes,
        ];
        let capabilities = offered.into_iter().fold(Capabilities::new(), Capabilities::with);
        Self {
            domain,
            protocol: Protocol::Smtp,
            capabilities: capabilities.with_size(50 * 1024 * 1024),
            policy: Policy::default(),
            limits: ServerLimits::default(),
            timeouts: ServerTimeouts::default(),
            require_tls: false,
            require_auth: false,
            auth_in_clear: false,
            refuse_early_talkers: true,
            unknown_parameters: false,
            strict_hello: false,
        }
    }

    /// The same server, speaking LMTP.
    #[must_use]
    pub const fn lmtp(mut self) -> Self {
        self.protocol = Protocol::Lmtp;
        self
    }

    /// Offers STARTTLS while TLS is off.
    #[must_use]
    pub fn with_starttls(mut self) -> Self {
        self.capabilities = self.capabilities.with(Extension::StartTls);
        self
    }

    /// Offers AUTH with these mechanisms.
    #[must_use]
    pub fn with_auth(mut self, mechanisms: Mechanisms) -> Self {
        self.capabilities = self.capabilities.with_mechanisms(mechanisms);
        self
    }

    /// Whether such a server keeps to what every server must. The drivers ask before they serve.
    ///
    /// # Errors
    ///
    /// [`Invalid`], where a limit is lower than a server's may be.
    pub const fn check(&self) -> Result<(), Invalid> {
        if self.limits.line < MIN_LINE { Err(Invalid::Line(self.limits.line)) } else { Ok(()) }
    }

    /// Ready to be shared by connections.
    #[must_use]
    pub fn shared(self) -> Arc<Self> {
        Arc::new(self)
    }
}

/// Octets of a command line that no server may call too long (RFC 5321, 4.5.3.1.4).
const MIN_LINE: usize = 512;

/// A configuration that no server may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Invalid {
    /// [`ServerLimits::line`] is less than 512 octets (RFC 5321, 4.5.3.1.4).
    #[error("a command line of 512 octets has to be taken, and the limit is {0}")]
    Line(usize),
}
