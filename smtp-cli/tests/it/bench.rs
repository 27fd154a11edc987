//! `smtp bench`: what one end counts is what the other end counts, and whatever goes wrong has an end.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{SMTP, code, err, out, run, scripted};

/// A running `smtp bench sink`, killed with this value.
struct Sink {
    child: Child,
    address: String,
    rest: BufReader<std::process::ChildStdout>,
}

impl Sink {
    fn start(args: &[&str]) -> Self {
        let mut command = Command::new(SMTP);
        command.args(["bench", "sink", "--listen", "127.0.0.1:0", "--time", "60", "--json"]).args(args);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
        let mut rest = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut line = String::new();
        rest.read_line(&mut line).expect("a line");
        let address = line.trim().strip_prefix("listening ").expect("an address").to_owned();
        Self { child, address, rest }
    }

    /// What it has counted, once it has had enough.
    fn counts(mut self) -> Value {
        let mut text = String::new();
        self.rest.read_to_string(&mut text).expect("an end");
        assert!(self.child.wait().expect("an end").success());
        serde_json::from_str(&text).expect("an object")
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Loads a server: the exit code, and what was counted.
fn load(url: &str, args: &[&str]) -> (Option<i32>, Value) {
    let output = run(["bench", "load", url, "--json"].iter().chain(args), "");
    let counted = serde_json::from_str(&out(&output));
    (code(&output), counted.unwrap_or_else(|error| panic!("{error}: {}{}", out(&output), err(&output))))
}

#[test]
fn both_ends_count_the_same() {
    let cases: [(&str, &[&str], &[&str]); 6] = [
        ("smtp", &[], &[]),
        ("smtp", &[], &["--no-pipelining", "--per-connection", "7"]),
        ("smtp", &[], &["--chunking", "--size", "1k,100k", "--threads", "2"]),
        ("smtp", &["--tls-self-signed"], &["--starttls", "--connections", "3"]),
        ("lmtp", &["--lmtp"], &["--recipients", "3"]),
        ("smtp", &[], &["--rate", "500", "--recipients", "2"]),
    ];
    for (scheme, sink, options) in cases {
        let sink = Sink::start(&[sink, &["--messages", "100"]].concat());
        let url = format!("{scheme}://{}", sink.address);
        let (code, load) = load(&url, &[&["--messages", "100"], options].concat());
        assert_eq!(code, Some(0), "{options:?}: {load}");
        let sink = sink.counts();
        for (name, sent) in [("messages", "delivered"), ("recipients", "recipients"), ("octets", "octets")] {
            assert_eq!(sink[name], load[sent], "{options:?}: {name}: {sink} {load}");
        }
        assert_eq!((&load["delivered"], &load["failed"]), (&100.into(), &0.into()), "{options:?}");
        assert_eq!(load["errors"], Value::Object(Default::default()), "{options:?}");
        let latency =
            |name: &str| load["latency_us"][name].as_u64().unwrap_or_else(|| panic!("{name}: {load}"));
        assert!(0 < latency("min") && latency("p50") <= latency("p99") && latency("p99") <= latency("max"));
    }
}

#[test]
fn pipelining_saves_writes_and_is_left_out_on_demand() {
    let sink = Sink::start(&[]);
    let url = format!("smtp://{}", sink.address);
    let writes = |args: &[&str]| {
        let (_, load) = load(&url, &[&["--messages", "50", "--connections", "1"], args].concat());
        load["wire"]["writes"].as_u64().expect("a number")
    };
    // A write for EHLO, one for QUIT; for a message one, or one each for MAIL, RCPT, DATA and the message.
    let (with, without) = (writes(&[]), writes(&["--no-pipelining"]));
    assert!((50..=60).contains(&with), "{with}");
    assert!((200..=210).contains(&without), "{without}");
}

#[test]
fn refusals_are_counted_by_what_was_refused() {
    let url = format!(
        "smtp://127.0.0.1:{}",
        scripted(|line| match line.split(' ').next() {
            Some("EHLO" | "MAIL") => "250 ok\r\n",
            Some("RCPT") => "550 5.1.1 no\r\n",
            Some("RSET") => "250 ok\r\n",
            Some("QUIT") => "221 bye\r\n",
            _ => "",
        })
    );
    let (code, load) = load(&url, &["--messages", "5", "--connections", "1"]);
    assert_eq!(
        (code, &load["failed"], &load["errors"]["RCPT: 550"]),
        (Some(75), &5.into(), &5.into()),
        "{load}"
    );
}

#[test]
fn whatever_goes_wrong_has_an_end() {
    let started = Instant::now();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let place = format!("smtp://{}", listener.local_addr().expect("an address"));
    // Connections come about, and nobody greets.
    let (code, counted) = load(&place, &["--time", "1", "--timeout", "1", "--connections", "2"]);
    assert_eq!((code, &counted["delivered"]), (Some(75), &0.into()), "{counted}");
    assert_eq!(counted["errors"]["timed out at the greeting"], 2, "{counted}");
    drop(listener);
    let (code, counted) = load(&place, &["--messages", "10"]);
    assert_eq!((code, &counted["failed"]), (Some(75), &10.into()), "{counted}");
    assert!(counted["errors"]["connecting: connection refused"].as_u64() >= Some(10), "{counted}");
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
}

#[test]
fn only_this_machine_is_loaded_unless_told_otherwise() {
    for place in ["192.0.2.1:25", "[2001:db8::1]:25"] {
        let output = run(["bench", "load", &format!("smtp://{place}")], "");
        assert_eq!(code(&output), Some(64));
        let said = err(&output);
        assert!(said.contains("not on this machine") && said.contains("--i-run-this-server"), "{said}");
    }
}

#[test]
fn a_rate_is_kept() {
    let sink = Sink::start(&[]);
    let started = Instant::now();
    let (code, load) = load(&format!("smtp://{}", sink.address), &["--rate", "50", "--time", "1"]);
    assert_eq!((code, load["delivered"].as_u64()), (Some(0), Some(50)), "{load}");
    assert!(started.elapsed() > Duration::from_millis(970), "the last one is due after 0.98 s");
}
