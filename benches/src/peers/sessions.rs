//! Their clients against our server, over the transport in memory that ours has. Each message is given as `benches/e2e` gives it.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_smtp::{EmailAddress, SendableEmail, SmtpTransport};
use io_smtp::message::{SmtpMessageSend, SmtpMessageSendOptions};
use io_smtp::rfc5321::{
    SmtpDomain, SmtpEhloDomain, SmtpForwardPath, SmtpLocalPart, SmtpMailbox, SmtpReversePath,
};
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::extension::ClientId;
use mail_send::SmtpClient;
use mail_send::smtp::message::Message;
use tokio::io::{AsyncRead, AsyncWrite, BufStream};
use tokio::runtime;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::wire::{Wire, drive};
use super::{ASYNC_SMTP, IO_SMTP, LETTRE, MAIL_SEND};
use crate::inputs::{FROM, message, recipients};
use crate::sessions::{Far, Host, SHAPES, Shape, TRUST, done};
use crate::{Case, Unit};

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for shape in SHAPES.iter().filter(|shape| shape.is_common()) {
        if shape.tls {
            // The other two speak TLS over sockets only.
            cases.extend([mail_send(shape, secured(shape)), async_smtp(shape, secured(shape))]);
        } else {
            let plain = || Wire(Host::new(shape));
            cases.extend([
                lettre(shape),
                mail_send(shape, plain()),
                async_smtp(shape, plain()),
                io_smtp(shape),
            ]);
        }
    }
    cases
}

fn secured(shape: &Shape) -> TlsStream<Wire<Host>> {
    let connector = TlsConnector::from(Arc::clone(&TRUST.client));
    done(connector.connect("localhost".try_into().unwrap(), Wire(Host::new(shape)))).unwrap()
}

fn case(shape: &Shape, who: &'static str, mut send: impl FnMut(&[u8]) + 'static) -> Case {
    let message = message(shape.octets);
    Case::new(shape.group, who, Unit::Items, 1, move || send(&message))
}

fn lettre(shape: &Shape) -> Case {
    let mut connection = lettre_over(Host::new(shape));
    let to = recipients(shape.recipients).iter().map(|to| to.parse().unwrap()).collect();
    let envelope = lettre::address::Envelope::new(Some(FROM.parse().unwrap()), to).unwrap();
    case(shape, LETTRE, move |message| {
        assert!(done(connection.send(&envelope, message)).unwrap().is_positive())
    })
}

pub fn lettre_over(far: impl Far + Debug + Send + Sync + Unpin + 'static) -> AsyncSmtpConnection {
    let hello = ClientId::Domain("mail.example.org".into());
    done(AsyncSmtpConnection::connect_with_transport(Box::new(Wire(far)), &hello)).unwrap()
}

fn mail_send(shape: &Shape, stream: impl AsyncRead + AsyncWrite + Unpin + 'static) -> Case {
    // It arms timers.
    let timers = runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let mut client = SmtpClient { stream, timeout: Duration::from_secs(60) };
    let entered = timers.enter();
    assert!(done(client.read()).unwrap().is_positive_completion());
    done(client.ehlo("mail.example.org")).unwrap();
    drop(entered);
    let to = recipients(shape.recipients);
    case(shape, MAIL_SEND, move |message| {
        let _entered = timers.enter();
        let message = Message::new(FROM, to.iter().map(String::as_str), message);
        done(client.send(message)).unwrap();
    })
}

fn async_smtp(shape: &Shape, stream: impl AsyncRead + AsyncWrite + Unpin + 'static) -> Case {
    let open = SmtpTransport::new(async_smtp::SmtpClient::new(), BufStream::new(stream));
    let (mut transport, envelope) = (done(open).unwrap(), async_smtp_envelope(shape.recipients));
    case(shape, ASYNC_SMTP, move |message| {
        done(transport.send(SendableEmail::new(envelope.clone(), message))).unwrap();
    })
}

pub fn async_smtp_envelope(count: usize) -> async_smtp::Envelope {
    let address = |text: &str| EmailAddress::new(text.to_owned()).unwrap();
    let to = recipients(count).iter().map(|to| address(to)).collect();
    async_smtp::Envelope::new(Some(address(FROM)), to).unwrap()
}

fn io_smtp(shape: &Shape) -> Case {
    let (mut host, client) = (Host::new(shape), IoSmtp::new(shape.recipients));
    host.hear(b"EHLO mail.example.org\r\n");
    let octets = host.says().len();
    host.heard(octets);
    case(shape, IO_SMTP, move |message| client.send(message, &mut host))
}

/// Whom io-smtp sends to.
pub struct IoSmtp {
    from: SmtpReversePath<'static>,
    to: Vec<SmtpForwardPath<'static>>,
}

impl IoSmtp {
    pub fn new(count: usize) -> Self {
        let mailbox = |address: &str| {
            let (local, domain) = address.split_once('@').unwrap();
            SmtpMailbox {
                local_part: SmtpLocalPart(local.to_owned().into()),
                domain: SmtpEhloDomain::SmtpDomain(SmtpDomain(domain.to_owned().into())),
            }
        };
        let to = recipients(count).iter().map(|to| SmtpForwardPath(mailbox(to))).collect();
        Self { from: SmtpReversePath::SmtpMailbox(mailbox(FROM)), to }
    }

    pub fn send(&self, message: &[u8], far: &mut impl Far) {
        let options = SmtpMessageSendOptions::default();
        drive(SmtpMessageSend::new(self.from.clone(), self.to.clone(), message.to_vec(), options), far);
    }
}
