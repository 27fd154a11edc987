//! An outbound relay: one message, four recipients, and for each what is to be done next. The pool keeps the connection.
//!
//! Prints:
//!
//! ```text
//! ben@example.net: delivered (250 2.0.0 ok)
//! full@example.net: try later (452 4.2.2 the mailbox is full)
//! gone@example.net: tell the sender (550 5.1.1 no such mailbox)
//! dan@example.net: delivered (250 2.0.0 ok)
//! ```

use std::error::Error;

use smtp_tokio::proto::address::Domain;
use smtp_tokio::proto::command::Rcpt;
use smtp_tokio::proto::reply::Reply;
use smtp_tokio::proto::server::Config;
use smtp_tokio::proto::session::{Envelope, Outcome, Verdict};
use smtp_tokio::proto::status::{Code, Enhanced};
use smtp_tokio::{Destination, Handler, Listener, OK, Pool, Service, Shutdown, serve};

/// The next hop.
struct Mailboxes;

impl Handler for Mailboxes {
    async fn rcpt(&mut self, rcpt: &Rcpt<'_>) -> Reply<'static> {
        const FULL: Reply<'static> =
            Reply::fixed(Code::NO_STORAGE, Some(Enhanced::fixed(4, 2, 2)), "the mailbox is full");
        const GONE: Reply<'static> =
            Reply::fixed(Code::MAILBOX_UNAVAILABLE, Some(Enhanced::fixed(5, 1, 1)), "no such mailbox");
        match rcpt.to.as_str() {
            "full@example.net" => FULL,
            "gone@example.net" => GONE,
            _ => OK,
        }
    }

    async fn message(&mut self) -> Reply<'static> {
        OK
    }
}

/// What a queue does about it.
fn next(outcome: &Outcome<'_>) -> &'static str {
    match outcome.verdict() {
        Verdict::Delivered => "delivered",
        Verdict::Failed => "tell the sender",
        Verdict::TryAnotherHost => "try the next MX",
        Verdict::NextTransaction => "send again at once",
        Verdict::Authenticate => "mend the login",
        // Unknown: at the risk of a duplicate.
        _ => "try later",
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = Listener::bind("127.0.0.1:0").await?;
    let hop = Destination::from(listener.local_addr()?).with_name(Domain::parse("relay.example.org")?);
    let service = Service::new(Config::new(Domain::parse("mx.example.net")?).shared());
    let (shutdown, flag) = {
        let flag = Shutdown::new();
        (flag.clone(), flag)
    };
    let server = tokio::spawn(async move { serve(listener, service, &flag, || Mailboxes).await });

    let to = ["ben@example.net", "full@example.net", "gone@example.net", "dan@example.net"];
    let envelope = Envelope::parse("ann@example.org", to)?;
    let pool = Pool::new(hop);
    // A pool is for many tasks at once. An error has a report, too: what became of each is known either way.
    let report = match pool.send(&envelope, "Subject: hello\r\n\r\nHello, all.\r\n").await {
        Ok(report) => report,
        Err(failed) => failed.report,
    };
    for (to, outcome) in to.iter().zip(report.outcomes()) {
        match &outcome {
            Outcome::Replied { reply, .. } => println!("{to}: {} ({reply})", next(&outcome)),
            outcome => println!("{to}: {} ({outcome})", next(outcome)),
        }
    }
    pool.close().await;
    shutdown.begin();
    Ok(server.await??)
}
