//! PROXY headers: known as soon as they are whole, whatever the cuts, and written as they are read.

use smtp_proto::proxy::Proxied;

/// Any octets ahead of the greeting.
pub fn proxy(input: &[u8]) {
    let whole = Proxied::parse(input);
    let known = (0..=input.len()).find_map(|len| Some((len, Proxied::parse(&input[..len]).transpose()?)));
    match (&whole, known) {
        (Ok(None), None) => {}
        (Ok(Some((proxied, len))), Some((at, Ok(first)))) => {
            assert_eq!((&first.0, first.1, at), (proxied, *len, *len));
            let mut output = Vec::new();
            proxied.write(&mut output);
            assert_eq!(Proxied::parse(&output), Ok(Some((*proxied, output.len()))));
        }
        (Err(_), Some((_, Err(_)))) => {}
        (whole, known) => panic!("{whole:?} at once, {known:?} when it grew"),
    }
}
