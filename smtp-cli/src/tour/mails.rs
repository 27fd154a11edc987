//! The mails that every conversation delivers: three that are kept in the repository, and one that is made.

use std::sync::Arc;

/// A mail, and who is to have it.
#[derive(Clone, Debug)]
pub(super) struct Mail {
    /// Its octets, as the receiver has to get them.
    pub(super) octets: Arc<[u8]>,
    /// The reverse-path.
    pub(super) from: String,
    /// The forward-paths, in the order of their RCPT commands.
    pub(super) to: Vec<Addressee>,
}

/// A recipient, and whether the server has it.
#[derive(Clone, Debug)]
pub(super) struct Addressee {
    pub(super) address: String,
    pub(super) exists: bool,
}

impl Mail {
    fn new(octets: impl Into<Arc<[u8]>>, to: impl IntoIterator<Item = Addressee>) -> Self {
        Self { octets: octets.into(), from: "ann@client.example".into(), to: to.into_iter().collect() }
    }

    /// How many recipients the server takes.
    pub(super) fn taken(&self) -> usize {
        self.to.iter().filter(|to| to.exists).count()
    }

    /// How many it refuses.
    pub(super) fn refused(&self) -> usize {
        self.to.len() - self.taken()
    }
}

impl Addressee {
    fn known(name: &str) -> Self {
        Self { address: format!("{name}@server.example"), exists: true }
    }
}

/// All of them: a multipart with an attachment and lines that start with dots, a body of 8-bit UTF-8, an empty body, and
/// 5 MiB for 20 recipients of whom two are refused.
pub(super) fn all() -> Arc<[Mail]> {
    let twenty = (1..=20).map(|number| match number {
        7 | 20 => Addressee { address: format!("nobody{number:02}@server.example"), exists: false },
        _ => Addressee::known(&format!("user{number:02}")),
    });
    Arc::from([
        Mail::new(*include_bytes!("../../mails/multipart.eml"), ["ben", "cat"].map(Addressee::known)),
        Mail::new(*include_bytes!("../../mails/utf8.eml"), [Addressee::known("ben")]),
        Mail::new(*include_bytes!("../../mails/empty.eml"), [Addressee::known("ben")]),
        Mail::new(generated(5 * 1024 * 1024), twenty),
    ])
}

/// A mail of exactly so many octets, the same each time: lines of 0 to 76 characters, and every so often one that starts
/// with a dot or is nothing but dots.
fn generated(len: usize) -> Vec<u8> {
    const HEADER: &str = "From: Ann Example <ann@client.example>\r\n\
        To: everybody <list@server.example>\r\n\
        Subject: A large one\r\n\
        \r\n";
    const CHARACTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+.";
    let mut octets = Vec::with_capacity(len);
    octets.extend_from_slice(HEADER.as_bytes());
    // Knuth's MMIX generator: what it gives tells its place, so that nothing can be lost or doubled unseen.
    let mut seed = 5321_u64;
    let mut random = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize
    };
    while octets.len() < len {
        let rest = len - octets.len();
        let width = match random() % 80 {
            width if width + 4 <= rest.min(80) => width,
            // Leaves nothing, or room for another line.
            _ if rest <= 78 => rest - 2,
            _ => 40,
        };
        let start = octets.len();
        octets.extend((0..width).map(|_| CHARACTERS[random() % 64]));
        match random() % 128 {
            0 => octets[start..].fill(b'.'),
            1 if width > 0 => octets[start] = b'.',
            _ => {}
        }
        octets.extend_from_slice(b"\r\n");
    }
    octets
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(mail: &Mail) -> impl Iterator<Item = &[u8]> {
        let whole = mail.octets.strip_suffix(b"\r\n").expect("it ends with CRLF");
        whole.split(|octet| *octet == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line))
    }

    #[test]
    fn every_line_ends_in_crlf_and_nothing_else() {
        for mail in &*all() {
            assert!(lines(mail).all(|line| !line.contains(&b'\r') && line.len() <= 998));
            let count = |octet| mail.octets.iter().filter(|other| **other == octet).count();
            assert_eq!(count(b'\r'), count(b'\n'));
        }
    }

    #[test]
    fn they_are_what_they_are_for() {
        let mails = all();
        let [multipart, utf8, empty, large] = &*mails else { panic!("four") };
        for dots in [&b"."[..], b"..", b".cshrc"] {
            assert!(lines(multipart).any(|line| line == dots));
            assert!(lines(large).any(|line| line.starts_with(dots) || line == dots) || dots == b".cshrc");
        }
        assert!(utf8.octets.iter().any(|octet| *octet > 127) && std::str::from_utf8(&utf8.octets).is_ok());
        assert!(
            empty.octets.ends_with(b"\r\n\r\n") && lines(empty).filter(|line| line.is_empty()).count() == 1
        );
        assert_eq!(large.octets.len(), 5 * 1024 * 1024);
        assert_eq!((large.taken(), large.refused()), (18, 2));
    }
}
