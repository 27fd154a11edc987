use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt::{self, Write as _};
use core::hash::{Hash, Hasher};

use super::grammar::{self, Keyword, Side};
use super::{BodyType, DeliverBy, Error, Notify, Orcpt, Param, Ret, RrvsAction, Xtext};
use crate::address::class::{has_control, split, trim};
use crate::extension::Extensions;

/// The parameters of one MAIL or RCPT.
///
/// The text is kept as it stood; it was checked when it came. Two are equal when they have the same words.
///
/// ```
/// use smtp_proto::param::{Param, Params, Ret};
/// let (params, declared) = Params::parse_mail("SIZE=1000 ret=HDRS XFOO=1")?;
/// assert_eq!(params.size(), Some(1000));
/// assert_eq!(params.ret(), Some(Ret::Hdrs));
/// assert!(declared.unknown);
/// assert_eq!(Params::default().with(&Param::Size(1000))?.as_str(), "SIZE=1000");
/// # Ok::<(), smtp_proto::param::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Params<'a>(Cow<'a, str>);

/// What a state machine must know of the parameters of a command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Declared {
    /// The octets that the message will have (RFC 1870).
    pub size: Option<u64>,
    /// What its body is made of.
    pub body: BodyType,
    /// The message or its envelope may be internationalised (RFC 6531).
    pub smtputf8: bool,
    /// Every hop must use TLS (RFC 8689).
    pub requiretls: bool,
    /// Per-recipient answers after the end of data are asked for.
    pub prdr: bool,
    /// Every extension that one of the parameters needs.
    pub needs: Extensions,
    /// Whether there is a parameter that this crate does not know for this command.
    pub unknown: bool,
}

impl<'a> Params<'a> {
    /// Takes the parameters of MAIL, as they stand behind the reverse-path.
    ///
    /// A keyword that is not known is kept, and said to be there by [`Declared::unknown`].
    ///
    /// # Errors
    /// What a server answers with 501.
    pub fn parse_mail(text: &'a str) -> Result<(Self, Declared), Error> {
        Self::parse(text, Side::Mail)
    }

    /// Takes the parameters of RCPT, as they stand behind the forward-path.
    ///
    /// # Errors
    /// As [`Params::parse_mail`].
    pub fn parse_rcpt(text: &'a str) -> Result<(Self, Declared), Error> {
        Self::parse(text, Side::Rcpt)
    }

    /// Takes parameters of either command, each keyword by its own command's rules.
    #[cfg(feature = "serde")]
    pub(crate) fn parse_either(text: &'a str) -> Result<Self, Error> {
        declared(text, None).map(|_| Self(Cow::Borrowed(text)))
    }

    /// `Mail-parameters = esmtp-param *(SP esmtp-param)`, and Rcpt-parameters the same (RFC 5321, 4.1.2). More than one
    /// space between two is taken.
    #[inline(always)]
    pub(crate) fn parse(text: &'a str, side: Side) -> Result<(Self, Declared), Error> {
        let text = trim(text, [b' ']);
        let declared = declared(text, Some(side))?;
        Ok((Self(Cow::Borrowed(text)), declared))
    }

    /// The text as it stood.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether none needs SMTPUTF8 on the wire.
    #[must_use]
    pub fn is_ascii(&self) -> bool {
        self.0.is_ascii()
    }

    /// Every parameter, in order.
    pub fn iter(&self) -> impl Iterator<Item = Param<'_>> {
        self.words().map(|word| match grammar::param(word, None, |_, param| param) {
            Ok((_, param)) => param,
            // One that is known, but not for the command that it came with: nobody has looked at its value.
            Err(_) => {
                let (keyword, value) = word.split_once('=').map_or((word, None), |(k, v)| (k, Some(v)));
                Param::Other { keyword, value }
            }
        })
    }

    /// These and one more.
    ///
    /// # Errors
    /// As the parsers: [`Error::Twice`] when it stands there already, [`Error::BadValue`] or [`Error::Malformed`] when
    /// its value cannot be written.
    pub fn with(&self, param: &Param<'_>) -> Result<Params<'static>, Error> {
        let mut word = String::new();
        // Writing to a String cannot fail.
        let _ = write!(word, "{param}");
        match grammar::param(&word, None, |_, param| param) {
            Ok(("", Param::Auth(sender))) if !grammar::names_sender(sender.as_str()) => {
                return Err(Error::BadValue("AUTH"));
            }
            Ok(("", _)) => {}
            Ok(_) => return Err(Error::Malformed),
            Err(nom::Err::Error(error) | nom::Err::Failure(error)) => return Err(error),
            Err(nom::Err::Incomplete(_)) => return Err(Error::Malformed),
        }
        let mut text = String::with_capacity(self.0.len() + 1 + word.len());
        for word in self.words() {
            text.push_str(word);
            text.push(' ');
        }
        text.push_str(&word);
        declared(&text, None)?;
        Ok(Params(Cow::Owned(text)))
    }

    /// The same, borrowing from nothing.
    #[must_use]
    pub fn into_owned(self) -> Params<'static> {
        Params(Cow::Owned(self.0.into_owned()))
    }

    /// The same, borrowing from this one.
    #[must_use]
    pub fn as_borrowed(&self) -> Params<'_> {
        Params(Cow::Borrowed(&self.0))
    }

    pub(crate) fn words(&self) -> impl Iterator<Item = &str> {
        self.0.split(' ').filter(|word| !word.is_empty())
    }

    fn find<T>(&self, wanted: impl Fn(Param<'_>) -> Option<T>) -> Option<T> {
        self.iter().find_map(wanted)
    }
}

/// One parameter at a time, each as its own type.
impl Params<'_> {
    /// SIZE (RFC 1870): octets.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        self.find(|param| if let Param::Size(size) = param { Some(size) } else { None })
    }

    /// BODY (RFC 6152).
    #[must_use]
    pub fn body(&self) -> Option<BodyType> {
        self.find(|param| if let Param::Body(body) = param { Some(body) } else { None })
    }

    /// Whether SMTPUTF8 is there (RFC 6531).
    #[must_use]
    pub fn smtputf8(&self) -> bool {
        self.iter().any(|param| param == Param::SmtpUtf8)
    }

    /// Whether REQUIRETLS is there (RFC 8689).
    #[must_use]
    pub fn requiretls(&self) -> bool {
        self.iter().any(|param| param == Param::RequireTls)
    }

    /// Whether PRDR is there.
    #[must_use]
    pub fn prdr(&self) -> bool {
        self.iter().any(|param| param == Param::Prdr)
    }

    /// RET (RFC 3461, 4.3).
    #[must_use]
    pub fn ret(&self) -> Option<Ret> {
        self.find(|param| if let Param::Ret(ret) = param { Some(ret) } else { None })
    }

    /// ENVID (RFC 3461, 4.4).
    #[must_use]
    pub fn envid(&self) -> Option<Xtext<'_>> {
        self.iter().find_map(|param| if let Param::Envid(envid) = param { Some(envid) } else { None })
    }

    /// AUTH (RFC 4954, 5).
    #[must_use]
    pub fn auth(&self) -> Option<Xtext<'_>> {
        self.iter().find_map(|param| if let Param::Auth(auth) = param { Some(auth) } else { None })
    }

    /// BY (RFC 2852).
    #[must_use]
    pub fn by(&self) -> Option<DeliverBy> {
        self.find(|param| if let Param::By(by) = param { Some(by) } else { None })
    }

    /// HOLDFOR (RFC 4865): seconds.
    #[must_use]
    pub fn hold_for(&self) -> Option<u32> {
        self.find(|param| if let Param::HoldFor(seconds) = param { Some(seconds) } else { None })
    }

    /// HOLDUNTIL (RFC 4865): date and time by RFC 3339.
    #[must_use]
    pub fn hold_until(&self) -> Option<&str> {
        self.iter().find_map(|param| if let Param::HoldUntil(until) = param { Some(until) } else { None })
    }

    /// MT-PRIORITY (RFC 6710).
    #[must_use]
    pub fn mt_priority(&self) -> Option<i8> {
        self.find(|param| if let Param::MtPriority(priority) = param { Some(priority) } else { None })
    }

    /// SOLICIT (RFC 3865).
    #[must_use]
    pub fn solicit(&self) -> Option<&str> {
        self.iter().find_map(|param| if let Param::Solicit(words) = param { Some(words) } else { None })
    }

    /// MTRK (RFC 3885): certifier and timeout.
    #[must_use]
    pub fn mtrk(&self) -> Option<(&str, Option<u32>)> {
        self.iter().find_map(|param| match param {
            Param::Mtrk { certifier, timeout } => Some((certifier, timeout)),
            _ => None,
        })
    }

    /// NOTIFY (RFC 3461, 4.1).
    #[must_use]
    pub fn notify(&self) -> Option<Notify> {
        self.find(|param| if let Param::Notify(notify) = param { Some(notify) } else { None })
    }

    /// ORCPT (RFC 3461, 4.2).
    #[must_use]
    pub fn orcpt(&self) -> Option<Orcpt<'_>> {
        self.iter().find_map(|param| if let Param::Orcpt(orcpt) = param { Some(orcpt) } else { None })
    }

    /// RRVS (RFC 7293): since when, by RFC 3339, and what to do if that cannot be told.
    #[must_use]
    pub fn rrvs(&self) -> Option<(&str, Option<RrvsAction>)> {
        self.iter().find_map(|param| match param {
            Param::Rrvs { since, action } => Some((since, action)),
            _ => None,
        })
    }
}

/// Reads every parameter of `text` once. With no side given, each keyword is taken for its own command's.
#[inline(always)]
fn declared(text: &str, side: Option<Side>) -> Result<Declared, Error> {
    let (mut size, mut body) = (None, BodyType::default());
    let (mut needs, mut seen, mut unknown) = (Extensions::NONE, 0_u32, false);
    // Within the classes, only text that is not ASCII can hide a control: one of C1.
    if !text.is_ascii() && has_control(text) {
        return Err(Error::Malformed);
    }
    let mut rest = text;
    while !rest.is_empty() {
        let mut twice = None;
        let behind = grammar::param(rest, side, |keyword, param| {
            let Some(keyword) = keyword else { return unknown = true };
            if seen & 1 << keyword as u8 != 0 {
                twice = Some(keyword);
            }
            seen |= 1 << keyword as u8;
            match param {
                Param::Size(octets) => size = Some(octets),
                Param::Body(of) => body = of,
                _ => {}
            }
            needs = param.extension().map_or(needs, |extension| needs.with(extension));
        });
        let behind = match behind {
            Ok((behind, ())) => behind,
            Err(nom::Err::Error(error) | nom::Err::Failure(error)) => return Err(error),
            Err(nom::Err::Incomplete(_)) => return Err(Error::Malformed),
        };
        if let Some(keyword) = twice {
            return Err(Error::Twice(keyword.as_str()));
        }
        (_, rest) = split(behind, |octet| octet == b' ');
    }
    let stands = |keyword: Keyword| seen & 1 << keyword as u8 != 0;
    if stands(Keyword::HoldFor) && stands(Keyword::HoldUntil) {
        return Err(Error::TwoHolds);
    }
    let (smtputf8, requiretls) = (stands(Keyword::SmtpUtf8), stands(Keyword::RequireTls));
    Ok(Declared { size, body, smtputf8, requiretls, prdr: stands(Keyword::Prdr), needs, unknown })
}

impl Declared {
    /// Parameters of which nothing is known.
    pub(crate) const UNKNOWN: Self = Self {
        size: None,
        body: BodyType::SevenBit,
        smtputf8: false,
        requiretls: false,
        prdr: false,
        needs: Extensions::NONE,
        unknown: true,
    };
}

impl PartialEq<Params<'_>> for Params<'_> {
    fn eq(&self, other: &Params<'_>) -> bool {
        self.words().eq(other.words())
    }
}

impl Eq for Params<'_> {}

impl Hash for Params<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.words().for_each(|word| word.hash(state));
    }
}

impl fmt::Debug for Params<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.words()).finish()
    }
}

/// The words, each with a space ahead of it, as they stand behind a path.
impl fmt::Display for Params<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.words().try_for_each(|word| write!(f, " {word}"))
    }
}
