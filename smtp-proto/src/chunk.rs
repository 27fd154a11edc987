//! BDAT (RFC 3030): counting the octets of a chunk, in and out, and how much of what is refused is still read.
//!
//! A chunk's octets are neither decoded nor searched; [`Body::raw`](crate::dot::Body::raw) lends them.

/// A chunk under way. Also a zero-length one, which is done at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk {
    left: u64,
    last: bool,
}

/// More octets were given for a chunk than it was announced with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the chunk has room for {left} octets more")]
#[non_exhaustive]
pub struct Overrun {
    /// The octets that are left.
    pub left: u64,
}

impl Chunk {
    /// A chunk of `size` octets, as BDAT announced it.
    #[must_use]
    pub const fn new(size: u64, last: bool) -> Self {
        Self { left: size, last }
    }

    /// Inbound: how many of `available` octets are this chunk's. They are counted off.
    #[must_use]
    pub fn take(&mut self, available: usize) -> usize {
        let taken = usize::try_from(self.left).map_or(available, |left| left.min(available));
        self.left -= taken as u64;
        taken
    }

    /// Outbound: counts off `len` octets that are given for this chunk.
    ///
    /// # Errors
    ///
    /// [`Overrun`], if they are too many. Nothing is counted then.
    pub fn put(&mut self, len: usize) -> Result<(), Overrun> {
        match self.left.checked_sub(len as u64) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(Overrun { left: self.left }),
        }
    }

    /// Octets to come.
    #[must_use]
    pub const fn left(self) -> u64 {
        self.left
    }

    /// Whether all octets have come.
    #[must_use]
    pub const fn is_done(self) -> bool {
        self.left == 0
    }

    /// Whether the message ends with this chunk.
    #[must_use]
    pub const fn is_last(self) -> bool {
        self.last
    }
}

/// How much of a refused message is still read and thrown away, by DATA or BDAT, so that the peer hears why. Beyond it the
/// connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance(u64);

impl Allowance {
    /// So many octets.
    #[must_use]
    pub const fn new(octets: u64) -> Self {
        Self(octets)
    }

    /// One and a half times the size limit, counted from the start of the message: a sender that is a little over hears of
    /// it, one that never ends is cut off.
    #[must_use]
    pub const fn beyond(size_limit: u64) -> Self {
        Self(size_limit.saturating_add(size_limit / 2))
    }

    /// Counts off octets that are thrown away. False, and nothing is left, if they are too many.
    #[must_use]
    pub const fn spend(&mut self, octets: u64) -> bool {
        let covers = self.covers(octets);
        self.0 = self.0.saturating_sub(octets);
        covers
    }

    /// Whether so many octets may be thrown away: a chunk that announces more need not be awaited.
    #[must_use]
    pub const fn covers(self, octets: u64) -> bool {
        octets <= self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_takes_its_own_octets_and_no_more() {
        let mut chunk = Chunk::new(10, true);
        assert_eq!((chunk.take(4), chunk.left(), chunk.is_done()), (4, 6, false));
        assert_eq!((chunk.take(100), chunk.is_done()), (6, true));
        assert_eq!(chunk.take(100), 0);
    }

    #[test]
    fn sizes_beyond_any_buffer_count_down_exactly() {
        let mut chunk = Chunk::new(u64::MAX, false);
        assert_eq!(chunk.take(usize::MAX), usize::MAX);
        assert_eq!(chunk.left(), u64::MAX - usize::MAX as u64);
    }

    #[test]
    fn too_many_octets_for_a_chunk_change_nothing() {
        let mut chunk = Chunk::new(3, false);
        assert_eq!(chunk.put(4), Err(Overrun { left: 3 }));
        assert_eq!(chunk.put(3), Ok(()));
        assert!(chunk.is_done());
    }

    #[test]
    fn an_allowance_runs_out_for_good() {
        let mut allowance = Allowance::beyond(100);
        assert!(allowance.spend(149) && !allowance.spend(2) && !allowance.spend(1));
        assert!(Allowance::beyond(u64::MAX).covers(u64::MAX));
    }
}
