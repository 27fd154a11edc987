//! Where in short text an octet stands that ends something: lines, keywords. Eight are looked at in one step, and nothing is called,
//! which for lines as short as SMTP's would cost more than the search.

/// Where the first octet from `from` on is that `wanted` takes, of which all are below `LIMIT`.
#[inline(always)]
pub(crate) fn find<const LIMIT: u8>(
    octets: &[u8],
    mut from: usize,
    wanted: impl Fn(u8) -> bool,
) -> Option<usize> {
    loop {
        let at = first_below::<LIMIT>(octets, from)?;
        if wanted(octets[at]) {
            return Some(at);
        }
        from = at + 1;
    }
}

/// Where the first octet from `from` on is that is below `LIMIT`, at most 0x80.
#[inline(always)]
fn first_below<const LIMIT: u8>(octets: &[u8], mut from: usize) -> Option<usize> {
    while from < octets.len() {
        let word = load(octets, from);
        // The borrow of one goes only to those behind it: of what is marked, the first is right. What is behind the end is marked, too.
        let below = word.wrapping_sub(ONES * LIMIT as u64) & !word & HIGH;
        if below != 0 {
            let at = from + below.trailing_zeros() as usize / 8;
            return (at < octets.len()).then_some(at);
        }
        from += 8;
    }
    None
}

/// `from`, or further on, with nothing below `LIMIT` between: sixteen octets at a time, of which the compiler makes a vector. For what is
/// longer than a word.
#[inline(always)]
pub(crate) fn skip<const LIMIT: u8>(octets: &[u8], mut from: usize) -> usize {
    while let Some(many) = octets.get(from..).and_then(|rest| rest.first_chunk::<16>())
        && many.iter().fold(true, |none, octet| none & (*octet >= LIMIT))
    {
        from += 16;
    }
    from
}

/// A keyword of 3 to 16 octets in lower case, as its first and its last half: with the length, all of it. Of up to 8 octets the first
/// number is enough.
#[inline(always)]
pub(crate) const fn key(keyword: &[u8]) -> (u64, u64) {
    if let (Some(first), Some(last)) = (keyword.first_chunk(), keyword.last_chunk()) {
        return (fold(u64::from_le_bytes(*first)), fold(u64::from_le_bytes(*last)));
    }
    if let (Some(first), Some(last)) = (keyword.first_chunk(), keyword.last_chunk()) {
        let (first, last) = (u32::from_le_bytes(*first) as u64, u32::from_le_bytes(*last) as u64);
        return (fold(first | last << 32), 0);
    }
    if let [a, b, c] = keyword {
        return (fold(u32::from_le_bytes([*a, *b, *c, 0]) as u64), 0);
    }
    (0, 0)
}

/// Upper case to lower, eight octets at a time. Of what a keyword may hold, only letters have the bit 0x40; of what it
/// may not, nothing comes out as a letter, digit or hyphen but what went in as one.
const fn fold(octets: u64) -> u64 {
    octets | (octets & 0x4040_4040_4040_4040) >> 1
}

/// Where the first octet from `from` on is at which `wanted` says so, or the end. It is asked, in order, at every octet that is no letter
/// and no digit, and may be at others.
#[inline(always)]
pub(crate) fn position(octets: &[u8], mut from: usize, mut wanted: impl FnMut(usize) -> bool) -> usize {
    while from < octets.len() {
        let mut marks = others(load(octets, from));
        while marks != 0 {
            let at = from + marks.trailing_zeros() as usize / 8;
            if at >= octets.len() || wanted(at) {
                return at.min(octets.len());
            }
            marks &= marks - 1;
        }
        from += 8;
    }
    octets.len()
}

const ONES: u64 = u64::MAX / 255;
const HIGH: u64 = ONES << 7;

/// The highest bit of each octet that is no letter and no digit.
#[inline(always)]
pub(crate) const fn others(octets: u64) -> u64 {
    // Each sum stays in its octet: of seven bits, plus what takes the first octet of a range to 0x80.
    let seven = octets & !HIGH;
    let lower = seven | (ONES * 0x20);
    let letters = (lower + ONES * (0x80 - b'a' as u64)) & !(lower + ONES * (0x7f - b'z' as u64));
    let digits = (seven + ONES * (0x80 - b'0' as u64)) & !(seven + ONES * (0x7f - b'9' as u64));
    (!(letters | digits) | octets) & HIGH
}

/// The highest bit of each octet below `limit`, at most 0x80.
#[inline(always)]
pub(crate) const fn below(octets: u64, limit: u8) -> u64 {
    !(((octets & !HIGH) + ONES * (0x80 - limit as u64)) | octets) & HIGH
}

/// The highest bit of each octet that is this one, of ASCII.
#[inline(always)]
pub(crate) const fn equal(octets: u64, octet: u8) -> u64 {
    let other = octets ^ (ONES * octet as u64);
    !(((other & !HIGH) + !HIGH) | other) & HIGH
}

/// Eight octets from `at` on as a number, the first of them lowest; zero for those behind the end.
#[inline(always)]
pub(crate) fn load(octets: &[u8], at: usize) -> u64 {
    if let Some(eight) = octets.get(at..).and_then(|rest| rest.first_chunk()) {
        return u64::from_le_bytes(*eight);
    }
    let left = octets.len().saturating_sub(at);
    match octets.last_chunk() {
        Some(last) => u64::from_le_bytes(*last) >> (56 - 8 * left) >> 8,
        None => octets.iter().skip(at).rev().fold(0, |word, octet| word << 8 | u64::from(*octet)),
    }
}

/// The word at `at`: how many octets stand ahead of the first that is `=`, or below `-` as space and comma are, and what they are as
/// [`short`] says it. `None` if there are more than eight.
#[inline(always)]
pub(crate) fn word(octets: &[u8], at: usize) -> Option<(usize, u64)> {
    let eight = load(octets, at);
    let below = eight.wrapping_sub(ONES * b'-' as u64) & !eight;
    let equals = eight ^ (ONES * b'=' as u64);
    let ends = (below | equals.wrapping_sub(ONES) & !equals) & HIGH;
    if ends != 0 {
        let bits = ends.trailing_zeros() & !7;
        return Some((bits as usize / 8, fold(eight & ((1 << bits) - 1))));
    }
    match octets.get(at + 8) {
        Some(octet) if *octet >= b'-' && *octet != b'=' => None,
        _ => Some((8, fold(eight))),
    }
}

/// A keyword of at most eight octets in lower case, as a number: that of no other text.
pub(crate) const fn short(keyword: &[u8]) -> u64 {
    let mut word = 0;
    let mut at = keyword.len();
    while at > 0 {
        at -= 1;
        word = word << 8 | keyword[at] as u64;
    }
    fold(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_finds_what_a_search_by_single_octets_finds() {
        for length in 0..20 {
            for at in 0..length {
                for found in [0, 9, 10, 13, 14, 31, 32, 33] {
                    for other in [14, 32, 127, 128, 138, 141, 255] {
                        let mut text = [other; 20];
                        text[at] = found;
                        let text = &text[..length];
                        for from in 0..=length {
                            let plain = |wanted: fn(u8) -> bool| {
                                text[from..].iter().position(|o| wanted(*o)).map(|n| from + n)
                            };
                            let line = |o| matches!(o, b'\r' | b'\n');
                            let blank = |o| matches!(o, b' ' | b'\t');
                            assert_eq!(find::<14>(text, from, line), plain(line), "{text:?} {from}");
                            assert_eq!(find::<33>(text, from, blank), plain(blank), "{text:?} {from}");
                            let skipped = skip::<14>(text, from);
                            assert!(
                                (from..=length).contains(&skipped)
                                    && text[from..skipped].iter().all(|o| *o >= 14)
                            );
                        }
                    }
                }
            }
        }
    }
}
