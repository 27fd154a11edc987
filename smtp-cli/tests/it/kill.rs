//! `smtp send` of an mbox to `smtp serve`, which is killed in the middle and started again: what the one says and what the other
//! has must agree, message by message.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{SMTP, Server, messages, place};

const JOBS: &str = "8";

/// Longer than all of it takes.
const LONG: Duration = Duration::from_secs(240);

/// Of message `n`: lines that need stuffing and quoting, and sizes on both sides of what is read at once.
fn message(n: usize) -> String {
    let lines = format!("{}\r\n", "x".repeat(70)).repeat(match n % 500 {
        0 => 2000,
        rest => 1 + rest % 5 * 10,
    });
    format!("Message-ID: <{n}@mbox>\r\n\r\nFrom here on\r\n>From there\r\n.\r\n..\r\n{lines}end of {n}\r\n")
}

fn write_mbox(path: &Path, total: usize) {
    let mut mbox = BufWriter::new(File::create(path).expect("a file"));
    for n in 1..=total {
        let text =
            message(n).replace("\r\n", "\n").replace("\n>From ", "\n>>From ").replace("\nFrom ", "\n>From ");
        write!(mbox, "From ann Sun Nov 22 21:00:00 2026\n{text}\n").expect("room");
    }
    mbox.flush().expect("room");
}

/// What `smtp send` said of a message: outcome and tries.
type Told = HashMap<usize, (String, u64)>;

fn number(name: &str) -> usize {
    name.rsplit_once('#').expect("a number").1.parse().expect("a number")
}

fn kill_and_compare(total: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let (mbox, maildir) = (folder.path().join("mail.mbox"), folder.path().join("mail"));
    write_mbox(&mbox, total);
    let (place, maildir_path) = (place(), maildir.to_str().expect("UTF-8"));
    let mut server = Some(Server::start_at(place, &["--maildir", maildir_path]));
    let begun = Instant::now();
    let mut sending = Command::new(SMTP)
        .args([
            "send",
            "--server",
            &format!("smtp://{place}"),
            "--starttls",
            "off",
            "--from",
            "ann@example.org",
        ])
        .args(["--to", "ben@example.net", "--jobs", JOBS, "--retry", "100", "--retry-wait", "0.05", "--json"])
        .arg(&mbox)
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let (mut told, mut summary) = (Told::new(), None);
    for line in BufReader::new(sending.stdout.take().expect("a pipe")).lines() {
        assert!(begun.elapsed() < LONG, "{} of {total} after {LONG:?}", told.len());
        let row: Value = serde_json::from_str(&line.expect("a line")).expect("JSON");
        let Some(name) = row["message"].as_str() else {
            summary = Some(row["summary"].clone());
            continue;
        };
        let outcome = row["outcome"].as_str().expect("an outcome").to_owned();
        let twice = told.insert(number(name), (outcome, row["tries"].as_u64().expect("a number")));
        assert_eq!(twice, None, "{name} is told of twice");
        if told.len() == total / 3
            && let Some(server) = server.take()
        {
            server.kill();
        }
        if server.is_none() {
            // Long enough to be noticed.
            thread::sleep(Duration::from_millis(200));
            server = Some(Server::start_at(place, &["--maildir", maildir_path]));
        }
    }
    let (time, status) = (begun.elapsed(), sending.wait().expect("it ends"));
    drop(server);

    // The summary adds up.
    let summary = summary.expect("a summary");
    let count = |outcome: &str| told.values().filter(|(told, _)| told == outcome).count() as u64;
    assert_eq!((told.len(), summary["messages"].as_u64()), (total, Some(total as u64)));
    for outcome in ["delivered", "refused", "deferred", "unsent", "unknown"] {
        assert_eq!(summary[outcome].as_u64(), Some(count(outcome)), "{outcome}: {summary}");
    }
    let (delivered, unknown) = (count("delivered"), count("unknown"));
    assert_eq!(delivered + unknown, total as u64, "nothing was given up: {summary}");
    assert_eq!(summary["retries"].as_u64(), Some(told.values().map(|(_, tries)| tries - 1).sum()));
    assert_eq!(status.code(), Some(if unknown > 0 { 75 } else { 0 }));

    // And the Maildir agrees.
    let mut stored: HashMap<usize, usize> = HashMap::new();
    for text in messages(&maildir, "new") {
        let (_, rest) = text.split_once("Message-ID: <").expect("a message");
        let n = rest.split_once('@').expect("a name").0.parse().expect("a number");
        assert!(text.ends_with(&format!("\r\n{}", message(n))), "{n} is not as it was sent");
        *stored.entry(n).or_default() += 1;
    }
    let mut taken = 0;
    for (n, (outcome, tries)) in &told {
        let copies = stored.remove(n).unwrap_or(0);
        match outcome.as_str() {
            "delivered" => assert_eq!(copies, 1, "{n} was delivered, by {tries} tries"),
            _ => assert!(copies <= 1, "{n} is unknown, and there {copies} times"),
        }
        taken += usize::from(copies == 1 && outcome == "unknown");
    }
    assert!(stored.is_empty(), "nobody sent {stored:?}");
    let retries = &summary["retries"];
    println!(
        "{total} messages in {time:.1?}: {delivered} delivered, {unknown} unknown, {taken} of them there; {retries} retries"
    );
}

#[test]
fn what_send_says_and_the_maildir_agree_when_the_server_is_killed() {
    kill_and_compare(900);
}

#[test]
#[ignore = "the same at length"]
fn ten_thousand_messages_of_an_mbox_and_kill_9() {
    kill_and_compare(10_000);
}
