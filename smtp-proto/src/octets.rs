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
