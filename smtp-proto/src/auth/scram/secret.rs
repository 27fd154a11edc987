use alloc::vec::Vec;

use super::super::prep::saslprep;
use super::super::server::Secret;
use super::{Error, Hash, ITERATIONS_MIN, Keys};
use crate::auth::Mechanism;

impl Secret {
    /// Makes what a server stores for SCRAM in place of the password; done once, when the password is set.
    ///
    /// `salt` is 16 random octets or more, of this user alone. A secret for `SCRAM-SHA-1` doesn't serve
    /// `SCRAM-SHA-256`, nor the other way; with or without -PLUS is one.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if `mechanism` isn't SCRAM, [`Error::Prohibited`] if SASLprep forbids the password,
    /// [`Error::TooFewIterations`] under 4096, [`Error::WrongSecret`] without salt.
    pub fn scram(mechanism: Mechanism, password: &str, salt: &[u8], iterations: u32) -> Result<Self, Error> {
        if !mechanism.is_scram() {
            return Err(Error::Unsupported(mechanism));
        }
        Self::derive(Hash::of(mechanism)?, password, salt.to_vec(), iterations)
    }

    /// Makes a secret that no password fits, to answer for a user that doesn't exist: who doesn't know the password
    /// then cannot tell the two apart. It is the same each time for the same user.
    ///
    /// Its salt has 16 octets; give the real ones as many. `key` is a secret of the server's, at best 32 random octets; `iterations` those of the other users.
    ///
    /// # Errors
    /// As [`scram`](Self::scram).
    pub fn decoy(mechanism: Mechanism, key: &[u8], user: &str, iterations: u32) -> Result<Self, Error> {
        if !mechanism.is_scram() {
            return Err(Error::Unsupported(mechanism));
        }
        if iterations < ITERATIONS_MIN {
            return Err(Error::TooFewIterations(iterations));
        }
        let hash = Hash::of(mechanism)?;
        let derived = |part: &str| hash.hmac(key, [part, "\0", user].concat().as_bytes());
        let mut salt = derived("salt");
        salt.truncate(16);
        Ok(Self::Scram {
            salt,
            iterations,
            stored_key: derived("stored key"),
            server_key: derived("server key"),
        })
    }

    pub(super) fn derive(hash: Hash, password: &str, salt: Vec<u8>, iterations: u32) -> Result<Self, Error> {
        if iterations < ITERATIONS_MIN {
            return Err(Error::TooFewIterations(iterations));
        }
        if salt.is_empty() {
            return Err(Error::WrongSecret);
        }
        let keys = Keys::derive(hash, &saslprep(password)?, &salt, iterations);
        Ok(Self::Scram { salt, iterations, stored_key: keys.stored, server_key: keys.server })
    }
}
