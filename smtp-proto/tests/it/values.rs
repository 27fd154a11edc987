//! Addresses, parameters and commands: what is taken, what is refused, and that what is taken is written back.
#![allow(clippy::unwrap_used, reason = "strategies are tests too, which clippy does not see")]

use std::collections::HashSet;

use proptest::prelude::*;
use smtp_proto::address::{Domain, Error as AddressError, ForwardPath, Literal, Mailbox, ReversePath};
use smtp_proto::auth::{Base64, MechanismName};
use smtp_proto::command::{
    Attribute, Attributes, BdatError, Command, Error, Mail, Options, Rcpt, Text, Verb, Word,
};
use smtp_proto::extension::{Extension, Extensions};
use smtp_proto::param::{
    BodyType, DeliverBy, DeliverByMode, Error as ParamError, Notify, Orcpt, Param, Params, Ret, RrvsAction,
    Xtext,
};

fn parse(line: &str) -> Result<Command<'_>, Error> {
    Command::parse(line.as_bytes(), Options::default())
}

fn written(command: &Command<'_>) -> Vec<u8> {
    let mut output = Vec::new();
    command.write(&mut output);
    output
}

fn code(line: &str) -> u16 {
    parse(line).expect_err(line).reply().code().as_u16()
}

/// The line is taken, and written back as `canonical`.
#[track_caller]
fn check(line: &str, canonical: &str) {
    let command = parse(line).unwrap_or_else(|error| panic!("{line}: {error}"));
    assert_eq!(String::from_utf8(written(&command)).unwrap(), format!("{canonical}\r\n"));
    assert_eq!(parse(canonical).as_ref(), Ok(&command));
    assert_eq!(command.clone().into_owned(), command);
}

#[test]
fn canonical_lines_are_written_back() {
    for line in [
        "EHLO mail.example.org",
        "EHLO [192.0.2.1]",
        "EHLO [IPv6:2001:db8::1]",
        "EHLO [x-tag:what:ever]",
        "HELO bücher.example",
        "LHLO localhost",
        "MAIL FROM:<>",
        "MAIL FROM:<a@b> SIZE=12345 BODY=8BITMIME RET=HDRS ENVID=QQ314159",
        "MAIL FROM:<a@b> AUTH=<> SMTPUTF8 REQUIRETLS PRDR",
        "MAIL FROM:<a@b> BY=-120;NT MT-PRIORITY=-9 HOLDFOR=60",
        "MAIL FROM:<a@b> HOLDUNTIL=2030-12-31T23:59:60.5+01:00 XFOO=bär XBAR",
        "MAIL FROM:<a@b> SOLICIT=org.example:ADV,net.example:ADLT MTRK=AQIDBAUGBwgJCgsMDQ4PEBESExQ=:3600",
        r#"RCPT TO:<"a\"@evil b"@good> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a+40b"#,
        "RCPT TO:<jörg@bücher.example> ORCPT=utf-8;j\\x{F6}rg@b RRVS=2014-04-03T23:01:00Z;C",
        "RCPT TO:<Postmaster>",
        "RCPT TO:<Postmaster@example.org>",
        "DATA",
        "BDAT 18446744073709551615 LAST",
        "BDAT 0",
        "RSET",
        "NOOP",
        "NOOP some words",
        "QUIT",
        "VRFY Jones SMTPUTF8",
        "EXPN list",
        "HELP MAIL",
        "STARTTLS",
        "AUTH PLAIN",
        "AUTH PLAIN AGEAYg==",
        "AUTH EXTERNAL =",
        "ETRN @example.org",
        "XCLIENT NAME=spike.example ADDR=IPV6:2001:db8::1",
        "XFORWARD NAME=[UNAVAILABLE] IDENT=a+20b",
        "BURL imap://x LAST",
        "XFOO-1 bar",
    ] {
        check(line, line);
    }
}

#[test]
fn looser_lines_are_taken_and_written_tightly() {
    check("mail from: <a@b>  ", "MAIL FROM:<a@b>");
    check("MAIL  FROM:<a@b>  SIZE=1   RET=FULL", "MAIL FROM:<a@b> SIZE=1 RET=FULL");
    check("RCPT TO:<@one.example,@[192.0.2.1]:a@b>", "RCPT TO:<a@b>");
    check("rcpt to:<pOSTMASTER>", "RCPT TO:<Postmaster>");
    check("data\t ", "DATA");
    check("starttls", "STARTTLS");
    check("bdat 7  last", "BDAT 7 LAST");
    check("EHLO my_pc", "EHLO my_pc");
    check("EHLO 192.0.2.1", "EHLO 192.0.2.1");
    check("EHLO example.org.", "EHLO example.org.");
}

#[test]
fn refusals_have_their_codes() {
    for (line, expected) in [
        ("", 500),
        (" MAIL FROM:<a@b>", 500),
        ("Subject: x", 500),
        ("EHLO", 501),
        ("EHLO a b", 501),
        ("MAIL", 501),
        ("MAIL FROM", 501),
        ("MAIL FROM:", 501),
        ("MAIL FROM:a@b", 501),
        ("MAIL FROM:<a@b", 501),
        ("MAIL FROM:<a@b>>", 501),
        ("MAIL FROM:<a@b>SIZE=1", 501),
        ("MAIL TO:<a@b>", 501),
        ("MAIL FROM:<Postmaster>", 553),
        ("RCPT TO:<>", 553),
        ("RCPT TO:<a>", 553),
        ("RCPT TO:<a@>", 553),
        ("RCPT TO:<a..b@c>", 553),
        ("RCPT TO:<a@-b>", 553),
        ("RCPT TO:<a@b_c>", 553),
        ("RCPT TO:<a@[1.2.3]>", 553),
        ("RCPT TO:<a@[IPv6:zz]>", 553),
        ("DATA x", 501),
        ("RSET x", 501),
        ("QUIT now", 501),
        ("STARTTLS x", 501),
        ("VRFY", 501),
        ("EXPN", 501),
        ("ETRN", 501),
        ("AUTH", 501),
        ("AUTH PLAIN a", 501),
        ("AUTH PL:AIN", 501),
        ("XCLIENT", 501),
        ("XCLIENT NAME=a+0D+0A", 501),
        ("XCLIENT NAME=a NAME=b", 501),
        ("XCLIENT FOO=a", 501),
    ] {
        assert_eq!(code(line), expected, "{line}");
    }
}

#[test]
fn controls_never_pass() {
    for control in ['\0', '\r', '\n', '\u{1b}', '\u{7f}', '\u{85}', '\u{9b}'] {
        for line in [
            format!("EHLO a{control}b"),
            format!("MAIL FROM:<a{control}@b>"),
            format!("MAIL FROM:<\"a{control}\"@b>"),
            format!("MAIL FROM:<\"a\\{control}\"@b>"),
            format!("MAIL FROM:<a@b{control}c>"),
            format!("MAIL FROM:<a@b> X=a{control}b"),
            format!("MAIL FROM:<a@b> X{control}Y=b"),
            format!("RCPT TO:<a@b>{control}"),
            format!("RCPT TO:<a@b> ORCPT=utf-8;a{control}b"),
            format!("NOOP a{control}b"),
            format!("XFOO{control} a"),
            format!("XFOO a{control}b"),
        ] {
            assert!(parse(&line).is_err(), "{line:?}");
        }
        let text = format!("a{control}b");
        let domain = Domain::parse("c").unwrap();
        assert_eq!(Mailbox::new(&text, &domain), Err(AddressError::Control));
        assert!(Domain::parse(&text).is_err() && Domain::parse_lenient(&text).is_err());
        assert!(Text::new(&*text).is_err() && Word::new(&*text).is_err());
        assert!(Attributes::new([(Attribute::Name, &*text)]).is_err() || !text.is_ascii());
        let other = Param::Other { keyword: "X", value: Some(&text) };
        assert!(Params::default().with(&other).is_err());
        assert!(Params::default().with(&Param::Other { keyword: &text, value: None }).is_err());
        assert!(Params::default().with(&Param::HoldUntil(&text)).is_err());
    }
    assert!(Params::default().with(&Param::Other { keyword: "X", value: Some("a SIZE=1") }).is_err());
}

#[test]
fn a_bdat_that_cannot_be_counted_is_told_apart() {
    use BdatError::{Malformed, Overflow};
    let bad = |line: &[u8], why| assert_eq!(Command::parse(line, Options::default()), Err(Error::Bdat(why)));
    bad(b"BDAT", Malformed);
    bad(b"BDAT x", Malformed);
    bad(b"BDAT -1", Malformed);
    bad(b"BDAT +1", Malformed);
    bad(b"BDAT 1x", Malformed);
    bad(b"BDAT 1LAST", Malformed);
    bad(b"BDAT 1 FIRST", Malformed);
    bad(b"BDAT 1 LAST x", Malformed);
    bad(b"BDAT 1\0", Malformed);
    bad(b"bdat \xff", Malformed);
    bad(b"BDAT 18446744073709551616", Overflow);
    bad(b"BDAT 99999999999999999999999999 LAST", Overflow);
}

#[test]
fn values_of_parameters_are_checked() {
    let long = |keyword: &str, length| format!("{keyword}={}", "x".repeat(length));
    let orcpt = |length| format!("ORCPT=rfc822;{}", "x".repeat(length - "rfc822;".len()));
    let mail: &[(&str, bool)] = &[
        ("SIZE=18446744073709551615", true),
        ("SIZE=18446744073709551616", false),
        ("SIZE=000000000000000000001", false),
        ("SIZE=", false),
        ("SIZE", false),
        ("SIZE=1k", false),
        ("SIZE=-1", false),
        ("BODY=7bit", true),
        ("BODY=9BIT", false),
        ("SMTPUTF8=1", false),
        ("REQUIRETLS=1", false),
        ("RET=BODY", false),
        ("ENVID=", false),
        ("ENVID=a+20b", true),
        ("ENVID=a+0A", false),
        ("ENVID=a+4a", false),
        ("ENVID=a+4", false),
        (&long("ENVID", 100), true),
        (&long("ENVID", 101), false),
        ("AUTH=<>", true),
        ("AUTH=a+40b", true),
        ("AUTH=a+2Bc@b", true),
        ("AUTH=a+2bc@b", true),
        ("AUTH=a", true),
        ("AUTH=", false),
        ("AUTH=+0D@b", false),
        ("BY=1;R", true),
        ("BY=+1;nt", true),
        ("BY=0;R", false),
        ("BY=-1;R", false),
        ("BY=1234567890;N", false),
        ("BY=1", false),
        ("HOLDFOR=999999999", true),
        ("HOLDFOR=1000000000", false),
        ("HOLDFOR=1 HOLDUNTIL=2030-01-01T00:00:00Z", false),
        ("HOLDUNTIL=2030-13-01T00:00:00Z", false),
        ("HOLDUNTIL=2030-01-01", false),
        ("MT-PRIORITY=9", true),
        ("MT-PRIORITY=10", false),
        ("MT-PRIORITY=-0", false),
        ("SOLICIT=1x", false),
        // RFC 3885, 1: base64 = %x2b / %x2f / %x30-39 / %x41-5a / %x61-7a, without what fills it up.
        ("MTRK=AQIDBAUGBwgJCgsMDQ4PEBESExQ", true),
        ("MTRK=AQIDBAUGBwgJCgsMDQ4PEBESExQ=:60", true),
        ("MTRK=abcde", false),
        ("MTRK=abc==", false),
        ("MTRK=a-bc", false),
        ("SIZE=1 SIZE=1", false),
        ("size=1 Size=2", false),
        ("RET=FULL ENVID=a RET=HDRS", false),
        ("-X=1", false),
        ("X=", false),
        ("X=a=b", false),
        ("=1", false),
    ];
    for (text, good) in mail {
        assert_eq!(Params::parse_mail(text).is_ok(), *good, "{text}");
    }
    let rcpt: &[(&str, bool)] = &[
        ("NOTIFY=NEVER", true),
        ("NOTIFY=success,failure,delay", true),
        ("NOTIFY=NEVER,SUCCESS", false),
        ("NOTIFY=SUCCESS,NEVER", false),
        ("NOTIFY=SUCCESS,", false),
        ("NOTIFY=", false),
        ("ORCPT=rfc822;a@b", true),
        ("ORCPT=rfc822", false),
        ("ORCPT=;a", false),
        ("ORCPT=rfc822;", false),
        ("ORCPT=rfc822;+00", false),
        ("ORCPT=rfc822;+e4", false),
        ("ORCPT=rfc822;ä", false),
        // As Postfix has it.
        ("ORCPT=rfc822;+C3+A4@b", true),
        ("ORCPT=rfc822;+C3@b", false),
        ("ORCPT=rfc822;+C2+85@b", false),
        ("ORCPT=utf-8;ä@b", true),
        ("ORCPT=utf-8;\\x{E4}@b", true),
        ("ORCPT=utf-8;\\x{D800}@b", false),
        ("ORCPT=utf-8;\\x{0A}@b", false),
        ("ORCPT=utf-8;\\y@b", false),
        (&orcpt(500), true),
        (&orcpt(501), false),
        ("RRVS=2014-04-03T23:01:00Z", true),
        ("RRVS=2014-04-03T23:01:00Z;X", false),
    ];
    for (text, good) in rcpt {
        assert_eq!(Params::parse_rcpt(text).is_ok(), *good, "{text}");
    }
}

#[test]
fn what_is_declared_is_gathered() {
    let Ok(Command::Mail(mail)) =
        parse("MAIL FROM:<a@b> SIZE=7 BODY=BINARYMIME SMTPUTF8 REQUIRETLS PRDR ENVID=x")
    else {
        panic!("refused");
    };
    let declared = mail.declared;
    assert_eq!((declared.size, declared.body), (Some(7), BodyType::BinaryMime));
    assert!(declared.smtputf8 && declared.requiretls && declared.prdr && !declared.unknown);
    let needs =
        [Extension::Size, Extension::BinaryMime, Extension::SmtpUtf8, Extension::RequireTls, Extension::Prdr];
    assert_eq!(
        declared.needs,
        needs.into_iter().fold(Extensions::NONE.with(Extension::Dsn), Extensions::with)
    );

    let stray = Params::parse_mail("NOTIFY=X SIZE=1").unwrap().0;
    let stray = Rcpt::new(ForwardPath::Postmaster, stray);
    assert!(stray.declared.unknown && stray.declared.size.is_none());

    // A keyword of the other command is unknown here, and so is its value.
    for line in ["RCPT TO:<a@b> SIZE=many", "MAIL FROM:<a@b> NOTIFY=X", "MAIL FROM:<a@b> PRIORITY=1"] {
        let declared = match parse(line) {
            Ok(Command::Rcpt(rcpt)) => rcpt.declared,
            Ok(Command::Mail(mail)) => mail.declared,
            other => panic!("{line}: {other:?}"),
        };
        assert!(declared.unknown && declared.needs == Extensions::NONE, "{line}");
    }
}

#[test]
fn recognised_verbs_are_told_from_unknown_ones() {
    assert_eq!(parse("turn").unwrap().verb(), Some(Verb::Turn));
    assert_eq!(parse("VERB").unwrap().verb(), Some(Verb::Verb));
    assert_eq!(parse("DATAX").unwrap().verb(), None);
    assert_eq!(parse("STARTTLSX").unwrap().verb(), None);
    assert_eq!(parse("XCLIFF").unwrap().verb(), None);
    assert_eq!(parse("HI").unwrap().verb(), None);
    assert_eq!(parse("ab\u{e9}").unwrap_err(), Error::NoVerb);
}

#[test]
fn quoted_and_unquoted_local_parts_are_one() {
    let forms =
        [r#"a.b@Example.org"#, r#""a.b"@example.org"#, r#""a\.b"@EXAMPLE.org"#, r#""\a.\b"@example.org"#];
    let set: HashSet<Mailbox<'_>> = forms.into_iter().map(|form| Mailbox::parse(form).unwrap()).collect();
    assert_eq!(set.len(), 1);
    let mailbox = Mailbox::parse(r#""\\\"x"@b"#).unwrap();
    assert_eq!(mailbox.local_part(), r#"\"x"#);
    assert_eq!(mailbox.local_part_raw(), r#""\\\"x""#);
    assert_ne!(Mailbox::parse("A@b").unwrap(), Mailbox::parse("a@b").unwrap());
    let evil = Mailbox::parse(r#""a\"@evil"@good"#).unwrap();
    assert_eq!((evil.local_part().as_ref(), evil.domain().as_str()), ("a\"@evil", "good"));
}

#[test]
fn lengths_are_those_of_rfc_5321() {
    let domain = Domain::parse("b").unwrap();
    assert!(Mailbox::new(&"x".repeat(64), &domain).is_ok());
    assert_eq!(Mailbox::new(&"x".repeat(65), &domain), Err(AddressError::TooLong));
    assert!(ReversePath::parse(&format!("<{}@b>", "x".repeat(252))).is_ok());
    assert_eq!(ReversePath::parse(&format!("<{}@b>", "x".repeat(253))), Err(AddressError::TooLong));
    let labels = |last: usize| format!("{0}.{0}.{0}.{1}", "x".repeat(63), "x".repeat(last));
    assert!(Domain::parse(&labels(63)).is_ok());
    assert_eq!(Domain::parse(&format!("{}.x", labels(63))), Err(AddressError::TooLong));
    assert_eq!(Domain::parse(&"x".repeat(64)), Err(AddressError::TooLong));
    let lenient = Domain::parse_lenient("a_b").unwrap();
    assert_eq!(Mailbox::new("a", &lenient), Err(AddressError::Domain));
}

#[test]
fn literals_say_what_they_are() {
    let literal = |text| Domain::parse(text).map(Domain::into_owned);
    let v4 = literal("[192.0.2.1]").unwrap();
    assert_eq!(v4.literal(), Some(Literal::V4([192, 0, 2, 1].into())));
    assert_eq!(v4, Domain::from(core::net::IpAddr::from([192, 0, 2, 1])));
    let v6 = literal("[ipv6:::1]").unwrap();
    assert_eq!(v6.literal(), Some(Literal::V6(core::net::Ipv6Addr::LOCALHOST)));
    assert_eq!(
        literal("[t-1:x:y]").unwrap().literal(),
        Some(Literal::General { tag: "t-1", content: "x:y" })
    );
    for bad in ["[]", "[1.2.3.256]", "[IPv6:]", "[IPv6:1.2.3.4]", "[-:]", "[t:]", "[t:x", "[t:x]y", "[t:[]"] {
        assert!(literal(bad).is_err(), "{bad}");
    }
    let ForwardPath::Mailbox(mailbox) = ForwardPath::parse("<a@[192.0.2.1]>").unwrap() else {
        panic!("postmaster")
    };
    assert_eq!(mailbox.domain(), v4);
}

#[test]
fn strict_hello_takes_only_domains() {
    let strict = Options::default().with_strict_hello(true);
    assert!(Command::parse(b"EHLO a.example", strict).is_ok());
    for line in [&b"EHLO a_b"[..], b"HELO 2001:db8::1", b"EHLO a.", b"LHLO [192.0.2.1"] {
        assert!(matches!(Command::parse(line, strict), Err(Error::Hello(_))));
        assert!(Command::parse(line, Options::default()).is_ok());
    }
}

#[test]
fn attributes_are_typed() {
    let Ok(Command::Xclient(attributes)) =
        parse("XCLIENT addr=ipv6:2001:db8::1 HELO=a+3Db DESTADDR=192.0.2.1")
    else {
        panic!("refused");
    };
    assert_eq!(attributes.address(Attribute::Addr), Some("2001:db8::1".parse().unwrap()));
    assert_eq!(attributes.address(Attribute::DestAddr), Some("192.0.2.1".parse().unwrap()));
    assert_eq!(&*attributes.get(Attribute::Helo).unwrap().decode(), b"a=b");
    assert_eq!(attributes.get(Attribute::Login), None);
}

fn domain() -> impl Strategy<Value = Domain<'static>> {
    prop_oneof![
        "[a-z0-9üλ]([a-z0-9-]{0,8}[a-zA-Z0-9é])?(\\.[a-z]{1,9}){0,3}".prop_map(|text| text.parse().unwrap()),
        any::<core::net::IpAddr>().prop_map(Domain::from),
    ]
}

fn mailbox() -> impl Strategy<Value = Mailbox<'static>> {
    // At most 30 characters, so that escaping all of them stays within 64 octets.
    let local = prop_oneof!["[a-zA-Z.+=é]{1,20}", "[ -~]{1,30}", "[\\PC]{1,12}"];
    (local, domain())
        .prop_filter_map("a format character", |(local, domain)| Mailbox::new(&local, &domain).ok())
}

fn mail_params() -> impl Strategy<Value = Params<'static>> {
    fn maybe<T: core::fmt::Debug + 'static>(
        s: impl Strategy<Value = T> + 'static,
    ) -> BoxedStrategy<Option<T>> {
        proptest::option::of(s).boxed()
    }
    let body =
        prop_oneof![Just(BodyType::SevenBit), Just(BodyType::EightBitMime), Just(BodyType::BinaryMime)];
    let by =
        (1..=999_999_999, any::<bool>(), any::<bool>()).prop_map(|(seconds, returns, trace)| DeliverBy {
            seconds: if returns { seconds } else { -seconds },
            mode: if returns { DeliverByMode::Return } else { DeliverByMode::Notify },
            trace,
        });
    let typed = (
        maybe(any::<u64>().prop_map(Param::Size)),
        maybe(body.prop_map(Param::Body)),
        maybe(prop_oneof![Just(Param::Ret(Ret::Full)), Just(Param::Ret(Ret::Hdrs))]),
        maybe("[ -~]{1,33}".prop_map(|text| Param::Envid(Xtext::encode(text.as_bytes())))),
        maybe(mailbox().prop_map(|mailbox| Param::Auth(Xtext::encode(mailbox.as_str().as_bytes())))),
        maybe(by.prop_map(Param::By)),
        maybe((-9..=9_i8).prop_map(Param::MtPriority)),
        maybe((0..=999_999_999_u32).prop_map(Param::HoldFor)),
    );
    let flags = proptest::sample::subsequence(vec![Param::SmtpUtf8, Param::RequireTls, Param::Prdr], 0..=3);
    (typed, flags).prop_map(|((a, b, c, d, e, f, g, h), flags)| {
        let typed = [a, b, c, d, e, f, g, h].into_iter().flatten();
        typed.chain(flags).fold(Params::default(), |params, param| params.with(&param).unwrap())
    })
}

fn rcpt_params() -> impl Strategy<Value = Params<'static>> {
    let notify = (1..8_u8).prop_map(|bits| {
        let all = [Notify::SUCCESS, Notify::FAILURE, Notify::DELAY];
        (0..3).filter(|bit| bits & 1 << bit != 0).fold(Notify::NEVER, |sum, bit| sum | all[bit])
    });
    let rrvs = Param::Rrvs { since: "2014-04-03T23:01:00Z", action: Some(RrvsAction::Reject) };
    (notify, mailbox(), any::<bool>()).prop_map(move |(notify, mailbox, rejects)| {
        let params = Params::default().with(&Param::Notify(notify)).unwrap();
        let params =
            Orcpt::new(&mailbox).and_then(|orcpt| params.with(&Param::Orcpt(orcpt))).unwrap_or(params);
        if rejects { params.with(&rrvs).unwrap() } else { params }
    })
}

fn command() -> impl Strategy<Value = Command<'static>> {
    let text = || "[!-~é]([ -~é]{0,20}[!-~é])?".prop_map(|text| Text::new(text).unwrap());
    let reverse = prop_oneof![Just(ReversePath::Null), mailbox().prop_map(ReversePath::Mailbox)];
    let forward = prop_oneof![Just(ForwardPath::Postmaster), mailbox().prop_map(ForwardPath::Mailbox)];
    let initial = proptest::option::of(any::<Vec<u8>>().prop_map(|octets| Base64::encode(&octets)));
    prop_oneof![
        domain().prop_map(Command::Ehlo),
        (reverse, mail_params()).prop_map(|(from, params)| Command::Mail(Mail::new(from, params))),
        (forward, rcpt_params()).prop_map(|(to, params)| Command::Rcpt(Rcpt::new(to, params))),
        (any::<u64>(), any::<bool>()).prop_map(|(size, last)| Command::Bdat { size, last }),
        text().prop_map(Command::Noop),
        text().prop_map(Command::Vrfy),
        initial.prop_map(|initial| Command::Auth {
            mechanism: MechanismName::parse(b"SCRAM-SHA-256").unwrap(),
            initial
        }),
        "[!-~ ]{1,20}"
            .prop_map(|name| Command::Xclient(Attributes::new([(Attribute::Helo, &*name)]).unwrap())),
        ("X[A-Z0-9-]{1,9}", text())
            .prop_map(|(verb, args)| Command::Other { verb: Word::new(verb).unwrap(), args })
            .prop_filter("a verb of its own", |command| command.verb().is_none()),
    ]
}

proptest! {
    /// Whatever can be made is parsed as the same again, from one line without an end inside.
    #[test]
    fn what_is_written_is_parsed(command in command()) {
        let line = written(&command);
        let line = line.strip_suffix(b"\r\n").unwrap();
        prop_assert!(!line.iter().any(|octet| matches!(octet, b'\r' | b'\n' | 0)));
        let parsed = Command::parse(line, Options::default());
        prop_assert_eq!(parsed.as_ref(), Ok(&command));
        let mut again = Vec::new();
        parsed.unwrap().write(&mut again);
        prop_assert_eq!(again.strip_suffix(b"\r\n").unwrap(), line);
    }

    /// The domain of a path and the value of a local part survive, with the least quoting.
    #[test]
    fn mailboxes_are_lossless(mailbox in mailbox()) {
        let parsed = Mailbox::parse(mailbox.as_str()).unwrap();
        prop_assert_eq!(&parsed, &mailbox);
        prop_assert_eq!(parsed.as_str(), mailbox.as_str());
        let rebuilt = Mailbox::new(&parsed.local_part(), &parsed.domain()).unwrap();
        prop_assert_eq!(rebuilt.as_str(), mailbox.as_str());
        let orcpt = Orcpt::new(&mailbox).unwrap();
        prop_assert_eq!(orcpt.address(), mailbox.as_str());
    }

    #[test]
    fn xtext_is_lossless(octets: Vec<u8>) {
        let encoded = Xtext::encode(&octets);
        prop_assert_eq!(&*encoded.decode(), &*octets);
        prop_assert_eq!(Xtext::parse(encoded.as_str()).is_ok(), !octets.is_empty());
    }

    /// No octets make the parser panic, and what it takes has no line end in it when it is written.
    #[test]
    fn any_octets_are_taken_or_refused(octets: Vec<u8>) {
        crate::fuzz::values::command(&octets);
    }

    /// The same of lines that are nearly commands.
    #[test]
    fn damaged_commands_are_taken_or_refused(
        command in command(),
        damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>(), any::<bool>()), 1..4),
    ) {
        let mut line = written(&command);
        line.truncate(line.len() - 2);
        for (place, octet, inserted) in damage {
            let place = place.index(line.len());
            if inserted { line.insert(place, octet) } else { line[place] = octet }
        }
        crate::fuzz::values::command(&line);
    }
}

#[test]
fn finders_give_what_stands_there() {
    let (params, _) =
        Params::parse_mail("RET=HDRS envid=a+20b BY=60;R HOLDFOR=5 MT-PRIORITY=3 AUTH=a+3Db@c").unwrap();
    assert_eq!(params.ret(), Some(Ret::Hdrs));
    assert_eq!(&*params.envid().unwrap().decode(), b"a b");
    assert_eq!(&*params.auth().unwrap().decode(), b"a=b@c");
    assert_eq!((params.hold_for(), params.mt_priority(), params.size()), (Some(5), Some(3), None));
    assert_eq!(params.with(&Param::Ret(Ret::Full)), Err(ParamError::Twice("RET")));
    // Dovecot gives a name without a domain: it is read, and not written.
    let (dovecot, _) = Params::parse_mail("AUTH=alice").unwrap();
    let auth = Param::Auth(dovecot.auth().unwrap());
    assert_eq!(Params::default().with(&auth), Err(ParamError::BadValue("AUTH")));
    let (params, _) = Params::parse_rcpt("NOTIFY=FAILURE,DELAY ORCPT=rfc822;a+20b@c").unwrap();
    let notify = params.notify().unwrap();
    assert!(
        notify.contains(Notify::DELAY)
            && !notify.contains(Notify::SUCCESS)
            && !notify.contains(Notify::NEVER)
    );
    let orcpt = params.orcpt().unwrap();
    assert_eq!((orcpt.address_type(), orcpt.address().as_ref()), ("rfc822", "a b@c"));
    assert_eq!(Orcpt::parse("rfc822;+C3+A4@b").unwrap().address(), "ä@b");
}
