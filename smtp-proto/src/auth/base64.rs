use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use ::base64::Engine as _;
use ::base64::engine::general_purpose::STANDARD;

use super::Error;

/// Base64 text as AUTH carries it: checked when made, decoded when asked for.
///
/// It is what a password travels in, so `Debug` shows its length only.
///
/// ```
/// use smtp_proto::auth::Base64;
///
/// assert_eq!(Base64::parse(b"AGEAYg==").unwrap().decode(), b"\0a\0b");
/// assert!(Base64::parse(b"AGEAYg").is_err());
/// assert_eq!(Base64::parse_initial(b"=").unwrap().decode(), b"");
/// assert_eq!(Base64::encode(b"").as_initial(), "=");
/// ```
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Base64<'a>(Cow<'a, str>);

impl<'a> Base64<'a> {
    /// Takes a challenge or a response. Strict, as RFC 4954, 4 wants it: nothing outside the alphabet, padding present
    /// and only at the end, unused bits zero. Empty text is an empty message.
    ///
    /// ```text
    /// base64          = base64-terminal / ( 1*(4base64-char) [base64-terminal] )    ; RFC 4954, 8
    /// base64-char     = ALPHA / DIGIT / "+" / "/"
    /// base64-terminal = (2base64-char "==") / (3base64-char "=")
    /// ```
    ///
    /// # Errors
    /// [`Error::Base64`] for anything else.
    pub fn parse(input: &'a [u8]) -> Result<Self, Error> {
        if !is_base64(input) {
            return Err(Error::Base64);
        }
        let text = core::str::from_utf8(input).map_err(|_| Error::Base64)?;
        Ok(Self(Cow::Borrowed(text)))
    }

    /// Takes the initial response of an AUTH command, where `=` stands for an empty one and no text at all is an error.
    ///
    /// ```text
    /// initial-response = base64 / "="      ; RFC 4954, 8
    /// ```
    ///
    /// # Errors
    /// [`Error::Base64`] for anything else.
    pub fn parse_initial(input: &'a [u8]) -> Result<Self, Error> {
        match input {
            b"" => Err(Error::Base64),
            b"=" => Ok(Self::default()),
            _ => Self::parse(input),
        }
    }

    /// Encodes `octets`.
    #[must_use]
    pub fn encode(octets: &[u8]) -> Base64<'static> {
        Base64(Cow::Owned(STANDARD.encode(octets)))
    }

    /// The text, empty for an empty message.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text as an initial response: `=` for an empty message.
    #[must_use]
    pub fn as_initial(&self) -> &str {
        if self.0.is_empty() { "=" } else { &self.0 }
    }

    /// The octets that the text stands for.
    #[must_use]
    pub fn decode(&self) -> Vec<u8> {
        let mut octets = Vec::new();
        self.decode_into(&mut octets);
        octets
    }

    /// Appends the octets that the text stands for.
    pub fn decode_into(&self, octets: &mut Vec<u8>) {
        let decoded = STANDARD.decode_vec(self.0.as_bytes(), octets);
        debug_assert!(decoded.is_ok(), "what was checked when made decodes");
    }

    /// The same text without the borrow.
    #[must_use]
    pub fn into_owned(self) -> Base64<'static> {
        Base64(Cow::Owned(self.0.into_owned()))
    }

    /// The same text, borrowed.
    #[must_use]
    pub fn as_borrowed(&self) -> Base64<'_> {
        Base64(Cow::Borrowed(&self.0))
    }
}

impl fmt::Debug for Base64<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Base64({} characters)", self.0.len())
    }
}

/// The text that stands for `octets`, for the mechanisms that nest base64 in their messages.
pub(super) fn text(octets: &[u8]) -> String {
    STANDARD.encode(octets)
}

fn is_base64(input: &[u8]) -> bool {
    if !input.len().is_multiple_of(4) {
        return false;
    }
    let (characters, unused) = match input {
        [rest @ .., b'=', b'='] => (rest, 0b1111),
        [rest @ .., b'='] => (rest, 0b11),
        _ => (input, 0),
    };
    characters.iter().all(|c| sextet(*c).is_some())
        && characters.last().and_then(|c| sextet(*c)).is_none_or(|last| last & unused == 0)
}

const fn sextet(character: u8) -> Option<u8> {
    match character {
        b'A'..=b'Z' => Some(character - b'A'),
        b'a'..=b'z' => Some(character - b'a' + 26),
        b'0'..=b'9' => Some(character - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strictly_what_the_grammar_allows() {
        for good in ["", "AA==", "AAA=", "AAAA", "AAAAAA==", "+/+/"] {
            let parsed = Base64::parse(good.as_bytes()).unwrap();
            assert_eq!(Base64::encode(&parsed.decode()), parsed, "{good}");
        }
        // The first two are RFC 4954's own; the last four leave bits set behind the end.
        for bad in [
            "=AAA", "AAA=BBB", "=", "==", "===", "====", "A===", "A", "AA", "AAA", "AA-_", "AA\r\n", "A A=",
            "AB==", "AAB=", "Ab==", "//==",
        ] {
            assert_eq!(Base64::parse(bad.as_bytes()), Err(Error::Base64), "{bad}");
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        assert_eq!(alloc::format!("{:?}", Base64::encode(b"secret")), "Base64(8 characters)");
    }
}
