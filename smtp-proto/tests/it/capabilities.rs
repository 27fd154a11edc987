//! Capabilities: what servers really send is understood, and what is written is read back.

use std::time::Duration;

use bytes::BytesMut;
use proptest::{collection::vec, prelude::*, sample::subsequence};
use smtp_proto::{
    address::{Domain, ReversePath},
    auth::{Mechanism, Mechanisms},
    client::{self, Client},
    extension::{Capabilities, Extension, Extensions, SessionLimits},
    param::Params,
    reply::Reply,
    status::Code,
};

fn check(lines: &str, test: impl Fn(&Capabilities<'_>)) {
    let mut raw = String::from("250-mx.example at your service\r\n");
    let count = lines.lines().count();
    for (n, line) in lines.lines().enumerate() {
        raw += if n + 1 < count { "250-" } else { "250 " };
        raw += line.trim_start();
        raw += "\r\n";
    }
    let reply = Reply::parse(raw.as_bytes()).expect("a reply");
    test(&Capabilities::parse(&reply));
    test(&Capabilities::parse(&reply).into_owned());

    // The same once more through what a proxy would say.
    let mut output = vec![];
    Capabilities::parse(&reply).write_ehlo("mx.example", &mut output);
    test(&Capabilities::parse(&Reply::parse(&output).expect("a reply")));
}

#[test]
fn a_large_servers_response() {
    check(
        "SIZE 157286400\n8BITMIME\nSTARTTLS\nENHANCEDSTATUSCODES\nPIPELINING\nCHUNKING\nSMTPUTF8",
        |offered| {
            use Extension::*;
            let expected =
                [Size, EightBitMime, StartTls, EnhancedStatusCodes, Pipelining, Chunking, SmtpUtf8];
            assert_eq!(offered.set(), expected.into_iter().collect());
            assert_eq!(offered.size(), Some(157_286_400));
            assert_eq!(offered.unknown().count(), 0);
        },
    );
}

#[test]
fn keywords_in_any_case_old_auth_and_unknown_ones() {
    check(
        "auth=LOGIN PLAIN NTLM\nAuth PLAIN  CRAM-MD5\nx-Exps GSSAPI\nXFOO\nsize\nPIPELININGX\nSIZES 5",
        |offered| {
            let expected = [Mechanism::Login, Mechanism::Plain, Mechanism::CramMd5];
            assert_eq!(offered.mechanisms(), expected.into_iter().collect());
            assert!(offered.other_mechanisms().eq(["NTLM"]));
            assert_eq!((offered.has(Extension::Size), offered.size()), (true, None));
            assert!(!offered.has(Extension::Pipelining));
            assert!(offered.unknown().eq([
                ("x-Exps", "GSSAPI"),
                ("XFOO", ""),
                ("PIPELININGX", ""),
                ("SIZES", "5")
            ]));
        },
    );
}

#[test]
fn values_of_extensions() {
    check(
        "DELIVERBY 240\nFUTURERELEASE 604800 2030-01-01T00:00:00Z\nMT-PRIORITY MIXER\nLIMITS RCPTMAX=100 X=1 MAILMAX=0\nNO-SOLICITING net.example:ADV",
        |offered| {
            assert_eq!(offered.deliver_by(), Some(240));
            let release = offered.future_release().unwrap();
            assert_eq!((release.max_interval, release.max_datetime), (604_800, "2030-01-01T00:00:00Z"));
            assert_eq!(offered.words(Extension::MtPriority), Some("MIXER"));
            assert_eq!(offered.words(Extension::NoSoliciting), Some("net.example:ADV"));
            assert_eq!(offered.limits(), SessionLimits::default().with_rcpt_max(100));
        },
    );
}

#[test]
fn bad_values_are_passed_over_singly() {
    check("SIZE 99999999999999999999\nDELIVERBY soon\nFUTURERELEASE\nAUTH\nPIPELINING", |offered| {
        assert_eq!((offered.size(), offered.deliver_by(), offered.future_release()), (None, None, None));
        assert_eq!(offered.mechanisms(), Mechanisms::NONE);
        assert_eq!(offered.set().len(), 5);
    });
}

#[test]
fn what_is_no_keyword_is_not_passed_on() {
    let reply = Reply::parse(
        b"250-mx\r\n250-X\0Y\r\n250-\r\n250- SIZE 5\r\n250-XA \xe9\r\n250-XB \x1b\r\n250 XC ok\r\n",
    );
    let reply = reply.unwrap();
    let offered = Capabilities::parse(&reply);
    assert!(offered.set().is_empty());
    assert!(offered.unknown().eq([("XC", "ok")]));
}

#[test]
fn the_first_line_is_no_extension() {
    for raw in [&b"250 SIZE\r\n"[..], b"250-STARTTLS\r\n250 DSN\r\n"] {
        let reply = Reply::parse(raw).unwrap();
        assert!(!Capabilities::parse(&reply).has(Extension::StartTls));
        assert!(!Capabilities::parse(&reply).has(Extension::Size));
    }
}

#[test]
fn nothing_but_a_line_can_be_offered() {
    let long = format!("XA {}", "x".repeat(600));
    for line in [
        "",
        " ",
        "X Y ",
        "X  Y",
        "X\r\n250 Y",
        "X\nY",
        "X \0",
        "X\tY",
        "-X",
        "X \u{e9}",
        "\u{e9}",
        "X=Y",
        &long,
    ] {
        assert!(Capabilities::new().with_keyword(line).is_err(), "{line:?}");
    }
    let mut output = vec![];
    Capabilities::new().write_ehlo("mx\r\n250 \u{e9}\0", &mut output);
    assert_eq!(output, b"250 mx250 ?\r\n");
}

#[test]
fn a_server_says_what_it_offers() {
    let offered = Capabilities::new()
        .with(Extension::Pipelining)
        .with_size(1000)
        .with_mechanisms([Mechanism::Plain, Mechanism::ScramSha256].into_iter().collect())
        .with_limits(
            SessionLimits::default().with_rcpt_max(50).with_mail_max(0).with_rcpt_domain_max(1_000_000),
        )
        .with_keyword("XFOO a b")
        .and_then(|offered| offered.with_keyword("MT-PRIORITY NSEP"))
        .and_then(|offered| offered.with_keyword("AUTH LOGIN NTLM"))
        .unwrap();
    let mut output = vec![];
    offered.write_ehlo("mx.example", &mut output);
    let expected = "250-mx.example\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250-AUTH SCRAM-SHA-256 PLAIN LOGIN NTLM\r\n\
        250-MT-PRIORITY NSEP\r\n250-LIMITS RCPTMAX=50\r\n250 XFOO a b\r\n";
    assert_eq!(String::from_utf8(output).unwrap(), expected);

    let mut output = vec![];
    offered.without(Extension::Auth).write_ehlo("mx.example", &mut output);
    assert!(!String::from_utf8(output).unwrap().contains("AUTH"));
}

#[test]
fn what_a_client_is_not_to_use_is_not_offered_to_it() {
    let mut config = client::Config::default();
    config.unused = Extensions::NONE.with(Extension::Pipelining);
    let (mut client, mut output) = (Client::new(config.shared()), BytesMut::new());
    client.poll(Duration::ZERO, &mut &b"220 mx.example\r\n"[..]).expect("a greeting");
    client.ehlo(&Domain::parse("client.example").expect("a name"), &mut output).expect("EHLO");
    let mut response = &b"250-mx.example\r\n250-PIPELINING\r\n250 SIZE 1000\r\n"[..];
    client.poll(Duration::ZERO, &mut response).expect("a response");
    assert_eq!(client.capabilities().set(), Extensions::NONE.with(Extension::Size));
    client.mail(&ReversePath::Null, &Params::default(), &mut output).expect("MAIL");
    assert!(!client.can_send(), "the reply comes first");
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(
        set in subsequence(Extension::ALL, 0..=Extension::ALL.len()),
        mechanisms in subsequence(Mechanism::ALL, 0..=Mechanism::ALL.len()),
        size: u64,
        limits in (0..2_000_000_u32, 0..2_000_000_u32),
        unknown in vec(("X[A-Z0-9-]{1,20}", "( [!-~]{1,20}){0,20}"), 0..4),
        other in "(X[A-Z]{3,40})( Y[A-Z]{3,40}){0,10}",
    ) {
        let mut offered = set.iter().fold(Capabilities::new(), |offered, e| offered.with(*e));
        offered = offered.with_size(size).with_mechanisms(mechanisms.into_iter().collect());
        offered = offered
            .with_limits(SessionLimits::default().with_rcpt_max(limits.0).with_rcpt_domain_max(limits.1));
        for (keyword, words) in &unknown {
            if !matches!(keyword.as_str(), "XCLIENT" | "XFORWARD") {
                offered = offered.with_keyword(&format!("{keyword}{words}")).unwrap();
            }
        }
        offered = offered.with_keyword(&format!("AUTH {other}")).unwrap();

        let mut output = vec![];
        offered.write_ehlo("mx.example greets you", &mut output);
        let reply = Reply::parse(&output).unwrap();
        prop_assert!(reply.lines().all(|line| line.text.len() + 6 <= 512));
        prop_assert_eq!(reply.code(), Code::OK);
        let again = Capabilities::parse(&reply);
        prop_assert_eq!(again.set(), offered.set());
        prop_assert_eq!(again.size(), offered.size());
        prop_assert_eq!(again.mechanisms(), offered.mechanisms());
        prop_assert_eq!(again.limits(), offered.limits());
        prop_assert!(again.unknown().eq(offered.unknown()));
        prop_assert!(offered.other_mechanisms().zip(again.other_mechanisms()).all(|(a, b)| a == b));

        let mut once_more = vec![];
        again.into_owned().write_ehlo("mx.example greets you", &mut once_more);
        prop_assert_eq!(once_more, output);
    }

    #[test]
    fn any_response_is_read_without_trouble(lines in vec(vec(any::<u8>(), 0..30), 0..6)) {
        let mut raw = vec![];
        for line in &lines {
            raw.extend(b"250-");
            raw.extend(line.iter().filter(|b| !b"\r\n".contains(b)));
            raw.extend(b"\r\n");
        }
        raw.extend(b"250 DSN\r\n");
        let reply = Reply::parse(&raw).unwrap();
        let offered = Capabilities::parse(&reply);
        let mut output = vec![];
        offered.write_ehlo("mx", &mut output);
        let again = Reply::parse(&output).unwrap();
        prop_assert!(Capabilities::parse(&again).unknown().eq(offered.unknown()));
    }

    #[test]
    fn sets_are_sets(
        a in subsequence(Extension::ALL, 0..=Extension::ALL.len()),
        b in subsequence(Extension::ALL, 0..=Extension::ALL.len()),
    ) {
        let set = |members: &[Extension]| members.iter().copied().collect::<Extensions>();
        prop_assert!(set(&a).iter().eq(a.iter().copied()));
        prop_assert_eq!(set(&a).len(), a.len());
        for e in Extension::ALL {
            prop_assert_eq!(set(&a).union(set(&b)).contains(*e), a.contains(e) || b.contains(e));
            prop_assert_eq!(set(&a).intersection(set(&b)).contains(*e), a.contains(e) && b.contains(e));
            prop_assert_eq!(set(&a).difference(set(&b)).contains(*e), a.contains(e) && !b.contains(e));
        }
    }
}
