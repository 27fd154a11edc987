//! The trace header that a server puts on top of each message that it takes (RFC 5321, 4.4).
//!
//! ```
//! use smtp_proto::address::{Domain, ForwardPath};
//! use smtp_proto::received::{Received, Timestamp, With};
//!
//! let by = Domain::parse("mx.example.net")?;
//! let client = Domain::parse("mail.example.org")?;
//! let to = [ForwardPath::parse("<ben@example.net>")?];
//! let with = With { extended: true, tls: true, ..With::default() };
//! let received = Received::new(&client, &by, with, Timestamp::from_unix(1_795_000_000, 60))
//!     .with_address("192.0.2.1".parse().ok())
//!     .with_id("4W1xQ2")
//!     .with_recipients(&to)
//!     .with_cipher("TLS_AES_128_GCM_SHA256");
//! assert_eq!(
//!     received.to_string(),
//!     "Received: from mail.example.org ([192.0.2.1])\r\n\
//!      \tby mx.example.net\r\n\
//!      \twith ESMTPS id 4W1xQ2\r\n\
//!      \tfor <ben@example.net>\r\n\
//!      \ttls TLS_AES_128_GCM_SHA256;\r\n\
//!      \tWed, 18 Nov 2026 12:06:40 +0100\r\n",
//! );
//! # Ok::<(), smtp_proto::address::Error>(())
//! ```

mod hops;

use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt;
use core::net::IpAddr;

use crate::address::{Domain, ForwardPath, ReversePath};
use crate::stage::Protocol;

pub use hops::Hops;

/// How a message came: what its `with` clause says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct With {
    /// SMTP or LMTP.
    pub protocol: Protocol,
    /// The client said EHLO or LHLO, not HELO.
    pub extended: bool,
    /// Under TLS.
    pub tls: bool,
    /// After a successful AUTH.
    pub authenticated: bool,
    /// MAIL had SMTPUTF8.
    pub utf8: bool,
}

impl With {
    /// The keyword: RFC 5321, 4.4 for `SMTP` and `ESMTP`, RFC 3848 for those with `S` and `A` and for LMTP, RFC 6531, 4.3
    /// for those of UTF-8.
    #[must_use]
    pub const fn keyword(self) -> &'static str {
        match (self.protocol, self.utf8, self.tls, self.authenticated) {
            // HELO has no extensions, and its keyword has no letters to tell of any.
            (Protocol::Smtp, ..) if !self.extended => "SMTP",
            (Protocol::Smtp, false, false, false) => "ESMTP",
            (Protocol::Smtp, false, false, true) => "ESMTPA",
            (Protocol::Smtp, false, true, false) => "ESMTPS",
            (Protocol::Smtp, false, true, true) => "ESMTPSA",
            (Protocol::Smtp, true, false, false) => "UTF8SMTP",
            (Protocol::Smtp, true, false, true) => "UTF8SMTPA",
            (Protocol::Smtp, true, true, false) => "UTF8SMTPS",
            (Protocol::Smtp, true, true, true) => "UTF8SMTPSA",
            (Protocol::Lmtp, false, false, false) => "LMTP",
            (Protocol::Lmtp, false, false, true) => "LMTPA",
            (Protocol::Lmtp, false, true, false) => "LMTPS",
            (Protocol::Lmtp, false, true, true) => "LMTPSA",
            (Protocol::Lmtp, true, false, false) => "UTF8LMTP",
            (Protocol::Lmtp, true, false, true) => "UTF8LMTPA",
            (Protocol::Lmtp, true, true, false) => "UTF8LMTPS",
            (Protocol::Lmtp, true, true, true) => "UTF8LMTPSA",
        }
    }
}

/// One `Received:` field; `Display` writes it, folded, with its CRLF.
///
/// Whatever it is built from, what is written is one well-formed field: names that the client gave and the grammar does
/// not have are mended, and clauses that cannot be written are left out.
#[derive(Clone, Debug)]
pub struct Received<'a> {
    from: Cow<'a, str>,
    address: Option<IpAddr>,
    by: &'a Domain<'a>,
    with: With,
    id: Option<&'a str>,
    recipient: Option<&'a ForwardPath<'a>>,
    cipher: Option<&'a str>,
    at: Timestamp,
}

impl<'a> Received<'a> {
    /// A field of what is always there: whom the client said it is, who took the message, how, and when.
    #[must_use]
    pub fn new(client: &'a Domain<'a>, by: &'a Domain<'a>, with: With, at: Timestamp) -> Self {
        let from = mended(client.as_str(), with.utf8);
        Self { from, address: None, by, with, id: None, recipient: None, cipher: None, at }
    }

    /// The client's address, where the transport has one: the one thing here that the client cannot choose.
    #[must_use]
    pub const fn with_address(mut self, address: Option<IpAddr>) -> Self {
        self.address = address;
        self
    }

    /// The server's own name for the message: an atom (RFC 5322, 3.2.3), else it is left out.
    #[must_use]
    pub fn with_id(mut self, id: &'a str) -> Self {
        self.id = Some(id).filter(|id| is_atom(id));
        self
    }

    /// Whom it is for. Of several none is named, so that a blind copy stays blind (RFC 5321, 7.2).
    #[must_use]
    pub const fn with_recipients(mut self, recipients: &'a [ForwardPath<'a>]) -> Self {
        self.recipient = match recipients {
            [only] => Some(only),
            _ => None,
        };
        self
    }

    /// The cipher suite's registered name, for the `tls` clause (RFC 8314, 4.3), else it is left out.
    #[must_use]
    pub fn with_cipher(mut self, name: &'a str) -> Self {
        self.cipher = Some(name).filter(|name| is_atom(name));
        self
    }
}

/// ```text
/// Time-stamp-line = "Received:" FWS Stamp <CRLF>
/// Stamp           = From-domain By-domain Opt-info [CFWS] ";" FWS date-time
/// Opt-info        = [Via] [With] [ID] [For] [Additional-Registered-Clauses]   ; RFC 5321, 4.4
/// ```
impl fmt::Display for Received<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Received: from {}", self.from)?;
        if let Some(address) = self.address {
            write!(f, " ({})", Domain::from(address.to_canonical()).as_str())?;
        }
        write!(f, "\r\n\tby {}\r\n\twith {}", self.by.as_str(), self.with.keyword())?;
        if let Some(id) = self.id {
            write!(f, " id {id}")?;
        }
        // The grammar has no path without a domain.
        if let Some(path) = self.recipient.filter(|path| path.mailbox().is_some()) {
            write!(f, "\r\n\tfor {path}")?;
        }
        if let Some(cipher) = self.cipher {
            write!(f, "\r\n\ttls {cipher}")?;
        }
        write!(f, ";\r\n\t{}\r\n", self.at)
    }
}

/// The field that the last server puts on top, ahead of `Received:`: the reverse-path of MAIL, which the message would
/// otherwise lose (RFC 5321, 4.4). `Display` writes it with its CRLF.
///
/// ```
/// use smtp_proto::{address::ReversePath, received::ReturnPath};
///
/// assert_eq!(ReturnPath(&ReversePath::Null).to_string(), "Return-Path: <>\r\n");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ReturnPath<'a>(pub &'a ReversePath<'a>);

/// `Return-path-line = "Return-Path:" FWS Reverse-path <CRLF>` (RFC 5321, 4.4)
impl fmt::Display for ReturnPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Return-Path: {}\r\n", self.0)
    }
}

/// A client's name as the grammar has it. EHLO names are taken leniently; a header is for others to parse.
fn mended(name: &str, utf8: bool) -> Cow<'_, str> {
    let valid = |name: &str| Domain::parse(name).is_ok() && (utf8 || name.is_ascii());
    // The grammar would take an IPv4 address for a name of four labels.
    if let Ok(address) = name.parse::<IpAddr>() {
        return Cow::Owned(String::from(Domain::from(address).as_str()));
    }
    if valid(name) {
        return Cow::Borrowed(name);
    }
    let mended: String = name
        .trim_end_matches('.')
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '.' || (utf8 && !c.is_ascii()) { c } else { '-' })
        .collect();
    if valid(&mended) { Cow::Owned(mended) } else { Cow::Borrowed("unknown") }
}

/// `atom = 1*atext`, comments aside (RFC 5322, 3.2.3)
fn is_atom(text: &str) -> bool {
    let atext = |c: u8| c.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&c);
    !text.is_empty() && text.bytes().all(atext)
}

/// A time, as a header writes it: `Wed, 18 Nov 2026 12:06:40 +0100` (RFC 5322, 3.3, without its obsolete forms).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timestamp {
    /// Seconds since 1970-01-01 00:00:00, by the local clock.
    local: i64,
    zone: i16,
}

impl Timestamp {
    /// The time so many seconds after 1970-01-01 00:00:00 UTC, shown in the zone that is `offset` minutes east of
    /// Greenwich. Years before 0 and after 9999 are cut to those; so are offsets of more than a day.
    #[must_use]
    pub const fn from_unix(seconds: i64, offset: i16) -> Self {
        const YEAR_0: i64 = -62_167_219_200;
        const YEAR_10000: i64 = 253_402_300_800;
        let zone = if offset < -1439 {
            -1439
        } else if offset > 1439 {
            1439
        } else {
            offset
        };
        let local = seconds.saturating_add(zone as i64 * 60);
        let local = if local < YEAR_0 {
            YEAR_0
        } else if local >= YEAR_10000 {
            YEAR_10000 - 1
        } else {
            local
        };
        Self { local, zone }
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
        const MONTHS: [&str; 12] =
            ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let (days, second) = (self.local.div_euclid(86_400), self.local.rem_euclid(86_400));
        let (year, month, day) = civil(days);
        let zone = self.zone.unsigned_abs();
        write!(
            f,
            "{}, {day} {} {year:04} {:02}:{:02}:{:02} {}{:02}{:02}",
            DAYS[days.rem_euclid(7) as usize],
            MONTHS[month],
            second / 3600,
            second / 60 % 60,
            second % 60,
            if self.zone < 0 { '-' } else { '+' },
            zone / 60,
            zone % 60,
        )
    }
}

/// Year, month from 0, and day from 1, of a day counted from 1970-01-01.
///
/// Years are counted from March, so that the leap day is a year's last, and in eras of 400 years, which all have the same
/// number of days (H. Hinnant, "chrono-compatible low-level date algorithms").
const fn civil(days: i64) -> (i64, usize, i64) {
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    // March to July and August to December are 153 days each.
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let january = month >= 10;
    let month = if january { month - 10 } else { month + 2 };
    (era * 400 + year + january as i64, month as usize, day)
}
