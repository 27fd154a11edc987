//! The grammar of command lines.

use core::str::from_utf8;

use ascii::AsciiStr;
use nom::Parser;
use nom::combinator::{eof, opt};

use super::{Attributes, BdatError, Command, Error, Mail, Options, Rcpt, Text, Verb, Word};
use crate::address::class::{no_case, split, trim};
use crate::address::grammar::{Fault, Parsed, forward_path, reverse_path};
use crate::address::{self, Domain, ForwardPath, ReversePath};
use crate::auth::{Base64, MechanismName};
use crate::param::grammar::Side;
use crate::param::{Declared, Params};

/// The four octets of a verb, or its first four, as a number. Letters of both cases give the same, and nothing else gives
/// what a letter gives.
const fn fold(octets: [u8; 4]) -> u32 {
    u32::from_be_bytes(octets) & 0xdfdf_dfdf
}

const EHLO: u32 = fold(*b"EHLO");
const HELO: u32 = fold(*b"HELO");
const LHLO: u32 = fold(*b"LHLO");
const MAIL: u32 = fold(*b"MAIL");
const RCPT: u32 = fold(*b"RCPT");
const DATA: u32 = fold(*b"DATA");
const BDAT: u32 = fold(*b"BDAT");
const RSET: u32 = fold(*b"RSET");
const NOOP: u32 = fold(*b"NOOP");
const QUIT: u32 = fold(*b"QUIT");
const VRFY: u32 = fold(*b"VRFY");
const EXPN: u32 = fold(*b"EXPN");
const HELP: u32 = fold(*b"HELP");
const STAR: u32 = fold(*b"STAR");
const AUTH: u32 = fold(*b"AUTH");
const ETRN: u32 = fold(*b"ETRN");
const XCLI: u32 = fold(*b"XCLI");
const XFOR: u32 = fold(*b"XFOR");

/// `command = verb [ SP arguments ]` (RFC 5321, 2.4 and 4.1.1). White space at the end is taken.
#[inline(always)]
pub(super) fn command(line: &[u8], options: Options) -> Result<Command<'_>, Error> {
    // Octets of ASCII are told at once; from_utf8 goes singly to where a word of memory begins, and behind the last one.
    let ascii = AsciiStr::from_ascii(line).map(AsciiStr::as_str);
    let Ok(text) = ascii.or_else(|_| from_utf8(line)) else {
        return Err(not_text(line));
    };
    let Some((first, _)) = line.split_first_chunk::<4>() else {
        return other(text);
    };
    let first = fold(*first);
    // Four octets that make a verb are ASCII, so the cut is between characters.
    let rest = text.get(4..).unwrap_or_default();
    match first {
        MAIL => spaced(rest).map_or_else(|| other(text), mail),
        RCPT => spaced(rest).map_or_else(|| other(text), rcpt),
        BDAT => spaced(rest).map_or_else(|| other(text), bdat),
        DATA => spaced(rest).map_or_else(|| other(text), |args| bare(args, Verb::Data, Command::Data)),
        RSET => spaced(rest).map_or_else(|| other(text), |args| bare(args, Verb::Rset, Command::Rset)),
        QUIT => spaced(rest).map_or_else(|| other(text), |args| bare(args, Verb::Quit, Command::Quit)),
        EHLO => spaced(rest).map_or_else(|| other(text), |args| hello(args, options).map(Command::Ehlo)),
        HELO => spaced(rest).map_or_else(|| other(text), |args| hello(args, options).map(Command::Helo)),
        LHLO => spaced(rest).map_or_else(|| other(text), |args| hello(args, options).map(Command::Lhlo)),
        NOOP => spaced(rest).map_or_else(|| other(text), |args| string(args).map(Command::Noop)),
        HELP => spaced(rest).map_or_else(|| other(text), |args| string(args).map(Command::Help)),
        VRFY => spaced(rest).map_or_else(|| other(text), |args| filled(args, Verb::Vrfy).map(Command::Vrfy)),
        EXPN => spaced(rest).map_or_else(|| other(text), |args| filled(args, Verb::Expn).map(Command::Expn)),
        ETRN => spaced(rest).map_or_else(|| other(text), |args| filled(args, Verb::Etrn).map(Command::Etrn)),
        AUTH => spaced(rest).map_or_else(|| other(text), auth),
        STAR => tail(rest, "TTLS")
            .map_or_else(|| other(text), |args| bare(args, Verb::StartTls, Command::StartTls)),
        XCLI => tail(rest, "ENT")
            .map_or_else(|| other(text), |args| attributes(args, Verb::Xclient).map(Command::Xclient)),
        XFOR => tail(rest, "WARD")
            .map_or_else(|| other(text), |args| attributes(args, Verb::Xforward).map(Command::Xforward)),
        _ => other(text),
    }
}

/// The error of a line that isn't UTF-8. Of BDAT, where even that line announces octets.
#[cold]
fn not_text(line: &[u8]) -> Error {
    match line.split_first_chunk::<4>() {
        Some((verb, [] | [b' ' | b'\t', ..])) if fold(*verb) == BDAT => Error::Bdat(BdatError::Malformed),
        _ => Error::NotText,
    }
}

/// What stands behind the verb, without the white space around it; `None` if the verb goes on.
#[inline(always)]
fn spaced(rest: &str) -> Option<&str> {
    let ends = matches!(rest.as_bytes().first(), None | Some(b' ' | b'\t'));
    ends.then(|| trim(rest, [b' ', b'\t']))
}

/// The same for a longer verb that ends in `end`.
fn tail<'a>(rest: &'a str, end: &str) -> Option<&'a str> {
    let (found, rest) = rest.split_at_checked(end.len())?;
    if found.eq_ignore_ascii_case(end) { spaced(rest) } else { None }
}

/// `data = "DATA" CRLF`, `rset = "RSET" CRLF`, `quit = "QUIT" CRLF` (RFC 5321, 4.1.1), STARTTLS (RFC 3207, 4)
fn bare<'a>(args: &str, verb: Verb, command: Command<'a>) -> Result<Command<'a>, Error> {
    if args.is_empty() { Ok(command) } else { Err(Error::Arguments(verb)) }
}

/// `ehlo = "EHLO" SP ( Domain / address-literal ) CRLF`, `helo = "HELO" SP Domain CRLF` (RFC 5321, 4.1.1.1)
fn hello(args: &str, options: Options) -> Result<Domain<'_>, Error> {
    let parsed = if options.strict_hello { Domain::parse(args) } else { Domain::parse_lenient(args) };
    parsed.map_err(Error::Hello)
}

/// `mail = "MAIL FROM:" Reverse-path [SP Mail-parameters] CRLF` (RFC 5321, 4.1.1.2)
#[inline(always)]
fn mail(args: &str) -> Result<Command<'_>, Error> {
    const FROM: u32 = fold(*b"FROM");
    let path = match args.as_bytes() {
        [a, b, c, d, b':', ..] if fold([*a, *b, *c, *d]) == FROM => args.get(5..).unwrap_or_default(),
        _ => return Err(Error::ReversePath(address::Error::Path)),
    };
    let (from, rest) = envelope(path, reverse_path).map_err(Error::ReversePath)?;
    let (params, declared) = params(rest, Side::Mail, Error::ReversePath)?;
    Ok(Command::Mail(Mail { from: ReversePath::checked(from), params, declared }))
}

/// `rcpt = "RCPT TO:" ( "<Postmaster@" Domain ">" / "<Postmaster>" / Forward-path ) [SP Rcpt-parameters] CRLF`
/// (RFC 5321, 4.1.1.3)
#[inline(always)]
fn rcpt(args: &str) -> Result<Command<'_>, Error> {
    let path = match args.as_bytes() {
        [b'T' | b't', b'O' | b'o', b':', ..] => args.get(3..).unwrap_or_default(),
        _ => return Err(Error::ForwardPath(address::Error::Path)),
    };
    let (to, rest) = envelope(path, forward_path).map_err(Error::ForwardPath)?;
    let (params, declared) = params(rest, Side::Rcpt, Error::ForwardPath)?;
    Ok(Command::Rcpt(Rcpt { to: ForwardPath::checked(to), params, declared }))
}

/// A path, and what stands behind it. Spaces ahead of it are taken, as many clients send one behind the colon.
#[inline(always)]
fn envelope<'a, T>(
    args: &'a str,
    path: impl FnOnce(&'a str) -> Parsed<'a, T>,
) -> Result<(T, &'a str), address::Error> {
    let (_, args) = split(args, |octet| matches!(octet, b' ' | b'\t'));
    match path(args) {
        Ok((rest, path)) => Ok((path, rest)),
        Err(nom::Err::Error(Fault(error)) | nom::Err::Failure(Fault(error))) => Err(error),
        Err(nom::Err::Incomplete(_)) => Err(address::Error::Path),
    }
}

#[inline(always)]
fn params<'a>(
    rest: &'a str,
    side: Side,
    behind: fn(address::Error) -> Error,
) -> Result<(Params<'a>, Declared), Error> {
    if rest.is_empty() {
        return Ok(Default::default());
    }
    if !rest.starts_with(' ') {
        return Err(behind(address::Error::Path));
    }
    Params::parse(rest, side).map_err(Error::Params)
}

/// `bdat-cmd = "BDAT" SP chunk-size [ SP end-marker ] CR LF`, `chunk-size = 1*DIGIT`, `end-marker = "LAST"`
/// (RFC 3030, 2)
#[inline(always)]
fn bdat(args: &str) -> Result<Command<'_>, Error> {
    let (digits, rest) = split(args, |octet| octet.is_ascii_digit());
    let last: Parsed<'_, _> = (opt((nom::character::complete::space1, no_case("LAST"))), eof).parse(rest);
    let Ok((_, (last, _))) = last else {
        return Err(Error::Bdat(BdatError::Malformed));
    };
    match digits.parse() {
        Ok(size) => Ok(Command::Bdat { size, last: last.is_some() }),
        Err(_) if digits.is_empty() => Err(Error::Bdat(BdatError::Malformed)),
        Err(_) => Err(Error::Bdat(BdatError::Overflow)),
    }
}

/// `noop = "NOOP" [ SP String ] CRLF`, `help = "HELP" [ SP String ] CRLF` (RFC 5321, 4.1.1.8 and 4.1.1.9), with more than
/// one String taken
fn string(args: &str) -> Result<Text<'_>, Error> {
    Text::new(args).map_err(|_| Error::NotText)
}

/// `vrfy = "VRFY" SP String CRLF`, `expn = "EXPN" SP String CRLF` (RFC 5321, 4.1.1.6 and 4.1.1.7), and
/// `ETRN SP [option character] node-name` (RFC 1985, 5)
fn filled(args: &str, verb: Verb) -> Result<Text<'_>, Error> {
    if args.is_empty() { Err(Error::Arguments(verb)) } else { string(args) }
}

/// `auth-command = "AUTH" SP sasl-mech [SP initial-response] *(CRLF [base64]) [CRLF cancel-response] CRLF`,
/// `initial-response = base64 / "="` (RFC 4954, 8)
fn auth(args: &str) -> Result<Command<'_>, Error> {
    let (name, rest) = split(args, |octet| octet != b' ');
    if name.is_empty() {
        return Err(Error::Arguments(Verb::Auth));
    }
    let mechanism = MechanismName::parse(name.as_bytes()).map_err(|_| Error::Mechanism)?;
    let initial = match rest.trim_start_matches(' ') {
        "" => None,
        text => Some(Base64::parse_initial(text.as_bytes()).map_err(|_| Error::InitialResponse)?),
    };
    Ok(Command::Auth { mechanism, initial })
}

/// XCLIENT and XFORWARD (XCLIENT_README, XFORWARD_README)
fn attributes(args: &str, verb: Verb) -> Result<Attributes<'_>, Error> {
    Attributes::parse(args).map_err(|_| Error::Arguments(verb))
}

/// Any other verb, and its arguments as text.
#[cold]
fn other(text: &str) -> Result<Command<'_>, Error> {
    let (verb, args) = split(text, |octet| octet != b' ' && octet != b'\t');
    let verb = Word::new(verb).map_err(|_| Error::NoVerb)?;
    let args = string(args)?;
    Ok(Command::Other { verb, args })
}
