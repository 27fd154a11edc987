//! The examples of RFC 2195, 4616, 4954, 5802, 7628 and 7677.

use smtp_proto::auth::server::{Claim, Exchange, Next, Offer};
use smtp_proto::auth::{Base64, ChannelBinding, Credentials, Error, Mechanism, client};

fn from_base64(text: &str) -> Vec<u8> {
    Base64::parse(text.as_bytes()).expect("base64").decode()
}

fn start(mechanism: Mechanism, initial: &[u8]) -> Next {
    Exchange::new(mechanism, &Offer::default()).expect("no hashes").start(Some(initial))
}

fn initial(mechanism: Mechanism, credentials: &Credentials) -> Vec<u8> {
    client::Exchange::new(mechanism, credentials, ChannelBinding::None, &[])
        .expect("credentials fit")
        .initial()
        .expect("client first")
}

#[test]
fn plain_of_rfc_4616_and_rfc_4954() {
    let examples = [
        ("", "tim", "tanstaaftanstaaf", &b"\0tim\0tanstaaftanstaaf"[..]),
        ("Ursel", "Kurt", "xipj3plmq", b"Ursel\0Kurt\0xipj3plmq"),
        ("test", "test", "1234", &from_base64("dGVzdAB0ZXN0ADEyMzQ=")),
    ];
    for (authzid, user, password, message) in examples {
        assert_eq!(
            initial(Mechanism::Plain, &Credentials::password(user, password).acting_for(authzid)),
            message
        );
        let Next::Verify(claim) = start(Mechanism::Plain, message) else { panic!("{user}") };
        let authzid = (!authzid.is_empty()).then(|| authzid.to_string());
        assert_eq!(claim, Claim::Password { authzid, user: user.into(), password: password.into() });
    }
}

#[test]
fn external_of_rfc_4954() {
    let message = initial(Mechanism::External, &Credentials::external(""));
    assert_eq!(Base64::encode(&message).as_initial(), "=");
    let Next::Verify(claim) = start(Mechanism::External, &Base64::parse_initial(b"=").unwrap().decode())
    else {
        panic!("not a claim")
    };
    assert_eq!(claim, Claim::External { authzid: None });
}

const TOKEN: &str = "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==";

#[test]
fn oauthbearer_of_rfc_7628() {
    let message = from_base64(concat!(
        "bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9NTg3AWF1dGg9QmVhcmVyIHZGOWRmd",
        "DRxbVRjMk52YjNSbGNrQmhiSFJoZG1semRHRXVZMjl0Q2c9PQEB"
    ));
    let credentials = Credentials::token("user@example.com", TOKEN).at_host("server.example.com", 587);
    assert_eq!(initial(Mechanism::OauthBearer, &credentials), message);
    let Next::Verify(claim) = start(Mechanism::OauthBearer, &message) else { panic!("not a claim") };
    let expected = Claim::Token {
        user: Some("user@example.com".into()),
        token: TOKEN.into(),
        host: Some("server.example.com".into()),
        port: Some(587),
    };
    assert_eq!(claim, expected);
}

#[test]
fn failing_oauthbearer_of_rfc_7628() {
    // 4.3: no token, to ask for the scope. The server's error is a challenge; `AQ==` ends the exchange.
    let asks =
        from_base64("bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9MTQzAWF1dGg9AQE=");
    let mut server = Exchange::new(Mechanism::OauthBearer, &Offer::default()).unwrap();
    let Next::Challenge(json) = server.start(Some(&asks)) else { panic!("no error told") };
    assert_eq!(json, br#"{"status":"invalid_token"}"#);
    assert!(matches!(server.respond(&from_base64("AQ==")), Next::Refuse(Error::Denied)));

    // 4.4, which writes `user=` where its own grammar has `a=`.
    let message = from_base64(concat!(
        "bix1c2VyPXNvbWV1c2VyQGV4YW1wbGUuY29tLAFhdXRoPUJlYXJl",
        "ciB2RjlkZnQ0cW1UYzJOdmIzUmxja0JoZEhSaGRtbHpkR0V1WTI5dENnPT0BAQ=="
    ));
    let mut server = Exchange::new(Mechanism::OauthBearer, &Offer::default()).unwrap();
    let Next::Verify(Claim::Token { user, .. }) = server.start(Some(&message)) else { panic!("not a claim") };
    assert_eq!(user.as_deref(), Some("someuser@example.com"));
    let json = from_base64(concat!(
        "eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIiwic2NoZW1lcyI6ImJlYXJlciBtYWMiL",
        "CJzY29wZSI6Imh0dHBzOi8vbWFpbC5leGFtcGxlLmNvbS8ifQ=="
    ));
    let told = server.deny_token(core::str::from_utf8(&json).unwrap());
    assert!(matches!(told, Next::Challenge(challenge) if challenge == json));
    let Next::Refuse(error) = server.respond(b"\x01") else { panic!("not refused") };
    assert_eq!(error.reply().code().as_u16(), 535);
}

#[test]
fn xoauth2_as_google_documents_it() {
    let message = from_base64(concat!(
        "dXNlcj1zb21ldXNlckBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB5YTI5LnZGOWRm",
        "dDRxbVRjMk52YjNSbGNrQmhkSFJoZG1semRHRXVZMjl0Q2cBAQ=="
    ));
    let token = "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg";
    assert_eq!(initial(Mechanism::XOauth2, &Credentials::token("someuser@example.com", token)), message);
    let Next::Verify(Claim::Token { user, token: read, .. }) = start(Mechanism::XOauth2, &message) else {
        panic!("not a claim")
    };
    assert_eq!((user.as_deref(), read.as_str()), (Some("someuser@example.com"), token));
}

#[cfg(feature = "scram")]
#[test]
fn cram_md5_of_rfc_2195() {
    let challenge = from_base64("PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+");
    let credentials = Credentials::password("tim", "tanstaaftanstaaf");
    let mut client =
        client::Exchange::new(Mechanism::CramMd5, &credentials, ChannelBinding::None, &[]).unwrap();
    assert_eq!(client.initial(), None);
    let response = client.respond(&challenge).unwrap();
    assert_eq!(response, b"tim b913a602c7eda7a495b4e6e7334d3890");
    assert_eq!(Base64::encode(&response).as_str(), "dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw");
}

/// The client's half; the server's stands with its nonce, which isn't base64, in the crate itself.
#[cfg(feature = "scram")]
#[test]
fn scram_of_rfc_5802_and_rfc_7677() {
    let examples = [
        (
            Mechanism::ScramSha1,
            "fyko+d2lbbFgONRv9qkxdawL",
            "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
            "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
            "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
            "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
        ),
        (
            Mechanism::ScramSha256,
            "rOprNGfwEbeRWgbNEkqO",
            "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            concat!(
                "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,",
                "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
            ),
            "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
        ),
    ];
    for (mechanism, nonce, client_first, server_first, client_final, server_final) in examples {
        let credentials = Credentials::password("user", "pencil");
        let nonce = from_base64(nonce);
        let mut client =
            client::Exchange::new(mechanism, &credentials, ChannelBinding::None, &nonce).unwrap();
        assert_eq!(client.initial().unwrap(), client_first.as_bytes());
        assert_eq!(client.respond(server_first.as_bytes()).unwrap(), client_final.as_bytes());
        assert_eq!(
            client.succeeded(),
            Err(Error::ServerNotVerified),
            "a 235 ahead of the server's own proof"
        );
        assert_eq!(client.respond(server_final.as_bytes()).unwrap(), b"");
        assert_eq!(client.succeeded(), Ok(()));
    }
}
