//! Which mechanism a client picks.

use smtp_proto::auth::{Credentials, Mechanism, Mechanisms, strongest};

use super::supported;

#[derive(Clone, Copy)]
struct On {
    tls: bool,
    cleartext: bool,
    binding: bool,
}

const TLS: On = On { tls: true, cleartext: false, binding: false };
#[cfg(feature = "scram")]
const BOUND: On = On { binding: true, ..TLS };
const CLEAR: On = On { tls: false, ..TLS };
const TOLD: On = On { cleartext: true, ..CLEAR };

#[track_caller]
fn check(offered: &str, credentials: &Credentials, on: On, expected: &str) {
    let offered: Mechanisms =
        offered.split(' ').filter_map(|name| Mechanism::from_name(name.as_bytes())).collect();
    let chosen = strongest(offered, credentials, on.tls, on.cleartext, on.binding);
    assert_eq!(chosen.map_or("none", Mechanism::name), expected);
}

#[test]
fn without_the_hashes() {
    let password = Credentials::password("tim", "tanstaaftanstaaf");
    check("LOGIN PLAIN", &password, TLS, "PLAIN");
    check("LOGIN", &password, TLS, "LOGIN");
    check("LOGIN PLAIN", &password, CLEAR, "none");
    check("LOGIN PLAIN", &password, TOLD, "PLAIN");
    check("XOAUTH2 OAUTHBEARER EXTERNAL ANONYMOUS", &password, TLS, "none");
    check("LOGIN", &password.acting_for("ann"), TLS, "none");

    let token = Credentials::token("tim", "t");
    check("PLAIN XOAUTH2 OAUTHBEARER", &token, TLS, "OAUTHBEARER");
    check("PLAIN XOAUTH2", &token, TLS, "XOAUTH2");
    check("PLAIN XOAUTH2 OAUTHBEARER", &token, CLEAR, "none");

    check("PLAIN EXTERNAL ANONYMOUS", &Credentials::external(""), TLS, "EXTERNAL");
    check("PLAIN EXTERNAL ANONYMOUS", &Credentials::anonymous(""), CLEAR, "ANONYMOUS");
    check("", &Credentials::anonymous(""), TLS, "none");
}

#[cfg(feature = "scram")]
#[test]
fn with_the_hashes() {
    let all = "LOGIN PLAIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-1-PLUS SCRAM-SHA-256 SCRAM-SHA-256-PLUS";
    let password = Credentials::password("tim", "tanstaaftanstaaf");
    check(all, &password, BOUND, "SCRAM-SHA-256-PLUS");
    check(all, &password, TLS, "SCRAM-SHA-256");
    check(all, &password, CLEAR, "SCRAM-SHA-256");
    check("PLAIN CRAM-MD5", &password, CLEAR, "CRAM-MD5");
    check("PLAIN CRAM-MD5", &password.clone().acting_for("ann"), TLS, "PLAIN");
    // Else the client would have to say that it saw no -PLUS, and it did.
    check("SCRAM-SHA-1-PLUS SCRAM-SHA-256", &password, BOUND, "SCRAM-SHA-1-PLUS");
    check("SCRAM-SHA-1-PLUS SCRAM-SHA-256-PLUS", &password, TLS, "none");
}

#[test]
fn only_what_can_be_run_is_chosen() {
    for mechanism in Mechanism::ALL.iter().copied() {
        let credentials = super::credentials(mechanism, super::right(mechanism));
        let chosen = strongest(Mechanisms::NONE.with(mechanism), &credentials, true, false, true);
        assert_eq!(chosen, supported().find(|m| *m == mechanism));
    }
}
