//! Round trips: whatever a value is, it is read again as it was written, and whatever was read is written octet for octet.
//!
//! Commands, mailboxes and xtext have theirs in `values`, replies in `replies`, capabilities in `capabilities`, base64 and
//! mechanism names also in `auth::arbitrary`.

use core::net::{IpAddr, SocketAddr};

use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use smtp_proto::address::{Domain, ForwardPath, Literal, Mailbox, ReversePath};
use smtp_proto::auth::{Base64, Mechanism, MechanismName};
use smtp_proto::command::{Attribute, Attributes, Text, Verb, Word};
use smtp_proto::extension::{Capabilities, Extension, SessionLimits};
use smtp_proto::param::{
    BodyType, DeliverBy, DeliverByMode, Notify, Orcpt, Param, Params, Ret, RrvsAction, Xtext,
};
use smtp_proto::proxy::Proxied;
use smtp_proto::reply::Reply;
use smtp_proto::status::{Code, Enhanced};

fn written(capabilities: &Capabilities<'_>) -> Vec<u8> {
    let mut output = Vec::new();
    capabilities.write_ehlo("mx.example", &mut output);
    output
}

/// Text of which most is taken: a mailbox, plain, quoted, of other scripts, at a name or a literal.
const MAILBOX: &str = r#"([a-zA-Z0-9.+=ü-]{1,12}|"([a-zA-Z@<> ]|\\[ -~]){0,8}")@([a-z0-9-]{1,9}(\.[a-z]{1,4})?|\[192\.0\.2\.[0-9]{1,3}\]|\[IPv6:2001:db8::[0-9a-f]{1,4}\]|\[x-y:[!-Z]{1,5}\])"#;

proptest! {
    #[test]
    fn codes(number in 0..1000_u16) {
        let code = Code::new(number);
        prop_assert_eq!(code.is_some(), (200..600).contains(&number));
        if let Some(code) = code {
            prop_assert_eq!(code.as_u16(), number);
            prop_assert_eq!(code.to_string().parse::<u16>(), Ok(number));
            prop_assert_eq!(Code::try_from(number).ok(), Some(code));
        }
    }

    #[test]
    fn enhanced_codes(class in 0..8_u8, subject in 0..1200_u16, detail in 0..1200_u16) {
        let made = Enhanced::new(class, subject, detail);
        let text = format!("{class}.{subject}.{detail}");
        prop_assert_eq!(text.parse::<Enhanced>().ok(), made);
        if let Some(status) = made {
            prop_assert_eq!(status.to_string(), text);
            prop_assert_eq!((status.class().digit(), status.subject(), status.detail()), (class, subject, detail));
        }
    }

    #[test]
    fn enhanced_codes_as_they_stand(text in "[0-9]\\.[0-9]{1,4}\\.[0-9]{1,4}") {
        if let Ok(status) = text.parse::<Enhanced>() {
            prop_assert_eq!(status.to_string(), text);
        }
    }

    #[test]
    fn paths_as_they_stand(mailbox in MAILBOX, route in "(@[a-z]{1,5}(,@[a-z]{1,5}){0,2}:)?") {
        let path = format!("<{mailbox}>");
        let parsed = Mailbox::parse(&mailbox);
        let reverse = ReversePath::parse(&path).map(|path| path.to_string());
        let forward = ForwardPath::parse(&path).map(|path| path.to_string());
        prop_assert_eq!(&reverse, &forward);
        prop_assert_eq!(parsed.is_ok(), reverse.is_ok());
        if let Ok(mailbox) = parsed {
            prop_assert_eq!(reverse, Ok(path));
            // A source route is dropped, and nothing else (RFC 5321, appendix C).
            let routed = ForwardPath::parse(&format!("<{route}{mailbox}>")).expect("with a route").to_string();
            prop_assert_eq!(routed, format!("<{mailbox}>"));
            let domain = mailbox.domain().into_owned();
            prop_assert_eq!(Domain::parse(domain.as_str()), Ok(domain.clone()));
            prop_assert_eq!(mailbox.clone().into_owned(), mailbox);
        }
    }

    #[test]
    fn literals(address: IpAddr) {
        let domain = Domain::from(address);
        let parsed = Domain::parse(domain.as_str()).expect("a literal");
        prop_assert_eq!(parsed.as_str(), domain.as_str());
        let told = match parsed.literal() {
            Some(Literal::V4(address)) => IpAddr::V4(address),
            Some(Literal::V6(address)) => IpAddr::V6(address),
            other => panic!("{other:?}"),
        };
        prop_assert_eq!(told, address);
    }

    #[test]
    fn names_taken_leniently_are_kept(name in "[a-zA-Z0-9_.:-]{1,30}") {
        if let Ok(domain) = Domain::parse_lenient(&name) {
            prop_assert_eq!(domain.as_str(), name.as_str());
            prop_assert_eq!(Domain::parse_lenient(domain.as_str()), Ok(domain.clone()));
        }
    }

    #[test]
    fn texts_and_words(text in "\\PC{0,20}") {
        if let Ok(value) = Text::new(text.as_str()) {
            prop_assert_eq!(value.as_str(), text.trim_matches([' ', '\t']));
            prop_assert_eq!(Text::new(value.as_str()), Ok(value.as_borrowed()));
        }
        if let Ok(value) = Word::new(text.as_str()) {
            prop_assert_eq!(value.as_str(), text.as_str());
        }
    }

    #[test]
    fn xtext_as_it_stands(text in "([!-*,-<>-~]|\\+[0-9A-F]{2}|\\+[0-9a-f]{2}){1,20}") {
        let parsed = Xtext::parse(&text).expect("xtext");
        prop_assert_eq!(parsed.as_str(), text.as_str());
        prop_assert_eq!(parsed.to_string(), text.as_str());
        // The same octets, in the one way of writing them that is ours.
        let ours = Xtext::encode(&parsed.decode());
        prop_assert_eq!(ours.decode(), parsed.decode());
        prop_assert_eq!(Xtext::parse(ours.as_str()), Ok(ours.clone()));
    }

    #[test]
    fn orcpts(mailbox in MAILBOX, kind in "(rfc822|utf-8|x-400)", address in "([!-*,-<>-\\[\\]-~]|\\+2[0-9A-F]){1,20}") {
        let text = format!("{kind};{address}");
        if let Ok(orcpt) = Orcpt::parse(&text) {
            prop_assert_eq!(orcpt.as_str(), text.as_str());
            prop_assert_eq!(orcpt.address_type(), kind);
        }
        if let Ok(mailbox) = Mailbox::parse(&mailbox) {
            let made = Orcpt::new(&mailbox).expect("short enough");
            let again = Orcpt::parse(made.as_str()).expect("well-formed");
            prop_assert_eq!(again.address(), mailbox.as_str());
            prop_assert_eq!(&again, &made);
        }
    }

    #[test]
    fn base64_as_it_stands(octets: Vec<u8>, text in "[A-Za-z0-9+/]{0,12}={0,2}") {
        let encoded = Base64::encode(&octets);
        prop_assert_eq!(Base64::parse(encoded.as_str().as_bytes()).map(|text| text.decode()), Ok(octets));
        prop_assert_eq!(Base64::parse_initial(encoded.as_initial().as_bytes()).ok(), Some(encoded.as_borrowed()));
        if let Ok(parsed) = Base64::parse(text.as_bytes()) {
            prop_assert_eq!(parsed.as_str(), text.as_str());
            let again = Base64::encode(&parsed.decode());
            prop_assert_eq!(again.as_str(), text);
        }
    }

    #[test]
    fn mechanism_names(name in "[A-Za-z0-9_-]{1,22}", known in select(Mechanism::ALL)) {
        let parsed = MechanismName::parse(name.as_bytes());
        prop_assert_eq!(parsed.is_ok(), name.len() <= 20);
        if let Ok(parsed) = parsed {
            prop_assert_eq!(parsed.as_str(), name.as_str());
            prop_assert_eq!(parsed.clone().into_owned(), parsed);
        }
        prop_assert_eq!(MechanismName::from(known).known(), Some(known));
        prop_assert_eq!(Mechanism::from_name(known.name()), Some(known));
    }

    #[test]
    fn attributes(
        values in proptest::collection::vec(("[!-~é]{1,9}", select(Attribute::ALL)), 1..5),
        spaces in " {1,2}",
    ) {
        let pairs = values.iter().map(|(value, attribute)| (*attribute, value.as_str()));
        let Ok(made) = Attributes::new(pairs) else { return Ok(()) };
        let again = Attributes::parse(made.as_str()).expect("well-formed");
        prop_assert_eq!(&again, &made);
        prop_assert_eq!(again.to_string(), made.as_str());
        for (value, attribute) in &values {
            let told = again.get(*attribute).expect("it is there");
            prop_assert_eq!(&*told.decode(), value.as_bytes());
        }
        let loose = made.as_str().replace(' ', &spaces);
        if let Ok(parsed) = Attributes::parse(&loose) {
            prop_assert!(parsed.iter().eq(made.iter()));
        }
    }

    /// Each parameter by itself: typed, written, read again as the same.
    #[test]
    fn parameters(param in param()) {
        let one = Params::default().with(&param).expect("it can be written");
        prop_assert_eq!(one.as_str(), param.to_string());
        let side = matches!(param, Param::Notify(_) | Param::Orcpt(_) | Param::Rrvs { .. });
        let (read, _) = if side { Params::parse_rcpt(one.as_str()) } else { Params::parse_mail(one.as_str()) }
            .expect("well-formed");
        prop_assert_eq!(read.iter().collect::<Vec<_>>(), [param]);
        prop_assert_eq!(read.as_str(), one.as_str());
    }

    #[test]
    fn parameters_as_they_stand(text in "(SIZE=[0-9]{1,9}|size=5|RET=(hdrs|FULL)|BY=-?[1-9];N T?|X[A-Z-]{0,4}(=[!-<>-~]{1,9})?| ){0,4}") {
        if let Ok((params, _)) = Params::parse_mail(&text) {
            prop_assert_eq!(params.as_str(), text.trim_matches(' '));
            prop_assert_eq!(params.clone().into_owned(), params);
        }
    }

    #[test]
    fn session_limits(
        rcpt_max in option::of(1..1_000_000_u32),
        mail_max in option::of(1..1_000_000_u32),
        rcpt_domain_max in option::of(1..1_000_000_u32),
    ) {
        let mut limits = SessionLimits::default();
        (limits.rcpt_max, limits.mail_max, limits.rcpt_domain_max) = (rcpt_max, mail_max, rcpt_domain_max);
        let wire = written(&Capabilities::new().with_limits(limits));
        let reply = Reply::parse(&wire).expect("a reply");
        prop_assert_eq!(Capabilities::parse(&reply).limits(), limits);
    }

    #[test]
    fn keywords_with_words(seconds in 1..1_000_000_000_u32, words in "[!-~]{1,9}( [!-~]{1,9}){0,3}") {
        let lines = [
            format!("DELIVERBY {seconds}"),
            format!("FUTURERELEASE {seconds} 2030-01-01T00:00:00Z"),
            format!("MT-PRIORITY {words}"),
            format!("XFOO {words}"),
        ];
        let made = lines.iter().fold(Capabilities::new(), |made, line| made.with_keyword(line).expect("a line"));
        let wire = written(&made);
        let reply = Reply::parse(&wire).expect("a reply");
        let read = Capabilities::parse(&reply);
        prop_assert_eq!(read.deliver_by(), Some(seconds));
        prop_assert_eq!(read.future_release().map(|release| release.max_interval), Some(seconds));
        prop_assert_eq!(read.words(Extension::MtPriority), Some(words.as_str()));
        prop_assert!(read.unknown().eq([("XFOO", words.as_str())]));
        prop_assert_eq!(written(&read), wire);
    }

    #[test]
    fn proxy_headers(from: SocketAddr, to: SocketAddr) {
        // Scopes and flow labels are no part of it.
        let plain = |address: SocketAddr| SocketAddr::new(address.ip(), address.port());
        let (source, destination) = (plain(from), plain(to));
        let mut wire = Vec::new();
        Proxied::For { source, destination }.write(&mut wire);
        let len = wire.len();
        wire.extend_from_slice(b"EHLO behind\r\n");
        let same = source.is_ipv4() == destination.is_ipv4();
        let widened = |address: SocketAddr| match address.ip() {
            IpAddr::V4(v4) if !same => SocketAddr::new(v4.to_ipv6_mapped().into(), address.port()),
            _ => address,
        };
        let expected = Proxied::For { source: widened(source), destination: widened(destination) };
        prop_assert_eq!(Proxied::parse(&wire), Ok(Some((expected, len))));
        if same {
            let family = if source.is_ipv4() { 4 } else { 6 };
            let (ip, at) = (source.ip(), destination.ip());
            let line = format!("PROXY TCP{family} {ip} {at} {} {}\r\n", source.port(), destination.port());
            prop_assert_eq!(Proxied::parse(line.as_bytes()), Ok(Some((expected, line.len()))));
        }
    }
}

fn param() -> impl Strategy<Value = Param<'static>> {
    let seconds = 1..1_000_000_000_i32;
    let by =
        (seconds, any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(seconds, late, returns, trace)| {
            let mode = if returns { DeliverByMode::Return } else { DeliverByMode::Notify };
            Param::By(DeliverBy { seconds: if late && !returns { -seconds } else { seconds }, mode, trace })
        });
    let notify = (0..8_u8).prop_map(|bits| {
        let all = [Notify::SUCCESS, Notify::FAILURE, Notify::DELAY];
        Param::Notify((0..3).filter(|n| bits & 1 << n != 0).fold(Notify::NEVER, |sum, n| sum | all[n]))
    });
    let orcpt = "[a-z]{1,9}@[a-z]{1,9}".prop_map(|text| {
        Param::Orcpt(Orcpt::new(&text.parse::<Mailbox<'_>>().expect("a mailbox")).expect("short"))
    });
    let timeout = option::of(0..1_000_000_000_u32);
    prop_oneof![
        any::<u64>().prop_map(Param::Size),
        select(&[BodyType::SevenBit, BodyType::EightBitMime, BodyType::BinaryMime][..]).prop_map(Param::Body),
        select(&[Ret::Full, Ret::Hdrs][..]).prop_map(Param::Ret),
        select(&[Param::SmtpUtf8, Param::RequireTls, Param::Prdr][..]),
        "[ -~]{1,33}".prop_map(|text| Param::Envid(Xtext::encode(text.as_bytes()))),
        Just(Param::Auth(Xtext::encode(b"<>"))),
        "[a-z+=]{1,9}@[a-z]{1,9}".prop_map(|text| Param::Auth(Xtext::encode(text.as_bytes()))),
        by,
        (0..1_000_000_000_u32).prop_map(Param::HoldFor),
        select(&["2030-01-01T00:00:00Z", "2030-12-31T23:59:60.25-08:00"][..]).prop_map(Param::HoldUntil),
        (-9..=9_i8).prop_map(Param::MtPriority),
        select(&["org.example:ADV", "a.b:C,d.e:F-1"][..]).prop_map(Param::Solicit),
        timeout.prop_map(|timeout| Param::Mtrk { certifier: "AQIDBAUGBwgJCgsMDQ4PEBESExQ=", timeout }),
        notify,
        orcpt,
        select(&[None, Some(RrvsAction::Continue), Some(RrvsAction::Reject)][..])
            .prop_map(|action| Param::Rrvs { since: "2014-04-03T23:01:00Z", action }),
        select(&[("XFOO", None), ("XFOO", Some("bar")), ("X-1", Some("ü"))][..])
            .prop_map(|(keyword, value)| Param::Other { keyword, value }),
    ]
}

/// Every name that is registered here is found again by itself, in any case.
#[test]
fn names_of_the_tables() {
    for extension in Extension::ALL {
        let keyword = extension.keyword();
        assert_eq!(Extension::from_keyword(keyword), Some(*extension));
        assert_eq!(Extension::from_keyword(keyword.to_ascii_lowercase()), Some(*extension));
    }
    for mechanism in Mechanism::ALL {
        assert_eq!(Mechanism::from_name(mechanism.name().to_ascii_lowercase().as_bytes()), Some(*mechanism));
    }
    for verb in Verb::ALL {
        assert_eq!(Verb::from_name(verb.name().to_ascii_lowercase()), Some(*verb));
    }
    for attribute in Attribute::ALL {
        assert_eq!(Attribute::ALL.iter().filter(|other| other.name() == attribute.name()).count(), 1);
    }
}
