//! What messages are called.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Gives out names.
#[derive(Debug)]
pub(super) struct Ids {
    /// Tells apart the messages of this process, and of others that had its number.
    count: AtomicU64,
    random: u32,
}

impl Ids {
    pub(super) fn new() -> io::Result<Self> {
        let mut random = [0; 4];
        getrandom::fill(&mut random)?;
        Ok(Self { count: AtomicU64::new(0), random: u32::from_le_bytes(random) })
    }

    /// A name for the next message.
    pub(super) fn next(&self) -> MessageId {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let (micros, process, random) = (now.subsec_micros(), std::process::id(), self.random);
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        MessageId { seconds: now.as_secs(), unique: format!("M{micros}P{process}Q{count}R{random:08x}") }
    }
}

/// What a message is called: unique on this machine, and an atom, so that a header can have it.
#[derive(Clone, Debug)]
pub(super) struct MessageId {
    seconds: u64,
    unique: String,
}

impl MessageId {
    /// The part that is unique.
    #[must_use]
    pub(super) fn as_str(&self) -> &str {
        &self.unique
    }

    /// When the message came, in seconds since 1970.
    #[must_use]
    pub(super) const fn seconds(&self) -> u64 {
        self.seconds
    }
}
