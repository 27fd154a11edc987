//! The rules of sequence: who may say what, when.
//!
//! 1. Every transition of the session's state stands here, and nothing else does: no octets, no buffers, no time.
//! 2. `permit` asks and changes nothing; the methods that change are named for what happened.

use alloc::string::String;

use super::answers as say;
use super::config::Config;
use super::terms;
use crate::address::ForwardPath;
use crate::auth::{Mechanism, MechanismName, Mechanisms};
use crate::command::{Command, Verb};
use crate::dot::Surveyor;
use crate::extension::{Capabilities, Domains, Extension, Extensions};
use crate::param::{BodyType, Declared};
use crate::reply::Reply;
use crate::stage::Protocol;

#[derive(Clone, Debug, Default)]
pub(super) struct State {
    pub(super) tls: bool,
    pub(super) authenticated: bool,
    /// The greeting refused the client: 503 to everything but QUIT (RFC 5321, 3.1).
    pub(super) turned_away: bool,
    /// The greeting command that was accepted.
    pub(super) hello: Option<Verb>,
    /// What may be used: what the EHLO response listed.
    pub(super) offered: Extensions,
    pub(super) transaction: Option<Transaction>,
    /// MAIL commands accepted in this session (RFC 9422: MAILMAX).
    mails: u32,
    /// Domains of accepted recipients in this session, where their number is limited (RFC 9422: RCPTDOMAINMAX).
    domains: Domains,
    /// The domain of the recipient that is being decided on.
    domain: Option<String>,
}

/// From an accepted MAIL to the last reply to its message, or RSET.
#[derive(Clone, Copy, Debug)]
pub(super) struct Transaction {
    pub(super) declared: Declared,
    /// Accepted recipients.
    pub(super) recipients: u32,
    /// BDAT was used: DATA may not be any more (RFC 3030, 3).
    pub(super) chunked: bool,
    /// A chunk was refused: what follows is drained (RFC 3030, 2).
    pub(super) failed: bool,
    /// Octets of content in the chunks so far.
    pub(super) received: u64,
    /// What is wrong with the chunks so far: a line end may stand across their border.
    pub(super) survey: Surveyor,
}

/// What is offered to a client as things stand.
pub(super) fn offered(state: &State, config: &Config, capabilities: &Capabilities<'static>) -> Extensions {
    let mut offered = capabilities.set();
    if state.tls {
        offered = offered.without(Extension::StartTls);
    } else {
        offered = offered.without(Extension::RequireTls);
    }
    if config.protocol == Protocol::Lmtp {
        offered = offered.with(Extension::Pipelining).with(Extension::EnhancedStatusCodes);
    }
    let own = !state.authenticated && capabilities.other_mechanisms().next().is_some();
    if mechanisms(state, config, capabilities).is_empty() && !own {
        offered = offered.without(Extension::Auth);
    }
    // RFC 6531, 3.1: without 8BITMIME nobody may offer SMTPUTF8; RFC 3030, 3: nor BINARYMIME without CHUNKING.
    if !offered.contains(Extension::EightBitMime) {
        offered = offered.without(Extension::SmtpUtf8);
    }
    if !offered.contains(Extension::Chunking) {
        offered = offered.without(Extension::BinaryMime);
    }
    offered
}

/// The mechanisms that may be used as things stand.
pub(super) fn mechanisms(state: &State, config: &Config, capabilities: &Capabilities<'static>) -> Mechanisms {
    let all = capabilities.mechanisms();
    if state.authenticated {
        return Mechanisms::NONE;
    }
    if state.tls {
        return all;
    }
    // Without TLS there is no channel to bind to, whatever the configuration.
    all.iter().filter(|m| !m.binds() && (config.auth_in_clear || !m.is_cleartext())).collect()
}

/// Whether this mechanism may be used as things stand.
fn usable(
    mechanism: &MechanismName<'_>,
    state: &State,
    config: &Config,
    capabilities: &Capabilities<'static>,
) -> bool {
    match mechanism.known() {
        Some(known) => mechanisms(state, config, capabilities).contains(known),
        // What they show to others is not known here: whoever lists them has to know.
        None => capabilities.other_mechanisms().any(|own| own.eq_ignore_ascii_case(mechanism.as_str())),
    }
}

impl State {
    /// Whether `command` may stand here; otherwise what to answer.
    pub(super) fn permit(
        &self,
        command: &Command<'_>,
        config: &Config,
        capabilities: &Capabilities<'static>,
    ) -> Result<(), Reply<'static>> {
        use Command as C;
        self.gate(command, config)?;
        let lmtp = config.protocol == Protocol::Lmtp;
        match command {
            C::Ehlo(_) | C::Helo(_) if lmtp => Err(say::NOT_LMTP),
            C::Lhlo(_) if !lmtp => Err(say::NOT_SMTP),
            C::Mail(mail) => {
                self.greeted()?;
                if self.transaction.is_some() {
                    return Err(say::NESTED_MAIL);
                }
                self.offers(&mail.declared, config)?;
                if !mail.from.is_ascii() && !mail.declared.smtputf8 {
                    return Err(say::MAIL_NEEDS_UTF8);
                }
                if capabilities.size().is_some_and(|limit| mail.declared.size > Some(limit)) {
                    return Err(say::TOO_BIG);
                }
                terms::kept(mail, capabilities)?;
                if capabilities.limits().mail_max.is_some_and(|max| self.mails >= max) {
                    return Err(say::TOO_MANY_MAILS);
                }
                Ok(())
            }
            C::Rcpt(rcpt) => {
                self.greeted()?;
                let Some(transaction) = &self.transaction else { return Err(say::NO_MAIL) };
                if transaction.chunked {
                    return Err(say::IN_CHUNKS);
                }
                self.offers(&rcpt.declared, config)?;
                if !rcpt.to.is_ascii() && !transaction.declared.smtputf8 {
                    return Err(say::RCPT_NEEDS_UTF8);
                }
                let max = capabilities.limits().rcpt_max.unwrap_or(config.limits.recipients);
                if transaction.recipients >= max.min(config.limits.recipients) {
                    return Err(say::TOO_MANY_RECIPIENTS);
                }
                let domains = capabilities.limits().rcpt_domain_max;
                if domains.is_some_and(|max| self.domains.is_over(&rcpt.to, max)) {
                    return Err(say::TOO_MANY_DOMAINS);
                }
                Ok(())
            }
            C::Data => {
                self.greeted()?;
                let Some(transaction) = &self.transaction else { return Err(say::NO_MAIL) };
                if transaction.chunked {
                    return Err(say::IN_CHUNKS);
                }
                if transaction.declared.body == BodyType::BinaryMime {
                    return Err(say::BINARY_NEEDS_BDAT);
                }
                match transaction.recipients {
                    // RFC 2033, 4.2 wants exactly 503; RFC 5321, 3.3 allows it and 554.
                    0 if lmtp => Err(say::NO_RCPT),
                    0 => Err(say::NO_VALID_RCPT),
                    _ => Ok(()),
                }
            }
            C::Bdat { .. } => {
                self.greeted()?;
                match &self.transaction {
                    None => Err(say::NO_MAIL),
                    Some(t) if t.failed => Err(say::CHUNK_FAILED),
                    Some(t) if t.recipients == 0 => Err(say::NO_RCPT),
                    Some(_) => Ok(()),
                }
            }
            C::StartTls => {
                if self.tls {
                    return Err(say::TLS_ACTIVE);
                }
                self.listed(Extension::StartTls)?;
                self.outside_transaction()
            }
            C::Auth { mechanism, initial } => {
                self.greeted()?;
                if self.authenticated {
                    return Err(say::AUTH_TWICE);
                }
                self.listed(Extension::Auth)?;
                self.outside_transaction()?;
                if !usable(mechanism, self, config, capabilities) {
                    return Err(say::MECHANISM);
                }
                if initial.is_some() && mechanism.known() == Some(Mechanism::CramMd5) {
                    return Err(say::NO_INITIAL);
                }
                Ok(())
            }
            C::Help(_) => self.listed_before_hello(Extension::Help, capabilities),
            C::Expn(_) => self.listed_before_hello(Extension::Expn, capabilities),
            C::Etrn(_) => self.listed(Extension::Etrn).and_then(|()| self.outside_transaction()),
            C::Xclient(_) => self.listed(Extension::Xclient).and_then(|()| self.outside_transaction()),
            C::Xforward(_) => self.listed(Extension::Xforward),
            _ => Ok(()),
        }
    }

    /// What stands before every other rule: a refused client, TLS first, AUTH first.
    fn gate(&self, command: &Command<'_>, config: &Config) -> Result<(), Reply<'static>> {
        use Command as C;
        if self.turned_away && !matches!(command, C::Quit) {
            return Err(say::TURNED_AWAY);
        }
        let always = matches!(command, C::Noop(_) | C::Ehlo(_) | C::Lhlo(_) | C::StartTls | C::Quit);
        if config.require_tls && !self.tls && !always {
            return Err(say::TLS_FIRST);
        }
        // XCLIENT is offered to whom it is believed from, and its LOGIN is a login.
        let before_auth = always || matches!(command, C::Auth { .. } | C::Helo(_) | C::Rset | C::Xclient(_));
        if config.require_auth && !self.authenticated && !before_auth {
            return Err(say::AUTH_FIRST);
        }
        Ok(())
    }

    const fn greeted(&self) -> Result<(), Reply<'static>> {
        if self.hello.is_some() { Ok(()) } else { Err(say::NO_HELLO) }
    }

    /// Whether a BDAT can be taken for one: CHUNKING was listed, or would be if the client had asked.
    pub(super) const fn may_chunk(&self, capabilities: &Capabilities<'static>) -> bool {
        match self.hello {
            None => capabilities.has(Extension::Chunking),
            Some(_) => self.offered.contains(Extension::Chunking),
        }
    }

    const fn outside_transaction(&self) -> Result<(), Reply<'static>> {
        if self.transaction.is_none() { Ok(()) } else { Err(say::IN_TRANSACTION) }
    }

    /// An extension's verb is served only after an EHLO response that listed it.
    const fn listed(&self, extension: Extension) -> Result<(), Reply<'static>> {
        match self.hello {
            None => Err(say::NO_HELLO),
            Some(_) if self.offered.contains(extension) => Ok(()),
            Some(_) => Err(say::NOT_IMPLEMENTED),
        }
    }

    /// HELP and EXPN work before EHLO, where they are offered at all (RFC 5321, 4.1.4).
    fn listed_before_hello(
        &self,
        extension: Extension,
        capabilities: &Capabilities<'static>,
    ) -> Result<(), Reply<'static>> {
        if capabilities.has(extension) { Ok(()) } else { Err(say::NOT_IMPLEMENTED) }
    }

    /// Every parameter belongs to an extension that was offered, else 555 (RFC 5321, 4.1.1.11).
    const fn offers(&self, declared: &Declared, config: &Config) -> Result<(), Reply<'static>> {
        let unknown = declared.unknown && !config.unknown_parameters;
        if unknown || !self.offered.contains_all(declared.needs) {
            return Err(say::PARAMETER);
        }
        Ok(())
    }

    pub(super) const fn mail_accepted(&mut self, declared: Declared) {
        self.mails += 1;
        self.transaction = Some(Transaction {
            declared,
            recipients: 0,
            chunked: false,
            failed: false,
            received: 0,
            survey: Surveyor::new(),
        });
    }

    /// RCPT stands where it may, and awaits its reply.
    pub(super) fn rcpt_asked(&mut self, to: &ForwardPath<'_>, capabilities: &Capabilities<'static>) {
        let counted = capabilities.limits().rcpt_domain_max.is_some();
        self.domain = if counted { Domains::of(to) } else { None };
    }

    pub(super) fn rcpt_accepted(&mut self) {
        self.domains.add(self.domain.take());
        if let Some(transaction) = &mut self.transaction {
            transaction.recipients += 1;
        }
    }

    pub(super) const fn transaction_over(&mut self) {
        self.transaction = None;
    }

    /// EHLO, HELO or LHLO was accepted: like RSET, and what may be used is settled anew (RFC 5321, 4.1.4).
    pub(super) const fn hello_accepted(&mut self, verb: Verb, offered: Extensions) {
        self.transaction = None;
        self.hello = Some(verb);
        self.offered = match verb {
            Verb::Helo => Extensions::NONE,
            _ => offered,
        };
    }

    /// TLS is on: all that was said before is forgotten (RFC 3207, 4.2).
    pub(super) fn tls_established(&mut self) {
        *self = Self { tls: true, ..Self::default() };
    }

    /// XCLIENT was accepted: a new session on the same transport.
    pub(super) fn new_session(&mut self) {
        *self = Self { tls: self.tls, ..Self::default() };
    }

    /// How many replies the end of the message is owed.
    pub(super) const fn replies(&self, protocol: Protocol) -> u32 {
        match (&self.transaction, protocol) {
            (Some(t), Protocol::Lmtp) => t.recipients,
            (Some(t), Protocol::Smtp) if t.declared.prdr => t.recipients + 1,
            _ => 1,
        }
    }
}
