//! A handler that does what the addresses say, and keeps what it got.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use smtp_driver::proto::auth::Mechanism;
use smtp_driver::proto::auth::server::{Claim, Secret};
use smtp_driver::proto::command::{Mail, Rcpt};
use smtp_driver::proto::dot::Body;
use smtp_driver::proto::reply::Reply;
use smtp_driver::proto::status::Code;
use smtp_driver::{Error, Handler, OK, Peer};

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Letter {
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    pub(crate) body: Vec<u8>,
}

/// What all clerks of a server got.
#[derive(Clone, Default)]
pub(crate) struct Post(Arc<Mutex<Books>>);

#[derive(Default)]
struct Books {
    letters: Vec<Letter>,
    /// Who logged in.
    users: Vec<String>,
    ended: Vec<Option<String>>,
}

impl Post {
    fn books(&self) -> MutexGuard<'_, Books> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn letters(&self) -> Vec<Letter> {
        self.books().letters.clone()
    }

    #[cfg(feature = "rustls")]
    pub(crate) fn users(&self) -> Vec<String> {
        self.books().users.clone()
    }

    /// How the connections ended: what went wrong, if anything.
    pub(crate) fn ended(&self) -> Vec<Option<String>> {
        self.books().ended.clone()
    }
}

pub(crate) struct Clerk {
    post: Post,
    letter: Letter,
}

impl Clerk {
    pub(crate) fn new(post: &Post) -> Self {
        Self { post: post.clone(), letter: Letter::default() }
    }
}

pub(crate) const PASSWORD: &str = "tanstaaftanstaaf";

fn reply(code: u16, text: &'static str) -> Reply<'static> {
    Reply::new(Code::new(code).expect("a code"), text).expect("a text")
}

/// What an address asks to be answered: `450-whatever@…` asks for a 450, at whatever it is that names the address.
fn asked(address: &str) -> Option<Reply<'static>> {
    let (code, _) = address.split_once('-')?;
    Some(reply(code.parse().ok()?, "as you asked"))
}

impl Handler for Clerk {
    async fn connected(&mut self, peer: Peer<'_>) -> Reply<'static> {
        assert!(peer.address.is_none_or(|address| address.ip().is_loopback()));
        reply(220, "at your service")
    }

    async fn mail(&mut self, mail: &Mail<'_>) -> Reply<'static> {
        self.letter.from = mail.from.as_str().to_owned();
        match self.letter.from.strip_prefix("mail-") {
            Some(from) => asked(from).expect("a code"),
            None => OK,
        }
    }

    async fn rcpt(&mut self, rcpt: &Rcpt<'_>) -> Reply<'static> {
        let to = rcpt.to.as_str().to_owned();
        let answer = asked(&to).unwrap_or(OK);
        if answer.is_positive() {
            self.letter.to.push(to);
        }
        answer
    }

    async fn message_begins(&mut self) -> Result<(), Reply<'static>> {
        self.letter.from.strip_prefix("data-").map_or(Ok(()), |from| Err(asked(from).expect("a code")))
    }

    async fn body(&mut self, body: &Body<'_>) -> Result<(), Reply<'static>> {
        body.append_to(&mut self.letter.body);
        self.letter.from.strip_prefix("body-").map_or(Ok(()), |from| Err(asked(from).expect("a code")))
    }

    async fn message(&mut self) -> Reply<'static> {
        if let Some(from) = self.letter.from.strip_prefix("end-") {
            return asked(from).expect("a code");
        }
        self.post.books().letters.push(self.letter.clone());
        OK
    }

    async fn message_for(&mut self, recipient: usize, message: &Reply<'static>) -> Reply<'static> {
        let full = self.letter.to[recipient].starts_with("full");
        if full { reply(452, "no room") } else { message.clone() }
    }

    fn reset(&mut self) {
        self.letter = Letter::default();
    }

    async fn authenticate(&mut self, claim: &Claim) -> Option<String> {
        match claim {
            Claim::Password { user, password, .. } if password == PASSWORD => Some(user.clone()),
            _ => None,
        }
    }

    async fn secret(&mut self, user: &str, _: Mechanism) -> Option<Secret> {
        (user == "tim").then(|| Secret::Password(PASSWORD.to_owned()))
    }

    async fn authorize(&mut self, user: &str, acting_as: Option<&str>) -> bool {
        self.post.books().users.push(user.to_owned());
        acting_as.is_none()
    }

    fn ended(&mut self, how: Result<(), Error>) {
        self.post.books().ended.push(how.err().map(|error| error.to_string()));
    }
}
