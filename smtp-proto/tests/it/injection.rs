//! Injection: whatever text a caller passes on, what is written is what was meant and not a line more.
//!
//! Every public function that writes octets, or makes a value that is written, is fed text that wants out of its line: a
//! list of them stands at the end, and the test that keeps it fails when the crate has one that it lacks.

use std::fs;
use std::path::Path;
use std::time::Duration;

use bytes::BytesMut;
use proptest::prelude::*;
use smtp_proto::address::{Domain, ForwardPath, Mailbox, ReversePath};
use smtp_proto::auth::client::Exchange;
use smtp_proto::auth::{Base64, ChannelBinding, Credentials, Mechanism, MechanismName, NONCE_LEN};
use smtp_proto::client::{self, Client};
use smtp_proto::command::{Attribute, Attributes, Command, Mail, Options, Rcpt, Text, Word};
use smtp_proto::extension::Capabilities;
use smtp_proto::param::{Orcpt, Param, Params, RrvsAction, Xtext};
use smtp_proto::proxy::Proxied;
use smtp_proto::received::{Received, ReturnPath, Timestamp, With};
use smtp_proto::reply::Reply;
use smtp_proto::server::{Config, Server, Step};
use smtp_proto::status::{Code, Enhanced};

const NOW: Duration = Duration::ZERO;

/// Text with what would end a line, a word or a string, and what other software makes it of: code points whose low octet
/// is CR or LF, and the line ends of Unicode.
fn text() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        4 => "[a-z0-9.@<>\" =;:,+\\\\-]{1,6}",
        2 => Just("\r\n".to_owned()),
        1 => Just("\r".to_owned()),
        1 => Just("\n".to_owned()),
        1 => Just("\0".to_owned()),
        1 => Just("\t".to_owned()),
        1 => prop::sample::select(vec![
            "\u{0d0a}", "\u{010a}", "\u{010d}", "\u{560d}", "\u{560a}", "\u{85}", "\u{2028}", "\u{2029}", "\u{b}", "\u{c}", "\u{7f}",
            "ü", "\u{feff}",
        ]).prop_map(str::to_owned),
        1 => prop::sample::select(vec![
            "\r\n.\r\n", "\r\nQUIT\r\n", ">\r\nRCPT TO:<evil@example.com>", "\r\n250 ok", "%0d%0a", "+0D+0A", "\\\r\n", "\"\r\n\"",
            "a@example.org", "example.org", "[192.0.2.1]", "[IPv6:::1]", "rfc822;a@b", "SIZE=1",
        ]).prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    prop::collection::vec(part, 0..5).prop_map(|parts| parts.concat())
}

/// One line and nothing more, or nothing.
#[track_caller]
fn line(output: &[u8]) {
    let shown = output.escape_ascii();
    let line = output.strip_suffix(b"\r\n").unwrap_or_else(|| panic!("no line: {shown}"));
    assert!(!line.iter().any(|octet| matches!(octet, b'\r' | b'\n' | 0)), "{shown}");
}

/// Lines of one code and no control characters but HT, and nothing more.
#[track_caller]
fn lines(output: &[u8]) {
    let shown = output.escape_ascii();
    let body = output.strip_suffix(b"\r\n").unwrap_or_else(|| panic!("no line: {shown}"));
    let lines: Vec<&[u8]> = body.split(|octet| *octet == b'\n').collect();
    for (n, line) in lines.iter().enumerate() {
        let last = n + 1 == lines.len();
        let line = if last { *line } else { line.strip_suffix(b"\r").unwrap_or_else(|| panic!("{shown}")) };
        assert!(!line.iter().any(|octet| octet.is_ascii_control() && *octet != b'\t'), "{shown}");
        assert_eq!(line[..3], lines[0][..3], "{shown}");
        assert_eq!(matches!(line.get(3), None | Some(b' ')), last, "{shown}");
    }
    Reply::parse(output).unwrap_or_else(|error| panic!("{error}: {shown}"));
}

/// What a command writes: its line, which is parsed as that command again.
#[track_caller]
fn command(command: &Command<'_>) {
    let mut output = BytesMut::new();
    command.write(&mut output);
    line(&output);
    let again = Command::parse(&output[..output.len() - 2], Options::default());
    assert_eq!(again.as_ref(), Ok(command), "{}", output.escape_ascii());
}

/// Every constructor that takes this text for something; what it makes, written.
fn values(text: &str) {
    for domain in [Domain::parse(text), Domain::parse_lenient(text)].into_iter().flatten() {
        command(&Command::Ehlo(domain.as_borrowed()));
        command(&Command::Helo(domain.as_borrowed()));
        command(&Command::Lhlo(domain.as_borrowed()));
        received(&domain, text);
    }
    let domain = Domain::parse("example.org").expect("a domain");
    let mailboxes = [Mailbox::parse(text), Mailbox::new(text, &domain)];
    for mailbox in mailboxes.into_iter().flatten() {
        command(&Command::Mail(Mail::from(ReversePath::from(mailbox.clone()))));
        let params = Orcpt::new(&mailbox)
            .ok()
            .map(|orcpt| Params::default().with(&Param::Orcpt(orcpt)).expect("a value"));
        command(&Command::Rcpt(Rcpt::new(mailbox, params.unwrap_or_default())));
    }
    if let Ok(path) = ReversePath::parse(text) {
        line(ReturnPath(&path).to_string().as_bytes());
        command(&Command::Mail(Mail::from(path)));
    }
    if let Ok(path) = ForwardPath::parse(text) {
        command(&Command::Rcpt(Rcpt::from(path)));
    }
    for argument in [Text::new(text), Text::new(text.to_owned())].into_iter().flatten() {
        let argument = || argument.as_borrowed();
        command(&Command::Noop(argument()));
        if argument().is_empty() {
            // To the rest it is a must, so that no such line means that command; a line it is all the same.
            for command in
                [Command::Vrfy(Text::EMPTY), Command::Expn(Text::EMPTY), Command::Etrn(Text::EMPTY)]
            {
                let mut output = BytesMut::new();
                command.write(&mut output);
                line(&output);
            }
            continue;
        }
        command(&Command::Vrfy(argument()));
        command(&Command::Expn(argument()));
        command(&Command::Help(argument()));
        command(&Command::Etrn(argument()));
        command(&Command::Other { verb: Word::new("XVERB").expect("a verb"), args: argument() });
    }
    if let Ok(verb) = Word::new(text)
        && smtp_proto::command::Verb::from_name(text).is_none()
    {
        command(&Command::Other { verb, args: Text::EMPTY });
    }
    for attribute in [Attribute::Name, Attribute::Addr, Attribute::Login, Attribute::Helo] {
        for attributes in
            [Attributes::new([(attribute, text)]), Attributes::parse(text).map(Attributes::into_owned)]
        {
            let Ok(attributes) = attributes else { continue };
            command(&Command::Xclient(attributes.as_borrowed()));
            command(&Command::Xforward(attributes));
        }
    }
    for initial in [Some(Base64::encode(text.as_bytes())), Base64::parse_initial(text.as_bytes()).ok(), None]
    {
        let mechanism = MechanismName::parse(text.as_bytes()).unwrap_or_else(|_| Mechanism::Plain.into());
        command(&Command::Auth { mechanism, initial });
    }
    parameters(text);
}

/// Each parameter with a value of text, and those whose text was parsed.
fn parameters(text: &str) {
    let xtext = Xtext::encode(text.as_bytes());
    let mut params = vec![
        Param::Envid(xtext.as_borrowed()),
        Param::Auth(xtext.as_borrowed()),
        Param::HoldUntil(text),
        Param::Solicit(text),
        Param::Mtrk { certifier: text, timeout: Some(1) },
        Param::Rrvs { since: text, action: Some(RrvsAction::Reject) },
        Param::Other { keyword: text, value: None },
        Param::Other { keyword: "XKEY", value: Some(text) },
        Param::Other { keyword: text, value: Some(text) },
    ];
    params.extend(Xtext::parse(text).map(Param::Envid));
    params.extend(Xtext::parse(text).map(Param::Auth));
    params.extend(Orcpt::parse(text).map(Param::Orcpt));
    let null = || ReversePath::Null;
    for param in &params {
        let Ok(made) = Params::default().with(param) else { continue };
        let mut output = BytesMut::new();
        Command::Mail(Mail::new(null(), made)).write(&mut output);
        line(&output);
        // One word, so that nothing can be asked for beside it.
        assert_eq!(output.iter().filter(|octet| **octet == b' ').count(), 2, "{}", output.escape_ascii());
    }
    if let Ok((params, _)) = Params::parse_mail(text) {
        command(&Command::Mail(Mail::new(null(), params)));
    }
    if let Ok((params, _)) = Params::parse_rcpt(text) {
        command(&Command::Rcpt(Rcpt::new(ForwardPath::Postmaster, params)));
    }
}

/// The trace field stays one field: folded lines begin with HT.
fn received(client: &Domain<'_>, text: &str) {
    let by = Domain::parse("mx.example.net").expect("a domain");
    for utf8 in [false, true] {
        let with = With { utf8, extended: true, ..With::default() };
        let field = Received::new(client, &by, with, Timestamp::from_unix(0, 0))
            .with_id(text)
            .with_cipher(text)
            .to_string();
        let unfolded = field.replace("\r\n\t", " ");
        line(unfolded.as_bytes());
        assert!(unfolded.starts_with("Received: from "), "{field:?}");
    }
}

fn replies(text: &str, raw: &[u8]) {
    let status = Enhanced::new(2, 1, 5).expect("a status");
    let composed = Reply::new(Code::OK, text).ok();
    let read = [Reply::parse(raw), Reply::parse_lenient(raw)].into_iter().flatten();
    for reply in composed.into_iter().chain(read) {
        for reply in [
            reply.clone(),
            reply.clone().with_status(status),
            reply.clone().without_status(),
            reply.into_owned(),
        ] {
            for utf8 in [false, true] {
                let mut output = BytesMut::new();
                reply.write(utf8, &mut output);
                lines(&output);
            }
        }
    }
    let capabilities = Capabilities::new();
    let offers = text.split(['\0', '\u{b}']).chain([text]);
    let capabilities =
        offers.fold(capabilities, |offered, line| offered.clone().with_keyword(line).unwrap_or(offered));
    let mut output = BytesMut::new();
    capabilities.write_ehlo(text, &mut output);
    lines(&output);
    if let Ok(read) = Reply::parse(raw) {
        let mut output = BytesMut::new();
        Capabilities::parse(&read).write_ehlo(text, &mut output);
        lines(&output);
    }
}

/// Through the machine, whose words of its own stand around the text.
fn said_by_a_server(text: &str) {
    let config = Config::new(Domain::parse("mx.example.org").expect("a domain"));
    for script in
        ["", "EHLO c\r\n", "HELO c\r\n", "NOOP\r\n", "QUIT\r\n", "EHLO c\r\nMAIL FROM:<a@b> SMTPUTF8\r\n"]
    {
        let (mut server, mut output, mut input) =
            (Server::new(config.clone().shared()), BytesMut::new(), script.as_bytes());
        while let Ok(Step::Event(_) | Step::Flush(_)) = server.poll(NOW, &mut input, &mut output) {
            output.clear();
            let Some(default) = server.default_reply() else { continue };
            let reply = Reply::new(default.code(), text).unwrap_or(default);
            server.reply(&reply, &mut output).expect("a reply is owed");
            lines(&output);
        }
    }
    let mut config = config.with_auth([Mechanism::Login].into_iter().collect());
    config.auth_in_clear = true;
    let (mut server, mut output) = (Server::new(config.shared()), BytesMut::new());
    let mut input = &b"EHLO c\r\nAUTH LOGIN\r\n"[..];
    while let Ok(Step::Event(_) | Step::Flush(_)) = server.poll(NOW, &mut input, &mut output) {
        output.clear();
        if server.challenge(text.as_bytes(), &mut output).is_ok() {
            line(&output);
        } else if let Some(reply) = server.default_reply() {
            server.reply(&reply, &mut output).expect("a reply is owed");
        }
    }
    assert_eq!(server.owed(), 0);
}

/// The client's methods that take octets rather than values; the message itself is `smuggling`'s.
fn said_by_a_client(text: &str) {
    let hear = |client: &mut Client, mut reply: &[u8]| {
        let step = client.poll(NOW, &mut reply);
        assert!(matches!(step, Ok(client::Step::Event(_))), "{step:?}");
    };
    for initial in [None, Some(text.as_bytes())] {
        let (mut client, mut output) = (Client::new(client::Config::default().into()), BytesMut::new());
        hear(&mut client, b"220 hello\r\n");
        client.ehlo(&Domain::parse("c").expect("a domain"), &mut output).expect("EHLO");
        hear(&mut client, b"250-hello\r\n250 AUTH PLAIN\r\n");
        output.clear();
        client.auth(Mechanism::Plain, initial, &mut output).expect("AUTH");
        line(&output);
        hear(&mut client, b"334 \r\n");
        output.clear();
        client.auth_response(text.as_bytes(), &mut output).expect("a challenge");
        line(&output);
    }
}

/// A message of SASL has parts too: what a name or a password holds moves no border between them.
fn logins(text: &str, other: &str) {
    let password = || Credentials::password(text, other);
    let acting = || Credentials::password("user", "secret").acting_for(text);
    let token = || Credentials::token(text, other);
    let cases = [
        (Mechanism::Plain, password()),
        (Mechanism::Plain, acting()),
        (Mechanism::XOauth2, token()),
        (Mechanism::OauthBearer, token()),
        (Mechanism::OauthBearer, Credentials::token("user", "token").at_host(text, 25)),
    ];
    for (mechanism, credentials) in cases {
        let nonce = [b'n'; NONCE_LEN];
        let Ok(exchange) = Exchange::new(mechanism, &credentials, ChannelBinding::None, &nonce) else {
            continue;
        };
        let message = exchange.initial().expect("the client speaks first");
        let count = |octet: u8| message.iter().filter(|o| **o == octet).count();
        match mechanism {
            Mechanism::Plain => assert_eq!(count(0), 2, "{text:?} {other:?}"),
            Mechanism::XOauth2 => assert_eq!((count(0), count(1)), (0, 3), "{text:?} {other:?}"),
            _ => {
                assert_eq!((count(0), count(1) % 2), (0, 1), "{text:?} {other:?}: {}", message.escape_ascii())
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1500) })]

    #[test]
    fn no_value_leaves_its_line(text in text()) {
        values(&text);
    }

    #[test]
    fn no_reply_holds_another(text in text(), raw in prop_oneof![
        text().prop_map(String::into_bytes),
        text().prop_map(|text| format!("250-{text}\r\n250 {text}\r\n").into_bytes()),
        text().prop_map(|text| format!("250 {text}\r\n").into_bytes()),
    ]) {
        replies(&text, &raw);
    }

    #[test]
    fn no_machine_says_more_than_it_was_told(text in text()) {
        said_by_a_server(&text);
        said_by_a_client(&text);
    }

    #[test]
    fn no_credential_is_two(text in text(), other in text()) {
        logins(&text, &other);
    }

    #[test]
    fn a_proxy_header_is_its_addresses(source in any::<(u128, u16)>(), four in any::<bool>()) {
        let ip = |n: u128| if four { std::net::Ipv4Addr::from(n as u32).into() } else { std::net::IpAddr::from(n.to_be_bytes()) };
        let source = std::net::SocketAddr::new(ip(source.0), source.1);
        let header = Proxied::For { source, destination: source };
        let mut output = BytesMut::new();
        header.write(&mut output);
        prop_assert_eq!(Proxied::parse(&output), Ok(Some((header, output.len()))));
    }
}

/// The public functions that append to an output, by module, and where they are fed text. A new one has to be added
/// here, and to a test.
const WRITERS: [(&str, &str); 12] = [
    // Here.
    ("command", "write"),
    ("reply", "write"),
    ("extension", "write_ehlo"),
    ("proxy", "write"),
    ("server", "challenge reply"),
    ("client", "auth auth_response"),
    // Their values are made and written here, or there is no text in them.
    (
        "client",
        "auth_cancel chunk command data ehlo ehlo_ahead helo mail noop quit rcpt rset starttls xclient",
    ),
    ("server", "close poll step timed_out"),
    ("session", "begin poll poll poll poll"),
    // Messages: `smuggling`, `bodies` and `flows`.
    ("client", "body finish"),
    ("dot", "append append_to finish"),
    ("session", "body segments"),
];

fn writers(folder: &Path, module: Option<&str>, found: &mut Vec<(String, String)>) {
    for path in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        let stem = path.file_stem().and_then(|stem| stem.to_str()).expect("UTF-8");
        let module = module.unwrap_or(stem);
        if path.is_dir() {
            writers(&path, Some(module), found);
            continue;
        }
        // It hands out the buffers themselves.
        if module == "link" {
            continue;
        }
        let text = fs::read_to_string(&path).expect("a source");
        for (at, _) in text.match_indices("pub fn ").chain(text.match_indices("pub const fn ")) {
            let signature = text[at..].split(['{', ';']).next().unwrap_or_default();
            if signature.contains("&mut BytesMut") || signature.contains("BufMut") {
                let name = signature.split("fn ").nth(1).and_then(|rest| rest.split(['(', '<']).next());
                found.push((module.to_owned(), name.expect("a name").to_owned()));
            }
        }
    }
}

#[test]
fn every_writer_is_known() {
    let mut found = Vec::new();
    writers(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), None, &mut found);
    let each = |(module, names): &(&'static str, &'static str)| {
        let module = module.to_string();
        names.split(' ').map(move |name| (module.clone(), name.to_owned())).collect::<Vec<_>>()
    };
    let mut known: Vec<_> = WRITERS.iter().flat_map(each).collect();
    found.sort();
    known.sort();
    assert_eq!(found, known);
}
