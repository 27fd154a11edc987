//! Whatever octets come, an exchange answers with a message or a typed error.

use proptest::collection::vec;
use proptest::prelude::*;
use smtp_proto::auth::server::{Next, Secret};
use smtp_proto::auth::{Base64, Error, MESSAGE_LIMIT, Mechanism, MechanismName};

use super::{credentials, new_client, new_server, right, supported};
use crate::fuzz::sasl::{Call, check_client, check_server};

fn mechanism() -> impl Strategy<Value = Mechanism> {
    proptest::sample::select(supported().collect::<Vec<_>>())
}

/// Octets, and pieces of real messages in any order.
fn message() -> impl Strategy<Value = Vec<u8>> {
    const PIECES: &[&str] = &[
        "n,",
        "y,",
        "p=tls-exporter,",
        "a=x,",
        ",",
        "n=tim",
        "r=",
        "AQEBAQEBAQEBAQEBAQEBAQEB",
        "AgIC",
        "s=QSXC",
        "i=4096",
        "c=biws",
        "p=AAAA",
        "v=AAAA",
        "e=x",
        "m=x",
        "=2C",
        "=",
        "\0",
        "\x01",
        "auth=Bearer ",
        "host=h",
        "port=99999",
        "user=",
        "tim",
        " ",
        "b913a602c7eda7a495b4e6e7334d3890",
        "\u{e9}",
        "\u{AD}",
    ];
    let piece = proptest::sample::select(PIECES).prop_map(|piece: &str| piece.as_bytes().to_vec());
    prop_oneof![vec(any::<u8>(), 0..64), vec(piece, 0..12).prop_map(|pieces| pieces.concat())]
}

fn call() -> impl Strategy<Value = Call<Vec<u8>>> {
    prop_oneof![
        1 => proptest::option::of(message()).prop_map(Call::Start),
        4 => message().prop_map(Call::Respond),
        1 => Just(Call::Accept),
        1 => Just(Call::Deny),
        1 => Just(Call::DenyToken),
        1 => any::<bool>().prop_map(Call::WithSecret),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn a_server_survives_anything(mechanism in mechanism(), calls in vec(call(), 1..6)) {
        check_server(mechanism, calls);
    }

    #[test]
    fn a_client_survives_anything(mechanism in mechanism(), challenges in vec(message(), 1..6)) {
        check_client(mechanism, challenges);
    }

    /// What is taken is what would be written: one text for each message.
    #[test]
    fn base64_is_one_to_one(octets in vec(any::<u8>(), 0..64), text in "[A-Za-z0-9+/=]{0,12}") {
        prop_assert_eq!(Base64::parse(Base64::encode(&octets).as_str().as_bytes()).unwrap().decode(), octets);
        if let Ok(parsed) = Base64::parse(text.as_bytes()) {
            let again = Base64::encode(&parsed.decode());
            prop_assert_eq!(again.as_str(), text);
        }
    }

    #[test]
    fn names_survive_anything(octets in vec(any::<u8>(), 0..32)) {
        if let Ok(name) = MechanismName::parse(&octets) {
            prop_assert_eq!(name.as_str().as_bytes(), &octets[..]);
        }
    }
}

#[test]
fn what_is_too_long_is_refused_as_that() {
    let long = vec![b'A'; MESSAGE_LIMIT + 1];
    for mechanism in supported() {
        let mut server = new_server(mechanism);
        if mechanism.is_client_first() {
            let Next::Refuse(error) = server.start(Some(&long)) else { panic!("{mechanism}") };
            assert_eq!((&error, error.reply().code().as_u16()), (&Error::TooLong, 500));
        }
        let mut client = new_client(mechanism, &credentials(mechanism, right(mechanism)));
        assert_eq!(client.respond(&long), Err(Error::TooLong));
    }
}

#[test]
fn what_is_malformed_is_501() {
    let cases = [
        (Mechanism::Plain, &b""[..]),
        (Mechanism::Plain, b"tim\0tanstaaftanstaaf"),
        (Mechanism::Plain, b"\0tim\0"),
        (Mechanism::Plain, b"\0\0tanstaaftanstaaf"),
        (Mechanism::Plain, b"\0tim\0tanstaaf\0"),
        (Mechanism::Plain, b"\0tim\0\xff"),
        (Mechanism::Login, b""),
        (Mechanism::Login, b"\0"),
        (Mechanism::External, b"\xff"),
        (Mechanism::Anonymous, &[b'x'; 256]),
        (Mechanism::XOauth2, b"user=tim\x01auth=Basic x\x01\x01"),
        (Mechanism::XOauth2, b"user=\x01auth=Bearer x\x01\x01"),
        (Mechanism::XOauth2, b"user=tim\x01auth=Bearer x\x01"),
        (Mechanism::OauthBearer, b"\x01"),
        (Mechanism::OauthBearer, b"n,,\x01\x01"),
        (Mechanism::OauthBearer, b"p=x,,\x01auth=Bearer x\x01\x01"),
        (Mechanism::OauthBearer, b"n,,\x01port=65536\x01auth=Bearer x\x01\x01"),
        (Mechanism::OauthBearer, b"n,,\x01auth=Bearer x\x01auth=Bearer y\x01\x01"),
        (Mechanism::OauthBearer, b"n,,\x01auth=Bearer x\x01\x01x"),
        (Mechanism::ScramSha256, b"n,,n=tim"),
        (Mechanism::ScramSha256, b"n,,n=,r=x"),
        (Mechanism::ScramSha256, b"n,,n=t=2c,r=x"),
        (Mechanism::ScramSha256, b"n,,m=x,n=tim,r=x"),
        (Mechanism::ScramSha256, b"n,,n=tim,r=x,m=x"),
        (Mechanism::ScramSha256, b"x,,n=tim,r=x"),
        (Mechanism::ScramSha256, b"n,user=root,n=tim,r=x"),
        (Mechanism::ScramSha256, b"n,,n=tim,r=\xc3\xa9"),
    ];
    for (mechanism, message) in cases.into_iter().filter(|(mechanism, _)| mechanism.is_supported()) {
        let Next::Refuse(error) = new_server(mechanism).start(Some(message)) else {
            panic!("{mechanism} took {message:?}")
        };
        assert_eq!(error.reply().code().as_u16(), 501, "{mechanism} {message:?}");
    }
}

#[test]
fn no_password_is_not_a_password() {
    let mut server = new_server(Mechanism::Login);
    assert!(matches!(server.start(Some(b"tim")), Next::Challenge(_)));
    assert!(matches!(server.respond(b""), Next::Refuse(Error::Malformed(_))));
}

#[cfg(feature = "scram")]
#[test]
fn no_stored_password_is_not_a_password_either() {
    let empty = Secret::Password(String::new());
    let mut server = new_server(Mechanism::CramMd5);
    assert!(
        matches!(server.respond(b"tim b913a602c7eda7a495b4e6e7334d3890"), Next::Lookup { user } if user == "tim")
    );
    assert!(matches!(server.with_secret(&empty), Next::Refuse(Error::WrongSecret)));
    let mut server = new_server(Mechanism::ScramSha256);
    assert!(matches!(server.start(Some(b"n,,n=tim,r=x")), Next::Lookup { user } if user == "tim"));
    assert!(matches!(server.with_secret(&empty), Next::Refuse(Error::WrongSecret)));
}

#[cfg(feature = "scram")]
#[test]
fn an_initial_response_where_the_server_speaks_first() {
    let Next::Refuse(error) = new_server(Mechanism::CramMd5).start(Some(b"tim")) else { panic!("taken") };
    assert_eq!(error.reply().code().as_u16(), 501);
    let Next::Challenge(prompt) = new_server(Mechanism::Login).start(Some(b"tim")) else {
        panic!("not taken")
    };
    assert_eq!(prompt, b"Password:");
}
