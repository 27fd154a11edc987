//! Bodies: what is content and what ends it, told against a model that looks at one octet at a time.

use bytes::BytesMut;
use smtp_proto::dot::{Body, Flaws, LineEnds, Part, Scan, Scanner, Stuffer, Surveyed, Surveyor, survey};

use super::script::Script;

/// Any octets off the wire.
pub fn body_in(input: &[u8]) {
    let script = Script::read(input);
    for ends in POLICIES {
        check_in(script.octets, &[], ends);
        check_in(script.octets, &script.cuts(script.octets.len()), ends);
    }
    check_text(script.octets, &script.cuts(script.octets.len()));
}

/// Any octets as a message.
pub fn body_out(input: &[u8]) {
    let script = Script::read(input);
    let cuts = script.cuts(script.octets.len());
    for ends in POLICIES {
        check_out(script.octets, &[], ends);
        check_out(script.octets, &cuts, ends);
    }
    check_survey(script.octets, &cuts);
}

/// Every policy.
pub const POLICIES: [LineEnds; 3] = [LineEnds::Reject, LineEnds::Normalise, LineEnds::Keep];

/// What a message comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Its content.
    pub content: Vec<u8>,
    /// What is wrong with it.
    pub flaws: Flaws,
    /// The octets of the wire up to the end of the message, if it is there.
    pub end: Option<usize>,
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

/// A message before it is stuffed, or in chunks: its line ends seen to, and its flaws.
pub fn mended(message: &[u8], ends: LineEnds) -> Told {
    let mut told = Told::default();
    for (line, ended) in true_lines(message) {
        mend(line, ends, &mut told);
        if ended {
            told.content.extend(b"\r\n");
        }
    }
    told
}

/// The model of what comes in.
pub fn model_in(wire: &[u8], ends: LineEnds) -> Told {
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

/// The model of a text in chunks, whose line ends are completed.
pub fn model_text(wire: &[u8]) -> Vec<u8> {
    let mut told = Told::default();
    for (line, ended) in true_lines(wire) {
        mend(line, LineEnds::Normalise, &mut told);
        if ended {
            told.content.extend(b"\r\n");
        }
    }
    told.content
}

/// A text in chunks comes to what the model says, wherever it is cut.
pub fn check_text(wire: &[u8], cuts: &[usize]) {
    let mut surveyor = Surveyor::new();
    let mut content = Vec::new();
    let mut from = 0;
    for &cut in cuts.iter().chain([&wire.len()]) {
        let chunk = &wire[from..cut.max(from)];
        let piece = surveyor.mend(chunk);
        assert_eq!(piece.len, chunk.len());
        let lent = decoded(piece.body(chunk));
        assert_eq!(piece.size, lent.len() as u64);
        content.extend(lent);
        from = cut.max(from);
    }
    assert_eq!(content, model_text(wire), "{} cut at {cuts:?}", wire.escape_ascii());
    assert_eq!(surveyor.finish().flaws, survey(wire).flaws);
}

/// The model of what goes out: `None` where it is refused.
pub fn model_out(message: &[u8], ends: LineEnds) -> Option<Vec<u8>> {
    let told = mended(message, ends);
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

/// The content of a piece, by each way to it.
pub fn decoded(body: Body<'_>) -> Vec<u8> {
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
pub fn scanned(wire: &[u8], cuts: &[usize], ends: LineEnds) -> Told {
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

/// What comes in is what the model says. A wire that ends has nothing undecided at its end: what waits there is not compared.
pub fn check_in(wire: &[u8], cuts: &[usize], ends: LineEnds) {
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

/// A message stuffed, by both ways, and whether it is known from a survey what is in it or not.
pub fn stuffed(message: &[u8], cuts: &[usize], ends: LineEnds) -> Option<Vec<u8>> {
    let mut known = Vec::new();
    let mut rest = Surveyed::new(message).part();
    for &cut in cuts {
        let at = cut - (message.len() - rest.octets().len());
        let (part, behind) = rest.split_at(at);
        known.push(part);
        rest = behind;
    }
    known.push(rest);
    let mut unknown: Vec<Part<'_>> = known.iter().map(|part| part.octets().into()).collect();
    let wire = stuffed_parts(&unknown, ends);
    assert_eq!(stuffed_parts(&known, ends), wire, "surveyed or not");
    // Whatever stands ahead of a part is not what stood there in its message.
    known.reverse();
    unknown.reverse();
    assert_eq!(
        stuffed_parts(&known, ends),
        stuffed_parts(&unknown, ends),
        "surveyed or not, in another order"
    );
    wire
}

fn stuffed_parts(parts: &[Part<'_>], ends: LineEnds) -> Option<Vec<u8>> {
    let (mut appender, mut lender) = (Stuffer::new(ends), Stuffer::new(ends));
    let mut output = BytesMut::new();
    let mut lent = Vec::new();
    for &chunk in parts {
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

/// What goes out is what the model says, cut or not, lent or appended; what comes back is what went out.
pub fn check_out(message: &[u8], cuts: &[usize], ends: LineEnds) {
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

/// A survey is what the model says.
pub fn check_survey(message: &[u8], cuts: &[usize]) {
    let found = survey(message);
    let mut surveyor = Surveyor::new();
    let mut from = 0;
    for &cut in cuts.iter().chain([&message.len()]) {
        surveyor.add(&message[from..cut]);
        from = cut;
    }
    assert_eq!(surveyor.finish(), found, "{cuts:?} {:?}", message.escape_ascii().to_string());

    let mut told = mended(message, LineEnds::Normalise);
    if !told.content.is_empty() && !told.content.ends_with(b"\r\n") {
        told.content.extend(b"\r\n");
    }
    assert_eq!(found.flaws, told.flaws, "{:?}", message.escape_ascii().to_string());
    assert_eq!(found.size, told.content.len() as u64, "{:?}", message.escape_ascii().to_string());
}
