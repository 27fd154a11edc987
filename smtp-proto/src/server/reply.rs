//! What a server says: the embedder's replies, and what the machine adds to them.

use bytes::{BufMut, BytesMut};

use super::owed::Owed;
use super::receive::Receiving;
use super::{Phase, Server, answers as say, state, usual};
use crate::auth::Base64;
use crate::command::Verb;
use crate::error::{NotNow, Violation};
use crate::extension::Extension;
use crate::reply::Reply;
use crate::status::{Class, Code, Enhanced};

impl Server {
    /// Answers what is owed: appends the reply to `output` and moves on as its code says.
    ///
    /// A 250 to EHLO or LHLO is followed by the capabilities; the greeting, 221 and 421 get the server's name in front;
    /// an enhanced status code is added where one is due and missing (RFC 2034). A 421 or 521 ends the connection.
    ///
    /// # Errors
    ///
    /// [`NotNow`] if no reply is owed, or if the code doesn't answer what was asked. Nothing is changed then.
    pub fn reply(&mut self, reply: &Reply<'_>, output: &mut BytesMut) -> Result<(), NotNow> {
        let code = reply.code();
        self.owed.admits(code)?;
        let owed = core::mem::replace(&mut self.owed, Owed::Nothing);
        let accepted = code.class() == Class::Completed;
        match owed {
            Owed::Hello(verb) if accepted => {
                let offered = state::offered(&self.state, &self.config, &self.capabilities);
                self.state.hello_accepted(verb, offered);
                self.write_hello(verb, reply, output);
                self.flush = true;
                return Ok(());
            }
            Owed::Message { left: 1 } => self.state.transaction_over(),
            Owed::Message { left } => self.owed = Owed::Message { left: left - 1 },
            Owed::Data if code == Code::START_MAIL => {
                self.phase = Phase::Message(Receiving::data(self.config.policy.line_ends));
            }
            Owed::Chunk if !accepted => self.chunk_refused(),
            Owed::Mail(declared) if accepted => self.state.mail_accepted(declared),
            Owed::Rcpt if accepted => self.state.rcpt_accepted(),
            Owed::StartTls if accepted => self.phase = Phase::StartTls,
            Owed::Auth if accepted => self.state.authenticated = true,
            // Whatever it is answered: a client that gave its recipients up must not reach them with its next message.
            Owed::Rset => self.state.transaction_over(),
            Owed::Xclient if accepted => {
                self.state.new_session();
                self.owed = Owed::Nothing;
            }
            Owed::Quit if accepted => self.phase = Phase::Closed,
            Owed::Greeting if !accepted => self.state.turned_away = true,
            _ => {}
        }
        self.flush |= owed.is_urgent();
        self.write_with_status(reply, &owed, output);
        if matches!(code, Code::NOT_AVAILABLE | Code::NO_MAIL_HOST) {
            self.phase = Phase::Closed;
            self.owed = Owed::Nothing;
        }
        self.count(&owed, code, output);
        Ok(())
    }

    /// Whether a reply is owed, and how many.
    #[must_use]
    pub const fn owed(&self) -> u32 {
        match self.owed {
            Owed::Nothing => 0,
            Owed::Message { left } => left,
            _ => 1,
        }
    }

    /// The reply that a server gives which has no opinion: it accepts what a transaction is made of, and refuses what
    /// it can't do. `None` if no reply is owed.
    #[must_use]
    pub const fn default_reply(&self) -> Option<Reply<'static>> {
        Some(match self.owed {
            Owed::Nothing => return None,
            Owed::Greeting => usual::GREETING,
            Owed::Hello(_) => usual::HELLO,
            Owed::Data => Reply::fixed(Code::START_MAIL, None, "end data with CRLF.CRLF"),
            Owed::StartTls => Reply::fixed(Code::READY, Some(Enhanced::fixed(2, 0, 0)), "go ahead"),
            Owed::Auth => usual::NO_LOGIN,
            Owed::Quit => Reply::fixed(Code::CLOSING, Some(Enhanced::fixed(2, 0, 0)), "closing"),
            Owed::Xclient => {
                Reply::fixed(Code::MAILBOX_UNAVAILABLE, Some(Enhanced::fixed(5, 7, 0)), "not for you")
            }
            Owed::Plain(Verb::Vrfy) => usual::CANNOT_VERIFY,
            Owed::Plain(Verb::Help) => Reply::fixed(Code::HELP, None, "see RFC 5321"),
            Owed::Plain(Verb::Expn | Verb::Etrn | Verb::Xforward) => say::NOT_IMPLEMENTED,
            Owed::Unknown { recognised: true } => say::NOT_IMPLEMENTED,
            Owed::Unknown { recognised: false } => say::UNKNOWN,
            _ => usual::OK,
        })
    }

    /// Asks the client for another response in an AUTH exchange: 334 and `data` in base64.
    ///
    /// # Errors
    ///
    /// [`NotNow`] if the last event was neither `Auth` nor `AuthResponse`, or is answered.
    pub fn challenge(&mut self, data: &[u8], output: &mut BytesMut) -> Result<(), NotNow> {
        match self.owed {
            Owed::Auth => {}
            Owed::Nothing => return Err(NotNow::NothingOwed),
            _ => return Err(NotNow::WrongCode(Code::CHALLENGE)),
        }
        self.owed = Owed::Nothing;
        self.phase = Phase::AuthResponse;
        output.put_slice(b"334 ");
        output.put_slice(Base64::encode(data).as_str().as_bytes());
        output.put_slice(b"\r\n");
        Ok(())
    }

    /// Unknown commands and failed logins add up to a 421.
    pub(super) fn count(&mut self, owed: &Owed, code: Code, output: &mut BytesMut) {
        let refused = code.class() == Class::Permanent;
        match owed {
            Owed::Unknown { .. } if refused => self.errors = self.errors.saturating_add(1),
            Owed::Auth if refused => self.auth_failures = self.auth_failures.saturating_add(1),
            _ => return,
        }
        let limits = &self.config.limits;
        if self.errors > limits.errors || self.auth_failures >= limits.auth_failures {
            self.close_with(&Violation::TooManyErrors.reply().unwrap_or(say::SHUTTING_DOWN), output);
        }
    }

    pub(super) fn close_with(&mut self, reply: &Reply<'static>, output: &mut BytesMut) {
        self.phase = Phase::Closed;
        self.owed = Owed::Nothing;
        self.write(reply, output);
    }

    /// Writes a reply that needs nothing added but the name in front of 221 and 421, and of the greeting.
    pub(super) fn write(&self, reply: &Reply<'_>, output: &mut BytesMut) {
        let utf8 = self.state.transaction.as_ref().is_some_and(|t| t.declared.smtputf8);
        match reply.code() {
            Code::READY | Code::CLOSING | Code::NOT_AVAILABLE => self.write_named(reply, output),
            _ => reply.write(utf8, output),
        }
    }

    /// RFC 2034: a status on every reply to a client that was told of it, but for the greeting, EHLO and 3yz.
    pub(super) fn write_with_status(&self, reply: &Reply<'_>, owed: &Owed, output: &mut BytesMut) {
        let due = self.state.offered.contains(Extension::EnhancedStatusCodes)
            && reply.status().is_none()
            && !matches!(owed, Owed::Greeting | Owed::Hello(_));
        match owed.status(reply.code().class()) {
            Some(status) if due => self.write(&reply.as_borrowed().with_status(status), output),
            _ if matches!(owed, Owed::StartTls) => reply.write(false, output),
            _ => self.write(reply, output),
        }
    }

    /// RFC 5321, 4.2: the greeting, 221 and 421 start with the domain.
    pub(super) fn write_named(&self, reply: &Reply<'_>, output: &mut BytesMut) {
        let domain = self.config.domain.as_str();
        if reply.lines().next().is_some_and(|line| names(line.text, domain)) {
            return reply.write(false, output);
        }
        let text = alloc::format!("{domain} {}", reply.text());
        match Reply::new(reply.code(), text) {
            Ok(named) => match reply.status() {
                Some(status) => named.with_status(status).write(false, output),
                None => named.write(false, output),
            },
            // The text was a reply's and the name a domain's: neither holds a control character.
            Err(_) => reply.write(false, output),
        }
    }

    pub(super) fn write_hello(&self, verb: Verb, reply: &Reply<'_>, output: &mut BytesMut) {
        if verb == Verb::Helo {
            return self.write_named(reply, output);
        }
        let text = reply.text();
        let text = text.lines().next().unwrap_or_default();
        let listed =
            self.capabilities.clone().restricted_to(self.state.offered).with_mechanisms(self.mechanisms());
        // RFC 2033, 5: they are offered in any case.
        let listed = match verb {
            Verb::Lhlo => listed.with(Extension::Pipelining).with(Extension::EnhancedStatusCodes),
            _ => listed,
        };
        let domain = self.config.domain.as_str();
        if names(text.as_bytes(), domain) {
            listed.write_ehlo(text, output);
        } else {
            listed.write_ehlo(&alloc::format!("{domain} {text}"), output);
        }
    }
}

/// Whether a reply's first line starts with the domain already.
fn names(text: &[u8], domain: &str) -> bool {
    matches!(text.strip_prefix(domain.as_bytes()), Some([] | [b' ', ..]))
}
