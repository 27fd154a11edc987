//! Dot-stuffing and the end of data (RFC 5321, 4.1.1.4 and 4.5.2), both ways: what ends a message, what is its content, and
//! what in it breaks the rules for text.
//!
//! [`Scanner`] reads a message, lending [`Body`] views of the input. [`Stuffer`] writes one. [`survey`] tells a client what
//! it is about to send, and [`Surveyed`] remembers it, so that it is not looked for again. None of them keeps an octet of the message.
//!
//! | CR or LF alone | `Reject` | `Normalise` | `Keep` |
//! | --- | --- | --- | --- |
//! | [`Scanner`] | tells of it; the caller refuses | lends CRLF in its place | lends it as it is |
//! | [`Stuffer`] | refuses, NUL too | sends CRLF in its place; refuses NUL | sends it as it is |
//!
//! Some servers take a line end of LF alone, or a dot and a NUL, for the end of a message. So what goes out under `Reject`
//! and `Normalise` has neither, and no server sees an end in it that was not meant. `Keep` is for peers that are known, and
//! for BINARYMIME, which goes by BDAT and has no dots to stuff.
//!
//! ```
//! use bytes::BytesMut;
//! use smtp_proto::dot::{LineEnds, Scan, Scanner, Stuffer};
//!
//! let mut wire = BytesMut::new();
//! let mut stuffer = Stuffer::new(LineEnds::Normalise);
//! stuffer.append(b"Subject: dots\n\n.first", &mut wire)?;
//! stuffer.finish(&mut wire)?;
//! assert_eq!(&wire[..], b"Subject: dots\r\n\r\n..first\r\n.\r\n");
//!
//! let mut scanner = Scanner::new(LineEnds::Reject);
//! let mut content = Vec::new();
//! let mut input = &wire[..];
//! while let Scan::Piece(piece) = scanner.scan(input) {
//!     piece.body(input).append_to(&mut content);
//!     input = &input[piece.len..];
//! }
//! assert_eq!(content, b"Subject: dots\r\n\r\n.first\r\n");
//! assert_eq!(scanner.scan(input), Scan::End { len: 3 });
//! # Ok::<(), smtp_proto::dot::Flaws>(())
//! ```

use core::fmt;
use core::ops::{BitOr, BitOrAssign};

mod edit;
mod inbound;
mod outbound;
mod part;
mod scan;
mod survey;

pub use inbound::{Body, Piece, Scan, Scanner};
pub use outbound::{Segments, Stuffer};
pub use part::{Part, Surveyed};
pub use survey::{Survey, Surveyor, survey};

/// What is done about a CR or an LF that stands alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LineEnds {
    /// The message is refused.
    Reject,
    /// It becomes a CRLF.
    Normalise,
    /// It stays.
    Keep,
}

/// What a message has that text may not have (RFC 5321, 2.3.8 and 4.5.3.1.6; RFC 6152 for octets over 127): a set.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Flaws(u8);

impl Flaws {
    /// The empty set.
    pub const NONE: Self = Self(0);
    /// A CR without its LF.
    pub const BARE_CR: Self = Self(1);
    /// An LF without its CR.
    pub const BARE_LF: Self = Self(1 << 1);
    /// An octet of value 0.
    pub const NUL: Self = Self(1 << 2);
    /// A line of more than 998 octets, its end not counted.
    pub const LONG_LINE: Self = Self(1 << 3);
    /// An octet over 127.
    pub const EIGHT_BIT: Self = Self(1 << 4);

    const NAMES: [(Self, &'static str); 5] = [
        (Self::BARE_CR, "BARE_CR"),
        (Self::BARE_LF, "BARE_LF"),
        (Self::NUL, "NUL"),
        (Self::LONG_LINE, "LONG_LINE"),
        (Self::EIGHT_BIT, "EIGHT_BIT"),
    ];

    /// Whether nothing is in the set.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether all of `other` is in this set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// What is in both sets.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// What is in either set.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOr for Flaws {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.union(other)
    }
}

impl BitOrAssign for Flaws {
    fn bitor_assign(&mut self, other: Self) {
        *self = self.union(other);
    }
}

impl fmt::Debug for Flaws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set()
            .entries(Self::NAMES.iter().filter(|(flaw, _)| self.contains(*flaw)).map(|(_, name)| name))
            .finish()
    }
}
