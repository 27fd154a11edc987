//! Where the messages of an mbox begin and end.

use std::io;

use smtp_tokio::proto::dot::Surveyor;
use smtp_tokio::proto::session::Content;

use super::window::Window;
use super::{Found, Item};
use crate::mbox::{FROM, Lines};

/// A message whose end was not found yet.
struct Open {
    /// Where the line ahead of it begins, and where it does itself.
    from: u64,
    start: u64,
    surveyor: Surveyor,
    /// An empty line came last: it is of the message only if more of that follows.
    empty: Option<Vec<u8>>,
}

/// Finds the messages of an mbox.
pub(super) fn scan(name: &str, mbox: &Window, give: &mut impl FnMut(Found) -> bool) -> io::Result<bool> {
    let (mut lines, mut at, mut count) = (Lines::new(mbox.clone()), 0, 0);
    let mut open: Option<Open> = None;
    // The line before was empty, or there was none; the line in hand is the one ahead of a message.
    let (mut between, mut ahead) = (true, false);
    let mut close = |open: Open, next: u64| {
        count += 1;
        let end = next - open.empty.map_or(0, |line| line.len() as u64);
        give(Found::Message(Item {
            name: format!("{name}#{count}"),
            content: Content::surveyed(&open.surveyor.finish()),
            octets: next - open.from,
            window: mbox.part(open.start, end),
            quoted: true,
        }))
    };
    while let Some(line) = lines.next()? {
        let next = at + line.octets.len() as u64;
        if line.starts {
            ahead = between && line.octets.starts_with(FROM);
        }
        if ahead {
            if let Some(open) = open.take_if(|_| line.starts)
                && !close(open, at)
            {
                return Ok(false);
            }
            let from = open.map_or(at, |open| open.from);
            open = Some(Open { from, start: next, surveyor: Surveyor::new(), empty: None });
        } else if let Some(open) = &mut open {
            if let Some(empty) = open.empty.take() {
                open.surveyor.add(&empty);
            }
            if line.is_empty() {
                open.empty = Some(line.octets.to_vec());
            } else {
                open.surveyor.add(line.unquoted());
            }
        }
        between = line.is_empty();
        at = next;
    }
    Ok(open.is_none_or(|open| close(open, at)))
}

#[cfg(test)]
mod tests {
    use super::super::tests::found;
    use super::super::text::tests::read;
    use smtp_tokio::proto::session::Content;

    fn messages(mbox: &[u8]) -> Vec<Vec<u8>> {
        let items = found(mbox);
        let octets: u64 = items.iter().map(|item| item.octets).sum();
        assert_eq!(octets, mbox.len() as u64, "every octet is somebody's");
        items
            .into_iter()
            .map(|item| {
                let (content, text) = (item.content, read(item));
                assert_eq!(content, Content::of(&text), "what is declared is what is read");
                text
            })
            .collect()
    }

    #[test]
    fn messages_are_parted_at_from_lines_behind_empty_ones() {
        let mbox = b"From ann Sun\nSubject: a\n\none\n\nFrom ben Mon\nSubject: b\n\nFrom two\n\n";
        assert_eq!(messages(mbox), [&b"Subject: a\n\none\n"[..], b"Subject: b\n", b""]);
        let inside = b"From ann\nSubject: a\nFrom is no field\n\nx\nFrom here on\n";
        assert_eq!(messages(inside), [&inside[9..]]);
        let crlf = b"From ann\r\nSubject: a\r\n\r\nx\r\n\r\nFrom ben\r\nSubject: b\r\n\r\n\r\n\r\n";
        assert_eq!(messages(crlf), [&b"Subject: a\r\n\r\nx\r\n"[..], b"Subject: b\r\n\r\n\r\n"]);
        assert_eq!(messages(b"From ann\nno end"), [b"no end"]);
        assert_eq!(messages(b"From ann"), [b""]);
    }

    #[test]
    fn quoting_is_taken_back_once() {
        let mbox = b"From a\nS: x\n\n>From one\n>>From two\n> From none\n>Fromage\n>from\nx >From\n>\n";
        assert_eq!(
            messages(mbox),
            [b"S: x\n\nFrom one\n>From two\n> From none\n>Fromage\n>from\nx >From\n>\n"]
        );
    }

    #[test]
    fn lines_longer_than_any_buffer_are_read_in_pieces() {
        let long = ">From ".repeat(40_000);
        let mbox = format!("From {long}\nS: x\n\n{long}\n\nFrom b\n{long}\n>From {long}");
        let expected = [format!("S: x\n\n{}\n", &long[1..]), format!("{}\nFrom {long}", &long[1..])];
        assert_eq!(messages(mbox.as_bytes()), expected.map(String::into_bytes));
    }
}
