use alloc::vec::Vec;

use crate::address::{self, ForwardPath, Mailbox, ReversePath};
use crate::dot::{Flaws, survey};
use crate::extension::{Capabilities, Extension};
use crate::param::{BodyType, Param, Params};

/// Who a message is from and for (RFC 5321, 2.3.1).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Envelope<'a> {
    /// Where failures are reported.
    pub from: ReversePath<'a>,
    /// MAIL's parameters beside SIZE, BODY and SMTPUTF8, which are added as the message and the server need them.
    pub params: Params<'a>,
    /// The recipients, in the order of their results.
    pub to: Vec<Recipient<'a>>,
}

/// One recipient.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Recipient<'a> {
    /// Whom to deliver to.
    pub path: ForwardPath<'a>,
    /// RCPT's parameters.
    pub params: Params<'a>,
}

impl<'a> Envelope<'a> {
    /// An envelope without parameters.
    pub fn new(
        from: impl Into<ReversePath<'a>>,
        to: impl IntoIterator<Item = impl Into<Recipient<'a>>>,
    ) -> Self {
        let to = to.into_iter().map(Into::into).collect();
        Self { from: from.into(), params: Params::default(), to }
    }

    /// An envelope of addresses as people write them: `ann@example.org`, with or without angle brackets. An empty
    /// sender is the null reverse-path, and `postmaster` needs no domain.
    ///
    /// ```
    /// use smtp_proto::session::Envelope;
    ///
    /// let envelope = Envelope::parse("ann@example.org", ["ben@example.net", "<cat@example.com>"])?;
    /// assert_eq!(envelope.to[1].path.as_str(), "cat@example.com");
    /// # Ok::<(), smtp_proto::address::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The first address that is none.
    pub fn parse(from: &'a str, to: impl IntoIterator<Item = &'a str>) -> Result<Self, address::Error> {
        let from = match bare(from) {
            "" => ReversePath::Null,
            from => ReversePath::Mailbox(Mailbox::parse(from)?),
        };
        let to = to.into_iter().map(|to| match bare(to) {
            to if to.eq_ignore_ascii_case("postmaster") => Ok(ForwardPath::Postmaster.into()),
            to => Ok(ForwardPath::Mailbox(Mailbox::parse(to)?).into()),
        });
        Ok(Self { from, params: Params::default(), to: to.collect::<Result<_, address::Error>>()? })
    }

    /// The same, borrowing from nothing.
    #[must_use]
    pub fn into_owned(self) -> Envelope<'static> {
        let to = self.to.into_iter();
        let owned =
            |to: Recipient<'_>| Recipient { path: to.path.into_owned(), params: to.params.into_owned() };
        Envelope {
            from: self.from.into_owned(),
            params: self.params.into_owned(),
            to: to.map(owned).collect(),
        }
    }

    /// With one parameter of MAIL more.
    ///
    /// # Errors
    ///
    /// As [`Params::with`].
    pub fn with(mut self, param: &Param<'_>) -> Result<Self, crate::param::Error> {
        self.params = self.params.with(param)?;
        Ok(self)
    }

    /// The same for some of its recipients only, by their places.
    ///
    /// # Panics
    ///
    /// On a place that it doesn't have.
    #[must_use]
    pub fn part(&self, places: &[usize]) -> Envelope<'_> {
        Envelope {
            from: self.from.as_borrowed(),
            params: self.params.as_borrowed(),
            to: places.iter().map(|at| self.to[*at].clone()).collect(),
        }
    }

    fn is_ascii(&self) -> bool {
        self.from.is_ascii() && self.to.iter().all(|to| to.path.is_ascii())
    }
}

fn bare(address: &str) -> &str {
    address.strip_prefix('<').and_then(|address| address.strip_suffix('>')).unwrap_or(address)
}

impl<'a, P: Into<ForwardPath<'a>>> From<P> for Recipient<'a> {
    fn from(path: P) -> Self {
        Self { path: path.into(), params: Params::default() }
    }
}

impl<'a> Recipient<'a> {
    /// With one parameter of RCPT more.
    ///
    /// # Errors
    ///
    /// As [`Params::with`].
    pub fn with(mut self, param: &Param<'_>) -> Result<Self, crate::param::Error> {
        self.params = self.params.with(param)?;
        Ok(self)
    }
}

/// What a message is made of, as far as the server has to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Content {
    /// Octets, each line's end counted as two; `None` if unknown.
    pub size: Option<u64>,
    /// 7-bit, 8-bit, or binary.
    pub body: BodyType,
    /// Header fields with octets over 127: the message needs SMTPUTF8 (RFC 6531).
    pub utf8_header: bool,
}

impl Content {
    /// Of a message that lies in memory.
    #[must_use]
    pub fn of(message: &[u8]) -> Self {
        let survey = survey(message);
        let eight_bit = survey.flaws.contains(Flaws::EIGHT_BIT);
        Self {
            size: Some(survey.size),
            body: if eight_bit { BodyType::EightBitMime } else { BodyType::SevenBit },
            utf8_header: survey.header_eight_bit,
        }
    }

    /// Of a message that is not known before it is read: taken for 8-bit.
    #[must_use]
    pub const fn unknown() -> Self {
        Self { size: None, body: BodyType::EightBitMime, utf8_header: false }
    }
}

/// Why a message cannot go to this server as it is: found before anything was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unsendable {
    /// It is longer than the server's SIZE.
    #[error("the message has {size} octets, and the server takes {limit}")]
    TooBig {
        /// Octets of the message.
        size: u64,
        /// Octets that the server takes.
        limit: u64,
    },
    /// It needs an extension that the server doesn't offer.
    #[error("the server does not offer {}", .0.keyword())]
    Needs(Extension),
    /// There is nobody to send it to.
    #[error("no recipients")]
    NoRecipients,
    /// The parameters given contradict what the message is.
    #[error("the envelope's parameters: {0}")]
    Params(#[from] crate::param::Error),
}

impl Envelope<'_> {
    /// MAIL's parameters for this message and this server, or why it can't be sent (RFC 1870, 6152, 6531, 3030).
    pub(super) fn negotiate(
        &self,
        content: &Content,
        offered: &Capabilities<'_>,
    ) -> Result<Params<'static>, Unsendable> {
        if self.to.is_empty() {
            return Err(Unsendable::NoRecipients);
        }
        let need =
            |extension| if offered.has(extension) { Ok(()) } else { Err(Unsendable::Needs(extension)) };
        for param in self.params.iter().chain(self.to.iter().flat_map(|to| to.params.iter())) {
            param.extension().map_or(Ok(()), need)?;
        }
        let mut params = self.params.clone().into_owned();
        if let Some(size) = content.size
            && offered.has(Extension::Size)
        {
            if let Some(limit) = offered.size().filter(|limit| size > *limit) {
                return Err(Unsendable::TooBig { size, limit });
            }
            if params.size().is_none() {
                params = params.with(&Param::Size(size))?;
            }
        }
        let declared = self.params.body();
        match content.body {
            BodyType::EightBitMime if content.size.is_none() && !offered.has(Extension::EightBitMime) => {}
            BodyType::EightBitMime => need(Extension::EightBitMime)?,
            BodyType::BinaryMime => {
                need(Extension::BinaryMime)?;
                need(Extension::Chunking)?;
            }
            BodyType::SevenBit => {}
        }
        let declare = match content.body {
            BodyType::SevenBit => false,
            BodyType::EightBitMime => offered.has(Extension::EightBitMime),
            BodyType::BinaryMime => true,
        };
        if declare && declared.is_none() {
            params = params.with(&Param::Body(content.body))?;
        }
        if (content.utf8_header || !self.is_ascii()) && !params.smtputf8() {
            need(Extension::SmtpUtf8)?;
            need(Extension::EightBitMime)?;
            params = params.with(&Param::SmtpUtf8)?;
        }
        Ok(params)
    }
}
