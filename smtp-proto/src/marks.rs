//! Where in a text the octets are at which a token may end: those that are neither letters nor digits. They are marked for 64 octets at a
//! time, by vectors where there are some, and whoever looks for the end of a token looks at the marks alone.

use crate::octets;

/// The marks of a text.
pub(crate) struct Marks<'a> {
    octets: &'a [u8],
    /// Where the octets begin that `window` is about.
    base: usize,
    window: Window,
}

/// What 64 octets are, a bit for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Window {
    /// Neither letters nor digits. What is behind the end counts as such.
    others: u64,
    /// Dots and hyphens.
    joints: u64,
}

impl<'a> Marks<'a> {
    #[inline(always)]
    pub(crate) fn new(octets: &'a [u8]) -> Self {
        Self { octets, base: 0, window: window(octets) }
    }

    /// Where the first octet from `from` on is at which `wanted` says so, or the end. It is asked, in order, at every octet that is
    /// no letter and no digit. `from` is not ahead of what was found before.
    #[inline(always)]
    pub(crate) fn position(&mut self, mut from: usize, mut wanted: impl FnMut(usize) -> bool) -> usize {
        loop {
            if from - self.base >= 64 {
                (self.base, self.window) = (from, later(self.octets, from));
            }
            let mut bits = self.window.others & (u64::MAX << (from - self.base));
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

    /// The places of the "@" and of the end of a mailbox that begins the text, if it is one as nearly all are: within 64 octets, of
    /// letters and digits with a single dot or hyphen between them. `None` says nothing.
    #[inline(always)]
    pub(crate) fn mailbox(&self) -> Option<(usize, usize)> {
        let Window { others, joints } = self.window;
        let ends = others & !joints;
        let (at, end) = (ends.trailing_zeros(), (ends & ends.wrapping_sub(1)).trailing_zeros());
        if self.base > 0 || end >= 64 || self.octets.get(at as usize) != Some(&b'@') {
            return None;
        }
        // Of joints, "@" and both ends no two stand side by side.
        let edges = joints & ((1 << end) - 1) | 1 << at | 1 << end;
        (edges & (edges << 1 | 1) == 0).then_some((at as usize, end as usize))
    }
}

#[cold]
fn later(octets: &[u8], from: usize) -> Window {
    window(octets.get(from..).unwrap_or_default())
}

/// The first 64 octets.
#[inline(never)]
fn window(octets: &[u8]) -> Window {
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
fn by_vectors<S: fearless_simd::Simd>(simd: S, octets: &[u8]) -> Window {
    use fearless_simd::{SimdBase, SimdMask, u8x16, u8x32, u8x64};
    macro_rules! window {
        ($vector:ident, $octets:expr) => {{
            let octets = $vector::from_slice(simd, $octets);
            let letters = ((octets | $vector::splat(simd, 0x20)) - $vector::splat(simd, b'a'))
                .simd_le($vector::splat(simd, 25));
            let digits = (octets - $vector::splat(simd, b'0')).simd_le($vector::splat(simd, 9));
            let joints = (octets - $vector::splat(simd, b'-')).simd_le($vector::splat(simd, 1));
            Window { others: (!(letters | digits)).to_bitmask(), joints: joints.to_bitmask() }
        }};
    }
    let length = octets.len();
    if let Some(all) = octets.first_chunk::<64>() {
        return window!(u8x64, all);
    }
    // The last ones are looked at twice, rather than singly.
    if let (Some(first), Some(last)) = (octets.first_chunk::<32>(), octets.last_chunk::<32>()) {
        return window!(u8x32, first).and(window!(u8x32, last), length - 32).ended(length);
    }
    if let (Some(first), Some(last)) = (octets.first_chunk::<16>(), octets.last_chunk::<16>()) {
        return window!(u8x16, first).and(window!(u8x16, last), length - 16).ended(length);
    }
    by_words(octets)
}

impl Window {
    /// This one, with another of what stands `at` octets further on.
    #[inline(always)]
    fn and(self, later: Self, at: usize) -> Self {
        Self { others: self.others | later.others << at, joints: self.joints | later.joints << at }
    }

    #[inline(always)]
    fn ended(self, length: usize) -> Self {
        Self { others: self.others | u64::MAX << length, ..self }
    }
}

/// The same, eight octets at a time.
fn by_words(octets: &[u8]) -> Window {
    // Of each octet's highest bit eight bits in a row.
    let row = |bits: u64| (bits >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56;
    let mut window = Window::default();
    for at in (0..octets.len().min(64)).step_by(8) {
        let word = octets::load(octets, at);
        let joints = octets::equal(word, b'.') | octets::equal(word, b'-');
        window = window.and(Window { others: row(octets::others(word)), joints: row(joints) }, at);
    }
    if octets.len() < 64 { window.ended(octets.len()) } else { window }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_and_words_mark_what_single_octets_are() {
        for length in 0..=80 {
            for octet in (0..=255).step_by(if length % 16 == 0 { 1 } else { 7 }) {
                for at in 0..length {
                    let mut text = [b'x'; 80];
                    text[at] = octet;
                    let text = &text[..length];
                    let bits = |wanted: fn(Option<&u8>) -> bool| {
                        (0..64).filter(|n| wanted(text.get(*n))).fold(0, |bits, n| bits | 1 << n)
                    };
                    let plain = Window {
                        others: bits(|octet| !octet.is_some_and(u8::is_ascii_alphanumeric)),
                        joints: bits(|octet| octet.is_some_and(|octet| b"-.".contains(octet))),
                    };
                    assert_eq!(window(text), plain, "{text:?}");
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
