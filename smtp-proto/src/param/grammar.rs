//! The grammar of parameters, over text without its line end.

use nom::branch::alt;
use nom::bytes::complete::{tag, take};
use nom::character::complete::char;
use nom::combinator::{map, map_opt, opt, recognize, value, verify};
use nom::multi::many0_count;
use nom::sequence::{preceded, separated_pair};
use nom::{IResult, Parser};

use super::xtext::{Case, Parsed, decode, orcpt, printable, xtext};
use super::{BodyType, DeliverBy, DeliverByMode, Error, Notify, Orcpt, Param, Ret, RrvsAction, Xtext};
use crate::address::Mailbox;
use crate::address::class::{KEYWORD, VALUE, is, no_case, octet, run, span, split};
use crate::octets::{self, short};

/// Longest ENVID value (RFC 3461, 4.4).
const ENVID_MAX: usize = 100;
/// Longest AUTH value (RFC 4954, 3 (8)).
const AUTH_MAX: usize = 500;
/// Longest SOLICIT value (RFC 3865, 2.2).
const SOLICIT_MAX: usize = 1000;

/// The command that parameters belong to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Mail,
    Rcpt,
}

/// The keywords with a grammar of their own, those of RCPT last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd)]
#[repr(u8)]
pub(super) enum Keyword {
    Size,
    Body,
    SmtpUtf8,
    Ret,
    Envid,
    Auth,
    By,
    HoldFor,
    HoldUntil,
    MtPriority,
    RequireTls,
    Solicit,
    Mtrk,
    Prdr,
    Notify,
    Orcpt,
    Rrvs,
}

impl Keyword {
    /// The keyword that stands at the start of `input`, and its length.
    #[inline(always)]
    fn find(input: &[u8]) -> Option<(Self, usize)> {
        let Some((length, found)) = octets::word(input, 0) else { return Self::find_long(input) };
        let keyword = match found {
            SIZE => Self::Size,
            BODY => Self::Body,
            SMTPUTF8 => Self::SmtpUtf8,
            RET => Self::Ret,
            ENVID => Self::Envid,
            AUTH => Self::Auth,
            BY => Self::By,
            HOLDFOR => Self::HoldFor,
            SOLICIT => Self::Solicit,
            MTRK => Self::Mtrk,
            PRDR => Self::Prdr,
            NOTIFY => Self::Notify,
            ORCPT => Self::Orcpt,
            RRVS => Self::Rrvs,
            _ => return None,
        };
        Some((keyword, length))
    }

    /// One of those that eight octets do not hold.
    #[cold]
    fn find_long(input: &[u8]) -> Option<(Self, usize)> {
        let word = &input[..span(input, 0, KEYWORD)];
        let long = [Self::HoldUntil, Self::MtPriority, Self::RequireTls];
        let found = long.into_iter().find(|keyword| keyword.as_str().as_bytes().eq_ignore_ascii_case(word));
        found.map(|keyword| (keyword, word.len()))
    }

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Size => "SIZE",
            Self::Body => "BODY",
            Self::SmtpUtf8 => "SMTPUTF8",
            Self::Ret => "RET",
            Self::Envid => "ENVID",
            Self::Auth => "AUTH",
            Self::By => "BY",
            Self::HoldFor => "HOLDFOR",
            Self::HoldUntil => "HOLDUNTIL",
            Self::MtPriority => "MT-PRIORITY",
            Self::RequireTls => "REQUIRETLS",
            Self::Solicit => "SOLICIT",
            Self::Mtrk => "MTRK",
            Self::Prdr => "PRDR",
            Self::Notify => "NOTIFY",
            Self::Orcpt => "ORCPT",
            Self::Rrvs => "RRVS",
        }
    }

    fn side(self) -> Side {
        if self < Self::Notify { Side::Mail } else { Side::Rcpt }
    }
}

const SIZE: u64 = short(b"SIZE");
const BODY: u64 = short(b"BODY");
const SMTPUTF8: u64 = short(b"SMTPUTF8");
const RET: u64 = short(b"RET");
const ENVID: u64 = short(b"ENVID");
const AUTH: u64 = short(b"AUTH");
const BY: u64 = short(b"BY");
const HOLDFOR: u64 = short(b"HOLDFOR");
const SOLICIT: u64 = short(b"SOLICIT");
const MTRK: u64 = short(b"MTRK");
const PRDR: u64 = short(b"PRDR");
const NOTIFY: u64 = short(b"NOTIFY");
const ORCPT: u64 = short(b"ORCPT");
const RRVS: u64 = short(b"RRVS");

/// `esmtp-param = esmtp-keyword ["=" esmtp-value]` (RFC 5321, 4.1.2). Behind it stands a space or nothing.
///
/// `made` is given the parameter, and its keyword if it is one of this side: a [`Param`] is large, and need not be put anywhere then.
#[inline(always)]
pub(super) fn param<'a, T>(
    input: &'a str,
    side: Option<Side>,
    made: impl FnOnce(Option<Keyword>, Param<'a>) -> T,
) -> IResult<&'a str, T, Error> {
    let found = Keyword::find(input.as_bytes());
    let found = found.filter(|(known, _)| side.is_none_or(|side| known.side() == side));
    let Some((known, behind)) = found.and_then(|(known, length)| Some((known, input.get(length..)?))) else {
        return other(input).map(|(rest, param)| (rest, made(None, param)));
    };
    match typed(known, behind, |param| made(Some(known), param)) {
        Ok((rest, made)) if matches!(rest.as_bytes().first(), None | Some(b' ')) => Ok((rest, made)),
        _ => Err(nom::Err::Error(Error::BadValue(known.as_str()))),
    }
}

/// A parameter that this crate does not know.
fn other(input: &str) -> IResult<&str, Param<'_>, Error> {
    let keyword = verify(run(KEYWORD), |keyword: &str| !keyword.starts_with('-'));
    let parsed: Parsed<'_, _> = (keyword, opt(preceded(octet(b'='), run(VALUE)))).parse(input);
    match parsed {
        Ok((rest, (keyword, value))) if matches!(rest.as_bytes().first(), None | Some(b' ')) => {
            Ok((rest, Param::Other { keyword, value }))
        }
        _ => Err(nom::Err::Error(Error::Malformed)),
    }
}

/// What stands behind a keyword that is known, given to `made`.
#[inline(always)]
fn typed<'a, T>(keyword: Keyword, input: &'a str, made: impl FnOnce(Param<'a>) -> T) -> Parsed<'a, T> {
    match keyword {
        Keyword::SmtpUtf8 => return Ok((input, made(Param::SmtpUtf8))),
        Keyword::RequireTls => return Ok((input, made(Param::RequireTls))),
        Keyword::Prdr => return Ok((input, made(Param::Prdr))),
        _ => {}
    }
    let Some(input) = input.strip_prefix("=") else { return Err(nom::Err::Error(())) };
    match keyword {
        Keyword::Size => decimal(20)(input).map(|(rest, size)| (rest, made(Param::Size(size)))),
        Keyword::Body => body(input).map(|(rest, body)| (rest, made(Param::Body(body)))),
        Keyword::Ret => ret(input).map(|(rest, ret)| (rest, made(Param::Ret(ret)))),
        Keyword::Envid => envid(input).map(|(rest, id)| (rest, made(Param::Envid(Xtext::checked(id))))),
        Keyword::Notify => notify(input).map(|(rest, notify)| (rest, made(Param::Notify(notify)))),
        Keyword::Orcpt => orcpt(input).map(|(rest, text)| (rest, made(Param::Orcpt(Orcpt::checked(text))))),
        _ => seldom(keyword, input).map(|(rest, param)| (rest, made(param))),
    }
}

/// The values that few messages have.
#[inline(never)]
fn seldom(keyword: Keyword, input: &str) -> Parsed<'_, Param<'_>> {
    match keyword {
        Keyword::Auth => map(auth, |text| Param::Auth(Xtext::checked(text))).parse(input),
        Keyword::By => map(by, Param::By).parse(input),
        Keyword::HoldFor => map(seconds, Param::HoldFor).parse(input),
        Keyword::HoldUntil => map(date_time, Param::HoldUntil).parse(input),
        Keyword::MtPriority => map(priority, Param::MtPriority).parse(input),
        Keyword::Solicit => map(solicit, Param::Solicit).parse(input),
        Keyword::Mtrk => mtrk(input),
        Keyword::Rrvs => rrvs(input),
        _ => Err(nom::Err::Error(())),
    }
}

/// `1*nDIGIT`, as `size-value = 1*20DIGIT` (RFC 1870, 5). What overflows is refused.
#[inline(always)]
pub(crate) fn decimal<'a>(digits: usize) -> impl Fn(&'a str) -> Parsed<'a, u64> {
    move |input| {
        let mut number = 0_u64;
        let mut length = 0;
        while let Some(octet) = input.as_bytes().get(length)
            && octet.is_ascii_digit()
        {
            let sum = number.checked_mul(10).and_then(|ten| ten.checked_add(u64::from(octet - b'0')));
            number = sum.ok_or(nom::Err::Error(()))?;
            length += 1;
        }
        match input.get(length..) {
            Some(rest) if (1..=digits).contains(&length) => Ok((rest, number)),
            _ => Err(nom::Err::Error(())),
        }
    }
}

/// `1*9DIGIT` (RFC 4865, 3; RFC 3885, 3)
fn seconds(input: &str) -> Parsed<'_, u32> {
    map_opt(decimal(9), |seconds| seconds.try_into().ok()).parse(input)
}

/// One of a few words, by its number as [`short`] makes it, and what is behind it.
#[inline(always)]
fn word<T>(input: &str, known: impl Fn(u64) -> Option<T>) -> Parsed<'_, T> {
    let found = octets::word(input.as_bytes(), 0);
    match found.and_then(|(length, found)| Some((input.get(length..)?, known(found)?))) {
        Some(parsed) => Ok(parsed),
        None => Err(nom::Err::Error(())),
    }
}

/// `body-value = "7BIT" / "8BITMIME" / "BINARYMIME"` (RFC 6152, 3; RFC 3030, 4)
#[inline(always)]
fn body(input: &str) -> Parsed<'_, BodyType> {
    const SEVEN_BIT: u64 = short(b"7BIT");
    const EIGHT_BIT: u64 = short(b"8BITMIME");
    let known = |found| match found {
        SEVEN_BIT => Some(BodyType::SevenBit),
        EIGHT_BIT => Some(BodyType::EightBitMime),
        _ => None,
    };
    word(input, known).or_else(|_| value(BodyType::BinaryMime, no_case("BINARYMIME")).parse(input))
}

/// `ret-value = "FULL" / "HDRS"` (RFC 3461, 4.3)
#[inline(always)]
fn ret(input: &str) -> Parsed<'_, Ret> {
    const FULL: u64 = short(b"FULL");
    const HDRS: u64 = short(b"HDRS");
    word(input, |found| match found {
        FULL => Some(Ret::Full),
        HDRS => Some(Ret::Hdrs),
        _ => None,
    })
}

/// `envid-parameter = "ENVID=" xtext` (RFC 3461, 4.4), which encodes printable ASCII
#[inline(always)]
fn envid(input: &str) -> Parsed<'_, &str> {
    match xtext(Case::Upper, printable)(input) {
        Ok((rest, text)) if text.len() <= ENVID_MAX => Ok((rest, text)),
        _ => Err(nom::Err::Error(())),
    }
}

/// `"AUTH=" xtext` (RFC 4954, 5), which encodes a mailbox or `<>`. Read is any text: Dovecot gives the name that its user has
/// logged in by, which needs no domain, and a server that trusts nobody does nothing with it.
fn auth(input: &str) -> Parsed<'_, &str> {
    let text = |octet: u8| !octet.is_ascii_control();
    verify(xtext(Case::Either, text), |text: &str| text.len() <= AUTH_MAX).parse(input)
}

/// Whether this encodes a mailbox or `<>`: what is written.
pub(super) fn names_sender(text: &str) -> bool {
    if !text.contains('+') {
        return text == "<>" || Mailbox::parse(text).is_ok();
    }
    // No mailbox is longer than a path may be.
    let mut octets = [0; 256];
    let mut length = 0;
    decode(text, |octet| {
        if let Some(place) = octets.get_mut(length) {
            *place = octet;
        }
        length += 1;
    });
    let text = octets.get(..length).and_then(|octets| core::str::from_utf8(octets).ok());
    text.is_some_and(|text| text == "<>" || Mailbox::parse(text).is_ok())
}

/// `by-value = by-time ";" by-mode [by-trace]`, `by-time = ["-" / "+"] 1*9DIGIT`, `by-mode = "N" / "R"`,
/// `by-trace = "T"` (RFC 2852, 4). To return what is late already makes no sense.
fn by(input: &str) -> Parsed<'_, DeliverBy> {
    let modes = alt((value(DeliverByMode::Return, no_case("R")), value(DeliverByMode::Notify, no_case("N"))));
    let time = (opt(alt((char('-'), char('+')))), decimal(9));
    let (rest, (sign, size, _, mode, trace)) =
        map((time, char(';'), modes, opt(no_case("T"))), |((sign, size), semicolon, mode, trace)| {
            (sign, size, semicolon, mode, trace.is_some())
        })
        .parse(input)?;
    let size = i32::try_from(size).map_err(|_| nom::Err::Error(()))?;
    let seconds = if sign == Some('-') { -size } else { size };
    if mode == DeliverByMode::Return && seconds <= 0 {
        return Err(nom::Err::Error(()));
    }
    Ok((rest, DeliverBy { seconds, mode, trace }))
}

/// `priority-value = (["-"] NZDIGIT) / "0"` (RFC 6710, 4)
fn priority(input: &str) -> Parsed<'_, i8> {
    let digit = |input| map_opt(decimal(1), |digit| i8::try_from(digit).ok()).parse(input);
    alt((map(preceded(char('-'), verify(digit, |digit| *digit != 0)), |digit| -digit), digit)).parse(input)
}

/// `Solicitation-keywords = word *("," word)`, `word = ALPHA *("." / "-" / "_" / ":" / ALPHA / DIGIT)`
/// (RFC 3865, 2.2)
fn solicit(input: &str) -> Parsed<'_, &str> {
    let word = || {
        |input| {
            let (word, rest) =
                split(input, |octet| is(octet, KEYWORD) || matches!(octet, b'.' | b'_' | b':'));
            let good = word.starts_with(|c: char| c.is_ascii_alphabetic());
            if good { Ok((rest, word)) } else { Err(nom::Err::Error(())) }
        }
    };
    verify(recognize((word(), many0_count((char(','), word())))), |text: &str| text.len() <= SOLICIT_MAX)
        .parse(input)
}

/// `mtrk-parameter = "MTRK=" mtrk-certifier [ ":" mtrk-timeout ]`, `mtrk-certifier = base64`,
/// `mtrk-timeout = 1*9DIGIT` (RFC 3885, 3). Its base64 has no "=" (RFC 3885, 1), as an esmtp-value cannot have one; it is taken
/// where it stands all the same.
fn mtrk(input: &str) -> Parsed<'_, Param<'_>> {
    let octets = |input| {
        let (octets, rest) =
            split(input, |octet| octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'/'));
        if octets.is_empty() { Err(nom::Err::Error(())) } else { Ok((rest, octets)) }
    };
    let padded = recognize((octets, many0_count(char('='))));
    let certifier = verify(padded, |text: &str| {
        let filled = text.len().is_multiple_of(4) && !text.ends_with("===");
        filled || (!text.ends_with('=') && text.len() % 4 != 1)
    });
    map((certifier, opt(preceded(char(':'), seconds))), |(certifier, timeout)| Param::Mtrk {
        certifier,
        timeout,
    })
    .parse(input)
}

/// `notify-esmtp-value = "NEVER" / ( notify-list-element *( "," notify-list-element ) )`,
/// `notify-list-element = "SUCCESS" / "FAILURE" / "DELAY"` (RFC 3461, 4.1)
#[inline]
fn notify(input: &str) -> Parsed<'_, Notify> {
    const NEVER: u64 = short(b"NEVER");
    const SUCCESS: u64 = short(b"SUCCESS");
    const FAILURE: u64 = short(b"FAILURE");
    const DELAY: u64 = short(b"DELAY");
    let element = |input| {
        word(input, |found| match found {
            NEVER => Some(Notify::NEVER),
            SUCCESS => Some(Notify::SUCCESS),
            FAILURE => Some(Notify::FAILURE),
            DELAY => Some(Notify::DELAY),
            _ => None,
        })
    };
    let (mut rest, mut notify) = element(input)?;
    let never = notify == Notify::NEVER;
    while let Some(behind) = rest.strip_prefix(',') {
        let (behind, one) = element(behind)?;
        if never || one == Notify::NEVER {
            return Err(nom::Err::Error(()));
        }
        (rest, notify) = (behind, notify | one);
    }
    Ok((rest, notify))
}

/// `rrvs-param = "RRVS=" date-time [ ";" ( "C" / "R" ) ]` (RFC 7293, 3.1)
fn rrvs(input: &str) -> Parsed<'_, Param<'_>> {
    let action = alt((value(RrvsAction::Continue, no_case("C")), value(RrvsAction::Reject, no_case("R"))));
    map((date_time, opt(preceded(char(';'), action))), |(since, action)| Param::Rrvs { since, action })
        .parse(input)
}

/// `date-time = full-date "T" full-time` (RFC 3339, 5.6). Months are not told apart by their lengths.
fn date_time(input: &str) -> Parsed<'_, &str> {
    let two = |least: u8, most: u8| {
        map_opt(take(2_usize), move |text: &str| match text.as_bytes() {
            [a @ b'0'..=b'9', b @ b'0'..=b'9'] => {
                (least..=most).contains(&((a - b'0') * 10 + (b - b'0'))).then_some(())
            }
            _ => None,
        })
    };
    let date = (two(0, 99), two(0, 99), char('-'), two(1, 12), char('-'), two(1, 31));
    let fraction = opt((char('.'), decimal_digits));
    let time = (two(0, 23), char(':'), two(0, 59), char(':'), two(0, 60), fraction);
    let numeric = (alt((tag("+"), tag("-"))), separated_pair(two(0, 23), char(':'), two(0, 59)));
    let offset = alt((recognize(no_case("Z")), recognize(numeric)));
    recognize((date, no_case("T"), time, offset)).parse(input)
}

/// `1*DIGIT`
fn decimal_digits(input: &str) -> Parsed<'_, &str> {
    verify(
        |input| Ok(split(input, |octet| octet.is_ascii_digit())).map(|(a, b)| (b, a)),
        |t: &str| !t.is_empty(),
    )
    .parse(input)
}
