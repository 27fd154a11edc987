use nom::{
    Err, IResult, Parser,
    error::{ErrorKind, ParseError},
    sequence::terminated,
};

use super::Malformed;
use crate::octets;
use crate::status::Code;

/// What a line starts with.
#[derive(Clone, Copy)]
pub(super) struct Head {
    pub(super) code: Code,
    /// A hyphen: more lines follow.
    pub(super) more: bool,
}

/// A [`Malformed`] as nom wants its errors.
pub(super) struct Fault(pub(super) Malformed);

impl ParseError<&[u8]> for Fault {
    fn from_error_kind(_: &[u8], _: ErrorKind) -> Self {
        Self(Malformed::NotAReply)
    }

    fn append(_: &[u8], _: ErrorKind, other: Self) -> Self {
        other
    }
}

type Parsed<'i, T> = IResult<&'i [u8], T, Fault>;

/// Reply-line = *( Reply-code "-" [ textstring ] CRLF ) Reply-code [ SP textstring ] CRLF (RFC 5321, 4.2)
///
/// The code that counts: of any line, since they are equal, or of the last if `lenient`.
pub(super) fn reply(input: &[u8], lenient: bool) -> Result<Code, Malformed> {
    let mut line = terminated(head, |input| line_end(input, lenient));
    let mut rest = input;
    let mut first = None;
    loop {
        let (behind, Head { code, more }) = match line.parse(rest) {
            Ok(parsed) => parsed,
            Err(Err::Error(Fault(why)) | Err::Failure(Fault(why))) => return Err(why),
            Err(Err::Incomplete(_)) => return Err(Malformed::NotAReply),
        };
        if *first.get_or_insert(code) != code && !lenient {
            return Err(Malformed::MixedCodes);
        }
        rest = behind;
        if !more {
            return if rest.is_empty() { Ok(code) } else { Err(Malformed::NotAReply) };
        }
    }
}

/// Reply-code [ SP / "-" ], with the line's end behind the code if neither is there. A CR that is no line's end has no
/// place there: it would be neither text nor looked at when the line is passed on.
#[inline]
pub(super) fn head(input: &[u8]) -> Parsed<'_, Head> {
    let [a, b, c, rest @ ..] = input else { return Err(Err::Error(Fault(Malformed::NotAReply))) };
    let Some(code) = Code::from_digits([*a, *b, *c]) else {
        return Err(Err::Error(Fault(Malformed::NotAReply)));
    };
    match rest {
        [b' ', rest @ ..] => Ok((rest, Head { code, more: false })),
        [b'-', rest @ ..] => Ok((rest, Head { code, more: true })),
        [b'\n', ..] | [b'\r', b'\n', ..] => Ok((rest, Head { code, more: false })),
        _ => Err(Err::Error(Fault(Malformed::NotAReply))),
    }
}

/// [ textstring ] CRLF, where the text is any octets but CR and LF; CR too, and LF for CRLF, if `lenient`
#[inline]
fn line_end(input: &[u8], lenient: bool) -> Parsed<'_, ()> {
    let ends = |octet| octet == b'\n' || octet == b'\r' && !lenient;
    let Some(end) = octets::find::<14>(input, 0, ends) else {
        return Err(Err::Error(Fault(Malformed::NotAReply)));
    };
    match &input[end..] {
        [b'\r', b'\n', rest @ ..] => Ok((rest, ())),
        [b'\n', rest @ ..] if lenient => Ok((rest, ())),
        _ => Err(Err::Error(Fault(Malformed::BareLineEnd))),
    }
}
