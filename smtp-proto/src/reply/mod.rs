//! Replies (RFC 5321, 4.2): one type for what came over the wire and for what is composed here.
//!
//! ```
//! use smtp_proto::{reply::Reply, status::{Code, Enhanced}};
//!
//! let reply = Reply::parse(b"550-5.1.1 No such user\r\n550 5.1.1 here\r\n")?;
//! assert_eq!(reply.code(), Code::MAILBOX_UNAVAILABLE);
//! assert_eq!(reply.status(), Some(Enhanced::fixed(5, 1, 1)));
//! assert_eq!(reply.text(), "No such user\nhere");
//!
//! const OK: Reply<'static> = Reply::fixed(Code::OK, Some(Enhanced::fixed(2, 0, 0)), "Ok");
//! let mut output = Vec::new();
//! OK.write(false, &mut output);
//! assert_eq!(output, b"250 2.0.0 Ok\r\n");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod advice;
mod framing;
mod grammar;
mod lines;
mod write;

pub use advice::Advice;
pub use framing::Framing;
pub use lines::{Line, Lines};

pub(crate) use lines::RawLines;
pub(crate) use write::{MAX_LINE, put_text};

use alloc::{borrow::Cow, string::String};
use core::fmt;

use bytes::BufMut;

use crate::status::{Class, Code, Enhanced};

/// A reply.
///
/// - What it is: [`code`](Self::code), [`class`](Self::class), [`status`](Self::status), [`lines`](Self::lines),
///   [`text`](Self::text), [`advice`](Self::advice).
/// - Made: [`fixed`](Self::fixed), [`new`](Self::new), [`with_status`](Self::with_status).
/// - From and to the wire: [`parse`](Self::parse), [`write`](Self::write).
///
/// Two replies are equal when their codes and their lines are.
#[derive(Clone)]
pub struct Reply<'a> {
    code: Code,
    form: Form<'a>,
}

#[derive(Clone)]
enum Form<'a> {
    /// Checked text, its lines parted by LF. `plain`: one line that can be written as it is.
    Composed { text: Cow<'a, str>, status: Option<Enhanced>, plain: bool },
    /// One whole reply as it came: every line has its code and ends with LF.
    Wire(Cow<'a, [u8]>),
}

/// Why text can't be a reply's: a control character other than HT (and LF between lines).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a control character at octet {at} of a reply's text")]
#[non_exhaustive]
pub struct Invalid {
    /// Where it stands.
    pub at: usize,
}

/// Why bytes from the peer are not a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// A line is longer than allowed.
    #[error("a line of the reply is too long")]
    LineTooLong,
    /// The whole reply is longer than allowed.
    #[error("the reply is too long")]
    TooLong,
    /// A line doesn't start with a code and a space or hyphen; or the bytes are not one whole reply.
    #[error("not a reply: a line starts with three digits, then a space, a hyphen or nothing")]
    NotAReply,
    /// CR without LF, or LF without CR.
    #[error("a bare CR or LF in a reply")]
    BareLineEnd,
    /// The codes of the lines differ (RFC 5321, 4.2.1).
    #[error("the lines of the reply have different codes")]
    MixedCodes,
}

impl<'a> Reply<'a> {
    /// A reply for a constant. LF separates lines.
    ///
    /// # Panics
    ///
    /// On text that [`Reply::new`] refuses, and on a status whose class is not the code's first digit: a compile error
    /// where it stands in a constant.
    ///
    /// ```compile_fail
    /// # use smtp_proto::{reply::Reply, status::Code};
    /// const BAD: Reply<'static> = Reply::fixed(Code::OK, None, "Ok\r\n250 Ok");
    /// ```
    #[must_use]
    pub const fn fixed(code: Code, status: Option<Enhanced>, text: &'static str) -> Reply<'static> {
        let Ok(plain) = write::survey(text.as_bytes()) else {
            panic!("a reply's text has no control characters");
        };
        if let Some(status) = status {
            assert!(status.fits(code), "an enhanced code's class is the reply code's first digit");
        }
        Reply { code, form: Form::Composed { text: Cow::Borrowed(text), status, plain } }
    }

    /// A reply of this text, in which LF separates lines.
    ///
    /// # Errors
    ///
    /// On control characters (C0 but for HT and LF, DEL, C1).
    pub fn new(code: Code, text: impl Into<Cow<'a, str>>) -> Result<Self, Invalid> {
        let text = text.into();
        let plain = write::survey(text.as_bytes()).map_err(|at| Invalid { at })?;
        Ok(Self { code, form: Form::Composed { text, status: None, plain } })
    }

    /// Puts an enhanced code in front of every line, in place of the one that it has.
    ///
    /// One of another class than the code's first digit is ignored, hence any on a 3yz reply (RFC 2034, 4).
    #[must_use]
    pub fn with_status(self, status: Enhanced) -> Self {
        if !status.fits(self.code) {
            return self;
        }
        self.replace_status(Some(status))
    }

    /// Takes the enhanced code away from every line.
    #[must_use]
    pub fn without_status(self) -> Self {
        self.replace_status(None)
    }

    fn replace_status(self, status: Option<Enhanced>) -> Self {
        if let Form::Composed { status: Some(_), .. } | Form::Composed { plain: true, .. } = self.form {
            let Form::Composed { text, plain, .. } = self.form else { return self };
            return Self { code: self.code, form: Form::Composed { text, status, plain } };
        }
        // The text holds statuses of its own, or is a peer's: it is taken apart, and cleaned on the way.
        let mut text = String::new();
        for (n, line) in self.lines().enumerate() {
            if n > 0 {
                text.push('\n');
            }
            text.extend(line.text_lossy().chars().filter(|c| !c.is_control() || *c == '\t'));
        }
        let plain = write::survey(text.as_bytes()).unwrap_or(false);
        Self { code: self.code, form: Form::Composed { text: Cow::Owned(text), status, plain } }
    }

    /// Exactly one whole reply as it came, each line with its CRLF.
    ///
    /// The code alone is taken as a last line without text, and the code with a hyphen as a line without text.
    ///
    /// # Errors
    ///
    /// On anything else, on a bare CR or LF, and on codes that differ between lines.
    pub fn parse(raw: &'a [u8]) -> Result<Self, Malformed> {
        Ok(Self::framed(raw, grammar::reply(raw, false)?))
    }

    /// As [`Reply::parse`], but LF alone ends a line too, a bare CR is text, and the last line's code counts.
    ///
    /// # Errors
    ///
    /// On bytes that are not one whole reply.
    pub fn parse_lenient(raw: &'a [u8]) -> Result<Self, Malformed> {
        Ok(Self::framed(raw, grammar::reply(raw, true)?))
    }

    /// What [`Framing`] has found to be one whole reply with this code.
    #[inline]
    pub(super) const fn framed(raw: &'a [u8], code: Code) -> Self {
        Self { code, form: Form::Wire(Cow::Borrowed(raw)) }
    }

    /// The code.
    #[must_use]
    pub const fn code(&self) -> Code {
        self.code
    }

    /// What its first digit says.
    #[must_use]
    pub const fn class(&self) -> Class {
        self.code.class()
    }

    /// Whether it is 2yz.
    #[must_use]
    pub const fn is_positive(&self) -> bool {
        matches!(self.class(), Class::Completed)
    }

    /// Whether it is 4yz: the same may be tried again later.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self.class(), Class::Transient)
    }

    /// Whether it is 5yz.
    #[must_use]
    pub const fn is_permanent(&self) -> bool {
        matches!(self.class(), Class::Permanent)
    }

    /// The enhanced code of the first line. One of another class than the code's is no such code, but text.
    #[must_use]
    pub fn status(&self) -> Option<Enhanced> {
        match self.form {
            Form::Composed { status: Some(status), .. } => Some(status),
            Form::Composed { plain: true, .. } => None,
            Form::Wire(ref raw) => Enhanced::on_wire(raw.get(4..)?).filter(|status| status.fits(self.code)),
            Form::Composed { .. } => self.lines().next()?.status,
        }
    }

    /// Its lines, at least one.
    pub fn lines(&self) -> Lines<'_> {
        let status = match self.form {
            Form::Composed { status, .. } => status,
            Form::Wire(_) => None,
        };
        Lines::new(self.raw_lines(), status, self.code)
    }

    /// The texts of its lines, enhanced codes and all.
    pub(crate) fn raw_lines(&self) -> RawLines<'_> {
        match &self.form {
            Form::Composed { text, .. } => RawLines::composed(text),
            Form::Wire(raw) => RawLines::wire(raw),
        }
    }

    /// The texts of all lines without their enhanced codes, parted by LF. What is not UTF-8 becomes U+FFFD.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        if let Form::Composed { text, status, plain } = &self.form
            && (*plain || status.is_some())
        {
            return Cow::Borrowed(text);
        }
        let mut lines = self.lines();
        let Some(first) = lines.next() else { return Cow::Borrowed("") };
        lines.fold(first.text_lossy(), |text, line| text + "\n" + line.text_lossy())
    }

    /// Writes the whole reply, its lines with CRLF and at most 512 octets long.
    ///
    /// Longer text goes on in a further line, parted behind a space where it can be. Non-ASCII becomes `?` unless
    /// `utf8` (RFC 6531, 3.7.4). What came over the wire is written as it came where nothing is wrong with its bytes;
    /// otherwise control characters are dropped.
    ///
    /// `output` is one that grows, as `BytesMut` and `Vec` do.
    // Inlined for the short fixed replies, most of what a server says.
    #[inline]
    pub fn write(&self, utf8: bool, output: &mut impl BufMut) {
        match &self.form {
            Form::Composed { text, status, plain: true } => write::plain(self.code, *status, text, output),
            Form::Wire(raw) if write::is_clean(raw, self.code, utf8) => output.put_slice(raw),
            _ => write::lines(self.code, self.lines(), utf8, output),
        }
    }

    /// The same reply, owning its text.
    #[must_use]
    pub fn into_owned(self) -> Reply<'static> {
        let form = match self.form {
            Form::Composed { text, status, plain } => {
                Form::Composed { text: Cow::Owned(text.into_owned()), status, plain }
            }
            Form::Wire(raw) => Form::Wire(Cow::Owned(raw.into_owned())),
        };
        Reply { code: self.code, form }
    }

    /// The same reply, borrowing the text of this one.
    #[must_use]
    pub fn as_borrowed(&self) -> Reply<'_> {
        let form = match &self.form {
            Form::Composed { text, status, plain } => {
                Form::Composed { text: Cow::Borrowed(text), status: *status, plain: *plain }
            }
            Form::Wire(raw) => Form::Wire(Cow::Borrowed(raw)),
        };
        Reply { code: self.code, form }
    }

    /// What it means, and what a sender should do next.
    #[must_use]
    pub fn advice(&self) -> Advice {
        Advice::new(self.code, self.status())
    }
}

impl PartialEq<Reply<'_>> for Reply<'_> {
    fn eq(&self, other: &Reply<'_>) -> bool {
        self.code == other.code && self.lines().eq(other.lines())
    }
}

impl Eq for Reply<'_> {}

impl fmt::Debug for Reply<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut f = f.debug_struct("Reply");
        f.field("code", &self.code.as_u16());
        if let Some(status) = self.status() {
            f.field("status", &format_args!("{status}"));
        }
        f.field("text", &self.text()).finish()
    }
}

/// Code, enhanced code and text in one line, without control characters.
impl fmt::Display for Reply<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;

        fmt::Display::fmt(&self.code, f)?;
        if let Some(status) = self.status() {
            write!(f, " {status}")?;
        }
        for line in self.lines() {
            f.write_char(' ')?;
            line.text_lossy().chars().filter(|c| !c.is_control()).try_for_each(|c| f.write_char(c))?;
        }
        Ok(())
    }
}
