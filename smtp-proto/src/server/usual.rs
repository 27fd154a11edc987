//! What a server says that has nothing to add.

use crate::reply::Reply;
use crate::status::{Code, Enhanced};

/// 220, as the greeting and to XCLIENT: the machine puts the server's name in front.
pub const GREETING: Reply<'static> = Reply::fixed(Code::READY, None, "ESMTP");

/// 250 to EHLO, HELO and LHLO: the machine adds what is offered.
pub const HELLO: Reply<'static> = Reply::fixed(Code::OK, None, "at your service");

/// 250, which takes a command or a message.
pub const OK: Reply<'static> = Reply::fixed(Code::OK, None, "ok");

/// 252 to VRFY (RFC 5321, 3.5.3): neither yes nor no.
pub const CANNOT_VERIFY: Reply<'static> =
    Reply::fixed(Code::CANNOT_VERIFY, Some(Enhanced::fixed(2, 5, 2)), "send some mail, we shall see");

/// 535 to AUTH (RFC 4954, 6).
pub const NO_LOGIN: Reply<'static> =
    Reply::fixed(Code::AUTH_FAILED, Some(Enhanced::fixed(5, 7, 8)), "credentials refused");
