//! LIMITS (RFC 9422): what a server takes in one transaction and in one session, and a client that keeps to it.

use smtp_proto::{
    extension::{Capabilities, Extension, SessionLimits},
    server::Config,
    session::{Envelope, NotSent, Outcome, Report, Transfer},
    stage::Stage,
};

use crate::pair::{Act, Letter, Pair, Setup, config, mailbox, say};

const TEXT: &str = "Subject: many\r\n\r\n.hello\r\n";

/// What is 0 is not said.
fn limits(rcpt_max: u32, mail_max: u32, rcpt_domain_max: u32) -> SessionLimits {
    SessionLimits::default()
        .with_rcpt_max(rcpt_max)
        .with_mail_max(mail_max)
        .with_rcpt_domain_max(rcpt_domain_max)
}

fn limited(limits: SessionLimits) -> Config {
    let mut config = config();
    config.capabilities = config.capabilities.with_limits(limits);
    config.limits.recipients = 1000;
    config
}

/// To one recipient at each of these domains.
fn at(domains: &[&str]) -> Letter {
    let mut letter = Letter::new(0, TEXT);
    let to = domains.iter().map(|domain| mailbox(&format!("ben@{domain}")));
    letter.envelope = Envelope::new(mailbox("me@from.example"), to);
    letter
}

fn mails(pair: &Pair) -> usize {
    pair.server.heard.iter().filter(|stage| **stage == Stage::Mail).count()
}

fn not_sent(report: &Report) -> Vec<Option<NotSent>> {
    let why = |outcome| match outcome {
        Outcome::NotSent(why) => Some(why),
        _ => None,
    };
    report.outcomes().map(why).collect()
}

#[test]
fn a_message_for_250_recipients_goes_in_three_transactions_and_gives_250_results() {
    for transfer in [Transfer::Data, Transfer::Chunks, Transfer::ChunksInFlight] {
        for piece in [1, 7, 64 * 1024] {
            let mut pair = Setup::new(limited(limits(100, 0, 0))).opened();
            let report = pair.deliver(&Letter::new(250, TEXT).by(transfer).in_pieces(piece));
            assert_eq!((report.len(), report.delivered()), (250, 250), "{transfer:?} by {piece}");
            let sizes: Vec<_> = pair.server.stored.iter().map(|stored| stored.to.len()).collect();
            assert_eq!(sizes, [100, 100, 50], "{transfer:?}");
            let to: Vec<_> = pair.server.stored.iter().flat_map(|stored| stored.to.clone()).collect();
            let expected: Vec<_> = (0..250).map(|n| format!("a{n}@to.example")).collect();
            assert_eq!(to, expected, "in the envelope's order");
            assert!(pair.server.stored.iter().all(|stored| stored.data == TEXT.as_bytes()));
        }
    }
}

#[test]
fn each_transaction_stands_for_itself_and_each_recipient_has_its_own_result() {
    // The second transaction's message is refused, and one recipient of each.
    let mut mail = 0;
    let script = move |ask: crate::pair::Ask<'_>| {
        mail += usize::from(ask.stage == Stage::Mail);
        match ask.stage {
            Stage::Rcpt if ["a1@", "a4@", "a7@"].iter().any(|bad| ask.to.starts_with(bad)) => say(550, "no"),
            Stage::EndOfData if mail == 2 => say(451, "later"),
            _ => Act::Default,
        }
    };
    let mut pair = Setup::new(limited(limits(3, 0, 0))).script(script).opened();
    let report = pair.deliver(&Letter::new(8, TEXT));
    let codes: Vec<_> = report
        .outcomes()
        .map(|outcome| match outcome {
            Outcome::Replied { reply, .. } => reply.code().as_u16(),
            _ => 0,
        })
        .collect();
    assert_eq!(codes, [250, 550, 250, 451, 550, 451, 250, 550]);
    assert_eq!(pair.deliver(&Letter::new(1, TEXT)).delivered(), 1, "and it is in step");
}

#[test]
fn a_transaction_nobody_is_accepted_in_does_not_end_the_others() {
    for transfer in [Transfer::Data, Transfer::Chunks, Transfer::ChunksInFlight] {
        for pipelining in [true, false] {
            let script = |ask: crate::pair::Ask<'_>| match ask.stage {
                Stage::Rcpt if ask.to.starts_with("a2@") || ask.to.starts_with("a3@") => say(550, "no"),
                _ => Act::Default,
            };
            let mut config = limited(limits(2, 0, 0));
            if !pipelining {
                config.capabilities = config.capabilities.without(Extension::Pipelining);
            }
            let mut pair = Setup::new(config).script(script).opened();
            let report = pair.deliver(&Letter::new(6, TEXT).by(transfer));
            let delivered: Vec<_> = report.outcomes().map(|outcome| outcome.is_delivered()).collect();
            assert_eq!(delivered, [true, true, false, false, true, true], "{transfer:?} {pipelining}");
        }
    }
}

#[test]
fn a_421_between_two_transactions_loses_only_what_was_not_sent() {
    let mut mail = 0;
    let script = move |ask: crate::pair::Ask<'_>| {
        mail += usize::from(ask.stage == Stage::Mail);
        if ask.stage == Stage::EndOfData && mail == 2 { say(421, "bye") } else { Act::Default }
    };
    let mut pair = Setup::new(limited(limits(2, 0, 0))).script(script).opened();
    let report = pair.deliver(&Letter::new(6, TEXT));
    assert_eq!(report.delivered(), 2);
    let lost = Some(NotSent::Lost(Stage::Mail));
    assert_eq!(not_sent(&report), [None, None, None, None, lost, lost]);
}

#[test]
fn a_session_out_of_mails_says_so_and_sends_nothing() {
    let mut pair = Setup::new(limited(limits(100, 2, 0))).opened();
    assert_eq!(pair.client.mails_left(), Some(2));
    // Two of three transactions fit.
    let report = pair.deliver(&Letter::new(250, TEXT));
    assert_eq!((report.len(), report.delivered()), (250, 200));
    assert!(not_sent(&report)[200..].iter().all(|why| *why == Some(NotSent::MailMax)));
    assert_eq!(pair.client.mails_left(), Some(0));
    let report = pair.deliver(&Letter::new(1, TEXT));
    assert_eq!(not_sent(&report), [Some(NotSent::MailMax)]);
    assert_eq!(mails(&pair), 2, "the server was not asked");
    assert!(!pair.client.is_closed(), "and the connection is as it was");
}

#[test]
fn messages_one_behind_the_other_stop_at_the_last_mail_there_is_room_for() {
    let mut pair = Setup::new(limited(limits(0, 3, 0))).opened();
    let letters: Vec<_> = (0..5).map(|_| Letter::new(2, TEXT)).collect();
    let delivered: Vec<_> = pair.deliver_all(&letters).iter().map(Report::delivered).collect();
    assert_eq!(delivered, [2, 2, 2, 0, 0]);
    assert_eq!(mails(&pair), 3);
}

#[test]
fn recipients_of_too_many_domains_are_left_out() {
    for pipelining in [true, false] {
        let mut config = limited(limits(0, 0, 2));
        if !pipelining {
            config.capabilities = config.capabilities.without(Extension::Pipelining);
        }
        let mut pair = Setup::new(config).opened();
        let letter = at(&["one.example", "two.example", "three.example", "ONE.example", "four.example"]);
        let report = pair.deliver(&letter);
        let over = Some(NotSent::RcptDomainMax);
        assert_eq!(not_sent(&report), [None, None, over, None, over], "{pipelining}");
        assert_eq!(report.delivered(), 3);
        // It is a limit of the session.
        let report = pair.deliver(&at(&["five.example"]));
        assert_eq!(not_sent(&report), [over]);
        assert_eq!(pair.deliver(&at(&["two.example"])).delivered(), 1);
        assert_eq!(mails(&pair), 2, "nobody was asked for nothing");
    }
}

#[test]
fn the_limits_stand_together() {
    let mut pair = Setup::new(limited(limits(2, 2, 2))).opened();
    let to = ["a.example", "x.example", "c.example", "a.example", "x.example", "a.example", "d.example"];
    let report = pair.deliver(&at(&to));
    let (domain, mail) = (Some(NotSent::RcptDomainMax), Some(NotSent::MailMax));
    assert_eq!(not_sent(&report), [None, None, domain, None, None, mail, mail]);
}

#[test]
fn a_server_refuses_one_domain_too_many() {
    use bytes::BytesMut;
    use smtp_proto::{reply::Reply, server::Server, server::Step, status::Code};
    let mut server = Server::new(limited(limits(0, 0, 2)).shared());
    let mut output = BytesMut::new();
    let mut say = |line: &str, answer: Option<u16>| {
        output.clear();
        let mut input = line.as_bytes();
        loop {
            match server.poll(std::time::Duration::ZERO, &mut input, &mut output).expect("no violation") {
                Step::Event(_) if server.owed() > 0 => {
                    let code = answer.map_or(Code::OK, |code| Code::new(code).expect("a code"));
                    let reply = match answer {
                        Some(_) => Reply::fixed(code, None, "no"),
                        None => server.default_reply().expect("a reply"),
                    };
                    server.reply(&reply, &mut output).expect("it answers");
                }
                Step::NeedInput(_) => break,
                _ => {}
            }
        }
        String::from_utf8(output.to_vec()).expect("ASCII")
    };
    say("", None);
    let hello = say("EHLO client.example\r\n", None);
    assert!(hello.contains("LIMITS RCPTDOMAINMAX=2"), "{hello}");
    say("MAIL FROM:<a@x.example>\r\n", None);
    assert!(say("RCPT TO:<b@refused.example>\r\n", Some(550)).starts_with("550"));
    for (to, code) in [
        ("b@one.example", "250"),
        ("c@two.example", "250"),
        ("d@three.example", "452 4.5.3"),
        ("Postmaster", "250"),
        ("d@TWO.example", "250"),
    ] {
        let reply = say(&format!("RCPT TO:<{to}>\r\n"), None);
        assert!(reply.starts_with(code), "{to}: {reply}");
    }
    // A new transaction is the same session.
    say("RSET\r\n", None);
    say("MAIL FROM:<a@x.example>\r\n", None);
    assert!(say("RCPT TO:<d@three.example>\r\n", None).starts_with("452 4.5.3"));
    assert!(say("RCPT TO:<d@one.example>\r\n", None).starts_with("250"));
}

#[test]
fn what_is_not_offered_does_not_limit() {
    let none = Capabilities::new().limits();
    let mut pair = Setup::new(limited(none)).opened();
    assert_eq!(pair.client.mails_left(), None);
    assert_eq!(pair.deliver(&Letter::new(250, TEXT)).delivered(), 250);
    assert_eq!(mails(&pair), 1);
}
