use super::{Class, Code};

impl Code {
    /// What the code means; for one without a name, what its first two digits say (RFC 5321, 4.2.1).
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::SYSTEM_STATUS => "system status",
            Self::HELP => "help",
            Self::READY => "the server is ready",
            Self::CLOSING => "the server closes the connection, as asked",
            Self::AUTHENTICATED => "authentication succeeded",
            Self::OK => "done",
            Self::WILL_FORWARD => "the recipient is not here; the server forwards the message",
            Self::CANNOT_VERIFY => {
                "the address is not verified; the server accepts the message and tries delivery"
            }
            Self::CHALLENGE => "the server expects the next line of the authentication exchange",
            Self::PRDR_READY => "one reply for each recipient follows",
            Self::START_MAIL => "the server expects the message",
            Self::NOT_AVAILABLE => "the service is not available now; the server closes the connection",
            Self::TRANSITION_NEEDED => "the user has to set a new password first",
            Self::MAILBOX_BUSY => "the mailbox is not available now",
            Self::LOCAL_ERROR => "an error on the server",
            Self::NO_STORAGE => "the server is short of storage, or there are too many recipients",
            Self::AUTH_TEMPORARY => "TLS or authentication is not available now",
            Self::PARAMS_TEMPORARY => "the server can't honour the parameters now",
            Self::CANNOT_QUEUE => "messages can't be queued for this node",
            Self::NODE_REFUSED => "this node may not be asked for",
            Self::UNRECOGNISED => "the command is not recognised",
            Self::BAD_ARGUMENTS => "the arguments of the command are wrong",
            Self::NOT_IMPLEMENTED => "the command is not implemented",
            Self::BAD_SEQUENCE => "the command is out of order",
            Self::PARAMETER_NOT_IMPLEMENTED => "the parameter or mechanism is not implemented",
            Self::NO_MAIL_HOST => "the host accepts no mail",
            Self::AUTH_REQUIRED => "authentication or TLS is required first",
            Self::MECHANISM_TOO_WEAK => "the authentication mechanism is too weak",
            Self::AUTH_FAILED => "the credentials are not valid",
            Self::ENCRYPTION_REQUIRED => "the authentication mechanism needs TLS",
            Self::MAILBOX_UNAVAILABLE => "the mailbox doesn't exist, or access to it is refused",
            Self::NOT_LOCAL => "the recipient is not here; another address may be given",
            Self::TOO_BIG => "the message or the mailbox exceeds its storage",
            Self::BAD_MAILBOX_NAME => "the mailbox name is not allowed",
            Self::FAILED => "the transaction failed, or no mail is accepted here",
            Self::BAD_PARAMETER => "a parameter of MAIL or RCPT is not recognised",
            Self::DOMAIN_NO_MAIL => "the domain accepts no mail",
            _ => self.generic(),
        }
    }

    const fn generic(self) -> &'static str {
        match (self.class(), self.as_u16() / 10 % 10) {
            (Class::Completed, 1) => "information",
            (Class::Completed, 2) => "done, about the connection",
            (Class::Completed, 5) => "done, about the mail system",
            (Class::Completed, _) => "done",
            (Class::Intermediate, _) => "accepted so far, more is expected",
            (Class::Transient, 0) => "a syntax error, for now",
            (Class::Transient, 2) => "a failure of the connection, for now",
            (Class::Transient, 5) => "a failure of the mail system, for now",
            (Class::Transient, _) => "a failure, for now",
            (Class::Permanent, 0) => "a syntax error",
            (Class::Permanent, 2) => "a failure of the connection",
            (Class::Permanent, 5) => "a failure of the mail system",
            (Class::Permanent, _) => "a failure",
        }
    }
}
