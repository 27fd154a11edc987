//! Classes of octets, and the one leaf that scans with them.

use nom::IResult;
use nom::error::{ErrorKind, ParseError};

/// atext (RFC 5322, 3.2.3), with UTF8-non-ascii (RFC 6531, 3.3).
pub(crate) const ATEXT: u8 = 1;
/// qtextSMTP = %d32-33 / %d35-91 / %d93-126 (RFC 5321, 4.1.2), with UTF8-non-ascii.
pub(crate) const QTEXT: u8 = 1 << 1;
/// The octets of Ldh-str (RFC 5321, 4.1.2) and of U-labels (RFC 6531, 3.3).
pub(crate) const LDH: u8 = 1 << 2;
/// Let-dig (RFC 5321, 4.1.2), with UTF8-non-ascii.
pub(crate) const LET_DIG: u8 = 1 << 3;
/// The octets of esmtp-value = 1*(%d33-60 / %d62-126) (RFC 5321, 4.1.2), with UTF8-non-ascii (RFC 6531, 3.3).
pub(crate) const VALUE: u8 = 1 << 4;
/// xchar: %d33-126 but "+" and "=" (RFC 3461, 4).
pub(crate) const XCHAR: u8 = 1 << 5;
/// dcontent = %d33-90 / %d94-126 (RFC 5321, 4.1.3).
pub(crate) const DCONTENT: u8 = 1 << 6;
/// ALPHA / DIGIT / "-": the octets of esmtp-keyword (RFC 5321, 4.1.2).
pub(crate) const KEYWORD: u8 = 1 << 7;

const CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut octet: u8 = 255;
    while octet >= b' ' {
        table[octet as usize] = classes_of(octet);
        octet -= 1;
    }
    table
}

const fn classes_of(octet: u8) -> u8 {
    match octet {
        0x80.. => ATEXT | QTEXT | LDH | LET_DIG | VALUE,
        b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => !0,
        b'-' => ATEXT | QTEXT | LDH | VALUE | XCHAR | DCONTENT | KEYWORD,
        b'+' => ATEXT | QTEXT | VALUE | DCONTENT,
        b'=' => ATEXT | QTEXT | DCONTENT,
        b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'/' | b'?' | b'^' | b'_' | b'`' | b'{' | b'|'
        | b'}' | b'~' => ATEXT | QTEXT | VALUE | XCHAR | DCONTENT,
        b' ' => QTEXT,
        b'"' => VALUE | XCHAR | DCONTENT,
        b'\\' => VALUE | XCHAR,
        b'!'..=b'~' => QTEXT | VALUE | XCHAR | if matches!(octet, b'[' | b']') { 0 } else { DCONTENT },
        _ => 0,
    }
}

/// Whether `octet` is in one of `classes`.
#[inline]
pub(crate) const fn is(octet: u8, classes: u8) -> bool {
    CLASSES[octet as usize] & classes != 0
}

/// Cuts `input` behind the octets that `wanted` takes, which may be none.
///
/// `wanted` treats all octets from 0x80 on alike, so that the cut never falls into a character.
#[inline]
pub(crate) fn split(input: &str, wanted: impl Fn(u8) -> bool) -> (&str, &str) {
    let end = input.bytes().position(|octet| !wanted(octet)).unwrap_or(input.len());
    input.split_at(end)
}

/// `1*class`
#[inline]
pub(crate) fn run<'a, E: ParseError<&'a str>>(
    class: u8,
) -> impl Fn(&'a str) -> IResult<&'a str, &'a str, E> + Copy {
    move |input| {
        let (taken, rest) = split(input, |octet| is(octet, class));
        if taken.is_empty() {
            return Err(nom::Err::Error(E::from_error_kind(input, ErrorKind::TakeWhile1)));
        }
        Ok((rest, taken))
    }
}

/// `expected`, which is ASCII, in any case of letters. nom's own folds by Unicode's tables, a character at a time.
#[inline]
pub(crate) fn no_case<'a, E: ParseError<&'a str>>(
    expected: &'static str,
) -> impl Fn(&'a str) -> IResult<&'a str, &'a str, E> + Copy {
    move |input| match input.split_at_checked(expected.len()) {
        Some((found, rest)) if found.eq_ignore_ascii_case(expected) => Ok((rest, found)),
        _ => Err(nom::Err::Error(E::from_error_kind(input, ErrorKind::Tag))),
    }
}

/// Whether `text` holds a control character: C0, DEL, or C1, which only non-ASCII text can hide.
pub(crate) fn has_control(text: &str) -> bool {
    if text.is_ascii() {
        text.bytes().any(|o| o.is_ascii_control())
    } else {
        text.chars().any(char::is_control)
    }
}
