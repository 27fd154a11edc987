//! The header that SCRAM and OAUTHBEARER messages begin with (RFC 5801, 4; RFC 5802, 7).

use alloc::string::String;

use nom::branch::alt;
use nom::bytes::complete::{tag, take_while1};
use nom::combinator::{consumed, map, map_opt, opt, value};
use nom::sequence::{preceded, terminated};
use nom::{IResult, Parser as _};

/// What a client says of channel binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flag<'a> {
    /// `n`: it cannot.
    Unsupported,
    /// `y`: it could, and believes that the server cannot.
    NotOffered,
    /// `p=`: it does, of this type.
    Used(&'a str),
}

#[derive(Debug)]
pub(super) struct Header<'a> {
    pub(super) flag: Flag<'a>,
    pub(super) authzid: Option<String>,
    /// As it stood, since SCRAM hashes it.
    pub(super) raw: &'a str,
}

/// Takes a header off the front of a message.
///
/// ```text
/// gs2-header     = gs2-cbind-flag "," [ authzid ] ","          ; RFC 5802, 7
/// gs2-cbind-flag = ("p=" cb-name) / "n" / "y"
/// authzid        = "a=" saslname
/// cb-name        = 1*(ALPHA / DIGIT / "." / "-")
/// ```
/// `a` is what stands for `a=`: not everybody's is.
pub(super) fn header<'a>(
    a: &'static str,
) -> impl nom::Parser<&'a str, Output = Header<'a>, Error = nom::error::Error<&'a str>> {
    let name = take_while1(|c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'));
    let flag = alt((
        map(preceded(tag("p="), name), Flag::Used),
        value(Flag::Unsupported, tag("n")),
        value(Flag::NotOffered, tag("y")),
    ));
    let authzid = preceded(tag(a), saslname);
    let whole = (terminated(flag, tag(",")), terminated(opt(authzid), tag(",")));
    map(consumed(whole), |(raw, (flag, authzid))| Header { flag, authzid, raw })
}

/// ```text
/// saslname        = 1*(value-safe-char / "=2C" / "=3D")        ; RFC 5802, 7
/// value-safe-char = UTF8-char except NUL, "=", and ","
/// ```
pub(super) fn saslname(input: &str) -> IResult<&str, String> {
    map_opt(take_while1(|c| !matches!(c, '\0' | ',' | '\x01')), unescape).parse(input)
}

pub(super) fn escape(name: &str) -> String {
    name.replace('=', "=3D").replace(',', "=2C")
}

fn unescape(name: &str) -> Option<String> {
    let mut pieces = name.split('=');
    let mut out = String::from(pieces.next()?);
    for piece in pieces {
        let (character, rest) = piece.split_at_checked(2)?;
        out.push(match character {
            "2C" => ',',
            "3D" => '=',
            _ => return None,
        });
        out.push_str(rest);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers() {
        let (rest, read) = header("a=").parse("p=tls-exporter,a=o=2C=3Dk,n=user").unwrap();
        assert_eq!((rest, read.raw), ("n=user", "p=tls-exporter,a=o=2C=3Dk,"));
        assert_eq!((read.flag, read.authzid.as_deref()), (Flag::Used("tls-exporter"), Some("o,=k")));
        assert_eq!(escape("o,=k"), "o=2C=3Dk");
        for bad in [
            "",
            "n",
            "n,",
            "x,,",
            "p=,,",
            "p=a b,,",
            "n,a=,",
            "n,a==2c,",
            "n,a==3,",
            "n,a==3d,",
            "n,a==\u{e9}x,",
            "n,b=x,",
        ] {
            assert!(header("a=").parse(bad).is_err(), "{bad}");
        }
    }
}
