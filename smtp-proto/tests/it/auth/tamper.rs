//! Somebody sits in between, or the other side isn't who it says.

use smtp_proto::auth::server::{Exchange, Offer, Secret};
use smtp_proto::auth::{
    Base64, ChannelBinding, Credentials, Error, ITERATIONS_MAX, Mechanism, Mechanisms, client,
};

use super::{CHANNEL, End, PASSWORD, Side, USER, credentials, new_client, new_server, run};

const SHA256: Mechanism = Mechanism::ScramSha256;
const PLUS: Mechanism = Mechanism::ScramSha256Plus;

/// Replaces `old` by `new` in the messages of one side.
fn replaced(mechanism: Mechanism, from: Side, old: &str, new: &str) -> End {
    let mut client = new_client(mechanism, &credentials(mechanism, PASSWORD));
    let mut hit = false;
    let secret = Secret::Password(PASSWORD.into());
    let end = run(&mut client, &mut new_server(mechanism), &secret, true, |side, message| {
        let text = String::from_utf8(message).expect("SCRAM is text");
        if side != from || !text.contains(old) {
            return text.into_bytes();
        }
        hit = true;
        text.replace(old, new).into_bytes()
    });
    assert!(hit, "there was no {old} to replace");
    if !matches!(end, End::Accepted { .. }) {
        assert_ne!(client.succeeded(), Ok(()), "a 235 must not be believed after {end:?}");
    }
    end
}

#[test]
fn a_nonce_that_is_not_this_exchanges() {
    let ours = Base64::encode(&[1; 18]);
    let theirs = Base64::encode(&[2; 18]);
    let (ours, theirs) = (ours.as_str(), theirs.as_str());
    assert_eq!(replaced(SHA256, Side::Server, theirs, ""), End::Cancelled(Error::Nonce), "not extended");
    assert_eq!(replaced(SHA256, Side::Server, ours, "x"), End::Cancelled(Error::Nonce), "not ours");
    assert_eq!(replaced(SHA256, Side::Client, theirs, "x"), End::Refused(Error::Nonce), "not the server's");
    // The server takes the first of two, so that its answer carries on one that the client never sent.
    assert_eq!(replaced(SHA256, Side::Client, "n=tim,", "n=tim,r=x,"), End::Cancelled(Error::Nonce));
}

#[test]
fn iteration_counts_have_a_floor_and_a_cap() {
    let cases = [
        ("i=4095", Error::TooFewIterations(4095)),
        ("i=1", Error::TooFewIterations(1)),
        ("i=1000001", Error::TooManyIterations(u64::from(ITERATIONS_MAX) + 1)),
        ("i=99999999999999999999999999", Error::TooManyIterations(u64::MAX)),
        ("i=0", Error::Malformed("SCRAM: the server's first message")),
        ("i=04096", Error::Malformed("SCRAM: the server's first message")),
        ("i=-1", Error::Malformed("SCRAM: the server's first message")),
        ("i=4096,m=ext", Error::Malformed("SCRAM: the server's first message")),
    ];
    for (count, error) in cases {
        assert_eq!(replaced(SHA256, Side::Server, "i=4096", count), End::Cancelled(error), "{count}");
    }
    // Another count than the server's own leads to another key.
    assert_eq!(replaced(SHA256, Side::Server, "i=4096", "i=4097"), End::Refused(Error::Denied));
    assert_eq!(Secret::scram(SHA256, "pencil", b"salt", 4095), Err(Error::TooFewIterations(4095)));
}

#[test]
fn whatever_is_signed_cannot_be_changed() {
    let malformed = Error::Malformed("SCRAM: the client's first message");
    assert_eq!(replaced(SHA256, Side::Client, "n=tim", "m=x,n=tim"), End::Refused(malformed));
    assert_eq!(replaced(SHA256, Side::Server, "s=", "s=AAAA"), End::Refused(Error::Denied));
    assert_eq!(replaced(SHA256, Side::Server, "i=4096", "i=4096,x=y"), End::Refused(Error::Denied));
    assert_eq!(replaced(SHA256, Side::Client, "n,,", "n,a=root,"), End::Refused(Error::BindingMismatch));
}

#[test]
fn a_server_that_does_not_know_the_password() {
    let mut client = new_client(SHA256, &credentials(SHA256, PASSWORD));
    client.initial().unwrap();
    assert_eq!(client.succeeded(), Err(Error::ServerNotVerified));
    let ours = Base64::encode(&[1; 18]);
    client.respond(format!("r={}x,s=QSXCR+Q6sek8bf92,i=4096", ours.as_str()).as_bytes()).unwrap();
    assert_eq!(client.succeeded(), Err(Error::ServerNotVerified), "235 without v=");
    assert_eq!(
        client.respond(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="),
        Err(Error::ServerNotVerified),
        "a wrong v="
    );
    assert_eq!(client.succeeded(), Err(Error::ServerNotVerified));
    assert_eq!(client.respond(b"v="), Err(Error::OutOfStep), "there is one try");

    assert_eq!(replaced(SHA256, Side::Server, "v=", "v=AAAA"), End::Cancelled(Error::ServerNotVerified));
    assert_eq!(
        replaced(SHA256, Side::Server, "v=", "e=other-error,v="),
        End::Cancelled(Error::Server("other-error".into()))
    );
}

/// One AUTH between sides that see different things.
fn bound(
    mechanism: Mechanism,
    client: ChannelBinding<'_>,
    server: ChannelBinding<'_>,
    offered: Mechanisms,
) -> End {
    let credentials = Credentials::password(USER, PASSWORD);
    let mut client =
        client::Exchange::new(mechanism, &credentials, client, &[1; 18]).expect("credentials fit");
    let offer = Offer::new(offered, &[2; 18]).with_binding(server);
    let mut server = Exchange::new(mechanism, &offer).expect("an offer fits");
    run(&mut client, &mut server, &Secret::Password(PASSWORD.into()), true, |_, message| message)
}

#[test]
fn the_channel_is_bound() {
    let accepted = End::Accepted { user: USER.into(), authzid: None, client: Ok(()) };
    let both = Mechanisms::NONE.with(SHA256).with(PLUS);
    let plain = Mechanisms::NONE.with(SHA256);
    let exporter = ChannelBinding::Exporter(&CHANNEL);
    let end_point = ChannelBinding::ServerEndPoint(&CHANNEL);

    assert_eq!(bound(PLUS, exporter, exporter, both), accepted);
    assert_eq!(bound(PLUS, end_point, end_point, both), accepted);
    assert_eq!(bound(PLUS, end_point, exporter, both), End::Refused(Error::BindingMismatch), "another type");
    let relayed = ChannelBinding::Exporter(&[8; 32]);
    assert_eq!(bound(PLUS, relayed, exporter, both), End::Refused(Error::BindingMismatch), "another channel");

    // `y` where a -PLUS was offered means that it was taken off the list on the way.
    assert_eq!(bound(SHA256, exporter, exporter, both), End::Refused(Error::Downgrade));
    assert_eq!(bound(SHA256, exporter, ChannelBinding::None, plain), accepted, "`y`, and rightly");
    assert_eq!(
        bound(SHA256, ChannelBinding::None, exporter, both),
        accepted,
        "`n`: a client that cannot bind"
    );

    // The flag is signed: changing it on the way back to what the server wants to hear doesn't help.
    assert_eq!(replaced(PLUS, Side::Client, "p=tls-exporter,,", "n,,"), End::Refused(Error::BindingMismatch));
    assert_eq!(replaced(SHA256, Side::Client, "n,,", "y,,"), End::Refused(Error::BindingMismatch));
    assert_eq!(
        replaced(SHA256, Side::Client, "n,,", "p=tls-exporter,,"),
        End::Refused(Error::BindingMismatch)
    );

    let credentials = Credentials::password(USER, PASSWORD);
    let unbound = client::Exchange::new(PLUS, &credentials, ChannelBinding::None, &[1; 18]);
    assert_eq!(unbound.err(), Some(Error::NoBinding));
    assert_eq!(Exchange::new(PLUS, &Offer::new(Mechanisms::NONE, &[2; 18])).err(), Some(Error::NoBinding));
}

#[test]
fn stored_secrets() {
    let with = |mechanism, secret: &Secret| {
        let mut client = new_client(mechanism, &credentials(mechanism, PASSWORD));
        run(&mut client, &mut new_server(mechanism), secret, true, |_, message| message)
    };
    let accepted = End::Accepted { user: USER.into(), authzid: None, client: Ok(()) };
    let stored = Secret::scram(SHA256, PASSWORD, b"sixteen octets..", 5000).unwrap();
    assert_eq!(with(SHA256, &stored), accepted);
    assert_eq!(with(PLUS, &stored), accepted, "with or without -PLUS is one secret");
    assert_eq!(with(Mechanism::ScramSha1, &stored), End::Refused(Error::WrongSecret));
    assert_eq!(with(Mechanism::CramMd5, &stored), End::Refused(Error::WrongSecret));

    let decoy = Secret::decoy(SHA256, b"of the server", USER, 5000).unwrap();
    assert_eq!(with(SHA256, &decoy), End::Refused(Error::Denied));
    assert_eq!(Secret::decoy(SHA256, b"of the server", USER, 5000), Ok(decoy), "the same salt each time");
    assert_eq!(
        Secret::scram(Mechanism::Plain, PASSWORD, b"salt", 5000),
        Err(Error::Unsupported(Mechanism::Plain))
    );
}

#[test]
fn a_stored_secret_that_no_client_would_take() {
    let stored = |salt: &[u8], iterations, size| Secret::Scram {
        salt: salt.to_vec(),
        iterations,
        stored_key: vec![0; size],
        server_key: vec![0; size],
    };
    for secret in [
        stored(b"salt", 4095, 32),
        stored(b"", 4096, 32),
        stored(b"salt", 4096, 20),
        stored(b"salt", 4096, 0),
    ] {
        let mut client = new_client(SHA256, &credentials(SHA256, PASSWORD));
        let end = run(&mut client, &mut new_server(SHA256), &secret, true, |_, message| message);
        assert_eq!(end, End::Refused(Error::WrongSecret), "{secret:?}");
    }
    assert_eq!(Error::WrongSecret.reply().code().as_u16(), 454, "the server's own fault is temporary");
}

#[test]
fn the_last_line_of_an_exchange_is_empty() {
    let mut client = new_client(SHA256, &credentials(SHA256, PASSWORD));
    let secret = Secret::Password(PASSWORD.into());
    let end =
        run(&mut client, &mut new_server(SHA256), &secret, true, |side, message| match message.is_empty() {
            true if side == Side::Client => b"x".to_vec(),
            _ => message,
        });
    assert_eq!(end, End::Refused(Error::Malformed("SCRAM: an empty line was due")));
}

#[test]
fn too_little_randomness_is_refused() {
    for mechanism in [SHA256, Mechanism::CramMd5] {
        let offer = Offer::new(Mechanisms::NONE, &[2; 14]);
        assert_eq!(Exchange::new(mechanism, &offer).err(), Some(Error::NonceTooShort));
    }
    let made =
        client::Exchange::new(SHA256, &Credentials::password(USER, PASSWORD), ChannelBinding::None, &[1; 14]);
    assert_eq!(made.err(), Some(Error::NonceTooShort));
}

#[cfg(feature = "saslprep")]
#[test]
fn what_looks_the_same_is_the_same() {
    // A ligature and a soft hyphen on one side, plain letters on the other.
    let credentials = Credentials::password("t\u{AD}im", "\u{FB01}ne");
    let mut client = client::Exchange::new(SHA256, &credentials, ChannelBinding::None, &[1; 18]).unwrap();
    let end =
        run(&mut client, &mut new_server(SHA256), &Secret::Password("fine".into()), true, |_, message| {
            message
        });
    assert_eq!(end, End::Accepted { user: USER.into(), authzid: None, client: Ok(()) });
    let bell = Credentials::password("tim\x07", PASSWORD);
    assert_eq!(
        client::Exchange::new(SHA256, &bell, ChannelBinding::None, &[1; 18]).err(),
        Some(Error::Prohibited)
    );
}
