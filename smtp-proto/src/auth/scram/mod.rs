//! SCRAM (RFC 5802, RFC 7677): what both roles share. `client` and `server` mirror each other.

mod client;
mod secret;
mod server;

use alloc::string::String;
use alloc::vec::Vec;

use nom::bytes::complete::{tag, take_while, take_while1};
use nom::combinator::{map_opt, recognize};
use nom::multi::many0_count;
use nom::sequence::preceded;
use nom::{IResult, Parser as _};

pub(super) use client::Client;
pub(super) use server::{Answer, Identity, Server};

use super::base64::{self, Base64};
use super::hash::Hash;
use super::{Error, NONCE_MIN};

/// The fewest iterations that either role agrees to (RFC 5802, 5.1; RFC 7677, 3).
pub const ITERATIONS_MIN: u32 = 4096;

/// The most iterations that a client computes for a server that has not yet proved anything: well over the 600,000 that
/// OWASP advises for SHA-256, and about a second's work.
pub const ITERATIONS_MAX: u32 = 1_000_000;

/// The keys of RFC 5802, 3.
struct Keys {
    client: Vec<u8>,
    stored: Vec<u8>,
    server: Vec<u8>,
}

impl Keys {
    /// Of a password that SASLprep has been through. This is the slow part, by design.
    fn derive(hash: Hash, password: &str, salt: &[u8], iterations: u32) -> Self {
        let salted = hash.stretch(password.as_bytes(), salt, iterations);
        let client = hash.hmac(&salted, b"Client Key");
        Self { stored: hash.digest(&client), server: hash.hmac(&salted, b"Server Key"), client }
    }
}

fn xor(left: &[u8], right: &[u8]) -> Vec<u8> {
    left.iter().zip(right).map(|(left, right)| left ^ right).collect()
}

/// The text of a nonce: base64 has no comma.
fn nonce_text(random: &[u8]) -> Result<String, Error> {
    if random.len() < NONCE_MIN {
        return Err(Error::NonceTooShort);
    }
    Ok(base64::text(random))
}

/// The input of `c=`.
///
/// ```text
/// cbind-input = gs2-header [ cbind-data ]           ; RFC 5802, 7
/// ```
fn binding_input(header: &str, binding: &[u8]) -> Vec<u8> {
    [header.as_bytes(), binding].concat()
}

/// ```text
/// nonce     = "r=" c-nonce [s-nonce]                ; RFC 5802, 7
/// printable = %x21-2B / %x2D-7E
/// ```
fn nonce(input: &str) -> IResult<&str, &str> {
    preceded(tag("r="), take_while1(|c| matches!(c, '!'..='~') && c != ',')).parse(input)
}

/// Base64 behind `name`, decoded.
fn octets<'a>(
    name: &'static str,
) -> impl nom::Parser<&'a str, Output = Vec<u8>, Error = nom::error::Error<&'a str>> {
    let text = take_while(|c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '='));
    map_opt(preceded(tag(name), text), |text: &str| {
        Base64::parse(text.as_bytes()).ok().map(|text| text.decode())
    })
}

/// Extensions are skipped, as they must be; `m=`, which may not be skipped, stands where none of this looks for it.
///
/// ```text
/// extensions = attr-val *("," attr-val)             ; RFC 5802, 7
/// attr-val   = ALPHA "=" value
/// ```
fn extensions(input: &str) -> IResult<&str, &str> {
    recognize(many0_count((tag(","), attribute))).parse(input)
}

fn attribute(input: &str) -> IResult<&str, &str> {
    let name = nom::character::complete::satisfy(|c| c.is_ascii_alphabetic() && !matches!(c, 'm' | 'p'));
    recognize((name, tag("="), take_while1(|c| !matches!(c, '\0' | ',')))).parse(input)
}
