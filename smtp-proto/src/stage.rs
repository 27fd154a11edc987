//! Which protocol is spoken, and where a conversation stands: what a reply answers, what an error came at.

use core::fmt;

/// Which protocol is spoken: they differ in the greeting command and in who is answered after the message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// RFC 5321.
    #[default]
    Smtp,
    /// RFC 2033: LHLO, and one reply per accepted recipient after the message. Never on port 25.
    Lmtp,
}

/// A step of the conversation: what is being waited for, or what a reply answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum Stage {
    /// Connecting, before SMTP.
    Connect,
    /// The server's greeting.
    Greeting,
    /// EHLO, HELO or LHLO.
    Hello,
    /// STARTTLS.
    StartTls,
    /// The TLS handshake.
    Handshake,
    /// AUTH, and each of its responses.
    Auth,
    /// MAIL.
    Mail,
    /// RCPT.
    Rcpt,
    /// DATA.
    Data,
    /// The message itself.
    Body,
    /// The final dot: from here on the message may have been taken.
    EndOfData,
    /// BDAT, but for the last.
    Chunk,
    /// BDAT … LAST: from here on the message may have been taken.
    LastChunk,
    /// RSET.
    Rset,
    /// NOOP.
    Noop,
    /// VRFY.
    Vrfy,
    /// EXPN.
    Expn,
    /// HELP.
    Help,
    /// ETRN.
    Etrn,
    /// XCLIENT.
    Xclient,
    /// XFORWARD.
    Xforward,
    /// A command of the embedder's own.
    Other,
    /// QUIT.
    Quit,
    /// Between commands.
    Idle,
}

impl Stage {
    const fn name(self) -> &'static str {
        match self {
            Self::Connect => "connecting",
            Self::Greeting => "the greeting",
            Self::Hello => "EHLO",
            Self::StartTls => "STARTTLS",
            Self::Handshake => "the TLS handshake",
            Self::Auth => "AUTH",
            Self::Mail => "MAIL",
            Self::Rcpt => "RCPT",
            Self::Data => "DATA",
            Self::Body => "the message",
            Self::EndOfData => "the end of data",
            Self::Chunk => "BDAT",
            Self::LastChunk => "BDAT LAST",
            Self::Rset => "RSET",
            Self::Noop => "NOOP",
            Self::Vrfy => "VRFY",
            Self::Expn => "EXPN",
            Self::Help => "HELP",
            Self::Etrn => "ETRN",
            Self::Xclient => "XCLIENT",
            Self::Xforward => "XFORWARD",
            Self::Other => "a command",
            Self::Quit => "QUIT",
            Self::Idle => "the next command",
        }
    }

    /// Whether a command of this kind may be followed by another before its reply has come (RFC 2920, 3.1; RFC 3030,
    /// 4.2): all others come last in a group.
    #[must_use]
    pub const fn may_be_followed(self) -> bool {
        matches!(self, Self::Mail | Self::Rcpt | Self::Rset | Self::EndOfData | Self::Chunk | Self::LastChunk)
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
