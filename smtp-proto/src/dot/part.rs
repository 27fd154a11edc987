use super::survey::Surveyor;
use super::{Flaws, Survey};

/// A message that lies in memory, together with what a look through all of it found: what is given on from here needs no
/// second look.
///
/// The octets stay borrowed and the finding cannot be had without them, so it is never told of others.
///
/// ```
/// use bytes::BytesMut;
/// use smtp_proto::dot::{LineEnds, Stuffer, Surveyed};
///
/// let message = Surveyed::new(b"Subject: dots\r\n\r\n.first\r\n");
/// assert_eq!(message.found().size, 25);
///
/// let (mut stuffer, mut wire) = (Stuffer::new(LineEnds::Normalise), BytesMut::new());
/// let (header, rest) = message.part().split_at(17);
/// stuffer.append(header, &mut wire)?;
/// stuffer.append(rest, &mut wire)?;
/// stuffer.finish(&mut wire)?;
/// assert_eq!(&wire[..], b"Subject: dots\r\n\r\n..first\r\n.\r\n");
/// # Ok::<(), smtp_proto::dot::Flaws>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Surveyed<'m> {
    part: Part<'m>,
    found: Survey,
}

impl<'m> Surveyed<'m> {
    /// Surveys a message, in one scan.
    #[must_use]
    pub fn new(message: &'m [u8]) -> Self {
        let (found, dots) = Surveyor::all(message);
        let unlike_text = Flaws::BARE_CR | Flaws::BARE_LF | Flaws::NUL;
        let text = found.flaws.intersection(unlike_text).is_empty();
        Self { part: Part { octets: message, text, plain: text && !dots }, found }
    }

    /// What was found.
    #[must_use]
    pub const fn found(&self) -> &Survey {
        &self.found
    }

    /// All of the message, to be sent.
    #[must_use]
    pub const fn part(&self) -> Part<'m> {
        self.part
    }
}

/// A part of a message that is to be sent, cut anywhere. Any octets are one; what was [`Surveyed`] and found without anything
/// to stuff or to mend is sent without being looked through again.
#[derive(Clone, Copy, Debug)]
pub struct Part<'m> {
    octets: &'m [u8],
    // What is known holds of every two octets side by side, and so of each part of this one. What the first one is depends
    // on what was sent ahead of it, which is the stuffer's to know.
    /// There is no NUL within, and no CR or LF alone, unless its other half was cut off.
    text: bool,
    /// Nor a dot behind a line's end.
    plain: bool,
}

impl<'m> Part<'m> {
    /// Its octets.
    #[must_use]
    pub const fn octets(self) -> &'m [u8] {
        self.octets
    }

    /// The first `at` octets, and the others.
    ///
    /// # Panics
    ///
    /// If it has fewer.
    #[must_use]
    pub const fn split_at(self, at: usize) -> (Self, Self) {
        let (first, rest) = self.octets.split_at(at);
        (Self { octets: first, ..self }, Self { octets: rest, ..self })
    }

    /// Whether it is known that none of it but its first octet calls for an edit; with `stuff`, for a dot either.
    pub(super) const fn is_clean(self, stuff: bool) -> bool {
        if stuff { self.plain } else { self.text }
    }
}

/// Octets of which nothing is known.
impl<'m, T: AsRef<[u8]> + ?Sized> From<&'m T> for Part<'m> {
    fn from(octets: &'m T) -> Self {
        Self { octets: octets.as_ref(), text: false, plain: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the survey finds nothing in is not looked through again, and nothing else is taken for that.
    #[test]
    fn what_is_known_is_what_the_survey_saw() {
        for (message, text, plain) in [
            (&b""[..], true, true),
            (b"text", true, true),
            (b"a.\r\nb\r\n\r\n", true, true),
            (b"\xE9\r\n", true, true),
            (b".first", true, true),
            (b"a\r\n.b", true, false),
            (b"a\r\n.", true, false),
            (b"\r\n.", true, false),
            (b"a\nb", false, false),
            (b"a\rb", false, false),
            (b"a\n", false, false),
            (b"a\r", false, false),
            (b"\n.", false, false),
            (b"a\0", false, false),
        ] {
            // Wherever in a block it is found.
            for lead in [&b""[..], &[b'x'; 31], &[b'x'; 254], &[b'x'; 300], &b"0123\r\n".repeat(500)] {
                for behind in [&b""[..], b"x", &[b'x'; 300]] {
                    if message.ends_with(b"\r") && !behind.is_empty() {
                        continue;
                    }
                    let dot = lead.ends_with(b"\n") && message.starts_with(b".");
                    let message = [lead, message, behind].concat();
                    let part = Surveyed::new(&message).part();
                    assert_eq!(part.is_clean(false), text, "{}", message.escape_ascii());
                    assert_eq!(part.is_clean(true), plain && !dot, "{}", message.escape_ascii());
                    assert!(!Part::from(&message).is_clean(false), "nobody looked");
                }
            }
        }
    }
}
