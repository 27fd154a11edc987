//! How long, how much, how often: every cap of the machines, with its source.

use core::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

/// How long a client waits (RFC 5321, 4.5.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientTimeouts {
    /// For the greeting: 5 minutes.
    pub greeting: Duration,
    /// For the reply to MAIL, RCPT, EHLO, AUTH and whatever has no time of its own: 5 minutes.
    pub command: Duration,
    /// For the 354: 2 minutes.
    pub data: Duration,
    /// For the transport to take one block of the message: 3 minutes.
    pub block: Duration,
    /// For the reply to the end of data: 10 minutes. In LMTP and under PRDR, for each of them.
    pub end_of_data: Duration,
    /// For the 221: 10 seconds, since nothing is lost by then.
    pub quit: Duration,
}

impl Default for ClientTimeouts {
    fn default() -> Self {
        Self {
            greeting: 5 * MINUTE,
            command: 5 * MINUTE,
            data: 2 * MINUTE,
            block: 3 * MINUTE,
            end_of_data: 10 * MINUTE,
            quit: MINUTE / 6,
        }
    }
}

/// How long a server waits (RFC 5321, 4.5.3.2.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerTimeouts {
    /// For a whole command, however slowly it drips: 5 minutes.
    pub command: Duration,
    /// For [`ServerLimits::block`] octets of a message: 5 minutes.
    pub block: Duration,
    /// For the transport to take the replies: 5 minutes.
    pub write: Duration,
}

impl Default for ServerTimeouts {
    fn default() -> Self {
        Self { command: 5 * MINUTE, block: 5 * MINUTE, write: 5 * MINUTE }
    }
}

/// How much a server takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerLimits {
    /// Octets of a command line with its CRLF. RFC 5321, 4.5.3.1.4 asks for 512 and what each extension adds: 2,048
    /// or more in all. Precedents: 1,000, 2,000, 2,048, 16 KiB. Less than 512 is
    /// [refused](crate::server::Config::check).
    pub line: usize,
    /// Octets of an AUTH response line with its CRLF: RFC 4954, 4 asks for 12,288.
    pub auth_line: usize,
    /// Recipients of a transaction. RFC 5321, 4.5.3.1.8 asks for 100. Precedents: 100, 1,000, 50,000.
    pub recipients: u32,
    /// Wrong commands in a session; the next one is answered 421. Precedents: 3, 10, 20.
    pub errors: u16,
    /// Failed AUTH commands in a session; the last one is followed by 421.
    pub auth_failures: u16,
    /// Octets of a message that must come within [`ServerTimeouts::block`]: a minimum rate. 64 KiB in 5 minutes is 218
    /// octets a second.
    pub block: u64,
    /// Octets of replies after which the machine asks for them to be written, whatever else waits.
    pub output: usize,
    /// Octets of a refused message that are drained where SIZE sets no limit. Where it does, 1.5 times that.
    pub drain: u64,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            line: 4096,
            auth_line: 12_288 + 2,
            recipients: 1000,
            errors: 20,
            auth_failures: 3,
            block: 64 * 1024,
            output: 16 * 1024,
            drain: 64 * 1024 * 1024,
        }
    }
}

/// How much a client takes and keeps in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientLimits {
    /// Octets of one line of a reply. RFC 5321, 4.5.3.1.5 says 512; servers exceed it. Precedents: 998, 2,048, 4,096.
    pub reply_line: usize,
    /// Octets of a whole reply. Precedents: 10 KiB, 64 KiB, none.
    pub reply: usize,
    /// Replies owed at once, at the most: the flight ends there. Small enough for the replies of any server to fit
    /// into the smallest socket buffers, so that two full pipes cannot stand against each other (RFC 2920, 3.1).
    pub flight_replies: u16,
    /// Octets of commands in one flight, at the most.
    pub flight: usize,
}

impl Default for ClientLimits {
    fn default() -> Self {
        Self { reply_line: 4096, reply: 64 * 1024, flight_replies: 512, flight: 16 * 1024 }
    }
}

/// One deadline: armed when a wait begins and kept while it lasts, so that a dripping peer cannot extend it. The time that
/// the embedder takes for itself does not count.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Deadline {
    at: Option<Duration>,
    paused: Option<Duration>,
}

impl Deadline {
    /// The age at which to give up; arms itself where it isn't armed.
    pub(crate) fn arm(&mut self, now: Duration, span: Duration) -> Option<Duration> {
        if self.at.is_none() {
            self.at = Some(now.saturating_add(span));
        }
        self.at
    }

    /// The embedder has something to do, from now on.
    pub(crate) const fn pause(&mut self, now: Duration) {
        self.paused = Some(now);
    }

    /// The embedder is back, if it was away.
    pub(crate) fn resume(&mut self, now: Duration) {
        if let (Some(since), Some(at)) = (self.paused.take(), &mut self.at) {
            *at = at.saturating_add(now.saturating_sub(since));
        }
    }

    /// What was waited for has come.
    pub(crate) const fn clear(&mut self) {
        self.at = None;
    }
}
