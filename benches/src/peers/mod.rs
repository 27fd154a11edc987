//! What others do with the same octets, through what they make public.

mod bodies;
mod machines;
mod parsing;
mod sessions;
mod wire;

use crate::Case;

const ASYNC_SMTP: &str = "async-smtp";
const IO_SMTP: &str = "io-smtp";
const LETTRE: &str = "lettre";
const MAIL_SEND: &str = "mail-send";
const MAILIN: &str = "mailin";
const SMTP_CODEC: &str = "smtp-codec";
const STALWART: &str = "smtp-proto 0.2.5 (Stalwart)";

/// The cases of all of them.
pub fn cases() -> Vec<Case> {
    [parsing::cases(), bodies::cases(), machines::cases(), sessions::cases()].into_iter().flatten().collect()
}
