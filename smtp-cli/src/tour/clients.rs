//! The clients: one conversation each, over a transport of their runtime's.

use std::net::SocketAddr;
use std::sync::Arc;

use smtp_driver::proto::address::Domain;
use smtp_driver::proto::auth::Credentials;
use smtp_driver::proto::session::{Envelope, Outcome, Report, Transfer};
use smtp_driver::proto::stage::Stage;
use smtp_driver::{Destination, Io};
use tokio::runtime::Handle;

use super::authority::Tls;
use super::mails::Mail;
use super::receiver::Ledger;
use super::{Failure, HOST, PASSWORD, PATIENCE, Runtime, Secured, USER};
use crate::trace::record::{Counts, Meter, Tap, Tape};

/// What one client is to do.
pub(super) struct Errand<'e> {
    pub(super) conversation: usize,
    pub(super) client: Runtime,
    pub(super) secured: Secured,
    pub(super) address: SocketAddr,
    pub(super) tls: &'e Tls,
    pub(super) mails: &'e [Mail],
    pub(super) tape: Option<&'e Arc<Tape>>,
}

impl Errand<'_> {
    /// Connects with this errand's runtime, delivers the mails and leaves. What was counted is told also of a client
    /// that failed.
    pub(super) fn run(&self, tokio: &Handle) -> (Counts, Result<(), Failure>) {
        let meter = Arc::new(Meter::default());
        let result = match self.client {
            Runtime::Tokio => tokio.block_on(async {
                self.deliver(smtp_tokio::Socket::connect(self.address, PATIENCE).await?, &meter).await
            }),
            Runtime::Smol => smol::block_on(async {
                self.deliver(smtp_asyncstd::Socket::connect(self.address, PATIENCE).await?, &meter).await
            }),
            Runtime::Blocking => smtp_blocking::block_on(async {
                self.deliver(smtp_blocking::Socket::connect(self.address, PATIENCE)?, &meter).await
            }),
        };
        (meter.counts(), result)
    }

    fn destination(&self) -> Result<Destination, Failure> {
        let (port, tls) = (self.address.port(), Arc::clone(&self.tls.client));
        let to = match self.secured {
            Secured::Plain => Destination::plain(HOST, port),
            Secured::StartTls => Destination::submission(HOST, tls).with_port(port),
            Secured::Implicit => Destination::submissions(HOST, tls).with_port(port),
        };
        let name = Ledger::client_name(self.conversation);
        let to = to.with_name(Domain::parse(&name)?.into_owned());
        Ok(match self.secured {
            Secured::Plain => to,
            _ => to.with_credentials(Credentials::password(USER, PASSWORD)),
        })
    }

    async fn deliver<I: Io>(&self, io: I, meter: &Arc<Meter>) -> Result<(), Failure> {
        let io = Tap::client(io, meter, self.tape);
        let mut connection = self.destination()?.open(io).await?;
        if connection.is_tls() != (self.secured != Secured::Plain) {
            return Err("TLS is not as it was asked for".into());
        }
        connection.set_transfer(self.secured.transfer());
        let envelopes = self.mails.iter().map(envelope).collect::<Result<Vec<_>, _>>()?;
        let messages = envelopes.iter().zip(self.mails).map(|(envelope, mail)| (envelope, &mail.octets));
        let mut reports = Vec::new();
        connection.send_all(messages, |report| reports.push(report)).await?;
        connection.quit().await;
        if reports.len() != self.mails.len() {
            return Err(format!("{} of {} mails were reported", reports.len(), self.mails.len()).into());
        }
        reports.iter().zip(self.mails).try_for_each(|(report, mail)| check(report, mail))
    }
}

fn envelope(mail: &Mail) -> Result<Envelope<'_>, Failure> {
    Ok(Envelope::parse(&mail.from, mail.to.iter().map(|to| to.address.as_str()))?)
}

/// Whether a report says of each recipient what is true.
fn check(report: &Report, mail: &Mail) -> Result<(), Failure> {
    if report.outcomes().len() != mail.to.len() {
        return Err("a report has another number of recipients than the envelope".into());
    }
    for (outcome, to) in report.outcomes().zip(&mail.to) {
        let as_it_is = match &outcome {
            Outcome::Replied { stage: Stage::Rcpt, reply, .. } => !to.exists && reply.code().as_u16() == 550,
            outcome => to.exists && outcome.is_delivered(),
        };
        if !as_it_is {
            return Err(format!("for {} the client was told {outcome:?}", to.address).into());
        }
    }
    Ok(())
}

impl Secured {
    /// BDAT takes its turn where the connection is in TLS from the first octet.
    pub(super) const fn transfer(self) -> Transfer {
        match self {
            Self::Plain | Self::StartTls => Transfer::Data,
            Self::Implicit => Transfer::Chunks,
        }
    }
}
