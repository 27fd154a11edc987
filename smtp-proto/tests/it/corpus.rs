//! What the fuzzer found once holds on: every input of its corpora goes through the body of its target.

use std::{fs, path::Path};

use crate::fuzz::TARGETS;

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
