//! The grammar of addresses, over text without its line end.

use core::net::{Ipv4Addr, Ipv6Addr};

use nom::combinator::{consumed, opt, recognize, value};
use nom::error::{ErrorKind, ParseError};
use nom::multi::many0_count;
use nom::sequence::{delimited, preceded, terminated};
use nom::{IResult, Parser};

use super::class::{ATEXT, DCONTENT, KEYWORD, LDH, QTEXT, has_control, is, no_case, octet, run, split};
use super::{Error, Literal};
use crate::marks::Tokens;

/// An [`Error`], so that no nom stands in the public API.
#[derive(Debug)]
pub(crate) struct Fault(pub(crate) Error);

impl ParseError<&str> for Fault {
    fn from_error_kind(_: &str, _: ErrorKind) -> Self {
        Self(Error::Path)
    }

    fn append(_: &str, _: ErrorKind, other: Self) -> Self {
        other
    }
}

pub(crate) type Parsed<'a, T> = IResult<&'a str, T, Fault>;

/// Longest path with its angle brackets (RFC 5321, 4.5.3.1.3).
const PATH_MAX: usize = 256;
/// Longest domain (RFC 5321, 4.5.3.1.2).
const DOMAIN_MAX: usize = 255;
/// Longest label (RFC 1035, 2.3.4). That of a U-label counts in its A-label, which is not computed here.
const LABEL_MAX: usize = 63;

/// Runs `parser` over the whole of `input`; `behind` is the error when something is left.
#[inline]
pub(super) fn whole<'a, T>(
    input: &'a str,
    behind: Error,
    parser: impl FnOnce(&'a str) -> Parsed<'a, T>,
) -> Result<T, Error> {
    match parser(input) {
        Ok(("", value)) => Ok(value),
        Ok(_) if has_control(input) => Err(Error::Control),
        Ok(_) => Err(behind),
        Err(nom::Err::Error(Fault(error)) | nom::Err::Failure(Fault(error))) => Err(error),
        Err(nom::Err::Incomplete(_)) => Err(behind),
    }
}

fn fail<T>(error: Error) -> Result<T, nom::Err<Fault>> {
    Err(nom::Err::Error(Fault(error)))
}

/// `Path = "<" [ A-d-l ":" ] Mailbox ">"` (RFC 5321, 4.1.2). Gives the mailbox and the place of its "@".
#[inline(always)]
fn path(input: &str) -> Parsed<'_, (&str, usize)> {
    let (rest, ()) = octet(b'<')(input)?;
    let rest = if rest.as_bytes().first() == Some(&b'@') { opt(route).parse(rest)?.0 } else { rest };
    let (rest, found) = mailbox(rest)?;
    match octet::<Fault>(b'>')(rest) {
        Ok((rest, ())) => Ok((rest, found)),
        Err(_) => fail(if rest.is_empty() { Error::Path } else { Error::Domain }),
    }
}

/// `Reverse-path = Path / "<>"` (RFC 5321, 4.1.2); `None` for `<>`
#[inline(always)]
pub(crate) fn reverse_path(input: &str) -> Parsed<'_, Option<(&str, usize)>> {
    match input.strip_prefix("<>") {
        Some(rest) => Ok((rest, None)),
        None => path(input).map(|(rest, mailbox)| (rest, Some(mailbox))),
    }
}

/// `Forward-path = Path`, or `"<Postmaster>"` (RFC 5321, 4.1.1.3 and 4.1.2); `None` for that
#[inline(always)]
pub(crate) fn forward_path(input: &str) -> Parsed<'_, Option<(&str, usize)>> {
    match path(input) {
        Ok((rest, mailbox)) => Ok((rest, Some(mailbox))),
        Err(error) => postmaster(input).map_err(|_| error),
    }
}

#[cold]
fn postmaster(input: &str) -> Parsed<'_, Option<(&str, usize)>> {
    value(None, no_case("<Postmaster>")).parse(input)
}

/// `A-d-l ":"`, where `A-d-l = At-domain *( "," At-domain )`, `At-domain = "@" Domain` (RFC 5321, 4.1.2)
fn route(input: &str) -> Parsed<'_, &str> {
    let at_domain = || preceded(octet(b'@'), domain_or_literal);
    terminated(recognize((at_domain(), many0_count((octet(b','), at_domain())))), octet(b':')).parse(input)
}

/// `Mailbox = Local-part "@" ( Domain / address-literal )` (RFC 5321, 4.1.2). Gives its text and the place of its "@".
#[inline(always)]
pub(super) fn mailbox(input: &str) -> Parsed<'_, (&str, usize)> {
    let (at, end) = ends(input).or_else(fail)?;
    match input.split_at_checked(end.into()) {
        Some((text, rest)) => Ok((rest, (text, at.into()))),
        None => fail(Error::Domain),
    }
}

/// The places of a mailbox' "@" and of its end: two numbers, since more than that is returned by way of memory.
#[inline(never)]
fn ends(input: &str) -> Result<(u8, u8), Error> {
    let marks = Tokens::new(input.as_bytes());
    match marks.mailbox() {
        Some((at, end)) => Ok((at as u8, end as u8)),
        None => seldom(input, marks),
    }
}

/// The same of any mailbox.
fn seldom(input: &str, mut marks: Tokens<'_>) -> Result<(u8, u8), Error> {
    let octets = input.as_bytes();
    let at = if octets.first() == Some(&b'"') {
        quoted_string(input).map(|(_, text)| text.len())
    } else {
        dot_atoms(octets, &mut marks)
    };
    let Ok(at) = at else { return Err(Error::LocalPart) };
    let end = match octets.get(at) {
        Some(b'@') => host(input, at + 1, &mut marks)?,
        Some(b'>') | None => return Err(Error::Domain),
        Some(_) => return Err(Error::LocalPart),
    };
    if end > PATH_MAX - "<>".len() {
        return Err(Error::TooLong);
    }
    // Within the classes, only text that is not ASCII can hide a control: one of C1.
    if input.get(..end).is_some_and(|text| !text.is_ascii() && has_control(text)) {
        return Err(Error::Control);
    }
    Ok((at as u8, end as u8))
}

/// `Dot-string = Atom *("." Atom)`, `Atom = 1*atext` (RFC 5321, 4.1.2)
#[inline]
pub(super) fn dot_string(input: &str) -> Parsed<'_, &str> {
    let (text, rest) = input.split_at(dot_atoms(input.as_bytes(), &mut Tokens::new(input.as_bytes()))?);
    Ok((rest, text))
}

/// [`dot_string`]'s length.
#[inline(always)]
fn dot_atoms(octets: &[u8], marks: &mut Tokens<'_>) -> Result<usize, nom::Err<Fault>> {
    let mut atom = 0;
    let end = marks.position(0, |at| match octets[at] {
        b'.' if at > atom => {
            atom = at + 1;
            false
        }
        octet => !is(octet, ATEXT),
    });
    match (atom, end > atom) {
        (_, true) => Ok(end),
        (0, false) => fail(Error::Path),
        // The dot is not its own.
        (atom, false) => Ok(atom - 1),
    }
}

/// `Quoted-string = DQUOTE *QcontentSMTP DQUOTE`, `QcontentSMTP = qtextSMTP / quoted-pairSMTP` (RFC 5321, 4.1.2)
fn quoted_string(input: &str) -> Parsed<'_, &str> {
    let content = many0_count(nom::branch::alt((run(QTEXT), quoted_pair)));
    recognize(delimited(octet(b'"'), content, octet(b'"'))).parse(input)
}

/// `quoted-pairSMTP = %d92 %d32-126` (RFC 5321, 4.1.2)
fn quoted_pair(input: &str) -> Parsed<'_, &str> {
    match input.as_bytes() {
        [b'\\', b' '..=b'~', ..] => Ok((&input[2..], &input[..2])),
        _ => fail(Error::LocalPart),
    }
}

/// `( Domain / address-literal )`, and no longer than a domain may be.
#[inline]
pub(super) fn domain_or_literal(input: &str) -> Parsed<'_, &str> {
    let (text, rest) = input.split_at(host(input, 0, &mut Tokens::new(input.as_bytes())).or_else(fail)?);
    Ok((rest, text))
}

/// The same from `at`. Gives where it ends.
#[inline(always)]
fn host(input: &str, at: usize, marks: &mut Tokens<'_>) -> Result<usize, Error> {
    let octets = input.as_bytes();
    let end = match octets.get(at) {
        Some(b'[') => {
            at + address_literal(input.get(at..).unwrap_or_default()).map_err(|_| Error::Literal)?.1.len()
        }
        _ => domain(octets, at, marks)?,
    };
    if end - at > DOMAIN_MAX { Err(Error::TooLong) } else { Ok(end) }
}

/// `Domain = sub-domain *("." sub-domain)` (RFC 5321, 4.1.2), from `at`. Gives where it ends.
///
/// `sub-domain = Let-dig [Ldh-str]` (RFC 5321, 4.1.2), `sub-domain =/ U-label` (RFC 6531, 3.3): no hyphen at either end.
#[inline(always)]
fn domain(octets: &[u8], at: usize, marks: &mut Tokens<'_>) -> Result<usize, Error> {
    let mut label = at;
    let end = marks.position(at, |here| match octets[here] {
        b'.' if here > label && octets[here - 1] != b'-' => {
            label = here + 1;
            false
        }
        b'-' => here == label,
        octet => !is(octet, LDH),
    });
    if end > label && octets[end - 1] != b'-' {
        return if end - at > LABEL_MAX { short_labels(octets, at, end) } else { Ok(end) };
    }
    // The dot ahead of what is no label is not the domain's.
    if label == at { Err(Error::Domain) } else { Ok(label - 1) }
}

/// Where a domain ends that ends at `end` if all of its labels are short enough.
#[cold]
fn short_labels(octets: &[u8], at: usize, end: usize) -> Result<usize, Error> {
    let mut start = at;
    for label in octets[at..end].split(|octet| *octet == b'.') {
        if label.len() > LABEL_MAX && label.is_ascii() {
            return if start == at { Err(Error::TooLong) } else { Ok(start - 1) };
        }
        start += label.len() + 1;
    }
    Ok(end)
}

/// `address-literal = "[" ( IPv4-address-literal / IPv6-address-literal / General-address-literal ) "]"`
/// (RFC 5321, 4.1.3)
pub(super) fn address_literal(input: &str) -> Parsed<'_, &str> {
    let (rest, (text, content)) = consumed(delimited(octet(b'['), run(DCONTENT), octet(b']')))
        .parse(input)
        .or_else(|_: nom::Err<Fault>| fail(Error::Literal))?;
    if literal(content).is_some() { Ok((rest, text)) } else { fail(Error::Literal) }
}

/// What stands between the brackets (RFC 5321, 4.1.3):
///
/// ```text
/// IPv4-address-literal    = Snum 3("." Snum)
/// IPv6-address-literal    = "IPv6:" IPv6-addr
/// General-address-literal = Standardized-tag ":" 1*dcontent
/// Standardized-tag        = Ldh-str
/// ```
pub(super) fn literal(content: &str) -> Option<Literal<'_>> {
    let Some((tag, content)) = content.split_once(':') else {
        return content.parse::<Ipv4Addr>().ok().map(Literal::V4);
    };
    if tag.eq_ignore_ascii_case("IPv6") {
        return content.parse::<Ipv6Addr>().ok().map(Literal::V6);
    }
    let tagged = tag.bytes().all(|o| is(o, KEYWORD)) && !tag.is_empty() && !tag.ends_with('-');
    let filled = !content.is_empty() && content.bytes().all(|o| is(o, DCONTENT));
    (tagged && filled).then_some(Literal::General { tag, content })
}

/// What clients call themselves: also with underscores, a bare IP address, empty labels or brackets left open.
pub(super) fn lenient_name(input: &str) -> Parsed<'_, &str> {
    let (name, rest) = split(input, |octet| is(octet, LDH) || b"._:[]%/".contains(&octet));
    match name.len() {
        0 => fail(Error::Domain),
        1..=DOMAIN_MAX if has_control(name) => fail(Error::Control),
        1..=DOMAIN_MAX => Ok((rest, name)),
        _ => fail(Error::TooLong),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;

    #[test]
    fn marks_tell_a_mailbox_as_its_grammar_does() {
        const PIECES: [&str; 9] = ["a", "7", ".", "-", "@", ">", "+", "\u{fc}", "0123456789abcdefghij"];
        let mut told = 0;
        for number in 0..9_usize.pow(6) {
            let text: String = (0..6).map(|n| PIECES[number / 9_usize.pow(n) % 9]).collect();
            let marks = || Tokens::new(text.as_bytes());
            if let Some((at, end)) = marks().mailbox() {
                assert_eq!(seldom(&text, marks()), Ok((at as u8, end as u8)), "{text}");
                told += 1;
            }
        }
        assert!(told > 5_000, "{told}");
    }
}
