use core::fmt;

use super::{Orcpt, Xtext};
use crate::extension::Extension;

/// One parameter of MAIL or RCPT.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Param<'a> {
    /// MAIL: octets of the message (RFC 1870).
    Size(u64),
    /// MAIL: what the message's body is made of (RFC 6152, RFC 3030).
    Body(BodyType),
    /// MAIL: the message or its envelope is internationalised (RFC 6531).
    SmtpUtf8,
    /// MAIL: how much of the message a failure report returns (RFC 3461, 4.3).
    Ret(Ret),
    /// MAIL: the envelope's identifier for reports, at most 100 octets encoded (RFC 3461, 4.4).
    Envid(Xtext<'a>),
    /// MAIL: who submitted the message: encodes a mailbox, or `<>` (RFC 4954, 5).
    Auth(Xtext<'a>),
    /// MAIL: when the message must be delivered (RFC 2852).
    By(DeliverBy),
    /// MAIL: seconds to hold the message (RFC 4865).
    HoldFor(u32),
    /// MAIL: the date and time, by RFC 3339, until which to hold the message (RFC 4865).
    HoldUntil(&'a str),
    /// MAIL: priority from -9 to 9 (RFC 6710).
    MtPriority(i8),
    /// MAIL: every hop must use TLS (RFC 8689).
    RequireTls,
    /// MAIL: what the message solicits, as `org.example:ADV,net.example:ADLT` (RFC 3865).
    Solicit(&'a str),
    /// MAIL: the message may be tracked (RFC 3885).
    Mtrk {
        /// Base64 of the hash of the tracker's secret, without the `=` that fill it up (RFC 3885, 1).
        certifier: &'a str,
        /// Seconds to keep the tracking information.
        timeout: Option<u32>,
    },
    /// MAIL: per-recipient answers after the end of data, as Exim speaks it.
    Prdr,
    /// RCPT: which reports are wanted (RFC 3461, 4.1).
    Notify(Notify),
    /// RCPT: the recipient as the sender gave it (RFC 3461, 4.2).
    Orcpt(Orcpt<'a>),
    /// RCPT: since when the mailbox must have been the same person's (RFC 7293).
    Rrvs {
        /// Date and time by RFC 3339.
        since: &'a str,
        /// What a server does that cannot tell.
        action: Option<RrvsAction>,
    },
    /// A keyword that this crate does not know, or not for this command.
    Other {
        /// The keyword as it stood.
        keyword: &'a str,
        /// The value behind the "=".
        value: Option<&'a str>,
    },
}

impl Param<'_> {
    /// The keyword, upper-case where it is known.
    #[must_use]
    pub const fn keyword(&self) -> &str {
        match self {
            Self::Size(_) => "SIZE",
            Self::Body(_) => "BODY",
            Self::SmtpUtf8 => "SMTPUTF8",
            Self::Ret(_) => "RET",
            Self::Envid(_) => "ENVID",
            Self::Auth(_) => "AUTH",
            Self::By(_) => "BY",
            Self::HoldFor(_) => "HOLDFOR",
            Self::HoldUntil(_) => "HOLDUNTIL",
            Self::MtPriority(_) => "MT-PRIORITY",
            Self::RequireTls => "REQUIRETLS",
            Self::Solicit(_) => "SOLICIT",
            Self::Mtrk { .. } => "MTRK",
            Self::Prdr => "PRDR",
            Self::Notify(_) => "NOTIFY",
            Self::Orcpt(_) => "ORCPT",
            Self::Rrvs { .. } => "RRVS",
            Self::Other { keyword, .. } => keyword,
        }
    }

    /// The extension that a server must have offered for this parameter; `None` for one that is not known.
    #[must_use]
    #[inline]
    pub const fn extension(&self) -> Option<Extension> {
        Some(match self {
            Self::Size(_) => Extension::Size,
            Self::Body(BodyType::BinaryMime) => Extension::BinaryMime,
            Self::Body(_) => Extension::EightBitMime,
            Self::SmtpUtf8 => Extension::SmtpUtf8,
            Self::Ret(_) | Self::Envid(_) | Self::Notify(_) | Self::Orcpt(_) => Extension::Dsn,
            Self::Auth(_) => Extension::Auth,
            Self::By(_) => Extension::DeliverBy,
            Self::HoldFor(_) | Self::HoldUntil(_) => Extension::FutureRelease,
            Self::MtPriority(_) => Extension::MtPriority,
            Self::RequireTls => Extension::RequireTls,
            Self::Solicit(_) => Extension::NoSoliciting,
            Self::Mtrk { .. } => Extension::Mtrk,
            Self::Prdr => Extension::Prdr,
            Self::Rrvs { .. } => Extension::Rrvs,
            Self::Other { .. } => return None,
        })
    }
}

impl fmt::Display for Param<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.keyword())?;
        match self {
            Self::Size(size) => write!(f, "={size}"),
            Self::Body(body) => write!(f, "={}", body.keyword()),
            Self::Ret(ret) => write!(f, "={}", ret.keyword()),
            Self::Envid(xtext) | Self::Auth(xtext) => write!(f, "={xtext}"),
            Self::By(by) => write!(f, "={by}"),
            Self::HoldFor(seconds) => write!(f, "={seconds}"),
            Self::HoldUntil(text) | Self::Solicit(text) => write!(f, "={text}"),
            Self::MtPriority(priority) => write!(f, "={priority}"),
            Self::Mtrk { certifier, timeout: None } => write!(f, "={certifier}"),
            Self::Mtrk { certifier, timeout: Some(timeout) } => write!(f, "={certifier}:{timeout}"),
            Self::Notify(notify) => write!(f, "={notify}"),
            Self::Orcpt(orcpt) => write!(f, "={orcpt}"),
            Self::Rrvs { since, action: None } => write!(f, "={since}"),
            Self::Rrvs { since, action: Some(action) } => write!(f, "={since};{}", action.keyword()),
            Self::SmtpUtf8 | Self::RequireTls | Self::Prdr | Self::Other { value: None, .. } => Ok(()),
            Self::Other { value: Some(value), .. } => write!(f, "={value}"),
        }
    }
}

/// What a message's body is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum BodyType {
    /// Lines of ASCII (RFC 5321, 4.5.2). What holds when BODY is not given.
    #[default]
    SevenBit,
    /// Lines of octets (RFC 6152).
    EightBitMime,
    /// Octets, without lines (RFC 3030).
    BinaryMime,
}

impl BodyType {
    /// As it stands behind `BODY=`.
    #[must_use]
    pub const fn keyword(self) -> &'static str {
        match self {
            Self::SevenBit => "7BIT",
            Self::EightBitMime => "8BITMIME",
            Self::BinaryMime => "BINARYMIME",
        }
    }
}

/// How much of a message its failure report returns (RFC 3461, 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ret {
    /// The whole message.
    Full,
    /// Its header.
    Hdrs,
}

impl Ret {
    /// As it stands behind `RET=`.
    #[must_use]
    pub const fn keyword(self) -> &'static str {
        match self {
            Self::Full => "FULL",
            Self::Hdrs => "HDRS",
        }
    }
}

/// Which reports on a recipient are wanted (RFC 3461, 4.1): none, or at least one of three.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Notify(u8);

impl Notify {
    /// No report at all.
    pub const NEVER: Self = Self(0);
    /// A report when the message was delivered.
    pub const SUCCESS: Self = Self(1);
    /// A report when it cannot be delivered.
    pub const FAILURE: Self = Self(1 << 1);
    /// A report when it is late.
    pub const DELAY: Self = Self(1 << 2);

    /// These reports and those. `|` is the same.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of these are wanted; for [`Notify::NEVER`], whether none is.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        if other.0 == 0 { self.0 == 0 } else { self.0 & other.0 == other.0 }
    }
}

impl core::ops::BitOr for Notify {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.union(other)
    }
}

impl fmt::Display for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::NEVER {
            return f.write_str("NEVER");
        }
        let mut between = "";
        for (one, name) in [(Self::SUCCESS, "SUCCESS"), (Self::FAILURE, "FAILURE"), (Self::DELAY, "DELAY")] {
            if self.contains(one) {
                write!(f, "{between}{name}")?;
                between = ",";
            }
        }
        Ok(())
    }
}

/// When a message must be delivered (RFC 2852, 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DeliverBy {
    /// Seconds from now, nine digits at most; negative once the time is past, which only [`DeliverByMode::Notify`] allows.
    pub seconds: i32,
    /// What happens to a message that is late.
    pub mode: DeliverByMode,
    /// Whether relays report too.
    pub trace: bool,
}

/// What happens to a message that is late (RFC 2852, 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeliverByMode {
    /// It is returned.
    Return,
    /// The sender is told.
    Notify,
}

impl fmt::Display for DeliverBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = match self.mode {
            DeliverByMode::Return => 'R',
            DeliverByMode::Notify => 'N',
        };
        write!(f, "{};{mode}{}", self.seconds, if self.trace { "T" } else { "" })
    }
}

/// What a server does that cannot tell whose a mailbox was (RFC 7293, 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RrvsAction {
    /// It delivers all the same.
    Continue,
    /// It rejects.
    Reject,
}

impl RrvsAction {
    /// As it stands behind the ";".
    #[must_use]
    pub const fn keyword(self) -> &'static str {
        match self {
            Self::Continue => "C",
            Self::Reject => "R",
        }
    }
}
