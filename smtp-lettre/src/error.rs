use smtp_driver::SendError;
use smtp_driver::proto::address;
use smtp_driver::proto::session::{Report, Verdict};

/// Why a message was not delivered to everybody.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An address that is none: nothing was sent.
    #[error("an address of the envelope: {0}")]
    Address(#[source] address::Error),
    /// TLS could not be set up: nothing was sent.
    #[cfg(feature = "native-roots")]
    #[error("TLS cannot be used")]
    Tls(#[source] rustls::Error),
    /// The connection failed. Its report has an outcome for each recipient.
    #[error(transparent)]
    Connection(#[from] SendError),
    /// The server refused it for some recipients, or for all.
    #[error("{} of {} recipients were not served: {}", .0.len() - .0.delivered(), .0.len(), first(.0))]
    Partly(Report),
}

/// What became of the first that was not served.
fn first(report: &Report) -> String {
    let mut outcomes = report.outcomes();
    outcomes.find(|outcome| !outcome.is_delivered()).map_or_else(String::new, |outcome| outcome.to_string())
}

impl Error {
    pub(crate) fn unless_delivered(sent: Result<Report, SendError>) -> Result<Report, Self> {
        let report = sent?;
        if report.all_delivered() { Ok(report) } else { Err(Self::Partly(report)) }
    }

    /// What became of the message for each recipient, in the envelope's order. `None`: nothing was sent.
    #[must_use]
    pub const fn report(&self) -> Option<&Report> {
        match self {
            Self::Connection(failed) => Some(&failed.report),
            Self::Partly(report) => Some(report),
            _ => None,
        }
    }

    /// Whether there is no point in sending to any of those again that were not served.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        self.report().is_none_or(|report| {
            report.outcomes().all(|outcome| matches!(outcome.verdict(), Verdict::Delivered | Verdict::Failed))
        })
    }

    /// Whether the message may have been delivered to somebody of whom it is not known: sending again risks a duplicate.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        let unknown =
            |report: &Report| report.outcomes().any(|outcome| outcome.verdict() == Verdict::Unknown);
        self.report().is_some_and(unknown)
    }
}
