//! The examples of smtp-cli/docs, run as they stand there, their output compared.
//!
//! In a block of `console`, a line with `$` is a command, for a shell; behind it stands `? N` where its exit code is not
//! 0, and then what it prints. In that, `[..]` stands for anything within a line. What `cat FILE` prints is what FILE
//! holds for the commands behind it.

use std::path::Path;
use std::process::{Command, Output};
use std::{env, fs};

use crate::support::{SMTP, code, out};

/// Runs the examples of a document in a folder, with what stands for the first of each pair in place of it.
fn check(document: &str, stands_for: &[(&str, String)], folder: &Path) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(document);
    let text = fs::read_to_string(path).expect("the document");
    let examples = examples(&text);
    assert!(examples.len() > 1, "{document} has no examples");
    for Example { command, exit, expected } in examples {
        if let Some(file) = command.strip_prefix("cat ") {
            fs::write(folder.join(file), expected).expect("a file");
            continue;
        }
        let real = stands_for.iter().fold(command.clone(), |text, (shown, real)| text.replace(shown, real));
        let output = shell(&real, folder);
        let printed = out(&output) + &String::from_utf8_lossy(&output.stderr);
        let printed = stands_for.iter().fold(printed, |text, (shown, real)| text.replace(real, shown));
        assert!(
            is_like(&printed, &expected),
            "$ {command}\n{printed}\nis not what {document} has:\n{expected}"
        );
        assert_eq!(code(&output), Some(exit), "$ {command}");
        assert!(!printed.contains('\x1b'), "colours where there is no terminal");
    }
}

fn shell(command: &str, folder: &Path) -> Output {
    let tools = Path::new(SMTP).parent().expect("a folder");
    let path = env::var_os("PATH").unwrap_or_default();
    let paths = env::join_paths(std::iter::once(tools.into()).chain(env::split_paths(&path))).expect("paths");
    let mut shell = Command::new("sh");
    shell
        .args(["-c", command])
        .current_dir(folder)
        .env("PATH", paths)
        .env_remove("NO_COLOR")
        .output()
        .expect("a shell")
}

struct Example {
    command: String,
    exit: i32,
    expected: String,
}

fn examples(text: &str) -> Vec<Example> {
    let mut examples = Vec::new();
    let blocks =
        text.split("```console\n").skip(1).map(|block| block.split("```").next().unwrap_or_default());
    for block in blocks {
        for example in format!("\n{block}").split("\n$ ").skip(1) {
            let example = example.replace("\\\n", " ");
            let (command, mut expected) = example.split_once('\n').unwrap_or((&example, ""));
            let mut exit = 0;
            if let Some((line, rest)) = expected.strip_prefix("? ").and_then(|text| text.split_once('\n')) {
                exit = line.parse().expect("an exit code");
                expected = rest;
            }
            let expected = format!("{}\n", expected.trim_end());
            examples.push(Example { command: command.into(), exit, expected });
        }
    }
    examples
}

/// Whether a text is as expected, line by line.
fn is_like(text: &str, expected: &str) -> bool {
    let (text, expected) = (text.trim_end().lines(), expected.trim_end().lines());
    text.clone().count() == expected.clone().count()
        && text.zip(expected).all(|(line, like)| is_line(line, like))
}

fn is_line(line: &str, like: &str) -> bool {
    let mut parts = like.split("[..]");
    let Some(mut rest) = parts.next().and_then(|first| line.strip_prefix(first)) else { return false };
    let mut parts: Vec<_> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let Some((_, behind)) = rest.split_once(part) else { return false };
        rest = behind;
    }
    rest.ends_with(last)
}

#[test]
fn explain() {
    let folder = tempfile::tempdir().expect("a folder");
    check("explain.md", &[], folder.path());
}

#[test]
fn examples_that_are_wrong_are_told_from_those_that_are_right() {
    assert!(is_line("it took 12 ms, or so", "it took [..] ms, or [..]"));
    assert!(!is_line("it took 12 ms", "it took [..] s"));
    assert!(!is_line("it took 12 ms, or so", "it took [..] ms"));
    assert!(!is_like("one\ntwo", "one"));
}
