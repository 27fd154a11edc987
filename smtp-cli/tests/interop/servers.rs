//! Our clients deliver to their servers: the rows of the first matrix.

use std::thread;
use std::time::Duration;

use smtp_driver::proto::auth::Mechanism;
use smtp_driver::proto::extension::Extension;
use smtp_driver::proto::param::Param;
use smtp_driver::proto::session::{Content, Transfer};

use libtest_mimic::Trial;

use crate::mail::{Mail, RECIPIENTS, international, longer_than, nasty, samples, short};
use crate::matrix::{self, Table};
use crate::peers::{self, Peer, has};
use crate::process::PATIENCE;
use crate::room::SIZE;
use crate::sender::{Client, Ended, Errand, Security, Sending};

/// A client of ours, and a server of theirs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    pub(crate) client: Client,
    pub(crate) peer: &'static Peer,
}

/// A row: its name, what it does, and whether `smtp send` has flags for it.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&Case),
    pub(crate) by_tool: bool,
    /// What an EHLO response has to list for it.
    pub(crate) extension: Option<Extension>,
}

const fn row(name: &'static str, run: fn(&Case), by_tool: bool, extension: Option<Extension>) -> Row {
    Row { name, run, by_tool, extension }
}

const LISTED: &str = "EHLO lists these rows";
pub(crate) const GREYLISTING: &str = "greylisting";
const STRONGEST: &str = "AUTH, the strongest";

pub(crate) const ROWS: [Row; 25] = [
    row(LISTED, listed, false, None),
    row("plain", plain, true, None),
    row("STARTTLS", starttls, true, Some(Extension::StartTls)),
    row("implicit TLS", implicit_tls, true, None),
    row("AUTH LOGIN", |case| auth(case, Mechanism::Login), true, None),
    row("AUTH PLAIN", |case| auth(case, Mechanism::Plain), true, None),
    row("AUTH CRAM-MD5", |case| auth(case, Mechanism::CramMd5), true, None),
    row("AUTH XOAUTH2", |case| auth(case, Mechanism::XOauth2), true, None),
    row("AUTH SCRAM-SHA-1", |case| auth(case, Mechanism::ScramSha1), true, None),
    row("AUTH SCRAM-SHA-256", |case| auth(case, Mechanism::ScramSha256), true, None),
    row(STRONGEST, strongest, true, None),
    row("one by one", one_by_one, false, None),
    row("overlapped", overlapped, false, Some(Extension::Pipelining)),
    row("CHUNKING", chunking, false, Some(Extension::Chunking)),
    row("CHUNKING in flight", chunking_in_flight, false, Some(Extension::Chunking)),
    row("SMTPUTF8", smtputf8, true, Some(Extension::SmtpUtf8)),
    row("DSN", dsn, true, Some(Extension::Dsn)),
    row("PRDR", prdr, false, Some(Extension::Prdr)),
    row("PIPECONNECT", pipeconnect, false, Some(Extension::PipeConnect)),
    row("LMTP", lmtp, true, None),
    row("550", |case| refused(case, "nobody", 550), true, None),
    row("451", |case| refused(case, "later", 451), true, None),
    row(GREYLISTING, greylisted, true, None),
    row("421", closing, true, None),
    row("552", too_long, true, None),
];

const TITLE: &str = "Our clients, their servers";

/// A test for each cell that there is.
pub(crate) fn trials(trials: &mut Vec<Trial>) -> Table {
    for (column, rows, peer) in peers::ALL {
        for row in ROWS {
            let cell = (TITLE, row.name, column);
            for client in Client::ALL {
                let by_tool = client == Client::Tool;
                let strongest = row.name == STRONGEST && has(rows, "AUTH PLAIN");
                let has = COMMON.contains(&row.name) || has(rows, row.name) || strongest;
                // The tool has no LMTP over TLS from the first octet.
                let without = by_tool && row.name == "implicit TLS" && column == "Dovecot LMTP";
                // Once is enough to show a quirk.
                let quirk = peers::quirk(column, row.name) && client != Client::ALL[0];
                let none = peers::NONE.iter().any(|(name, its, _)| (*name, *its) == (column, row.name));
                if has && !none && !quirk && !without && (row.by_tool || !by_tool) {
                    let test = move || (row.run)(&Case { client, peer: peer() });
                    trials.push(matrix::trial(cell, client, client.letter(), test));
                }
            }
        }
    }
    for (column, row, why) in peers::QUIRKS.into_iter().chain(peers::NONE) {
        matrix::note((TITLE, row, column), why);
    }
    let (rows, columns) = (ROWS.map(|row| row.name).into(), peers::ALL.map(|(name, ..)| name).into());
    Table { title: TITLE, rows, columns }
}

/// Those that every server has.
pub(crate) const COMMON: [&str; 4] = [LISTED, "plain", "one by one", "550"];

impl Case {
    /// As plain as the peer lets us.
    fn security(&self) -> Security {
        if self.peer.submission { Security::StartTls } else { Security::Plain }
    }

    fn errand<'e>(&self, security: Security, mails: Vec<Sending<'e>>) -> Errand<'e> {
        Errand::new(self.peer, security, mails)
    }

    /// Each message is taken for both recipients, and stored as it was sent.
    #[track_caller]
    fn delivers(&self, errand: &Errand<'_>) -> Ended {
        let ended = errand.run(self.client);
        assert_eq!(ended.failed, None);
        for (told, sending) in ended.told.iter().zip(&errand.mails) {
            assert!(told.iter().all(|fate| fate.code == 250), "{}: {told:?}", sending.mail.name);
            self.stored(sending.mail, sending.envelope.to.len(), errand);
        }
        assert_eq!(ended.told.len(), errand.mails.len());
        ended
    }

    #[track_caller]
    fn stored(&self, mail: &Mail, recipients: usize, errand: &Errand<'_>) {
        let stored = self.peer.store.take(mail, recipients);
        // RFC 3848 names what the message came in by: S where there was TLS, A where there was AUTH.
        let with = match (errand.security, errand.login) {
            (Security::Plain, None) => "ESMTP",
            (Security::Plain, Some(_)) => "ESMTPA",
            (_, None) => "ESMTPS",
            (_, Some(_)) => "ESMTPSA",
        };
        let trace = stored.trace.to_ascii_uppercase().replace("UTF8SMTP", "ESMTP");
        let named = trace.split_whitespace().skip_while(|word| *word != "WITH").nth(1);
        if let Some(named) = named.filter(|named| named.starts_with("ESMTP")) {
            assert_eq!(named.trim_end_matches(';'), with, "{}", stored.trace);
        }
    }

    fn is(&self, name: &str) -> bool {
        self.peer.name == name
    }
}

/// What the server lists is what it has rows for, no more and no less.
fn listed(case: &Case) {
    let rows = peers::ALL.iter().find(|(name, ..)| case.is(name)).unwrap().1;
    let clear = case.errand(Security::Plain, Vec::new()).run(case.client).offered;
    let starttls = clear.has(Extension::StartTls);
    assert_eq!(starttls, has(rows, "STARTTLS"), "{clear:?}");
    let offered = match starttls && !case.peer.without_tls() {
        true => case.errand(Security::StartTls, Vec::new()).run(case.client).offered,
        false => clear,
    };
    for row in ROWS {
        let listed = match (row.extension, row.name.strip_prefix("AUTH ")) {
            (Some(Extension::StartTls), _) => continue,
            (Some(extension), _) => offered.has(extension),
            // It takes any password, and lists them without TLS.
            (None, Some(_)) if case.is("smtp-sink") => continue,
            (None, Some(name)) => {
                let mechanism = Mechanism::from_name(name);
                mechanism.is_some_and(|mechanism| offered.mechanisms().contains(mechanism))
            }
            (None, None) => continue,
        };
        assert_eq!(listed, has(rows, row.name), "{}: {offered:?}", row.name);
    }
}

fn plain(case: &Case) {
    let samples = samples();
    let mails = samples.iter().map(|mail| Sending::to(mail, RECIPIENTS)).collect();
    case.delivers(&case.errand(case.security(), mails));
}

fn starttls(case: &Case) {
    over_tls(case, Security::StartTls);
}

fn implicit_tls(case: &Case) {
    over_tls(case, Security::Implicit);
}

fn over_tls(case: &Case, security: Security) {
    let mails = [nasty(), short()];
    let mails: Vec<_> = mails.iter().map(|mail| Sending::to(mail, RECIPIENTS)).collect();
    let without = case.peer.without_tls();
    if !without {
        case.delivers(&case.errand(security, mails.clone()));
    }
    // Nothing is sent over TLS that does not come about, or can't be trusted, and then not in the clear.
    let distrusting = Errand { distrusts: !without, ..case.errand(security, mails.clone()) };
    let ended = distrusting.run(case.client);
    assert!(ended.failed.is_some() && ended.told.iter().flatten().all(|fate| fate.code == 0), "{ended:?}");
    case.peer.store.assert_without(mails[0].mail);
}

fn auth(case: &Case, mechanism: Mechanism) {
    let mail = nasty();
    let mails = vec![Sending::to(&mail, RECIPIENTS)];
    let secret = if mechanism == Mechanism::XOauth2 { "token" } else { "secret" };
    let errand = case.errand(Security::StartTls, mails);
    let wrong = Errand { login: Some((mechanism, "wrong")), ..errand.clone() };
    let ended = wrong.run(case.client);
    assert!(ended.failed.as_ref().is_some_and(|failed| failed.contains("535")), "{ended:?}");
    case.peer.store.assert_without(&mail);
    case.delivers(&Errand { login: Some((mechanism, secret)), ..errand });
}

/// Of all that is offered.
fn strongest(case: &Case) {
    let mail = nasty();
    let errand = case.errand(Security::StartTls, vec![Sending::to(&mail, RECIPIENTS)]);
    let login = Some((Mechanism::Plain, "secret"));
    case.delivers(&Errand { login, by_any: true, ..errand });
}

/// Messages on one connection, each behind the reply to the one ahead.
fn one_by_one(case: &Case) {
    in_step(case, false);
}

/// Messages on one connection, each envelope in the same write as the end of the message ahead (RFC 2920, 3.1).
fn overlapped(case: &Case) {
    if !peers::quirk(case.peer.name, "overlapped") {
        return in_step(case, true);
    }
    // chasquid does not answer; Dovecot does at once, and may take its time to open the connection: it waits after a process that failed.
    let patience = if case.is("chasquid") { Duration::from_secs(5) } else { PATIENCE };
    let mails = [short(), short()];
    let mails: Vec<_> = mails.iter().map(|mail| Sending::to(mail, RECIPIENTS)).collect();
    let errand = Errand { overlapped: true, patience, ..case.errand(case.security(), mails) };
    let ended = errand.run(case.client);
    // Of each message it is known that it was taken, that it was not, or that it may have been.
    assert!(ended.failed.is_some(), "{ended:?}");
    for (told, sending) in ended.told.iter().zip(&errand.mails) {
        assert!(told.iter().all(|fate| matches!(fate.code, 250 | 0)), "{ended:?}");
        if told[0].code == 250 {
            case.stored(sending.mail, 2, &errand);
        }
    }
    assert!(ended.told[1].iter().all(|fate| fate.code == 0), "{ended:?}");
}

/// Some recipients of a message are refused, or all, or none: both sides stay in step.
fn in_step(case: &Case, overlapped: bool) {
    let mails = [short(), short(), nasty(), short()];
    let [bob, carol] = RECIPIENTS;
    let nobody = "nobody@example.test";
    let mut all = vec![vec![carol], vec![nobody], vec![bob, carol], vec![nobody, bob]];
    if case.is("chasquid") {
        // It leaves at the third refusal, DATA for nobody among them.
        all.pop();
    }
    let sendings = mails.iter().zip(&all).map(|(mail, to)| Sending::to(mail, to.iter().copied())).collect();
    let errand = Errand { overlapped, ..case.errand(case.security(), sendings) };
    let ended = errand.run(case.client);
    assert_eq!(ended.failed, None);
    for ((mail, to), told) in mails.iter().zip(&all).zip(&ended.told) {
        let codes: Vec<u16> = told.iter().map(|fate| fate.code).collect();
        let wanted: Vec<u16> = to.iter().map(|to| if *to == nobody { case.unknown() } else { 250 }).collect();
        assert_eq!(codes, wanted, "{ended:?}");
        match wanted.iter().filter(|code| **code == 250).count() {
            0 => case.peer.store.assert_without(mail),
            taken => case.stored(mail, taken, &errand),
        }
    }
}

fn chunking(case: &Case) {
    let samples: Vec<_> = samples().into_iter().map(Mail::chunked).collect();
    let mails = samples.iter().map(|mail| Sending::to(mail, RECIPIENTS)).collect();
    case.delivers(&Errand { transfer: Transfer::Chunks, ..case.errand(case.security(), mails) });
}

fn chunking_in_flight(case: &Case) {
    let mails = [nasty(), short(), short()].map(Mail::chunked);
    let mails = mails.iter().map(|mail| Sending::to(mail, RECIPIENTS)).collect();
    case.delivers(&Errand { transfer: Transfer::ChunksInFlight, ..case.errand(case.security(), mails) });
}

fn smtputf8(case: &Case) {
    let mail = international();
    let to = if case.peer.submission { RECIPIENTS[0] } else { "\u{fc}ser@example.test" };
    case.delivers(&case.errand(case.security(), vec![Sending::to(&mail, [to])]));
}

fn dsn(case: &Case) {
    let mail = short();
    case.delivers(&case.errand(case.security(), vec![Sending::to(&mail, RECIPIENTS).with_dsn()]));
}

fn prdr(case: &Case) {
    let mail = short();
    let mut sending = Sending::to(&mail, RECIPIENTS);
    sending.envelope = sending.envelope.with(&Param::Prdr).unwrap();
    case.delivers(&case.errand(case.security(), vec![sending]));
}

/// EHLO goes ahead of the greeting of a server that is known to take it.
fn pipeconnect(case: &Case) {
    let mails = [short(), short()];
    let first = case.delivers(&case.errand(case.security(), vec![Sending::to(&mails[0], RECIPIENTS)]));
    let errand = case.errand(case.security(), vec![Sending::to(&mails[1], RECIPIENTS)]);
    case.delivers(&Errand { cached: Some(first.offered), ..errand });
}

/// Each recipient has a reply of its own to the message.
fn lmtp(case: &Case) {
    let mail = nasty();
    let to = [RECIPIENTS[0], "nobody@example.test", RECIPIENTS[1]];
    let errand = case.errand(case.security(), vec![Sending::to(&mail, to)]);
    let ended = errand.run(case.client);
    assert_eq!(ended.failed, None);
    let codes: Vec<u16> = ended.told[0].iter().map(|fate| fate.code).collect();
    assert_eq!(codes, [250, case.unknown(), 250], "{ended:?}");
    case.stored(&mail, 2, &errand);
}

impl Case {
    /// What this server says of a recipient that it does not know.
    fn unknown(&self) -> u16 {
        // smtp-sink knows everybody.
        if self.is("smtp-sink") { 250 } else { 550 }
    }
}

/// Each recipient has a result of its own, and those who are accepted get the message whatever becomes of the others.
fn refused(case: &Case, who: &str, code: u16) {
    let who = format!("{who}@example.test");
    let mail = short();
    let bob = RECIPIENTS[0];
    // chasquid puts off behind the message, and then for all.
    let all = case.is("chasquid") && code == 451;
    for to in [&[&*who, bob][..], &[bob, &*who], &[&*who]] {
        let errand = case.errand(case.security(), vec![Sending::to(&mail, to.iter().copied())]);
        let ended = errand.run(case.client);
        let codes: Vec<u16> = ended.told[0].iter().map(|fate| fate.code).collect();
        let wanted: Vec<u16> = to.iter().map(|to| if *to == bob && !all { 250 } else { code }).collect();
        assert_eq!((codes, &ended.failed), (wanted.clone(), &None));
        match wanted.iter().filter(|code| **code == 250).count() {
            0 => case.peer.store.assert_without(&mail),
            taken => case.stored(&mail, taken, &errand),
        }
    }
}

/// A server that puts off whoever comes for the first time takes the message at the second, and it arrives once.
fn greylisted(case: &Case) {
    let mail = short();
    // The server knows again who it was by sender and recipient: the sender is each client's own.
    let sending = Sending::to(&mail, ["grey@example.test"]).from(&format!("{}@example.test", case.client));
    let errand = case.errand(case.security(), vec![sending]);
    if let Client::Of(_) = case.client {
        let ended = errand.run(case.client);
        assert_eq!((ended.told[0][0].code, &ended.failed), (451, &None), "{ended:?}");
        case.peer.store.assert_without(&mail);
        thread::sleep(Duration::from_millis(2500));
    }
    // The tool comes back by itself.
    case.delivers(&Errand { retries: 3, ..errand });
}

/// A server that closes in the middle: nobody was served, and it is told why.
fn closing(case: &Case) {
    let mail = short();
    let to = match case.peer.name {
        // It has no other reason.
        "chasquid" => &["nobody@example.test", "x@example.test", "y@example.test", RECIPIENTS[0]][..],
        _ => &["busy@example.test", RECIPIENTS[0]],
    };
    let ended = case.errand(case.security(), vec![Sending::to(&mail, to.iter().copied())]).run(case.client);
    let codes: Vec<u16> = ended.told[0].iter().map(|fate| fate.code).collect();
    assert!(codes.iter().all(|code| matches!(code, 421 | 550 | 0)) && codes.contains(&421), "{ended:?}");
    case.peer.store.assert_without(&mail);
}

/// A message that is too long is not sent where the server says how long it may be; where it is sent all the same, the server's refusal is
/// heard to its end.
fn too_long(case: &Case) {
    let mail = longer_than(SIZE + SIZE / 8);
    // Dovecot's LMTP has no SIZE, and limits each mailbox.
    let limited = case.is("Dovecot LMTP");
    let to = if limited { vec!["full@example.test"] } else { RECIPIENTS.into() };
    let errand = case.errand(case.security(), vec![Sending::to(&mail, to)]);
    if !limited {
        let ended = errand.run(case.client);
        assert!(ended.told[0].iter().all(|fate| fate.code == 0 && fate.text.contains("octets")), "{ended:?}");
    }
    if limited || matches!(case.client, Client::Of(_)) {
        let sending = Sending { content: Some(Content::unknown()), ..errand.mails[0].clone() };
        let ended = Errand { mails: vec![sending], ..errand }.run(case.client);
        let code = match case.peer.name {
            // They say so in their words only.
            "Haraka" => 550,
            "OpenSMTPD" => 554,
            _ => 552,
        };
        assert!(ended.told[0].iter().all(|fate| fate.code == code), "{ended:?}");
    }
    case.peer.store.assert_without(&mail);
}
