use alloc::string::String;

use super::{
    Extension, Extensions, FutureRelease, Invalid, SessionLimits,
    keyword::{is_keyword, is_words, parted, split},
    limits::number,
    lines::MAX_TEXT,
};
use crate::{
    auth::{Mechanism, Mechanisms},
    octets,
    reply::{RawLines, Reply},
};

/// What a server offers: the extensions of an EHLO response (RFC 5321, 4.1.1.1) with their parameters.
///
/// A client [parses](Self::parse) it, a server builds it, beginning with [`new`](Self::new), and
/// [writes](Self::write_ehlo) it. Keywords that this crate doesn't know are kept with their words.
///
/// ```
/// use smtp_proto::{extension::{Capabilities, Extension}, reply::Reply};
///
/// let reply = Reply::parse(b"250-mx.example\r\n250-SIZE 1000\r\n250-XFOO bar\r\n250 starttls\r\n")?;
/// let offered = Capabilities::parse(&reply);
/// assert!(offered.has(Extension::StartTls));
/// assert_eq!(offered.size(), Some(1000));
/// assert!(offered.unknown().eq([("XFOO", "bar")]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Capabilities<'a> {
    set: Extensions,
    mechanisms: Mechanisms,
    limits: SessionLimits,
    /// Zero: none.
    size: u64,
    /// Zero: none.
    deliver_by: u32,
    source: Source<'a>,
}

/// Where the words are that have no field of their own.
#[derive(Clone, Debug)]
enum Source<'a> {
    /// The lines of a response.
    Reply(RawLines<'a>),
    /// Checked lines, each with LF before it, so that the first is empty.
    Own(String),
}

impl Default for Capabilities<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a> Capabilities<'a> {
    /// Nothing at all, as after HELO.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            set: Extensions::NONE,
            mechanisms: Mechanisms::NONE,
            limits: SessionLimits { rcpt_max: None, mail_max: None, rcpt_domain_max: None },
            size: 0,
            deliver_by: 0,
            source: Source::Own(String::new()),
        }
    }

    /// What this reply to EHLO or LHLO lists. Its first line is the server's name and greeting.
    ///
    /// Nothing is refused: a bad value is passed over, and its extension stays.
    ///
    /// # Complexity
    ///
    /// Linear; nothing is allocated.
    #[must_use]
    pub fn parse(reply: &'a Reply<'_>) -> Self {
        let lines = reply.raw_lines();
        let mut this = Self { source: Source::Reply(lines), ..Self::new() };
        // The first one is the server's name and greeting.
        let mut greeting = true;
        lines.parted(|line, end| {
            if greeting {
                greeting = false;
                return;
            }
            let (keyword, words) = parted(line, end);
            if let Some(extension) = Extension::from_keyword(keyword) {
                this.read(extension, words);
            }
        });
        this
    }

    #[inline(always)]
    fn read(&mut self, extension: Extension, words: &[u8]) {
        self.set = self.set.with(extension);
        if let Extension::Size | Extension::Auth | Extension::DeliverBy | Extension::Limits = extension {
            self.read_words(extension, words);
        }
    }

    fn read_words(&mut self, extension: Extension, words: &[u8]) {
        match extension {
            // size-param ::= [1*20DIGIT] (RFC 1870, 4)
            Extension::Size => self.size = number(20, words).unwrap_or(0),
            // Twice where the old form is given too.
            Extension::Auth => {
                let mut rest = words;
                while !rest.is_empty() {
                    let end = octets::find::<33>(rest, 0, |octet| octet == b' ').unwrap_or(rest.len());
                    if let Some(mechanism) = Mechanism::from_name(&rest[..end]) {
                        self.mechanisms = self.mechanisms.with(mechanism);
                    }
                    rest = rest.get(end + 1..).unwrap_or_default();
                }
            }
            // deliverby-param = min-by-time *( "," extension-token ), min-by-time = [1*9DIGIT] (RFC 2852, 3)
            Extension::DeliverBy => {
                let min = words.split(|b| *b == b',').next().unwrap_or_default();
                self.deliver_by = number(9, min).unwrap_or(0);
            }
            Extension::Limits => self.limits.read(words),
            _ => {}
        }
    }

    /// Without the known extensions that are not among `these`.
    #[must_use]
    pub(crate) fn restricted_to(mut self, these: Extensions) -> Self {
        self.set = self.set.intersection(these);
        self
    }

    /// Whether `extension` is offered.
    #[must_use]
    pub const fn has(&self, extension: Extension) -> bool {
        self.set.contains(extension)
    }

    /// Every known extension that is offered.
    #[must_use]
    pub const fn set(&self) -> Extensions {
        self.set
    }

    /// The fixed limit on the size of a message in octets, if there is one (RFC 1870).
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        (self.size > 0 && self.has(Extension::Size)).then_some(self.size)
    }

    /// The known mechanisms that AUTH lists.
    #[must_use]
    pub fn mechanisms(&self) -> Mechanisms {
        if self.has(Extension::Auth) { self.mechanisms } else { Mechanisms::NONE }
    }

    /// The mechanisms that AUTH lists and this crate doesn't know.
    pub fn other_mechanisms(&self) -> impl Iterator<Item = &str> {
        self.words(Extension::Auth)
            .into_iter()
            .flat_map(|words| words.split([' ', '\t']))
            .filter(|name| !name.is_empty() && Mechanism::from_name(name).is_none())
    }

    /// The limits of RFC 9422.
    #[must_use]
    pub fn limits(&self) -> SessionLimits {
        if self.has(Extension::Limits) { self.limits } else { SessionLimits::default() }
    }

    /// The shortest time in seconds that DELIVERBY takes for a message to be returned, if there is one (RFC 2852).
    #[must_use]
    pub fn deliver_by(&self) -> Option<u32> {
        (self.deliver_by > 0 && self.has(Extension::DeliverBy)).then_some(self.deliver_by)
    }

    /// How long messages may be held back (RFC 4865).
    #[must_use]
    pub fn future_release(&self) -> Option<FutureRelease<'_>> {
        FutureRelease::read(self.words(Extension::FutureRelease)?)
    }

    /// The words behind the keyword of an extension that is offered: the profile of MT-PRIORITY, the keywords of
    /// NO-SOLICITING, the attributes of XCLIENT. `None` if there are none.
    ///
    /// For SIZE, AUTH, LIMITS and DELIVERBY ask the methods of that name.
    #[must_use]
    pub fn words(&self, extension: Extension) -> Option<&str> {
        if !self.has(extension) {
            return None;
        }
        let is_it = |keyword: &str| Extension::from_keyword(keyword) == Some(extension);
        self.entries().find(|(keyword, words)| is_it(keyword) && !words.is_empty()).map(|(_, words)| words)
    }

    /// The keywords that this crate doesn't know, with their words, in the order in which they came.
    pub fn unknown(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries().filter(|(keyword, _)| Extension::from_keyword(keyword).is_none())
    }

    /// Keyword and words of each line that can be said again.
    fn entries(&self) -> impl Iterator<Item = (&str, &str)> {
        let lines = match &self.source {
            Source::Reply(lines) => *lines,
            Source::Own(lines) => RawLines::composed(lines),
        };
        lines.skip(1).filter(|line| line.len() <= MAX_TEXT).filter_map(|line| {
            let (keyword, words) = split(line);
            if !is_keyword(keyword) || !words.iter().all(|b| matches!(b, b'\t' | b' '..=b'~')) {
                return None;
            }
            Some((str::from_utf8(keyword).ok()?, str::from_utf8(words).ok()?))
        })
    }

    /// The same capabilities, owning their text: without allocation if no words are to be kept.
    #[must_use]
    pub fn into_owned(self) -> Capabilities<'static> {
        let Self { set, mechanisms, limits, size, deliver_by, .. } = self;
        let source = Source::Own(self.kept());
        Capabilities { set, mechanisms, limits, size, deliver_by, source }
    }

    /// The lines whose words have no field of their own.
    fn kept(self) -> String {
        if let Source::Own(lines) = self.source {
            return lines;
        }
        let mut kept = String::new();
        for (keyword, words) in self.entries() {
            if is_kept(keyword, words) {
                push(&mut kept, keyword, words);
            }
        }
        kept
    }

    /// Offers `extension`.
    #[must_use]
    pub fn with(self, extension: Extension) -> Self {
        Self { set: self.set.with(extension), ..self }
    }

    /// Doesn't offer `extension`.
    #[must_use]
    pub fn without(self, extension: Extension) -> Self {
        Self { set: self.set.without(extension), ..self }
    }

    /// Offers SIZE with this limit in octets; zero: none.
    #[must_use]
    pub fn with_size(self, size: u64) -> Self {
        Self { size, ..self.with(Extension::Size) }
    }

    /// Offers AUTH with these mechanisms, and the [others](Self::other_mechanisms) that are listed; without any, doesn't
    /// offer it.
    #[must_use]
    pub fn with_mechanisms(self, mechanisms: Mechanisms) -> Self {
        let none = mechanisms.is_empty() && self.other_mechanisms().next().is_none();
        let this = if none { self.without(Extension::Auth) } else { self.with(Extension::Auth) };
        Self { mechanisms, ..this }
    }

    /// Offers LIMITS with these; with none, doesn't offer it. Zero and what has more than six digits is left out.
    #[must_use]
    pub fn with_limits(self, limits: SessionLimits) -> Self {
        let sayable = |limit: Option<u32>| limit.filter(|n| (1..=999_999).contains(n));
        let limits = SessionLimits {
            rcpt_max: sayable(limits.rcpt_max),
            mail_max: sayable(limits.mail_max),
            rcpt_domain_max: sayable(limits.rcpt_domain_max),
        };
        let none = limits == SessionLimits::default();
        let this = if none { self.without(Extension::Limits) } else { self.with(Extension::Limits) };
        Self { limits, ..this }
    }

    /// Offers what this line of an EHLO response says: any keyword, with or without words.
    ///
    /// Of several lines for one known extension the first counts, though known mechanisms and limits add up.
    ///
    /// # Errors
    ///
    /// On what is no such line.
    pub fn with_keyword(mut self, line: &str) -> Result<Self, Invalid> {
        let (keyword, words) = line.split_once(' ').unwrap_or((line, ""));
        let is_line = is_keyword(keyword.as_bytes()) && is_words(words.as_bytes());
        if !is_line || line.len() > MAX_TEXT || line.ends_with(' ') {
            return Err(Invalid);
        }
        if let Some(extension) = Extension::from_keyword(keyword) {
            self.read(extension, words.as_bytes());
        }
        if is_kept(keyword, words) {
            let mut lines = self.clone().kept();
            push(&mut lines, keyword, words);
            self.source = Source::Own(lines);
        }
        Ok(self)
    }
}

/// Whether the words of this line have no field of their own.
fn is_kept(keyword: &str, words: &str) -> bool {
    match Extension::from_keyword(keyword) {
        None => true,
        Some(Extension::Size | Extension::DeliverBy | Extension::Limits) => false,
        Some(Extension::Auth) => words.split(' ').any(|name| Mechanism::from_name(name).is_none()),
        Some(_) => !words.is_empty(),
    }
}

fn push(lines: &mut String, keyword: &str, words: &str) {
    lines.push('\n');
    lines.push_str(keyword);
    if !words.is_empty() {
        lines.push(' ');
        lines.push_str(words);
    }
}
