//! What a sender does about a reply: never by its code alone.

use smtp_proto::auth::{Credentials, Mechanism, Mechanisms};
use smtp_proto::extension::Extension;
use smtp_proto::reply::Reply;
use smtp_proto::session::{Error, StartTls, Verdict};
use smtp_proto::stage::Stage;

use crate::pair::{Act, Ask, Letter, PASSWORD, Setup, USER, config, options, say};

#[test]
fn a_verdict_is_a_function_of_verb_and_code() {
    use Verdict::{
        Authenticate, Delivered, Failed, NextTransaction as Next, TryAnotherHost as Other, TryLater,
    };
    let check = |stage, text: &str, after_accepted, verdict| {
        let raw = format!("{text}\r\n");
        let reply = Reply::parse(raw.as_bytes()).expect(text);
        assert_eq!(Verdict::of(stage, &reply, after_accepted), verdict, "{text} to {stage}");
    };
    // RFC 5321, 4.5.3.1.10: too many recipients, as old servers say it and as new ones do.
    check(Stage::Rcpt, "552 too many", true, Next);
    check(Stage::Rcpt, "552 5.5.3 too many", true, Next);
    check(Stage::Rcpt, "452 too many", true, Next);
    check(Stage::Rcpt, "452 4.5.3 too many", true, Next);
    check(Stage::Rcpt, "552 too many", false, Failed);
    check(Stage::Rcpt, "552 5.5.3 too many", false, Failed);
    check(Stage::Rcpt, "452 full", false, TryLater);
    check(Stage::Rcpt, "452 4.2.2 full", true, TryLater);
    for detail in ["5.2.2", "5.2.3", "5.3.4", "5.7.1"] {
        check(Stage::Rcpt, &format!("552 {detail} no"), true, Failed);
    }
    for stage in [Stage::Mail, Stage::Data, Stage::EndOfData, Stage::LastChunk, Stage::Chunk] {
        check(stage, "552 too big", true, Failed);
        check(stage, "452 full", true, TryLater);
    }
    // RFC 4954, 6: the sender's login, not the recipient.
    for code in [530, 534, 535, 538] {
        for stage in [Stage::Mail, Stage::Rcpt, Stage::Auth] {
            check(stage, &format!("{code} 5.7.0 no"), false, Authenticate);
        }
    }
    check(Stage::Auth, "504 5.5.4 no", false, Authenticate);
    check(Stage::Auth, "454 4.7.0 later", false, TryLater);
    // RFC 5321, 3.8, and RFC 7504.
    for stage in [Stage::Greeting, Stage::Mail, Stage::Rcpt, Stage::EndOfData] {
        check(stage, "421 going down", true, TryLater);
        check(stage, "521 no mail here", true, Other);
    }
    // RFC 5321, 3.1: the host's word about itself.
    for stage in [Stage::Greeting, Stage::Hello, Stage::StartTls] {
        check(stage, "554 no", false, Other);
        check(stage, "450 later", false, TryLater);
    }
    check(Stage::Rcpt, "556 5.1.10 no mail", false, Failed);
    check(Stage::Rcpt, "550 5.1.1 who?", true, Failed);
    check(Stage::EndOfData, "554 5.6.0 no", false, Failed);
    check(Stage::EndOfData, "250 2.0.0 ok", false, Delivered);
    check(Stage::LastChunk, "250 2.0.0 ok", false, Delivered);
    check(Stage::Rcpt, "251 forwards", false, TryLater);
}

/// Through a delivery: the report knows who was accepted before.
#[test]
fn too_many_recipients_is_told_from_too_big() {
    use Verdict::{Authenticate, Delivered, Failed, NextTransaction, TryLater};
    let script = |ask: Ask<'_>| match (ask.stage, ask.to.split_once('@').map_or("", |(name, _)| name)) {
        (Stage::Rcpt, "a0" | "a3") => say(552, "no"),
        (Stage::Rcpt, "a2") => say(552, "5.2.2 full"),
        (Stage::Rcpt, "a4") => say(530, "5.7.0 log in"),
        (Stage::Rcpt, "a5") => say(452, "4.3.1 full"),
        _ => Act::Default,
    };
    for pipelining in [true, false] {
        let mut server = config();
        server.capabilities = server.capabilities.without(Extension::EnhancedStatusCodes);
        if !pipelining {
            server.capabilities = server.capabilities.without(Extension::Pipelining);
        }
        let mut pair = Setup::new(server).script(script).opened();
        // The second transaction begins anew.
        for _ in 0..2 {
            let report = pair.deliver(&Letter::new(6, "x\r\n"));
            let verdicts: Vec<_> = report.outcomes().map(|outcome| outcome.verdict()).collect();
            assert_eq!(
                verdicts,
                [Failed, Delivered, Failed, NextTransaction, Authenticate, TryLater],
                "{report:?}"
            );
            let permanent: Vec<_> = report.outcomes().map(|outcome| outcome.is_permanent()).collect();
            assert_eq!(permanent, [true, false, true, false, false, false]);
        }
    }
}

/// What the host says about itself is no bounce for anybody.
#[test]
fn a_refusing_host_is_not_a_refused_recipient() {
    let verdict = |stage, code, options| -> (Error, Verdict) {
        let script = move |ask: Ask<'_>| if ask.stage == stage { say(code, "no") } else { Act::Default };
        let server = config().with_starttls();
        let error = Setup::new(server).script(script).pair().open(options).expect_err("refused");
        let verdict = error.verdict();
        (error, verdict)
    };
    for (stage, code, expected) in [
        (Stage::Greeting, 554, Verdict::TryAnotherHost),
        (Stage::Greeting, 521, Verdict::TryAnotherHost),
        (Stage::Greeting, 421, Verdict::TryLater),
        (Stage::Hello, 550, Verdict::TryAnotherHost),
        (Stage::Hello, 450, Verdict::TryLater),
        (Stage::StartTls, 454, Verdict::TryLater),
        (Stage::StartTls, 554, Verdict::TryAnotherHost),
    ] {
        let options = options().with_starttls(StartTls::Required);
        let (error, verdict) = verdict(stage, code, options);
        assert_eq!(verdict, expected, "{error}");
    }
    let open = |server, mut options: smtp_proto::session::Options| {
        options.auth_in_clear = true;
        Setup::new(server).pair().open(options).expect_err("refused").verdict()
    };
    let login = |password| options().with_credentials(Credentials::password(USER, password));
    let mut plain = config().with_auth(Mechanisms::NONE.with(Mechanism::Plain));
    plain.auth_in_clear = true;
    assert_eq!(open(plain, login("wrong")), Verdict::Authenticate);
    assert_eq!(open(config(), login(PASSWORD)), Verdict::Authenticate, "no mechanism");
    let required = options().with_starttls(StartTls::Required);
    assert_eq!(open(config(), required), Verdict::TryAnotherHost, "no STARTTLS");
}

/// After the dot nobody knows; before it anybody may try again.
#[test]
fn a_lost_connection_is_temporary_or_unknown() {
    for (stage, expected) in [(Stage::Rcpt, Verdict::TryLater), (Stage::EndOfData, Verdict::Unknown)] {
        let script = move |ask: Ask<'_>| if ask.stage == stage { Act::Hang } else { Act::Default };
        let report = Setup::default().script(script).opened().deliver(&Letter::new(1, "x\r\n"));
        assert_eq!(report.outcome(0).expect("one").verdict(), expected);
    }
}
