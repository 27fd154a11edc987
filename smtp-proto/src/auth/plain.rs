//! The message of PLAIN (RFC 4616).

use alloc::vec::Vec;

use nom::bytes::complete::{tag, take_till, take_till1};
use nom::combinator::{all_consuming, rest_len, verify};
use nom::sequence::{preceded, terminated};
use nom::{IResult, Parser as _};

use super::Error;

/// Puts a message together. A NUL would move the borders between its parts, and an empty part isn't one.
pub(super) fn message(authzid: &str, user: &str, password: &str) -> Result<Vec<u8>, Error> {
    if authzid.contains('\0') {
        return Err(Error::Unsendable("the authorization identity"));
    }
    if user.is_empty() || user.contains('\0') {
        return Err(Error::Unsendable("the user's name"));
    }
    if password.is_empty() || password.contains('\0') {
        return Err(Error::Unsendable("the password"));
    }
    Ok([authzid, "\0", user, "\0", password].concat().into_bytes())
}

/// Takes a message apart: authorization identity (or empty), name, password.
///
/// ```text
/// message   = [authzid] UTF8NUL authcid UTF8NUL passwd      ; RFC 4616, 2
/// authcid   = 1*SAFE
/// authzid   = 1*SAFE
/// passwd    = 1*SAFE
/// ```
pub(super) fn parse(message: &[u8]) -> Result<(&str, &str, &str), Error> {
    let text = core::str::from_utf8(message).map_err(|_| Error::Malformed("PLAIN: not UTF-8"))?;
    let (_, parts) = parts(text).map_err(|_| Error::Malformed("PLAIN: not three parts"))?;
    Ok(parts)
}

fn parts(input: &str) -> IResult<&str, (&str, &str, &str)> {
    let authzid = take_till(|c| c == '\0');
    let user = preceded(tag("\0"), take_till1(|c| c == '\0'));
    let password = preceded(tag("\0"), take_till1(|c| c == '\0'));
    terminated((authzid, user, password), all_consuming(verify(rest_len, |n| *n == 0))).parse(input)
}
