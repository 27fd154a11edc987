use std::{fmt, io};

use smtp_proto::error::{NotNow, Violation};
use smtp_proto::reply::Reply;
use smtp_proto::session;
use smtp_proto::stage::Stage;

use crate::pump::Blocked;

/// Why a connection, or what was asked of it, failed: what went wrong, at which step, and what the server had said
/// last.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    stage: Stage,
    said: Option<Reply<'static>>,
}

/// What went wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The transport failed, or the name could not be resolved.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// TLS failed: a certificate that isn't valid, a peer that does not speak TLS, an alert.
    #[error(transparent)]
    Tls(#[from] smtp_proto::link::Error),
    /// TLS was asked for, and no TLS configuration was given, or the host's name fits no certificate.
    #[error("TLS is not configured for this host")]
    NoTls,
    /// The server is configured as no server may be.
    #[error(transparent)]
    Config(#[from] smtp_proto::server::Invalid),
    /// LMTP is not spoken on port 25 (RFC 2033). Nothing was connected.
    #[error("LMTP is not spoken on port 25")]
    LmtpPort,
    /// A balancer that has to say who the client is did not: its connection was closed.
    #[error(transparent)]
    Proxy(#[from] smtp_proto::proxy::Malformed),
    /// The conversation failed: the peer broke the protocol, said no, or lacks what is required.
    #[error(transparent)]
    Session(#[from] session::Error),
}

impl Error {
    pub(crate) fn new(kind: impl Into<ErrorKind>, stage: Stage) -> Self {
        Self(Box::new(Inner { kind: kind.into(), stage, said: None }))
    }

    pub(crate) fn with_last_words(mut self, said: &[u8]) -> Self {
        self.0.said = Reply::parse_lenient(said).ok().map(Reply::into_owned);
        self
    }

    pub(crate) fn blocked(blocked: Blocked, stage: Stage) -> Self {
        match blocked {
            Blocked::Io(error) => Self::new(error, stage),
            Blocked::Link(error) => Self::new(error, stage),
        }
    }

    /// What went wrong.
    #[must_use]
    pub const fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// At which step.
    #[must_use]
    pub const fn stage(&self) -> Stage {
        self.0.stage
    }

    /// What the server had said last, on this connection.
    #[must_use]
    pub const fn last_reply(&self) -> Option<&Reply<'static>> {
        match &self.0.kind {
            ErrorKind::Session(session::Error::Refused { reply, .. }) => Some(reply),
            _ => self.0.said.as_ref(),
        }
    }

    /// The reply that said no, if that is what went wrong.
    #[must_use]
    pub const fn refusal(&self) -> Option<&Reply<'static>> {
        match &self.0.kind {
            ErrorKind::Session(error) => error.reply(),
            _ => None,
        }
    }

    /// How the peer broke the protocol, if that is what went wrong.
    #[must_use]
    pub const fn violation(&self) -> Option<&Violation> {
        match &self.0.kind {
            ErrorKind::Session(session::Error::Violation(violation)) => Some(violation),
            _ => None,
        }
    }
}

impl From<session::Error> for Error {
    fn from(error: session::Error) -> Self {
        let stage = error.stage();
        Self::new(error, stage)
    }
}

impl From<Violation> for Error {
    fn from(violation: Violation) -> Self {
        session::Error::from(violation).into()
    }
}

impl From<NotNow> for Error {
    fn from(not_now: NotNow) -> Self {
        session::Error::from(not_now).into()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What the conversation says names the step already.
        match &self.0.kind {
            ErrorKind::Session(error) => write!(f, "{error}")?,
            kind => write!(f, "{}: {kind}", self.0.stage)?,
        }
        match &self.0.said {
            Some(said) if self.refusal().is_none() => write!(f, "; the server had said: {said}"),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0.kind {
            ErrorKind::Io(error) => Some(error),
            ErrorKind::Tls(error) => Some(error),
            ErrorKind::NoTls | ErrorKind::LmtpPort => None,
            ErrorKind::Config(error) => Some(error),
            ErrorKind::Proxy(error) => Some(error),
            ErrorKind::Session(error) => Some(error),
        }
    }
}
