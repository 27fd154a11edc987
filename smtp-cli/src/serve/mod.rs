//! `smtp serve`: takes mail and stores it.

mod args;
mod draft;
mod handler;
mod id;
mod listen;
mod maildir;
mod mbox;
mod rules;
mod shared;
mod signals;
mod steps;
mod store;
mod tell;
mod tls;
mod users;

use std::fs;
use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use smtp_tokio::proto::address::Domain;
use smtp_tokio::proto::extension::Extension;
use smtp_tokio::proto::server::Config;
use smtp_tokio::proto::stage::Protocol;
use smtp_tokio::{Service, Shutdown};
use tokio::task::JoinSet;

pub use args::Args;
pub use rules::Rule;
pub use steps::{Delay, Step};
pub(crate) use tls::Certificate;

use crate::exit::{self, Failure};
use id::Ids;
use listen::Bound;
use maildir::Maildir;
use mbox::Mbox;
use rules::{Greylist, Rules};
use shared::Shared;
use signals::Signals;
use store::Store;
use tell::{Event, Teller};

use users::Users;

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
    let service = Service::new(config(&args, &shared)?.shared());
    let tls = certificate.as_ref().map(|certificate| &certificate.config);
    let starttls = tls.filter(|_| !switched_off(&args).any(|keyword| keyword == Some(Extension::StartTls)));
    let plain =
        starttls.map_or_else(|| service.clone(), |tls| service.clone().with_starttls(Arc::clone(tls)));
    let implicit = tls.map(|tls| service.with_implicit_tls(Arc::clone(tls)));

    let mut addresses = args.listen.clone();
    if addresses.is_empty() && args.implicit_tls.is_empty() {
        addresses.push(DEFAULT_LISTEN.into());
    }
    let mut listeners = Vec::new();
    for address in &addresses {
        listeners.push((Bound::new(address).await?, plain.clone(), "plain"));
    }
    for (address, implicit) in args.implicit_tls.iter().zip(std::iter::repeat(implicit).flatten()) {
        listeners.push((Bound::new(address).await?, implicit, "tls"));
    }

    if let Some(ca) = certificate.as_ref().and_then(|certificate| certificate.ca.as_ref()) {
        shared.teller.tell(&Event::Ca { file: ca });
    }
    let shutdown = Shutdown::new();
    let mut serving = JoinSet::new();
    for (bound, service, mode) in listeners {
        shared.teller.tell(&Event::Listening { address: bound.address(), mode });
        serving.spawn(bound.serve(service, shutdown.clone(), Arc::clone(&shared)));
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
    let (messages, size) = (&shared.messages, &shared.octets);
    let (messages, size) = (messages.load(Ordering::Relaxed), size.load(Ordering::Relaxed));
    shared.teller.tell(&Event::Total { messages, size });
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
    let unmade = |what, path: &Path, error| {
        Failure::new(exit::CANT_CREATE, format!("the {what} {}: {error}", path.display()))
    };
    let store = match (&args.maildir, &args.mbox) {
        (Some(root), _) => {
            Store::Maildir(Arc::new(Maildir::open(root).map_err(|error| unmade("Maildir", root, error))?))
        }
        (None, Some(path)) => {
            Store::Mbox(Arc::new(Mbox::open(path).map_err(|error| unmade("mbox", path, error))?))
        }
        (None, None) => Store::Nowhere,
    };
    Ok(Shared {
        domain,
        protocol: if args.lmtp { Protocol::Lmtp } else { Protocol::Smtp },
        store,
        ids: Ids::new().map_err(|error| Failure::new(exit::OS_ERROR, error.to_string()))?,
        users: users(args)?,
        rules: Rules(args.rule.clone()),
        greylist: args.greylist.map(|seconds| Greylist::new(Duration::from_secs(seconds.into()))),
        delays: args.delay.clone(),
        cuts: args.cut.clone(),
        teller: Teller { json: args.json, quiet: args.quiet },
        messages: AtomicU64::new(0),
        octets: AtomicU64::new(0),
    })
}

fn users(args: &Args) -> Result<Option<Users>, Failure> {
    let mut users = args.user.clone();
    if let Some(path) = &args.users {
        let text = fs::read_to_string(path)
            .map_err(|error| Failure::new(exit::NO_INPUT, format!("--users {}: {error}", path.display())))?;
        users.extend(text.lines().filter(|line| !line.is_empty()).map(|line| line.to_owned().into()));
    }
    match (users.is_empty(), args.require_auth || args.auth_in_clear || args.users.is_some()) {
        (true, true) => Err(usage("there is nobody to log in: --user or --users says who may")),
        (true, false) => Ok(None),
        (false, _) => Users::parse(&users).map(Some).map_err(usage),
    }
}

/// What is not to be offered: `None` for a keyword that isn't known.
fn switched_off(args: &Args) -> impl Iterator<Item = Option<Extension>> {
    args.without.iter().map(Extension::from_keyword)
}

fn config(args: &Args, shared: &Shared) -> Result<Config, Failure> {
    let mut config = Config::new(shared.domain.clone());
    config.protocol = shared.protocol;
    config.capabilities = config.capabilities.with_size(args.max_size);
    config.require_auth = args.require_auth;
    config.auth_in_clear = args.auth_in_clear;
    if shared.users.is_some() {
        config = config.with_auth(Users::mechanisms());
    }
    for line in &args.offer {
        config.capabilities = config
            .capabilities
            .with_keyword(line)
            .map_err(|error| usage(format!("--offer {line:?}: {error}")))?;
    }
    for (extension, keyword) in switched_off(args).zip(&args.without) {
        let Some(extension) = extension else {
            return Err(usage(format!("--without {keyword:?}: no extension that is known here")));
        };
        config.capabilities = config.capabilities.without(extension);
    }
    Ok(config)
}

fn usage(message: impl ToString) -> Failure {
    Failure::new(exit::USAGE, message.to_string())
}
