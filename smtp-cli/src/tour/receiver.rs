//! The receiving side: a handler that knows what has to come, and compares.

use std::fmt;
use std::future::{Future, ready};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use smtp_driver::proto::address::Domain;
use smtp_driver::proto::auth::Mechanism;
use smtp_driver::proto::auth::server::{Claim, Secret};
use smtp_driver::proto::command::{Mail, Rcpt, Verb};
use smtp_driver::proto::dot::Body;
use smtp_driver::proto::extension::Capabilities;
use smtp_driver::proto::param::BodyType;
use smtp_driver::proto::reply::Reply;
use smtp_driver::proto::status::{Code, Enhanced};
use smtp_driver::{Error, Handler, OK};

use super::{PASSWORD, USER, mails};

/// What the receiving side found, for each conversation.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pages: Mutex<Vec<Page>>,
    written: Condvar,
}

/// One conversation, as its server saw it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Page {
    /// Mails that came as they were sent, for those they were sent to.
    pub(super) intact: usize,
    /// Recipients that were taken, and refused.
    pub(super) taken: usize,
    pub(super) refused: usize,
    /// How the client logged in.
    pub(super) login: Option<Mechanism>,
    /// Everything that was not as it should be.
    pub(super) faults: Vec<String>,
    pub(super) ended: bool,
}

impl Ledger {
    /// The client's name in EHLO tells which conversation it is.
    pub(super) fn client_name(conversation: usize) -> String {
        format!("c{conversation:02}.client.example")
    }

    fn conversation(name: &Domain<'_>) -> Option<usize> {
        name.as_str().strip_prefix('c')?.strip_suffix(".client.example")?.parse().ok()
    }

    fn pages(&self) -> MutexGuard<'_, Vec<Page>> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, conversation: usize, note: impl FnOnce(&mut Page)) {
        let mut pages = self.pages();
        if pages.len() <= conversation {
            pages.resize_with(conversation + 1, Page::default);
        }
        note(&mut pages[conversation]);
        self.written.notify_all();
    }

    /// The page of a conversation, once its server has ended; as it stands if that takes longer than `patience`.
    pub(super) fn page(&self, conversation: usize, patience: Duration) -> Page {
        let going_on = |pages: &mut Vec<Page>| !pages.get(conversation).is_some_and(|page| page.ended);
        let waited = self.written.wait_timeout_while(self.pages(), patience, going_on);
        let (pages, _) = waited.unwrap_or_else(PoisonError::into_inner);
        pages.get(conversation).cloned().unwrap_or_default()
    }
}

/// What has come of one mail so far, against what was sent.
#[derive(Debug)]
pub(super) struct Comparison {
    sent: Arc<[u8]>,
    /// Octets that have come.
    come: usize,
    /// The first that was another than was sent, or one too many.
    differs: Option<usize>,
}

/// Where what came is not what was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Difference {
    At(usize),
    Short { came: usize, sent: usize },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(place) => write!(f, "octet {place} is not the one that was sent"),
            Self::Short { came, sent } => write!(f, "{came} octets came of {sent}"),
        }
    }
}

impl Comparison {
    pub(super) fn new(sent: &Arc<[u8]>) -> Self {
        Self { sent: Arc::clone(sent), come: 0, differs: None }
    }

    pub(super) fn take(&mut self, piece: &[u8]) {
        let sent = self.sent.get(self.come..).unwrap_or_default();
        if self.differs.is_none() && !sent.starts_with(piece) {
            let same = sent.iter().zip(piece).take_while(|(sent, came)| sent == came).count();
            self.differs = Some(self.come + same);
        }
        self.come += piece.len();
    }

    pub(super) fn finish(&self) -> Result<usize, Difference> {
        match self.differs {
            Some(place) => Err(Difference::At(place)),
            None if self.come < self.sent.len() => {
                Err(Difference::Short { came: self.come, sent: self.sent.len() })
            }
            None => Ok(self.come),
        }
    }
}

/// The handler of one connection.
#[derive(Debug)]
pub(super) struct Receiver {
    mails: Arc<[mails::Mail]>,
    secret: Arc<Secret>,
    ledger: Arc<Ledger>,
    conversation: Option<usize>,
    login: Option<Mechanism>,
    /// Mails whose end has come.
    ended: usize,
    /// RCPT commands of the transaction.
    named: usize,
    comparison: Option<Comparison>,
}

impl Receiver {
    pub(super) fn new(mails: &Arc<[mails::Mail]>, secret: &Arc<Secret>, ledger: &Arc<Ledger>) -> Self {
        Self {
            mails: Arc::clone(mails),
            secret: Arc::clone(secret),
            ledger: Arc::clone(ledger),
            conversation: None,
            login: None,
            ended: 0,
            named: 0,
            comparison: None,
        }
    }

    fn note(&self, note: impl FnOnce(&mut Page)) {
        // Whoever never greeted is none of the tour's clients: a blocking listener wakes itself that way.
        if let Some(conversation) = self.conversation {
            self.ledger.write(conversation, note);
        }
    }

    fn fault(&self, fault: String) {
        let number = self.ended + 1;
        self.note(|page| page.faults.push(format!("mail {number}: {fault}")));
    }

    fn expect<T: PartialEq + fmt::Debug>(&self, what: &str, came: T, sent: T) {
        if came != sent {
            self.fault(format!("{what} is {came:?}, and {sent:?} was sent"));
        }
    }

    fn recipient(&mut self, address: &str) -> Reply<'static> {
        const UNKNOWN: Reply<'static> =
            Reply::fixed(Code::MAILBOX_UNAVAILABLE, Some(Enhanced::fixed(5, 1, 1)), "no such user here");
        let to = self.mails.get(self.ended).and_then(|mail| mail.to.get(self.named)).cloned();
        self.named += 1;
        let Some(to) = to else {
            self.fault(format!("RCPT for {address}, which was not sent"));
            return UNKNOWN;
        };
        self.expect("a recipient", address, &to.address);
        self.note(|page| *if to.exists { &mut page.taken } else { &mut page.refused } += 1);
        if to.exists { OK } else { UNKNOWN }
    }

    fn verdict(&mut self) -> Reply<'static> {
        const BAD: Reply<'static> =
            Reply::fixed(Code::FAILED, Some(Enhanced::fixed(5, 6, 0)), "that is not what was sent");
        let compared = self.comparison.take().map(|comparison| comparison.finish());
        let reply = match compared {
            Some(Ok(octets)) => {
                self.note(|page| page.intact += 1);
                Reply::new(Code::OK, format!("{octets} octets, each as it was sent")).unwrap_or(OK)
            }
            Some(Err(difference)) => {
                self.fault(difference.to_string());
                BAD
            }
            None => {
                self.fault("its end came without its beginning".into());
                BAD
            }
        };
        self.ended += 1;
        reply
    }
}

impl Handler for Receiver {
    fn hello(
        &mut self,
        _: Verb,
        name: &Domain<'_>,
        _: &mut Capabilities<'static>,
    ) -> impl Future<Output = Reply<'static>> + Send {
        self.conversation = Ledger::conversation(name);
        ready(Reply::fixed(Code::OK, None, "at your service"))
    }

    fn mail(&mut self, mail: &Mail<'_>) -> impl Future<Output = Reply<'static>> + Send {
        self.named = 0;
        if let Some(sent) = self.mails.get(self.ended) {
            let size = sent.octets.len() as u64;
            let body = if sent.octets.is_ascii() { BodyType::SevenBit } else { BodyType::EightBitMime };
            self.expect("the reverse-path", mail.from.as_str(), &sent.from);
            self.expect("SIZE", mail.declared.size, Some(size));
            self.expect("BODY", mail.declared.body, body);
        } else {
            self.fault("was not sent".into());
        }
        ready(OK)
    }

    fn rcpt(&mut self, rcpt: &Rcpt<'_>) -> impl Future<Output = Reply<'static>> + Send {
        ready(self.recipient(rcpt.to.as_str()))
    }

    fn message_begins(&mut self) -> impl Future<Output = Result<(), Reply<'static>>> + Send {
        if let Some(sent) = self.mails.get(self.ended) {
            self.comparison = Some(Comparison::new(&sent.octets));
            self.expect("the number of recipients", self.named, sent.to.len());
        }
        ready(Ok(()))
    }

    fn body(&mut self, body: &Body<'_>) -> impl Future<Output = Result<(), Reply<'static>>> + Send {
        if let Some(comparison) = &mut self.comparison {
            body.slices().for_each(|piece| comparison.take(piece));
        }
        ready(Ok(()))
    }

    fn message(&mut self) -> impl Future<Output = Reply<'static>> + Send {
        ready(self.verdict())
    }

    fn reset(&mut self) {
        self.comparison = None;
    }

    fn authenticate(&mut self, claim: &Claim) -> impl Future<Output = Option<String>> + Send {
        let user = match claim {
            Claim::Password { user, password, .. } if user == USER && password == PASSWORD => Some(user),
            _ => None,
        };
        self.login = Some(Mechanism::Plain);
        ready(user.cloned())
    }

    fn secret(&mut self, user: &str, mechanism: Mechanism) -> impl Future<Output = Option<Secret>> + Send {
        self.login = Some(mechanism);
        ready((user == USER).then(|| Secret::clone(&self.secret)))
    }

    /// Who comes here has been proven.
    fn authorize(&mut self, user: &str, acting_as: Option<&str>) -> impl Future<Output = bool> + Send {
        let login = self.login;
        self.note(|page| page.login = login);
        ready(user == USER && acting_as.is_none())
    }

    fn ended(&mut self, how: Result<(), Error>) {
        if let Err(error) = how {
            self.note(|page| page.faults.push(error.to_string()));
        }
        self.note(|page| page.ended = true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compared(sent: &[u8], pieces: &[&[u8]]) -> Result<usize, Difference> {
        let mut comparison = Comparison::new(&sent.into());
        pieces.iter().for_each(|piece| comparison.take(piece));
        comparison.finish()
    }

    #[test]
    fn what_came_whole_is_the_same_whatever_the_cuts() {
        assert_eq!(compared(b"", &[]), Ok(0));
        assert_eq!(compared(b"abc", &[b"abc"]), Ok(3));
        assert_eq!(compared(b"abc", &[b"a", b"", b"b", b"c"]), Ok(3));
    }

    #[test]
    fn every_other_octet_is_seen_and_the_first_is_named() {
        let sent = b"Subject: x\r\n\r\n.\r\n";
        for place in 0..sent.len() {
            let mut came = *sent;
            came[place] ^= 1;
            for cut in 0..sent.len() {
                assert_eq!(compared(sent, &[&came[..cut], &came[cut..]]), Err(Difference::At(place)));
            }
        }
        assert_eq!(compared(b"abc", &[b"xbx", b""]), Err(Difference::At(0)));
    }

    #[test]
    fn too_few_and_too_many_are_differences() {
        assert_eq!(compared(b"abc", &[b"ab"]), Err(Difference::Short { came: 2, sent: 3 }));
        assert_eq!(compared(b"abc", &[]), Err(Difference::Short { came: 0, sent: 3 }));
        assert_eq!(compared(b"abc", &[b"abc", b"d"]), Err(Difference::At(3)));
        assert_eq!(compared(b"abc", &[b"abcd"]), Err(Difference::At(3)));
    }
}
