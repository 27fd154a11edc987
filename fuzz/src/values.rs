//! Commands and what they are made of: what is taken is written as it was taken, and nothing ends its line early.

use smtp_proto::address::{Domain, ForwardPath, Mailbox, ReversePath};
use smtp_proto::auth::Base64;
use smtp_proto::command::{Attributes, Command, Mail, Options, Rcpt, Text, Word};
use smtp_proto::param::{Error, Orcpt, Param, Params, Xtext};

/// Any octets as a line.
pub fn command(line: &[u8]) {
    let strict = Command::parse(line, Options::default().with_strict_hello(true));
    let command = match Command::parse(line, Options::default()) {
        Ok(command) => command,
        Err(error) => {
            assert!(strict.is_err(), "strict takes what lenient doesn't");
            return assert!(error.reply().is_permanent(), "{error}");
        }
    };
    if let Ok(strict) = strict {
        assert_eq!(strict, command);
    }
    written(&command);
    assert_eq!(command.clone().into_owned(), command);
}

/// The line that a command makes: it is one line, and means that command.
fn written(command: &Command<'_>) {
    let mut output = Vec::new();
    command.write(&mut output);
    let line = output.strip_suffix(b"\r\n").expect("a whole line");
    let shown = line.escape_ascii();
    assert!(!line.iter().any(|octet| matches!(octet, b'\r' | b'\n' | 0)), "{shown}");
    let again = Command::parse(line, Options::default()).unwrap_or_else(|error| panic!("{shown}: {error}"));
    assert_eq!(&again, command);
    let mut twice = Vec::new();
    again.write(&mut twice);
    assert_eq!(twice, output, "{shown}");
}

/// Any text as an address, or as a part of one.
pub fn address(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    let (strict, lenient) = (Domain::parse(text), Domain::parse_lenient(text));
    if let Ok(domain) = &strict {
        assert_eq!(lenient.as_ref(), Ok(domain), "lenient takes what strict takes");
        assert_eq!(domain.literal().is_some(), text.starts_with('['));
    }
    if let Ok(domain) = lenient {
        assert_eq!(domain.as_str(), text);
        written(&Command::Ehlo(domain));
    }
    if let Ok(mailbox) = Mailbox::parse(text) {
        assert_eq!(mailbox.as_str(), text);
        whole(&mailbox);
    }
    if let Ok(from) = ReversePath::parse(text) {
        from.mailbox().into_iter().for_each(whole);
        written(&Command::Mail(Mail::from(from.clone())));
    }
    if let Ok(to) = ForwardPath::parse(text) {
        to.mailbox().into_iter().for_each(whole);
        written(&Command::Rcpt(Rcpt::from(to.clone())));
    }
    // A local part of any octets, which is quoted where it has to be.
    let (local, domain) = text.rsplit_once('@').unwrap_or((text, "b"));
    if let Ok(mailbox) = Domain::parse(domain).and_then(|domain| Mailbox::new(local, &domain)) {
        assert_eq!(mailbox.local_part(), local);
        assert_eq!(mailbox.domain().as_str(), domain);
        whole(&mailbox);
    }
}

/// A mailbox is its parts, and theirs is the least quoting. Longer ones than RFC 5321, 4.5.3.1.1 has are taken, and none
/// is made; nor is `""@b`, which nobody means by an empty local part.
fn whole(mailbox: &Mailbox<'_>) {
    assert_eq!(Mailbox::parse(mailbox.as_str()).as_ref(), Ok(mailbox));
    match Mailbox::new(&mailbox.local_part(), &mailbox.domain()) {
        Ok(rebuilt) => {
            assert_eq!(&rebuilt, mailbox);
            assert!(rebuilt.as_str().len() <= mailbox.as_str().len(), "{rebuilt} for {mailbox}");
        }
        Err(error) => assert!(matches!(mailbox.local_part_raw().len(), 2 | 65..), "{mailbox}: {error}"),
    }
    if let Ok(orcpt) = Orcpt::new(mailbox) {
        assert_eq!(Orcpt::parse(orcpt.as_str()).as_ref(), Ok(&orcpt));
        assert_eq!(orcpt.address(), mailbox.as_str());
    }
}

/// Any text as parameters, attributes, and the encodings that stand in them.
pub fn param(input: &[u8]) {
    assert_eq!(&*Xtext::encode(input).decode(), input);
    assert_eq!(Base64::encode(input).decode(), input);
    if let Ok(base64) = Base64::parse(input) {
        assert_eq!(Base64::encode(&base64.decode()).as_str(), base64.as_str());
    }
    let Ok(text) = str::from_utf8(input) else { return };
    if let Ok((params, declared)) = Params::parse_mail(text) {
        let mail = Mail::new(ReversePath::Null, params.as_borrowed());
        assert_eq!(mail.declared, declared);
        written(&Command::Mail(mail));
        rebuilt(&params);
    }
    if let Ok((params, declared)) = Params::parse_rcpt(text) {
        let rcpt = Rcpt::new(ForwardPath::Postmaster, params.as_borrowed());
        assert_eq!(rcpt.declared, declared);
        written(&Command::Rcpt(rcpt));
        rebuilt(&params);
    }
    if let Ok(attributes) = Attributes::parse(text) {
        assert_eq!(attributes.iter().count(), attributes.as_str().split(' ').count());
        written(&Command::Xclient(attributes));
    }
    if let (Ok(verb), Ok(args)) = (Word::new(text.split(' ').next().unwrap_or_default()), Text::new(text)) {
        if let Ok(parsed @ Command::Other { .. }) =
            Command::parse(verb.as_str().as_bytes(), Options::default())
        {
            written(&parsed);
        }
        written(&Command::Noop(args));
    }
    if let Ok(xtext) = Xtext::parse(text) {
        assert_eq!(Xtext::encode(&xtext.decode()).decode(), xtext.decode());
    }
    if let Ok(orcpt) = Orcpt::parse(text) {
        assert!(!orcpt.address().chars().any(char::is_control));
    }
}

/// Each parameter as a value makes the same text again, if it has but one.
fn rebuilt(params: &Params<'_>) {
    for param in params.iter() {
        let again = match Params::default().with(&param) {
            Ok(again) => again,
            // Known to the other command: its value was not looked at.
            Err(_) if matches!(param, Param::Other { .. }) => continue,
            // Some relays say a login's name, which is read, and never written.
            Err(Error::BadValue("AUTH")) if matches!(&param, Param::Auth(sender) if !names_sender(sender)) => {
                continue;
            }
            Err(error) => panic!("{param:?}: {error}"),
        };
        assert!(again.iter().eq([param.clone()]), "{param:?} became {again:?}");
    }
}

fn names_sender(sender: &Xtext<'_>) -> bool {
    let sender = sender.decode();
    *sender == *b"<>" || str::from_utf8(&sender).is_ok_and(|sender| Mailbox::parse(sender).is_ok())
}
