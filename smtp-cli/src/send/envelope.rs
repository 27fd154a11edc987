//! Whom the messages are from and for, and what is asked for them.

use smtp_tokio::proto::param::{self, Param, Ret, Xtext};
use smtp_tokio::proto::session::Envelope;

use super::args::{Args, Notify, Return};
use super::usage;
use crate::exit::Failure;

/// The envelope of every message.
///
/// # Errors
///
/// [`Failure`] that names what is malformed.
pub(super) fn envelope(args: &Args) -> Result<Envelope<'static>, Failure> {
    let bad = |what, address: &str, error| usage(format!("{what} {address:?} is not an address: {error}"));
    // One by one, so that the error can name it.
    Envelope::parse(&args.from, []).map_err(|error| bad("--from", &args.from, error))?;
    for to in &args.to {
        Envelope::parse("", [to.as_str()]).map_err(|error| bad("--to", to, error))?;
    }
    let to = args.to.iter().map(String::as_str);
    let mut envelope =
        Envelope::parse(&args.from, to).map_err(|error| usage(error.to_string()))?.into_owned();
    for param in mail_params(args) {
        envelope = envelope.with(&param).map_err(|error| parameter(&param, error))?;
    }
    if let Some(notify) = notify(&args.dsn)? {
        let param = Param::Notify(notify);
        for recipient in &mut envelope.to {
            *recipient = recipient.clone().with(&param).map_err(|error| parameter(&param, error))?;
        }
    }
    Ok(envelope)
}

fn parameter(param: &Param<'_>, error: param::Error) -> Failure {
    usage(format!("{param}: {error}"))
}

fn mail_params(args: &Args) -> Vec<Param<'static>> {
    let ret = args.dsn_ret.map(|ret| {
        Param::Ret(match ret {
            Return::Full => Ret::Full,
            Return::Hdrs => Ret::Hdrs,
        })
    });
    let envid = args.dsn_envid.as_ref().map(|id| Param::Envid(Xtext::encode(id.as_bytes())));
    let requiretls = args.requiretls.then_some(Param::RequireTls);
    [ret, envid, requiretls, args.priority.map(Param::MtPriority)].into_iter().flatten().collect()
}

fn notify(when: &[Notify]) -> Result<Option<param::Notify>, Failure> {
    if when.len() > 1 && when.contains(&Notify::Never) {
        return Err(usage("--dsn never goes with nothing else"));
    }
    let all = when.iter().map(|when| match when {
        Notify::Never => param::Notify::NEVER,
        Notify::Success => param::Notify::SUCCESS,
        Notify::Failure => param::Notify::FAILURE,
        Notify::Delay => param::Notify::DELAY,
    });
    Ok(all.reduce(param::Notify::union))
}
