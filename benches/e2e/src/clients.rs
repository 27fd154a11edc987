//! Every client, each as its documentation has it, on one connection that is kept, and with TCP_NODELAY.
//!
//! What a client wants to own it is given a copy of: that is what sending through it costs whoever keeps the message.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use smtp_tokio::Destination;
use smtp_tokio::proto::session::{Content, Envelope, Report};

use crate::process::no_delay;
use crate::work::{Cost, FROM, Long, Work};

/// Those that are libraries, by the names of the tables. The first is measured against the others.
pub const CLIENTS: [&str; 8] = [
    "ours: tokio",
    "ours: asyncstd",
    "ours: blocking",
    "ours: tokio, send",
    "lettre",
    "mail-send",
    "async-smtp",
    "io-smtp",
];

/// Sends what there is to send, and says what it cost.
pub fn run(name: &str, mut work: Work, to: SocketAddr) -> Cost {
    let work = &mut work;
    match name {
        "ours: tokio" => on_tokio(ours_tokio(work, to, true)),
        "ours: tokio, send" => on_tokio(ours_tokio(work, to, false)),
        "ours: asyncstd" => smol::block_on(ours_asyncstd(work, to)),
        "ours: blocking" => ours_blocking(work, to),
        "lettre" => lettre(work, to),
        "mail-send" => on_tokio(mail_send(work, to)),
        "async-smtp" => on_tokio(async_smtp(work, to)),
        "io-smtp" => io_smtp(work, to),
        _ => panic!("there is no client {name}"),
    }
    work.cost()
}

pub fn on_tokio<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(work)
}

fn destination(to: SocketAddr) -> Destination {
    Destination::plain(to.ip().to_string(), to.port())
}

fn delivered(report: &Report) {
    assert!(report.all_delivered(), "{report:?}");
}

async fn ours_tokio(work: &mut Work, to: SocketAddr, in_flight: bool) {
    let (recipients, message) = (work.shape.to(), work.shape.message());
    let envelope = Envelope::parse(FROM, recipients.iter().map(String::as_str)).expect("addresses");
    let mut connection = smtp_tokio::connect(&destination(to)).await.expect("a connection");
    if in_flight {
        let messages = work.rounds().map(|_| (&envelope, &message));
        connection.send_all(messages, |report| delivered(&report)).await.expect("messages");
    } else {
        for _ in work.rounds() {
            delivered(&connection.send(&envelope, &message).await.expect("a message"));
        }
    }
}

async fn ours_asyncstd(work: &mut Work, to: SocketAddr) {
    let (recipients, message) = (work.shape.to(), work.shape.message());
    let envelope = Envelope::parse(FROM, recipients.iter().map(String::as_str)).expect("addresses");
    let mut connection = smtp_asyncstd::connect(&destination(to)).await.expect("a connection");
    let messages = work.rounds().map(|_| (&envelope, &message));
    connection.send_all(messages, |report| delivered(&report)).await.expect("messages");
}

fn ours_blocking(work: &mut Work, to: SocketAddr) {
    let (recipients, message) = (work.shape.to(), work.shape.message());
    let envelope = Envelope::parse(FROM, recipients.iter().map(String::as_str)).expect("addresses");
    let mut connection = smtp_blocking::connect(&destination(to)).expect("a connection");
    let messages = work.rounds().map(|_| (&envelope, &message));
    connection.send_all(messages, |report| delivered(&report)).expect("messages");
}

/// One message of so many octets through [`smtp_blocking::stream`] and the like. `sent` is called when a small one has
/// gone before it, and the buffers are as they will be.
pub fn long(name: &str, octets: usize, to: SocketAddr, warm: impl FnOnce()) {
    let envelope = Envelope::parse(FROM, ["ben.smith@example.net"]).expect("addresses");
    let (small, content) = (vec![b'a'; 100], Content::unknown());
    let message = Long { left: octets };
    match name {
        "ours: tokio" => on_tokio(async {
            let mut connection = smtp_tokio::connect(&destination(to)).await.expect("a connection");
            delivered(&connection.send(&envelope, &small).await.expect("a message"));
            warm();
            // A reader of tokio's that is always ready: what a file is on a runtime that reads it elsewhere.
            let message = smtp_tokio::stream(Ready(message), content);
            delivered(&connection.send(&envelope, message).await.expect("a message"));
        }),
        "ours: asyncstd" => smol::block_on(async {
            let mut connection = smtp_asyncstd::connect(&destination(to)).await.expect("a connection");
            delivered(&connection.send(&envelope, &small).await.expect("a message"));
            warm();
            let message = smtp_asyncstd::stream(smol::io::AssertAsync::new(message), content);
            delivered(&connection.send(&envelope, message).await.expect("a message"));
        }),
        "ours: blocking" => {
            let mut connection = smtp_blocking::connect(&destination(to)).expect("a connection");
            delivered(&connection.send(&envelope, &small).expect("a message"));
            warm();
            let message = smtp_blocking::stream(message, content);
            delivered(&connection.send(&envelope, message).expect("a message"));
        }
        _ => panic!("{name} does not send from a stream"),
    }
}

struct Ready(Long);

impl tokio::io::AsyncRead for Ready {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        buffer: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        let n = std::io::Read::read(&mut self.0, buffer.initialize_unfilled())?;
        buffer.advance(n);
        std::task::Poll::Ready(Ok(()))
    }
}

fn lettre(work: &mut Work, to: SocketAddr) {
    use lettre::address::Envelope;
    use lettre::transport::smtp::client::SmtpConnection;
    use lettre::transport::smtp::extension::ClientId;

    let (recipients, message) = (work.shape.to(), work.shape.message());
    let recipients = recipients.iter().map(|to| to.parse().expect("an address")).collect();
    let envelope = Envelope::new(Some(FROM.parse().expect("an address")), recipients).expect("an envelope");
    let hello = ClientId::Domain("mail.example.org".into());
    let mut connection =
        SmtpConnection::connect(to, Some(Duration::from_secs(60)), &hello, None, None).expect("a connection");
    // It does not say which socket that is.
    no_delay(std::process::id());
    for _ in work.rounds() {
        assert!(connection.send(&envelope, &message).expect("a message").is_positive());
    }
}

async fn mail_send(work: &mut Work, to: SocketAddr) {
    use mail_send::SmtpClient;
    use mail_send::smtp::message::Message;

    let (recipients, message) = (work.shape.to(), work.shape.message());
    let mut client = SmtpClient::connect(to, Duration::from_secs(60)).await.expect("a connection");
    client.stream.set_nodelay(true).expect("no delay");
    assert!(client.read().await.expect("a greeting").is_positive_completion());
    client.ehlo("mail.example.org").await.expect("a reply to EHLO");
    let message = Message::new(FROM, recipients.iter().map(String::as_str), &message[..]);
    for _ in work.rounds() {
        client.send(message.clone()).await.expect("a message");
    }
}

async fn async_smtp(work: &mut Work, to: SocketAddr) {
    use async_smtp::{EmailAddress, Envelope, SendableEmail, SmtpClient, SmtpTransport};

    let (recipients, message) = (work.shape.to(), work.shape.message());
    let address = |text: &str| EmailAddress::new(text.to_owned()).expect("an address");
    let recipients = recipients.iter().map(|to| address(to)).collect();
    let envelope = Envelope::new(Some(address(FROM)), recipients).expect("an envelope");
    let stream = tokio::net::TcpStream::connect(to).await.expect("a connection");
    stream.set_nodelay(true).expect("no delay");
    let stream = tokio::io::BufStream::new(stream);
    let mut transport = SmtpTransport::new(SmtpClient::new(), stream).await.expect("a greeting");
    for _ in work.rounds() {
        let email = SendableEmail::new(envelope.clone(), message.clone());
        transport.send(email).await.expect("a message");
    }
}

fn io_smtp(work: &mut Work, to: SocketAddr) {
    use io_smtp::client::{SmtpClient as _, SmtpClientStd};
    use io_smtp::message::SmtpMessageSendOptions;
    use io_smtp::rfc5321::{
        SmtpDomain, SmtpEhloDomain, SmtpForwardPath, SmtpLocalPart, SmtpMailbox, SmtpReversePath,
    };

    let (recipients, message) = (work.shape.to(), work.shape.message());
    let domain = |name: &str| SmtpEhloDomain::SmtpDomain(SmtpDomain(name.to_owned().into()));
    let mailbox = |address: &str| {
        let (local, at) = address.split_once('@').expect("an address");
        SmtpMailbox { local_part: SmtpLocalPart(local.to_owned().into()), domain: domain(at) }
    };
    let from = SmtpReversePath::SmtpMailbox(mailbox(FROM));
    let recipients: Vec<_> = recipients.iter().map(|to| SmtpForwardPath(mailbox(to))).collect();
    let stream = TcpStream::connect(to).expect("a connection");
    stream.set_nodelay(true).expect("no delay");
    let mut client = SmtpClientStd::new(stream);
    client.greeting().expect("a greeting");
    // Not EHLO: smtp-sink's response ends in a line that is empty, and fails it. It makes no use of an extension here.
    client.helo(SmtpDomain("mail.example.org".into())).expect("a reply to HELO");
    for _ in work.rounds() {
        let options = SmtpMessageSendOptions::default();
        client.send(from.clone(), recipients.clone(), message.clone(), options).expect("a message");
    }
}
