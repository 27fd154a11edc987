//! The hash functions, and nothing else in this crate names one. Without the feature `scram` there is none, which the
//! type says: [`Hash`] has no value then.

use alloc::vec::Vec;

use super::{Error, Mechanism};

#[cfg(feature = "scram")]
pub(super) use with::Hash;
#[cfg(not(feature = "scram"))]
pub(super) use without::Hash;

#[cfg(feature = "scram")]
mod with {
    use hmac::{Hmac, KeyInit, Mac};
    use md5::Md5;
    use sha1::{Digest as _, Sha1};
    use sha2::Sha256;
    use subtle::ConstantTimeEq as _;

    use super::{Error, Mechanism, Vec};

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(in crate::auth) enum Hash {
        Md5,
        Sha1,
        Sha256,
    }

    impl Hash {
        /// The hash function that `mechanism` is built on.
        pub(in crate::auth) const fn of(mechanism: Mechanism) -> Result<Self, Error> {
            match mechanism {
                Mechanism::CramMd5 => Ok(Self::Md5),
                Mechanism::ScramSha1 | Mechanism::ScramSha1Plus => Ok(Self::Sha1),
                Mechanism::ScramSha256 | Mechanism::ScramSha256Plus => Ok(Self::Sha256),
                _ => Err(Error::Unsupported(mechanism)),
            }
        }

        /// The octets in a digest.
        pub(in crate::auth) const fn size(self) -> usize {
            match self {
                Self::Md5 => 16,
                Self::Sha1 => 20,
                Self::Sha256 => 32,
            }
        }

        pub(in crate::auth) fn digest(self, data: &[u8]) -> Vec<u8> {
            match self {
                Self::Md5 => Md5::digest(data).to_vec(),
                Self::Sha1 => Sha1::digest(data).to_vec(),
                Self::Sha256 => Sha256::digest(data).to_vec(),
            }
        }

        pub(in crate::auth) fn hmac(self, key: &[u8], data: &[u8]) -> Vec<u8> {
            match self {
                Self::Md5 => hmac::<Hmac<Md5>>(key, data),
                Self::Sha1 => hmac::<Hmac<Sha1>>(key, data),
                Self::Sha256 => hmac::<Hmac<Sha256>>(key, data),
            }
        }

        /// `Hi()` of RFC 5802, 2.2: PBKDF2 with one block of output.
        pub(in crate::auth) fn stretch(self, password: &[u8], salt: &[u8], iterations: u32) -> Vec<u8> {
            let mut key = alloc::vec![0; self.size()];
            match self {
                Self::Md5 => pbkdf2::pbkdf2_hmac::<Md5>(password, salt, iterations, &mut key),
                Self::Sha1 => pbkdf2::pbkdf2_hmac::<Sha1>(password, salt, iterations, &mut key),
                Self::Sha256 => pbkdf2::pbkdf2_hmac::<Sha256>(password, salt, iterations, &mut key),
            }
            key
        }

        /// Compares in a time that tells nothing of the contents; only lengths, which are public, end it early.
        pub(in crate::auth) fn equal(self, left: &[u8], right: &[u8]) -> bool {
            left.ct_eq(right).into()
        }
    }

    fn hmac<M: Mac + KeyInit>(key: &[u8], data: &[u8]) -> Vec<u8> {
        let mut mac = <M as KeyInit>::new_from_slice(key).expect("HMAC takes a key of any length");
        mac.update(data);
        mac.finalize().into_bytes().to_vec()
    }
}

#[cfg(not(feature = "scram"))]
mod without {
    use super::{Error, Mechanism, Vec};

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(in crate::auth) enum Hash {}

    impl Hash {
        pub(in crate::auth) const fn of(mechanism: Mechanism) -> Result<Self, Error> {
            Err(Error::Unsupported(mechanism))
        }

        pub(in crate::auth) const fn size(self) -> usize {
            match self {}
        }

        pub(in crate::auth) fn digest(self, _: &[u8]) -> Vec<u8> {
            match self {}
        }

        pub(in crate::auth) fn hmac(self, _: &[u8], _: &[u8]) -> Vec<u8> {
            match self {}
        }

        pub(in crate::auth) fn stretch(self, _: &[u8], _: &[u8], _: u32) -> Vec<u8> {
            match self {}
        }

        pub(in crate::auth) fn equal(self, _: &[u8], _: &[u8]) -> bool {
            match self {}
        }
    }
}
