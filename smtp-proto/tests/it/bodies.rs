//! Bodies: what is content and what ends it, told against a model that looks at one octet at a time.

use bytes::BytesMut;
use proptest::prelude::*;
use smtp_proto::dot::{Body, Flaws, LineEnds, Scan, Scanner, Stuffer, Surveyor, survey};

const POLICIES: [LineEnds; 3] = [LineEnds::Reject, LineEnds::Normalise, LineEnds::Keep];

/// What a message comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Told {
    content: Vec<u8>,
    flaws: Flaws,
    /// The octets of the wire up to the end of the message, if it is there.
    end: Option<usize>,
}

/// Text between true line ends, each with what ends it: CRLF, or nothing at the end of the input.
fn true_lines(wire: &[u8]) -> Vec<(&[u8], bool)> {
    let mut lines = Vec::new();
    let mut from = 0;
    let mut at = 0;
    while at < wire.len() {
        if wire[at..].starts_with(b"\r\n") {
            lines.push((&wire[from..at], true));
            at += 2;
            from = at;
        } else {
            at += 1;
        }
    }
    lines.push((&wire[from..], false));
    lines
}

/// A line without CRLF: its flaws, and its content under a policy.
fn mend(line: &[u8], ends: LineEnds, told: &mut Told) {
    let mut length = 0;
    for &octet in line {
        let flaw = match octet {
            b'\r' => Flaws::BARE_CR,
            b'\n' => Flaws::BARE_LF,
            0 => Flaws::NUL,
            0x80.. => Flaws::EIGHT_BIT,
            _ => Flaws::NONE,
        };
        told.flaws |= flaw;
        if ends == LineEnds::Normalise && matches!(octet, b'\r' | b'\n') {
            told.content.extend(b"\r\n");
            length = 0;
        } else {
            told.content.push(octet);
            length += 1;
        }
        if length > 998 {
            told.flaws |= Flaws::LONG_LINE;
        }
    }
}

/// The model of what comes in.
fn model_in(wire: &[u8], ends: LineEnds) -> Told {
    let mut told = Told::default();
    let mut consumed = 0;
    for (line, ended) in true_lines(wire) {
        if line == b"." && ended {
            told.end = Some(consumed + 3);
            return told;
        }
        mend(line.strip_prefix(b".").unwrap_or(line), ends, &mut told);
        if ended {
            told.content.extend(b"\r\n");
        }
        consumed += line.len() + 2;
    }
    told
}

/// The model of what goes out: `None` where it is refused.
fn model_out(message: &[u8], ends: LineEnds) -> Option<Vec<u8>> {
    let mut told = Told::default();
    let lines = true_lines(message);
    for (line, ended) in &lines {
        mend(line, ends, &mut told);
        if *ended {
            told.content.extend(b"\r\n");
        }
    }
    let refused = match ends {
        LineEnds::Reject => Flaws::BARE_CR | Flaws::BARE_LF | Flaws::NUL,
        LineEnds::Normalise => Flaws::NUL,
        LineEnds::Keep => Flaws::NONE,
    };
    if !told.flaws.intersection(refused).is_empty() {
        return None;
    }
    let mut wire = Vec::new();
    for (line, ended) in true_lines(&told.content) {
        if line.starts_with(b".") {
            wire.push(b'.');
        }
        wire.extend(line);
        if ended || !line.is_empty() {
            wire.extend(b"\r\n");
        }
    }
    wire.extend(b".\r\n");
    Some(wire)
}

fn decoded(body: Body<'_>) -> Vec<u8> {
    let mut appended = Vec::new();
    body.append_to(&mut appended);
    let lent: Vec<&[u8]> = body.slices().collect();
    assert!(lent.iter().all(|slice| !slice.is_empty()));
    assert_eq!(lent.concat(), appended, "lent and appended");
    assert_eq!(body.len(), appended.len(), "the length told");
    assert_eq!(body.is_empty(), appended.is_empty());
    if let Some(slice) = body.as_slice() {
        assert_eq!(slice, appended);
    }
    appended
}

/// Scans `wire` as it grows to each of `cuts` and then to all of it.
fn scanned(wire: &[u8], cuts: &[usize], ends: LineEnds) -> Told {
    let mut told = Told::default();
    let mut scanner = Scanner::new(ends);
    let mut from = 0;
    for &cut in cuts.iter().chain([&wire.len()]) {
        loop {
            let input = &wire[from..cut.max(from)];
            match scanner.scan(input) {
                Scan::Piece(piece) => {
                    assert!(piece.len > 0 && piece.len <= input.len());
                    let content = decoded(piece.body(input));
                    assert_eq!(piece.size, content.len() as u64);
                    told.content.extend(content);
                    told.flaws |= piece.flaws;
                    from += piece.len;
                }
                Scan::End { len } => {
                    assert_eq!(&input[..len], b".\r\n");
                    told.end = Some(from + len);
                    return told;
                }
                Scan::More => {
                    assert!(input.len() <= 2, "{} octets wait", input.len());
                    break;
                }
            }
        }
    }
    told
}

/// A wire that ends has nothing undecided at its end: what waits there is not compared.
fn check_in(wire: &[u8], cuts: &[usize], ends: LineEnds) {
    let mut wire = wire.to_vec();
    if model_in(&wire, ends).end.is_none() {
        wire.extend(b"x\r\n.\r\n");
    }
    assert_eq!(
        scanned(&wire, cuts, ends),
        model_in(&wire, ends),
        "{ends:?} {cuts:?} {:?}",
        wire.escape_ascii().to_string()
    );
}

fn stuffed(message: &[u8], cuts: &[usize], ends: LineEnds) -> Option<Vec<u8>> {
    let (mut appender, mut lender) = (Stuffer::new(ends), Stuffer::new(ends));
    let mut output = BytesMut::new();
    let mut lent = Vec::new();
    let mut from = 0;
    for &cut in cuts.iter().chain([&message.len()]) {
        let chunk = &message[from..cut];
        from = cut;
        let before = output.len();
        let appended = appender.append(chunk, &mut output);
        let segments = lender.segments(chunk);
        assert_eq!(
            appended.err().unwrap_or_default(),
            segments.refused(),
            "appending and lending refuse alike"
        );
        if appended.is_err() {
            assert_eq!(output.len(), before, "a refused chunk leaves nothing behind");
        }
        let segments: Vec<&[u8]> = segments.collect();
        assert!(segments.iter().all(|segment| !segment.is_empty()));
        lent.extend(segments.concat());
    }
    assert_eq!(lent, output, "lent and appended");
    let mut end = BytesMut::new();
    let finished = appender.finish(&mut output);
    assert_eq!(lender.finish(&mut end), finished);
    lent.extend(end);
    assert_eq!(lent, output, "lent and appended, with the end");
    finished.ok().map(|()| lent)
}

fn check_out(message: &[u8], cuts: &[usize], ends: LineEnds) {
    let wire = stuffed(message, cuts, ends);
    assert_eq!(
        wire.as_deref().map(|wire| wire.escape_ascii().to_string()),
        model_out(message, ends).as_deref().map(|wire| wire.escape_ascii().to_string()),
        "{ends:?} {cuts:?} {:?}",
        message.escape_ascii().to_string()
    );
    let Some(wire) = wire else { return };
    if ends != LineEnds::Keep {
        assert_harmless(&wire);
    }
    let back = scanned(&wire, &[], LineEnds::Keep);
    assert_eq!(back.end, Some(wire.len()), "one end, at the end");
    if ends != LineEnds::Normalise {
        let mut content = message.to_vec();
        if !content.is_empty() && !content.ends_with(b"\r\n") {
            content.extend(b"\r\n");
        }
        assert_eq!(back.content, content, "in is the inverse of out");
    }
}

/// What any server might take for an end stands at the end only.
fn assert_harmless(wire: &[u8]) {
    let shown = wire.escape_ascii();
    for (at, &octet) in wire.iter().enumerate() {
        assert!(octet != 0, "NUL: {shown}");
        assert!(octet != b'\r' || wire.get(at + 1) == Some(&b'\n'), "bare CR: {shown}");
        assert!(octet != b'\n' || at > 0 && wire[at - 1] == b'\r', "bare LF: {shown}");
    }
    assert!(wire == b".\r\n" || wire.ends_with(b"\r\n.\r\n"));
    assert!(
        !wire[..wire.len() - 1].windows(5).any(|window| window == b"\r\n.\r\n"),
        "an end ahead of the end: {shown}"
    );
}

fn check_survey(message: &[u8], cuts: &[usize]) {
    let found = survey(message);
    let mut surveyor = Surveyor::new();
    let mut from = 0;
    for &cut in cuts.iter().chain([&message.len()]) {
        surveyor.add(&message[from..cut]);
        from = cut;
    }
    assert_eq!(surveyor.finish(), found, "{cuts:?} {:?}", message.escape_ascii().to_string());

    let mut told = Told::default();
    for (line, ended) in true_lines(message) {
        mend(line, LineEnds::Normalise, &mut told);
        if ended {
            told.content.extend(b"\r\n");
        }
    }
    if !told.content.is_empty() && !told.content.ends_with(b"\r\n") {
        told.content.extend(b"\r\n");
    }
    assert_eq!(found.flaws, told.flaws, "{:?}", message.escape_ascii().to_string());
    assert_eq!(found.size, told.content.len() as u64, "{:?}", message.escape_ascii().to_string());
}

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
