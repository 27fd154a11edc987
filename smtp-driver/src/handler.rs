//! The other form of a server: a trait with a method for each thing that can happen.

use std::future::{Future, ready};
use std::net::SocketAddr;

use smtp_proto::address::Domain;
use smtp_proto::auth::Mechanism;
use smtp_proto::auth::server::{Claim, Secret};
use smtp_proto::command::{Attributes, Mail, Rcpt, Verb};
use smtp_proto::dot::Body;
use smtp_proto::extension::Capabilities;
use smtp_proto::reply::Reply;
pub use smtp_proto::server::usual::OK;
use smtp_proto::server::{Server, usual};

use crate::{Error, Proxy};

/// What a handler is told of the connection that it serves.
#[derive(Debug)]
#[non_exhaustive]
pub struct Peer<'c> {
    /// The client's address, where the transport has one; or what a trusted balancer said in its place, by a PROXY header
    /// or by XCLIENT.
    pub address: Option<SocketAddr>,
    /// What a trusted balancer's PROXY header said, if there was one: where the client connected to, and whatever else.
    pub proxy: Option<&'c Proxy>,
    /// The machine: whether TLS is on, who greeted how.
    pub server: &'c Server,
    /// The rustls connection, for the client's certificate.
    #[cfg(feature = "rustls")]
    pub tls: Option<&'c rustls::Connection>,
}

/// What a client says in an exchange of a mechanism of one's own.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Said<'s> {
    /// AUTH, with its initial response, if it has one. Whatever exchange went before is over, and may have been given up.
    Begin(Option<&'s [u8]>),
    /// The response to the last challenge.
    Response(&'s [u8]),
}

/// What a server says in it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Answer {
    /// 334 and this, which the machine encodes: the client's response comes next.
    Challenge(Vec<u8>),
    /// 235, which logs in, or a refusal: the exchange is over.
    Reply(Reply<'static>),
}

/// What a server does: one handler for each connection.
///
/// What becomes of a message, [`message`](Self::message) has to say. Every other method has a default that does what a
/// server without an opinion does: it takes every transaction, and lets nobody log in. A method may take its time: what is
/// owed to the client already is written before, and what the client sends meanwhile waits.
pub trait Handler: Send {
    /// The connection was opened, in TLS if it is implicit: 220, or 554, 521 or 421 to turn it away.
    fn connected(&mut self, peer: Peer<'_>) -> impl Future<Output = Reply<'static>> + Send {
        let _ = peer;
        ready(usual::GREETING)
    }

    /// STARTTLS has put TLS on: what the client said before is void, its login included (RFC 3207, 4.2).
    fn secured(&mut self, peer: Peer<'_>) {
        let _ = peer;
    }

    /// EHLO, HELO or LHLO. What is offered may be changed.
    fn hello(
        &mut self,
        verb: Verb,
        name: &Domain<'_>,
        offered: &mut Capabilities<'static>,
    ) -> impl Future<Output = Reply<'static>> + Send {
        let _ = (verb, name, offered);
        ready(usual::HELLO)
    }

    /// MAIL. The machine has checked its parameters against what was offered.
    fn mail(&mut self, mail: &Mail<'_>) -> impl Future<Output = Reply<'static>> + Send {
        let _ = mail;
        ready(OK)
    }

    /// RCPT.
    fn rcpt(&mut self, rcpt: &Rcpt<'_>) -> impl Future<Output = Reply<'static>> + Send {
        let _ = rcpt;
        ready(OK)
    }

    /// The message begins, by DATA or the first BDAT. An error refuses DATA, or the chunk.
    fn message_begins(&mut self) -> impl Future<Output = Result<(), Reply<'static>>> + Send {
        ready(Ok(()))
    }

    /// A piece of the message. After an error nothing more of it is given; its end is answered with this reply.
    fn body(&mut self, body: &Body<'_>) -> impl Future<Output = Result<(), Reply<'static>>> + Send {
        let _ = body;
        ready(Ok(()))
    }

    /// The message is here, whole: a 250 takes it over, and answers for it from then on (RFC 5321, 4.2.5). That there is no
    /// default keeps a server from taking messages that nobody keeps.
    fn message(&mut self) -> impl Future<Output = Reply<'static>> + Send;

    /// In LMTP and under PRDR, after [`message`](Self::message): what becomes of it for the accepted recipient of this
    /// number, counted from 0.
    fn message_for(
        &mut self,
        recipient: usize,
        message: &Reply<'static>,
    ) -> impl Future<Output = Reply<'static>> + Send {
        let _ = recipient;
        ready(message.clone())
    }

    /// The transaction is over or given up: drop what was kept for it. Comes after RSET, EHLO, STARTTLS, a message, a
    /// refusal by the machine, and the connection's end.
    fn reset(&mut self) {}

    /// Whether a claim is true: who logged in, or `None`.
    fn authenticate(&mut self, claim: &Claim) -> impl Future<Output = Option<String>> + Send {
        let _ = claim;
        ready(None)
    }

    /// The secret that is kept of this user, for mechanisms that prove a password without sending it.
    fn secret(&mut self, user: &str, mechanism: Mechanism) -> impl Future<Output = Option<Secret>> + Send {
        let _ = (user, mechanism);
        ready(None)
    }

    /// This user was proven, and asks to act as somebody, or as itself: whether it may.
    fn authorize(&mut self, user: &str, acting_as: Option<&str>) -> impl Future<Output = bool> + Send {
        ready(acting_as.is_none_or(|other| other == user))
    }

    /// A step of a mechanism of one's own, one that the capabilities list and this crate does not know
    /// ([`with_keyword("AUTH NTLM")`](Capabilities::with_keyword)). It is offered without TLS too, so list one that shows a
    /// password at [`hello`](Self::hello), under TLS only. A 235 logs in without [`authorize`](Self::authorize) being asked.
    fn exchange(&mut self, mechanism: &str, said: Said<'_>) -> impl Future<Output = Answer> + Send {
        let _ = (mechanism, said);
        ready(Answer::Reply(usual::NO_LOGIN))
    }

    /// VRFY.
    fn vrfy(&mut self, text: &str) -> impl Future<Output = Reply<'static>> + Send {
        let _ = text;
        ready(usual::CANNOT_VERIFY)
    }

    /// XCLIENT, from whom it is offered to ([`Service::with_xclient`](crate::Service::with_xclient)): 220 opens a new
    /// session, in which the client is `peer`: its address is what ADDR and PORT say. LOGIN counts as a login. All else,
    /// NAME, HELO and PROTO, is for the handler to make something of.
    fn xclient(
        &mut self,
        peer: Peer<'_>,
        attributes: &Attributes<'_>,
    ) -> impl Future<Output = Reply<'static>> + Send {
        let _ = (peer, attributes);
        ready(usual::GREETING)
    }

    /// XFORWARD, from whom it is offered to ([`Service::with_xforward`](crate::Service::with_xforward)): who gave this mail
    /// to the client, for logs.
    fn xforward(&mut self, attributes: &Attributes<'_>) -> impl Future<Output = Reply<'static>> + Send {
        let _ = attributes;
        ready(OK)
    }

    /// A verb that the machine has no event for, or one of EXPN, HELP and ETRN where they are offered.
    fn other(&mut self, verb: &str, args: &str) -> impl Future<Output = Option<Reply<'static>>> + Send {
        let _ = (verb, args);
        ready(None)
    }

    /// The connection has ended: how, for a log.
    fn ended(&mut self, how: Result<(), Error>) {
        drop(how);
    }
}
