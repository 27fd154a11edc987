//! Who may log in.

use std::collections::HashMap;
use std::fmt;

use smtp_tokio::proto::auth::server::{Claim, Secret};
use smtp_tokio::proto::auth::{ITERATIONS_MIN, Mechanism, Mechanisms};
use subtle::ConstantTimeEq as _;

use crate::args::Private;

/// The users and their passwords. `Debug` shows neither.
pub(super) struct Users {
    passwords: HashMap<String, String>,
    /// What SCRAM keeps, by user and hash.
    secrets: HashMap<(String, Mechanism), Secret>,
    /// Makes up secrets for users that there aren't.
    decoy_key: [u8; 32],
}

impl Users {
    /// What is offered to them. Without TLS the machine leaves out those that show the password or bind to TLS.
    #[must_use]
    pub(super) fn mechanisms() -> Mechanisms {
        [
            Mechanism::Plain,
            Mechanism::Login,
            Mechanism::CramMd5,
            Mechanism::ScramSha1,
            Mechanism::ScramSha1Plus,
            Mechanism::ScramSha256,
            Mechanism::ScramSha256Plus,
        ]
        .into_iter()
        .collect()
    }

    /// Users of the form `name:password`.
    ///
    /// # Errors
    ///
    /// Says what is wrong with which of them, counted from 1: never what it is.
    pub(super) fn parse(users: &[Private]) -> Result<Self, String> {
        let mut this = Self { passwords: HashMap::new(), secrets: HashMap::new(), decoy_key: [0; 32] };
        fill(&mut this.decoy_key)?;
        for (n, Private(user)) in (1..).zip(users) {
            let (name, password) = match user.split_once(':') {
                Some((name, password)) if !name.is_empty() && !password.is_empty() => (name, password),
                _ => return Err(format!("user {n} is not of the form NAME:PASSWORD")),
            };
            for hash in [Mechanism::ScramSha1, Mechanism::ScramSha256] {
                let mut salt = [0; 16];
                fill(&mut salt)?;
                let secret = Secret::scram(hash, password, &salt, ITERATIONS_MIN)
                    .map_err(|error| format!("the password of user {n}: {error}"))?;
                this.secrets.insert((name.into(), hash), secret);
            }
            this.passwords.insert(name.into(), password.into());
        }
        Ok(this)
    }

    /// The user that this claim proves.
    #[must_use]
    pub(super) fn authenticate(&self, claim: &Claim) -> Option<String> {
        let Claim::Password { user, password, .. } = claim else { return None };
        // Somebody who isn't there takes as long as somebody who is.
        let stored = self.passwords.get(user).map_or("", String::as_str);
        (same(stored, password) && !stored.is_empty()).then(|| user.clone())
    }

    /// What a mechanism that proves a password needs to know of this user.
    #[must_use]
    pub(super) fn secret(&self, user: &str, mechanism: Mechanism) -> Option<Secret> {
        let hash = match mechanism {
            Mechanism::CramMd5 => return self.passwords.get(user).cloned().map(Secret::Password),
            Mechanism::ScramSha1 | Mechanism::ScramSha1Plus => Mechanism::ScramSha1,
            _ => Mechanism::ScramSha256,
        };
        let stored = self.secrets.get(&(user.into(), hash)).cloned();
        stored.or_else(|| Secret::decoy(hash, &self.decoy_key, user, ITERATIONS_MIN).ok())
    }
}

/// Whether they are the same, in a time that goes by what was given alone: `ct_eq` of two slices tells at once that their
/// lengths differ.
fn same(stored: &str, given: &str) -> bool {
    let length = (stored.len() as u64).ct_eq(&(given.len() as u64));
    let pairs = given.bytes().zip(stored.bytes().chain(std::iter::repeat(0)));
    pairs.fold(length, |same, (given, stored)| same & given.ct_eq(&stored)).into()
}

fn fill(octets: &mut [u8]) -> Result<(), String> {
    getrandom::fill(octets).map_err(|error| format!("no randomness: {error}"))
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Users").field("count", &self.passwords.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::same;

    #[test]
    fn only_the_same_password_is_the_same() {
        assert!(same("secret", "secret") && same("", ""));
        for other in ["", "s", "secre", "secret ", "secretsecret", "Secret", "secret\0"] {
            assert!(!same("secret", other) && !same(other, "secret"), "{other:?}");
        }
    }
}
