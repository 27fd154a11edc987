use crate::status::{Class, Code, Enhanced};

/// A reply explained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Advice {
    /// What the first digit says.
    pub class: Class,
    /// What the code means.
    pub meaning: &'static str,
    /// What the enhanced code means, if there is one and it is registered.
    pub detail: Option<&'static str>,
    /// What a sender should do next.
    pub next: &'static str,
}

impl Advice {
    pub(super) fn new(code: Code, status: Option<Enhanced>) -> Self {
        Self {
            class: code.class(),
            meaning: code.meaning(),
            detail: status.and_then(Enhanced::text),
            next: next(code),
        }
    }
}

/// By the code alone; the command that it answers may say more (552 to RCPT, any 5yz to EHLO, STARTTLS or AUTH).
const fn next(code: Code) -> &'static str {
    match code {
        Code::CANNOT_VERIFY => "go on; whether the address exists shows at delivery",
        Code::CLOSING => "close the connection",
        Code::CHALLENGE => "answer the challenge, or cancel with *",
        Code::PRDR_READY => "read one reply for each accepted recipient, then one for the message",
        Code::START_MAIL => "send the message",
        Code::NOT_AVAILABLE => {
            "close the connection; what is unanswered may be tried again later, or at another host"
        }
        Code::TRANSITION_NEEDED => {
            "authenticate once with PLAIN over TLS, so that the server can set the password up"
        }
        Code::NO_STORAGE => {
            "after an accepted recipient, send the others in a further transaction; else try later"
        }
        Code::AUTH_TEMPORARY => "try again later; the credentials may be right",
        Code::UNRECOGNISED | Code::NOT_IMPLEMENTED => "do without the command; after EHLO, say HELO",
        Code::BAD_ARGUMENTS | Code::PARAMETER_NOT_IMPLEMENTED | Code::BAD_PARAMETER => {
            "do not send the same again; leave out what the server doesn't offer"
        }
        Code::BAD_SEQUENCE => "the two ends are out of step: RSET, or close the connection",
        Code::NO_MAIL_HOST => "close the connection; try another host of the domain, if it has one",
        Code::AUTH_REQUIRED => "start TLS if it is offered, then authenticate, and try again",
        Code::MECHANISM_TOO_WEAK => "authenticate with a stronger mechanism",
        Code::AUTH_FAILED => "correct the credentials; trying the same again may lock the account",
        Code::ENCRYPTION_REQUIRED => "start TLS, then authenticate",
        Code::NOT_LOCAL => "use the address given, if the one who gave it is trusted; else tell the sender",
        Code::TOO_BIG => "to RCPT after an accepted one, treat it as 452; else make the message smaller",
        Code::DOMAIN_NO_MAIL => "tell the sender: the domain accepts no mail",
        _ => match code.class() {
            Class::Completed => "go on",
            Class::Intermediate => "send what is expected",
            Class::Transient => "try the same again later",
            Class::Permanent => "do not try the same again; tell the sender",
        },
    }
}
