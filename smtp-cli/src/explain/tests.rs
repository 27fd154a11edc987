//! Whole conversations, judged.

use std::fs;
use std::path::Path;

use super::input;
use super::replay::{Gravity, Judgement, judge};

fn judged(text: &str) -> Judgement {
    judge(&input::lines(text.as_bytes()))
}

fn transcripts() -> impl Iterator<Item = (String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../smtp-proto/tests/transcripts");
    let entries = fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("an entry").path());
    entries.filter(|path| path.extension().is_some_and(|end| end == "txt")).map(|path| {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        (name, fs::read_to_string(path).expect("a transcript"))
    })
}

#[test]
fn the_rfcs_own_conversations_are_without_fault() {
    let mut seen = 0;
    for (name, text) in transcripts().filter(|(name, _)| name.starts_with("rfc")) {
        let judgement = judged(&text);
        let fault = judgement.findings.iter().find(|found| found.gravity != Gravity::Refusal);
        assert!(fault.is_none(), "{name}: {fault:?}");
        assert!(judgement.answers.len() > 3, "{name}");
        seen += 1;
    }
    assert!(seen > 20, "{seen}");
}

#[test]
fn what_went_wrong_is_found_where_it_did() {
    let cases = [
        ("auth-twice", Gravity::Fault, "may not say this here"),
        ("r05-bdat-not-offered", Gravity::Fault, "does not offer CHUNKING"),
        ("r07-pipelined-whatever", Gravity::Fault, "does not wait for the reply to NOOP"),
        ("r13-421-anywhere", Gravity::Fault, "the connection is closed"),
        ("r19-before-ehlo", Gravity::Fault, "no successful EHLO"),
        ("r19-nested-mail", Gravity::Fault, "a transaction is open"),
        ("r19-rcpt-without-mail", Gravity::Fault, "no transaction is open"),
        ("r20-data-without-rcpt", Gravity::Refusal, "no valid recipients"),
        ("r24-smtputf8-missing", Gravity::Refusal, "needs SMTPUTF8"),
        ("r26-size-at-mail", Gravity::Refusal, "message too big"),
        ("r05-binarymime-needs-bdat", Gravity::Refusal, "BINARYMIME needs BDAT"),
        ("r09-server-first-initial", Gravity::Refusal, "takes no initial response"),
        ("starttls-twice", Gravity::Fault, "TLS is on already"),
        ("r05-bdat-malformed", Gravity::Fault, "a number and LAST"),
    ];
    let all: std::collections::HashMap<_, _> = transcripts().collect();
    for (name, gravity, what) in cases {
        let judgement = judged(&all[name]);
        let first = judgement.findings.iter().find(|found| found.gravity == gravity);
        let first = first.unwrap_or_else(|| panic!("{name}: {judgement:?}"));
        assert!(first.what.contains(what), "{name}: {first:?}");
    }
}

#[test]
fn a_conversation_that_was_cut_off_at_its_start_is_judged_from_there() {
    for text in [
        "RCPT TO:<ben@example.net>\n250 ok\nDATA\n354 go\nSubject: x\n\nx\n.\n250 ok",
        "250 ok\nMAIL FROM:<> SIZE=1\n250 ok",
        "DATA\n354 go\n.\n250 ok\nQUIT\n221 bye",
        "LHLO x\n250 ok\nMAIL FROM:<>\n250 ok",
    ] {
        assert_eq!(judged(text).findings, [], "{text}");
    }
}

#[test]
fn what_a_server_may_not_say_is_its_fault() {
    let start = "S: 220 mx\nC: EHLO x\nS: 250 mx\nC: MAIL FROM:<>\n";
    for (line, reply, what) in [
        (5, "S: 354 go\n", "354 does not answer MAIL"),
        (6, "S: 250 ok\nS: 250 ok\n", "a reply that answers nothing"),
        (6, "S: 250-ok\nS: 251 ok\n", "different codes"),
    ] {
        let judgement = judged(&format!("{start}{reply}"));
        let [fault] = &judgement.findings[..] else { panic!("{judgement:?}") };
        assert_eq!((fault.line, fault.gravity), (line, Gravity::Fault), "{fault:?}");
        assert!(fault.what.contains(what), "{fault:?}");
    }
    let judgement = judged(start);
    let [cut] = &judgement.findings[..] else { panic!("{judgement:?}") };
    assert_eq!(
        (cut.gravity, cut.what.as_str()),
        (Gravity::Warning, "it ends here, and MAIL is not answered")
    );
}

#[test]
fn logins_are_followed_whether_their_secrets_are_shown_or_not() {
    let start = "S: 220 mx\nC: EHLO x\nS: 250-mx\nS: 250 AUTH PLAIN LOGIN\n";
    for login in [
        "C: AUTH PLAIN AGFubgBzZWNyZXQ=\nS: 235 ok\n",
        "C: AUTH PLAIN …\nS: 235 ok\n",
        "C: AUTH PLAIN\nS: 334\nC: ***\nS: 235 ok\n",
        "C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: YW5u\nS: 334 UGFzc3dvcmQ6\nC: c2VjcmV0\nS: 235 ok\n",
        "C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: *\nS: 501 cancelled\nC: NOOP\nS: 250 ok\n",
    ] {
        let judgement = judged(&format!("{start}{login}"));
        let faults = judgement.findings.iter().filter(|found| found.gravity != Gravity::Refusal);
        assert_eq!(faults.count(), 0, "{login}: {judgement:?}");
    }
}
