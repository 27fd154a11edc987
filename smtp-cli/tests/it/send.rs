//! `smtp send`: its exit codes, and what it says of each recipient.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use crate::support::{Server, code, err, out, run, scripted, send};

const MESSAGE: &str = "Subject: hello\n\nHello.\n";

/// A server that knows Ben, not Cat, and has no time for Dan.
fn choosy(line: &str) -> &'static str {
    match line {
        "RCPT TO:<cat@example.com>" => "550 5.1.1 no such user\r\n",
        "RCPT TO:<dan@example.com>" => "450 4.2.0 later\r\n",
        "DATA" => "354 go on\r\n",
        "." => "250 2.0.0 taken\r\n",
        "QUIT" => "221 bye\r\n",
        line if ["EHLO ", "MAIL ", "RCPT "].iter().any(|verb| line.starts_with(verb)) => "250 2.1.0 ok\r\n",
        _ => "",
    }
}

#[test]
fn each_recipient_has_a_line_and_the_worst_one_the_exit_code() {
    let (ben, cat, dan) = ("ben@example.net", "cat@example.com", "dan@example.com");
    let taken = "ben@example.net  delivered  250 2.0.0 taken\n";
    let refused = "cat@example.com  refused    550 5.1.1 no such user (to RCPT)\n";
    let later = "dan@example.com  deferred   450 4.2.0 later (to RCPT)\n";
    let cases: [(&[&str], String, i32); 4] = [
        (&[ben], taken.into(), 0),
        (&[ben, dan], format!("{taken}{later}"), 75),
        (&[dan, cat, ben], format!("{later}{refused}{taken}"), 69),
        (&[cat], refused.into(), 69),
    ];
    for (to, lines, exit) in cases {
        let output = send(&format!("smtp://127.0.0.1:{}", scripted(choosy)), &[], to, MESSAGE);
        assert_eq!((out(&output), code(&output)), (lines, Some(exit)), "{}", err(&output));
    }
}

#[test]
fn a_lost_connection_is_not_known_and_temporary() {
    let port = scripted(|line| match line {
        "." => "421 closing\r\n",
        line => choosy(line),
    });
    let output = send(&format!("smtp://127.0.0.1:{port}"), &[], &["ben@example.net"], MESSAGE);
    assert_eq!(code(&output), Some(75));
    assert_eq!(out(&output), "ben@example.net  deferred   421 closing (to the end of data)\n");
}

#[test]
fn who_cannot_be_reached_is_75_and_the_error_says_what_to_try() {
    let (listener, ben) = (TcpListener::bind("127.0.0.1:0").expect("a port"), ["ben@example.net"]);
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    let output = send(&format!("smtp://ann:hidden@127.0.0.1:{port}"), &[], &ben, MESSAGE);
    assert_eq!(code(&output), Some(75));
    assert_eq!(out(&output), "ben@example.net  unsent     no connection\n");
    let said = err(&output);
    assert!(said.contains("connecting") && said.contains("nobody listens there"), "{said}");
    assert!(!said.contains("hidden"), "{said}");
}

#[test]
fn starttls_is_required_where_there_is_a_password_and_the_error_says_so() {
    let ben = ["ben@example.net"];
    let url = format!("smtp://ann:hidden@127.0.0.1:{}", scripted(choosy));
    let output = send(&url, &[], &ben, MESSAGE);
    assert_eq!(code(&output), Some(75));
    let said = err(&output);
    assert!(said.contains("TLS is required") && said.contains("--starttls off"), "{said}");
    // And without it the password still stays here.
    let url = format!("smtp://ann:hidden@127.0.0.1:{}", scripted(choosy));
    let said = err(&send(&url, &["--starttls", "off"], &ben, MESSAGE));
    assert!(said.contains("AUTH") && said.contains("--auth-in-clear") && !said.contains("hidden"), "{said}");
}

#[test]
fn ports_that_speak_the_other_way_are_named_at_once() {
    let server = Server::start(&["--tls-self-signed", "--implicit-tls", "127.0.0.1:0"]);
    let started = Instant::now();
    let output = send(&format!("smtps://localhost:{}", server.plain[0]), &[], &["ben@example.net"], MESSAGE);
    assert_eq!(code(&output), Some(75));
    let said = err(&output);
    assert!(said.contains("does not speak implicit TLS") && said.contains("try smtp://"), "{said}");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[test]
fn a_certificate_is_trusted_only_when_its_ca_is() {
    let server = Server::start(&["--tls-self-signed", "--implicit-tls", "127.0.0.1:0"]);
    let ca = server.ca.as_ref().and_then(|ca| ca.to_str()).expect("a CA");
    let ben = ["ben@example.net"];
    for url in
        [format!("smtp://localhost:{}", server.plain[0]), format!("smtps://localhost:{}", server.tls[0])]
    {
        let output = send(&url, &[], &ben, MESSAGE);
        assert_eq!(code(&output), Some(75));
        assert!(err(&output).contains("--ca FILE"), "{}", err(&output));
        assert_eq!(code(&send(&url, &["--ca", ca], &ben, MESSAGE)), Some(0));
        let by_address = url.replace("localhost", "127.0.0.1");
        assert_eq!(code(&send(&by_address, &["--ca", ca], &ben, MESSAGE)), Some(0));
    }
}

#[test]
fn what_cannot_be_read_is_66() {
    let args =
        |file| ["send", "--server", "smtp://127.0.0.1:1", "--from", "", "--to", "ben@example.net", file];
    let output = run(args("/nonexistent/message.eml"), "");
    assert_eq!(code(&output), Some(66));
    assert!(err(&output).contains("/nonexistent/message.eml"));
    let server = "smtp://127.0.0.1:1";
    let output = send(server, &["--ca", "/nonexistent/ca.pem"], &["ben@example.net"], MESSAGE);
    assert_eq!(code(&output), Some(66));
}

#[test]
fn a_message_that_the_server_says_is_too_long_is_69() {
    let server = Server::start(&["--max-size", "100"]);
    let url = format!("smtp://127.0.0.1:{}", server.plain[0]);
    let long = format!("{MESSAGE}{}", "x\n".repeat(100));
    let output = send(&url, &[], &["ben@example.net"], &long);
    assert_eq!(code(&output), Some(69));
    assert!(out(&output).contains("the server takes 100"), "{}", out(&output));
    assert_eq!(code(&send(&url, &[], &["ben@example.net"], MESSAGE)), Some(0));
}
