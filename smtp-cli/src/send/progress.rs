//! How far it has come: a bar on a terminal, a line now and then elsewhere.

use std::io::{self, IsTerminal as _};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::results::many;
use crate::exit::complain;

/// How often a line is printed, where there is no terminal.
const EVERY: Duration = Duration::from_secs(5);

/// How often the bar is drawn anew, whether or not anything happens.
const TICK: Duration = Duration::from_millis(200);

/// Shows how far it has come on standard error. What is counted is octets of the files, since nobody knows how many messages
/// an mbox has before it was read.
#[derive(Debug)]
pub(super) enum Progress {
    /// Nothing is shown.
    Off,
    /// On a terminal.
    Bar(ProgressBar, Instant),
    /// A line every few seconds.
    Lines { started: Instant, last: Instant, done: u64, all: u64 },
}

impl Progress {
    pub(super) fn new(octets: u64) -> Self {
        let now = Instant::now();
        if !io::stderr().is_terminal() {
            return Self::Lines { started: now, last: now, done: 0, all: octets };
        }
        let bar = ProgressBar::new(octets);
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {percent:>3} %  {msg}  {eta} left") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(TICK);
        Self::Bar(bar, now)
    }

    /// Prints something that is not to be drawn over.
    pub(super) fn print(&self, print: impl FnOnce()) {
        match self {
            Self::Bar(bar, _) => bar.suspend(print),
            Self::Off | Self::Lines { .. } => print(),
        }
    }

    /// One more message of so many octets is done.
    pub(super) fn advance(&mut self, octets: u64, messages: u64, failed: u64) {
        match self {
            Self::Off => {}
            Self::Bar(bar, started) => {
                bar.inc(octets);
                bar.set_message(told(messages, failed, *started));
            }
            Self::Lines { started, last, done, all } => {
                *done += octets;
                if last.elapsed() < EVERY {
                    return;
                }
                *last = Instant::now();
                let share = *done as f64 / (*all).max(1) as f64;
                let left = started.elapsed().as_secs_f64() * (1.0 - share) / share.max(f64::EPSILON);
                let told = told(messages, failed, *started);
                complain(format_args!("{:.0} %: {told}, {left:.0} s left", share * 100.0));
            }
        }
    }

    pub(super) fn finish(&self) {
        if let Self::Bar(bar, _) = self {
            bar.finish_and_clear();
        }
    }
}

fn told(messages: u64, failed: u64, started: Instant) -> String {
    let rate = messages as f64 / started.elapsed().as_secs_f64().max(0.001);
    let failed =
        if failed == 0 { String::new() } else { format!(", {} not served", many(failed, "recipient")) };
    format!("{}{failed}, {rate:.0}/s", many(messages, "message"))
}
