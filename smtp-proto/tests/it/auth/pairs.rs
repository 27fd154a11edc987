//! The client's exchange against the server's.

use smtp_proto::auth::{Credentials, Error, Mechanism, client};

use super::{End, PASSWORD, TOKEN, USER, credentials, honest, new_client, right, supported};

#[test]
fn every_mechanism_succeeds_with_and_without_an_initial_response() {
    for mechanism in supported() {
        let user = match mechanism {
            Mechanism::External => "of the certificate",
            Mechanism::Anonymous => "anonymous sirhc",
            _ => USER,
        };
        for initial in [true, false] {
            let end = honest(mechanism, &credentials(mechanism, right(mechanism)), initial);
            let expected = End::Accepted { user: user.into(), authzid: None, client: Ok(()) };
            assert_eq!(end, expected, "{mechanism}, initial response: {initial}");
        }
    }
}

#[test]
fn every_mechanism_refuses_a_wrong_proof_and_an_unknown_user() {
    for mechanism in supported().filter(|m| !matches!(m, Mechanism::External | Mechanism::Anonymous)) {
        assert_eq!(
            honest(mechanism, &credentials(mechanism, "wrong"), true),
            End::Refused(Error::Denied),
            "{mechanism}"
        );
        let stranger = match mechanism {
            Mechanism::XOauth2 | Mechanism::OauthBearer => Credentials::token("tom", TOKEN),
            _ => Credentials::password("tom", PASSWORD),
        };
        assert_eq!(honest(mechanism, &stranger, true), End::Refused(Error::Denied), "{mechanism}");
    }
}

#[test]
fn the_authorization_identity_arrives_or_is_refused_beforehand() {
    for mechanism in supported().filter(|m| *m != Mechanism::Anonymous) {
        let credentials = credentials(mechanism, right(mechanism)).acting_for("ann=x,y");
        let made = client::Exchange::new(mechanism, &credentials, super::binding(mechanism), &[1; 18]);
        if !mechanism.carries_authzid() {
            assert_eq!(made.err(), Some(Error::NoAuthzid(mechanism)));
            continue;
        }
        match honest(mechanism, &credentials, true) {
            End::Accepted { authzid, client: Ok(()), .. } => {
                assert_eq!(authzid.as_deref(), Some("ann=x,y"), "{mechanism}")
            }
            // A token is for whom it is for: the test's server knows no ann.
            End::Refused(Error::Denied) => assert_eq!(mechanism, Mechanism::OauthBearer),
            end => panic!("{mechanism}: {end:?}"),
        }
    }
}

#[test]
fn an_initial_response_is_repeated_once_for_an_empty_challenge() {
    for mechanism in supported().filter(|m| m.is_client_first()) {
        let mut client = new_client(mechanism, &credentials(mechanism, right(mechanism)));
        let initial = client.initial().unwrap();
        assert_eq!(client.respond(b"").unwrap(), initial, "{mechanism}");
        assert!(client.respond(b"").is_err(), "{mechanism} would go on for ever");
    }
}

#[test]
fn a_refused_token_costs_one_more_round_trip_and_tells_why() {
    for (mechanism, answer) in [(Mechanism::OauthBearer, &b"\x01"[..]), (Mechanism::XOauth2, b"")] {
        let mut client = new_client(mechanism, &Credentials::token(USER, "stale"));
        assert!(client.initial().is_some());
        assert_eq!(client.respond(br#"{"status":"invalid_token"}"#).unwrap(), answer);
        let why = Error::Token(r#"{"status":"invalid_token"}"#.into());
        assert_eq!(client.refusal(), Some(why.clone()));
        assert_eq!(client.succeeded(), Err(why), "a 235 after that is not to be believed");
        assert_eq!(client.respond(b"{}"), Err(Error::OutOfStep));
    }
}

#[test]
fn credentials_go_with_their_own_mechanisms_only() {
    let mechanisms = || supported().filter(|m| *m != Mechanism::External);
    for mechanism in mechanisms() {
        let wrong =
            client::Exchange::new(mechanism, &Credentials::external(""), super::binding(mechanism), &[1; 18]);
        assert_eq!(wrong.err(), Some(Error::WrongCredentials(mechanism)));
    }
    // What would move the borders between the parts of a message never gets into one.
    for (user, password) in [("", "p"), ("u", ""), ("u\0v", "p"), ("u", "p\0q")] {
        for mechanism in [Mechanism::Plain, Mechanism::Login] {
            let made = client::Exchange::new(
                mechanism,
                &Credentials::password(user, password),
                Default::default(),
                &[],
            );
            assert!(matches!(made, Err(Error::Unsendable(_))), "{mechanism} {user:?} {password:?}");
        }
    }
    for (user, token) in [("u\x01v", "t"), ("u", ""), ("u", "t\x01auth=Bearer x"), ("u", "t t"), ("u", "t\n")]
    {
        for mechanism in [Mechanism::XOauth2, Mechanism::OauthBearer] {
            let made =
                client::Exchange::new(mechanism, &Credentials::token(user, token), Default::default(), &[]);
            assert!(matches!(made, Err(Error::Unsendable(_))), "{mechanism} {user:?} {token:?}");
        }
    }
}

#[test]
fn nothing_prints_a_secret() {
    for mechanism in supported() {
        let credentials = credentials(mechanism, right(mechanism));
        let mut printed = format!("{credentials:?} {:?}", new_client(mechanism, &credentials));
        let mut server = super::new_server(mechanism);
        if mechanism.is_client_first() {
            let next = server.start(new_client(mechanism, &credentials).initial().as_deref());
            printed += &format!("{next:?} {server:?}");
        }
        assert!(!printed.contains(right(mechanism)), "{mechanism}: {printed}");
    }
    let secret = super::Secret::Password(PASSWORD.into());
    assert!(!format!("{secret:?}").contains(PASSWORD));
}
