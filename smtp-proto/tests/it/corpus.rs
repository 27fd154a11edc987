//! What the fuzzer found once holds on: every input of its corpora goes through the body of its target.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::fuzz::TARGETS;
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
            let (_, body) = TARGETS.iter().find(|(name, _)| *name == target).expect("a target");
            body(&input);
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
