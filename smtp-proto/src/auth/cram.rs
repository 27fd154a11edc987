//! The messages of CRAM-MD5 (RFC 2195).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;

use super::hash::Hash;
use super::{Error, NONCE_MIN};

/// What stands between the brackets must be new each time; the clock that RFC 2195 suggests for it is not needed.
pub(super) fn challenge(nonce: &[u8], domain: &str) -> Result<Vec<u8>, Error> {
    if nonce.len() < NONCE_MIN {
        return Err(Error::NonceTooShort);
    }
    let domain = if domain.is_empty() { "localhost" } else { domain };
    Ok(["<", &hex(nonce), "@", domain, ">"].concat().into_bytes())
}

/// The user's name, a space, and the keyed digest of the challenge in lower-case hexadecimal (RFC 2195, 2).
pub(super) fn response(hash: Hash, user: &str, password: &str, challenge: &[u8]) -> Vec<u8> {
    [user, " ", &hex(&hash.hmac(password.as_bytes(), challenge))].concat().into_bytes()
}

/// Takes a response apart into name and digest; the name may have spaces in it.
pub(super) fn parse(response: &[u8]) -> Result<(&str, Vec<u8>), Error> {
    const WHAT: Error = Error::Malformed("CRAM-MD5");
    let text = core::str::from_utf8(response).map_err(|_| WHAT)?;
    let (user, digest) = text.rsplit_once(' ').ok_or(WHAT)?;
    if user.is_empty() || user.contains('\0') || digest.len() != 32 {
        return Err(WHAT);
    }
    Ok((user, unhex(digest).ok_or(WHAT)?))
}

pub(super) fn fits(hash: Hash, digest: &[u8], password: &str, challenge: &[u8]) -> bool {
    hash.equal(digest, &hash.hmac(password.as_bytes(), challenge))
}

fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::with_capacity(octets.len() * 2), |mut text, octet| {
        let _ = write!(text, "{octet:02x}");
        text
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |c: u8| char::from(c).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    text.as_bytes().chunks_exact(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}
