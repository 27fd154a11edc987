//! Opening: EHLO or HELO, STARTTLS, AUTH by each mechanism, and what stands against them.

use smtp_proto::{
    auth::{Credentials, Mechanism, Mechanisms},
    server::Config,
    session::Error,
    stage::{Protocol, Stage},
};

use crate::{
    messages::in_step,
    pair::{Act, Ask, Letter, PASSWORD, Setup, USER, config, options, say},
};

const MECHANISMS: [Mechanism; 5] =
    [Mechanism::Login, Mechanism::Plain, Mechanism::CramMd5, Mechanism::ScramSha1, Mechanism::ScramSha256];

fn with(mechanisms: impl IntoIterator<Item = Mechanism>) -> Config {
    let mut config = config().with_auth(mechanisms.into_iter().collect::<Mechanisms>());
    config.auth_in_clear = true;
    config
}

fn login(password: &str) -> smtp_proto::session::Options {
    let mut options = options().with_credentials(Credentials::password(USER, password));
    options.auth_in_clear = true;
    options
}

#[test]
fn each_mechanism_logs_in() {
    for mechanism in MECHANISMS.into_iter().filter(|m| m.is_supported()) {
        let mut server = with([mechanism]);
        server.require_auth = true;
        let mut pair = Setup::new(server).pair();
        pair.open(login(PASSWORD)).unwrap_or_else(|error| panic!("{mechanism}: {error}"));
        assert!(pair.client.is_authenticated() && pair.server.machine.is_authenticated(), "{mechanism}");
        in_step(&mut pair, &format!("{mechanism}"));
        assert_eq!(pair.server.stored[0].user.as_deref(), Some(USER), "{mechanism}");
    }
}

#[test]
fn each_mechanism_refuses_a_wrong_password() {
    for mechanism in MECHANISMS.into_iter().filter(|m| m.is_supported()) {
        let mut pair = Setup::new(with([mechanism])).pair();
        let error = pair.open(login("wrong")).expect_err("refused");
        assert_eq!(error.stage(), Stage::Auth, "{mechanism}: {error}");
        assert_eq!(error.reply().map(|reply| reply.code().as_u16()), Some(535), "{mechanism}: {error}");
        assert!(!pair.client.is_authenticated() && !pair.server.machine.is_authenticated(), "{mechanism}");
    }
}

#[test]
fn the_strongest_mechanism_is_taken() {
    let mut pair = Setup::new(with(MECHANISMS)).pair();
    pair.open(login(PASSWORD)).expect("opens");
    pair.cost();
    // SCRAM's four messages: more than one exchange.
    assert!(pair.client.is_authenticated());
    let mut pair = Setup::new(with([Mechanism::Plain, Mechanism::Login])).pair();
    let mut shy = login(PASSWORD);
    shy.auth_in_clear = false;
    let error = pair.open(shy).expect_err("nothing goes in the clear unasked");
    assert!(matches!(error, Error::NoMechanism(_)), "{error:?}");
    assert!(!pair.server.heard.contains(&Stage::Auth));
}

/// A server that knows no EHLO is greeted by HELO, and has no extension then.
#[test]
fn only_the_mechanisms_that_may_be_used_are() {
    for mechanism in MECHANISMS.into_iter().filter(|m| m.is_supported()) {
        let mut options = login(PASSWORD);
        options.mechanisms = Some(Mechanisms::NONE.with(mechanism));
        Setup::new(with(MECHANISMS)).pair().open(options.clone()).expect("offered among others");
        let others = MECHANISMS.into_iter().filter(|other| *other != mechanism);
        let refused = Setup::new(with(others)).pair().open(options).expect_err("not offered");
        assert!(matches!(refused, Error::NoMechanism(_)), "{mechanism}: {refused}");
    }
}

#[test]
fn helo_where_ehlo_is_unknown() {
    for code in [500, 501, 502, 504] {
        let script = move |ask: Ask<'_>| match (ask.stage, ask.n) {
            (Stage::Hello, 0) => say(code, "what?"),
            _ => Act::Default,
        };
        let mut pair = Setup::default().script(script).pair();
        pair.open(options()).expect("HELO does");
        assert!(pair.client.capabilities().set().is_empty(), "{code}");
        let report = pair.deliver(&Letter::new(3, "x\r\n"));
        assert!(report.all_delivered(), "{code}: {report:?}");
        assert_eq!(pair.server.stored[0].params, "", "no extension, no parameter");
    }
    for (code, protocol) in
        [(421, Protocol::Smtp), (450, Protocol::Smtp), (550, Protocol::Smtp), (500, Protocol::Lmtp)]
    {
        let script = move |ask: Ask<'_>| match ask.stage {
            Stage::Hello => say(code, "no"),
            _ => Act::Default,
        };
        let mut server = config();
        server.protocol = protocol;
        let mut pair = Setup::new(server).script(script).pair();
        let error = pair.open(options()).expect_err("no HELO then");
        assert_eq!(error.reply().map(|reply| reply.code().as_u16()), Some(code));
        assert_eq!(pair.server.heard, [Stage::Greeting, Stage::Hello], "{code}");
    }
}

#[test]
fn refusing_greetings() {
    for code in [421, 521, 554] {
        let script =
            move |ask: Ask<'_>| if ask.stage == Stage::Greeting { say(code, "no") } else { Act::Default };
        let mut pair = Setup::default().script(script).pair();
        let error = pair.open(options()).expect_err("refused");
        assert_eq!(
            (error.stage(), error.reply().map(|reply| reply.code().as_u16())),
            (Stage::Greeting, Some(code))
        );
        assert_eq!(pair.client.can_send(), code == 554, "QUIT is served behind a 554 only");
    }
}

/// TLS is required and not offered: nothing was said but EHLO.
#[test]
fn a_stripped_starttls_ends_it() {
    let mut pair = Setup::new(with([Mechanism::Plain])).pair();
    let mut strict = login(PASSWORD);
    strict.starttls = smtp_proto::session::StartTls::Required;
    assert!(matches!(pair.open(strict), Err(Error::NoStartTls)));
    assert_eq!(pair.server.heard, [Stage::Greeting, Stage::Hello]);
}

#[test]
fn quit_is_answered_and_both_close() {
    let mut pair = Setup::default().opened();
    let reply = pair.call(smtp_proto::command::Command::Quit).expect("221");
    assert_eq!(reply.code().as_u16(), 221);
    assert!(reply.text().starts_with("mx.example"), "{reply}");
    assert!(pair.client.is_closed());
    pair.idle(std::time::Duration::ZERO);
    assert!(pair.server.is_closed());
    assert_eq!(pair.server.violation, None);
}

/// A client that expects plain text, at a port that speaks TLS at once, is told so.
#[cfg(feature = "rustls")]
#[test]
fn implicit_tls_met_in_the_clear() {
    let setup = Setup { implicit_tls: true, ..Setup::default() };
    let mut pair = setup.pair();
    pair.link = smtp_proto::link::Link::plain();
    pair.client = smtp_proto::client::Client::new(std::sync::Arc::default());
    // Nothing is said by either: it takes a command of the client's to draw the alert.
    pair.link.output().extend_from_slice(b"EHLO me\r\n");
    let error = pair.open(options()).expect_err("no greeting");
    assert_eq!(error, Error::Violation(smtp_proto::error::Violation::ImplicitTls));
}

#[cfg(feature = "rustls")]
mod with_tls {
    use super::*;
    use smtp_proto::{extension::Extension, session::StartTls};

    /// STARTTLS, EHLO again, AUTH, mail: and what was offered in the clear is forgotten.
    #[test]
    fn starttls_then_auth() {
        for starttls in [StartTls::Required, StartTls::Opportunistic] {
            let mut server = config().with_starttls().with_auth([Mechanism::Plain].into_iter().collect());
            server.require_auth = true;
            server.require_tls = true;
            let mut pair = Setup::new(server).pair();
            let mut options = options().with_credentials(Credentials::password(USER, PASSWORD));
            options.starttls = starttls;
            pair.open(options).expect("opens");
            assert_eq!(
                pair.server.heard,
                [Stage::Greeting, Stage::Hello, Stage::StartTls, Stage::Hello, Stage::Auth]
            );
            assert!(!pair.client.capabilities().has(Extension::StartTls));
            in_step(&mut pair, "STARTTLS");
            let stored = &pair.server.stored[0];
            assert_eq!((stored.tls, stored.user.as_deref()), (true, Some(USER)));
        }
    }

    #[test]
    fn implicit_tls() {
        let setup = Setup { implicit_tls: true, ..Setup::default() };
        let mut pair = setup.pair();
        pair.open(options()).expect("opens");
        for transfer in crate::messages::TRANSFERS {
            let letter = Letter::new(2, b"0123456789abcdef\r\n.\r\n".repeat(20_000)).by(transfer);
            assert!(pair.deliver(&letter).all_delivered(), "{transfer:?}");
            let stored = pair.server.stored.pop().expect("stored");
            assert!(stored.tls && stored.data == letter.data, "{transfer:?}");
        }
        in_step(&mut pair, "implicit TLS");
    }

    /// A refused STARTTLS is no obstacle where TLS was wished for only, and the end where it is required.
    #[test]
    fn starttls_refused() {
        for (starttls, opens) in [(StartTls::Required, false), (StartTls::Opportunistic, true)] {
            let script =
                |ask: Ask<'_>| if ask.stage == Stage::StartTls { say(454, "not now") } else { Act::Default };
            let mut pair = Setup::new(config().with_starttls()).script(script).pair();
            let opened = pair.open(options().with_starttls(starttls));
            assert_eq!(opened.is_ok(), opens, "{opened:?}");
        }
    }
}
