//! What is counted.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use smtp_tokio::proto::session::{self, Outcome, Report};
use smtp_tokio::{Error, ErrorKind};

use crate::trace::record::Counts;

/// What one thread has counted; all of them, added up.
#[derive(Debug)]
pub(super) struct Tally {
    /// Messages that were taken for every recipient.
    pub(super) delivered: u64,
    /// Those that were not: known when all is over.
    pub(super) failed: u64,
    /// Recipients that were served.
    pub(super) recipients: u64,
    /// Octets of the messages that were taken.
    pub(super) octets: u64,
    /// Connections that came about.
    pub(super) connections: u64,
    /// What went over the wire.
    pub(super) wire: Counts,
    /// Of messages, in microseconds.
    pub(super) latency: Histogram<u64>,
    /// Of connecting, up to the reply to EHLO, in microseconds.
    pub(super) connecting: Histogram<u64>,
    /// How often what went wrong.
    pub(super) errors: BTreeMap<String, u64>,
}

impl Tally {
    pub(super) fn new() -> Self {
        // 3 digits are always possible; the range grows as it has to.
        let histogram = || Histogram::new(3).unwrap_or_else(|_| unreachable!("3 digits"));
        Self {
            delivered: 0,
            failed: 0,
            recipients: 0,
            octets: 0,
            connections: 0,
            wire: Counts::default(),
            latency: histogram(),
            connecting: histogram(),
            errors: BTreeMap::new(),
        }
    }

    /// What became of a message of so many octets, after this time.
    pub(super) fn report(&mut self, report: &Report, octets: u64, took: Duration) {
        self.recipients += report.delivered() as u64;
        if report.all_delivered() {
            self.delivered += 1;
            self.octets += octets;
            record(&mut self.latency, took);
            return;
        }
        for outcome in report.outcomes().filter(|outcome| !outcome.is_delivered()) {
            self.error(match outcome {
                Outcome::Replied { stage, reply, .. } => format!("{stage}: {}", reply.code()),
                other => other.to_string(),
            });
        }
    }

    /// A connection came about after this time.
    pub(super) fn connected(&mut self, took: Duration) {
        self.connections += 1;
        record(&mut self.connecting, took);
    }

    /// A connection, or an attempt at one, failed.
    pub(super) fn broke(&mut self, error: &Error) {
        let stage = error.stage();
        self.error(match error.kind() {
            ErrorKind::Io(error) => format!("{stage}: {}", error.kind()),
            ErrorKind::Session(session::Error::Refused { stage, reply }) => {
                format!("{stage}: {}", reply.code())
            }
            ErrorKind::Session(error) => error.to_string(),
            other => format!("{stage}: {other}"),
        });
    }

    /// Something went wrong.
    pub(super) fn error(&mut self, what: String) {
        *self.errors.entry(what).or_default() += 1;
    }

    /// A connection is over.
    pub(super) const fn wired(&mut self, counts: Counts) {
        self.wire.sent += counts.sent;
        self.wire.received += counts.received;
        self.wire.writes += counts.writes;
        self.wire.round_trips += counts.round_trips;
    }

    /// Adds another one's counts.
    pub(super) fn add(&mut self, other: Self) {
        self.delivered += other.delivered;
        self.recipients += other.recipients;
        self.octets += other.octets;
        self.connections += other.connections;
        self.wired(other.wire);
        // Neither has a range that could be too small.
        let _ = self.latency.add(&other.latency);
        let _ = self.connecting.add(&other.connecting);
        for (what, times) in other.errors {
            *self.errors.entry(what).or_default() += times;
        }
    }
}

fn record(histogram: &mut Histogram<u64>, took: Duration) {
    // It grows as it has to.
    let _ = histogram.record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
}
