//! What connections tell `tracing`, with the feature of that name: a span for each connection and each transaction, an event for each
//! command and reply. Never what AUTH carries, and never a message. Without the feature nothing of this is there.

use std::future::Future;
use std::net::SocketAddr;

use smtp_proto::reply::{Framing, Reply};
use smtp_proto::server::Event;
use smtp_proto::session::{Envelope, Report};
use tracing::field::{Empty, display};
use tracing::{Instrument as _, debug, info, info_span};

/// One connection's spans.
#[derive(Debug)]
pub(crate) struct Trace {
    connection: Span,
    /// Of the transaction in hand, or disabled.
    transaction: Span,
}

#[derive(Clone, Debug)]
pub(crate) struct Span(tracing::Span);

impl Trace {
    pub(crate) fn server() -> Self {
        let connection =
            info_span!(target: "smtp", "connection", role = "server", peer = Empty, user = Empty);
        Self { connection: Span(connection), transaction: Span(tracing::Span::none()) }
    }

    pub(crate) fn client(peer: Option<SocketAddr>) -> Self {
        let connection = info_span!(target: "smtp", "connection", role = "client", peer = peer.map(display));
        Self { connection: Span(connection), transaction: Span(tracing::Span::none()) }
    }

    /// The transaction's span, if one is open, or the connection's.
    pub(crate) fn span(&self) -> Span {
        if self.transaction.0.is_none() { self.connection.clone() } else { self.transaction.clone() }
    }

    /// What a client did.
    pub(crate) fn heard<'e>(
        &mut self,
        event: impl FnOnce() -> Event<'e>,
        peer: Option<SocketAddr>,
        tls: bool,
    ) {
        let event = &event();
        if let Event::Connect = event {
            self.connection.0.record("peer", peer.map(display));
        }
        if let Event::Mail(mail) = event {
            let from = display(&mail.from);
            self.transaction =
                Span(info_span!(target: "smtp", parent: &self.connection.0, "transaction", from));
        }
        self.span().scope(|| match event {
            Event::Connect => info!(target: "smtp", tls, "connected"),
            Event::Hello { verb, name } => debug!(target: "smtp", ?verb, %name, tls, "hello"),
            Event::Mail(mail) => debug!(target: "smtp", from = %mail.from, params = %mail.params, "mail"),
            Event::Rcpt(rcpt) => debug!(target: "smtp", to = %rcpt.to, params = %rcpt.params, "rcpt"),
            Event::Chunk { size, last } => debug!(target: "smtp", size, last, "bdat"),
            Event::Auth { mechanism, .. } => debug!(target: "smtp", %mechanism, "auth"),
            Event::Refused(why) => info!(target: "smtp", ?why, "message refused"),
            Event::Rejected(code) => info!(target: "smtp", %code, "command rejected"),
            Event::Unknown { verb, .. } => debug!(target: "smtp", %verb, "unknown verb"),
            Event::Xclient(attributes) => debug!(target: "smtp", %attributes, "xclient"),
            Event::Xforward(attributes) => debug!(target: "smtp", %attributes, "xforward"),
            Event::Data => debug!(target: "smtp", "data"),
            Event::MessageEnd { .. } => debug!(target: "smtp", "end of message"),
            Event::StartTls => debug!(target: "smtp", "starttls"),
            Event::Rset => debug!(target: "smtp", "rset"),
            Event::Quit => debug!(target: "smtp", "quit"),
            // What is not named here is not told: not a word of a login or of a message.
            _ => {}
        });
    }

    /// No transaction is open any more.
    pub(crate) fn settled(&mut self) {
        self.transaction = Span(tracing::Span::none());
    }

    /// How the connection ended.
    pub(crate) fn ended(&self, how: Option<&crate::Error>) {
        self.connection.scope(|| match how {
            None => info!(target: "smtp", "ended"),
            Some(error) => info!(target: "smtp", %error, "ended"),
        });
    }

    /// The span of a message that goes out.
    pub(crate) fn message(&self, envelope: &Envelope<'_>) -> Span {
        let (from, recipients) = (display(&envelope.from), envelope.to.len());
        let parent = &self.connection.0;
        Span(info_span!(target: "smtp", parent: parent, "transaction", from, recipients, delivered = Empty))
    }

    /// What a server said.
    pub(crate) fn told(mut replies: &[u8]) {
        while let Ok(Some(len)) = Framing::lenient().next(replies, usize::MAX, usize::MAX) {
            if let Ok(reply) = Reply::parse_lenient(&replies[..len]) {
                said(&reply);
            }
            replies = &replies[len..];
        }
    }
}

/// A reply, given or heard: but for challenges, which a login answers.
pub(crate) fn said(reply: &Reply<'_>) {
    match reply.code().as_u16() {
        334 => debug!(target: "smtp", "challenge"),
        _ => debug!(target: "smtp", %reply, "reply"),
    }
}

impl Span {
    /// Does something within it.
    pub(crate) fn scope<T>(&self, work: impl FnOnce() -> T) -> T {
        self.0.in_scope(work)
    }

    /// What became of the message that it is of.
    pub(crate) fn outcomes(&self, envelope: &Envelope<'_>, report: &Report) {
        self.0.record("delivered", report.delivered());
        self.scope(|| {
            for (to, outcome) in envelope.to.iter().zip(report.outcomes()) {
                debug!(target: "smtp", to = %to.path, %outcome, "outcome");
            }
        });
    }
}

/// Does `work` within `span`: what a handler says to tracing of its own stands in it, too.
pub(crate) fn within<F: Future>(span: Span, work: F) -> impl Future<Output = F::Output> {
    work.instrument(span.0)
}
