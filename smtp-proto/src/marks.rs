//! Where in a text the octets are at which something may end: a token, a word, a line. They are marked for 64 octets at a time, by vectors
//! where there are some, and whoever looks for an end looks at the marks alone.

use crate::octets;

/// Marks of what is neither letter nor digit.
pub(crate) type Tokens<'a> = Marks<'a, 0>;

/// The marks of a text: of octets below `LIMIT`, at most 0x80; with 0, of those that are neither letters nor digits.
pub(crate) struct Marks<'a, const LIMIT: u8> {
    octets: &'a [u8],
    /// Where the octets begin that `window` is about.
    base: usize,
    window: Window,
}

/// What 64 octets are, a bit for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Window {
    /// What is marked. What is behind the end is, too.
    ends: u64,
    /// With a `LIMIT` of 0, dots and hyphens.
    joints: u64,
}

impl<'a, const LIMIT: u8> Marks<'a, LIMIT> {
    #[inline(always)]
    pub(crate) fn new(octets: &'a [u8]) -> Self {
        Self { octets, base: 0, window: window::<LIMIT>(octets) }
    }

    /// The next marked octet, or the end.
    #[inline(always)]
    pub(crate) fn next(&mut self) -> usize {
        while self.window.ends == 0 {
            self.base += 64;
            self.window = later::<LIMIT>(self.octets, self.base);
        }
        let at = self.base + self.window.ends.trailing_zeros() as usize;
        if at >= self.octets.len() {
            return self.octets.len();
        }
        self.window.ends &= self.window.ends - 1;
        at
    }

    /// The next marked octet from `from` on at which `wanted` says so, or the end. It is asked at each, in order.
    #[inline(always)]
    pub(crate) fn position(&mut self, from: usize, mut wanted: impl FnMut(usize) -> bool) -> usize {
        loop {
            let at = self.next();
            if at == self.octets.len() || at >= from && wanted(at) {
                return at;
            }
        }
    }
}

impl Tokens<'_> {
    /// The places of the "@" and of the end of a mailbox that begins the text, if it is one as nearly all are: within 64 octets, of
    /// letters and digits with a single dot or hyphen between them. `None` says nothing. It is for when nothing was looked for yet.
    #[inline(always)]
    pub(crate) fn mailbox(&self) -> Option<(usize, usize)> {
        let Window { ends, joints } = self.window;
        let ends = ends & !joints;
        let (at, end) = (ends.trailing_zeros(), (ends & ends.wrapping_sub(1)).trailing_zeros());
        let parted = self.octets.get(at as usize) == Some(&b'@');
        // Behind an octet that is not ASCII, a domain goes on.
        if !parted || end >= 64 || self.octets.get(end as usize).is_some_and(|octet| !octet.is_ascii()) {
            return None;
        }
        // Of joints, "@" and both ends no two stand side by side.
        let edges = joints & ((1 << end) - 1) | 1 << at | 1 << end;
        (edges & (edges << 1 | 1) == 0).then_some((at as usize, end as usize))
    }
}

#[inline(never)]
fn later<const LIMIT: u8>(octets: &[u8], from: usize) -> Window {
    window::<LIMIT>(octets.get(from..).unwrap_or_default())
}

/// The first 64 octets.
#[inline(never)]
fn window<const LIMIT: u8>(octets: &[u8]) -> Window {
    #[cfg(feature = "std")]
    {
        use fearless_simd::dispatch;
        dispatch!(crate::wide::level(), simd => by_vectors::<_, LIMIT>(simd, octets))
    }
    #[cfg(not(feature = "std"))]
    by_words::<LIMIT>(octets)
}

#[cfg(feature = "std")]
#[inline(always)]
fn by_vectors<S: fearless_simd::Simd, const LIMIT: u8>(simd: S, octets: &[u8]) -> Window {
    use fearless_simd::{SimdBase, SimdMask, u8x16, u8x32, u8x64};
    macro_rules! window {
        ($vector:ident, $octets:expr) => {{
            let octets = $vector::from_slice(simd, $octets);
            if LIMIT > 0 {
                let ends = octets.simd_lt($vector::splat(simd, LIMIT));
                Window { ends: ends.to_bitmask(), joints: 0 }
            } else {
                let letters = ((octets | $vector::splat(simd, 0x20)) - $vector::splat(simd, b'a'))
                    .simd_le($vector::splat(simd, 25));
                let digits = (octets - $vector::splat(simd, b'0')).simd_le($vector::splat(simd, 9));
                let joints = (octets - $vector::splat(simd, b'-')).simd_le($vector::splat(simd, 1));
                Window { ends: (!(letters | digits)).to_bitmask(), joints: joints.to_bitmask() }
            }
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
    by_words::<LIMIT>(octets)
}

impl Window {
    /// This one, with another of what stands `at` octets further on.
    #[inline(always)]
    fn and(self, later: Self, at: usize) -> Self {
        Self { ends: self.ends | later.ends << at, joints: self.joints | later.joints << at }
    }

    #[inline(always)]
    fn ended(self, length: usize) -> Self {
        Self { ends: self.ends | u64::MAX << length, ..self }
    }
}

/// The same, eight octets at a time.
fn by_words<const LIMIT: u8>(octets: &[u8]) -> Window {
    // Of each octet's highest bit eight bits in a row.
    let row = |bits: u64| (bits >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56;
    let mut window = Window::default();
    for at in (0..octets.len().min(64)).step_by(8) {
        let word = octets::load(octets, at);
        let (ends, joints) = match LIMIT {
            0 => (octets::others(word), octets::equal(word, b'.') | octets::equal(word, b'-')),
            limit => (octets::below(word, limit), 0),
        };
        window = window.and(Window { ends: row(ends), joints: row(joints) }, at);
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
                        ends: bits(|octet| !octet.is_some_and(u8::is_ascii_alphanumeric)),
                        joints: bits(|octet| octet.is_some_and(|octet| b"-.".contains(octet))),
                    };
                    assert_eq!(window::<0>(text), plain, "{text:?}");
                    assert_eq!(by_words::<0>(text), plain, "{text:?}");
                    let plain =
                        Window { ends: bits(|octet| octet.is_none_or(|octet| *octet < 33)), joints: 0 };
                    assert_eq!(window::<33>(text), plain, "{text:?}");
                    assert_eq!(by_words::<33>(text), plain, "{text:?}");
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
                    let mut marks = Tokens::new(text);
                    assert_eq!(marks.position(from, |_| true), plain, "{at} from {from}");
                    assert_eq!(octets::position(text, from, |_| true), plain, "{at} from {from}");
                    // What is behind it is looked for next.
                    assert_eq!(marks.next(), length);
                    assert_eq!(marks.next(), length);
                    assert_eq!(Tokens::new(text).position(from, |_| false), length);
                }
            }
        }
    }
}
