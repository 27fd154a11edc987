use alloc::vec::Vec;

use crate::address::{self, ForwardPath, Mailbox, ReversePath};
use crate::client::Client;
use crate::dot::{Flaws, LineEnds, Survey, survey};
use crate::extension::Extension;
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
    /// 7-bit, 8-bit, or binary; `None` if unknown: declared as 8-bit where a server takes that; where it doesn't, sent as far
    /// as it is 7-bit, and given up with its connection at the first octet that is not (RFC 6152, 3).
    pub body: Option<BodyType>,
    /// Header fields with octets over 127: the message needs SMTPUTF8 (RFC 6531).
    pub utf8_header: bool,
}

impl Content {
    /// Of a message that lies in memory.
    #[must_use]
    pub fn of(message: &[u8]) -> Self {
        Self::surveyed(&survey(message))
    }

    /// Of a message that was looked through, piece by piece say ([`Surveyor`](crate::dot::Surveyor)).
    #[must_use]
    pub const fn surveyed(survey: &Survey) -> Self {
        let eight_bit = survey.flaws.contains(Flaws::EIGHT_BIT);
        Self {
            size: Some(survey.size),
            body: Some(if eight_bit { BodyType::EightBitMime } else { BodyType::SevenBit }),
            utf8_header: survey.header_eight_bit,
        }
    }

    /// Of a text that is not known before it is read.
    #[must_use]
    pub const fn unknown() -> Self {
        Self { size: None, body: None, utf8_header: false }
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
    /// REQUIRETLS is asked for, and nobody vouched for the host ([`Options::host_is_authentic`]; RFC 8689, 4.2.1).
    ///
    /// [`Options::host_is_authentic`]: super::Options::host_is_authentic
    #[error("REQUIRETLS is asked for, and nothing shows that this is the host for it")]
    HostNotAuthentic,
    /// Line ends are kept as they are ([`LineEnds::Keep`]), which only a BINARYMIME message lets be (RFC 3030, 3).
    #[error("line ends are kept, and the message is not BINARYMIME")]
    LineEndsKept,
    /// The parameters given contradict what the message is.
    #[error("the envelope's parameters: {0}")]
    Params(#[from] crate::param::Error),
}

impl Envelope<'_> {
    /// The envelope as this server can read it, where SMTPUTF8 is not offered and only domains are not ASCII: with these as
    /// A-labels (RFC 6531, 3.2; feature `idna`).
    pub(super) fn legible(&self, content: &Content, client: &Client) -> Option<Self> {
        let utf8 = client.capabilities().has(Extension::SmtpUtf8) || content.utf8_header;
        if utf8 || self.is_ascii() { None } else { self.to_a_labels() }
    }

    #[cfg(feature = "idna")]
    fn to_a_labels(&self) -> Option<Self> {
        let mut ascii = self.clone();
        if let ReversePath::Mailbox(from) = &mut ascii.from {
            *from = from.to_a_labels()?;
        }
        for to in &mut ascii.to {
            if let ForwardPath::Mailbox(to) = &mut to.path {
                *to = to.to_a_labels()?;
            }
        }
        Some(ascii)
    }

    #[cfg(not(feature = "idna"))]
    const fn to_a_labels(&self) -> Option<Self> {
        None
    }

    /// MAIL's parameters for this message and this server, or why it can't be sent (RFC 1870, 6152, 6531, 3030, 8689).
    pub(super) fn negotiate(
        &self,
        content: &Content,
        client: &Client,
    ) -> Result<Params<'static>, Unsendable> {
        if self.to.is_empty() {
            return Err(Unsendable::NoRecipients);
        }
        if client.config().line_ends == LineEnds::Keep && content.body != Some(BodyType::BinaryMime) {
            return Err(Unsendable::LineEndsKept);
        }
        let offered = client.capabilities();
        let need =
            |extension| if offered.has(extension) { Ok(()) } else { Err(Unsendable::Needs(extension)) };
        let mut params = self.params.as_borrowed();
        if params.requiretls() {
            match self.from {
                // RFC 8689, 5: a bounce is not lost for want of it.
                ReversePath::Null if !offered.has(Extension::RequireTls) => {
                    params = without_requiretls(&params)?
                }
                ReversePath::Null => {}
                // It is not believed in the clear, so there is TLS where it is offered.
                ReversePath::Mailbox(_) => {
                    need(Extension::RequireTls)?;
                    if !client.host_is_authentic() {
                        return Err(Unsendable::HostNotAuthentic);
                    }
                }
            }
        }
        for param in params.iter().chain(self.to.iter().flat_map(|to| to.params.iter())) {
            param.extension().map_or(Ok(()), need)?;
        }
        let mut params = params.into_owned();
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
        let body = match content.body {
            Some(BodyType::SevenBit) => None,
            Some(BodyType::EightBitMime) => {
                need(Extension::EightBitMime)?;
                content.body
            }
            Some(BodyType::BinaryMime) => {
                need(Extension::BinaryMime)?;
                need(Extension::Chunking)?;
                content.body
            }
            None => offered.has(Extension::EightBitMime).then_some(BodyType::EightBitMime),
        };
        if let Some(body) = body
            && params.body().is_none()
        {
            params = params.with(&Param::Body(body))?;
        }
        if (content.utf8_header || !self.is_ascii()) && !params.smtputf8() {
            need(Extension::SmtpUtf8)?;
            need(Extension::EightBitMime)?;
            params = params.with(&Param::SmtpUtf8)?;
        }
        Ok(params)
    }
}

fn without_requiretls(params: &Params<'_>) -> Result<Params<'static>, crate::param::Error> {
    let others = params.iter().filter(|param| *param != Param::RequireTls);
    others.into_iter().try_fold(Params::default(), |params, param| params.with(&param))
}
