//! What the server says and does: one [`Receiver`] for each connection.

use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

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

use super::maildir::{Draft, Maildir, MessageId};
use super::users::Users;
use crate::exit::{chain, complain};

/// What all connections share.
#[derive(Debug)]
pub struct Shared {
    /// The server's name.
    pub domain: Domain<'static>,
    /// SMTP or LMTP.
    pub protocol: Protocol,
    /// Where messages go; thrown away if nowhere.
    pub maildir: Option<Arc<Maildir>>,
    /// Who may log in, if anybody.
    pub users: Option<Users>,
    /// Messages that were thrown away.
    pub discarded: AtomicU64,
}

/// One connection's handler.
#[derive(Debug)]
pub struct Receiver {
    shared: Arc<Shared>,
    peer: Option<SocketAddr>,
    /// TLS is on, and this is its cipher suite's name.
    cipher: Option<String>,
    user: Option<String>,
    hello: Option<(Verb, Domain<'static>)>,
    transaction: Option<Transaction>,
}

#[derive(Debug)]
struct Transaction {
    from: ReversePath<'static>,
    to: Vec<ForwardPath<'static>>,
    utf8: bool,
    /// Octets of the message.
    size: u64,
    id: MessageId,
    draft: Option<Draft>,
}

impl Receiver {
    /// The handler of a connection that was just accepted.
    #[must_use]
    pub const fn new(shared: Arc<Shared>) -> Self {
        Self { shared, peer: None, cipher: None, user: None, hello: None, transaction: None }
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
        let seconds = i64::try_from(transaction.id.seconds()).unwrap_or(i64::MAX);
        let received = Received::new(name, &self.shared.domain, with, Timestamp::from_unix(seconds, 0))
            .address(self.address())
            .id(transaction.id.as_str())
            .recipients(&transaction.to)
            .cipher(self.cipher.as_deref().unwrap_or_default());
        let mut header = format!("Return-Path: {}\r\n", transaction.from);
        for to in &transaction.to {
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
        let id = match &self.shared.maildir {
            Some(maildir) => maildir.next_id(),
            None => MessageId::new(&self.shared.discarded, 0),
        };
        self.transaction = Some(Transaction {
            from: mail.from.clone().into_owned(),
            to: Vec::new(),
            utf8: mail.declared.smtputf8,
            size: 0,
            id,
            draft: None,
        });
        OK
    }

    async fn rcpt(&mut self, rcpt: &Rcpt<'_>) -> Reply<'static> {
        if let Some(transaction) = &mut self.transaction {
            transaction.to.push(rcpt.to.clone().into_owned());
        }
        OK
    }

    async fn message_begins(&mut self) -> Result<(), Reply<'static>> {
        let (Some(transaction), Some(maildir)) = (&self.transaction, &self.shared.maildir) else {
            return Ok(());
        };
        let header = self.header(transaction);
        let mut draft = maildir.begin(&transaction.id);
        draft.buffer().extend_from_slice(header.as_bytes());
        if let Some(transaction) = &mut self.transaction {
            transaction.draft = Some(draft);
        }
        Ok(())
    }

    async fn body(&mut self, body: &Body<'_>) -> Result<(), Reply<'static>> {
        let Some(transaction) = &mut self.transaction else { return Ok(()) };
        transaction.size += body.len() as u64;
        let Some(draft) = &mut transaction.draft else { return Ok(()) };
        body.append_to(draft.buffer());
        draft.advance().await.map_err(|error| not_stored(&error))
    }

    async fn message(&mut self) -> Reply<'static> {
        let Some(mut transaction) = self.transaction.take() else {
            // Cannot be; and what is stored nowhere is not taken over.
            return Reply::fixed(Code::LOCAL_ERROR, Some(Enhanced::fixed(4, 3, 0)), "not stored");
        };
        let file = match transaction.draft.take().map(Draft::commit) {
            Some(commit) => match commit.await {
                Ok(file) => Some(file),
                Err(error) => return not_stored(&error),
            },
            None => None,
        };
        transaction.tell(file);
        let id = transaction.id.as_str();
        let text = if self.shared.maildir.is_some() { "stored as" } else { "discarded as" };
        Reply::new(Code::OK, format!("{text} {id}")).unwrap_or(OK)
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
        if let Err(error) = how {
            let peer = self.peer.map_or_else(|| String::from("a client"), |peer| peer.to_string());
            complain(format_args!("{peer}: {}", chain(&error)));
        }
    }
}

impl Transaction {
    /// One line for whoever watches. Addresses have no control characters.
    fn tell(&self, file: Option<PathBuf>) {
        let to: Vec<_> = self.to.iter().map(ToString::to_string).collect();
        let file = file.map_or_else(|| String::from("-"), |file| file.display().to_string());
        let (id, from, to) = (self.id.as_str(), &self.from, to.join(","));
        // A message is stored whether or not anybody reads this.
        let _ = writeln!(io::stdout(), "message {id} from={from} to={to} size={} file={file}", self.size);
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
    use super::*;

    #[test]
    fn other_machines_log_in_where_there_are_users() {
        let users = || Some(Users::parse(&[String::from("ann:secret").into()]).expect("a user"));
        let may_send = |users: Option<Users>, peer: &str, user: Option<&str>| {
            let domain = Domain::parse("mx.example.net").expect("a name");
            let protocol = Protocol::Smtp;
            let discarded = AtomicU64::new(0);
            let mut receiver =
                Receiver::new(Arc::new(Shared { domain, protocol, maildir: None, users, discarded }));
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
