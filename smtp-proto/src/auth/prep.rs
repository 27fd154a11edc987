use alloc::borrow::Cow;

use super::Error;

/// Prepares a name or a password as SASLprep does (RFC 4013), so that what looks the same compares the same.
///
/// Printable ASCII stays as it is. Anything else needs the feature `saslprep`. Unassigned code points are refused in
/// names too, where RFC 5802, 5.1 would let them pass: a name that two sides prepare differently is nobody's gain.
///
/// # Errors
/// [`Error::Prohibited`] if the text is empty, becomes so, or has characters that SASLprep (or this build) forbids.
///
/// ```
/// use smtp_proto::auth::saslprep;
///
/// assert_eq!(saslprep("pencil").unwrap(), "pencil");
/// assert!(saslprep("bell\x07").is_err());
/// # #[cfg(feature = "saslprep")]
/// assert_eq!(saslprep("I\u{AD}X").unwrap(), "IX"); // a soft hyphen is mapped to nothing
/// ```
pub fn saslprep(text: &str) -> Result<Cow<'_, str>, Error> {
    let prepared = match text.bytes().all(|c| matches!(c, b' '..=b'~')) {
        true => Cow::Borrowed(text),
        false => beyond_ascii(text)?,
    };
    if prepared.is_empty() {
        return Err(Error::Prohibited);
    }
    Ok(prepared)
}

#[cfg(feature = "saslprep")]
fn beyond_ascii(text: &str) -> Result<Cow<'_, str>, Error> {
    stringprep::saslprep(text).map_err(|_| Error::Prohibited)
}

#[cfg(not(feature = "saslprep"))]
const fn beyond_ascii(_: &str) -> Result<Cow<'_, str>, Error> {
    Err(Error::Prohibited)
}

#[cfg(test)]
#[cfg(feature = "saslprep")]
mod tests {
    use super::*;

    #[test]
    fn examples_of_rfc_4013() {
        for (input, output) in
            [("user", "user"), ("USER", "USER"), ("\u{AA}", "a"), ("\u{2168}", "IX"), ("a\u{A0}b", "a b")]
        {
            assert_eq!(saslprep(input).unwrap(), output);
        }
        for bad in ["\u{7}", "\u{627}\u{31}", "", "\u{AD}"] {
            assert_eq!(saslprep(bad), Err(Error::Prohibited), "{bad:?}");
        }
    }
}
