//! Reply codes (RFC 5321, 4.2) and enhanced status codes (RFC 3463, RFC 5248).

mod enhanced;
mod meaning;
mod registry;

pub use enhanced::{Enhanced, NotAStatus};

use core::fmt;

/// The three digits that begin each line of a reply.
///
/// The first is 2 to 5. RFC 5321 gives the second a meaning from 0 to 5 only, but any digit is taken.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(u16);

/// What the first digit of a code says (RFC 5321, 4.2.1): all that a client must understand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// 2yz: done.
    Completed,
    /// 3yz: accepted so far, more is wanted.
    Intermediate,
    /// 4yz: not done; the same may be tried again later.
    Transient,
    /// 5yz: not done; the same is not to be tried again.
    Permanent,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal,)*) => {
        impl Code {
            $($(#[$doc])* pub const $name: Self = Self($code);)*
        }
    };
}

codes! {
    /// System status.
    SYSTEM_STATUS = 211,
    /// Help.
    HELP = 214,
    /// The greeting; go ahead with TLS.
    READY = 220,
    /// The answer to QUIT.
    CLOSING = 221,
    /// Authentication succeeded (RFC 4954).
    AUTHENTICATED = 235,
    /// Done.
    OK = 250,
    /// Not here, but it is forwarded.
    WILL_FORWARD = 251,
    /// Not verified, but delivery is tried.
    CANNOT_VERIFY = 252,
    /// A challenge in base64 (RFC 4954).
    CHALLENGE = 334,
    /// One reply per recipient follows (PRDR).
    PRDR_READY = 353,
    /// The answer to DATA.
    START_MAIL = 354,
    /// The server closes the connection, whatever this answers.
    NOT_AVAILABLE = 421,
    /// A new password has to be set first (RFC 4954).
    TRANSITION_NEEDED = 432,
    /// The mailbox can't be reached now.
    MAILBOX_BUSY = 450,
    /// An error of the server's own.
    LOCAL_ERROR = 451,
    /// Short of storage; too many recipients.
    NO_STORAGE = 452,
    /// Authentication failed for now (RFC 4954).
    AUTH_TEMPORARY = 454,
    /// A parameter can't be honoured now.
    PARAMS_TEMPORARY = 455,
    /// Messages can't be queued for this node (RFC 1985).
    CANNOT_QUEUE = 458,
    /// This node may not be asked for (RFC 1985).
    NODE_REFUSED = 459,
    /// The command is not recognised.
    UNRECOGNISED = 500,
    /// A syntax error in the arguments.
    BAD_ARGUMENTS = 501,
    /// The command is known and not implemented.
    NOT_IMPLEMENTED = 502,
    /// The command is out of order.
    BAD_SEQUENCE = 503,
    /// A parameter or mechanism is not implemented.
    PARAMETER_NOT_IMPLEMENTED = 504,
    /// The host takes no mail (RFC 7504).
    NO_MAIL_HOST = 521,
    /// Authentication, or TLS, has to come first (RFC 4954, RFC 3207).
    AUTH_REQUIRED = 530,
    /// The mechanism is too weak for this user (RFC 4954).
    MECHANISM_TOO_WEAK = 534,
    /// The credentials are not valid (RFC 4954).
    AUTH_FAILED = 535,
    /// The mechanism needs TLS. Understood, and never sent: RFC 4954 dropped it.
    ENCRYPTION_REQUIRED = 538,
    /// No such mailbox, or no access to it.
    MAILBOX_UNAVAILABLE = 550,
    /// Not here; try the path given.
    NOT_LOCAL = 551,
    /// Too much storage asked for.
    TOO_BIG = 552,
    /// The mailbox name is not allowed.
    BAD_MAILBOX_NAME = 553,
    /// The transaction failed.
    FAILED = 554,
    /// A parameter is not recognised.
    BAD_PARAMETER = 555,
    /// The domain takes no mail (RFC 7504).
    DOMAIN_NO_MAIL = 556,
}

impl Code {
    /// A code of 200 to 599.
    #[must_use]
    pub const fn new(code: u16) -> Option<Self> {
        if code >= 200 && code <= 599 { Some(Self(code)) } else { None }
    }

    /// The code as a number.
    #[must_use]
    pub const fn as_u16(self) -> u16 {
        self.0
    }

    /// What the first digit says.
    #[must_use]
    pub const fn class(self) -> Class {
        match self.0 / 100 {
            2 => Class::Completed,
            3 => Class::Intermediate,
            4 => Class::Transient,
            _ => Class::Permanent,
        }
    }

    /// Reply-code = %x32-35 %x30-39 %x30-39 (RFC 5321, 4.2; its second digit ends at 5).
    pub(crate) const fn from_digits(digits: [u8; 3]) -> Option<Self> {
        let [a, b, c] = digits;
        if a < b'2' || a > b'5' || !b.is_ascii_digit() || !c.is_ascii_digit() {
            return None;
        }
        Some(Self((a - b'0') as u16 * 100 + (b - b'0') as u16 * 10 + (c - b'0') as u16))
    }

    /// The code as it stands on the wire.
    pub(crate) const fn digits(self) -> [u8; 3] {
        [b'0' + (self.0 / 100) as u8, b'0' + (self.0 / 10 % 10) as u8, b'0' + (self.0 % 10) as u8]
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Code({})", self.0)
    }
}

impl From<Code> for u16 {
    fn from(code: Code) -> Self {
        code.0
    }
}

impl TryFrom<u16> for Code {
    type Error = NotAStatus;

    fn try_from(code: u16) -> Result<Self, NotAStatus> {
        Self::new(code).ok_or(NotAStatus)
    }
}

impl Class {
    /// The first digit.
    #[must_use]
    pub const fn digit(self) -> u8 {
        match self {
            Self::Completed => 2,
            Self::Intermediate => 3,
            Self::Transient => 4,
            Self::Permanent => 5,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_and_its_digits_are_one() {
        for n in 0..=1000 {
            let digits = [n / 100, n / 10 % 10, n % 10].map(|d| b'0' + d as u8);
            assert_eq!(Code::from_digits(digits), Code::new(n), "{n}");
            if let Some(code) = Code::new(n) {
                assert_eq!(code.digits(), digits);
                assert_eq!(u16::from(code.class().digit()), n / 100);
            }
        }
        assert_eq!(Code::from_digits(*b"2 0"), None);
        assert_eq!(Code::from_digits(*b"20\r"), None);
    }
}
