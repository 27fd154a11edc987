//! What was pasted, line by line: who says it, and whether it is a command, a reply or a message.

use smtp_tokio::proto::command::{Command, Options};

/// A line and what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line<'t> {
    /// From 1.
    pub(super) number: usize,
    pub(super) kind: Kind,
    /// Without what marks its side.
    pub(super) text: &'t [u8],
}

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Command,
    /// A line of a message or of a chunk.
    Content,
    /// The final dot.
    End,
    /// What answers a 334.
    Response,
    Reply,
    /// An enhanced status code alone, which nobody says.
    Status,
    /// Of no side: what a tool says for itself.
    Note,
}

/// How tools mark the sides. A family is recognised by its first line that has something of SMTP behind the mark.
struct Family {
    client: &'static [&'static str],
    server: &'static [&'static str],
    /// Whether replies come without a mark.
    bare_replies: bool,
}

const FAMILIES: &[Family] = &[
    // RFCs, and this project's own transcripts.
    Family { client: &["C:", "C~", "c:"], server: &["S:", "S=", "S*", "s:"], bare_replies: false },
    // sendmail -v.
    Family { client: &[">>> "], server: &["<<< "], bare_replies: true },
    // swaks, and whoever draws arrows. Those of swaks tell of TLS and of refusals, too.
    Family {
        client: &["-> ", "~> ", "--> ", "→ ", ">> ", "->", "~>"],
        server: &["<** ", "<~* ", "<- ", "<~ ", "<-- ", "← ", "<< "],
        bare_replies: false,
    },
    // curl -v.
    Family { client: &["> ", ">"], server: &["< "], bare_replies: false },
    // Python's smtplib.
    Family { client: &["send: "], server: &["reply: "], bare_replies: false },
];

impl Family {
    fn strip<'t>(&self, line: &'t [u8]) -> Option<(Side, &'t [u8])> {
        let line = line.trim_ascii_start();
        let mut rest = line;
        // A time may stand ahead of the mark, in a word or two.
        for _ in 0..3 {
            let marked = |marks: &[&str]| marks.iter().find_map(|mark| rest.strip_prefix(mark.as_bytes()));
            if let Some(text) = marked(self.server) {
                return Some((Side::Server, unquoted(text.trim_ascii_start())));
            }
            if let Some(text) = marked(self.client) {
                return Some((Side::Client, unquoted(text)));
            }
            let end = rest.iter().position(|octet| *octet == b' ')?;
            if !rest[..end].iter().all(|octet| b"#0123456789.:,+-[]()TZms".contains(octet)) {
                return None;
            }
            rest = rest[end..].trim_ascii_start();
        }
        None
    }
}

/// What `smtp send --trace` sets above the lines of a write or a read: `-> writes 21 octets`.
fn is_heading(text: &[u8]) -> bool {
    let counted =
        [&b"writes "[..], b"reads "].iter().find_map(|word| text.trim_ascii_start().strip_prefix(*word));
    counted.is_some_and(|rest| rest.first().is_some_and(u8::is_ascii_digit))
}

/// What smtplib prints, as Python writes strings: `'EHLO x\r\n'`, `b'250 ok\r\n'`.
fn unquoted(text: &[u8]) -> &[u8] {
    let inner = text.strip_prefix(b"b").unwrap_or(text);
    let inner = inner.strip_prefix(b"'").and_then(|inner| inner.strip_suffix(b"'"));
    inner.map_or(text, |inner| inner.strip_suffix(br"\r\n").unwrap_or(inner))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Client,
    Server,
}

/// What the next line of the client's is.
#[derive(Clone, Copy, Debug)]
enum State {
    Commands,
    Data,
    /// So many octets of a chunk are left.
    Chunk(u64),
    Challenged,
}

/// The lines of a text.
pub(super) fn lines(text: &[u8]) -> Vec<Line<'_>> {
    let raw = || {
        let lines = text.split(|octet| *octet == b'\n');
        lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line))
    };
    let family = raw().find_map(|line| {
        FAMILIES.iter().find(|family| {
            family.strip(line).is_some_and(|(side, text)| match side {
                Side::Client => is_known(text),
                Side::Server => is_reply(text),
            })
        })
    });
    let alone = raw().filter(|line| !line.trim_ascii().is_empty()).count() == 1;
    let mut state = State::Commands;
    let mut lines = Vec::new();
    for (at, line) in raw().enumerate() {
        let (kind, text) = match family {
            Some(family) => family.line(line, &mut state),
            None => unmarked(line, alone, &mut state),
        };
        if kind != Kind::Note || !text.trim_ascii().is_empty() {
            lines.push(Line { number: at + 1, kind, text });
        }
    }
    lines
}

impl Family {
    fn line<'t>(&self, line: &'t [u8], state: &mut State) -> (Kind, &'t [u8]) {
        match self.strip(line) {
            Some((_, text)) if is_heading(text) => (Kind::Note, line),
            Some((Side::Server, text)) => state.reply(text),
            // RFCs and most tools set a space behind the mark, which is not of the line.
            Some((Side::Client, text)) => state.client(text.strip_prefix(b" ").unwrap_or(text)),
            None if self.bare_replies && is_reply(line) => state.reply(line),
            None => (Kind::Note, line),
        }
    }
}

/// A line that nothing but its looks tells of. One that stands alone is a command, if it is nothing else.
fn unmarked<'t>(line: &'t [u8], alone: bool, state: &mut State) -> (Kind, &'t [u8]) {
    if !matches!(state, State::Commands) {
        let refused = matches!(state, State::Challenged) && is_reply(line);
        return if refused { state.reply(line) } else { state.client(line) };
    }
    if let Some(said) = quoted_reply(line) {
        return state.reply(said);
    }
    if is_reply(line) {
        return state.reply(line);
    }
    let trimmed = line.trim_ascii();
    let first = trimmed.split(|octet| *octet == b' ').next().unwrap_or_default();
    if str::from_utf8(first).is_ok_and(|word| word.parse::<smtp_tokio::proto::status::Enhanced>().is_ok()) {
        return (Kind::Status, trimmed);
    }
    if is_known(line) || (alone && !trimmed.is_empty()) {
        return state.client(line);
    }
    (Kind::Note, line)
}

/// What a bounce or a log quotes: `… said: 550 5.1.1 No such user (in reply to …)`, and RFC 3464's fields.
fn quoted_reply(line: &[u8]) -> Option<&[u8]> {
    let text = str::from_utf8(line).ok()?;
    if let Some(status) = text.strip_prefix("Status: ") {
        return Some(status.as_bytes()).filter(|status| is_reply(status));
    }
    if let Some(diagnostic) = text.strip_prefix("Diagnostic-Code: smtp;") {
        return Some(diagnostic.trim().as_bytes()).filter(|said| is_reply(said));
    }
    let (_, said) = text.split_once("said: ")?;
    let said = said.rsplit_once(" (in reply to ").map_or(said, |(said, _)| said);
    Some(said.as_bytes()).filter(|said| is_reply(said))
}

impl State {
    fn reply<'t>(&mut self, text: &'t [u8]) -> (Kind, &'t [u8]) {
        if text.get(3) != Some(&b'-') {
            *self = match text.get(..3) {
                Some(b"354") => Self::Data,
                Some(b"334") => Self::Challenged,
                _ => Self::Commands,
            };
        }
        (Kind::Reply, text)
    }

    fn client<'t>(&mut self, text: &'t [u8]) -> (Kind, &'t [u8]) {
        let kind = match self {
            Self::Data if text == b"." => Kind::End,
            Self::Data => return (Kind::Content, text),
            // Chunks are often not shown, or cut short.
            Self::Chunk(left) if chunk(text).is_none() => {
                *left = left.saturating_sub(text.len() as u64 + 2);
                if *left > 0 {
                    return (Kind::Content, text);
                }
                Kind::Content
            }
            Self::Challenged => Kind::Response,
            Self::Commands | Self::Chunk(_) => Kind::Command,
        };
        *self = match chunk(text) {
            Some(size @ 1..) if kind == Kind::Command => Self::Chunk(size),
            _ => Self::Commands,
        };
        (kind, text)
    }
}

/// The octets that a BDAT announces.
fn chunk(text: &[u8]) -> Option<u64> {
    match Command::parse(text, Options::default()) {
        Ok(Command::Bdat { size, .. }) => Some(size),
        _ => None,
    }
}

/// Whether it starts as a reply does.
fn is_reply(text: &[u8]) -> bool {
    let digits = text
        .get(..3)
        .is_some_and(|code| (b'2'..=b'5').contains(&code[0]) && code[1..].iter().all(u8::is_ascii_digit));
    digits && matches!(text.get(3), None | Some(b' ' | b'-'))
}

/// Whether it starts with a verb that is known.
fn is_known(text: &[u8]) -> bool {
    let verb = text.trim_ascii_start().split(|octet| *octet == b' ').next().unwrap_or_default();
    smtp_tokio::proto::command::Verb::from_name(verb).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each line's kind, as a letter, and its text.
    fn check(text: &str, expected: &[&str]) {
        let found: Vec<_> = lines(text.as_bytes())
            .iter()
            .map(|line| {
                let kind = match line.kind {
                    Kind::Command => "C",
                    Kind::Content => "M",
                    Kind::End => "E",
                    Kind::Response => "A",
                    Kind::Reply => "S",
                    Kind::Status => "X",
                    Kind::Note => "N",
                };
                format!("{kind} {}", String::from_utf8_lossy(line.text))
            })
            .collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn sides_are_told_by_what_marks_them() {
        let said = ["S 220 mx", "C EHLO x", "S 250-mx", "S 250 HELP", "C QUIT"];
        check("S: 220 mx\nC: EHLO x\nS: 250-mx\nS: 250 HELP\nC: QUIT", &said);
        check("<- 220 mx\n-> EHLO x\n<- 250-mx\n<- 250 HELP\n-> QUIT", &said);
        check("#3 12:01:02 ← 220 mx\n0.3 ms → EHLO x\n[12] ← 250-mx\n← 250 HELP\n→ QUIT\n", &said);
        check("< 220 mx\r\n> EHLO x\r\n< 250-mx\r\n< 250 HELP\r\n> QUIT\r\n", &said);
        check("220 mx\nEHLO x\n250-mx\n250 HELP\nQUIT", &said);
        check("220 mx\n>>> EHLO x\n250-mx\n250 HELP\n>>> QUIT", &said);
        let smtplib = "reply: b'220 mx\\r\\n'\nsend: 'EHLO x\\r\\n'\nreply: b'250-mx\\r\\n'\n\
                       reply: b'250 HELP\\r\\n'\nsend: 'QUIT\\r\\n'";
        check(smtplib, &said);
    }

    #[test]
    fn what_tools_say_for_themselves_is_of_no_side() {
        check(
            "=== Trying mx:25...\n=== Connected to mx.\n<-  220 mx\n -> EHLO x\n<** 550 no\n -> QUIT",
            &[
                "N === Trying mx:25...",
                "N === Connected to mx.",
                "S 220 mx",
                "C EHLO x",
                "S 550 no",
                "C QUIT",
            ],
        );
        check(
            "#1 0.1 ms  <- reads 8 octets\n#1      <- 220 mx\n#1 0.2 ms  -> writes 8 octets\n#1      -> EHLO x",
            &["N #1 0.1 ms  <- reads 8 octets", "S 220 mx", "N #1 0.2 ms  -> writes 8 octets", "C EHLO x"],
        );
        check(
            "CONNECTED(00000003)\nVerify return code: 0 (ok)\n---\n250 HELP\nEHLO x\n",
            &["N CONNECTED(00000003)", "N Verify return code: 0 (ok)", "N ---", "S 250 HELP", "C EHLO x"],
        );
    }

    #[test]
    fn a_message_is_not_taken_for_commands_or_replies() {
        check(
            "354 go on\n250 apples\nQUIT\n> quoted\n\n.\nQUIT",
            &["S 354 go on", "M 250 apples", "M QUIT", "M > quoted", "M ", "E .", "C QUIT"],
        );
        check("C: BDAT 6 LAST\nC: QUIT\nC: QUIT", &["C BDAT 6 LAST", "M QUIT", "C QUIT"]);
        check(
            "C: BDAT 600\nC: (…)\nC: BDAT 0 LAST\nC: QUIT",
            &["C BDAT 600", "M (…)", "C BDAT 0 LAST", "C QUIT"],
        );
        check("334 UGFzc3dvcmQ6\nc2VjcmV0\nQUIT", &["S 334 UGFzc3dvcmQ6", "A c2VjcmV0", "C QUIT"]);
        // Content that a tool leaves out.
        check("S: 354 go on\nS: 250 ok\nC: QUIT", &["S 354 go on", "S 250 ok", "C QUIT"]);
    }

    #[test]
    fn a_line_alone_is_a_status_a_reply_or_a_command() {
        check("5.7.1", &["X 5.7.1"]);
        check("550", &["S 550"]);
        check("XFROB x", &["C XFROB x"]);
        check("host mx said: 550 5.1.1 No (in reply to RCPT TO command)", &["S 550 5.1.1 No"]);
        check("Diagnostic-Code: smtp; 452 4.2.2 full", &["S 452 4.2.2 full"]);
    }
}
