//! What became of the messages: a row for each recipient, and the sums.

use std::fmt;
use std::io::{self, Write as _};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use anstyle::Style;
use serde::Serialize;
use smtp_tokio::proto::session::{NotSent, Outcome, Verdict};
use smtp_tokio::proto::stage::Stage;

use super::advice;
use super::deliver::Delivered;
use super::progress::Progress;
use super::server::Server;
use crate::exit::{self, complain};
use crate::style;

/// Takes the results, prints them and adds them up.
#[derive(Debug)]
pub(super) struct Results {
    server: Server,
    recipients: Vec<String>,
    json: bool,
    quiet: bool,
    /// Rows name their message.
    named: bool,
    started: Instant,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    counts: Counts,
    progress: Progress,
    /// The widest name so far.
    width: usize,
    /// What was said last: the same is not said again and again.
    complaint: String,
}

/// What became of a message for one recipient, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Fate {
    /// The server took it over.
    Delivered,
    /// It said no, for good.
    Refused,
    /// It said no for now.
    Deferred,
    /// It was never handed over.
    Unsent,
    /// It was handed over, and there was no answer.
    Unknown,
}

/// The sums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Counts {
    /// Messages that were dealt with.
    messages: u64,
    /// Their recipients: the sum of the five below.
    recipients: u64,
    delivered: u64,
    refused: u64,
    deferred: u64,
    unsent: u64,
    unknown: u64,
    /// How often a message was tried again.
    retries: u64,
    /// Files that could not be read.
    unreadable: u64,
}

#[derive(Serialize)]
struct Row<'r> {
    message: &'r str,
    to: &'r str,
    outcome: Fate,
    #[serde(skip_serializing_if = "Option::is_none")]
    stage: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    text: String,
    tries: u32,
}

#[derive(Serialize)]
struct Summary {
    summary: Counts,
    seconds: f64,
}

impl Results {
    pub(super) fn new(
        server: Server,
        recipients: Vec<String>,
        progress: Progress,
        named: bool,
        (json, quiet): (bool, bool),
    ) -> Self {
        let state = State { counts: Counts::default(), progress, width: 0, complaint: String::new() };
        let started = Instant::now();
        Self { server, recipients, json, quiet, named, started, state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A message that was dealt with.
    pub(super) fn take(&self, delivered: &Delivered) {
        let Delivered { item, report, error, tries } = delivered;
        let mut rows = Vec::new();
        let state = &mut *self.state();
        let named = self.named || item.quoted;
        if named {
            state.width = state.width.max(item.name.len());
        }
        for (outcome, to) in report.outcomes().zip(&self.recipients) {
            let fate = Fate::of(&outcome);
            state.counts.add(fate);
            if self.quiet && fate == Fate::Delivered {
                continue;
            }
            if self.json {
                let row = Row::new(&item.name, to, fate, &outcome, *tries);
                rows.push(serde_json::to_string(&row).unwrap_or_default());
            } else {
                let widest = self.recipients.iter().map(String::len).max().unwrap_or_default();
                let name = if named {
                    format!("{:width$}  ", item.name, width = state.width)
                } else {
                    String::new()
                };
                let (color, text) = (fate.style(), describe(&outcome));
                rows.push(format!("{name}{to:widest$}  {color}{fate:9}{color:#}  {text}"));
            }
        }
        state.counts.messages += 1;
        state.counts.retries += u64::from(tries - 1);
        let complaint = error.as_ref().map(|error| advice::explain(error, &self.server)).unwrap_or_default();
        let Counts { messages, recipients, delivered, .. } = state.counts;
        state.progress.print(|| {
            say(&rows);
            if !complaint.is_empty() && complaint != state.complaint {
                complain(&complaint);
            }
        });
        if !complaint.is_empty() {
            state.complaint = complaint;
        }
        state.progress.advance(item.octets, messages, recipients - delivered);
    }

    /// A file that can't be read.
    pub(super) fn unreadable(&self, name: &str, error: &io::Error) {
        let mut state = self.state();
        state.counts.unreadable += 1;
        state.progress.print(|| complain(format_args!("{name}: {error}")));
    }

    /// Says how it came out, and gives the exit code. `whole` is whether every message was dealt with.
    pub(super) fn finish(&self, whole: bool) -> u8 {
        let state = self.state();
        let (counts, seconds) = (state.counts, self.started.elapsed().as_secs_f64());
        state.progress.finish();
        if self.json {
            let summary = Summary { summary: counts, seconds };
            say(&[serde_json::to_string(&summary).unwrap_or_default()]);
        } else if self.named || counts.messages != 1 || !whole {
            let rate = counts.messages as f64 / seconds.max(0.001);
            complain(format_args!("{counts}, in {seconds:.1} s ({rate:.0} messages/s)"));
        }
        if !whole {
            complain("the other messages were not tried");
        }
        counts.verdict(whole)
    }
}

impl Counts {
    fn add(&mut self, fate: Fate) {
        self.recipients += 1;
        let count = match fate {
            Fate::Delivered => &mut self.delivered,
            Fate::Refused => &mut self.refused,
            Fate::Deferred => &mut self.deferred,
            Fate::Unsent => &mut self.unsent,
            Fate::Unknown => &mut self.unknown,
        };
        *count += 1;
    }

    const fn verdict(&self, whole: bool) -> u8 {
        match self {
            Self { refused: 1.., .. } => exit::UNAVAILABLE,
            _ if !whole || self.delivered < self.recipients => exit::TEMP_FAIL,
            Self { unreadable: 1.., .. } => exit::NO_INPUT,
            _ => 0,
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { delivered, refused, deferred, unsent, unknown, .. } = self;
        let (messages, recipients) = (many(self.messages, "message"), many(self.recipients, "recipient"));
        write!(f, "{messages} for {recipients}: {delivered} delivered, {refused} refused, ")?;
        write!(f, "{deferred} deferred, {unsent} unsent, {unknown} unknown")?;
        if self.retries > 0 {
            write!(f, "; tried again {}", many(self.retries, "time"))?;
        }
        if self.unreadable > 0 {
            write!(f, "; {} could not be read", many(self.unreadable, "file"))?;
        }
        Ok(())
    }
}

impl Fate {
    fn of(outcome: &Outcome<'_>) -> Self {
        match (outcome, outcome.verdict()) {
            (_, Verdict::Delivered) => Self::Delivered,
            (_, Verdict::Failed) => Self::Refused,
            (_, Verdict::Unknown) => Self::Unknown,
            (Outcome::NotSent(_), _) => Self::Unsent,
            _ => Self::Deferred,
        }
    }

    const fn style(self) -> Style {
        match self {
            Self::Delivered => style::GOOD,
            Self::Refused => style::BAD,
            Self::Deferred | Self::Unsent | Self::Unknown => style::WARN,
        }
    }
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Delivered => "delivered",
            Self::Refused => "refused",
            Self::Deferred => "deferred",
            Self::Unsent => "unsent",
            Self::Unknown => "unknown",
        })
    }
}

impl<'r> Row<'r> {
    fn new(message: &'r str, to: &'r str, outcome: Fate, told: &Outcome<'_>, tries: u32) -> Self {
        let (stage, reply) = match told {
            Outcome::Replied { stage, reply, .. } => (Some(stage.to_string()), Some(reply)),
            _ => (None, None),
        };
        Self {
            message,
            to,
            outcome,
            stage,
            code: reply.map(|reply| reply.code().as_u16()),
            status: reply.and_then(|reply| reply.status()).map(|status| status.to_string()),
            text: reply.map_or_else(|| describe(told), |reply| reply.text().into_owned()),
            tries,
        }
    }
}

/// So many of them.
pub(super) fn many(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn describe(outcome: &Outcome<'_>) -> String {
    match outcome {
        Outcome::Replied { reply, .. } if outcome.is_delivered() => reply.to_string(),
        Outcome::Replied { stage, reply, .. } => format!("{reply} (to {stage})"),
        Outcome::NotSent(NotSent::Lost(Stage::Connect)) => "no connection".into(),
        Outcome::NotSent(why) => why.to_string(),
        Outcome::Unknown(why) => format!("{why}; it may have been taken"),
        _ => String::from("not known"),
    }
}

/// Whether anybody reads them changes nothing.
fn say(lines: &[String]) {
    let mut out = style::stdout();
    for line in lines {
        let _ = writeln!(out, "{line}");
    }
    let _ = out.flush();
}
