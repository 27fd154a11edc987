//! What is sent, and the clock that runs while it is.

use std::io::{self, Read};
use std::time::{Duration, Instant};

use nix::time::ClockId;

/// Who a message is from.
pub const FROM: &str = "ann.miller@mail.example.org";

/// One kind of message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Its column in the tables.
    pub name: &'static str,
    pub octets: usize,
    pub recipients: usize,
    /// So many are sent in a run whose CPU is counted, and in the shorter one of the two whose system calls are.
    pub count: usize,
    pub traced: usize,
}

/// The four of the tables.
pub const SHAPES: [Shape; 4] = [
    Shape { name: "1KiB", octets: 1 << 10, recipients: 1, count: 4000, traced: 20 },
    Shape { name: "1KiBx50", octets: 1 << 10, recipients: 50, count: 400, traced: 10 },
    Shape { name: "100KiB", octets: 100 << 10, recipients: 1, count: 400, traced: 10 },
    Shape { name: "10MiB", octets: 10 << 20, recipients: 1, count: 10, traced: 2 },
];

impl Shape {
    pub fn named(name: &str) -> Self {
        *SHAPES.iter().find(|shape| shape.name == name).expect("a shape that there is")
    }

    /// Whom its messages are for.
    pub fn to(self) -> Vec<String> {
        (0..self.recipients).map(|number| format!("ben.smith{number}@example.net")).collect()
    }

    /// A message of text as people write it, without a line that begins with a dot.
    pub fn message(self) -> Vec<u8> {
        let mut message = HEADER.to_vec();
        while message.len() < self.octets {
            let rest = (self.octets - message.len()).min(LINE.len());
            message.extend_from_slice(&LINE[LINE.len() - rest..]);
        }
        message
    }
}

const HEADER: &[u8] = b"From: Ann <ann.miller@mail.example.org>\r\nTo: Ben <ben.smith@example.net>\r\n\
Subject: How fast it is\r\nDate: Sun, 22 Nov 2026 12:00:00 +0000\r\nMessage-ID: <1@mail.example.org>\r\n\r\n";
const LINE: &[u8] = b"The quick brown fox jumps over the lazy dog, and then it rests a little.\r\n";

/// A message of text that is made while it is read.
#[derive(Debug)]
pub struct Long {
    pub left: usize,
}

impl Read for Long {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // Whole lines, unless there is no room for one.
        let room = buffer.len().min(self.left) / LINE.len() * LINE.len();
        for line in buffer[..room].chunks_exact_mut(LINE.len()) {
            line.copy_from_slice(LINE);
        }
        self.left -= room;
        Ok(room)
    }
}

/// What one client has to do, and what that cost it.
#[derive(Debug)]
pub struct Work {
    pub shape: Shape,
    /// Sent before the clock starts.
    warm: usize,
    count: usize,
    begun: Option<(Duration, Instant)>,
}

/// What messages cost, all of them together.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    pub cpu: Duration,
    pub wall: Duration,
}

impl Work {
    pub const fn new(shape: Shape, warm: usize, count: usize) -> Self {
        Self { shape, warm, count, begun: None }
    }

    /// One item for each message. The clock starts when the first is asked for that counts.
    pub fn rounds(&mut self) -> impl Iterator<Item = usize> + Send + '_ {
        (0..self.warm + self.count).inspect(|at| {
            if *at == self.warm {
                self.begun = Some((cpu(), Instant::now()));
            }
        })
    }

    pub fn cost(&self) -> Cost {
        let (used, since) = self.begun.expect("a message that counts");
        Cost { cpu: cpu() - used, wall: since.elapsed() }
    }
}

/// The CPU time that this process has used, user and system, of all its threads.
fn cpu() -> Duration {
    ClockId::CLOCK_PROCESS_CPUTIME_ID.now().expect("a clock").into()
}
