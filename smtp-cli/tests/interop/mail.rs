//! The messages that are carried, each with something in it that a careless relay changes.

use std::fmt::Write as _;

pub(crate) const SENDER: &str = "a@example.test";
pub(crate) const RECIPIENTS: [&str; 2] = ["bob@example.test", "carol@example.test"];

#[derive(Debug)]
pub(crate) struct Sample {
    pub(crate) name: &'static str,
    pub(crate) octets: Vec<u8>,
}

/// All samples: with CRLF for every line end, and CRLF for their last two octets, as a message in SMTP has them.
pub(crate) fn samples() -> Vec<Sample> {
    let head = "From: A <a@example.test>\r\nTo: bob@example.test\r\nDate: Thu, 1 Jan 2026 00:00:00 +0000\r\n\
        Message-ID: <1@example.test>\r\nSubject: interop\r\n";
    let mime =
        "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n";
    let longest = "x".repeat(998);
    let mut large = String::new();
    for line in 0..20_000 {
        // Every seventh line starts with a dot, so that they fall at all offsets of the buffers on the way.
        let dot = if line % 7 == 0 { "." } else { "" };
        let _ =
            write!(large, "{dot}{line} is a line of a message of one and a half megabytes, give or take\r\n");
    }
    [
        ("dots", format!("{head}\r\n.lead\r\n..two\r\n.\r\n...\r\n. x\r\nend.\r\n.\r\n")),
        ("empty lines at the end", format!("{head}\r\nbody\r\n\r\n\r\n")),
        ("no body", format!("{head}\r\n")),
        (
            "relayed before",
            format!("Received: from x.test by y.test; Thu, 1 Jan 2026 00:00:00 +0000\r\n{head}\r\nbody\r\n"),
        ),
        ("8-bit", format!("{head}{mime}\r\nGr\u{fc}\u{df}e \u{1f4ee}\r\n")),
        ("white space", format!("{head}X-Folded: a\r\n\tb \r\n\r\n\ttab \t\r\n  \r\nFrom here on\r\n")),
        ("lines of 998 octets", format!("{head}\r\n{longest}\r\n.{}\r\n", &longest[1..])),
        ("large", format!("{head}\r\n{large}")),
    ]
    .map(|(name, text)| Sample { name, octets: text.into_bytes() })
    .into()
}

/// The same message, or a failure that shows where they part instead of a megabyte of numbers.
#[track_caller]
pub(crate) fn assert_same(sample: &Sample, arrived: &[u8]) {
    let sent = &sample.octets[..];
    if sent == arrived {
        return;
    }
    let at =
        sent.iter().zip(arrived).position(|(a, b)| a != b).unwrap_or_else(|| sent.len().min(arrived.len()));
    let around =
        |octets: &[u8]| octets[at.saturating_sub(40)..octets.len().min(at + 40)].escape_ascii().to_string();
    panic!(
        "{}: parted at octet {at}\n   sent {} octets: …{}…\narrived {} octets: …{}…",
        sample.name,
        sent.len(),
        around(sent),
        arrived.len(),
        around(arrived)
    );
}
