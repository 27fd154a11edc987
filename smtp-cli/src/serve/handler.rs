//! What the server says and does: one [`Receiver`] for each connection.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use smtp_tokio::proto::address::{Domain, ForwardPath, ReversePath};
use smtp_tokio::proto::auth::Mechanism;
use smtp_tokio::proto::auth::server::{Claim, Secret};
use smtp_tokio::proto::command::{Mail, Rcpt, Verb};
use smtp_tokio::proto::dot::Body;
use smtp_tokio::proto::extension::Capabilities;
use smtp_tokio::proto::received::{Received, Timestamp, With};
use smtp_tokio::proto::reply::Reply;
use smtp_tokio::proto::stage::Protocol;
use smtp_tokio::proto::status::{Code, Enhanced};
use smtp_tokio::{Handler, OK, Peer};

use super::draft::Draft;
use super::id::MessageId;
use super::shared::Shared;
use super::steps::{Scissors, Step};
use super::tell::{Event, Message};
use crate::exit::{chain, complain};

/// One connection's handler.
#[derive(Debug)]
pub(super) struct Receiver {
    shared: Arc<Shared>,
    scissors: Scissors,
    peer: Option<SocketAddr>,
    /// TLS is on, and this is its cipher suite's name.
    cipher: Option<String>,
    user: Option<String>,
    hello: Option<(Verb, Domain<'static>)>,
    transaction: Option<Transaction>,
    /// What each recipient of the message that was just taken is told, where that isn't what all are (RFC 2033, 4.2).
    told: Vec<Option<Reply<'static>>>,
}

#[derive(Debug)]
struct Transaction {
    from: ReversePath<'static>,
    /// MAIL's parameters.
    params: String,
    to: Vec<Recipient>,
    utf8: bool,
    /// Octets of the message.
    size: u64,
    id: MessageId,
    draft: Option<Draft>,
}

#[derive(Debug)]
struct Recipient {
    path: ForwardPath<'static>,
    /// What a rule has the end of the message answered with.
    told: Option<Reply<'static>>,
}

impl Receiver {
    /// The handler of a connection that was just accepted, and can be cut off by `scissors`.
    pub(super) const fn new(shared: Arc<Shared>, scissors: Scissors) -> Self {
        Self {
            shared,
            scissors,
            peer: None,
            cipher: None,
            user: None,
            hello: None,
            transaction: None,
            told: Vec::new(),
        }
    }

    /// The loopback may send without a login: everybody on it could read the password's file.
    fn may_send(&self) -> bool {
        let local = self.peer.is_none_or(|peer| peer.ip().to_canonical().is_loopback());
        self.shared.users.is_none() || self.user.is_some() || local
    }

    fn header(&self, transaction: &Transaction) -> String {
        let unknown;
        let (verb, name) = match &self.hello {
            Some((verb, name)) => (*verb, name),
            None => {
                unknown = Domain::from(self.address().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)));
                (Verb::Helo, &unknown)
            }
        };
        let with = With {
            protocol: self.shared.protocol,
            extended: verb != Verb::Helo,
            tls: self.cipher.is_some(),
            authenticated: self.user.is_some(),
            utf8: transaction.utf8,
        };
        let to: Vec<_> = self.stored_for(transaction).collect();
        let seconds = i64::try_from(transaction.id.seconds()).unwrap_or(i64::MAX);
        let received = Received::new(name, &self.shared.domain, with, Timestamp::from_unix(seconds, 0))
            .with_address(self.address())
            .with_id(transaction.id.as_str())
            .with_recipients(&to)
            .with_cipher(self.cipher.as_deref().unwrap_or_default());
        let mut header = format!("Return-Path: {}\r\n", transaction.from);
        for to in &to {
            header.push_str("X-Original-To: ");
            header.push_str(to.as_str());
            header.push_str("\r\n");
        }
        header.push_str(&received.to_string());
        header
    }

    fn address(&self) -> Option<IpAddr> {
        self.peer.map(|peer| peer.ip())
    }

    /// Those for whom the message is kept. In SMTP it is taken for all or for none.
    fn stored_for(&self, transaction: &Transaction) -> impl Iterator<Item = ForwardPath<'static>> {
        let each = self.shared.protocol == Protocol::Lmtp;
        let kept = move |to: &&Recipient| !each || to.told.as_ref().is_none_or(Reply::is_positive);
        transaction.to.iter().filter(kept).map(|to| to.path.clone())
    }

    /// One line for whoever watches. Addresses have no control characters.
    fn tell(&self, transaction: &Transaction, file: Option<&Path>) {
        let to: Vec<_> = self.stored_for(transaction).collect();
        self.shared.messages.fetch_add(1, Ordering::Relaxed);
        self.shared.octets.fetch_add(transaction.size, Ordering::Relaxed);
        self.shared.teller.tell(&Event::Message(Message {
            id: transaction.id.as_str(),
            client: self.peer.map(|peer| peer.to_string()),
            user: self.user.as_deref(),
            from: transaction.from.as_str(),
            to: to.iter().map(ForwardPath::as_str).collect(),
            params: &transaction.params,
            size: transaction.size,
            file,
        }));
    }
}

/// The name that the registry has for what rustls calls TLS13_….
fn cipher(peer: &Peer<'_>) -> Option<String> {
    let suite = peer.tls?.negotiated_cipher_suite()?.suite();
    Some(format!("{suite:?}").replace("TLS13_", "TLS_"))
}

impl Handler for Receiver {
    async fn connected(&mut self, peer: Peer<'_>) -> Reply<'static> {
        self.peer = peer.address;
        self.cipher = cipher(&peer);
        self.shared.pass(Step::Connect, &self.scissors).await;
        Reply::fixed(Code::READY, None, "ESMTP")
    }

    fn secured(&mut self, peer: Peer<'_>) {
        // What was said before is void (RFC 3207, 4.2).
        self.cipher = cipher(&peer);
        self.user = None;
        self.hello = None;
    }

    async fn hello(
        &mut self,
        verb: Verb,
        name: &Domain<'_>,
        _: &mut Capabilities<'static>,
    ) -> Reply<'static> {
        self.shared.pass(Step::Hello, &self.scissors).await;
        self.hello = Some((verb, name.clone().into_owned()));
        Reply::fixed(Code::OK, None, "at your service")
    }

    async fn mail(&mut self, mail: &Mail<'_>) -> Reply<'static> {
        if !self.may_send() {
            return Reply::fixed(
                Code::AUTH_REQUIRED,
                Some(Enhanced::fixed(5, 7, 0)),
                "authentication required",
            );
        }
        self.shared.pass(Step::Mail, &self.scissors).await;
        let answer = self.shared.rules.reply(Step::Mail, mail.from.as_str()).cloned().unwrap_or(OK);
        if !answer.is_positive() {
            return answer;
        }
        self.told.clear();
        self.transaction = Some(Transaction {
            from: mail.from.clone().into_owned(),
            params: mail.params.as_str().into(),
            to: Vec::new(),
            utf8: mail.declared.smtputf8,
            size: 0,
            id: self.shared.ids.next(),
            draft: None,
        });
        answer
    }

    async fn rcpt(&mut self, rcpt: &Rcpt<'_>) -> Reply<'static> {
        self.shared.pass(Step::Rcpt, &self.scissors).await;
        let (client, shared) = (self.address(), &self.shared);
        let Some(transaction) = &mut self.transaction else { return OK };
        let to = rcpt.to.as_str();
        let answer = shared.rules.reply(Step::Rcpt, to).cloned();
        if answer.as_ref().is_none_or(Reply::is_positive)
            && let Some(greylist) = &shared.greylist
            && let Some(later) = greylist.reply(client, transaction.from.as_str(), to)
        {
            return later;
        }
        let answer = answer.unwrap_or(OK);
        if answer.is_positive() {
            let told = shared.rules.reply(Step::Message, to).cloned();
            transaction.to.push(Recipient { path: rcpt.to.clone().into_owned(), told });
        }
        answer
    }

    async fn message_begins(&mut self) -> Result<(), Reply<'static>> {
        self.shared.pass(Step::Data, &self.scissors).await;
        let Some(transaction) = &self.transaction else { return Ok(()) };
        let rule = |to: &Recipient| self.shared.rules.reply(Step::Data, to.path.as_str()).cloned();
        if let Some(reply) = transaction.to.iter().find_map(rule) {
            return Err(reply);
        }
        let Some(mut draft) = self.shared.store.begin(&transaction.id, &transaction.from) else {
            return Ok(());
        };
        let header = self.header(transaction);
        draft.buffer().extend_from_slice(header.as_bytes());
        if let Some(transaction) = &mut self.transaction {
            transaction.draft = Some(draft);
        }
        Ok(())
    }

    async fn body(&mut self, body: &Body<'_>) -> Result<(), Reply<'static>> {
        self.shared.pass(Step::Body, &self.scissors).await;
        let Some(transaction) = &mut self.transaction else { return Ok(()) };
        transaction.size += body.len() as u64;
        let Some(draft) = &mut transaction.draft else { return Ok(()) };
        body.append_to(draft.buffer());
        draft.advance().await.map_err(|error| not_stored(&error))
    }

    async fn message(&mut self) -> Reply<'static> {
        let reply = self.take_over().await;
        // The worst place to be cut off at: the message is there, and the client doesn't know.
        self.shared.pass(Step::Message, &self.scissors).await;
        reply
    }

    async fn message_for(&mut self, recipient: usize, message: &Reply<'static>) -> Reply<'static> {
        let own = self.told.get_mut(recipient).and_then(Option::take);
        own.unwrap_or_else(|| message.clone())
    }

    fn reset(&mut self) {
        self.transaction = None;
    }

    async fn authenticate(&mut self, claim: &Claim) -> Option<String> {
        self.shared.users.as_ref()?.authenticate(claim)
    }

    async fn secret(&mut self, user: &str, mechanism: Mechanism) -> Option<Secret> {
        self.shared.users.as_ref()?.secret(user, mechanism)
    }

    async fn authorize(&mut self, user: &str, acting_as: Option<&str>) -> bool {
        let may = acting_as.is_none_or(|other| other == user);
        self.user = may.then(|| user.to_owned());
        may
    }

    fn ended(&mut self, how: Result<(), smtp_tokio::Error>) {
        if let Err(error) = how
            && !self.scissors.has_cut()
        {
            let peer = self.peer.map_or_else(|| String::from("a client"), |peer| peer.to_string());
            complain(format_args!("{peer}: {}", chain(&error)));
        }
    }
}

impl Receiver {
    /// Stores the message, unless a rule says otherwise, and says what is to be answered.
    async fn take_over(&mut self) -> Reply<'static> {
        let Some(mut transaction) = self.transaction.take() else {
            // Cannot be; and what is stored nowhere is not taken over.
            return Reply::fixed(Code::LOCAL_ERROR, Some(Enhanced::fixed(4, 3, 0)), "not stored");
        };
        let (each, told) = (self.shared.protocol == Protocol::Lmtp, |to: &Recipient| to.told.clone());
        self.told = if each { transaction.to.iter().map(told).collect() } else { Vec::new() };
        let rule = transaction.to.iter().filter_map(told).find(|reply| !reply.is_positive());
        // In LMTP the message is stored as long as there is anybody that it is for; each is told on their own.
        if let Some(reply) = rule
            && self.stored_for(&transaction).next().is_none_or(|_| !each)
        {
            return reply;
        }
        let file = match transaction.draft.take().map(Draft::commit) {
            Some(commit) => match commit.await {
                Ok(file) => Some(file),
                Err(error) => {
                    self.told.clear();
                    return not_stored(&error);
                }
            },
            None => None,
        };
        self.tell(&transaction, file.as_deref());
        let rule = transaction.to.iter().find_map(told).filter(|_| !each);
        let done = self.shared.store.done();
        rule.or_else(|| Reply::new(Code::OK, format!("{done} {}", transaction.id.as_str())).ok())
            .unwrap_or(OK)
    }
}

/// Out of space, the sender may try again when there is some (RFC 5321, 4.2.3; RFC 3463, X.3.1); anything else is an error
/// of this server's.
fn not_stored(error: &io::Error) -> Reply<'static> {
    complain(format_args!("a message could not be stored: {error}"));
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Reply::fixed(Code::NO_STORAGE, Some(Enhanced::fixed(4, 3, 1)), "no space left for the message")
        }
        _ => {
            Reply::fixed(Code::LOCAL_ERROR, Some(Enhanced::fixed(4, 3, 0)), "the message could not be stored")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use super::super::id::Ids;
    use super::super::rules::Rules;
    use super::super::store::Store;
    use super::super::tell::Teller;
    use super::super::users::Users;
    use super::*;

    #[test]
    fn other_machines_log_in_where_there_are_users() {
        let users = || Some(Users::parse(&[String::from("ann:secret").into()]).expect("a user"));
        let may_send = |users: Option<Users>, peer: &str, user: Option<&str>| {
            let shared = Shared {
                domain: Domain::parse("mx.example.net").expect("a name"),
                protocol: Protocol::Smtp,
                store: Store::Nowhere,
                ids: Ids::new().expect("randomness"),
                users,
                rules: Rules::default(),
                greylist: None,
                delays: Vec::new(),
                cuts: Vec::new(),
                teller: Teller { json: false, quiet: false },
                messages: AtomicU64::new(0),
                octets: AtomicU64::new(0),
            };
            let mut receiver = Receiver::new(Arc::new(shared), Scissors::default());
            receiver.peer = Some(peer.parse().expect("an address"));
            receiver.user = user.map(String::from);
            receiver.may_send()
        };
        assert!(may_send(None, "192.0.2.1:1", None));
        assert!(!may_send(users(), "192.0.2.1:1", None));
        assert!(!may_send(users(), "[::ffff:192.0.2.1]:1", None));
        assert!(may_send(users(), "192.0.2.1:1", Some("ann")));
        assert!(may_send(users(), "127.0.0.1:1", None));
        assert!(may_send(users(), "[::1]:1", None));
        assert!(may_send(users(), "[::ffff:127.0.0.1]:1", None));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_full_disk_is_452_and_any_other_error_451() {
        let (enospc, edquot, eio) = (28, 122, 5);
        for (errno, code, status) in [(enospc, 452, (3, 1)), (edquot, 452, (3, 1)), (eio, 451, (3, 0))] {
            let reply = not_stored(&io::Error::from_raw_os_error(errno));
            assert_eq!(reply.code().as_u16(), code);
            assert_eq!(reply.status(), Enhanced::new(4, status.0, status.1));
        }
    }
}
