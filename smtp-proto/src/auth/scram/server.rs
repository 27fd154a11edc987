use alloc::borrow::ToOwned as _;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::mem;

use nom::bytes::complete::tag;
use nom::combinator::{all_consuming, consumed};
use nom::sequence::{preceded, terminated};
use nom::{IResult, Parser as _};

use super::super::gs2::{self, Flag, saslname};
use super::super::prep::saslprep;
use super::super::server::{Offer, Secret};
use super::{Error, Hash, ITERATIONS_MIN, base64, binding_input, extensions, nonce, nonce_text, octets, xor};
use crate::auth::Mechanism;

/// The server's side of one exchange.
pub(in crate::auth) struct Server {
    hash: Hash,
    /// The type and octets to bind to; only of a -PLUS mechanism.
    binding: Option<(&'static str, Vec<u8>)>,
    /// Any -PLUS was offered, so that a client which saw none was lied to.
    plus_offered: bool,
    nonce: String,
    state: State,
}

/// Who a client is, once it has proved it.
#[derive(Clone, Default)]
pub(in crate::auth) struct Identity {
    pub(in crate::auth) user: String,
    pub(in crate::auth) authzid: Option<String>,
}

enum State {
    First,
    /// The secret of this user is wanted.
    Asked(Asked),
    /// The client's proof is.
    Challenged {
        asked: Asked,
        first: String,
        stored_key: Vec<u8>,
        server_key: Vec<u8>,
    },
    /// The client's empty line is.
    Proved(Identity),
    Failed,
}

struct Asked {
    identity: Identity,
    header: String,
    bare: String,
    nonce: String,
}

/// What [`Server::respond`] leads to.
pub(in crate::auth) enum Answer {
    Lookup(String),
    Challenge(Vec<u8>),
    Accept(Identity),
}

impl Server {
    pub(in crate::auth) fn new(mechanism: Mechanism, offer: &Offer<'_>) -> Result<Self, Error> {
        let binding = match (mechanism.binds(), offer.binding.parts()) {
            (true, None) => return Err(Error::NoBinding),
            (true, Some((name, octets))) => Some((name, octets.to_owned())),
            (false, _) => None,
        };
        Ok(Self {
            hash: Hash::of(mechanism)?,
            binding,
            plus_offered: offer.mechanisms.iter().any(Mechanism::binds),
            nonce: nonce_text(offer.nonce)?,
            state: State::First,
        })
    }

    pub(in crate::auth) fn respond(&mut self, response: &[u8]) -> Result<Answer, Error> {
        // Whatever fails below fails for good.
        let state = mem::replace(&mut self.state, State::Failed);
        let response = core::str::from_utf8(response).map_err(|_| Error::Malformed("SCRAM: not UTF-8"))?;
        match state {
            State::First => {
                let asked = self.first(response)?;
                let user = asked.identity.user.clone();
                self.state = State::Asked(asked);
                Ok(Answer::Lookup(user))
            }
            State::Challenged { asked, first, stored_key, server_key } => {
                let signature = self.check(response, &asked, &first, (&stored_key, &server_key))?;
                self.state = State::Proved(asked.identity);
                Ok(Answer::Challenge(["v=", &base64::text(&signature)].concat().into_bytes()))
            }
            State::Proved(identity) if response.is_empty() => Ok(Answer::Accept(identity)),
            State::Proved(_) => Err(Error::Malformed("SCRAM: an empty line was due")),
            State::Asked(_) | State::Failed => Err(Error::OutOfStep),
        }
    }

    /// ```text
    /// server-first-message = [reserved-mext ","] nonce "," salt "," iteration-count ["," extensions]   ; RFC 5802, 7
    /// ```
    pub(in crate::auth) fn with_secret(&mut self, secret: &Secret) -> Result<Vec<u8>, Error> {
        let State::Asked(asked) = mem::replace(&mut self.state, State::Failed) else {
            return Err(Error::OutOfStep);
        };
        let fresh;
        let secret = match secret {
            Secret::Password(password) => {
                let mut salt = self.hash.digest(self.nonce.as_bytes());
                salt.truncate(16);
                fresh = Secret::derive(self.hash, password, salt, ITERATIONS_MIN)
                    .map_err(|_| Error::WrongSecret)?;
                &fresh
            }
            stored @ Secret::Scram { .. } => stored,
        };
        let Secret::Scram { salt, iterations, stored_key, server_key } = secret else {
            return Err(Error::WrongSecret);
        };
        let size = self.hash.size();
        if salt.is_empty()
            || *iterations < ITERATIONS_MIN
            || stored_key.len() != size
            || server_key.len() != size
        {
            return Err(Error::WrongSecret);
        }
        let first = ["r=", &asked.nonce, ",s=", &base64::text(salt), ",i=", &iterations.to_string()].concat();
        self.state = State::Challenged {
            asked,
            first: first.clone(),
            stored_key: stored_key.clone(),
            server_key: server_key.clone(),
        };
        Ok(first.into_bytes())
    }

    fn first(&self, message: &str) -> Result<Asked, Error> {
        let (header, bare, user, client_nonce) = client_first(message)?;
        match (header.flag, &self.binding) {
            (Flag::Used(name), Some((ours, _))) if name == *ours => {}
            (Flag::NotOffered, None) if self.plus_offered => return Err(Error::Downgrade),
            (Flag::Unsupported | Flag::NotOffered, None) => {}
            (Flag::Used(_), _) | (_, Some(_)) => return Err(Error::BindingMismatch),
        }
        let user = saslprep(&user)?.into_owned();
        let authzid = header.authzid.map(|name| saslprep(&name).map(|name| name.into_owned())).transpose()?;
        Ok(Asked {
            identity: Identity { user, authzid },
            header: header.raw.to_owned(),
            bare: bare.to_owned(),
            nonce: [client_nonce, &self.nonce].concat(),
        })
    }

    /// Checks the client's proof, and gives the server's own.
    fn check(
        &self,
        message: &str,
        asked: &Asked,
        first: &str,
        keys: (&[u8], &[u8]),
    ) -> Result<Vec<u8>, Error> {
        let Final { without_proof, channel, nonce, proof } = client_final(message)?;
        let ours = self.binding.as_ref().map_or(&[][..], |(_, octets)| octets);
        if !self.hash.equal(&channel, &binding_input(&asked.header, ours)) {
            return Err(Error::BindingMismatch);
        }
        if nonce != asked.nonce {
            return Err(Error::Nonce);
        }
        let (stored_key, server_key) = keys;
        let signed = [asked.bare.as_str(), ",", first, ",", without_proof].concat();
        let client_key = xor(&proof, &self.hash.hmac(stored_key, signed.as_bytes()));
        if proof.len() != self.hash.size() || !self.hash.equal(&self.hash.digest(&client_key), stored_key) {
            return Err(Error::Denied);
        }
        Ok(self.hash.hmac(server_key, signed.as_bytes()))
    }
}

/// ```text
/// client-first-message      = gs2-header client-first-message-bare                                 ; RFC 5802, 7
/// client-first-message-bare = [reserved-mext ","] username "," nonce ["," extensions]
/// username                  = "n=" saslname
/// ```
fn client_first(input: &str) -> Result<(gs2::Header<'_>, &str, String, &str), Error> {
    let bare = (preceded(tag("n="), saslname), preceded(tag(","), terminated(nonce, extensions)));
    let read: IResult<_, _> = all_consuming((gs2::header("a="), consumed(bare))).parse(input);
    read.map(|(_, (header, (bare, (user, nonce))))| (header, bare, user, nonce))
        .map_err(|_| Error::Malformed("SCRAM: the client's first message"))
}

struct Final<'a> {
    without_proof: &'a str,
    channel: Vec<u8>,
    nonce: &'a str,
    proof: Vec<u8>,
}

/// ```text
/// client-final-message-without-proof = channel-binding "," nonce ["," extensions]                  ; RFC 5802, 7
/// client-final-message               = client-final-message-without-proof "," proof
/// channel-binding                    = "c=" base64
/// proof                              = "p=" base64
/// ```
fn client_final(input: &str) -> Result<Final<'_>, Error> {
    let without_proof = (octets("c="), preceded(tag(","), terminated(nonce, extensions)));
    let whole = (consumed(without_proof), preceded(tag(","), octets("p=")));
    let read: IResult<_, _> = all_consuming(whole).parse(input);
    read.map(|(_, ((without_proof, (channel, nonce)), proof))| Final { without_proof, channel, nonce, proof })
        .map_err(|_| Error::Malformed("SCRAM: the client's last message"))
}

#[cfg(test)]
#[cfg(feature = "scram")]
mod tests {
    use super::*;
    use crate::auth::Base64;

    /// The examples write server nonces that no base64 of random octets gives, so they are set here by hand.
    fn check(mechanism: Mechanism, nonce: &str, salt: &str, exchange: [&str; 4]) {
        let offer = Offer { nonce: &[0; 18], ..Offer::default() };
        let mut server = Server { nonce: nonce.to_owned(), ..Server::new(mechanism, &offer).unwrap() };
        let salt = Base64::parse(salt.as_bytes()).unwrap().decode();
        let secret = Secret::scram(mechanism, "pencil", &salt, 4096).unwrap();

        let [client_first, server_first, client_final, server_final] = exchange;
        assert!(
            matches!(server.respond(client_first.as_bytes()), Ok(Answer::Lookup(user)) if user == "user")
        );
        assert_eq!(server.with_secret(&secret).unwrap(), server_first.as_bytes());
        let Ok(Answer::Challenge(last)) = server.respond(client_final.as_bytes()) else { panic!("no v=") };
        assert_eq!(last, server_final.as_bytes());
        assert!(matches!(server.respond(b""), Ok(Answer::Accept(identity)) if identity.user == "user"));
    }

    #[test]
    fn example_of_rfc_5802() {
        check(
            Mechanism::ScramSha1,
            "3rfcNHYJY1ZVvWVs7j",
            "QSXCR+Q6sek8bf92",
            [
                "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
                "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
                "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
                "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
            ],
        );
    }

    #[test]
    fn example_of_rfc_7677() {
        check(
            Mechanism::ScramSha256,
            "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
            "W22ZaJ0SNY7soEsUEjb6gQ==",
            [
                "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
                "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
                "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
                "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
            ],
        );
    }
}
