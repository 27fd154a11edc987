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

    /// Whether this is what is kept of `password`: for PLAIN and LOGIN, where the password itself was sent. It is compared
    /// in constant time, and a SCRAM secret is derived anew, which takes as long as its iterations do.
    ///
    /// ```
    /// # #[cfg(feature = "scram")] {
    /// use smtp_proto::auth::{Mechanism, server::Secret};
    ///
    /// let kept = Secret::scram(Mechanism::ScramSha256, "tanstaaftanstaaf", b"sixteen octets..", 4096)?;
    /// assert!(kept.fits("tanstaaftanstaaf"));
    /// assert!(!kept.fits("tanstaaf"));
    /// # }
    /// # Ok::<(), smtp_proto::auth::Error>(())
    /// ```
    #[must_use]
    pub fn fits(&self, password: &str) -> bool {
        let Ok(password) = saslprep(password) else { return false };
        match self {
            Self::Password(kept) => {
                saslprep(kept).is_ok_and(|kept| same(kept.as_bytes(), password.as_bytes()))
            }
            Self::Scram { salt, iterations, stored_key, .. } => {
                // The two hashes differ in length, and a key says by its own which one it is of.
                let mut hashes =
                    [Mechanism::ScramSha1, Mechanism::ScramSha256].into_iter().flat_map(Hash::of);
                let Some(hash) = hashes.find(|hash| hash.size() == stored_key.len()) else { return false };
                same(&Keys::derive(hash, &password, salt, *iterations).stored, stored_key)
            }
        }
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

/// Looks at every octet, wherever the first difference is. Its own text, as `subtle` comes with SCRAM only.
fn same(left: &[u8], right: &[u8]) -> bool {
    let differ = left.iter().zip(right).fold(0, |differ, (l, r)| core::hint::black_box(differ | (l ^ r)));
    left.len() == right.len() && differ == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_fits_its_password_and_no_other() {
        let salt = b"sixteen octets..";
        #[cfg(feature = "scram")]
        let scram = [Mechanism::ScramSha1, Mechanism::ScramSha256Plus]
            .map(|mechanism| Secret::scram(mechanism, "secret", salt, ITERATIONS_MIN).expect("valid"));
        #[cfg(not(feature = "scram"))]
        let scram = [(); 0].map(|()| Secret::Password(alloc::string::String::from_utf8_lossy(salt).into()));
        for secret in [Secret::Password("secret".into())].into_iter().chain(scram) {
            assert!(secret.fits("secret"), "{secret:?}");
            for other in ["", "secre", "secret ", "Secret", "secreu", "secret\u{7f}"] {
                assert!(!secret.fits(other), "{secret:?} {other}");
            }
        }
        let odd = Secret::Scram {
            salt: salt.to_vec(),
            iterations: 4096,
            stored_key: Vec::new(),
            server_key: Vec::new(),
        };
        assert!(!odd.fits(""), "a key of no hash");
    }
}
