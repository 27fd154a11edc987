//! A mail server for tests: it listens on a port of its own, takes every message, hands it to the test, and ends with it. It has a
//! thread of its own, so the code under test may be blocking, or on any runtime.
//!
//! Prints:
//!
//! ```text
//! ann@example.org was welcomed
//! ```
//!
//! `cargo test --examples -p smtp-blocking` runs the test at the end of this file.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use smtp_blocking::proto::address::Domain;
use smtp_blocking::proto::command::{Mail, Rcpt};
use smtp_blocking::proto::dot::Body;
use smtp_blocking::proto::reply::Reply;
use smtp_blocking::proto::server::Config;
use smtp_blocking::proto::session::Envelope;
use smtp_blocking::{Destination, Handler, Listener, OK, Service, Shutdown, connect, serve};

/// What arrived.
#[derive(Clone, Debug, Default, PartialEq)]
struct Letter {
    from: String,
    to: Vec<String>,
    text: Vec<u8>,
}

struct TestServer {
    address: SocketAddr,
    letters: Receiver<Letter>,
    shutdown: Shutdown,
    thread: Option<JoinHandle<std::io::Result<()>>>,
}

impl TestServer {
    fn start() -> Self {
        let listener = Listener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let service = Service::new(Config::new(Domain::parse("mx.test").expect("a domain")).shared());
        let (shutdown, (sender, letters)) = (Shutdown::new(), channel());
        let flag = shutdown.clone();
        let inbox = move || Inbox { letter: Letter::default(), sender: sender.clone() };
        let thread = thread::spawn(move || serve(listener, service, &flag, inbox));
        Self { address, letters, shutdown, thread: Some(thread) }
    }

    /// The next letter, which may still be on its way.
    fn letter(&self) -> Letter {
        self.letters.recv_timeout(Duration::from_secs(10)).expect("a letter within ten seconds")
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.shutdown.begin();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// One connection.
struct Inbox {
    letter: Letter,
    sender: Sender<Letter>,
}

impl Handler for Inbox {
    async fn mail(&mut self, mail: &Mail<'_>) -> Reply<'static> {
        self.letter.from = mail.from.as_str().to_owned();
        OK
    }
    async fn rcpt(&mut self, rcpt: &Rcpt<'_>) -> Reply<'static> {
        self.letter.to.push(rcpt.to.as_str().to_owned());
        OK
    }
    async fn body(&mut self, body: &Body<'_>) -> Result<(), Reply<'static>> {
        body.append_to(&mut self.letter.text);
        Ok(())
    }
    async fn message(&mut self) -> Reply<'static> {
        // A test that does not look any more is no fault of the client's.
        let _ = self.sender.send(std::mem::take(&mut self.letter));
        OK
    }
    fn reset(&mut self) {
        self.letter = Letter::default();
    }
}

/// The code under test.
fn welcome(user: &str, relay: &Destination) -> Result<(), Box<dyn Error>> {
    let envelope = Envelope::parse("welcome@example.net", [user])?;
    let mut connection = connect(relay)?;
    let report = connection.send(&envelope, "Subject: Welcome\r\n\r\nIt is good to have you here.\r\n")?;
    connection.quit();
    if report.all_delivered() { Ok(()) } else { Err(format!("not welcomed: {report:?}").into()) }
}

fn main() -> Result<(), Box<dyn Error>> {
    let server = TestServer::start();
    welcome("ann@example.org", &server.address.into())?;
    println!("{} was welcomed", server.letter().to[0]);
    Ok(())
}

#[test]
fn a_new_user_is_welcomed() {
    let server = TestServer::start();
    welcome("ann@example.org", &server.address.into()).expect("a server that takes everything");
    let letter = server.letter();
    assert_eq!(
        (letter.from.as_str(), letter.to),
        ("welcome@example.net", vec!["ann@example.org".to_owned()])
    );
    assert!(letter.text.starts_with(b"Subject: Welcome\r\n"));
}
