//! How far it has come, while it goes on: a bar on a terminal, nothing elsewhere.

use std::io::{self, IsTerminal as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// What all threads have counted so far.
#[derive(Debug, Default)]
pub(super) struct Seen {
    delivered: AtomicU64,
    failed: AtomicU64,
    /// When the last of them was, in microseconds.
    last: AtomicU64,
}

impl Seen {
    /// A message was taken, or was not.
    pub(super) fn message(&self, delivered: bool, started: Instant) {
        let count = if delivered { &self.delivered } else { &self.failed };
        count.fetch_add(1, Ordering::Relaxed);
        let since = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.last.fetch_max(since, Ordering::Relaxed);
    }

    /// How long it took to the last message, if there was any.
    pub(super) fn last(&self) -> Option<Duration> {
        let last = self.last.load(Ordering::Relaxed);
        (last > 0).then(|| Duration::from_micros(last))
    }

    /// Messages that were taken.
    pub(super) fn delivered(&self) -> u64 {
        self.delivered.load(Ordering::Relaxed)
    }
}

/// The bar.
#[derive(Debug)]
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    time: Option<Duration>,
    /// How many there were a while ago, and when that was.
    before: (u64, Instant),
}

impl Progress {
    /// How often it is drawn, and how long an end may be overlooked.
    pub(super) const TICK: Duration = Duration::from_millis(50);

    /// One that ends after so many messages, or after this time, or shows only that it goes on.
    pub(super) fn new(messages: Option<u64>, time: Option<Duration>) -> Self {
        let bar = io::stderr().is_terminal().then(|| {
            let length = messages.or_else(|| time.and_then(|time| u64::try_from(time.as_millis()).ok()));
            let bar = length.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
            let form = if length.is_some() {
                "{bar:30} {percent:>3} %  {msg}  {eta} left"
            } else {
                "{spinner} {msg}"
            };
            if let Ok(style) = ProgressStyle::with_template(form) {
                bar.set_style(style);
            }
            bar
        });
        let time = if messages.is_none() { time } else { None };
        Self { bar, time, before: (0, Instant::now()) }
    }

    /// Draws it.
    pub(super) fn show(&mut self, seen: &Seen, started: Instant) {
        const WINDOW: Duration = Duration::from_secs(1);
        let Some(bar) = &self.bar else { return };
        let (delivered, failed) = (seen.delivered(), seen.failed.load(Ordering::Relaxed));
        let position = if self.time.is_some() {
            u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX)
        } else {
            delivered + failed
        };
        bar.set_position(position);
        let (since, at) = self.before;
        if at.elapsed() >= WINDOW {
            let rate = (delivered - since) as f64 / at.elapsed().as_secs_f64();
            let failed = if failed == 0 { String::new() } else { format!(", {failed} failed") };
            bar.set_message(format!("{delivered} messages{failed}, {rate:.0}/s"));
            self.before = (delivered, Instant::now());
        }
    }

    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
