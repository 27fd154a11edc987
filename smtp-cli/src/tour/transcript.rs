//! A conversation for the eye: every write with its lines, a remark where one is due, no secrets, little of the messages.

use std::io;
use std::time::Duration;

use super::record::{Side, Write};

/// Lines of each message that are shown from its start.
const SHOWN: usize = 4;
/// Lines of a message among which those that start with a doubled dot are shown.
const DOTS_SHOWN: usize = 24;
/// Lines of one kind behind each other that are all shown.
const ALIKE: usize = 4;
/// Octets of a line that two lines of one kind have in common: `RCPT TO:`, `250 2.1.5`.
const KIND: usize = 8;
/// Characters of a line that are shown.
const WIDTH: usize = 84;

/// Prints what was recorded.
pub(super) fn print(writes: &[Write], out: &mut impl io::Write) -> io::Result<()> {
    let mut reader = Reader::default();
    let (mut inner_writes, mut inner_octets) = (0, 0);
    let start = writes.first().map_or(Duration::ZERO, |write| write.at);
    for write in writes {
        let lines = reader.read(write);
        if lines.iter().all(|line| *line == Line::Hidden) {
            inner_writes += 1;
            inner_octets += write.octets.len();
            continue;
        }
        if inner_writes > 0 {
            let times = if inner_writes == 1 { String::new() } else { format!(", in {inner_writes} writes") };
            writeln!(out, "             client writes {inner_octets} octets of the message's inside{times}")?;
            (inner_writes, inner_octets) = (0, 0);
        }
        let who = if write.side == Side::Client { "client" } else { "server" };
        let (ms, octets) = ((write.at - start).as_secs_f64() * 1000.0, write.octets.len());
        writeln!(out, "{ms:>8.2} ms  {who} writes {octets} octets{}", remark(write.side, &lines))?;
        print_lines(write.side, &lines, out)?;
    }
    Ok(())
}

fn print_lines(side: Side, lines: &[Line], out: &mut impl io::Write) -> io::Result<()> {
    let prompt = if side == Side::Client { "C:" } else { "S:" };
    for run in lines.chunk_by(Line::is_like) {
        let shown = match &run[0] {
            Line::Hidden => 0,
            _ if run.len() <= ALIKE => run.len(),
            _ => 1,
        };
        for line in &run[..shown] {
            let (text, dot) = match line {
                Line::Said(text) => (text, ""),
                Line::Message(text) if text.starts_with("..") => {
                    (text, "    <- one dot more than in the mail")
                }
                Line::Message(text) => (text, ""),
                Line::Hidden => continue,
            };
            let space = if text.is_empty() { "" } else { " " };
            let text: String = text.chars().take(WIDTH).collect();
            writeln!(out, "             {prompt}{space}{text}{dot}")?;
        }
        match (run.len() - shown, &run[0]) {
            (0, _) => {}
            (more, Line::Hidden) => writeln!(out, "             {prompt} [{more} lines of the message]")?,
            (more, _) => writeln!(out, "             {prompt} [{more} more like this]")?,
        }
    }
    Ok(())
}

/// What is to be said of a write as a whole.
fn remark(side: Side, lines: &[Line]) -> String {
    let said = || lines.iter().filter_map(|line| if let Line::Said(said) = line { Some(said) } else { None });
    let has = |start: &str| said().any(|line| line.starts_with(start));
    match side {
        Side::Client if has(".") && has("MAIL") => ": a message's end and the next envelope, in one".into(),
        Side::Client if has("MAIL") && has("DATA") => ": a whole envelope".into(),
        Side::Client => String::new(),
        Side::Server => {
            let replies = said().filter(|line| line.as_bytes().get(3) == Some(&b' '));
            let refusals = replies.clone().filter(|line| line.starts_with(['4', '5'])).count();
            match (replies.count(), refusals) {
                (0 | 1, 0) => String::new(),
                (replies, 0) => format!(": {replies} replies"),
                (replies, refusals) => format!(": {replies} replies, {refusals} of them no"),
            }
        }
    }
}

/// A line as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Line {
    /// A command, a line of a reply, the dot.
    Said(String),
    /// Of a message.
    Message(String),
    /// Of a message, and not shown; or the part of a line that ends in another write.
    Hidden,
}

impl Line {
    fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Said(one), Self::Said(other)) => {
                one.get(..KIND).is_some_and(|kind| other.starts_with(kind))
            }
            (Self::Hidden, Self::Hidden) => true,
            _ => false,
        }
    }
}

/// Tells commands from messages, and what is secret from what is not.
#[derive(Default)]
struct Reader {
    in_message: bool,
    /// Lines of the message so far.
    line: usize,
    /// What of a line stood at the end of the client's last write.
    rest: Vec<u8>,
    /// A challenge was sent: the client's next line answers it.
    challenged: bool,
}

impl Reader {
    fn read(&mut self, write: &Write) -> Vec<Line> {
        match write.side {
            Side::Server => {
                write.octets.split_inclusive(|octet| *octet == b'\n').map(|l| self.server(l)).collect()
            }
            Side::Client => self.client(&write.octets),
        }
    }

    fn server(&mut self, line: &[u8]) -> Line {
        self.in_message |= line.starts_with(b"354");
        self.challenged = line.starts_with(b"334");
        Line::Said(if self.challenged { "334 [not shown]".into() } else { text(line) })
    }

    fn client(&mut self, octets: &[u8]) -> Vec<Line> {
        let mut lines = Vec::new();
        for piece in octets.split_inclusive(|octet| *octet == b'\n') {
            self.rest.extend_from_slice(piece);
            if self.rest.ends_with(b"\n") {
                let line = std::mem::take(&mut self.rest);
                lines.push(self.client_line(line.trim_ascii_end(), &line));
            } else {
                lines.push(Line::Hidden);
            }
        }
        lines
    }

    fn client_line(&mut self, said: &[u8], line: &[u8]) -> Line {
        if self.in_message && line == b".\r\n" {
            (self.in_message, self.line) = (false, 0);
            return Line::Said(".".into());
        }
        if self.in_message {
            self.line += 1;
            let doubled = line.starts_with(b"..") && self.line <= DOTS_SHOWN;
            return if self.line <= SHOWN || doubled { Line::Message(text(line)) } else { Line::Hidden };
        }
        if std::mem::take(&mut self.challenged) {
            return Line::Said("[not shown]".into());
        }
        match said.get(..4) {
            Some(verb) if verb.eq_ignore_ascii_case(b"AUTH") => Line::Said("AUTH [not shown]".into()),
            _ => Line::Said(text(said)),
        }
    }
}

/// Octets as text that does a terminal no harm.
fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(writes: &[(Side, &[u8])]) -> String {
        let at = Duration::from_micros(1500);
        let writes: Vec<_> =
            writes.iter().map(|(side, octets)| Write { side: *side, at, octets: octets.to_vec() }).collect();
        let mut out = Vec::new();
        print(&writes, &mut out).expect("memory takes it");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn no_secret_is_shown_wherever_it_is_cut() {
        use Side::{Client, Server};
        let whole = b"auth PLAIN AHNlY3JldA==\r\n";
        for cut in 0..whole.len() {
            let told = printed(&[
                (Client, &whole[..cut]),
                (Client, &whole[cut..]),
                (Server, b"334 c2VjcmV0\r\n"),
                (Client, b"c2VjcmV0\r\nNOOP\r\n"),
                (Server, b"235 2.7.0 done\r\n250 2.0.0 ok\r\n"),
                (Client, b"MAIL FROM:<>\r\n"),
            ]);
            assert!(!told.contains("c2VjcmV0") && !told.contains("AHNl"), "{told}");
            for shown in ["C: AUTH [not shown]", "S: 334 [not", "C: NOOP", ": 2 replies", "C: MAIL FROM:<>"] {
                assert!(told.contains(shown), "{told}");
            }
        }
    }

    #[test]
    fn of_a_message_its_start_its_doubled_dots_and_its_end_are_shown() {
        use Side::{Client, Server};
        let told = printed(&[
            (Client, b"DATA\r\n"),
            (Server, b"354 go on\r\n"),
            (Client, b"A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\n\r\nhid"),
            (Client, b"den\r\nAUTH is a word here, and 354 too\r\n"),
            (Client, b"hidden\r\n.."),
            (Client, b"dot\r\n"),
            (Client, b".\r\nMAIL FROM:<>\r\n"),
        ]);
        assert!(told.contains("C: D: 4\n") && !told.contains("hid") && !told.contains("word"), "{told}");
        assert!(told.contains("client writes 49 octets of the message's inside, in 2 writes"), "{told}");
        assert!(told.contains("C: ..dot    <- one dot more"), "{told}");
        assert!(told.contains(": a message's end and the next envelope, in one\n"), "{told}");
        assert!(told.ends_with("C: .\n             C: MAIL FROM:<>\n"), "{told}");
    }

    #[test]
    fn many_lines_of_one_kind_are_one_and_what_differs_stands_out() {
        let told = printed(&[(
            Side::Server,
            b"250 2.1.5 ok\r\n250 2.1.5 ok\r\n250 2.1.5 ok\r\n250 2.1.5 ok\r\n250 2.1.5 ok\r\n550 no \x1b[2J\r\n",
        )]);
        let lines =
            "             S: 250 2.1.5 ok\n             S: [4 more like this]\n             S: 550 no [2J\n";
        assert!(told.ends_with(lines) && told.contains(": 6 replies, 1 of them no"), "{told}");
    }
}
