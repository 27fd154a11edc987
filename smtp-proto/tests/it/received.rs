//! The trace header: its keywords, its clauses, its date, and that nothing a client says can break out of it.

use proptest::prelude::*;
use smtp_proto::address::{Domain, ForwardPath};
use smtp_proto::received::{Received, Timestamp, With};
use smtp_proto::stage::Protocol;

fn with(protocol: Protocol, letters: &str) -> With {
    With {
        protocol,
        extended: letters.contains('E'),
        tls: letters.contains('S'),
        authenticated: letters.contains('A'),
        utf8: letters.contains('U'),
    }
}

/// RFC 3848, and RFC 6531, 4.3.
#[test]
fn keywords_are_those_of_the_registry() {
    for letters in ["", "S", "A", "SA"] {
        let keyword = |protocol, more: &str| with(protocol, &format!("{letters}{more}")).keyword();
        assert_eq!(keyword(Protocol::Smtp, "E"), format!("ESMTP{letters}"));
        assert_eq!(keyword(Protocol::Smtp, "EU"), format!("UTF8SMTP{letters}"));
        assert_eq!(keyword(Protocol::Lmtp, "E"), format!("LMTP{letters}"));
        assert_eq!(keyword(Protocol::Lmtp, "EU"), format!("UTF8LMTP{letters}"));
        assert_eq!(keyword(Protocol::Smtp, ""), "SMTP", "HELO");
    }
}

#[test]
fn dates_are_those_of_the_calendar() {
    let check = |seconds, zone, date: &str| assert_eq!(Timestamp::from_unix(seconds, zone).to_string(), date);
    check(0, 0, "Thu, 1 Jan 1970 00:00:00 +0000");
    check(-1, 0, "Wed, 31 Dec 1969 23:59:59 +0000");
    check(951_782_400, 0, "Tue, 29 Feb 2000 00:00:00 +0000");
    check(4_107_542_399, 0, "Sun, 28 Feb 2100 23:59:59 +0000");
    check(4_107_542_400, 0, "Mon, 1 Mar 2100 00:00:00 +0000");
    check(1_795_374_926, -210, "Sun, 22 Nov 2026 15:45:26 -0330");
    check(1_798_761_599, 1, "Fri, 1 Jan 2027 00:00:59 +0001");
    check(i64::MIN, 0, "Sat, 1 Jan 0000 00:00:00 +0000");
    check(i64::MAX, i16::MAX, "Fri, 31 Dec 9999 23:59:59 +2359");
}

fn field(name: &str, utf8: bool) -> String {
    let (name, by) =
        (Domain::parse_lenient(name).expect(name), Domain::parse("mx.example.net").expect("a name"));
    let with = with(Protocol::Smtp, if utf8 { "EU" } else { "E" });
    Received::new(&name, &by, with, Timestamp::from_unix(0, 0)).to_string()
}

/// RFC 5321, 4.4: From-domain is a Domain or an address literal, whatever EHLO said.
#[test]
fn names_that_are_none_are_mended() {
    let cases = [
        ("mail.example.org", "mail.example.org"),
        ("[192.0.2.1]", "[192.0.2.1]"),
        ("192.0.2.1", "[192.0.2.1]"),
        ("2001:db8::1", "[IPv6:2001:db8::1]"),
        ("my_pc.example.org.", "my-pc.example.org"),
        ("_pc", "unknown"),
    ];
    for (said, written) in cases {
        assert!(field(said, false).starts_with(&format!("Received: from {written}\r\n\tby ")), "{said}");
    }
    assert!(field("bücher.example", true).starts_with("Received: from bücher.example\r\n"));
    assert!(field("bücher.example", false).is_ascii(), "RFC 6531, 3.7.3");
}

/// RFC 5321, 7.2: who else had the message is nobody's business.
#[test]
fn of_several_recipients_none_is_named() {
    let (name, by) =
        (Domain::parse("a.example").expect("a name"), Domain::parse("b.example").expect("a name"));
    let path = |text| ForwardPath::parse(text).expect("a path");
    let written = |to: &[ForwardPath<'_>]| {
        let received = Received::new(&name, &by, With::default(), Timestamp::from_unix(0, 0));
        received.with_recipients(to).to_string()
    };
    assert!(written(&[path("<ben@example.net>")]).contains("\r\n\tfor <ben@example.net>;\r\n"));
    assert!(!written(&[path("<ben@example.net>"), path("<cat@example.net>")]).contains("for"));
    assert!(!written(&[path("<Postmaster>")]).contains("for"), "the grammar has no path without a domain");
    assert!(!written(&[]).contains("for"));
}

proptest! {
    /// One field, whatever goes in: no line but the folded ones, none too long, no octet that a header may not have.
    #[test]
    fn a_field_is_one_field(name in "[a-z0-9_.:\\[\\]\\-ü ]{1,80}", id in ".{0,20}", cipher in ".{0,20}", utf8: bool) {
        let Ok(name) = Domain::parse_lenient(&name) else { return Ok(()) };
        let by = Domain::parse("mx.example.net").expect("a name");
        let with = with(Protocol::Smtp, if utf8 { "EU" } else { "E" });
        let field = Received::new(&name, &by, with, Timestamp::from_unix(0, 0))
            .with_address("2001:db8::1".parse().ok())
            .with_id(&id)
            .with_cipher(&cipher)
            .to_string();
        let Some(lines) = field.strip_suffix("\r\n") else { panic!("{field:?}") };
        for (n, line) in lines.split("\r\n").enumerate() {
            let begins = line.starts_with(if n == 0 { "Received: from " } else { "\t" });
            prop_assert!(begins, "{:?}", line);
            prop_assert!(!line.trim_start_matches('\t').chars().any(char::is_control), "{:?}", line);
            prop_assert!(line.len() <= 998);
        }
        prop_assert!(utf8 || field.is_ascii());
        prop_assert_eq!(field.matches(';').count(), 1);
    }
}
