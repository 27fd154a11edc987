//! `smtp serve`: what it stores, whom it lets in, how it ends.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use crate::support::{SMTP, Server, code, err, messages, out, send};

fn maildir() -> (TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("mail").to_str().expect("UTF-8").to_owned();
    (folder, path)
}

/// The one message there is, its trace header's clauses and what is under it.
fn only(maildir: &str) -> (String, String, String) {
    let messages = messages(Path::new(maildir), "new");
    let [message] = &messages[..] else { panic!("{} messages", messages.len()) };
    let (envelope, rest) = message.split_once("Received: ").expect("a trace header");
    let (received, content) = rest.split_once(" +0000\r\n").expect("a date");
    (envelope.into(), received.replace("\r\n\t", " "), content.into())
}

#[test]
fn a_message_is_stored_byte_for_byte_under_its_trace() {
    let (_folder, path) = maildir();
    let server = Server::start(&["--maildir", &path]);
    let url = format!("smtp://127.0.0.1:{}", server.plain[0]);
    let text = "Subject: dots\n\n.\n..two\r\nlast, with ä";
    let output = send(&url, &["--name", "client.example"], &["ben@example.net", "cat@example.com"], text);
    assert_eq!(code(&output), Some(0), "{}", err(&output));

    let (envelope, received, content) = only(&path);
    assert_eq!(
        envelope,
        "Return-Path: <ann@example.org>\r\nX-Original-To: ben@example.net\r\nX-Original-To: cat@example.com\r\n"
    );
    let id = out(&output).lines().next().and_then(|line| line.rsplit_once(' ')).expect("an id").1.to_owned();
    let clauses = format!("from client.example ([127.0.0.1]) by mx.example.net with ESMTP id {id}; ");
    assert!(received.starts_with(&clauses), "{received}");
    assert_eq!(content, "Subject: dots\r\n\r\n.\r\n..two\r\nlast, with ä\r\n");

    let line = server.line();
    let size = content.len();
    let told = format!(
        "message {id} from=<ann@example.org> to=<ben@example.net>,<cat@example.com> size={size} file={path}/new/"
    );
    assert!(line.starts_with(&told), "{line}");
    assert!(Path::new(line.split_once("file=").expect("a file").1).is_file());
    assert!(messages(Path::new(&path), "tmp").is_empty());
}

#[test]
fn the_trace_names_tls_and_the_login() {
    let (_folder, path) = maildir();
    let args =
        ["--maildir", &path, "--tls-self-signed", "--implicit-tls", "127.0.0.1:0", "--user", "ann:se cret"];
    let server = Server::start(&args);
    let ca = server.ca.as_ref().and_then(|ca| ca.to_str()).expect("a CA");
    let urls = [
        (format!("smtp://localhost:{}", server.plain[0]), "ESMTPS"),
        (format!("smtps://localhost:{}", server.tls[0]), "ESMTPS"),
        (format!("smtp://ann:se%20cret@localhost:{}", server.plain[0]), "ESMTPSA"),
        (format!("smtps://ann:se%20cret@localhost:{}", server.tls[0]), "ESMTPSA"),
    ];
    for (url, keyword) in urls {
        let output = send(&url, &["--ca", ca], &["ben@example.net"], "Subject: x\n\nx\n");
        assert_eq!(code(&output), Some(0), "{}", err(&output));
        let (_, received, _) = only(&path);
        assert!(received.contains(&format!(" with {keyword} id ")), "{received}");
        assert!(received.contains(" for <ben@example.net> tls TLS_"), "{received}");
        fs::remove_dir_all(Path::new(&path).join("new")).expect("it was there");
        fs::create_dir(Path::new(&path).join("new")).expect("a folder");
    }
}

#[test]
fn passwords_are_checked_and_asked_for_only_under_tls() {
    let server = Server::start(&["--tls-self-signed", "--user", "ann:secret", "--require-auth"]);
    let ca = server.ca.as_ref().and_then(|ca| ca.to_str()).expect("a CA");
    let port = server.plain[0];
    let send = |user: &str| {
        let url = format!("smtp://{user}localhost:{port}");
        let options = ["--ca", ca, "--starttls", "required"];
        code(&send(&url, &options, &["ben@example.net"], "Subject: x\n\nx\n"))
    };
    assert_eq!(send("ann:secret@"), Some(0));
    assert_eq!(send("ann:wrong@"), Some(75));
    assert_eq!(send("bob:secret@"), Some(75));
    // 530 is about the login, not about a recipient.
    assert_eq!(send(""), Some(75), "without a login");

    let mut peer = server.connect();
    peer.say("EHLO client.example", "250-");
    peer.say("AUTH PLAIN AGFubgBzZWNyZXQ=", "504");
}

#[test]
fn what_is_offered_depends_on_tls_and_on_being_told() {
    let offered = |args: &[&str]| {
        let reply = Server::start(args).connect().say("EHLO client.example", "250-mx.example.net ");
        reply.lines().find_map(|line| line.get(4..)?.strip_prefix("AUTH ")).expect("AUTH").to_owned()
    };
    let in_clear = offered(&["--user", "ann:secret"]);
    assert!(in_clear.contains("SCRAM-SHA-256") && in_clear.contains("CRAM-MD5"), "{in_clear}");
    assert!(
        !in_clear.contains("PLAIN") && !in_clear.contains("LOGIN") && !in_clear.contains("-PLUS"),
        "{in_clear}"
    );
    let told = offered(&["--user", "ann:secret", "--auth-in-clear"]);
    assert!(told.contains("PLAIN") && told.contains("LOGIN") && !told.contains("-PLUS"), "{told}");
}

#[test]
fn lmtp_answers_for_each_recipient() {
    let (_folder, path) = maildir();
    let server = Server::start(&["--lmtp", "--maildir", &path]);
    let url = format!("lmtp://127.0.0.1:{}", server.plain[0]);
    let output = send(&url, &[], &["ben@example.net", "cat@example.com"], "Subject: x\n\nx\n");
    assert_eq!(code(&output), Some(0), "{}", err(&output));
    assert_eq!(out(&output).matches("  delivered  250 2.0.0 stored as ").count(), 2, "{}", out(&output));
    assert!(only(&path).1.contains(" with LMTP id "));
}

#[test]
fn without_a_maildir_messages_are_counted() {
    let server = Server::start(&[]);
    for n in 0..2 {
        let mut peer = server.connect();
        peer.begin(&["ben@example.net"]);
        peer.say("Subject: x\r\n\r\nx\r\n.", "250 2.0.0 discarded as ");
        let line = server.line();
        assert!(line.contains(&format!("Q{n}R")) && line.ends_with(" size=17 file=-"), "{line}");
    }
}

#[test]
fn who_is_quiet_says_the_sum() {
    let server = Server::start(&["--quiet"]);
    let url = format!("smtp://127.0.0.1:{}", server.plain[0]);
    for _ in 0..2 {
        assert_eq!(code(&send(&url, &[], &["ben@example.net"], "Subject: x\n\nx\n")), Some(0));
    }
    server.terminate();
    assert_eq!(server.line(), "total messages=2 size=34");
}

#[test]
fn a_message_given_up_leaves_nothing() {
    let (_folder, path) = maildir();
    let server = Server::start(&["--maildir", &path]);
    let mut peer = server.connect();
    peer.begin(&["ben@example.net"]);
    peer.write(vec![b'x'; 300_000]).expect("it listens");
    until(|| messages(Path::new(&path), "tmp").len() == 1);
    drop(peer);
    until(|| messages(Path::new(&path), "tmp").is_empty());
    assert!(messages(Path::new(&path), "new").is_empty());
}

fn until(done: impl Fn() -> bool) {
    for _ in 0..1000 {
        if done() {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("it does not come to pass");
}

#[test]
fn sigterm_waits_for_the_message_in_hand() {
    let (_folder, path) = maildir();
    let args = ["--maildir", &path, "--tls-self-signed", "--implicit-tls", "127.0.0.1:0"];
    let mut server = Server::start(&args);
    let ca = server.ca.clone().expect("a CA");
    let (mut idle, mut busy) = (server.connect(), server.connect());
    // One that never begins its handshake holds nothing up.
    let _silent = std::net::TcpStream::connect(("127.0.0.1", server.tls[0])).expect("a connection");
    busy.begin(&["ben@example.net"]);
    busy.write("Subject: half\r\n\r\nthe first half, ").expect("it listens");
    thread::sleep(Duration::from_millis(100));
    server.terminate();
    assert!(idle.reply().expect("a reply").starts_with("421 "));
    assert_eq!(idle.reply(), None);
    thread::sleep(Duration::from_millis(100));
    assert!(!server.has_ended(), "a message is in hand");
    busy.write("the second\r\n.\r\n").expect("it listens");
    assert!(busy.reply().expect("a reply").starts_with("250 "));
    assert!(busy.reply().expect("a reply").starts_with("421 "));
    assert_eq!(busy.reply(), None);
    assert_eq!(server.wait().code(), Some(0));
    assert_eq!(only(&path).2, "Subject: half\r\n\r\nthe first half, the second\r\n");
    assert!(!ca.exists(), "the CA's file is left behind");
}

/// Sends one message that does not fit and one that does.
fn overfill(server: &Server, path: &str, size: usize, refusal: &str) {
    let mut peer = server.connect();
    peer.begin(&["ben@example.net"]);
    for _ in 0..size / 1000 {
        peer.write(format!("{}\r\n", "x".repeat(998))).expect("it listens");
    }
    peer.say(".", refusal);
    assert!(messages(Path::new(path), "new").is_empty());
    assert!(messages(Path::new(path), "tmp").is_empty());
    peer.begin(&["ben@example.net"]);
    peer.say("Subject: small\r\n\r\nx\r\n.", "250 ");
    assert_eq!(only(path).2, "Subject: small\r\n\r\nx\r\n");
}

#[test]
fn a_write_that_fails_is_451_and_keeps_nothing() {
    let (_folder, path) = maildir();
    let mut command = Command::new("sh");
    // The signal would kill a process that doesn't ignore it; ignored, the write fails.
    command.args(["-c", "trap '' XFSZ; ulimit -f 400; exec \"$0\" \"$@\"", SMTP]);
    let server = Server::start_by(command, &["--maildir", &path]);
    overfill(&server, &path, 2_000_000, "451 4.3.0 ");
}

#[test]
#[ignore = "mounts a file system, which takes root"]
fn a_full_disk_is_452_and_keeps_nothing() {
    let (_folder, path) = maildir();
    fs::create_dir(&path).expect("a folder");
    let mount =
        |args: &[&str]| assert!(Command::new(args[0]).args(&args[1..]).status().expect("it runs").success());
    mount(&["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", &path]);
    let server = Server::start(&["--maildir", &path]);
    overfill(&server, &path, 1_000_000, "452 4.3.1 ");
    server.kill();
    mount(&["umount", &path]);
}
