//! AUTH: each mechanism against itself, against the RFCs' examples, and against whoever sits in between.

mod arbitrary;
mod choice;
mod pairs;
#[cfg(feature = "scram")]
mod tamper;
mod vectors;

use smtp_proto::auth::server::{Claim, Next, Secret};
use smtp_proto::auth::{Credentials, Error, Mechanism, client, server};

use crate::fuzz::sasl::{
    CHANNEL, PASSWORD, TOKEN, USER, binding, credentials, new_client, new_server, right, supported,
};

/// How a whole AUTH command ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// 235, and what the client makes of it.
    Accepted { user: String, authzid: Option<String>, client: Result<(), Error> },
    /// 535 or another reply.
    Refused(Error),
    /// The client sent `*`.
    Cancelled(Error),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Client,
    Server,
}

/// Runs one AUTH command. What `wire` makes of each message is what arrives.
fn run(
    client: &mut client::Exchange,
    server: &mut server::Exchange,
    secret: &Secret,
    initial: bool,
    mut wire: impl FnMut(Side, Vec<u8>) -> Vec<u8>,
) -> End {
    let initial = client.initial().filter(|_| initial).map(|message| wire(Side::Client, message));
    let mut next = server.start(initial.as_deref());
    for _ in 0..10 {
        next = match next {
            Next::Challenge(challenge) => match client.respond(&wire(Side::Server, challenge)) {
                Ok(response) => server.respond(&wire(Side::Client, response)),
                Err(error) => return End::Cancelled(error),
            },
            Next::Verify(Claim::Password { user, password, .. }) => {
                match user == USER && password == PASSWORD {
                    true => server.accept(user),
                    false => server.deny(),
                }
            }
            Next::Verify(Claim::Token { user, token, .. }) => {
                match user.as_deref() == Some(USER) && token == TOKEN {
                    true => server.accept(USER),
                    false => server.deny_token(r#"{"status":"invalid_token","scope":"mail"}"#),
                }
            }
            Next::Verify(Claim::External { .. }) => server.accept("of the certificate"),
            Next::Verify(Claim::Anonymous { trace }) => server.accept(format!("anonymous {trace}")),
            Next::Lookup { user } => match user == USER {
                true => server.with_secret(secret),
                false => server.deny(),
            },
            Next::Accept { user, authzid } => {
                return End::Accepted { user, authzid, client: client.succeeded() };
            }
            Next::Refuse(error) => return End::Refused(error),
            other => panic!("what is {other:?}?"),
        };
    }
    panic!("an AUTH command without end")
}

/// The same on an honest wire.
fn honest(mechanism: Mechanism, credentials: &Credentials, initial: bool) -> End {
    let secret = Secret::Password(PASSWORD.into());
    run(
        &mut new_client(mechanism, credentials),
        &mut new_server(mechanism),
        &secret,
        initial,
        |_, message| message,
    )
}
