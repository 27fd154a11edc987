use super::Extension;
use crate::octets::{self, key};

/// Why text can't be a line of an EHLO response: a keyword, and words of `!` to `~` behind one space each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a line of an EHLO response: a keyword, then words of printable ASCII, 506 octets in all")]
#[non_exhaustive]
pub struct Invalid;

impl Extension {
    /// The extension of this EHLO keyword, in any case; `None` if this crate doesn't know it.
    #[must_use]
    #[inline]
    pub fn from_keyword(keyword: impl AsRef<[u8]>) -> Option<Self> {
        let keyword = keyword.as_ref();
        macro_rules! short {
            ($($extension:ident)*) => {{
                let (found, _) = key(keyword);
                $(if found == const { key(Self::$extension.keyword().as_bytes()).0 } { return Some(Self::$extension) })*
                None
            }};
        }
        macro_rules! long {
            ($($extension:ident)*) => {{
                let found = key(keyword);
                $(if found == const { key(Self::$extension.keyword().as_bytes()) } { return Some(Self::$extension) })*
                None
            }};
        }
        match keyword.len() {
            3 => short!(Dsn),
            4 => short!(Size Auth Help Etrn Vrfy Expn Rrvs Mtrk Prdr),
            6 => short!(Limits),
            7 => short!(Xclient),
            8 => short!(EightBitMime StartTls SmtpUtf8 Chunking Xforward),
            9 => long!(DeliverBy),
            10 => long!(Pipelining BinaryMime RequireTls),
            11 => long!(MtPriority PipeConnect),
            13 => long!(NoSoliciting FutureRelease),
            // The two ends of a key leave a gap in a keyword of more than 16.
            19 => {
                const NAME: &[u8] = Extension::EnhancedStatusCodes.keyword().as_bytes();
                let (front, back) = (key(&keyword[..16]), key(&keyword[11..]));
                let found =
                    front == const { key(NAME.split_at(16).0) } && back == const { key(NAME.split_at(11).1) };
                found.then_some(Self::EnhancedStatusCodes)
            }
            _ => None,
        }
    }
}

/// ehlo-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-") (RFC 5321, 4.1.1.1), and `_`, which servers use
pub(super) fn is_keyword(keyword: &[u8]) -> bool {
    keyword.first().is_some_and(u8::is_ascii_alphanumeric)
        && keyword.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

/// ehlo-param = 1*(%d33-126), parted by SP (RFC 5321, 4.1.1.1)
pub(super) fn is_words(words: &[u8]) -> bool {
    words.is_empty()
        || words.split(|b| *b == b' ').all(|word| !word.is_empty() && word.iter().all(u8::is_ascii_graphic))
}

/// ehlo-line = ehlo-keyword *( SP ehlo-param ), as keyword and parameters.
///
/// `AUTH=` counts as `AUTH `: servers of the time before RFC 2554 say so, and some say both.
#[inline]
pub(super) fn split(line: &[u8]) -> (&[u8], &[u8]) {
    let end = octets::find::<33>(line, 0, |octet| matches!(octet, b' ' | b'\t'));
    parted(line, end.unwrap_or(line.len()))
}

/// The same for a line of which the first `end` octets are ahead of its first space or HT.
#[inline]
pub(super) fn parted(line: &[u8], end: usize) -> (&[u8], &[u8]) {
    let (keyword, words) = line.split_at(end);
    if let [a, u, t, h, b'=', ..] = keyword
        && [*a, *u, *t, *h].eq_ignore_ascii_case(b"AUTH")
    {
        return (&line[..4], &line[5..]);
    }
    (keyword, if words.is_empty() { words } else { words.trim_ascii() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_are_found_in_any_case_and_nothing_else_is() {
        for extension in Extension::ALL {
            let mut keyword = extension.keyword().as_bytes().to_vec();
            assert_eq!(Extension::from_keyword(&keyword), Some(*extension));
            assert_eq!(Extension::from_keyword(keyword.to_ascii_lowercase()), Some(*extension));
            for at in 0..keyword.len() {
                let octet = keyword[at];
                for other in (0..=255).filter(|other: &u8| !other.eq_ignore_ascii_case(&octet)) {
                    keyword[at] = other;
                    assert_eq!(Extension::from_keyword(&keyword), None, "{}", keyword.escape_ascii());
                }
                keyword[at] = octet;
            }
            keyword.push(b'X');
            assert_eq!(Extension::from_keyword(&keyword), None);
        }
    }

    #[test]
    fn lines_are_parted() {
        for (line, keyword, words) in [
            ("SIZE 1", "SIZE", "1"),
            ("SIZE", "SIZE", ""),
            ("auth=PLAIN LOGIN", "auth", "PLAIN LOGIN"),
            ("AUTH =PLAIN", "AUTH", "=PLAIN"),
            ("XSIZE=1 2 ", "XSIZE=1", "2"),
        ] {
            assert_eq!(split(line.as_bytes()), (keyword.as_bytes(), words.as_bytes()));
        }
    }
}
