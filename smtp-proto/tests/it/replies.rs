//! Replies: what is read is what a naive reading gives, what is written can be read, and no cut of the input matters.

use std::ops::RangeInclusive;

use proptest::{collection::vec, prelude::*, sample::select};
use smtp_proto::{
    reply::{Framing, Malformed, Reply},
    status::{Class, Code, Enhanced},
};

use crate::fuzz::replies::{check_cuts, check_framing, check_written, model, seen, written};

// What replies are made of, good and bad.

fn soup() -> impl Strategy<Value = Vec<u8>> {
    let bits: &[&[u8]] = &[
        b"250",
        b"250-",
        b"250 ",
        b"550-",
        b"550 ",
        b"354",
        b"190 ",
        b"25",
        b"-",
        b" ",
        b"\r\n",
        b"\r\n",
        b"\r\n",
        b"\r",
        b"\n",
        b"5.1.1 ",
        b"2.0.0 ",
        b"2.0.0",
        b"2.00.1 ",
        b"text",
        b"\0",
        b"\x7f",
        b"\xc3\xa9",
        b"\xe9",
        b"\xc2\x80",
        b"\t",
    ];
    vec(prop_oneof![9 => select(bits).prop_map(<[u8]>::to_vec), 1 => vec(any::<u8>(), 0..4)], 0..12)
        .prop_map(|bits| bits.concat())
}

/// A well-formed reply off the wire, with any octets in its text.
fn wire() -> impl Strategy<Value = Vec<u8>> {
    let octet =
        prop_oneof![8 => b' '..=b'~', 1 => any::<u8>()].prop_filter("no line end", |b| !b"\r\n".contains(b));
    let text = prop_oneof![
        4 => vec(octet.clone(), 0..20),
        1 => vec(octet, 480..600),
        2 => r"(2\.0\.0|5\.1\.1|4\.2)? ?[a-zé ]{0,9}".prop_map(String::into_bytes),
    ];
    (select(&[220, 250, 354, 421, 450, 550, 599][..]), vec(text, 1..5), any::<bool>()).prop_map(
        |(code, texts, short)| {
            let mut raw = vec![];
            for (n, text) in texts.iter().enumerate() {
                raw.extend(code.to_string().bytes());
                match (n + 1 < texts.len(), text.is_empty() && short) {
                    (true, _) => raw.push(b'-'),
                    (false, false) => raw.push(b' '),
                    (false, true) => {}
                }
                raw.extend(text);
                raw.extend(b"\r\n");
            }
            raw
        },
    )
}

fn code() -> impl Strategy<Value = Code> {
    (200..=599_u16).prop_filter_map("no code", Code::new)
}

fn status() -> impl Strategy<Value = Enhanced> {
    let number: RangeInclusive<u16> = 0..=999;
    (select(&[2, 4, 5][..]), number.clone(), number)
        .prop_map(|(class, subject, detail)| Enhanced::fixed(class, subject, detail))
}

/// Text that a reply may have, in short lines.
fn text() -> impl Strategy<Value = String> {
    vec("(2\\.0\\.0 |5\\.1\\.1 |5\\.1\\.1)?[ -~\té€😀]{0,60}", 1..4).prop_map(|lines| lines.join("\n"))
}

proptest! {
    #[test]
    fn reading_agrees_with_the_naive_reading(raw in prop_oneof![soup(), wire()]) {
        prop_assert_eq!(Reply::parse(&raw).ok().map(|reply| seen(&reply)), model(&raw));
    }

    #[test]
    fn framing_and_reading_agree(raw in prop_oneof![soup(), wire()]) {
        check_framing(&raw);
    }

    #[test]
    fn no_cut_matters(raw in prop_oneof![soup(), wire()], behind in soup(), line in 1..40_usize, total in 1..80_usize) {
        check_cuts(&raw, &behind, line, total);
    }

    #[test]
    fn framing_starts_anew_after_a_reply(first in wire(), second in wire()) {
        let both = [&first[..], &second[..]].concat();
        let mut framing = Framing::new();
        prop_assert_eq!(framing.next(&both, 4096, 65536), Ok(Some(first.len())));
        prop_assert_eq!(framing.next(&both[first.len()..], 4096, 65536), Ok(Some(second.len())));
    }

    #[test]
    fn a_clean_reply_is_passed_on_byte_for_byte_and_any_other_is_cleaned(raw in wire(), utf8: bool) {
        let reply = Reply::parse(&raw).unwrap();
        let output = written(&reply, utf8);
        let clean = str::from_utf8(&raw).is_ok_and(|text| {
            text.split_terminator("\r\n").all(|line| {
                line.len() <= 510 && (utf8 || line.is_ascii()) && line.chars().all(|c| c == '\t' || !c.is_control())
            })
        });
        prop_assert_eq!(output == raw, clean);
        let again = Reply::parse(&output).unwrap();
        prop_assert_eq!(again.code(), reply.code());
        prop_assert_eq!(again.status(), reply.status());
        prop_assert!(!clean || again == reply);
    }

    #[test]
    fn what_is_composed_is_read_back(code in code(), text in text(), status in proptest::option::of(status())) {
        let mut reply = Reply::new(code, text.as_str()).unwrap();
        if let Some(status) = status {
            reply = reply.with_status(status);
            if status.fits(code) {
                prop_assert_eq!(reply.status(), Some(status));
            }
        }
        let output = written(&reply, true);
        let again = Reply::parse(&output).unwrap();
        prop_assert_eq!(&again, &reply);
        prop_assert_eq!(again.status(), reply.status());
        prop_assert_eq!(again.text(), reply.text());

        let ascii = written(&reply, false);
        prop_assert_eq!(Reply::parse(&ascii).unwrap().lines().count(), reply.lines().count());
        prop_assert_eq!(written(&reply.as_borrowed(), true), &*output);
        prop_assert_eq!(written(&reply.clone().into_owned(), true), &*output);
    }

    #[test]
    fn long_text_is_parted_and_nothing_of_it_lost(
        text in "([a-z]{0,30}[ é]|[a-zé😀]{300,700}| ){1,60}",
        status in proptest::option::of(status()),
    ) {
        let code = Code::new(status.map_or(3, |s| u16::from(s.class().digit())) * 100 + 50).unwrap();
        let mut reply = Reply::new(code, text.as_str()).unwrap();
        if let Some(status) = status {
            reply = reply.with_status(status);
        }
        let output = written(&reply, true);
        let again = Reply::parse(&output).unwrap();
        prop_assert!(again.lines().all(|line| line.status == status));
        prop_assert_eq!(again.lines().map(|line| line.text_lossy()).collect::<String>(), &*text);
        written(&reply, false);
    }

    #[test]
    fn text_is_refused_by_its_control_characters_alone(text in "[\u{0}-\u{a1}é\n]{0,6}") {
        let bad = text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t'));
        prop_assert_eq!(Reply::new(Code::OK, &*text).is_err(), bad);
    }

    #[test]
    fn random_octets_are_no_trouble(raw in vec(any::<u8>(), 0..200)) {
        for reply in [Reply::parse(&raw), Reply::parse_lenient(&raw)].into_iter().flatten() {
            written(&reply, true);
            written(&reply, false);
        }
    }

    #[test]
    fn what_is_read_leniently_is_written_well(raw in prop_oneof![soup(), wire()], utf8: bool) {
        check_written(&raw, utf8);
    }
}

#[test]
fn lenient_reading_takes_the_last_code() {
    let reply = Reply::parse_lenient(b"250-a\n550 5.1.1 b\n").unwrap();
    assert_eq!((reply.code(), reply.text().as_ref()), (Code::MAILBOX_UNAVAILABLE, "a\nb"));
    assert_eq!(written(&reply, false), b"550-a\r\n550 5.1.1 b\r\n");
    assert_eq!(Reply::parse(b"250-a\r\n550 b\r\n"), Err(Malformed::MixedCodes));
}

#[test]
fn a_status_of_another_class_stays_text() {
    for raw in ["250 5.1.1 a\r\n", "354 2.0.0 a\r\n", "550 2.1.5 a\r\n"] {
        let reply = Reply::parse(raw.as_bytes()).unwrap();
        assert_eq!(reply.status(), None, "{raw}");
        assert_eq!(reply.text(), &raw[4..raw.len() - 2]);
    }
    let more = Reply::fixed(Code::START_MAIL, None, "Go ahead").with_status(Enhanced::fixed(2, 0, 0));
    assert_eq!(written(&more, false), b"354 Go ahead\r\n");
}

#[test]
fn a_status_is_put_on_every_line_replaced_and_taken_away() {
    let reply = Reply::new(Code::OK, "2.1.5 a\nb").unwrap().with_status(Enhanced::fixed(2, 0, 0));
    assert_eq!(written(&reply, false), b"250-2.0.0 a\r\n250 2.0.0 b\r\n");
    let reply = reply.with_status(Enhanced::fixed(2, 6, 0));
    assert_eq!(written(&reply, false), b"250-2.6.0 a\r\n250 2.6.0 b\r\n");
    let read = Reply::parse(b"250-2.6.0 a\r\n250 2.6.0 b\r\n").unwrap();
    for reply in [reply, read] {
        assert_eq!(
            written(&reply.clone().with_status(Enhanced::fixed(5, 0, 0)), false),
            written(&reply, false)
        );
        assert_eq!(written(&reply.without_status(), false), b"250-a\r\n250 b\r\n");
    }
}

#[test]
fn empty_texts() {
    const BARE: Reply<'static> = Reply::fixed(Code::OK, None, "");
    const STATUS: Reply<'static> = Reply::fixed(Code::OK, Some(Enhanced::fixed(2, 0, 0)), "");
    assert_eq!(written(&BARE, false), b"250 \r\n");
    assert_eq!(written(&STATUS, false), b"250 2.0.0\r\n");
    assert_eq!(written(&Reply::fixed(Code::OK, None, "\n"), false), b"250-\r\n250 \r\n");
    assert_eq!(Reply::parse(b"250\r\n").unwrap(), BARE);
    assert_eq!(Reply::parse(b"250-\r\n250\r\n").unwrap().lines().count(), 2);
    // A proxy passes on what it got.
    assert_eq!(written(&Reply::parse(b"250\r\n").unwrap(), false), b"250\r\n");
}

#[test]
fn a_peers_text_is_cleaned() {
    let raw = b"250-caf\xe9 \xc3\xa9\0\r\n250 \x1b[0m\xc2\x85x\r\n";
    let reply = Reply::parse(raw).unwrap();
    assert_eq!(written(&reply, false), b"250-caf? ?\r\n250 [0mx\r\n");
    assert_eq!(written(&reply, true), "250-caf? é\r\n250 [0mx\r\n".as_bytes());
    assert_eq!(reply.to_string(), "250 caf\u{fffd} é [0mx");
}

#[test]
fn an_endless_line_is_looked_at_once() {
    // A rescan at each octet would look at 500 GB.
    let line = [&b"250 "[..], &[b'x'; 1_000_000][..]].concat();
    let mut framing = Framing::new();
    for n in 0..line.len() {
        assert_eq!(framing.next(&line[..n], usize::MAX, usize::MAX), Ok(None));
    }
}

/// The highest registered detail of each subject (RFC 5248's registry; none is left out below it).
/// X.7.10 to X.7.30 were compared with a public copy of IANA's registry; the rest is from RFC 3463 and its successors.
#[test]
fn every_registered_enhanced_code_has_a_text() {
    for (subject, last) in [(0, 0), (1, 10), (2, 4), (3, 6), (4, 7), (5, 6), (6, 10), (7, 30)] {
        for detail in 0..=last {
            assert!(Enhanced::fixed(5, subject, detail).text().is_some(), "{subject}.{detail}");
        }
        assert_eq!(Enhanced::fixed(5, subject, last + 1).text(), None);
    }
    assert_eq!(Enhanced::fixed(5, 8, 0).text(), None);
    for (detail, text) in [
        (10, "encryption needed"),
        (13, "user account disabled"),
        (17, "mailbox owner has changed"),
        (20, "no passing DKIM signature found"),
        (25, "reverse DNS validation failed"),
        (27, "sender address has null MX"),
        (29, "ARC validation failure"),
        (30, "REQUIRETLS support required"),
    ] {
        assert_eq!(Enhanced::fixed(5, 7, detail).text(), Some(text));
    }
}

#[test]
fn every_code_is_explained() {
    for code in (200..=599).filter_map(Code::new) {
        let reply = Reply::new(code, "x").unwrap();
        let advice = reply.advice();
        assert_eq!(advice.class, code.class());
        assert!(!advice.meaning.is_empty() && !advice.next.is_empty());
        assert_eq!(reply.is_positive(), advice.class == Class::Completed);
    }
    let advice = Reply::parse(b"550 5.1.1 no\r\n").unwrap().advice();
    assert_eq!(advice.detail, Some("bad destination mailbox address"));
}
