//! What replies change.
//!
//! 1. Every transition of the session's state stands here, and nothing else does: no octets, no buffers, no time.
//! 2. Some of the state runs ahead of the replies (what was sent), some follows them (what was answered): each field
//!    says which.

use crate::extension::Domains;
use crate::stage::{Protocol, Stage};
use crate::status::{Class, Code};

#[derive(Clone, Debug, Default)]
pub(super) struct State {
    pub(super) tls: bool,
    pub(super) greeted: bool,
    /// Sent: the last greeting command was EHLO or LHLO, whose response lists capabilities.
    pub(super) extended: bool,
    pub(super) authenticated: bool,
    /// Told: who answers is who should.
    pub(super) authentic: bool,
    /// Answered: a 334 waits for its response.
    pub(super) challenged: bool,
    /// Sent: MAIL went out, and neither the end of its message nor RSET did. A refused MAIL takes it back.
    pub(super) open: bool,
    /// Sent: MAIL asked for PRDR.
    pub(super) prdr_asked: bool,
    /// Answered: the transaction whose replies are coming asked for it.
    pub(super) prdr: bool,
    /// Answered: the server accepted MAIL, and neither a RSET nor the end of the message.
    held: bool,
    /// Answered: recipients accepted since MAIL was.
    pub(super) accepted: u32,
    /// Answered: replies to the end of data that are still to come, once the first of several came.
    left: u32,
    /// Sent: MAIL commands in this session (RFC 9422, MAILMAX).
    pub(super) mails: u32,
    /// Sent, or about to be: the domains of this session's recipients, where their number is limited.
    pub(super) domains: Domains,
}

impl State {
    /// Whether `code` can answer `stage` at all.
    pub(super) const fn admits(&self, stage: Stage, code: Code) -> bool {
        match code.class() {
            // RFC 5321, 4.1.1.5: a transaction that RSET didn't end would get the next message, too.
            Class::Transient | Class::Permanent if matches!(stage, Stage::Rset) => {
                !self.held || matches!(code.as_u16(), 421 | 521)
            }
            Class::Transient | Class::Permanent => true,
            Class::Completed => match stage {
                Stage::Data => false,
                Stage::Greeting | Stage::StartTls => code.as_u16() == 220,
                Stage::Auth => code.as_u16() == 235,
                _ => true,
            },
            Class::Intermediate => match stage {
                Stage::Data => code.as_u16() == 354,
                Stage::Auth => code.as_u16() == 334,
                Stage::EndOfData | Stage::LastChunk => self.prdr && code.as_u16() == 353,
                _ => false,
            },
        }
    }

    /// TLS is on: all that was said before is forgotten (RFC 3207, 4.2).
    pub(super) fn tls_established(&mut self) {
        *self = Self { tls: true, ..Self::default() };
    }

    pub(super) const fn hello_sent(&mut self, extended: bool) {
        self.extended = extended;
    }

    pub(super) const fn mail_sent(&mut self, prdr: bool) {
        self.open = true;
        self.prdr_asked = prdr;
        self.mails = self.mails.saturating_add(1);
    }

    /// Whether this reply is the last one to its command: LMTP answers the end of data once per accepted recipient,
    /// PRDR too, between a 353 and a reply for the whole.
    pub(super) const fn ends(&mut self, stage: Stage, code: Code, protocol: Protocol) -> bool {
        if !matches!(stage, Stage::EndOfData | Stage::LastChunk) {
            return true;
        }
        self.left = match (self.left, protocol) {
            (0, _) if code.as_u16() == 353 => self.accepted + 1,
            (0, Protocol::Lmtp) if self.accepted > 0 => self.accepted - 1,
            (0, _) => 0,
            (left, _) => left - 1,
        };
        self.left == 0
    }

    /// A reply came; `later_mail` says whether a MAIL of a later transaction is in flight already, `nothing_later`
    /// whether the flight is over.
    pub(super) fn answered(&mut self, stage: Stage, code: Code, later_mail: bool, nothing_later: bool) {
        let accepted = matches!(code.class(), Class::Completed);
        match stage {
            Stage::Hello if accepted => {
                self.greeted = true;
                self.open = false;
                self.held = false;
            }
            Stage::Mail => {
                self.accepted = 0;
                self.prdr = self.prdr_asked;
                self.held |= accepted;
                if !accepted && !later_mail {
                    self.open = false;
                }
            }
            Stage::Rcpt if accepted => self.accepted += 1,
            // A refused last chunk leaves the transaction open (RFC 3030, 2): only RSET is sure to end it.
            Stage::Rset | Stage::LastChunk if accepted => self.held = false,
            Stage::LastChunk if nothing_later => self.open = true,
            Stage::EndOfData => self.held = false,
            Stage::Auth => {
                self.challenged = code.as_u16() == 334;
                self.authenticated = accepted;
            }
            Stage::Xclient if accepted => *self = Self { tls: self.tls, ..Self::default() },
            _ => {}
        }
    }
}
