//! What was sent and not yet answered.

use crate::stage::Stage;

/// Commands in flight, in order, as runs of one kind: a bounded queue with no heap behind it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flight {
    runs: [(Option<Stage>, u16); Self::RUNS],
    len: u8,
    /// Replies owed in all. LMTP's and PRDR's many replies to one end of data count as one until they come.
    owed: u16,
    /// Octets of commands since the flight was last empty.
    octets: u32,
}

impl Flight {
    const RUNS: usize = 12;

    pub(super) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) const fn owed(&self) -> u16 {
        self.owed
    }

    pub(super) const fn octets(&self) -> usize {
        self.octets as usize
    }

    /// Whether one more command of another kind still fits.
    pub(super) const fn has_room(&self) -> bool {
        (self.len as usize) < Self::RUNS
    }

    /// What is answered next.
    pub(super) fn front(&self) -> Option<Stage> {
        self.runs[0].0.filter(|_| self.len > 0)
    }

    /// What was sent last.
    pub(super) fn back(&self) -> Option<Stage> {
        self.len.checked_sub(1).and_then(|i| self.runs[usize::from(i)].0)
    }

    pub(super) fn contains(&self, stage: Stage) -> bool {
        self.runs[..usize::from(self.len)].iter().any(|(s, _)| *s == Some(stage))
    }

    pub(super) fn push(&mut self, stage: Stage, octets: usize) {
        self.owed += 1;
        self.octets = self.octets.saturating_add(u32::try_from(octets).unwrap_or(u32::MAX));
        if self.back() == Some(stage) {
            self.runs[usize::from(self.len) - 1].1 += 1;
        } else {
            self.runs[usize::from(self.len)] = (Some(stage), 1);
            self.len += 1;
        }
    }

    /// The front was answered.
    pub(super) fn pop(&mut self) {
        if self.len == 0 {
            return;
        }
        self.owed -= 1;
        self.runs[0].1 -= 1;
        if self.runs[0].1 == 0 {
            self.runs.copy_within(1.., 0);
            self.len -= 1;
        }
        if self.len == 0 {
            self.octets = 0;
        }
    }

    /// Nothing of it will be answered.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}
