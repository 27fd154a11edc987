//! The servers: of each runtime one for each way to secure a connection.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use smtp_driver::proto::address::Domain;
use smtp_driver::proto::auth::server::Secret;
use smtp_driver::proto::auth::{ITERATIONS_MIN, Mechanism, Mechanisms};
use smtp_driver::proto::server::Config;
use smtp_driver::{Service, Shutdown, serve};
use tokio::runtime::Handle;

use super::authority::Tls;
use super::mails::Mail;
use super::receiver::{Ledger, Receiver};
use super::{Failure, PASSWORD, Runtime, Secured};
use crate::trace::record::{Recorded, Tape};

/// What all servers share.
pub(super) struct Premises {
    pub(super) tokio: Handle,
    pub(super) tls: Tls,
    pub(super) mails: Arc<[Mail]>,
    pub(super) ledger: Arc<Ledger>,
    pub(super) tape: Arc<Tape>,
    pub(super) shutdown: Shutdown,
}

/// A server that listens.
pub(super) struct Listening {
    pub(super) runtime: Runtime,
    pub(super) secured: Secured,
    pub(super) address: SocketAddr,
    thread: JoinHandle<io::Result<()>>,
}

impl Listening {
    /// Waits for the server's end, after a shutdown has begun.
    pub(super) fn join(self) -> Result<(), Failure> {
        let ended = self.thread.join().map_err(|_| "a server panicked")?;
        Ok(ended?)
    }
}

/// Starts all nine.
pub(super) fn start(premises: &Premises) -> Result<Vec<Listening>, Failure> {
    let salt = b"sixteen octets..";
    let secret = Arc::new(Secret::scram(Mechanism::ScramSha256, PASSWORD, salt, ITERATIONS_MIN)?);
    let mut servers = Vec::new();
    for runtime in Runtime::ALL {
        for secured in Secured::ALL {
            servers.push(listen(runtime, secured, premises, &secret)?);
        }
    }
    Ok(servers)
}

fn service(runtime: Runtime, secured: Secured, tls: &Tls) -> Result<Service, Failure> {
    let name = format!("{runtime}.server.example");
    let mut config = Config::new(Domain::parse(&name)?.into_owned());
    let mechanisms: Mechanisms = match secured {
        Secured::Plain => Mechanisms::NONE,
        Secured::StartTls => [Mechanism::Plain].into_iter().collect(),
        Secured::Implicit => [Mechanism::ScramSha256, Mechanism::ScramSha256Plus].into_iter().collect(),
    };
    config.require_tls = secured == Secured::StartTls;
    config.require_auth = secured != Secured::Plain;
    let service = Service::new(config.with_auth(mechanisms).shared());
    Ok(match secured {
        Secured::Plain => service,
        Secured::StartTls => service.with_starttls(Arc::clone(&tls.server)),
        Secured::Implicit => service.with_implicit_tls(Arc::clone(&tls.server)),
    })
}

fn listen(
    runtime: Runtime,
    secured: Secured,
    premises: &Premises,
    secret: &Arc<Secret>,
) -> Result<Listening, Failure> {
    const ANY_PORT: (&str, u16) = ("127.0.0.1", 0);
    let service = service(runtime, secured, &premises.tls)?;
    let Premises { mails, ledger, shutdown, .. } = premises;
    let (mails, ledger, secret) = (Arc::clone(mails), Arc::clone(ledger), Arc::clone(secret));
    let handler = move || Receiver::new(&mails, &secret, &ledger);
    let (tape, shutdown) = (Arc::clone(&premises.tape), shutdown.clone());
    let (address, thread) = match runtime {
        Runtime::Tokio => {
            let tokio = premises.tokio.clone();
            let listener = tokio.block_on(smtp_tokio::Listener::bind(ANY_PORT))?;
            let address = listener.local_addr()?;
            let run = async move { serve(Recorded::new(listener, &tape), service, &shutdown, handler).await };
            (address, thread::spawn(move || tokio.block_on(run)))
        }
        Runtime::Smol => {
            let bound = smtp_asyncstd::Listener::bind(ANY_PORT, smtp_asyncstd::spawn::smol);
            let listener = smol::block_on(bound)?;
            let address = listener.local_addr()?;
            let run = async move { serve(Recorded::new(listener, &tape), service, &shutdown, handler).await };
            (address, thread::spawn(move || smol::block_on(run)))
        }
        Runtime::Blocking => {
            let listener = smtp_blocking::Listener::bind(ANY_PORT)?;
            let address = listener.local_addr()?;
            let run = async move { serve(Recorded::new(listener, &tape), service, &shutdown, handler).await };
            (address, thread::spawn(move || smtp_blocking::block_on(run)))
        }
    };
    Ok(Listening { runtime, secured, address, thread })
}
