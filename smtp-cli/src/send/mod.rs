//! `smtp send`: sends one message, and says what became of it for each recipient.

mod advice;
mod server;
pub(crate) mod trust;

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

use smtp_tokio::proto::address::Domain;
use smtp_tokio::proto::client::Config;
use smtp_tokio::proto::session::{self, Envelope, Outcome, Report};
use smtp_tokio::proto::stage::Protocol;
use smtp_tokio::{Destination, connect};

pub use server::{Invalid, Scheme, Server};

use crate::args::{Send, StartTls};
use crate::exit::{self, Failure};

/// Sends the message. The exit code says what became of it.
///
/// # Errors
///
/// [`Failure`] if the command line is wrong, the message can't be read, or no connection came about.
pub async fn run(args: Send) -> Result<ExitCode, Failure> {
    let server = Server::parse(&args.server.0).map_err(|error| usage(format!("--server: {error}")))?;
    let envelope = envelope(&args)?;
    let destination = destination(&args, &server)?;
    let message = read(&args.file)
        .map_err(|error| Failure::new(exit::NO_INPUT, format!("{}: {error}", args.file.display())))?;

    let failed = |error| Failure::new(exit::TEMP_FAIL, advice::explain(&error, &server));
    let mut connection = match connect(&destination).await {
        Ok(connection) => connection,
        Err(error) => {
            say(args.to.iter().map(|to| (to.as_str(), "not sent: no connection".into())));
            return Err(failed(error));
        }
    };
    let (report, error) = match connection.send(&envelope, &message).await {
        Ok(report) => (report, None),
        Err(failed) => (failed.report, Some(failed.error)),
    };
    let outcomes = report.outcomes().map(|outcome| describe(&outcome));
    say(args.to.iter().map(String::as_str).zip(outcomes));
    connection.quit().await;
    if let Some(error) = error {
        exit::complain(failed(error));
    }
    Ok(ExitCode::from(verdict(&report)))
}

fn verdict(report: &Report) -> u8 {
    if report.all_delivered() {
        0
    } else if report.outcomes().any(|outcome| outcome.is_permanent()) {
        exit::UNAVAILABLE
    } else {
        exit::TEMP_FAIL
    }
}

fn describe(outcome: &Outcome<'_>) -> String {
    match outcome {
        Outcome::Replied { reply, .. } if outcome.is_delivered() => reply.to_string(),
        Outcome::Replied { stage, reply, .. } => format!("{reply} (to {stage})"),
        Outcome::NotSent(why) => format!("not sent: {why}"),
        Outcome::Unknown(why) => format!("not known: {why}; it may have been taken"),
        _ => String::from("not known"),
    }
}

/// A line for each recipient. Whether anybody reads them changes nothing.
fn say<'a>(lines: impl Iterator<Item = (&'a str, String)>) {
    let mut out = io::stdout().lock();
    for (recipient, line) in lines {
        let _ = writeln!(out, "{recipient}: {line}");
    }
    let _ = out.flush();
}

fn envelope(args: &Send) -> Result<Envelope<'_>, Failure> {
    let bad = |what, address: &str, error| usage(format!("{what} {address:?} is not an address: {error}"));
    // One by one, so that the error can name it.
    Envelope::parse(&args.from, []).map_err(|error| bad("--from", &args.from, error))?;
    for to in &args.to {
        Envelope::parse("", [to.as_str()]).map_err(|error| bad("--to", to, error))?;
    }
    let to = args.to.iter().map(String::as_str);
    Envelope::parse(&args.from, to).map_err(|error| usage(error.to_string()))
}

fn destination(args: &Send, server: &Server) -> Result<Destination, Failure> {
    let starttls = match (server.scheme, args.starttls) {
        (Scheme::Smtps, Some(_)) => {
            return Err(usage("--starttls has no meaning for smtps://, which is TLS from the first octet"));
        }
        (_, starttls) => starttls.unwrap_or_else(|| server.default_starttls()),
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
    let mut config = Config::default();
    if server.scheme == Scheme::Lmtp {
        config.protocol = Protocol::Lmtp;
    }
    let mut destination = destination.with_port(server.port).with_config(config);
    if let Some(name) = &args.name {
        let name = Domain::try_from(name.clone()).map_err(|error| usage(format!("--name: {error}")))?;
        destination = destination.with_name(name);
    }
    if let Some(credentials) = &server.credentials {
        destination = destination.with_credentials(credentials.clone());
    }
    if args.auth_in_clear {
        destination = destination.with_auth_in_clear();
    }
    Ok(destination)
}

/// The whole message: what the server has to be told of it is known only then.
fn read(file: &Path) -> io::Result<Vec<u8>> {
    let mut message = Vec::new();
    if file == Path::new("-") {
        io::stdin().lock().read_to_end(&mut message)?;
    } else {
        File::open(file)?.read_to_end(&mut message)?;
    }
    Ok(message)
}

fn usage(message: impl Into<String>) -> Failure {
    Failure::new(exit::USAGE, message)
}
