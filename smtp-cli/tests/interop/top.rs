//! The header fields that a receiving server puts on top of a message.

/// A header field, unfolded: its name as it was written, and its value without the space around it.
pub(crate) type Field = (String, String);

/// Takes fields off the top of `message`: of each name in `once` the first, and of each in `many` all. Ends at the first other
/// field, or a second one of a name that is taken once, so that a `Received:` of the message's own stays on it.
pub(crate) fn strip<'m>(mut message: &'m [u8], once: &[&str], many: &[&str]) -> (Vec<Field>, &'m [u8]) {
    let mut taken: Vec<Field> = Vec::new();
    while let Some((name, value, rest)) = first_field(message) {
        let is = |other: &&str| name.eq_ignore_ascii_case(other);
        let again = taken.iter().any(|(seen, _)| name.eq_ignore_ascii_case(seen));
        if !(many.iter().any(is) || once.iter().any(is) && !again) {
            break;
        }
        taken.push((name, value));
        message = rest;
    }
    (taken, message)
}

/// The values of the fields of one name, in their order.
pub(crate) fn values<'f>(fields: &'f [Field], name: &str) -> Vec<&'f str> {
    fields.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str()).collect()
}

/// The field that `message` starts with, folded lines and all, and what stands behind it. Lines end in LF or CRLF: files of
/// servers have both.
fn first_field(message: &[u8]) -> Option<(String, String, &[u8])> {
    let mut end = 0;
    loop {
        end += message[end..].iter().position(|&octet| octet == b'\n')? + 1;
        if !matches!(message.get(end), Some(b' ' | b'\t')) {
            break;
        }
    }
    let field = String::from_utf8_lossy(&message[..end]);
    let (name, value) = field.split_once(':')?;
    if name.contains(char::is_whitespace) {
        return None;
    }
    let value = value.lines().map(str::trim).collect::<Vec<_>>().join(" ");
    Some((name.to_owned(), value.trim().to_owned(), &message[end..]))
}

#[test]
fn only_the_fields_on_top_are_taken() {
    let message = b"Return-Path: <a@example.test>\r\nReceived: from x\r\n\tby y;\r\n\tnow\r\nDelivered-To: b\r\ndelivered-to: c\r\n\
        Received: from w by x\r\nSubject: s\r\nDelivered-To: own\r\n\r\nReturn-Path: body\r\n";
    let (fields, rest) = strip(message, &["Return-Path", "Received"], &["Delivered-To"]);
    assert_eq!(values(&fields, "return-path"), ["<a@example.test>"]);
    assert_eq!(values(&fields, "Received"), ["from x by y; now"]);
    assert_eq!(values(&fields, "Delivered-To"), ["b", "c"]);
    assert!(
        rest.starts_with(b"Received: from w by x\r\nSubject: s\r\nDelivered-To: own\r\n"),
        "{}",
        rest.escape_ascii()
    );
}

#[test]
fn a_message_without_fields_stays_whole() {
    for message in
        ["", "\r\n", "\r\nReceived: x\r\n", "Received x\r\n", "Received: cut", "see Received: x\r\n"]
    {
        let (fields, rest) = strip(message.as_bytes(), &["Received"], &["see Received"]);
        assert!(fields.is_empty() && rest == message.as_bytes(), "{message:?}: {fields:?}");
    }
}
