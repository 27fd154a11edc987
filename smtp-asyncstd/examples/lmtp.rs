//! LMTP delivery over a Unix socket, on smol: after the message there is one reply for each recipient that was accepted, so that
//! one full mailbox does not bring the message to the others a second time.
//!
//! Prints:
//!
//! ```text
//! ben: 31 octets
//! dan: 31 octets
//! ben@example.net: the end of data was answered 250 2.0.0 ok
//! full@example.net: the end of data was answered 452 4.2.2 the mailbox is full
//! gone@example.net: RCPT was answered 550 5.1.1 no such mailbox
//! dan@example.net: the end of data was answered 250 2.0.0 ok
//! ```

use std::error::Error;
use std::os::unix::net::UnixListener;

use smol::Async;
use smtp_asyncstd::proto::address::Domain;
use smtp_asyncstd::proto::command::Rcpt;
use smtp_asyncstd::proto::dot::Body;
use smtp_asyncstd::proto::reply::Reply;
use smtp_asyncstd::proto::server::Config;
use smtp_asyncstd::proto::session::Envelope;
use smtp_asyncstd::proto::status::{Code, Enhanced};
use smtp_asyncstd::{Destination, Handler, Listener, OK, Service, Shutdown, connect_unix, serve};

/// The mailboxes' side.
#[derive(Default)]
struct Deliver {
    to: Vec<String>,
    message: Vec<u8>,
}

impl Handler for Deliver {
    async fn rcpt(&mut self, rcpt: &Rcpt<'_>) -> Reply<'static> {
        const GONE: Reply<'static> =
            Reply::fixed(Code::MAILBOX_UNAVAILABLE, Some(Enhanced::fixed(5, 1, 1)), "no such mailbox");
        let name = rcpt.to.mailbox().map_or_else(String::new, |mailbox| mailbox.local_part().into_owned());
        if name == "gone" {
            return GONE;
        }
        self.to.push(name);
        OK
    }

    async fn body(&mut self, body: &Body<'_>) -> Result<(), Reply<'static>> {
        body.append_to(&mut self.message);
        Ok(())
    }

    /// Here each recipient has an answer of its own.
    async fn message(&mut self) -> Reply<'static> {
        OK
    }

    async fn message_for(&mut self, recipient: usize, _: &Reply<'static>) -> Reply<'static> {
        const FULL: Reply<'static> =
            Reply::fixed(Code::NO_STORAGE, Some(Enhanced::fixed(4, 2, 2)), "the mailbox is full");
        let name = &self.to[recipient];
        if name == "full" {
            return FULL;
        }
        println!("{name}: {} octets", self.message.len());
        OK
    }

    fn reset(&mut self) {
        *self = Self::default();
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("lmtp");
    let socket = Async::<UnixListener>::bind(&path)?;
    let listener = Listener::new(socket, |task| smol::spawn(task).detach());
    let service = Service::new(Config::new(Domain::parse("mail.example.net")?).lmtp().shared());
    let shutdown = Shutdown::new();

    let client = async {
        let to = ["ben@example.net", "full@example.net", "gone@example.net", "dan@example.net"];
        let envelope = Envelope::parse("ann@example.org", to)?;
        // Who is expected behind the socket; nothing is resolved.
        let mut connection = connect_unix(&path, &Destination::lmtp("mail.example.net", 24)).await?;
        let report = connection.send(&envelope, "Subject: hello\r\n\r\nHello, all.\r\n").await?;
        connection.quit().await;
        shutdown.begin();
        for (to, outcome) in to.iter().zip(report.outcomes()) {
            println!("{to}: {outcome}");
        }
        Ok::<_, Box<dyn Error>>(())
    };
    let (served, sent) =
        smol::block_on(smol::future::zip(serve(listener, service, &shutdown, Deliver::default), client));
    served?;
    sent
}
