//! What the machine says by itself, in one place.

use crate::reply::Reply;
use crate::status::{Code, Enhanced};

const fn say(code: Code, class: u8, subject: u16, detail: u16, text: &'static str) -> Reply<'static> {
    Reply::fixed(code, Some(Enhanced::fixed(class, subject, detail)), text)
}

macro_rules! answers {
    ($($name:ident = $code:ident $class:literal $subject:literal $detail:literal $text:literal;)*) => {
        $(pub(super) const $name: Reply<'static> = say(Code::$code, $class, $subject, $detail, $text);)*
    };
}

answers! {
    TURNED_AWAY = BAD_SEQUENCE 5 5 1 "only QUIT is served here";
    TLS_FIRST = AUTH_REQUIRED 5 7 0 "issue STARTTLS first";
    AUTH_FIRST = AUTH_REQUIRED 5 7 0 "authentication required";
    NO_HELLO = BAD_SEQUENCE 5 5 1 "greet first";
    NOT_LMTP = UNRECOGNISED 5 5 1 "this is LMTP: greet with LHLO";
    NOT_SMTP = UNRECOGNISED 5 5 1 "this is SMTP: greet with EHLO";
    NESTED_MAIL = BAD_SEQUENCE 5 5 1 "nested MAIL";
    MAIL_NEEDS_UTF8 = MAILBOX_UNAVAILABLE 5 6 7 "address needs SMTPUTF8";
    RCPT_NEEDS_UTF8 = BAD_MAILBOX_NAME 5 6 7 "address needs SMTPUTF8";
    TOO_BIG = TOO_BIG 5 3 4 "message too big";
    TOO_SOON = BAD_PARAMETER 5 5 4 "BY asks for more haste than DELIVERBY offers";
    TOO_LATE = BAD_ARGUMENTS 5 5 4 "to be held for longer than FUTURERELEASE offers";
    TOO_MANY_MAILS = NO_STORAGE 4 5 3 "too many messages on this connection";
    NO_MAIL = BAD_SEQUENCE 5 5 1 "MAIL first";
    NO_RCPT = BAD_SEQUENCE 5 5 1 "no valid recipients";
    NO_VALID_RCPT = FAILED 5 5 1 "no valid recipients";
    TOO_MANY_RECIPIENTS = NO_STORAGE 4 5 3 "too many recipients";
    TOO_MANY_DOMAINS = NO_STORAGE 4 5 3 "too many recipient domains on this connection";
    IN_CHUNKS = BAD_SEQUENCE 5 5 1 "the message has begun by BDAT";
    BINARY_NEEDS_BDAT = BAD_SEQUENCE 5 5 1 "BODY=BINARYMIME needs BDAT";
    CHUNK_FAILED = BAD_SEQUENCE 5 5 1 "an earlier chunk was refused";
    TLS_ACTIVE = BAD_SEQUENCE 5 5 1 "TLS is active";
    IN_TRANSACTION = BAD_SEQUENCE 5 5 1 "not within a transaction";
    AUTH_TWICE = BAD_SEQUENCE 5 5 1 "already authenticated";
    MECHANISM = PARAMETER_NOT_IMPLEMENTED 5 5 4 "mechanism not offered";
    NO_INITIAL = BAD_ARGUMENTS 5 7 0 "this mechanism takes no initial response";
    NOT_IMPLEMENTED = NOT_IMPLEMENTED 5 5 1 "not implemented";
    UNKNOWN = UNRECOGNISED 5 5 1 "command not recognised";
    PARAMETER = BAD_PARAMETER 5 5 4 "parameter not recognised or not implemented";
    LINE_TOO_LONG = UNRECOGNISED 5 5 2 "line too long";
    AUTH_LINE_TOO_LONG = UNRECOGNISED 5 5 6 "authentication exchange line too long";
    BAD_LINE_END = UNRECOGNISED 5 5 2 "a command line ends in CRLF and holds no other CR, LF or NUL";
    NOT_BASE64 = BAD_ARGUMENTS 5 5 2 "not base64";
    CANCELLED = BAD_ARGUMENTS 5 7 0 "authentication cancelled";
    BAD_CONTENT = MAILBOX_UNAVAILABLE 5 6 0 "message with a bare CR or LF, or a NUL, or 8-bit undeclared, or too long a line";
    SHUTTING_DOWN = NOT_AVAILABLE 4 3 2 "shutting down";
}
