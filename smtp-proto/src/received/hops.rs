use crate::reply::Reply;
use crate::status::{Code, Enhanced};

/// How often a message was relayed already: counts the `Received:` fields of its header, given in pieces cut anywhere
/// (RFC 5321, 6.3).
///
/// ```
/// use smtp_proto::received::Hops;
///
/// let mut hops = Hops::default();
/// hops.add(b"Received: from a\r\n by b\r\nRecei");
/// hops.add(b"ved: from b\r\nSubject: x\r\n\r\nReceived: no\r\n");
/// assert_eq!(hops.count(), 2);
/// assert!(!hops.is_loop());
/// ```
///
/// # Complexity
///
/// Linear in the header; the body is not looked at.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hops {
    count: u32,
    at: At,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// So many octets of the line are those of the field's name.
    Name(usize),
    /// In a line that counts, or doesn't.
    Line,
    Body,
}

impl Default for At {
    fn default() -> Self {
        Self::Name(0)
    }
}

const NAME: &[u8] = b"received";

impl Hops {
    /// RFC 5321, 6.3 wants at least 100 of them before it is called a loop.
    pub const MAX: u32 = 100;

    /// What a message is answered that has come round too often.
    pub const REPLY: Reply<'static> =
        Reply::fixed(Code::FAILED, Some(Enhanced::fixed(5, 4, 6)), "routing loop detected");

    /// Takes the next piece of the message, as content: without dot-stuffing.
    pub fn add(&mut self, mut piece: &[u8]) {
        while let Some((octet, rest)) = piece.split_first() {
            match self.at {
                At::Body => return,
                At::Line => {
                    let Some(end) = memchr::memchr(b'\n', piece) else { return };
                    piece = &piece[end + 1..];
                    self.at = At::Name(0);
                    continue;
                }
                // The empty line, with its CR and without.
                At::Name(0) if *octet == b'\n' => self.at = At::Body,
                At::Name(0) if *octet == b'\r' => {}
                At::Name(n) if NAME.get(n).is_some_and(|name| octet.eq_ignore_ascii_case(name)) => {
                    self.at = At::Name(n + 1);
                }
                // `obs-optional` has white space before the colon (RFC 5322, 4.5.8).
                At::Name(n) if n == NAME.len() && matches!(octet, b' ' | b'\t') => {}
                At::Name(n) => {
                    self.count = self.count.saturating_add(u32::from(n == NAME.len() && *octet == b':'));
                    self.at = At::Line;
                    // The end of a line may be just this octet.
                    continue;
                }
            }
            piece = rest;
        }
    }

    /// `Received:` fields so far.
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// Whether it has come round too often to be delivered: answer [`Self::REPLY`].
    #[must_use]
    pub const fn is_loop(&self) -> bool {
        self.count >= Self::MAX
    }
}
