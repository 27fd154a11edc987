//! Replies and capabilities: what is read is what a naive reading gives, what is written can be read, and no cut matters.

use smtp_proto::auth::Mechanism;
use smtp_proto::extension::{Capabilities, Extension};
use smtp_proto::reply::{Framing, Reply};
use smtp_proto::status::{Code, Enhanced};

/// Any octets as replies.
pub fn reply(raw: &[u8]) {
    assert_eq!(Reply::parse(raw).ok().map(|reply| seen(&reply)), model(raw));
    check_framing(raw);
    let (behind, line, total) = (raw.get(..8).unwrap_or(b"250 ok"), 40, 80);
    check_cuts(raw, behind, line, total);
    check_cuts(raw, behind, 4096, 65536);
    check_written(raw, false);
    check_written(raw, true);
    if let Ok(text) = str::from_utf8(raw)
        && let Ok(reply) = Reply::new(Code::OK, text)
    {
        let output = written(&reply, true);
        // What fits is read as it was; what doesn't is parted, and nothing of it is lost.
        if reply.lines().all(|line| line.text.len() <= 490) {
            assert_eq!(Reply::parse(&output).as_ref(), Ok(&reply));
        }
        check_parted(&reply, &output);
        written(&reply.with_status(Enhanced::fixed(2, 0, 0)), false);
    }
}

/// Any lines as the response to EHLO, and as what a server is told to offer.
pub fn ehlo(input: &[u8]) {
    let (last, lines): (_, Vec<&[u8]>) = {
        let mut lines = input.split(|octet| matches!(octet, b'\r' | b'\n')).collect::<Vec<_>>();
        (lines.pop().unwrap_or_default(), lines)
    };
    let mut raw = lines.iter().map(|line| [b"250-", *line, b"\r\n"].concat()).collect::<Vec<_>>().concat();
    raw.extend([b"250 ", last, b"\r\n"].concat());
    let response = Reply::parse(&raw).expect("lines are a reply");
    offered(&Capabilities::parse(&response));

    let told = lines.iter().filter_map(|line| str::from_utf8(line).ok());
    let told = told.fold(Capabilities::new(), |all, line| all.clone().with_keyword(line).unwrap_or(all));
    offered(&told);
}

/// What a server offers is what a client finds.
fn offered(offered: &Capabilities<'_>) {
    let mut output = vec![];
    offered.write_ehlo("mx.example", &mut output);
    check_output(&output, false);
    let response = Reply::parse(&output).expect("a response is a reply");
    assert_eq!(response.code(), Code::OK);
    let found = Capabilities::parse(&response);
    assert_eq!(found.set(), offered.set());
    assert_eq!(found.size(), offered.size());
    assert_eq!(found.mechanisms(), offered.mechanisms());
    assert_eq!(found.limits(), offered.limits());
    assert_eq!(found.deliver_by(), offered.deliver_by());
    assert!(found.unknown().eq(offered.unknown()), "{found:?} for {offered:?}");
    for extension in Extension::ALL.iter().filter(|e| {
        !matches!(e, Extension::Auth | Extension::Size | Extension::Limits | Extension::DeliverBy)
    }) {
        assert_eq!(found.words(*extension), offered.words(*extension), "{extension}");
    }
    assert!(
        found.mechanisms().iter().all(|mechanism| Mechanism::from_name(mechanism.name()) == Some(mechanism))
    );
    let mut again = vec![];
    found.into_owned().write_ehlo("mx.example", &mut again);
    assert_eq!(again.escape_ascii().to_string(), output.escape_ascii().to_string());
}

/// What framing finds is what can be read.
pub fn check_framing(raw: &[u8]) {
    type Reads = fn(&[u8]) -> bool;
    let readers: [(_, Reads); 2] = [
        (Framing::new(), |raw| Reply::parse(raw).is_ok()),
        (Framing::lenient(), |raw| Reply::parse_lenient(raw).is_ok()),
    ];
    for (mut framing, reads) in readers {
        let framed = framing.next(raw, usize::MAX, usize::MAX);
        if let Ok(Some(n)) = framed {
            assert!(reads(&raw[..n]));
        }
        assert_eq!(reads(raw), framed == Ok(Some(raw.len())));
    }
}

/// Whatever the cuts, whatever follows: the same reply, known as soon as it is whole.
pub fn check_cuts(raw: &[u8], behind: &[u8], line: usize, total: usize) {
    for fresh in [Framing::new(), Framing::lenient()] {
        let whole = fresh.clone().next(raw, line, total);
        for cut in 0..raw.len() {
            let mut framing = fresh;
            let first = framing.next(&raw[..cut], line, total);
            if first == Ok(None) {
                assert_eq!(framing.next(raw, line, total), whole, "cut at {}", cut);
            } else {
                assert_eq!(first, whole, "cut at {}", cut);
            }
        }

        let mut framing = fresh;
        let bytewise = (0..=raw.len()).map(|n| framing.next(&raw[..n], line, total));
        let (at, bytewise) = bytewise.enumerate().find(|(_, r)| *r != Ok(None)).unwrap_or((0, Ok(None)));
        assert_eq!(bytewise, whole);
        if let Ok(Some(n)) = whole {
            assert_eq!(at, n, "known as soon as it is whole");
            assert!(n <= total);
        }

        if whole != Ok(None) {
            let more = [raw, behind].concat();
            assert_eq!(fresh.clone().next(&more, line, total), whole);
        }
    }
}

/// What was read, strictly or not, is written so that it can be read.
pub fn check_written(raw: &[u8], utf8: bool) {
    let Ok(reply) = Reply::parse_lenient(raw) else { return assert!(Reply::parse(raw).is_err()) };
    let output = written(&reply, utf8);
    assert_eq!(Reply::parse(&output).map(|again| again.code()), Ok(reply.code()));
    // A 3yz has no status, and stays as it came.
    let status = Enhanced::new(reply.class().digit(), 0, 0).filter(|status| status.fits(reply.code()));
    if let Some(status) = status {
        assert!(!reply.with_status(status).text().contains('\r'));
    }
}

/// The pieces of each line are the line, each behind the line's status.
fn check_parted(reply: &Reply<'_>, output: &[u8]) {
    let output = str::from_utf8(output).expect("the output is UTF-8");
    let mut pieces = output.split_terminator("\r\n").map(|line| &line[4..]);
    for line in reply.lines() {
        let status = line.status.map(|status| status.to_string()).unwrap_or_default();
        let mut text = String::new();
        loop {
            let piece =
                pieces.next().expect("a piece").strip_prefix(&status).expect("the status in each line");
            text += if status.is_empty() { piece } else { piece.strip_prefix(' ').unwrap_or_default() };
            if text.as_bytes() == line.text {
                break;
            }
            assert!(line.text.starts_with(text.as_bytes()), "{text:?} of {line:?}");
        }
    }
    assert_eq!(pieces.next(), None);
}

/// A code, and for each line its status and text.
pub type Model = (u16, Vec<(Option<String>, Vec<u8>)>);

/// The naive reading, to compare with.
pub fn model(raw: &[u8]) -> Option<Model> {
    let mut lines: Vec<Vec<u8>> = vec![vec![]];
    let mut octets = raw.iter().copied().peekable();
    while let Some(octet) = octets.next() {
        match octet {
            b'\r' if octets.next_if_eq(&b'\n').is_some() => lines.push(vec![]),
            b'\r' | b'\n' => return None,
            _ => lines.last_mut()?.push(octet),
        }
    }
    if !lines.pop()?.is_empty() || lines.is_empty() {
        return None;
    }
    let last = lines.len() - 1;
    let mut code = None;
    let mut found = vec![];
    for (n, line) in lines.iter().enumerate() {
        let digits = str::from_utf8(line.get(..3)?).ok()?;
        if !digits.bytes().all(|b| b.is_ascii_digit()) || !"2345".contains(&digits[..1]) {
            return None;
        }
        if *code.get_or_insert(digits) != digits || (line.get(3) == Some(&b'-')) != (n < last) {
            return None;
        }
        if !matches!(line.get(3), None | Some(b' ' | b'-')) {
            return None;
        }
        found.push(model_line(&digits[..1], line.get(4..).unwrap_or_default()));
    }
    Some((code?.parse().ok()?, found))
}

fn model_line(class: &str, text: &[u8]) -> (Option<String>, Vec<u8>) {
    let word = text.split(|b| *b == b' ').next().unwrap_or_default();
    let parts: Vec<_> = word.split(|b| *b == b'.').collect();
    let is_number = |n: &[u8]| {
        (1..=3).contains(&n.len()) && n.iter().all(u8::is_ascii_digit) && (n == b"0" || !n.starts_with(b"0"))
    };
    if parts.len() == 3
        && parts[0] == class.as_bytes()
        && class != "3"
        && parts[1..].iter().all(|n| is_number(n))
    {
        let text = text.get(word.len() + 1..).unwrap_or_default();
        return (Some(String::from_utf8_lossy(word).into_owned()), text.to_vec());
    }
    (None, text.to_vec())
}

/// A reply as the model has it.
pub fn seen(reply: &Reply<'_>) -> Model {
    let lines = reply.lines().map(|line| (line.status.map(|s| s.to_string()), line.text.to_vec()));
    (reply.code().as_u16(), lines.collect())
}

/// Lines of output: each ends with CRLF, is short, and has nothing in it that could be taken for a line end.
fn check_output(output: &[u8], utf8: bool) {
    let text = output.strip_suffix(b"\r\n").expect("the output ends a line");
    let text = String::from_utf8(text.to_vec()).expect("the output is UTF-8");
    for line in text.split("\r\n") {
        assert!(line.len() <= 510, "{} octets", line.len());
        assert!(line.chars().all(|c| c == '\t' || !c.is_control()), "{line:?}");
        assert!(utf8 || line.is_ascii(), "{line:?}");
    }
}

/// What a reply writes.
pub fn written(reply: &Reply<'_>, utf8: bool) -> Vec<u8> {
    let mut output = vec![];
    reply.write(utf8, &mut output);
    check_output(&output, utf8);
    output
}
