//! Slices on their way into vectored writes, any of which may be cut short.

use core::{fmt, iter::Fuse};

/// How many slices go into one write. Systems take 16 (the least POSIX promises) to 1024; past a few dozen the cost
/// of a call no longer shows, while this array lives in whatever holds the [`Lent`].
pub(crate) const BATCH: usize = 32;

/// Slices lent for writing, and what of them is still to go. See [`Link::gather`](super::Link::gather).
pub struct Lent<'s, I> {
    slices: Fuse<I>,
    batch: [&'s [u8]; BATCH],
    len: usize,
}

impl<'s, I: Iterator<Item = &'s [u8]>> Lent<'s, I> {
    /// All of `slices`, in their order.
    pub fn new(slices: I) -> Self {
        Self { slices: slices.fuse(), batch: [&[]; BATCH], len: 0 }
    }

    /// Whether every octet has gone: under TLS, into records; in the clear, to the socket.
    pub fn is_done(&mut self) -> bool {
        self.fill().is_empty()
    }

    /// The slices to write next; no one of them is empty.
    pub(crate) fn fill(&mut self) -> &[&'s [u8]] {
        while self.len < BATCH {
            let Some(slice) = self.slices.next() else { break };
            if !slice.is_empty() {
                self.batch[self.len] = slice;
                self.len += 1;
            }
        }
        &self.batch[..self.len]
    }

    /// Forgets `n` octets of the slices that `fill` showed.
    pub(crate) fn advance(&mut self, mut n: usize) {
        let mut whole = 0;
        while whole < self.len && n >= self.batch[whole].len() {
            n -= self.batch[whole].len();
            whole += 1;
        }
        self.batch.copy_within(whole..self.len, 0);
        self.len -= whole;
        if self.len > 0 {
            self.batch[0] = &self.batch[0][n..];
        }
    }
}

/// Counts only: the slices are somebody's mail.
impl<I> fmt::Debug for Lent<'_, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lent").field("taken", &self.len).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    /// Whatever a write takes, what remains is the rest in order, over more slices than one batch and with empty ones.
    #[test]
    fn remains_what_was_not_taken() {
        let text: Vec<u8> = (0..=255).collect();
        for step in [1, 2, 3, 7, 64, 1000] {
            let slices = text.chunks(3).flat_map(|chunk| [&chunk[..1], &[], &chunk[1..]]);
            let (mut lent, mut taken) = (Lent::new(slices), Vec::new());
            while !lent.is_done() {
                let batch: Vec<u8> = lent.fill().concat();
                let n = step.min(batch.len());
                taken.extend_from_slice(&batch[..n]);
                lent.advance(n);
            }
            assert_eq!(taken, text, "in steps of {step}");
        }
    }
}
