//! What the server prints: lines for people and scripts, or JSON.

use std::fmt::Display;
use std::io::{self, Write as _};
use std::path::Path;

use serde::Serialize;

/// Prints what happens on standard output, a line each, at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Teller {
    pub(super) json: bool,
    /// Messages are not told of.
    pub(super) quiet: bool,
}

/// What happens.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub(super) enum Event<'e> {
    /// The CA to trust.
    Ca { file: &'e Path },
    /// An address is bound.
    Listening { address: &'e str, mode: &'e str },
    /// A message was taken.
    Message(Message<'e>),
    /// The server has ended.
    Total { messages: u64, size: u64 },
}

/// A message that was taken.
#[derive(Serialize)]
pub(super) struct Message<'m> {
    pub(super) id: &'m str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) client: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) user: Option<&'m str>,
    pub(super) from: &'m str,
    pub(super) to: Vec<&'m str>,
    /// MAIL's parameters.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) params: &'m str,
    pub(super) size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) file: Option<&'m Path>,
}

impl Teller {
    /// Whoever started this may have stopped reading: that changes nothing.
    pub(super) fn tell(self, event: &Event<'_>) {
        if self.quiet && matches!(event, Event::Message(_)) {
            return;
        }
        let line = if self.json { serde_json::to_string(event).unwrap_or_default() } else { event.line() };
        let mut out = io::stdout().lock();
        let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    }
}

impl Event<'_> {
    fn line(&self) -> String {
        match self {
            Event::Ca { file } => format!("ca {}", file.display()),
            Event::Listening { address, mode } => format!("listening {address} {mode}"),
            Event::Total { messages, size } => format!("total messages={messages} size={size}"),
            Event::Message(Message { id, from, to, size, file, .. }) => {
                let to: Vec<_> = to.iter().map(|to| format!("<{to}>")).collect();
                let file: &dyn Display = match file {
                    Some(file) => &file.display(),
                    None => &"-",
                };
                format!("message {id} from=<{from}> to={} size={size} file={file}", to.join(","))
            }
        }
    }
}
