//! `smtp serve`: takes mail and stores it.

mod args;
mod handler;
mod maildir;
mod tls;
mod users;

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use smtp_tokio::proto::address::Domain;
use smtp_tokio::proto::server::Config;
use smtp_tokio::proto::stage::Protocol;
use smtp_tokio::{Listener, Service, Shutdown};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

pub use args::Args;
pub use handler::{Receiver, Shared};
pub use maildir::{Draft, Maildir, MessageId};
pub use tls::Certificate;
pub use users::Users;

use crate::exit::{self, Failure};

/// Where the server listens if it isn't told.
const DEFAULT_LISTEN: &str = "127.0.0.1:2525";

/// Serves until a signal comes and the messages in hand are answered.
///
/// # Errors
///
/// [`Failure`] if it can't begin: addresses, certificates or the Maildir are of no use.
pub async fn run(args: Args) -> Result<ExitCode, Failure> {
    // Before anything is announced, so that no signal is missed.
    let signals = Signals::new().map_err(|error| Failure::new(exit::OS_ERROR, error.to_string()))?;
    let certificate = certificate(&args)?;
    if certificate.is_none() && !args.implicit_tls.is_empty() {
        return Err(usage("--implicit-tls needs --tls-self-signed, or --tls-cert and --tls-key"));
    }
    let shared = Arc::new(shared(&args)?);
    let service = Service::new(config(&args, &shared).shared());
    let tls = certificate.as_ref().map(|certificate| &certificate.config);
    let plain = tls.map_or_else(|| service.clone(), |tls| service.clone().with_starttls(Arc::clone(tls)));
    let implicit = tls.map(|tls| service.with_implicit_tls(Arc::clone(tls)));

    let mut addresses = args.listen.clone();
    if addresses.is_empty() && args.implicit_tls.is_empty() {
        addresses.push(DEFAULT_LISTEN.into());
    }
    let mut listeners = Vec::new();
    for address in &addresses {
        listeners.push((bind(address).await?, plain.clone(), "plain"));
    }
    for (address, implicit) in args.implicit_tls.iter().zip(std::iter::repeat(implicit).flatten()) {
        listeners.push((bind(address).await?, implicit, "tls"));
    }

    if let Some(ca) = certificate.as_ref().and_then(|certificate| certificate.ca.as_ref()) {
        announce(format_args!("ca {}", ca.display()));
    }
    let shutdown = Shutdown::new();
    let mut serving = JoinSet::new();
    for (listener, service, mode) in listeners {
        let address =
            listener.local_addr().map_err(|error| Failure::new(exit::OS_ERROR, error.to_string()))?;
        announce(format_args!("listening {address} {mode}"));
        let (shutdown, shared) = (shutdown.clone(), Arc::clone(&shared));
        serving.spawn(async move {
            smtp_tokio::serve(listener, service, &shutdown, || Receiver::new(Arc::clone(&shared))).await
        });
    }
    tokio::spawn(signals.begin(shutdown.clone()));
    let mut result = Ok(ExitCode::SUCCESS);
    while let Some(served) = serving.join_next().await {
        // A listener that ends by itself ends the others, once their messages in hand are answered.
        shutdown.begin();
        if let Err(error) = served.unwrap_or_else(|panic| Err(io::Error::other(panic))) {
            result = Err(Failure::new(exit::OS_ERROR, format!("listening: {error}")));
        }
    }
    result
}

fn certificate(args: &Args) -> Result<Option<Certificate>, Failure> {
    match (&args.tls_cert, &args.tls_key) {
        (Some(chain), Some(key)) => Certificate::read(chain, key).map(Some),
        _ if args.tls_self_signed => Certificate::self_signed().map(Some),
        _ => Ok(None),
    }
}

fn shared(args: &Args) -> Result<Shared, Failure> {
    let name = args.name.clone().unwrap_or_else(|| gethostname::gethostname().to_string_lossy().into_owned());
    let domain = match Domain::try_from(name) {
        Ok(domain) => domain,
        // A machine may be called anything; who gives a name means it.
        Err(_) if args.name.is_none() => Domain::try_from(String::from("localhost")).map_err(usage)?,
        Err(error) => return Err(usage(format!("--name: {error}"))),
    };
    let maildir = match &args.maildir {
        Some(root) => Some(Arc::new(Maildir::open(root).map_err(|error| {
            Failure::new(exit::CANT_CREATE, format!("the Maildir {}: {error}", root.display()))
        })?)),
        None => None,
    };
    let users = if args.user.is_empty() { None } else { Some(Users::parse(&args.user).map_err(usage)?) };
    let protocol = if args.lmtp { Protocol::Lmtp } else { Protocol::Smtp };
    Ok(Shared { domain, protocol, maildir, users, discarded: AtomicU64::new(0) })
}

fn config(args: &Args, shared: &Shared) -> Config {
    let mut config = Config::new(shared.domain.clone());
    config.protocol = shared.protocol;
    config.capabilities = config.capabilities.with_size(args.max_size);
    config.require_auth = args.require_auth;
    config.auth_in_clear = args.auth_in_clear;
    if shared.users.is_some() {
        config = config.with_auth(Users::mechanisms());
    }
    config
}

async fn bind(address: &str) -> Result<Listener<TcpListener>, Failure> {
    Listener::bind(address)
        .await
        .map_err(|error| Failure::new(exit::OS_ERROR, format!("can't listen at {address}: {error}")))
}

/// One line, at once. Whoever started this may have stopped reading.
fn announce(line: std::fmt::Arguments<'_>) {
    let mut out = io::stdout();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

fn usage(message: impl ToString) -> Failure {
    Failure::new(exit::USAGE, message.to_string())
}

/// What ends the server.
struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    #[cfg(unix)]
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};

        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    #[cfg(not(unix))]
    fn new() -> io::Result<Self> {
        Ok(Self {})
    }

    /// The first begins the shutdown, the second ends the process.
    async fn begin(mut self, shutdown: Shutdown) {
        self.next().await;
        shutdown.begin();
        self.next().await;
        std::process::exit(i32::from(exit::TEMP_FAIL));
    }

    #[cfg(unix)]
    async fn next(&mut self) {
        let (mut terminate, mut interrupt) =
            (std::pin::pin!(self.terminate.recv()), std::pin::pin!(self.interrupt.recv()));
        std::future::poll_fn(|context| match terminate.as_mut().poll(context) {
            std::task::Poll::Pending => interrupt.as_mut().poll(context),
            ready => ready,
        })
        .await;
    }

    #[cfg(not(unix))]
    async fn next(&mut self) {
        // Where there is no such signal, nothing but the end of the process ends it.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
