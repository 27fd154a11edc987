use alloc::borrow::ToOwned as _;
use alloc::string::String;
use alloc::vec::Vec;
use core::mem;

use nom::branch::alt;
use nom::bytes::complete::{tag, take_while1};
use nom::character::complete::digit1;
use nom::combinator::{all_consuming, map, verify};
use nom::sequence::{preceded, terminated};
use nom::{IResult, Parser as _};

use super::super::{Credentials, Mechanism, base64, gs2, prep::saslprep};
use super::{
    Error, Hash, ITERATIONS_MAX, ITERATIONS_MIN, Keys, binding_input, extensions, nonce, nonce_text, octets,
    xor,
};
use crate::auth::ChannelBinding;

/// The client's side of one exchange.
pub(in crate::auth) struct Client {
    hash: Hash,
    /// The GS2 header, and behind it in `c=` the channel's octets.
    header: String,
    binding: Vec<u8>,
    password: String,
    bare: String,
    nonce: String,
    state: State,
}

enum State {
    /// The first message goes out; the server's first one comes.
    First,
    /// The proof went out; this signature must come.
    Proved {
        signature: Vec<u8>,
    },
    Verified,
    Failed,
}

impl Client {
    pub(in crate::auth) fn new(
        mechanism: Mechanism,
        credentials: &Credentials,
        (user, password): (&str, &str),
        binding: ChannelBinding<'_>,
        random: &[u8],
    ) -> Result<Self, Error> {
        let hash = Hash::of(mechanism)?;
        let (flag, binding) = match (mechanism.binds(), binding.parts()) {
            (true, None) => return Err(Error::NoBinding),
            (true, Some((name, octets))) => (["p=", name].concat(), octets.to_owned()),
            (false, None) => ("n".to_owned(), Vec::new()),
            (false, Some(_)) => ("y".to_owned(), Vec::new()),
        };
        let authzid = match credentials.authzid() {
            Some(authzid) => ["a=", &gs2::escape(&saslprep(authzid)?)].concat(),
            None => String::new(),
        };
        let nonce = nonce_text(random)?;
        Ok(Self {
            hash,
            header: [&flag, ",", &authzid, ","].concat(),
            binding,
            password: saslprep(password)?.into_owned(),
            bare: ["n=", &gs2::escape(&saslprep(user)?), ",r=", &nonce].concat(),
            nonce,
            state: State::First,
        })
    }

    /// ```text
    /// client-first-message = gs2-header client-first-message-bare          ; RFC 5802, 7
    /// ```
    pub(in crate::auth) fn first(&self) -> Option<Vec<u8>> {
        matches!(self.state, State::First).then(|| [self.header.as_str(), &self.bare].concat().into_bytes())
    }

    pub(in crate::auth) fn respond(&mut self, challenge: &[u8]) -> Result<Vec<u8>, Error> {
        // Whatever fails below fails for good.
        let state = mem::replace(&mut self.state, State::Failed);
        let challenge = core::str::from_utf8(challenge).map_err(|_| Error::Malformed("SCRAM: not UTF-8"))?;
        match state {
            State::First => self.prove(challenge),
            State::Proved { signature } => self.verify(challenge, &signature),
            State::Verified | State::Failed => Err(Error::OutOfStep),
        }
    }

    pub(in crate::auth) const fn is_verified(&self) -> bool {
        matches!(self.state, State::Verified)
    }

    /// ```text
    /// client-final-message = client-final-message-without-proof "," proof  ; RFC 5802, 7
    /// ```
    fn prove(&mut self, challenge: &str) -> Result<Vec<u8>, Error> {
        let (nonce, salt, iterations) = server_first(challenge)?;
        if nonce.strip_prefix(self.nonce.as_str()).is_none_or(str::is_empty) {
            return Err(Error::Nonce);
        }
        let iterations = match u32::try_from(iterations) {
            Ok(count @ ..ITERATIONS_MIN) => return Err(Error::TooFewIterations(count)),
            Ok(count @ ITERATIONS_MIN..=ITERATIONS_MAX) => count,
            _ => return Err(Error::TooManyIterations(iterations)),
        };
        let channel = base64::text(&binding_input(&self.header, &self.binding));
        let without_proof = ["c=", &channel, ",r=", nonce].concat();
        let message = [self.bare.as_str(), ",", challenge, ",", &without_proof].concat();

        let keys = Keys::derive(self.hash, &self.password, &salt, iterations);
        let proof = xor(&keys.client, &self.hash.hmac(&keys.stored, message.as_bytes()));
        self.state = State::Proved { signature: self.hash.hmac(&keys.server, message.as_bytes()) };
        Ok([&without_proof, ",p=", &base64::text(&proof)].concat().into_bytes())
    }

    /// The server's last word is answered by an empty line, since a 235 cannot carry it.
    fn verify(&mut self, challenge: &str, signature: &[u8]) -> Result<Vec<u8>, Error> {
        let claimed = server_final(challenge)?.map_err(|error| Error::Server(error.to_owned()))?;
        if !self.hash.equal(&claimed, signature) {
            return Err(Error::ServerNotVerified);
        }
        self.state = State::Verified;
        Ok(Vec::new())
    }
}

/// ```text
/// server-first-message = [reserved-mext ","] nonce "," salt "," iteration-count ["," extensions]   ; RFC 5802, 7
/// salt                 = "s=" base64
/// iteration-count      = "i=" posit-number
/// posit-number         = %x31-39 *DIGIT
/// ```
fn server_first(input: &str) -> Result<(&str, Vec<u8>, u64), Error> {
    let salt = verify(octets("s="), |salt: &Vec<u8>| !salt.is_empty());
    let number = verify(digit1, |digits: &str| !digits.starts_with('0'));
    // What overflows is too many in any case.
    let count = map(preceded(tag("i="), number), |digits: &str| digits.parse().unwrap_or(u64::MAX));
    let whole = (terminated(nonce, tag(",")), terminated(salt, tag(",")), terminated(count, extensions));
    let read: IResult<_, _> = all_consuming(whole).parse(input);
    read.map(|(_, parts)| parts).map_err(|_| Error::Malformed("SCRAM: the server's first message"))
}

/// ```text
/// server-final-message = (server-error / verifier) ["," extensions]    ; RFC 5802, 7
/// server-error         = "e=" server-error-value
/// verifier             = "v=" base64
/// ```
fn server_final(input: &str) -> Result<Result<Vec<u8>, &str>, Error> {
    // All registered error values are made of these; a log is no place for anything else.
    let error = take_while1(|c: char| c.is_ascii_alphanumeric() || c == '-');
    let word = alt((map(octets("v="), Ok), map(preceded(tag("e="), error), Err)));
    let read: IResult<_, _> = all_consuming(terminated(word, extensions)).parse(input);
    read.map(|(_, word)| word).map_err(|_| Error::Malformed("SCRAM: the server's last message"))
}
