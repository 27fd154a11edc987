//! The examples of smtp-cli/docs, run as they stand there, their output compared.
//!
//! In a block of `console`, a line with `$` is a command, for a shell; behind it stands `? N` where its exit code is not
//! 0, and then what it prints. In that, `[..]` stands for anything within a line. What `cat FILE` prints is what FILE
//! holds for the commands behind it.

use std::path::Path;
use std::process::{Command, Stdio};
use std::{env, fs};

use crate::support::{SMTP, Server, code, out};

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
        let output = shell(&real, folder).output().expect("a shell");
        let printed = out(&output) + &String::from_utf8_lossy(&output.stderr);
        let printed = stands_for.iter().fold(printed, |text, (shown, real)| shown_again(&text, real, shown));
        println!("$ {command}");
        // A backslash is not a path's here.
        let assert = snapbox::Assert::new().normalize_paths(false);
        assert.eq(printed.trim_end(), expected.trim_end().to_owned());
        assert_eq!(code(&output), Some(exit), "$ {command}");
        assert!(!printed.contains('\x1b'), "colours where there is no terminal");
    }
}

/// Puts `shown` in place of `real`, where that is not the start of a longer number.
fn shown_again(text: &str, real: &str, shown: &str) -> String {
    let mut parts = text.split(real);
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let longer = part.starts_with(|c: char| c.is_ascii_digit());
        whole.push_str(if longer { real } else { shown });
        whole.push_str(part);
    }
    whole
}

/// A shell in this folder, to which `smtp` is the tool under test.
pub(crate) fn shell(command: &str, folder: &Path) -> Command {
    let tools = Path::new(SMTP).parent().expect("a folder");
    let path = env::var_os("PATH").unwrap_or_default();
    let paths = env::join_paths(std::iter::once(tools.into()).chain(env::split_paths(&path))).expect("paths");
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).current_dir(folder).env("PATH", paths);
    shell.env_remove("NO_COLOR").env_remove("SMTP_PASSWORD").stdin(Stdio::null());
    shell
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

#[test]
fn explain() {
    let folder = tempfile::tempdir().expect("a folder");
    check("explain.md", &[], folder.path());
}

#[test]
fn bench() {
    let folder = tempfile::tempdir().expect("a folder");
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = free.local_addr().expect("an address").port();
    drop(free);
    check("bench.md", &[(":2525", format!(":{port}"))], folder.path());
}

#[test]
fn probe() {
    let folder = tempfile::tempdir().expect("a folder");
    let user = ["--user", "ann:secret"];
    let secure =
        Server::start(&[&["--tls-self-signed", "--implicit-tls", "127.0.0.1:0"], &user[..]].concat());
    let lmtp = Server::start(&["--lmtp"]);
    let clear = Server::start(&[&["--auth-in-clear"], &user[..]].concat());
    let ca = secure.ca.as_ref().expect("a CA").to_str().expect("a path");
    let port = |port: u16| format!(":{port}");
    let stands_for = [
        ("ca.pem", ca.to_owned()),
        (":2525", port(secure.plain[0])),
        (":4650", port(secure.tls[0])),
        (":2424", port(lmtp.plain[0])),
        (":2526", port(clear.plain[0])),
    ];
    check("probe.md", &stands_for, folder.path());
}
