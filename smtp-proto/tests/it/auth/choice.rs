//! Which mechanism a client picks.

use smtp_proto::auth::Channel::{self, Clear, Secure};
use smtp_proto::auth::{Credentials, Mechanism, Mechanisms};

use super::supported;

#[track_caller]
fn check(offered: &str, credentials: &Credentials, channel: Channel, expected: &str) {
    let offered: Mechanisms = offered.split(' ').filter_map(Mechanism::from_name).collect();
    assert_eq!(offered.strongest(credentials, channel).map_or("none", Mechanism::name), expected);
}

#[test]
fn without_the_hashes() {
    let password = Credentials::password("tim", "tanstaaftanstaaf");
    check("LOGIN PLAIN", &password, Secure, "PLAIN");
    check("LOGIN", &password, Secure, "LOGIN");
    check("LOGIN PLAIN", &password, Clear, "none");
    check("XOAUTH2 OAUTHBEARER EXTERNAL ANONYMOUS", &password, Secure, "none");
    check("LOGIN", &password.acting_for("ann"), Secure, "none");

    let token = Credentials::token("tim", "t");
    check("PLAIN XOAUTH2 OAUTHBEARER", &token, Secure, "OAUTHBEARER");
    check("PLAIN XOAUTH2", &token, Secure, "XOAUTH2");
    check("PLAIN XOAUTH2 OAUTHBEARER", &token, Clear, "none");

    check("PLAIN EXTERNAL ANONYMOUS", &Credentials::external(""), Secure, "EXTERNAL");
    check("PLAIN EXTERNAL ANONYMOUS", &Credentials::anonymous(""), Clear, "ANONYMOUS");
    check("", &Credentials::anonymous(""), Secure, "none");
}

#[cfg(feature = "scram")]
#[test]
fn with_the_hashes() {
    let all = "LOGIN PLAIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-1-PLUS SCRAM-SHA-256 SCRAM-SHA-256-PLUS";
    let password = Credentials::password("tim", "tanstaaftanstaaf");
    check(all, &password, Channel::Bound, "SCRAM-SHA-256-PLUS");
    check(all, &password, Secure, "SCRAM-SHA-256");
    check(all, &password, Clear, "SCRAM-SHA-256");
    check("PLAIN CRAM-MD5", &password, Clear, "CRAM-MD5");
    check("PLAIN CRAM-MD5", &password.clone().acting_for("ann"), Secure, "PLAIN");
    // Else the client would have to say that it saw no -PLUS, and it did.
    check("SCRAM-SHA-1-PLUS SCRAM-SHA-256", &password, Channel::Bound, "SCRAM-SHA-1-PLUS");
    check("SCRAM-SHA-1-PLUS SCRAM-SHA-256-PLUS", &password, Secure, "none");
}

#[test]
fn only_what_can_be_run_is_chosen() {
    for mechanism in Mechanism::ALL.iter().copied() {
        let credentials = super::credentials(mechanism, super::right(mechanism));
        let chosen = Mechanisms::NONE.with(mechanism).strongest(&credentials, Channel::Bound);
        assert_eq!(chosen, supported().find(|m| *m == mechanism));
    }
}
