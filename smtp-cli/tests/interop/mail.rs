//! The messages that are carried, each with something in it that a careless relay changes.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};

pub(crate) const SENDER: &str = "a@example.test";
pub(crate) const RECIPIENTS: [&str; 2] = ["bob@example.test", "carol@example.test"];

/// A message that can be told from all others.
#[derive(Clone, Debug)]
pub(crate) struct Mail {
    pub(crate) name: &'static str,
    /// Its first field, with which it is found again; what stands above it is a server's.
    pub(crate) mark: String,
    pub(crate) octets: Vec<u8>,
    /// It goes by BDAT, which needs no line end behind its last octet. Most servers put one there all the same.
    chunked: bool,
    /// What its client is given above that.
    pub(crate) above: String,
}

impl Mail {
    fn new(name: &'static str, text: &str) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let mark = format!("X-Interop: {}.", NEXT.fetch_add(1, Ordering::Relaxed));
        let octets = format!("{mark}\r\n{text}").into_bytes();
        Self { name, mark, octets, chunked: false, above: String::new() }
    }

    pub(crate) fn chunked(self) -> Self {
        Self { chunked: true, ..self }
    }

    /// The fewest octets that are all of it.
    pub(crate) fn len(&self) -> usize {
        if self.chunked { self.octets.len() } else { self.arriving().len() }
    }

    /// What has to arrive: in SMTP a message ends in CRLF.
    pub(crate) fn arriving(&self) -> Vec<u8> {
        let end: &[u8] = if self.octets.ends_with(b"\r\n") { b"" } else { b"\r\n" };
        [&*self.octets, end].concat()
    }
}

const HEAD: &str = "From: A <a@example.test>\r\nTo: bob@example.test\r\nDate: Thu, 1 Jan 2026 00:00:00 +0000\r\n\
    Message-ID: <1@example.test>\r\nSubject: interop\r\n";
const MIME: &str =
    "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n";

/// A message of one line.
pub(crate) fn short() -> Mail {
    Mail::new("short", &format!("{HEAD}\r\nbody\r\n"))
}

/// Dots, octets over 127, the longest line, white space, empty lines, and no CRLF at its end.
pub(crate) fn nasty() -> Mail {
    let longest = "x".repeat(998);
    let body = format!(
        ".lead\r\n..two\r\n.\r\n...\r\nGr\u{fc}\u{df}e \u{1f4ee}\r\n{longest}\r\n.{}\r\n\ttab \t\r\n  \r\nFrom here on\r\n\r\n\r\n.\r\nend.",
        &longest[1..]
    );
    Mail::new("nasty", &format!("X-Folded: a\r\n\tb \r\n{HEAD}{MIME}\r\n{body}"))
}

/// A patch as `git format-patch` writes it, which `git send-email` takes apart: what stands behind the mark is all that it leaves.
pub(crate) fn patch() -> Mail {
    let diff = "--- /dev/null\r\n+++ b/x\r\n@@ -0,0 +1 @@\r\n+.x\r\n";
    let mut mail = Mail::new(
        "patch",
        &format!(
            "Content-Transfer-Encoding: 8bit\r\n\r\n.lead\r\n..two\r\n---\r\n x | 1 +\r\n\r\ndiff --git a/x b/x\r\nnew file mode 100644\r\n{diff}"
        ),
    );
    mail.above = "From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001\r\nFrom: A <a@example.test>\r\n\
        Date: Thu, 1 Jan 2026 00:00:00 +0000\r\nSubject: [PATCH] x\r\n"
        .into();
    mail
}

/// One whose header is UTF-8 (RFC 6532).
pub(crate) fn international() -> Mail {
    let head = HEAD.replace("interop", "Gr\u{fc}\u{df}e \u{1f4ee}");
    Mail::new("international", &format!("{head}{MIME}\r\n\u{e9}t\u{e9}\r\n"))
}

/// One of more octets than this.
pub(crate) fn longer_than(octets: usize) -> Mail {
    let line = "x".repeat(70) + "\r\n";
    Mail::new("too long", &format!("{HEAD}\r\n{}", line.repeat(octets / line.len() + 1)))
}

/// All samples.
pub(crate) fn samples() -> Vec<Mail> {
    let mut large = String::new();
    for line in 0..20_000 {
        // Every seventh line starts with a dot, so that they fall at all offsets of the buffers on the way.
        let dot = if line % 7 == 0 { "." } else { "" };
        let _ =
            write!(large, "{dot}{line} is a line of a message of one and a half megabytes, give or take\r\n");
    }
    vec![
        nasty(),
        Mail::new("dots", &format!("{HEAD}\r\n.lead\r\n..two\r\n.\r\n...\r\n. x\r\nend.\r\n.\r\n")),
        Mail::new("empty lines at the end", &format!("{HEAD}\r\nbody\r\n\r\n\r\n")),
        Mail::new("no body", &format!("{HEAD}\r\n")),
        Mail::new(
            "relayed before",
            &format!("Received: from x.test by y.test; Thu, 1 Jan 2026 00:00:00 +0000\r\n{HEAD}\r\nbody\r\n"),
        ),
        Mail::new("large", &format!("{HEAD}\r\n{large}")),
    ]
}

/// The same message, or a failure that shows where they part instead of a megabyte of numbers.
#[track_caller]
pub(crate) fn assert_same(mail: &Mail, arrived: &[u8]) {
    let sent = &mail.arriving()[..];
    if sent == arrived || mail.chunked && mail.octets == arrived {
        return;
    }
    let at =
        sent.iter().zip(arrived).position(|(a, b)| a != b).unwrap_or_else(|| sent.len().min(arrived.len()));
    let around =
        |octets: &[u8]| octets[at.saturating_sub(40)..octets.len().min(at + 40)].escape_ascii().to_string();
    panic!(
        "{}: parted at octet {at}\n   sent {} octets: …{}…\narrived {} octets: …{}…",
        mail.name,
        sent.len(),
        around(sent),
        arrived.len(),
        around(arrived)
    );
}
