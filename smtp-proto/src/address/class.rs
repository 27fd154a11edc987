//! Classes of octets, and the one leaf that scans with them.

use nom::IResult;
use nom::error::{ErrorKind, ParseError};

use crate::octets;

/// atext (RFC 5322, 3.2.3), with UTF8-non-ascii (RFC 6531, 3.3).
pub(crate) const ATEXT: u8 = 1;
/// qtextSMTP = %d32-33 / %d35-91 / %d93-126 (RFC 5321, 4.1.2), with UTF8-non-ascii.
pub(crate) const QTEXT: u8 = 1 << 1;
/// The octets of Ldh-str (RFC 5321, 4.1.2) and of U-labels (RFC 6531, 3.3).
pub(crate) const LDH: u8 = 1 << 2;
/// The octets of esmtp-value = 1*(%d33-60 / %d62-126) (RFC 5321, 4.1.2), with UTF8-non-ascii (RFC 6531, 3.3).
pub(crate) const VALUE: u8 = 1 << 3;
/// xchar: %d33-126 but "+" and "=" (RFC 3461, 4).
pub(crate) const XCHAR: u8 = 1 << 4;
/// dcontent = %d33-90 / %d94-126 (RFC 5321, 4.1.3).
pub(crate) const DCONTENT: u8 = 1 << 5;
/// ALPHA / DIGIT / "-": the octets of esmtp-keyword (RFC 5321, 4.1.2).
pub(crate) const KEYWORD: u8 = 1 << 6;

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
        0x80.. => ATEXT | QTEXT | LDH | VALUE,
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

/// How many octets from `at` on are in one of `classes`.
///
/// Each class has all octets from 0x80 on or none, so that the end never falls into a character.
#[inline(always)]
pub(crate) fn span(octets: &[u8], at: usize, classes: u8) -> usize {
    octets::position(octets, at, |at| !is(octets[at], classes)) - at
}

/// Cuts `input` behind the octets that `wanted` takes, which may be none.
///
/// `wanted` treats all octets from 0x80 on alike, so that the cut never falls into a character.
#[inline(always)]
pub(crate) fn split(input: &str, wanted: impl Fn(u8) -> bool) -> (&str, &str) {
    let octets = input.as_bytes();
    let mut end = 0;
    while end < octets.len() && wanted(octets[end]) {
        end += 1;
    }
    input.split_at(end)
}

/// `text` without what stands around it of `these` octets, all of them ASCII.
#[inline]
pub(crate) fn trim<const N: usize>(text: &str, these: [u8; N]) -> &str {
    let octets = text.as_bytes();
    let (mut from, mut to) = (0, octets.len());
    while from < to && these.contains(&octets[from]) {
        from += 1;
    }
    while from < to && these.contains(&octets[to - 1]) {
        to -= 1;
    }
    text.get(from..to).unwrap_or_default()
}

/// `1*class`
#[inline]
pub(crate) fn run<'a, E: ParseError<&'a str>>(
    class: u8,
) -> impl Fn(&'a str) -> IResult<&'a str, &'a str, E> + Copy {
    move |input| {
        let (taken, rest) = input.split_at(span(input.as_bytes(), 0, class));
        if taken.is_empty() {
            return Err(nom::Err::Error(E::from_error_kind(input, ErrorKind::TakeWhile1)));
        }
        Ok((rest, taken))
    }
}

/// One octet, which is ASCII. nom's own decodes a character.
#[inline]
pub(crate) fn octet<'a, E: ParseError<&'a str>>(
    wanted: u8,
) -> impl Fn(&'a str) -> IResult<&'a str, (), E> + Copy {
    move |input| match input.as_bytes().first() {
        Some(first) if *first == wanted => Ok((input.get(1..).unwrap_or_default(), ())),
        _ => Err(nom::Err::Error(E::from_error_kind(input, ErrorKind::Char))),
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
