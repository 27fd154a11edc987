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
fn first_below<const LIMIT: u8>(octets: &[u8], from: usize) -> Option<usize> {
    let rest = octets.get(from..)?;
    let (eights, ragged) = rest.as_chunks();
    for (n, eight) in eights.iter().enumerate() {
        if let Some(at) = below::<LIMIT>(*eight) {
            return Some(from + 8 * n + at);
        }
    }
    // The last eight, of which some were looked at.
    match rest.last_chunk() {
        _ if ragged.is_empty() => None,
        Some(last) => below::<LIMIT>(*last).map(|at| octets.len() - 8 + at),
        None => ragged.iter().position(|octet| *octet < LIMIT).map(|at| from + at),
    }
}

#[inline(always)]
fn below<const LIMIT: u8>(eight: [u8; 8]) -> Option<usize> {
    const ONES: u64 = u64::MAX / 255;
    let word = u64::from_le_bytes(eight);
    // The borrow of one goes only to those behind it: of what is marked, the first is right.
    let below = word.wrapping_sub(ONES * LIMIT as u64) & !word & (ONES << 7);
    if below == 0 { None } else { Some(below.trailing_zeros() as usize / 8) }
}

/// A keyword of 3 to 16 octets in lower case, as its first and its last half: with the length, all of it.
pub(crate) const fn key(keyword: &[u8]) -> (u64, u64) {
    if let (Some(first), Some(last)) = (keyword.first_chunk(), keyword.last_chunk()) {
        return (fold(u64::from_le_bytes(*first)), fold(u64::from_le_bytes(*last)));
    }
    if let (Some(first), Some(last)) = (keyword.first_chunk(), keyword.last_chunk()) {
        return (fold(u32::from_le_bytes(*first) as u64), fold(u32::from_le_bytes(*last) as u64));
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
                        }
                    }
                }
            }
        }
    }
}
