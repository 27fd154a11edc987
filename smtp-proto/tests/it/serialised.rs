//! What is stored comes back as it was, and nothing comes in that the parsers would not have taken (feature `serde`).

use std::fmt::Debug;

use serde_json::{Value, from_value, json, to_value};
use smtp_proto::address::{Domain, ForwardPath, Mailbox, ReversePath};
use smtp_proto::auth::Mechanism;
use smtp_proto::command::{Text, Word};
use smtp_proto::param::{Orcpt, Param, Params, Ret, Xtext};
use smtp_proto::reply::Reply;
use smtp_proto::session::Envelope;
use smtp_proto::status::{Code, Enhanced};

/// Written as `stored`, and read as it was.
fn check<T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + Debug>(value: &T, stored: &Value) {
    assert_eq!(to_value(value).expect("it is written"), *stored);
    assert_eq!(from_value::<T>(stored.clone()).expect("it is read"), *value);
}

#[test]
fn values_are_their_text() {
    check(&Domain::parse("Mail.example.org").unwrap(), &json!("Mail.example.org"));
    check(&Mailbox::parse("\"a b\"@[192.0.2.1]").unwrap(), &json!("\"a b\"@[192.0.2.1]"));
    check(&ReversePath::Null, &json!(""));
    check(&ReversePath::parse("<ann@example.org>").unwrap(), &json!("ann@example.org"));
    check(&ForwardPath::Postmaster, &json!("Postmaster"));
    check(&Xtext::encode(b"a b"), &json!("a+20b"));
    check(&Orcpt::parse("rfc822;ann+2Bx@example.org").unwrap(), &json!("rfc822;ann+2Bx@example.org"));
    check(&Text::new("any thing").unwrap(), &json!("any thing"));
    check(&Word::new("XVERB").unwrap(), &json!("XVERB"));
    check(&Code::MAILBOX_UNAVAILABLE, &json!(550));
    check(&Enhanced::fixed(5, 1, 1), &json!("5.1.1"));
    check(&Mechanism::ScramSha256Plus, &json!("SCRAM-SHA-256-PLUS"));
}

/// What came over the wire is equal to what is read back, though it is stored in another form.
#[test]
fn replies_have_their_parts() {
    let reply = Reply::parse(b"550-5.1.1 No such user\r\n550 5.1.1 here\r\n").unwrap();
    check(&reply.into_owned(), &json!({"code": 550, "status": "5.1.1", "text": "No such user\nhere"}));
    let bare = Reply::parse(b"250 ok\r\n").unwrap().into_owned();
    check(&bare, &json!({"code": 250, "status": null, "text": "ok"}));
    assert_eq!(from_value::<Reply<'_>>(json!({"code": 250, "text": "ok"})).unwrap(), bare);
    let odd = Reply::parse_lenient(b"250 a\x08\xffb\r\n").unwrap();
    assert_eq!(to_value(odd).unwrap(), json!({"code": 250, "status": null, "text": "a\u{fffd}b"}));
}

#[test]
fn envelopes_are_stored_whole() {
    let mut envelope = Envelope::parse("ann@example.org", ["ben@example.net", "postmaster"]).unwrap();
    check(
        &envelope.clone().into_owned(),
        &json!({"from": "ann@example.org", "to": [{"path": "ben@example.net"}, {"path": "Postmaster"}]}),
    );
    envelope = envelope.with(&Param::Ret(Ret::Hdrs)).unwrap();
    envelope.to[0] = envelope.to[0].clone().with(&Param::Notify(smtp_proto::param::Notify::NEVER)).unwrap();
    check(
        &envelope.into_owned(),
        &json!({"from": "ann@example.org", "params": "RET=HDRS",
            "to": [{"path": "ben@example.net", "params": "NOTIFY=NEVER"}, {"path": "Postmaster"}]}),
    );
}

/// The store is no way around the parsers: nothing with a line end in it, and nothing else that is no such value.
#[test]
fn what_the_parsers_refuse_is_refused() {
    fn refuses<T: serde::de::DeserializeOwned + Debug>(values: &[Value]) {
        for value in values {
            let read = from_value::<T>(value.clone());
            assert!(read.is_err(), "{value}: {read:?}");
        }
    }
    let injected = json!("a@b.example>\r\nRCPT TO:<c@d.example");
    refuses::<Domain<'_>>(&[injected.clone(), json!(""), json!(1), json!("under_score")]);
    refuses::<Mailbox<'_>>(&[injected.clone(), json!("ann"), json!("")]);
    refuses::<ReversePath<'_>>(&[injected.clone(), json!("ann"), json!("<ann@example.org> x")]);
    refuses::<ForwardPath<'_>>(&[injected.clone(), json!(""), json!("<>")]);
    refuses::<Xtext<'_>>(&[injected.clone(), json!("a b"), json!("+2")]);
    refuses::<Orcpt<'_>>(&[injected.clone(), json!("no-type")]);
    refuses::<Text<'_>>(std::slice::from_ref(&injected));
    refuses::<Word<'_>>(&[injected.clone(), json!(""), json!("A B")]);
    refuses::<Params<'_>>(&[injected.clone(), json!("SIZE=x"), json!("NOTIFY=x"), json!("SIZE=1 SIZE=1")]);
    refuses::<Code>(&[json!(199), json!(600), json!(65786), json!("250")]);
    refuses::<Enhanced>(&[json!("3.0.0"), json!("5.1"), json!("5.1.1\r\n")]);
    refuses::<Mechanism>(&[json!("NTLM")]);
    refuses::<Reply<'_>>(&[
        json!({"code": 250, "text": "ok\r\n250 ok"}),
        json!({"code": 250, "status": "5.1.1", "text": "ok"}),
        json!({"code": 99, "text": "ok"}),
    ]);
    refuses::<Envelope<'_>>(&[
        json!({"from": "", "params": "SIZE=1\r\nRSET", "to": []}),
        json!({"from": "", "to": [{"path": injected}]}),
        json!({"to": []}),
    ]);
}
