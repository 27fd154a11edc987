//! The messages of OAUTHBEARER (RFC 7628) and of XOAUTH2, which came before it.
//!
//! A refused token takes one more round trip in both: the server says why as a challenge, the client answers with
//! nothing worth reading, and only then comes the 535.

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use nom::branch::alt;
use nom::bytes::complete::{tag, tag_no_case, take_till, take_till1, take_while1};
use nom::character::complete::alpha1;
use nom::combinator::{all_consuming, opt};
use nom::multi::many0;
use nom::sequence::{delimited, preceded, separated_pair, terminated};
use nom::{IResult, Parser as _};

use super::Error;
use super::gs2::{self, Flag};

/// What a server says of a bad token when its caller says nothing better (RFC 7628, 3.2.2).
pub(super) const INVALID_TOKEN: &str = r#"{"status":"invalid_token"}"#;

/// The name, token and server in a client's message. An empty token asks what the server wants.
#[derive(Default)]
pub(super) struct Message<'a> {
    pub(super) user: Option<String>,
    pub(super) token: &'a str,
    pub(super) host: Option<&'a str>,
    pub(super) port: Option<u16>,
}

/// ```text
/// client-resp = (gs2-header kvsep *kvpair kvsep) / kvsep       ; RFC 7628, 3.1
/// kvpair      = key "=" value kvsep
/// ```
pub(super) fn bearer(user: &str, token: &str, host: Option<(&str, u16)>) -> Result<Vec<u8>, Error> {
    if user.contains(['\0', '\x01']) {
        return Err(Error::Unsendable("the user's name"));
    }
    let mut message = String::from("n,");
    if !user.is_empty() {
        message.push_str("a=");
        message.push_str(&gs2::escape(user));
    }
    message.push_str(",\x01");
    if let Some((host, port)) = host {
        if !host.bytes().all(|c| c.is_ascii_graphic()) {
            return Err(Error::Unsendable("the host's name"));
        }
        message.extend(["host=", host, "\x01port=", &port.to_string(), "\x01"]);
    }
    message.extend(["auth=Bearer ", checked(token)?, "\x01\x01"]);
    Ok(message.into_bytes())
}

/// `user=` name `^A` `auth=Bearer ` token `^A^A`, as Google and Microsoft document it.
pub(super) fn xoauth2(user: &str, token: &str) -> Result<Vec<u8>, Error> {
    if user.is_empty() || user.contains(['\0', '\x01']) {
        return Err(Error::Unsendable("the user's name"));
    }
    Ok(["user=", user, "\x01auth=Bearer ", checked(token)?, "\x01\x01"].concat().into_bytes())
}

pub(super) fn parse_bearer(message: &[u8]) -> Result<Message<'_>, Error> {
    const WHAT: Error = Error::Malformed("OAUTHBEARER");
    let text = core::str::from_utf8(message).map_err(|_| WHAT)?;
    // The example of RFC 7628, 4.4 writes `user=` for `a=`, so some clients do.
    let (rest, header) =
        alt((gs2::header("a="), gs2::header("user="))).parse(text).map_err(|_: Invalid<'_>| WHAT)?;
    if let Flag::Used(_) = header.flag {
        return Err(WHAT);
    }
    let (_, pairs) = all_consuming(delimited(tag("\x01"), many0(pair), tag("\x01")))
        .parse(rest)
        .map_err(|_: Invalid<'_>| WHAT)?;
    read(header.authzid, &pairs, WHAT)
}

pub(super) fn parse_xoauth2(message: &[u8]) -> Result<Message<'_>, Error> {
    const WHAT: Error = Error::Malformed("XOAUTH2");
    let text = core::str::from_utf8(message).map_err(|_| WHAT)?;
    let user = delimited(tag("user="), take_till1(|c| matches!(c, '\0' | '\x01')), tag("\x01"));
    let (_, (user, pairs)) = all_consuming((user, terminated(many0(pair), tag("\x01"))))
        .parse(text)
        .map_err(|_: Invalid<'_>| WHAT)?;
    read(Some(user.to_string()), &pairs, WHAT)
}

type Invalid<'a> = nom::Err<nom::error::Error<&'a str>>;

/// ```text
/// kvsep  = %x01                                                ; RFC 7628, 3.1
/// key    = 1*(ALPHA)
/// value  = *(VCHAR / SP / HTAB / CR / LF )
/// ```
fn pair(input: &str) -> IResult<&str, (&str, &str)> {
    let value = take_till(|c: char| !c.is_ascii_graphic() && !matches!(c, ' ' | '\t' | '\r' | '\n'));
    terminated(separated_pair(alpha1, tag("="), value), tag("\x01")).parse(input)
}

/// Unknown keys are ignored, as RFC 7628, 3.1 wants it; a key that stands twice is not.
fn read<'a>(user: Option<String>, pairs: &[(&'a str, &'a str)], what: Error) -> Result<Message<'a>, Error> {
    let once = |key: &str| {
        let mut values = pairs.iter().filter(|pair| pair.0 == key).map(|pair| pair.1);
        match (values.next(), values.next()) {
            (_, Some(_)) => Err(what.clone()),
            (value, None) => Ok(value),
        }
    };
    let token = match once("auth")? {
        None => return Err(what),
        Some("") => "",
        Some(value) => all_consuming(bearer_token).parse(value).map_err(|_| what.clone())?.1,
    };
    let port = once("port")?.map(|port| port.parse().map_err(|_| what.clone())).transpose()?;
    Ok(Message { user, token, host: once("host")?, port })
}

/// ```text
/// credentials = "Bearer" 1*SP b64token                         ; RFC 6750, 2.1
/// b64token    = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="
/// ```
/// Any visible character is taken for part of a token, since issuers do as they please.
fn bearer_token(input: &str) -> IResult<&str, &str> {
    let token = take_while1(|c: char| c.is_ascii_graphic());
    preceded((tag_no_case("Bearer"), take_while1(|c| c == ' ')), terminated(token, opt(tag(" "))))
        .parse(input)
}

fn checked(token: &str) -> Result<&str, Error> {
    if token.is_empty() || !token.bytes().all(|c| c.is_ascii_graphic()) {
        return Err(Error::Unsendable("the token"));
    }
    Ok(token)
}
