//! A wire in memory, with a weather of its own: latency, cuts of reads, stalls, corruption, and an end.

use std::{collections::VecDeque, time::Duration};

use bytes::{Buf, Bytes, BytesMut};

/// xorshift64*: the same seed, the same weather.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Self((seed ^ 0x9e37_79b9_7f4a_7c15).max(1));
        for _ in 0..8 {
            random.next();
        }
        random
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Less than `n`, which is not 0.
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        (self.next() >> 11) % n
    }

    /// True in one of `n` cases.
    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// What happens to the octets of one direction.
#[derive(Clone, Debug)]
pub(crate) struct Weather {
    pub(crate) latency: Duration,
    /// Up to so much is added to the latency of each write.
    pub(crate) jitter: Duration,
    /// A read gives 1 to so many octets.
    pub(crate) read: usize,
    /// Octets that fit between writer and reader.
    pub(crate) window: usize,
    /// From this octet on, all comes later by that much.
    pub(crate) stall: Option<(u64, Duration)>,
    /// Each octet arrives so much behind the one ahead.
    pub(crate) drip: Option<Duration>,
    /// So many octets get through, then the connection is gone, both ways.
    pub(crate) cut: Option<u64>,
    /// What is on its way in the other direction at the cut is lost too.
    pub(crate) reset: bool,
    /// This octet is changed by that mask.
    pub(crate) flip: Option<(u64, u8)>,
    pub(crate) random: Random,
}

impl Default for Weather {
    /// Fair: what is written is there at once and whole.
    fn default() -> Self {
        Self {
            latency: Duration::ZERO,
            jitter: Duration::ZERO,
            read: usize::MAX,
            window: usize::MAX,
            stall: None,
            drip: None,
            cut: None,
            reset: false,
            flip: None,
            random: Random::new(0),
        }
    }
}

impl Weather {
    pub(crate) fn latency(latency: Duration) -> Self {
        Self { latency, ..Self::default() }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Read {
    Nothing,
    Octets,
    End,
}

/// One direction.
#[derive(Debug)]
pub(crate) struct Pipe {
    pub(crate) weather: Weather,
    /// When they arrive, and which.
    queue: VecDeque<(Duration, Bytes)>,
    unread: usize,
    written: u64,
    last: Duration,
    /// Nothing is taken any more; the reader sees the end at that time, behind what came before.
    end: Option<Duration>,
    cut: bool,
}

impl Pipe {
    pub(crate) fn new(weather: Weather) -> Self {
        let queue = VecDeque::new();
        Self { weather, queue, unread: 0, written: 0, last: Duration::ZERO, end: None, cut: false }
    }

    /// Octets that were written so far, those that were lost behind a cut too.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    pub(crate) fn is_ended(&self) -> bool {
        self.end.is_some()
    }

    /// Whether the weather ended it.
    pub(crate) fn is_cut(&self) -> bool {
        self.cut
    }

    pub(crate) fn is_full(&self) -> bool {
        self.end.is_none() && self.unread >= self.weather.window
    }

    /// Takes as many octets as fit.
    pub(crate) fn write(&mut self, now: Duration, octets: &[u8]) -> usize {
        if self.end.is_some() {
            self.written += octets.len() as u64;
            return octets.len();
        }
        let n = octets.len().min(self.weather.window.saturating_sub(self.unread));
        let mut octets = octets[..n].to_vec();
        let from = self.written;
        self.written += n as u64;
        if let Some((at, mask)) = self.weather.flip
            && (from..self.written).contains(&at)
        {
            octets[(at - from) as usize] ^= mask;
        }
        let cut = self.weather.cut.filter(|cut| *cut < self.written);
        if let Some(cut) = cut {
            octets.truncate(cut.saturating_sub(from) as usize);
        }
        if let Some((at, time)) = self.weather.stall
            && at < self.written
        {
            let late = octets.split_off(at.saturating_sub(from).min(octets.len() as u64) as usize);
            self.push(now, octets);
            self.last = self.last.max(now + time);
            self.weather.stall = None;
            octets = late;
        }
        self.push(now, octets);
        if cut.is_some() {
            self.cut = true;
            self.finish(now);
        }
        n
    }

    fn push(&mut self, now: Duration, octets: Vec<u8>) {
        if octets.is_empty() {
            return;
        }
        let jitter = self.weather.jitter.as_micros() as u64;
        let jitter = Duration::from_micros(self.weather.random.below(jitter + 1));
        self.last = self.last.max(now + self.weather.latency + jitter);
        self.unread += octets.len();
        let Some(drip) = self.weather.drip else { return self.queue.push_back((self.last, octets.into())) };
        for octet in octets {
            self.last += drip;
            self.queue.push_back((self.last, vec![octet].into()));
        }
    }

    /// The writer closes; what was written arrives.
    pub(crate) fn finish(&mut self, now: Duration) {
        let at = self.last.max(now + self.weather.latency);
        self.end.get_or_insert(at);
    }

    /// Nothing more arrives.
    pub(crate) fn reset(&mut self, now: Duration) {
        self.queue.clear();
        self.unread = 0;
        self.end = Some(now);
    }

    /// When a read may give something.
    pub(crate) fn next(&self) -> Option<Duration> {
        self.queue.front().map(|(at, _)| *at).or(self.end)
    }

    pub(crate) fn read(&mut self, now: Duration, into: &mut BytesMut) -> Read {
        let most = match self.weather.read {
            usize::MAX => usize::MAX,
            most => 1 + self.weather.random.below(most as u64) as usize,
        };
        let mut room = most;
        while room > 0
            && let Some((at, octets)) = self.queue.front_mut()
            && *at <= now
        {
            let n = octets.len().min(room);
            into.extend_from_slice(&octets[..n]);
            octets.advance(n);
            room -= n;
            self.unread -= n;
            if octets.is_empty() {
                self.queue.pop_front();
            }
        }
        match self.end {
            _ if room < most => Read::Octets,
            Some(end) if end <= now && self.queue.is_empty() => Read::End,
            _ => Read::Nothing,
        }
    }
}
