//! A conversation for the eye: every write with its lines, a remark where one is due, no secrets, little of the messages.

use std::io;
use std::time::Duration;

use smtp_driver::proto::auth::Mechanism;

use super::record::{Side, Write};

/// Lines of each message that are shown from its start.
const SHOWN: usize = 4;
/// Lines of a message among which those that start with a doubled dot are shown.
const DOTS_SHOWN: usize = 24;
/// Lines of one kind behind each other that are all shown.
const ALIKE: usize = 4;
/// Octets of a line that two lines of one kind have in common: `RCPT TO:`, `250 2.1.5`.
const KIND: usize = 8;
/// Octets of a message's line after which no more writes of it are kept.
const LONGEST: usize = 4096;
/// Characters of a line that are shown.
const WIDTH: usize = 84;

/// Prints what was recorded of both ends, from the first write on.
pub(crate) fn print(writes: &[Write], out: &mut impl io::Write) -> io::Result<()> {
    let mut printer = Printer::new(&BOTH_ENDS);
    let start = writes.first().map_or(Duration::ZERO, |write| write.at);
    writes.iter().try_for_each(|write| printer.print(write.side, write.at - start, &write.octets, out))
}

/// How the two sides are called.
#[derive(Debug)]
pub(crate) struct Voices {
    /// What the client does.
    client: Voice,
    /// What the server does.
    server: Voice,
}

#[derive(Debug)]
struct Voice {
    /// Ahead of a number of octets.
    does: &'static str,
    /// Ahead of a line.
    prompt: &'static str,
}

/// Of a conversation that was recorded at both ends.
const BOTH_ENDS: Voices = Voices {
    client: Voice { does: "client writes", prompt: "C:" },
    server: Voice { does: "server writes", prompt: "S:" },
};

/// Of one that is seen from the client's end.
pub(super) const CLIENTS_END: Voices = Voices {
    client: Voice { does: "-> writes", prompt: "->" },
    server: Voice { does: "<- reads", prompt: "<-" },
};

/// Prints a conversation as it goes on.
#[derive(Debug)]
pub(crate) struct Printer {
    voices: &'static Voices,
    reader: Reader,
    /// Writes with nothing to show but that there were such.
    inner_writes: usize,
    inner_octets: usize,
}

impl Printer {
    pub(super) fn new(voices: &'static Voices) -> Self {
        Self { voices, reader: Reader::default(), inner_writes: 0, inner_octets: 0 }
    }

    /// One write of `side`, begun at this age of the conversation.
    pub(super) fn print(
        &mut self,
        side: Side,
        at: Duration,
        octets: &[u8],
        out: &mut impl io::Write,
    ) -> io::Result<()> {
        let lines = self.reader.read(side, octets);
        if lines.is_empty() {
            return Ok(());
        }
        if lines.iter().all(|line| *line == Line::Hidden) {
            self.inner_writes += 1;
            self.inner_octets += octets.len();
            return Ok(());
        }
        let (inner, does) = (std::mem::take(&mut self.inner_octets), self.voices.client.does);
        let times = match std::mem::take(&mut self.inner_writes) {
            0 | 1 => String::new(),
            writes => format!(", in {writes} writes"),
        };
        if inner > 0 {
            writeln!(out, "             {does} {inner} octets of the message's inside{times}")?;
        }
        let Voice { does, prompt } = match side {
            Side::Client => &self.voices.client,
            Side::Server => &self.voices.server,
        };
        let (ms, octets) = (at.as_secs_f64() * 1000.0, octets.len());
        writeln!(out, "{ms:>8.2} ms  {does} {octets} octets{}", remark(side, &lines))?;
        print_lines(prompt, &lines, out)
    }
}

fn print_lines(prompt: &str, lines: &[Line], out: &mut impl io::Write) -> io::Result<()> {
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
#[derive(Debug, Default)]
struct Reader {
    in_message: bool,
    /// Lines of the message so far.
    line: usize,
    /// What of a line stood at the end of the client's last write.
    rest: Vec<u8>,
    /// The same of the server's: a 334 that is cut is a challenge nevertheless.
    server_rest: Vec<u8>,
    /// A challenge was sent: the client's next line answers it.
    challenged: bool,
}

impl Reader {
    fn read(&mut self, side: Side, octets: &[u8]) -> Vec<Line> {
        match side {
            Side::Server => self.server(octets),
            Side::Client => self.client(octets),
        }
    }

    fn server(&mut self, octets: &[u8]) -> Vec<Line> {
        let mut lines = Vec::new();
        for piece in octets.split_inclusive(|octet| *octet == b'\n') {
            self.server_rest.extend_from_slice(piece);
            if self.server_rest.ends_with(b"\n") {
                let line = std::mem::take(&mut self.server_rest);
                lines.push(self.server_line(&line));
            }
        }
        lines
    }

    fn server_line(&mut self, line: &[u8]) -> Line {
        self.in_message |= line.starts_with(b"354");
        self.challenged = line.starts_with(b"334");
        Line::Said(if self.challenged { "334 [not shown]".into() } else { text(line) })
    }

    fn client(&mut self, octets: &[u8]) -> Vec<Line> {
        let mut lines = Vec::new();
        for piece in octets.split_inclusive(|octet| *octet == b'\n') {
            match self.in_message && self.rest.len() > LONGEST {
                true if piece.ends_with(b"\n") => self.rest.push(b'\n'),
                true => {}
                false => self.rest.extend_from_slice(piece),
            }
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
            Some(verb) if verb.eq_ignore_ascii_case(b"AUTH") => {
                // The mechanism is no secret; whatever is none may be one.
                let name = said[4..].trim_ascii().split(|octet| *octet == b' ').next();
                let name = name.and_then(Mechanism::from_name).map_or("", Mechanism::name);
                Line::Said(format!("AUTH {name} [not shown]").replace("  ", " "))
            }
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
        let (whole, challenge) = (b"auth PLAIN AHNlY3JldA==\r\n", b"334 c2VjcmV0\r\n");
        for cut in 0..whole.len() {
            let told = printed(&[
                (Client, &whole[..cut]),
                (Client, &whole[cut..]),
                (Server, &challenge[..cut.min(challenge.len())]),
                (Server, &challenge[cut.min(challenge.len())..]),
                (Client, b"c2VjcmV0\r\nNOOP\r\n"),
                (Server, b"235 2.7.0 done\r\n250 2.0.0 ok\r\n"),
                (Client, b"MAIL FROM:<>\r\n"),
            ]);
            assert!(!told.contains("c2VjcmV0") && !told.contains("AHNl") && !told.contains("mV0"), "{told}");
            for shown in
                ["C: AUTH PLAIN [not shown]", "S: 334 [not", "C: NOOP", ": 2 replies", "C: MAIL FROM:<>"]
            {
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
    fn a_line_without_end_is_not_kept_and_its_end_is_seen() {
        let mut reader = Reader { in_message: true, ..Reader::default() };
        for _ in 0..100 {
            assert_eq!(reader.client(&[b'x'; 1000]), [Line::Hidden]);
        }
        assert!(reader.rest.len() <= LONGEST + 1000);
        assert_eq!(reader.client(b"x\r\n.\r\n").last(), Some(&Line::Said(".".into())));
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
