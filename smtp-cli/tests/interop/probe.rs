//! `smtp probe` looks at each of their servers, and finds what they are known to offer.

use libtest_mimic::{Failed, Trial};
use serde_json::Value;

use crate::peer::ours;
use crate::peers::{self, Peer};
use crate::process::run;
use crate::room::room;

pub(crate) fn trials(trials: &mut Vec<Trial>) {
    for (name, rows, peer) in peers::ALL {
        let test = move || {
            look(peer(), peers::has(rows, "STARTTLS"));
            Ok::<(), Failed>(())
        };
        trials.push(Trial::test(format!("probe {name}"), test).with_ignored_flag(true));
    }
}

fn look(peer: &Peer, starttls: bool) {
    if peer.without_tls() {
        let (found, code) = report(peer.plain);
        return assert_eq!(
            (&found["warnings"][0]["kind"], code),
            (&"starttls-broken".into(), Some(76)),
            "{found}"
        );
    }
    let clear = probe(peer, peer.plain);
    assert_eq!(clear["tls_mode"], if starttls { "starttls" } else { "none" }, "{clear}");
    if starttls {
        secured(&clear);
        assert_eq!(clear["injection_behind_starttls"], false, "{clear}");
    }
    if let Some(port) = peer.tls {
        let implicit = probe(peer, port);
        assert_eq!(implicit["tls_mode"], "implicit", "{implicit}");
        secured(&implicit);
    }
}

/// What was found at a port, and how the tool ended.
fn report(port: u16) -> (Value, Option<i32>) {
    let mut command = ours();
    command.args(["probe", "--json", "--ca"]).arg(&room().ca).arg(format!("localhost:{port}"));
    let ended = run(&mut command);
    let found = serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:?}"));
    (found, ended.status.code())
}

/// What was found at a port, and what holds for each of them.
fn probe(peer: &Peer, port: u16) -> Value {
    let (found, code) = report(port);
    assert_eq!(found["speaks"], if peer.lmtp { "LMTP" } else { "SMTP" }, "{found}");
    assert_eq!(found["error"], Value::Null, "{found}");
    // Whoever offers PIPELINING answers three commands in one write.
    let pipelining = &found["pipelining"];
    assert!(pipelining.is_null() || pipelining["replies_to_3"] == 3, "{found}");
    // What they do not offer in our configuration is theirs to be warned of, and nothing else is.
    let kinds: Vec<_> =
        found["warnings"].as_array().unwrap().iter().map(|warning| &warning["kind"]).collect();
    let known = ["no-tls", "auth-in-clear", "offer-alone", "starttls-twice"];
    assert!(kinds.iter().all(|kind| known.contains(&kind.as_str().unwrap())), "{found}");
    assert_eq!(code, Some(if kinds.is_empty() { 0 } else { 76 }), "{found}");
    found
}

fn secured(found: &Value) {
    let tls = &found["tls"];
    assert!(tls["version"].as_str().is_some_and(|version| version.starts_with("TLSv1.")), "{found}");
    assert_eq!(tls["trusted"], true, "{found}");
    assert!(
        tls["chain"][0]["names"].as_array().is_some_and(|names| names.contains(&"localhost".into())),
        "{found}"
    );
    assert!(tls["chain"][0]["days_left"].as_i64() > Some(0), "{found}");
    assert!(found["offers_under_tls"].is_object(), "{found}");
}
