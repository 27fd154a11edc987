//! What the fuzzer found once holds on: every input of its corpora goes through the body of its target.

use std::{
    fs,
    path::{Path, PathBuf},
};

use proptest::prelude::*;

use crate::fuzz::{Body, TARGETS};
use crate::transcripts::script::{Line, Script};

#[test]
fn every_corpus_is_replayed() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    for (target, body) in TARGETS {
        let corpus = corpora.join(target);
        let entries = fs::read_dir(&corpus).unwrap_or_else(|error| panic!("{}: {error}", corpus.display()));
        let mut inputs: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
        assert!(!inputs.is_empty(), "no inputs for {target}");
        inputs.sort();
        for input in inputs {
            // The test's output is shown when it fails: its last line names the culprit.
            println!("{}", input.display());
            body(&fs::read(&input).expect("an input"));
        }
    }
}

/// A corpus that no target reads would be replayed by nobody.
#[test]
fn every_corpus_has_a_target() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    for entry in fs::read_dir(&corpora).expect("the corpora") {
        let name = entry.expect("a corpus").file_name();
        assert!(TARGETS.iter().any(|(target, _)| *target == name), "no target for {name:?}");
    }
}

/// The transcripts are inputs too. With `SMTP_FUZZ_SEEDS` they are written there, for a fuzzer to begin with.
#[test]
fn transcripts_are_replayed_as_inputs() {
    let folder = std::env::var_os("SMTP_FUZZ_SEEDS").map(PathBuf::from);
    let mut count = 0;
    for script in Script::all() {
        for (target, input) in inputs(&script) {
            println!("{}: {target}: {}", script.name, input.escape_ascii());
            self::target(target)(&input);
            if let Some(folder) = folder.as_ref().map(|folder| folder.join(target)) {
                fs::create_dir_all(&folder).expect("a folder");
                fs::write(folder.join(format!("{}-{count}", script.name)), &input).expect("a file");
            }
            count += 1;
        }
    }
    assert!(count > 1000, "{count} inputs");
}

/// What a transcript has for each target.
fn inputs(script: &Script) -> Vec<(&'static str, Vec<u8>)> {
    let mut options = String::new();
    for (setting, letter) in [
        ("lmtp", 'l'),
        ("auth in clear", 'c'),
        ("require tls", 't'),
        ("require auth", 'r'),
        ("bare normalise", 'n'),
    ] {
        options.extend(script.has(setting).then_some(letter));
    }
    let replies: Vec<_> = script.replies().into_iter().map(|said| said.raw.clone()).collect();
    for (keyword, letter) in [
        ("STARTTLS", 's'),
        ("AUTH", 'a'),
        ("PRDR", 'p'),
        ("PIPECONNECT", 'i'),
        ("XCLIENT", 'x'),
        ("ETRN", 'x'),
    ] {
        let offered = |raw: &Vec<u8>| String::from_utf8_lossy(raw).contains(&format!("250-{keyword}"));
        options.extend(replies.iter().any(offered).then_some(letter));
    }
    let mut inputs: Vec<(&str, Vec<u8>)> = replies.iter().map(|raw| ("reply", raw.clone())).collect();
    inputs.extend(replies.iter().filter(|raw| raw.starts_with(b"250-")).map(|raw| ("ehlo", raw.clone())));
    let (mut calls, mut in_message) = (String::new(), false);
    for line in &script.lines {
        match line {
            Line::Client(line) if in_message => {
                in_message = line != b".\r\n";
                calls.push(if in_message { 'w' } else { '.' });
            }
            Line::Client(line) => {
                inputs.push(("command", line.strip_suffix(b"\r\n").unwrap_or(line).to_vec()));
                let line = String::from_utf8_lossy(line);
                let verb = line.split([' ', '\r']).next().unwrap_or_default().to_ascii_uppercase();
                calls.push(match &*verb {
                    "EHLO" | "LHLO" => 'e',
                    "HELO" => 'h',
                    "STARTTLS" => 's',
                    "AUTH" if line.split(' ').count() > 2 => 'a',
                    "AUTH" => 'A',
                    "MAIL" if line.contains(" PRDR") => 'p',
                    "MAIL" => 'm',
                    "RCPT" => 't',
                    "DATA" => 'd',
                    "BDAT" if line.contains("LAST") => 'B',
                    "BDAT" => 'b',
                    "RSET" => 'R',
                    "NOOP" => 'n',
                    "QUIT" => 'q',
                    "XCLIENT" => 'x',
                    "VRFY" => 'v',
                    _ => 'r',
                });
            }
            Line::Server(said) => in_message = said.raw.starts_with(b"354"),
            Line::Handshake | Line::Event(_) => {}
        }
    }
    for cuts in ["", "1", "7"] {
        let first = format!("{options} {cuts}\n").into_bytes();
        inputs.push(("server_bytes", [first, script.client_octets()].concat()));
        let first = format!("{options} {cuts} {calls}\n").into_bytes();
        inputs.push(("client_bytes", [first, replies.concat()].concat()));
    }
    inputs
}

fn target(name: &str) -> Body {
    TARGETS.iter().find(|(target, _)| *target == name).expect("a target").1
}

/// Letters that turn something on.
fn options() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop::sample::select(&b"lsaxpimzknbfctrEhojkK----"[..]), 4)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

    /// Calls of an embedder's in any order, legal or not, with any octets of the peer's between.
    #[test]
    fn any_calls_in_any_order(options in options(), calls in prop::collection::vec(any::<u8>(), 0..300)) {
        let input = [options, calls].concat();
        target("server_ops")(&input);
        target("client_ops")(&input);
    }

    /// Lines of a peer's in any order, in any cuts, and any answers to them.
    #[test]
    fn any_lines_in_any_order(
        options in options(),
        cuts in "[1-9]{0,3}",
        answers in "[a-zA-Z.*!3457-]{0,12}",
        lines in prop::collection::vec(prop::sample::select(LINES.as_slice()), 0..20),
    ) {
        let first = [options, format!(" {cuts} {answers}\n").into_bytes()].concat();
        let input = [first, lines.concat()].concat();
        target("server_bytes")(&input);
        target("client_bytes")(&input);
    }
}

/// What either side may say.
const LINES: [&[u8]; 26] = [
    b"EHLO c\r\n",
    b"MAIL FROM:<a@b>\r\n",
    b"RCPT TO:<c@d>\r\n",
    b"DATA\r\n",
    b".text\r\n",
    b".\r\n",
    b"BDAT 3\r\na\r\n",
    b"BDAT 4 LAST\r\nb\n\r\n",
    b"BDAT 99999999999999999999\r\n",
    b"RSET\r\n",
    b"AUTH PLAIN AGEAYg==\r\n",
    b"AUTH LOGIN\r\n",
    b"YQ==\r\n",
    b"*\r\n",
    b"STARTTLS\r\n",
    b"QUIT\r\n",
    b"\n",
    b"\r",
    b"220 hello\r\n",
    b"250-hello\r\n250-PIPELINING\r\n250-CHUNKING\r\n250-STARTTLS\r\n250 AUTH PLAIN LOGIN\r\n",
    b"250 ok\r\n",
    b"354 go\r\n",
    b"334 \r\n",
    b"353 each\r\n",
    b"550 no\r\n",
    b"421 bye\r\n",
];
