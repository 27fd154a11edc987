//! Where in a text the octets are at which a token may end: those that are neither letters nor digits. They are marked for 64 octets at a
//! time, by vectors where there are some, and whoever looks for the end of a token looks at the marks alone.

use crate::octets;

/// The marks of a text.
pub(crate) struct Marks<'a> {
    octets: &'a [u8],
    /// Where the octets begin that `bits` is about, a bit for each. What is behind the end is marked.
    base: usize,
    bits: u64,
}

impl<'a> Marks<'a> {
    #[inline(always)]
    pub(crate) fn new(octets: &'a [u8]) -> Self {
        Self { octets, base: 0, bits: marks(octets) }
    }

    /// Where the first octet from `from` on is at which `wanted` says so, or the end. It is asked, in order, at every octet that is
    /// no letter and no digit. `from` is not ahead of what was found before.
    #[inline(always)]
    pub(crate) fn position(&mut self, mut from: usize, mut wanted: impl FnMut(usize) -> bool) -> usize {
        loop {
            if from - self.base >= 64 {
                (self.base, self.bits) = (from, later(self.octets, from));
            }
            let mut bits = self.bits & (u64::MAX << (from - self.base));
            while bits != 0 {
                let at = self.base + bits.trailing_zeros() as usize;
                if at >= self.octets.len() || wanted(at) {
                    return at.min(self.octets.len());
                }
                bits &= bits - 1;
            }
            from = self.base + 64;
        }
    }
}

#[cold]
fn later(octets: &[u8], from: usize) -> u64 {
    marks(octets.get(from..).unwrap_or_default())
}

/// The marks of the first 64 octets.
#[inline(never)]
fn marks(octets: &[u8]) -> u64 {
    #[cfg(feature = "std")]
    {
        use fearless_simd::dispatch;
        dispatch!(crate::wide::level(), simd => by_vectors(simd, octets))
    }
    #[cfg(not(feature = "std"))]
    by_words(octets)
}

#[cfg(feature = "std")]
#[inline(always)]
fn by_vectors<S: fearless_simd::Simd>(simd: S, octets: &[u8]) -> u64 {
    use fearless_simd::{SimdBase, SimdMask, u8x16, u8x32};
    macro_rules! marks {
        ($vector:ident, $octets:expr) => {{
            let octets = $vector::from_slice(simd, $octets);
            let letters = ((octets | $vector::splat(simd, 0x20)) - $vector::splat(simd, b'a'))
                .simd_le($vector::splat(simd, 25));
            let digits = (octets - $vector::splat(simd, b'0')).simd_le($vector::splat(simd, 9));
            !(letters | digits).to_bitmask()
        }};
    }
    let length = octets.len();
    if let (Some(first), Some(second)) = (octets.first_chunk::<32>(), octets.get(32..64)) {
        return marks!(u8x32, first) & u64::from(u32::MAX) | marks!(u8x32, second) << 32;
    }
    let behind = !0 << length;
    // The last ones are looked at twice, rather than singly.
    if let (Some(first), Some(last)) = (octets.first_chunk::<32>(), octets.last_chunk::<32>()) {
        let last = marks!(u8x32, last) & u64::from(u32::MAX);
        return marks!(u8x32, first) & u64::from(u32::MAX) | last << (length - 32) | behind;
    }
    if let (Some(first), Some(last)) = (octets.first_chunk::<16>(), octets.last_chunk::<16>()) {
        let last = marks!(u8x16, last) & u64::from(u16::MAX);
        return marks!(u8x16, first) & u64::from(u16::MAX) | last << (length - 16) | behind;
    }
    by_words(octets)
}

/// The same, eight octets at a time.
fn by_words(octets: &[u8]) -> u64 {
    let mut marks = 0;
    for n in 0..8 {
        // Of each octet's highest bit the lowest eight bits in a row.
        let eight =
            (octets::others(octets::load(octets, 8 * n)) >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        marks |= eight << (8 * n);
    }
    marks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_and_words_mark_what_is_no_letter_and_no_digit() {
        for length in 0..=80 {
            for octet in (0..=255).step_by(if length % 16 == 0 { 1 } else { 7 }) {
                for at in 0..length {
                    let mut text = [b'x'; 80];
                    text[at] = octet;
                    let text = &text[..length];
                    let plain = (0..64).filter(|n| !text.get(*n).is_some_and(u8::is_ascii_alphanumeric));
                    let plain = plain.fold(0, |bits, n| bits | 1 << n);
                    assert_eq!(marks(text), plain, "{text:?}");
                    assert_eq!(by_words(text), plain, "{text:?}");
                }
            }
        }
    }

    #[test]
    fn an_end_is_found_wherever_it_stands_and_from_wherever_it_is_looked_for() {
        for length in [0, 1, 63, 64, 65, 127, 128, 129, 200] {
            for at in 0..length {
                let mut text = [b'x'; 200];
                text[at] = b'.';
                let text = &text[..length];
                for from in 0..length {
                    let plain = if from <= at { at } else { length };
                    let mut marks = Marks::new(text);
                    assert_eq!(marks.position(from, |_| true), plain, "{at} from {from}");
                    assert_eq!(octets::position(text, from, |_| true), plain, "{at} from {from}");
                    // What stands behind it is looked for with the same marks.
                    assert_eq!(marks.position((plain + 1).min(length), |_| true), length);
                    assert_eq!(Marks::new(text).position(from, |_| false), length);
                }
            }
        }
    }
}
