use memchr::memchr;

use crate::reply::Reply;
use crate::status::{Code, Enhanced};

/// Counts the `Received:` fields of a message, one for each server that it came through: a message that goes round in circles
/// has ever more (RFC 5321, 6.3). Takes the message as it comes, cut anywhere.
///
/// ```
/// use smtp_proto::received::Hops;
///
/// let mut hops = Hops::new();
/// hops.add(b"Received: from a.example\r\n\tby b.example; ...\r\nrecei");
/// hops.add(b"ved: from c.example by a.example; ...\r\nSubject: x\r\n\r\nReceived: said the text\r\n");
/// assert_eq!(hops.count(), 2);
/// assert!(!hops.is_loop());
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Hops {
    count: u32,
    at: At,
}

/// Where in the header the next octet stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// So many octets of a line were those of the field's name.
    Name(u8),
    /// Behind the name, ahead of the colon: white space may stand there (RFC 5322, 4.5.8).
    Colon,
    /// A CR began a line.
    Cr,
    /// Anywhere else in a line.
    Line,
    /// Behind the header.
    Body,
}

impl Default for At {
    fn default() -> Self {
        Self::Name(0)
    }
}

const NAME: &[u8] = b"received";

impl Hops {
    /// As many fields as RFC 5321, 6.3 lets a message have at the least before it is taken to go in circles. Precedents: 25,
    /// 30, 50, 100.
    pub const MAX: u32 = 100;

    /// What a message that goes in circles is answered.
    pub const LOOP: Reply<'static> = Reply::fixed(
        Code::FAILED,
        Some(Enhanced::fixed(5, 4, 6)),
        "too many hops: this message goes in circles",
    );

    /// At the start of a message.
    #[must_use]
    pub const fn new() -> Self {
        Self { count: 0, at: At::Name(0) }
    }

    /// The next octets of the message. Behind its header nothing is looked at.
    ///
    /// # Complexity
    ///
    /// Linear in the header.
    pub fn add(&mut self, mut octets: &[u8]) {
        while let [octet, rest @ ..] = octets {
            octets = rest;
            self.at = match (self.at, *octet) {
                (At::Body, _) => return,
                (At::Name(0) | At::Cr, b'\n') => At::Body,
                (_, b'\n') => At::Name(0),
                (At::Name(0), b'\r') => At::Cr,
                (At::Name(n), octet) if octet.eq_ignore_ascii_case(&NAME[usize::from(n)]) => {
                    if usize::from(n) + 1 == NAME.len() { At::Colon } else { At::Name(n + 1) }
                }
                (At::Colon, b' ' | b'\t') => At::Colon,
                (at, octet) => {
                    self.count += u32::from(at == At::Colon && octet == b':');
                    // The rest of the line is nobody's concern.
                    octets = &octets[memchr(b'\n', octets).unwrap_or(octets.len())..];
                    At::Line
                }
            };
        }
    }

    /// Fields so far.
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// Whether they are [`MAX`](Self::MAX) or more: answer [`LOOP`](Self::LOOP).
    #[must_use]
    pub const fn is_loop(&self) -> bool {
        self.count >= Self::MAX
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn fields_of_that_name_count_and_nothing_else_wherever_it_is_cut() {
        for (message, count) in [
            (&b""[..], 0),
            (b"Received: x\r\n\r\n", 1),
            (b"RECEIVED \t: x\r\nreceived:\r\n y\r\n\r\nReceived: body\r\n", 2),
            (b"Received: x\nReceived: y\n\nReceived: z\n", 2),
            (b"\r\nReceived: body\r\n", 0),
            (b"X-Received: x\r\nReceived-SPF: y\r\nReceive: z\r\n Received: w\r\nReceivedd: v\r\n", 0),
            (b"Subject: Received: x\r\n\tReceived: y\r\nReceived\r\n: z\r\n", 0),
            (b"A: b\r\nReceived", 0),
            (b"A: b\r\n\rReceived: not at a line's start\r\nReceived: x", 1),
        ] {
            for cut in 0..=message.len() {
                let mut hops = Hops::new();
                hops.add(&message[..cut]);
                hops.add(&message[cut..]);
                assert_eq!(hops.count(), count, "{} cut at {cut}", message.escape_ascii());
            }
            let mut hops = Hops::new();
            message.chunks(1).for_each(|octet| hops.add(octet));
            assert_eq!(hops.count(), count, "{} octet by octet", message.escape_ascii());
        }
    }

    #[test]
    fn a_hundred_is_a_loop() {
        let mut hops = Hops::new();
        (0..99).for_each(|_| hops.add(b"Received: x\r\n"));
        assert!(!hops.is_loop());
        hops.add(b"Received: x\r\n");
        assert!(hops.is_loop());
        assert_eq!(Hops::LOOP.to_string(), "554 5.4.6 too many hops: this message goes in circles");
    }
}
