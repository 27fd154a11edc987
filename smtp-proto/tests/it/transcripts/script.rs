//! The file format of transcripts: `tests/transcripts/README.md` tells it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use smtp_proto::reply::{Framing, Reply};

/// One transcript.
#[derive(Debug)]
pub(crate) struct Script {
    pub(crate) name: String,
    /// The `!` lines, without it.
    pub(crate) settings: Vec<String>,
    pub(crate) lines: Vec<Line>,
}

/// What stands in a transcript, in order.
#[derive(Clone, Debug)]
pub(crate) enum Line {
    /// Octets from the client.
    Client(Vec<u8>),
    /// One whole reply.
    Server(Said),
    /// The TLS handshake.
    Handshake,
    /// An event that the server's machine tells of the client's lines before it.
    Event(String),
}

/// A reply as the transcript has it.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) raw: Vec<u8>,
    /// `S*`: the machine says it by itself.
    pub(crate) own: bool,
    /// `S=`: its octets count, not its codes alone.
    pub(crate) exact: bool,
}

impl Said {
    pub(crate) fn reply(&self) -> Reply<'_> {
        Reply::parse(&self.raw).expect("checked when it was read")
    }
}

impl Script {
    /// Every transcript, in the order of their names.
    pub(crate) fn all() -> Vec<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
        let entries = std::fs::read_dir(&folder).expect("tests/transcripts");
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
        paths.sort();
        paths.iter().map(|path| Self::read(path)).collect()
    }

    fn read(path: &Path) -> Self {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let text = std::fs::read_to_string(path).expect("a transcript");
        assert!(text.starts_with("# "), "{name}: a transcript begins with where it comes from");
        Self::parse(name, &text)
    }

    pub(crate) fn parse(name: String, text: &str) -> Self {
        let mut script = Self { name, settings: Vec::new(), lines: Vec::new() };
        let mut open: Option<Said> = None;
        for (number, line) in text.lines().enumerate() {
            let (mark, rest) = line.split_once(' ').unwrap_or((line, ""));
            let said = matches!(mark, "S:" | "S*" | "S=");
            assert!(said || open.is_none(), "{}:{}: a reply is not finished", script.name, number + 1);
            match mark {
                "" | "#" => {}
                "!" => script.settings.push(rest.to_owned()),
                "=" => script.lines.push(Line::Event(rest.to_owned())),
                "C:" => script.lines.push(Line::Client([rest.as_bytes(), b"\r\n"].concat())),
                "C~" => script.lines.push(Line::Client(unescape(rest))),
                "C" if line.starts_with("C & S: ") => script.lines.push(Line::Handshake),
                _ if said => {
                    let (own, exact) = (mark == "S*", mark == "S=");
                    let said = open.get_or_insert_with(|| Said { raw: Vec::new(), own, exact });
                    assert_eq!((said.own, said.exact), (own, exact), "{}:{}", script.name, number + 1);
                    said.raw.extend_from_slice(rest.as_bytes());
                    said.raw.extend_from_slice(b"\r\n");
                    match Framing::new().next(&said.raw, 8192, 65536) {
                        Ok(None) => {}
                        Ok(Some(_)) => script.lines.extend(open.take().map(Line::Server)),
                        Err(error) => panic!("{}:{}: {error}", script.name, number + 1),
                    }
                }
                _ => panic!("{}:{}: what is `{mark}`?", script.name, number + 1),
            }
        }
        assert!(open.is_none(), "{}: the last reply is not finished", script.name);
        script
    }

    pub(crate) fn has(&self, setting: &str) -> bool {
        self.settings.iter().any(|s| s == setting)
    }

    /// What stands behind `name` in each setting that starts with it.
    pub(crate) fn values<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s str> {
        self.settings.iter().filter_map(move |s| s.strip_prefix(name)?.strip_prefix(' '))
    }

    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.values(name).next().map(|value| value.parse().expect("a number"))
    }

    /// What the client sends, parted where it has to wait, behind STARTTLS; and whether TLS comes ahead of each part.
    pub(crate) fn client_segments(&self) -> Vec<(bool, Vec<u8>)> {
        let mut segments = vec![(false, Vec::new())];
        let mut waits = false;
        for line in &self.lines {
            match line {
                Line::Client(octets) => {
                    if waits {
                        segments.push((false, Vec::new()));
                    }
                    segments.last_mut().expect("one").1.extend_from_slice(octets);
                    waits = octets == b"STARTTLS\r\n";
                }
                Line::Handshake => {
                    segments.push((true, Vec::new()));
                    waits = false;
                }
                Line::Server(_) | Line::Event(_) => {}
            }
        }
        segments
    }

    /// All that the client sends.
    pub(crate) fn client_octets(&self) -> Vec<u8> {
        self.client_segments().into_iter().flat_map(|(_, octets)| octets).collect()
    }

    pub(crate) fn replies(&self) -> Vec<&Said> {
        self.lines
            .iter()
            .filter_map(|line| if let Line::Server(said) = line { Some(said) } else { None })
            .collect()
    }

    /// Octets of the client's lines that each group of `=` lines tells of, and the group.
    pub(crate) fn expected(&self) -> Vec<(std::ops::Range<usize>, Vec<&str>)> {
        let mut groups: Vec<(std::ops::Range<usize>, Vec<&str>)> = Vec::new();
        let (mut start, mut end, mut behind_client) = (0, 0, false);
        for line in &self.lines {
            match line {
                Line::Client(octets) => {
                    if !behind_client {
                        start = end;
                    }
                    end += octets.len();
                }
                Line::Event(event) => match groups.last_mut() {
                    Some((range, events)) if *range == (start..end) => events.push(event),
                    _ => groups.push((start..end, vec![event])),
                },
                Line::Server(_) | Line::Handshake => {}
            }
            behind_client = matches!(line, Line::Client(_));
        }
        groups
    }
}

/// `\r \n \0 \t \\ \xHH`, and `{N*TEXT}` for N times the text.
fn unescape(text: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '{' => {
                let (inner, behind) = rest.split_once('}').expect("a closing brace");
                let (times, inner) = inner.split_once('*').expect("N*TEXT");
                octets.extend(unescape(inner).repeat(times.parse().expect("a number")));
                rest = behind;
            }
            '\\' => {
                let (escape, behind) = rest.split_at(1);
                rest = behind;
                octets.push(match escape {
                    "r" => b'\r',
                    "n" => b'\n',
                    "t" => b'\t',
                    "0" => 0,
                    "x" => {
                        let (hex, behind) = rest.split_at(2);
                        rest = behind;
                        u8::from_str_radix(hex, 16).expect("two digits")
                    }
                    "\\" | "{" => escape.as_bytes()[0],
                    other => panic!("what is \\{other}?"),
                });
            }
            c => octets.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    octets
}

/// Octets for a message of a failed test.
pub(crate) fn show(octets: &[u8]) -> String {
    let mut shown = String::new();
    for line in octets.split_inclusive(|octet| *octet == b'\n') {
        let _ = writeln!(shown, "    {}", line.escape_ascii());
    }
    shown
}
