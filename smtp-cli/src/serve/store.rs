//! Where messages go.

use std::sync::Arc;

use smtp_tokio::proto::address::ReversePath;

use super::draft::Draft;
use super::id::MessageId;
use super::maildir::Maildir;
use super::mbox::Mbox;

/// Where messages go.
#[derive(Debug)]
pub(super) enum Store {
    /// They are thrown away.
    Nowhere,
    /// Into a Maildir.
    Maildir(Arc<Maildir>),
    /// Into an mbox.
    Mbox(Arc<Mbox>),
}

impl Store {
    /// A message of this name that comes from `from`.
    pub(super) fn begin(&self, id: &MessageId, from: &ReversePath<'_>) -> Option<Draft> {
        match self {
            Self::Nowhere => None,
            Self::Maildir(maildir) => Some(maildir.begin(id)),
            Self::Mbox(mbox) => Some(mbox.begin(from, id.seconds())),
        }
    }

    /// What is said of a message that went there.
    pub(super) const fn done(&self) -> &'static str {
        match self {
            Self::Nowhere => "discarded as",
            Self::Maildir(_) | Self::Mbox(_) => "stored as",
        }
    }
}
