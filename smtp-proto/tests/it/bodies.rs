//! Bodies: what is content and what ends it, told against a model that looks at one octet at a time.

use bytes::BytesMut;
use proptest::prelude::*;
use smtp_proto::dot::{Body, Flaws, LineEnds, Scan, Scanner, Stuffer, Surveyor, survey};

use crate::fuzz::bodies::{
    POLICIES, check_in, check_out, check_survey, check_text, decoded, scanned, stuffed,
};

/// Octets with a liking for what matters, long clean text between, and blocks of any length around powers of two.
fn octets() -> impl Strategy<Value = Vec<u8>> {
    let dense = prop::collection::vec(
        prop_oneof![
            5 => Just(b"\r".to_vec()), 5 => Just(b"\n".to_vec()), 6 => Just(b".".to_vec()), 8 => Just(b"\r\n".to_vec()),
            4 => Just(b"a".to_vec()), 1 => Just(b"\0".to_vec()), 1 => Just("é".into()), 1 => Just(b"\r\n.\r".to_vec())
        ],
        0..40,
    )
    .prop_map(|parts| parts.concat());
    let text = (0usize..12, 0usize..90)
        .prop_map(|(lines, width)| [&vec![b'x'; width][..], b"\r\n"].concat().repeat(lines));
    let run =
        prop_oneof![0usize..70, 250usize..262, 505usize..520, 990usize..1005].prop_map(|len| vec![b'x'; len]);
    let dots = (0usize..100).prop_map(|lines| b"..\r\n".repeat(lines));
    let part = prop_oneof![6 => dense, 3 => text, 2 => run, 1 => dots];
    prop::collection::vec(part, 0..7).prop_map(|parts| parts.concat())
}

fn cut(message: Vec<u8>) -> impl Strategy<Value = (Vec<u8>, Vec<usize>)> {
    let cuts = prop::collection::vec(0..=message.len(), 0..6).prop_map(|mut cuts| {
        cuts.sort_unstable();
        cuts
    });
    (Just(message), cuts)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_comes_in_is_what_the_model_says((wire, cuts) in octets().prop_flat_map(cut)) {
        for ends in POLICIES {
            check_in(&wire, &[], ends);
            check_in(&wire, &cuts, ends);
        }
    }

    #[test]
    fn what_goes_out_is_what_the_model_says((message, cuts) in octets().prop_flat_map(cut)) {
        for ends in POLICIES {
            check_out(&message, &[], ends);
            check_out(&message, &cuts, ends);
        }
    }

    #[test]
    fn text_in_chunks_is_what_the_model_says((wire, cuts) in octets().prop_flat_map(cut)) {
        check_text(&wire, &[]);
        check_text(&wire, &cuts);
    }

    #[test]
    fn a_survey_tells_what_will_be_sent((message, cuts) in octets().prop_flat_map(cut)) {
        check_survey(&message, &[]);
        check_survey(&message, &cuts);
    }
}

/// Every octet string up to seven of the five that matter: no cut and no order is left out.
#[test]
fn all_short_messages_at_all_cuts() {
    let alphabet = [b'\r', b'\n', b'.', b'a', 0];
    for len in 0..=6 {
        let mut digits = vec![0; len];
        loop {
            let message: Vec<u8> = digits.iter().map(|&digit: &usize| alphabet[digit]).collect();
            for ends in POLICIES {
                check_in(&message, &[], ends);
                check_in(&message, &(0..=len).collect::<Vec<_>>(), ends);
                check_out(&message, &(0..=len).collect::<Vec<_>>(), ends);
                check_out(&message, &[len / 2], ends);
            }
            check_survey(&message, &[len / 2]);
            check_text(&message, &(0..=len).collect::<Vec<_>>());
            check_text(&message, &[len / 2]);
            let Some(next) = digits.iter().position(|&digit| digit + 1 < alphabet.len()) else { break };
            digits[next] += 1;
            digits[..next].fill(0);
        }
    }
}

/// One thing of interest at every place around the borders of a block.
#[test]
fn no_place_in_a_block_hides_anything() {
    let things: [&[u8]; 12] = [
        b"\r",
        b"\n",
        b"\r\n",
        b"\r\n.",
        b"\r\n..",
        b"\r\n.\r",
        b"\r\n.\r\n",
        b"\r\n.\r\r\n",
        b"\n.\n",
        b"\n.\r\n",
        b"\0",
        b"\xE9",
    ];
    for thing in things {
        for len in [31usize, 32, 33, 63, 255, 256, 257, 511, 512, 513, 600] {
            for at in (0..4).chain(len.saturating_sub(40).max(4)..len) {
                let mut message = vec![b'x'; len];
                message.splice(at..at, thing.iter().copied());
                for ends in POLICIES {
                    check_in(&message, &[], ends);
                    check_out(&message, &[], ends);
                }
                check_survey(&message, &[]);
                check_text(&message, &[at]);
                check_text(&message, &[at + 1]);
            }
        }
    }
}

/// Far more of it than is edited at a time: each octet comes to as many as it can.
#[test]
fn long_runs_of_what_is_edited() {
    for run in
        ["\r", "\n", ".", "\r.", "\n.", ".\r\n", "..\r\n", "\r\r\n.", "\n\r.", "a\r", "a\n.", "\0.\r\n"]
    {
        let message = run.repeat(6000 / run.len()).into_bytes();
        for ends in POLICIES {
            check_in(&message, &[], ends);
            check_in(&message, &[1000, 1001, 3000], ends);
            check_out(&message, &[], ends);
            check_out(&message, &[1000, 1001, 3000], ends);
        }
        check_text(&message, &[]);
        check_survey(&message, &[]);
    }
}

/// Whatever ends it, and wherever the blocks of the scan and the cuts fall.
#[test]
fn a_line_of_about_998_octets_is_measured_whatever_ends_it() {
    for end in [&b"\n"[..], b"\r", b"\r\n", b"\r\r\n", b"\n\r", b".\n", b"\r\n.\r\n"] {
        for lead in (0..40).chain(240..260) {
            for len in 996..1001 {
                let line = vec![b'x'; len];
                let message = [&vec![b'y'; lead][..], b"\r\n", &line, end, b"text\r\n"].concat();
                check_survey(&message, &[]);
                check_survey(&message, &[lead + 500, lead + len + 2, lead + len + 3]);
                for ends in POLICIES {
                    check_in(&message, &[], ends);
                }
            }
        }
    }
}

/// The dot of transparency is not the line's, wherever the blocks of the scan and what makes them be looked at singly fall.
#[test]
fn a_stuffed_dot_does_not_count() {
    for ahead in ["", "\r", "\r."] {
        for lead in 0..70 {
            for len in 996..1001 {
                let message =
                    [&vec![b'y'; lead][..], ahead.as_bytes(), b"\r\n..", &vec![b'x'; len], b"\r\n"].concat();
                for ends in POLICIES {
                    check_in(&message, &[], ends);
                    check_in(&message, &[lead + ahead.len() + 2], ends);
                }
            }
        }
    }
}

#[test]
fn a_line_may_have_998_octets_wherever_it_stands() {
    for lead in [0, 1, 77, 78, 255, 256, 300, 511] {
        for (len, long) in [(997, false), (998, false), (999, true), (5000, true)] {
            for dot in [false, true] {
                let lead = if lead == 0 { Vec::new() } else { [&vec![b'y'; lead][..], b"\r\n"].concat() };
                let mut wire = lead.clone();
                if dot {
                    wire.push(b'.');
                }
                wire.extend(vec![b'x'; len]);
                wire.extend(b"\r\ntext\r\n.\r\n");
                for cuts in [vec![], vec![lead.len() + 500], (0..wire.len()).collect()] {
                    let told = scanned(&wire, &cuts, LineEnds::Reject);
                    assert_eq!(told.flaws == Flaws::LONG_LINE, long, "{len} octets behind {}", lead.len());
                    assert_eq!(told.flaws.is_empty(), !long);
                }
            }
        }
    }
}

/// What some server somewhere takes for the end of a message, each with text that would then be commands.
const SMUGGLED: [&[u8]; 18] = [
    b"\n.\n",
    b"\n.\r\n",
    b"\r\n.\n",
    b"\r.\r",
    b"\r.\r\n",
    b"\r\n.\r",
    b"\r\n.\r\r\n",
    b"\r\r\n.\r\r\n",
    b"\r.\n",
    b"\n.\r",
    b"\n\n.\r\n",
    b"\r\n\n.\r\n",
    b"\r\n.\n\r\n",
    b"\r\n.\0\r\n",
    b"\r\n\0.\r\n",
    b"\r\n.\r\0\n",
    b"\r\n.\n.\r\n\n",
    b"\r\n.\x0b\r\n",
];

#[test]
fn nothing_but_crlf_dot_crlf_ends_a_message() {
    for end in SMUGGLED {
        for first in [&b""[..], b"text"] {
            let wire = [first, end, b"MAIL FROM:<a@example.org>\r\n.\r\n"].concat();
            for ends in POLICIES {
                let told = scanned(&wire, &(0..wire.len()).collect::<Vec<_>>(), ends);
                assert_eq!(told.end, Some(wire.len()), "{ends:?} {}", end.escape_ascii());
                check_in(&wire, &[], ends);
            }
        }
    }
}

#[test]
fn what_ends_a_message_elsewhere_is_never_sent() {
    for end in SMUGGLED {
        for first in [&b""[..], b"text"] {
            let message = [first, end, b"MAIL FROM:<a@example.org>\r\n"].concat();
            let bare = survey(&message).flaws;
            let sent = stuffed(&message, &[], LineEnds::Reject);
            assert_eq!(sent.is_none(), !bare.is_empty() || message.contains(&0), "{}", end.escape_ascii());
            for cut in 0..=message.len() {
                for ends in POLICIES {
                    check_out(&message, &[cut], ends);
                }
            }
        }
    }
}

#[test]
fn a_dot_is_left_out_only_behind_a_true_crlf() {
    for (wire, content) in [
        (&b"..\r\n.\r\n"[..], &b".\r\n"[..]),
        (b".\r\n", b""),
        (b"...\r\n..\r\n.\r\n", b"..\r\n.\r\n"),
        (b".a\r\n.b\r\n.\r\n", b"a\r\nb\r\n"),
        (b"a\n.b\r\n.\r\n", b"a\n.b\r\n"),
        (b"a\r.b\r\n.\r\n", b"a\r.b\r\n"),
        (b".\r.\r\n.\r\n", b"\r.\r\n"),
        (b"a\r\r\n..\r\n.\r\n", b"a\r\r\n.\r\n"),
    ] {
        let told = scanned(wire, &[], LineEnds::Keep);
        assert_eq!(
            (told.content.as_slice(), told.end),
            (content, Some(wire.len())),
            "{}",
            wire.escape_ascii()
        );
    }
}

#[test]
fn a_normalised_message_has_no_other_line_end() {
    let told = scanned(b"a\rb\nc\r\r\nd\n\re\r\n.\r\n", &[], LineEnds::Normalise);
    assert_eq!(told.content, b"a\r\nb\r\nc\r\n\r\nd\r\n\r\ne\r\n");
    assert_eq!(told.flaws, Flaws::BARE_CR | Flaws::BARE_LF);
}

#[test]
fn what_follows_the_end_is_left_alone() {
    let wire = b"a\r\n.\r\nQUIT\r\n.\r\n";
    assert_eq!(scanned(wire, &[], LineEnds::Reject).end, Some(6));
    assert_eq!(Scanner::new(LineEnds::Reject).scan(b".\r\n\r\0.."), Scan::End { len: 3 });
}

#[test]
fn a_refused_message_cannot_be_ended() {
    let mut output = BytesMut::new();
    for lend in [false, true] {
        let mut stuffer = Stuffer::new(LineEnds::Reject);
        assert_eq!(stuffer.append(b"fine\r\n", &mut output), Ok(()));
        if lend {
            assert_eq!(stuffer.segments(b"a\nb").count(), 0);
        } else {
            assert_eq!(stuffer.append(b"a\nb", &mut output), Err(Flaws::BARE_LF));
        }
        assert_eq!(stuffer.append(b"fine again\r\n", &mut output), Err(Flaws::BARE_LF));
        assert_eq!(stuffer.segments(b"fine again\r\n").count(), 0);
        assert_eq!(stuffer.finish(&mut output), Err(Flaws::BARE_LF));
    }
    assert_eq!(&output[..], b"fine\r\nfine\r\n");
}

#[test]
fn only_the_header_asks_for_smtputf8() {
    for (message, header) in [
        (&b"Subject: \xC3\xA9\r\n\r\nbody\r\n"[..], true),
        (b"Subject: e\r\n\r\n\xC3\xA9\r\n", false),
        (b"Subject: e\n\n\xC3\xA9\n", false),
        (b"\r\n\xC3\xA9\r\n", false),
        (b"A: b\r\n \xC3\xA9", true),
    ] {
        for cut in 0..=message.len() {
            let mut surveyor = Surveyor::new();
            surveyor.add(&message[..cut]);
            surveyor.add(&message[cut..]);
            let found = surveyor.finish();
            assert!(found.flaws.contains(Flaws::EIGHT_BIT));
            assert_eq!(found.header_eight_bit, header, "{} cut at {cut}", message.escape_ascii());
        }
    }
}

#[test]
fn bodies_by_bdat_are_lent_as_they_are() {
    let chunk = b"..\r\n.\r\n\r\n\0";
    assert_eq!(decoded(Body::raw(chunk)), chunk);
    assert!(Body::raw(b"").is_empty() && Body::raw(b"").slices().next().is_none());
}

#[test]
fn the_machines_stay_small() {
    assert!(size_of::<Scanner>() <= 16 && size_of::<Stuffer>() <= 8);
}
