//! `smtp send`: sends messages, and says what became of each for each recipient.

mod advice;
mod args;
mod deliver;
mod dial;
mod envelope;
mod login;
mod progress;
mod results;
mod server;
mod source;
pub(crate) mod trust;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use smtp_driver::{Pool, Shutdown};
use smtp_tokio::proto::address::Domain;
use smtp_tokio::proto::auth::Mechanisms;
use smtp_tokio::proto::session;
use smtp_tokio::{Destination, PoolLimits};
use tokio::sync::{Mutex, mpsc};
use tokio::task::{JoinSet, spawn_blocking};

pub use args::{Args, Notify, Return, StartTls};
pub use server::{Invalid, Scheme, Server};

use crate::exit::{self, Failure};
use crate::trace::Trace;
use deliver::Shift;
use dial::Dial;
use progress::Progress;
use results::Results;
use source::Sources;

/// Sends the messages. The exit code says what became of them.
///
/// # Errors
///
/// [`Failure`] if the command line is wrong or a file can't be read: nothing was sent then.
pub async fn run(args: Args) -> Result<ExitCode, Failure> {
    let server =
        Server::parse(&args.server.0, args.lmtp).map_err(|error| usage(format!("--server: {error}")))?;
    let envelope = envelope::envelope(&args)?;
    let to = destination(&args, &server)?;
    let sources = Sources::find(&args.files)
        .map_err(|(path, error)| Failure::new(exit::NO_INPUT, format!("{}: {error}", path.display())))?;

    let mut limits = PoolLimits::default();
    limits.connections = usize::from(args.jobs);
    let dial = Dial { socket: server.socket.clone(), trace: args.trace.then(Trace::default) };
    let silent = args.quiet || args.trace || sources.octets == 0;
    let progress = if silent { Progress::Off } else { Progress::new(sources.octets) };
    let named = !sources.is_single();
    let shift = Arc::new(Shift {
        pool: Pool::with_connector(dial, to, limits),
        envelope,
        retries: args.retry,
        wait: Duration::from_secs_f64(args.retry_wait),
        results: Results::new(server, args.to.clone(), progress, named, (args.json, args.quiet)),
        stop: Shutdown::new(),
    });
    let whole = send(&shift, sources, usize::from(args.jobs)).await;
    shift.pool.close().await;
    Ok(ExitCode::from(shift.results.finish(whole)))
}

/// Whether every message was dealt with.
async fn send(shift: &Arc<Shift>, sources: Sources, jobs: usize) -> bool {
    // As many as are sent at once are read ahead.
    let (give, take) = mpsc::channel(jobs);
    let queue = Arc::new(Mutex::new(take));
    let reading = spawn_blocking(move || {
        let mut whole = true;
        sources.read(|found| {
            whole = give.blocking_send(found).is_ok();
            whole
        });
        whole
    });
    let stop = shift.stop.clone();
    tokio::spawn(async move {
        // The messages in hand are dealt with; a second signal ends the tool.
        if tokio::signal::ctrl_c().await.is_ok() {
            stop.begin();
            exit::complain("the messages in hand are dealt with first; once more to end at once");
            let _ = tokio::signal::ctrl_c().await;
            std::process::exit(i32::from(exit::TEMP_FAIL));
        }
    });
    let mut workers = JoinSet::new();
    for _ in 0..jobs {
        let (shift, queue) = (Arc::clone(shift), Arc::clone(&queue));
        workers.spawn(async move { shift.work(&queue).await });
    }
    workers.join_all().await;
    let left = queue.lock().await.try_recv().is_ok();
    drop(queue);
    reading.await.unwrap_or(false) && !left
}

fn destination(args: &Args, server: &Server) -> Result<Destination, Failure> {
    let login = login::login(args, server)?;
    let starttls = match (server.scheme, args.starttls) {
        (Scheme::Smtps, Some(_)) => {
            return Err(usage("--starttls has no meaning for smtps://, which is TLS from the first octet"));
        }
        (_, starttls) => starttls.unwrap_or_else(|| server.default_starttls(login.is_some())),
    };
    let host = server.host.as_str();
    let destination = match (server.scheme, starttls) {
        (Scheme::Smtps, _) => Destination::submissions(host, trust::config(args.ca.as_deref())?),
        (_, StartTls::Off) => Destination::plain(host, server.port),
        (_, starttls) => {
            let policy = match starttls {
                StartTls::Required => session::StartTls::Required,
                _ => session::StartTls::Opportunistic,
            };
            Destination::relay(host, trust::config(args.ca.as_deref())?).with_starttls(policy)
        }
    };
    // Whoever named the host on the command line vouches for it, and its certificate is always verified (RFC 8689, 4.2.1).
    let mut destination = destination.with_port(server.port).with_authentic_host();
    if server.scheme == Scheme::Lmtp {
        destination = destination.with_lmtp();
    }
    if let Some(name) = &args.name {
        let name = Domain::try_from(name.clone()).map_err(|error| usage(format!("--name: {error}")))?;
        destination = destination.with_name(name);
    }
    if let Some((credentials, mechanism)) = login {
        destination = destination.with_credentials(credentials);
        if let Some(mechanism) = mechanism {
            destination = destination.with_mechanisms(Mechanisms::NONE.with(mechanism));
        }
    }
    if args.auth_in_clear {
        destination = destination.with_auth_in_clear();
    }
    Ok(destination)
}

fn usage(message: impl Into<String>) -> Failure {
    Failure::new(exit::USAGE, message)
}
