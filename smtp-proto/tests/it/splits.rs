//! Sessions that nobody would hold, legal and not: what the server's machine tells and says does not hang on how the octets
//! came in, nor on which of its two ways to be asked is used.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::transcripts::same;
use crate::transcripts::script::{Line, Script};
use crate::transcripts::serve::{Cut, serve};

/// Something that a client sends. STARTTLS is not among it: what stands behind it in one read is for `starttls.rs`.
fn sent() -> impl Strategy<Value = Vec<u8>> {
    let line = |lines: &'static [&'static str]| {
        prop::sample::select(lines).prop_map(|line| [line.as_bytes(), b"\r\n"].concat())
    };
    prop_oneof![
        6 => line(&[
            "EHLO client.example.com", "LHLO client.example.com", "HELO client.example.com",
            "MAIL FROM:<a@example.com>", "MAIL FROM:<a@example.com>", "MAIL FROM:<> BODY=BINARYMIME SIZE=5",
            "MAIL FROM:<a@example.com> PRDR", "RCPT TO:<b@example.org>", "RCPT TO:<b@example.org>",
            "RCPT TO:<c@example.org> NOTIFY=NEVER", "DATA", "DATA", "RSET", "NOOP", "VRFY b",
            "AUTH CRAM-MD5", "AUTH PLAIN AGEAYg==", "AUTH LOGIN", "eHl6", "*", "",
        ]),
        2 => line(&[
            "QUIT", "EHLO", "EHLO two names", "MAIL FROM:a", "MAIL FROM:<é@example.com>", "RCPT TO:<>",
            "MAIL FROM:<a@example.com> FOO=1", "MAIL FROM:<a@example.com> SIZE=99999", "TURN", "XYZZY a b",
            "BDAT", "BDAT x", "DATA now", "AUTH GSSAPI", "AUTH PLAIN =AA", "ETRN x.org", "XCLIENT NAME=x", "=A=",
        ]),
        // Bodies, with and without an end, and what looks like one.
        4 => prop::sample::select(&[
            "x\r\n.\r\n", "\r\n.\r\n", ".\r\n", "..\r\n.x\r\n.\r\n", "x\n.\n.\r\n", "x\n.\r\nMAIL FROM:<e@example.com>\r\n.\r\n",
            "\r.\r", "a\r\n.\rb\r\n.\r\n", "\0\r\n.\r\n", "\r\n..\r\n", ".\r", "\n", "\r", "\r\r\n", "x",
        ][..]).prop_map(|text| text.as_bytes().to_vec()),
        2 => (0..40_usize, any::<bool>(), 0..3_usize).prop_map(|(size, last, missing)| {
            let line = format!("BDAT {size}{}\r\n", if last { " LAST" } else { "" });
            let octets = b"\r\n.\r\nQUIT\r\nRSET\r\n\0\xff\n".iter().copied().cycle();
            line.into_bytes().into_iter().chain(octets.take(size - missing.min(size))).collect()
        }),
        1 => (0..700_usize).prop_map(|len| [vec![b'y'; len], b"\r\n".to_vec()].concat()),
        1 => vec(any::<u8>(), 0..20),
    ]
}

/// A message as a client sends it, most of the time: a line may be left out, or something else put in its place.
fn transaction() -> impl Strategy<Value = Vec<u8>> {
    let body = sent().prop_filter("a body", |octets| !octets.is_empty());
    let chunk = |size: usize, last: &str| {
        let mut octets = format!("BDAT {size}{last}\r\n").into_bytes();
        octets.extend(b"RSET\r\n.\r\n\n\0".iter().cycle().take(size));
        octets
    };
    let transfer = prop_oneof![
        (body, any::<bool>()).prop_map(|(body, end)| {
            let end: &[u8] = if end { b"\r\n.\r\n" } else { b".\r\n" };
            vec![b"DATA\r\n".to_vec(), b"Subject: x\r\n".to_vec(), body, end.to_vec()]
        }),
        (0..30_usize, 0..70_usize).prop_map(move |(one, two)| vec![chunk(one, ""), chunk(two, " LAST")]),
    ];
    let params =
        prop::sample::select(&["", "", " SIZE=10", " PRDR", " BODY=8BITMIME", " BODY=BINARYMIME"][..]);
    (params, 1..4_usize, transfer, prop::option::weighted(0.3, (any::<prop::sample::Index>(), sent())))
        .prop_map(|(params, recipients, transfer, spoilt)| {
            let mut lines = vec![format!("MAIL FROM:<a@example.com>{params}\r\n").into_bytes()];
            lines.extend((0..recipients).map(|n| format!("RCPT TO:<r{n}@example.org>\r\n").into_bytes()));
            lines.extend(transfer);
            if let Some((index, other)) = spoilt {
                *index.get_mut(&mut lines) = other;
            }
            lines.concat()
        })
}

fn session() -> impl Strategy<Value = Script> {
    let settings =
        prop::sample::subsequence(vec!["lmtp", "bare keep", "bare normalise", "implicit tls"], 0..4);
    let rarely =
        prop::option::weighted(0.1, prop::sample::select(&["require auth", "errors 3", "require tls"][..]));
    let login = prop::option::weighted(
        0.3,
        prop::sample::select(
            &["AUTH PLAIN AGEAYg==\r\n", "AUTH LOGIN\r\neHl6\r\neHl6\r\n", "AUTH CRAM-MD5\r\n*\r\n"][..],
        ),
    );
    let sent = vec(prop_oneof![2 => sent(), 3 => transaction()], 1..12);
    let mood = prop::option::weighted(0.8, (0..7_u8).prop_map(|mood| format!("mood {mood}")));
    (settings, rarely, login, mood, sent).prop_map(|(settings, rarely, login, mood, sent)| {
        let always = [
            "offer PIPELINING",
            "offer CHUNKING",
            "offer BINARYMIME",
            "offer 8BITMIME",
            "offer DSN",
            "offer SIZE 60",
            "offer ENHANCEDSTATUSCODES",
            "offer PRDR",
            "offer AUTH PLAIN LOGIN CRAM-MD5",
            "auth in clear",
            "line 512",
            "auth line 100",
            "recipients 3",
            "auth failures 3",
        ];
        let hello = match settings.contains(&"lmtp") {
            true => b"LHLO c.example.com\r\n".to_vec(),
            false => b"EHLO c.example.com\r\n".to_vec(),
        };
        let settings =
            rarely.into_iter().chain(always).chain(settings).map(str::to_owned).chain(mood).collect();
        let login = login.unwrap_or_default().as_bytes().to_vec();
        let lines = [hello, login].into_iter().chain(sent).map(Line::Client).collect();
        Script { name: "made up".into(), settings, lines }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_cut_shows(script in session(), seeds in vec(any::<u64>(), 4)) {
        let whole = serve(&script, Cut::Nowhere, b"");
        for cut in seeds.into_iter().map(Cut::Seeded).chain([Cut::Everywhere, Cut::Each(2)]) {
            let cut_up = serve(&script, cut, b"");
            prop_assert!(same(&whole, &cut_up, "").is_ok(), "{}", same(&whole, &cut_up, &format!("{cut:?}")).unwrap_err());
        }
    }

    #[test]
    fn poll_tells_what_step_and_event_tell(mut script in session(), seed: u64) {
        let by_step = serve(&script, Cut::Seeded(seed), b"");
        script.settings.push("poll".into());
        let by_poll = serve(&script, Cut::Seeded(seed), b"");
        prop_assert!(same(&by_step, &by_poll, "").is_ok(), "{}", same(&by_step, &by_poll, "by poll").unwrap_err());
    }
}

/// What the sessions are made of takes them through everything: a generator that never gets past EHLO would find nothing.
#[test]
fn sessions_get_everywhere() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;

    let mut runner = TestRunner::deterministic();
    let mut told = std::collections::BTreeMap::<String, u32>::new();
    for _ in 0..400 {
        let script = session().new_tree(&mut runner).expect("a session").current();
        for event in serve(&script, Cut::Nowhere, b"").events {
            let event = event.event.to_string();
            *told.entry(event.split(' ').next().unwrap_or_default().to_owned()).or_default() += 1;
        }
    }
    for event in [
        "Hello",
        "Mail",
        "Rcpt",
        "Data",
        "Body",
        "MessageEnd",
        "Chunk",
        "ChunkEnd",
        "Refused",
        "Rejected",
        "Auth",
        "AuthResponse",
        "AuthCancelled",
        "Rset",
        "Noop",
        "Vrfy",
        "Unknown",
        "Quit",
    ] {
        assert!(told.get(event).is_some_and(|times| *times > 5), "{event} is rare: {told:?}");
    }
}
