use alloc::sync::Arc;

use crate::dot::LineEnds;
use crate::extension::Extensions;
use crate::limits::{ClientLimits, ClientTimeouts};
use crate::stage::Protocol;

/// What a client does, whoever it speaks to: shared by its connections.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Config {
    /// SMTP or LMTP.
    pub protocol: Protocol,
    /// Every cap.
    pub limits: ClientLimits,
    /// Every wait.
    pub timeouts: ClientTimeouts,
    /// What becomes of a bare CR or LF in what is sent.
    pub line_ends: LineEnds,
    /// Replies are taken as sloppy servers give them: line ends of LF alone, and codes that differ within a reply, of
    /// which the last counts.
    pub lenient_replies: bool,
    /// Extensions that are not used where they are offered: to the client, they are not.
    pub unused: Extensions,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            protocol: Protocol::Smtp,
            limits: ClientLimits::default(),
            timeouts: ClientTimeouts::default(),
            line_ends: LineEnds::Normalise,
            lenient_replies: false,
            unused: Extensions::NONE,
        }
    }
}

impl Config {
    /// The same client, speaking LMTP.
    #[must_use]
    pub const fn lmtp(mut self) -> Self {
        self.protocol = Protocol::Lmtp;
        self
    }

    /// Ready to be shared by connections.
    #[must_use]
    pub fn shared(self) -> Arc<Self> {
        Arc::new(self)
    }
}
