use bytes::BufMut;
use memchr::{memchr, memrchr};

use super::{Line, Lines};
use crate::status::{Code, Enhanced};

/// The longest line that is written, with its CRLF (RFC 5321, 4.5.3.1.5).
pub(crate) const MAX_LINE: usize = 512;

/// The most text that fits into one line in any case.
const MAX_PLAIN: usize = MAX_LINE - "250 ".len() - Enhanced::MAX - "\r\n".len();

/// Checks text for a composed reply: where its first control character stands, else whether it is one line that can
/// be written as it is (ASCII, short, and with nothing in front that reads as an enhanced code).
pub(super) const fn survey(text: &[u8]) -> Result<bool, usize> {
    let mut plain = text.len() <= MAX_PLAIN && !(text.len() > 1 && text[1] == b'.');
    let mut at = 0;
    while at < text.len() {
        match text[at] {
            b'\n' => plain = false,
            b'\t' | b' '..=b'~' => {}
            0..=0x1F | 0x7F => return Err(at),
            // U+0080 to U+009F
            0xC2 if at + 1 < text.len() && text[at + 1] < 0xA0 => return Err(at),
            _ => plain = false,
        }
        at += 1;
    }
    Ok(plain)
}

/// Writes a one-line reply whose text was found plain.
#[inline]
pub(super) fn plain(code: Code, status: Option<Enhanced>, text: &str, output: &mut impl BufMut) {
    put_head(code, b' ', status, text.is_empty(), output);
    output.put_slice(text.as_bytes());
    output.put_slice(b"\r\n");
}

/// Whether a peer's reply may be written as it came.
pub(super) fn is_clean(raw: &[u8], code: Code, utf8: bool) -> bool {
    let digits = code.digits();
    let mut rest = raw;
    while let Some(end) = memchr(b'\n', rest) {
        let line = &rest[..end];
        rest = &rest[end + 1..];
        let Some(line) = line.strip_suffix(b"\r") else { return false };
        let text = line.get(4..).unwrap_or_default();
        if line.len() + 2 > MAX_LINE || !line.starts_with(&digits) || !is_clean_text(text, utf8) {
            return false;
        }
    }
    true
}

fn is_clean_text(text: &[u8], utf8: bool) -> bool {
    is_printable(text)
        || utf8 && str::from_utf8(text).is_ok_and(|text| text.chars().all(|c| c == '\t' || !c.is_control()))
}

/// HT and SP to `~`: textstring of RFC 5321, 4.2.
// No early exit: without a branch in it, the loop is done many octets at a time.
fn is_printable(text: &[u8]) -> bool {
    text.iter().fold(true, |so_far, b| so_far & ((*b >= b' ') & (*b <= b'~') | (*b == b'\t')))
}

/// Writes lines, clean and parted so that each fits.
pub(super) fn lines(code: Code, lines: Lines<'_>, utf8: bool, output: &mut impl BufMut) {
    let mut lines = lines.peekable();
    while let Some(Line { status, mut text }) = lines.next() {
        let is_last = lines.peek().is_none();
        let room = if status.is_some() { MAX_PLAIN } else { MAX_PLAIN + Enhanced::MAX };
        loop {
            let (piece, rest) = text.split_at(cut(text, room));
            let separator = if is_last && rest.is_empty() { b' ' } else { b'-' };
            put_head(code, separator, status, piece.is_empty(), output);
            put_text(piece, utf8, output);
            output.put_slice(b"\r\n");
            text = rest;
            if text.is_empty() {
                break;
            }
        }
    }
}

/// How much of `text` goes into a line: up to and with the last space, else up to the last whole character.
fn cut(text: &[u8], room: usize) -> usize {
    if text.len() <= room {
        return text.len();
    }
    if let Some(space) = memrchr(b' ', &text[..room]) {
        return space + 1;
    }
    // At most three octets back; what has more is not UTF-8, and may be parted anywhere.
    (room - 3..=room).rev().find(|at| text[*at] & 0xC0 != 0x80).unwrap_or(room)
}

/// `250 2.1.0 `; without the last space if an enhanced code is all there is. A code alone keeps its separator: some
/// clients wait for it.
#[inline]
fn put_head(code: Code, separator: u8, status: Option<Enhanced>, alone: bool, output: &mut impl BufMut) {
    let [a, b, c] = code.digits();
    let Some(status) = status else {
        output.put_slice(&[a, b, c, separator]);
        return;
    };
    let mut head = [0; 4 + Enhanced::MAX];
    let (front, behind) = head.split_at_mut(4);
    front.copy_from_slice(&[a, b, c, separator]);
    let Ok(behind) = behind.try_into() else { return };
    let len = 4 + status.write(behind) - usize::from(alone);
    output.put_slice(&head[..len]);
}

/// Writes text without control characters; `?` stands for each character that is not allowed.
pub(crate) fn put_text(text: &[u8], utf8: bool, output: &mut impl BufMut) {
    if is_printable(text) {
        output.put_slice(text);
        return;
    }
    for chunk in text.utf8_chunks() {
        for c in chunk.valid().chars().filter(|c| *c == '\t' || !c.is_control()) {
            if c.is_ascii() || utf8 {
                output.put_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            } else {
                output.put_u8(b'?');
            }
        }
        if !chunk.invalid().is_empty() {
            output.put_u8(b'?');
        }
    }
}
