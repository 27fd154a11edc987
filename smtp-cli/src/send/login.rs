//! Who logs in, and where the password comes from.

use std::env;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, IsTerminal as _, Read as _};
use std::path::Path;

use smtp_tokio::proto::auth::{Credentials, Mechanism};

use super::args::Args;
use super::server::Server;
use super::usage;
use crate::args::Private;
use crate::exit::{self, Failure};

/// The variable that a password is looked for in.
const VARIABLE: &str = "SMTP_PASSWORD";

/// Octets of a password's file that are read at the most: OAuth's tokens are the longest.
const LONGEST: u64 = 64 * 1024;

/// Who logs in, if anybody, and by which mechanism, if that is asked for.
///
/// # Errors
///
/// [`Failure`] if there is a user and no password, or a mechanism that isn't known.
pub(super) fn login(
    args: &Args,
    server: &Server,
) -> Result<Option<(Credentials, Option<Mechanism>)>, Failure> {
    let mechanism = args.auth.as_deref().map(mechanism).transpose()?;
    let user = match (&args.user, &server.user) {
        (Some(_), Some(_)) => return Err(usage("--user, and a user in --server: which?")),
        (Some(user), None) | (None, Some(user)) => Some(user.as_str()),
        (None, None) => None,
    };
    let credentials = match (mechanism, user) {
        (Some(Mechanism::Anonymous), user) => Credentials::anonymous(user.unwrap_or_default()),
        (Some(Mechanism::External), user) => Credentials::external(user.unwrap_or_default()),
        (Some(mechanism), None) => return Err(usage(format!("--auth {mechanism} needs --user"))),
        (None, None) => return Ok(None),
        (Some(Mechanism::XOauth2 | Mechanism::OauthBearer), Some(user)) => {
            Credentials::token(user, password(args, server, user)?).at_host(&server.host, server.port)
        }
        (_, Some(user)) => Credentials::password(user, password(args, server, user)?),
    };
    Ok(Some((credentials, mechanism)))
}

fn mechanism(name: &str) -> Result<Mechanism, Failure> {
    Mechanism::from_name(name).ok_or_else(|| {
        let names: Vec<_> = Mechanism::ALL.iter().map(|mechanism| mechanism.name()).collect();
        usage(format!("--auth {name:?} is none of {}", names.join(", ")))
    })
}

fn password(args: &Args, server: &Server, user: &str) -> Result<String, Failure> {
    if let Some(Private(password)) = &server.password {
        return Ok(password.clone());
    }
    if let Some(path) = &args.password_file {
        return first_line(path).map_err(|error| {
            Failure::new(exit::NO_INPUT, format!("--password-file {}: {error}", path.display()))
        });
    }
    if let Some(variable) = &args.password_env {
        return env::var(variable).map_err(|error| usage(format!("--password-env {variable}: {error}")));
    }
    if let Ok(password) = env::var(VARIABLE) {
        return Ok(password);
    }
    if io::stderr().is_terminal() {
        return rpassword::prompt_password(format!("Password of {user} at {}: ", server.host))
            .map_err(|error| usage(format!("no password: {error}")));
    }
    Err(usage(format!(
        "no password for {user}: give --password-file, --password-env or {VARIABLE}, or a terminal to ask at"
    )))
}

/// Without its line's end.
fn first_line(path: &Path) -> io::Result<String> {
    let mut line = String::new();
    BufReader::new(File::open(path)?.take(LONGEST)).read_line(&mut line)?;
    line.truncate(line.trim_end_matches(['\r', '\n']).len());
    Ok(line)
}
