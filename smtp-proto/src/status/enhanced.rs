use core::{fmt, num::NonZeroU32, str::FromStr};

use nom::IResult;

use super::{Class, Code, registry};

/// An enhanced status code, as `5.7.1` (RFC 3463): class, subject and detail.
///
/// The class is 2, 4 or 5, so that no such code fits a 3yz reply.
// Class, subject and detail in 4, 10 and 10 bits: never zero, so that an Option of it is as small.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Enhanced(NonZeroU32);

impl Enhanced {
    /// The code of these parts: `class` 2, 4 or 5, the others at most 999.
    #[must_use]
    pub const fn new(class: u8, subject: u16, detail: u16) -> Option<Self> {
        if !matches!(class, 2 | 4 | 5) || subject > 999 || detail > 999 {
            return None;
        }
        match NonZeroU32::new((class as u32) << 20 | (subject as u32) << 10 | detail as u32) {
            Some(packed) => Some(Self(packed)),
            None => None,
        }
    }

    /// The code of these parts, for constants.
    ///
    /// # Panics
    ///
    /// When [`Enhanced::new`] gives `None`: a compile error where it stands in a constant.
    #[must_use]
    pub const fn fixed(class: u8, subject: u16, detail: u16) -> Self {
        match Self::new(class, subject, detail) {
            Some(status) => status,
            None => panic!("an enhanced status code is 2, 4 or 5, then two numbers of at most 999"),
        }
    }

    /// Its class as a reply's.
    #[must_use]
    pub const fn class(self) -> Class {
        match self.0.get() >> 20 {
            2 => Class::Completed,
            4 => Class::Transient,
            _ => Class::Permanent,
        }
    }

    /// The second number: what it is about.
    #[must_use]
    pub const fn subject(self) -> u16 {
        (self.0.get() >> 10 & 0x3FF) as u16
    }

    /// The third number.
    #[must_use]
    pub const fn detail(self) -> u16 {
        (self.0.get() & 0x3FF) as u16
    }

    /// What the registry of RFC 5248 calls it; `None` for one that isn't registered.
    #[must_use]
    pub const fn text(self) -> Option<&'static str> {
        registry::text(self.subject(), self.detail())
    }

    /// What its subject is (RFC 3463, 3); `None` for one that isn't registered.
    #[must_use]
    pub const fn about(self) -> Option<&'static str> {
        registry::subject(self.subject())
    }

    /// Whether it may stand in a reply with this code: the class is the first digit (RFC 2034, 4).
    #[must_use]
    pub const fn fits(self, code: Code) -> bool {
        self.class().digit() == code.class().digit()
    }

    /// The code at the start of a line's text, and the text behind it.
    ///
    /// It ends with the line or with one space (RFC 2034, 4).
    pub(crate) fn prefix(text: &[u8]) -> Option<(Self, &[u8])> {
        // What is not a digit and a dot, as nearly all text, is told apart at once.
        if text.get(1) != Some(&b'.') {
            return None;
        }
        let (rest, status) = status_code(text).ok()?;
        match rest {
            [] => Some((status, rest)),
            [b' ', rest @ ..] => Some((status, rest)),
            _ => None,
        }
    }

    /// The same in a line of which the end is still there.
    #[inline]
    pub(crate) fn on_wire(line: &[u8]) -> Option<Self> {
        if line.get(1) != Some(&b'.') {
            return None;
        }
        match status_code(line).ok()? {
            ([] | [b' ' | b'\n', ..] | [b'\r', b'\n', ..], status) => Some(status),
            _ => None,
        }
    }

    /// Writes it and a space to the front of `room`; how many octets that was.
    pub(crate) fn write(self, room: &mut [u8; Self::MAX]) -> usize {
        room[0] = b'0' + self.class().digit();
        room[1] = b'.';
        let mut at = 2;
        for (number, end) in [(self.subject(), b'.'), (self.detail(), b' ')] {
            let digits = [number / 100, number / 10 % 10, number % 10];
            let skipped = usize::from(number < 100) + usize::from(number < 10);
            for digit in &digits[skipped..] {
                room[at] = b'0' + *digit as u8;
                at += 1;
            }
            room[at] = end;
            at += 1;
        }
        at
    }

    /// The most octets that [`Enhanced::write`] needs: `5.999.999` and a space.
    pub(crate) const MAX: usize = 10;
}

/// status-code = class "." subject "." detail ; class = "2"/"4"/"5" (RFC 3463, 2)
#[inline]
fn status_code(input: &[u8]) -> IResult<&[u8], Enhanced, ()> {
    let (class, rest) = match input {
        [class @ (b'2' | b'4' | b'5'), b'.', rest @ ..] => (*class - b'0', rest),
        _ => return Err(nom::Err::Error(())),
    };
    let (rest, subject) = numeric_sub_code(rest)?;
    let [b'.', rest @ ..] = rest else { return Err(nom::Err::Error(())) };
    let (rest, detail) = numeric_sub_code(rest)?;
    let status = Enhanced::new(class, subject, detail).ok_or(nom::Err::Error(()))?;
    Ok((rest, status))
}

/// subject = 1*3digit ; detail = 1*3digit, without leading zeros (RFC 3463, 2)
#[inline]
fn numeric_sub_code(input: &[u8]) -> IResult<&[u8], u16, ()> {
    let digit = |at: usize| input.get(at).map(|octet| octet.wrapping_sub(b'0')).filter(|digit| *digit <= 9);
    let first = digit(0).ok_or(nom::Err::Error(()))?;
    let mut number = u16::from(first);
    let mut len = 1;
    while let Some(next) = digit(len).filter(|_| len < 3) {
        number = number * 10 + u16::from(next);
        len += 1;
    }
    if first == 0 && len > 1 {
        return Err(nom::Err::Error(()));
    }
    Ok((&input[len..], number))
}

impl fmt::Display for Enhanced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class().digit(), self.subject(), self.detail())
    }
}

impl fmt::Debug for Enhanced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Enhanced({self})")
    }
}

/// Not a reply code, or not an enhanced status code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a status code")]
#[non_exhaustive]
pub struct NotAStatus;

impl FromStr for Enhanced {
    type Err = NotAStatus;

    fn from_str(text: &str) -> Result<Self, NotAStatus> {
        match status_code(text.as_bytes()) {
            Ok(([], status)) => Ok(status),
            _ => Err(NotAStatus),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn what_is_written_is_read() {
        for (class, subject, detail) in [(2, 0, 0), (4, 7, 10), (5, 10, 999), (5, 999, 100), (2, 1, 5)] {
            let status = Enhanced::fixed(class, subject, detail);
            assert_eq!((status.class().digit(), status.subject(), status.detail()), (class, subject, detail));
            assert_eq!(status.to_string().parse(), Ok(status));
            let mut room = [0; Enhanced::MAX];
            let n = status.write(&mut room);
            assert_eq!(&room[..n], (status.to_string() + " ").as_bytes());
            assert_eq!(Enhanced::prefix(&room[..n]), Some((status, &b""[..])));
        }
    }

    #[test]
    fn what_only_looks_like_one_stays_text() {
        for text in
            ["3.0.0 x", "5.7.1x", "5.7.1: x", "5.07.1 x", "5.7.1000 x", "5.7. x", "5.7", "5..1 x", " 5.7.1 x"]
        {
            assert_eq!(Enhanced::prefix(text.as_bytes()), None, "{text}");
        }
        assert_eq!(Enhanced::prefix(b"5.7.1  x"), Some((Enhanced::fixed(5, 7, 1), &b" x"[..])));
        assert_eq!(Enhanced::new(3, 0, 0), None);
        assert_eq!(Enhanced::new(5, 1000, 0), None);
    }

    #[test]
    fn every_registered_code_has_a_registered_subject() {
        for (subject, detail) in (0..=999).flat_map(|subject| (0..=99).map(move |detail| (subject, detail))) {
            let status = Enhanced::fixed(5, subject, detail);
            assert!(status.text().is_none() || status.about().is_some(), "{status}");
        }
        assert_eq!(Enhanced::fixed(4, 7, 999).about(), Some("security or policy"));
        assert_eq!(Enhanced::fixed(4, 8, 0).about(), None);
    }

    #[test]
    fn an_option_of_it_is_as_small() {
        assert_eq!(size_of::<Option<Enhanced>>(), 4);
    }
}
