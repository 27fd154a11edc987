//! `smtp serve` for those who test senders: refusals, delays, cuts, and what is offered.

use std::time::{Duration, Instant};

use crate::support::{Server, code, run};

#[test]
fn rules_answer_at_their_step() {
    let rules = [
        "mail spam@*: 550 5.7.1 no spam",
        "rcpt ok@example.org: 250 2.1.5 very well",
        "rcpt *@example.org: 550 5.1.1 nobody there",
        "data late@*: 451 4.3.0 not just now",
        "message quota@*: 452 4.2.2 over quota",
    ];
    let args: Vec<_> = rules.iter().flat_map(|rule| ["--rule", rule]).collect();
    let server = Server::start(&args);
    let mut peer = server.connect();
    peer.say("EHLO client.example", "250");
    peer.say("MAIL FROM:<spam@example.com>", "550 5.7.1 no spam");
    peer.say("MAIL FROM:<ann@example.com>", "250");
    peer.say("RCPT TO:<ok@example.org>", "250 2.1.5 very well");
    peer.say("RCPT TO:<ben@example.org>", "550 5.1.1 nobody there");
    peer.say("RCPT TO:<Late@example.net>", "250 2.1.5");
    peer.say("DATA", "451 4.3.0 not just now");
    peer.say("RSET", "250");
    for (to, reply) in
        [("quota@example.net", "452 4.2.2 over quota"), ("cat@example.net", "250 2.0.0 discarded as ")]
    {
        peer.say("MAIL FROM:<ann@example.com>", "250");
        peer.say(format!("RCPT TO:<{to}>"), "250");
        peer.say("DATA", "354");
        peer.say("Subject: x\r\n\r\nx\r\n.", reply);
    }
    // Only what was taken is told of.
    let line = server.line();
    assert!(line.contains("to=<cat@example.net> "), "{line}");
}

#[test]
fn in_lmtp_a_rule_is_for_its_recipient_and_the_message_for_the_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let maildir = folder.path().to_str().expect("UTF-8");
    let rules =
        ["--rule", "message quota@*: 452 4.2.2 over quota", "--rule", "message gone@*: 550 5.1.6 moved"];
    let server = Server::start(&[&["--lmtp", "--maildir", maildir][..], &rules].concat());
    let mut peer = server.connect();
    peer.say("LHLO client.example", "250");
    let mut turn = |to: &[&str], replies: &[&str]| {
        peer.say("MAIL FROM:<ann@example.com>", "250");
        for to in to {
            peer.say(format!("RCPT TO:<{to}@example.net>"), "250");
        }
        peer.say("DATA", "354");
        peer.say("Subject: x\r\n\r\nx\r\n.", replies[0]);
        for reply in &replies[1..] {
            let got = peer.reply().expect("a reply");
            assert!(got.starts_with(reply), "{got}");
        }
    };
    turn(&["quota", "ben", "gone"], &["452 4.2.2", "250 2.0.0 stored as", "550 5.1.6"]);
    // Nobody is left: each has their own, and nothing is stored.
    turn(&["gone", "quota"], &["550 5.1.6", "452 4.2.2"]);
    turn(&["cat"], &["250 2.0.0 stored as"]);
    let stored = crate::support::messages(folder.path(), "new");
    assert_eq!(stored.len(), 2);
    assert!(stored.iter().all(|text| !text.contains("quota@") && !text.contains("gone@")), "{stored:?}");
}

#[test]
fn everybody_has_to_come_back_once() {
    let server = Server::start(&["--greylist", "1"]);
    let mut peer = server.connect();
    let mut rcpt = |reply: &str| {
        peer.say("EHLO client.example", "250");
        peer.say("MAIL FROM:<ann@example.com>", "250");
        peer.say("RCPT TO:<ben@example.net>", reply);
    };
    rcpt("450 4.7.1 greylisted");
    rcpt("450 4.7.1 greylisted");
    std::thread::sleep(Duration::from_millis(1100));
    rcpt("250");
}

#[test]
fn a_delay_is_waited_and_a_cut_leaves_no_reply() {
    let server = Server::start(&["--delay", "mail=0.4", "--cut", "data"]);
    let mut peer = server.connect();
    peer.say("EHLO client.example", "250");
    let asked = Instant::now();
    peer.say("MAIL FROM:<ann@example.com>", "250");
    assert!(asked.elapsed() >= Duration::from_millis(400));
    peer.say("RCPT TO:<ben@example.net>", "250");
    let asked = Instant::now();
    peer.write("DATA\r\n").expect("it listens");
    assert_eq!(peer.reply(), None);
    assert!(asked.elapsed() < Duration::from_millis(400), "{:?}", asked.elapsed());
}

#[test]
fn what_is_switched_off_is_neither_offered_nor_taken() {
    let server = Server::start(&["--without", "chunking", "--without", "SIZE", "--offer", "XFOO bar"]);
    let mut peer = server.connect();
    let offered = peer.say("EHLO client.example", "250");
    assert!(offered.contains("XFOO bar\r\n") && offered.contains("PIPELINING"), "{offered}");
    assert!(!offered.contains("CHUNKING") && !offered.contains("SIZE"), "{offered}");
    peer.say("MAIL FROM:<ann@example.com>", "250");
    peer.say("RCPT TO:<ben@example.net>", "250");
    peer.write("BDAT 1 LAST\r\nx").expect("it listens");
    let refused = peer.reply().expect("a reply");
    assert!(refused.starts_with(['4', '5']), "{refused}");
    let server = Server::start(&["--tls-self-signed", "--without", "STARTTLS"]);
    let offered = server.connect().say("EHLO client.example", "250");
    assert!(!offered.contains("STARTTLS"), "{offered}");
}

#[test]
#[cfg(unix)]
fn the_socket_of_a_server_that_was_killed_is_taken_over_and_no_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("smtp.sock");
    let path = socket.to_str().expect("UTF-8");
    let serve = || Server::start(&["--listen", path]);
    serve().kill();
    assert!(socket.exists());
    let server = serve();
    let url = format!("smtp://{path}");
    let send = ["send", "--server", &url, "--from", "", "--to", "ben@example.net", "-"];
    assert_eq!(code(&run(send, "Subject: x\n\nx\n")), Some(0));
    // Somebody listens there.
    assert_eq!(code(&run(["serve", "--listen", path], "")), Some(71));
    assert_eq!(code(&run(send, "Subject: x\n\nx\n")), Some(0));
    // Nor is anything taken for a socket that is none.
    let other = folder.path().join("other");
    std::fs::write(&other, "precious").expect("room");
    assert_eq!(code(&run(["serve", "--listen", other.to_str().expect("UTF-8")], "")), Some(71));
    assert!(other.exists());
    server.terminate();
    server.wait();
    assert!(!socket.exists());
    assert_eq!(code(&run(send, "Subject: x\n\nx\n")), Some(75));
}
