//! Stand-ins for `auth::{Base64, MechanismName}` with their signatures, until those are there.
#![allow(missing_docs, unreachable_pub, reason = "this file goes when auth brings the types themselves")]

use alloc::borrow::Cow;
use alloc::string::String;
use core::str::from_utf8;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MechanismName<'a>(Cow<'a, str>);

impl<'a> MechanismName<'a> {
    pub fn parse(input: &'a [u8]) -> Result<Self, ()> {
        let good = |o: &u8| o.is_ascii_alphanumeric() || matches!(o, b'-' | b'_');
        let text = from_utf8(input).map_err(|_| ())?;
        if (1..=20).contains(&input.len()) && input.iter().all(good) {
            Ok(Self(text.into()))
        } else {
            Err(())
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn into_owned(self) -> MechanismName<'static> {
        MechanismName(Cow::Owned(String::from(self.0)))
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Base64<'a>(Cow<'a, str>);

impl<'a> Base64<'a> {
    pub fn parse_initial(input: &'a [u8]) -> Result<Self, ()> {
        let text = from_utf8(input).map_err(|_| ())?;
        let text = if text == "=" { "" } else { text };
        let good = |o: u8| o.is_ascii_alphanumeric() || matches!(o, b'+' | b'/');
        let body = text.trim_end_matches('=');
        let padded = text.len() % 4 == 0 && text.len() - body.len() <= 2;
        if padded && body.bytes().all(good) { Ok(Self(text.into())) } else { Err(()) }
    }

    pub fn as_initial(&self) -> &str {
        if self.0.is_empty() { "=" } else { &self.0 }
    }

    pub fn into_owned(self) -> Base64<'static> {
        Base64(Cow::Owned(String::from(self.0)))
    }
}
