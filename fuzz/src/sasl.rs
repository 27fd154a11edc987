//! AUTH exchanges, fed whatever comes: an answer is a message or a typed error, and nobody is let in by mistake.

use std::sync::LazyLock;

use smtp_proto::auth::server::{Next, Offer, Secret};
use smtp_proto::auth::{ChannelBinding, Credentials, Error, Mechanism, Mechanisms, client, server};

use super::script::Script;

/// A line of answers for a server, one for each line of octets that needs it; a client takes the lines as challenges.
/// The first option is the mechanism, `a` for the first; `C` is a client.
pub fn sasl(input: &[u8]) {
    let script = Script::read(input);
    let mechanisms: Vec<Mechanism> = supported().collect();
    let index = usize::from(script.options.first().map_or(0, |octet| octet.wrapping_sub(b'a')));
    let mechanism = mechanisms[index % mechanisms.len()];
    let mut messages = script.octets.split(|octet| *octet == b'\n');
    if script.has(b'C') {
        // A count of five digits costs what ten thousand inputs do; the cap has a test of its own.
        let cheap = |message: &&[u8]| {
            !message.windows(7).any(|w| w.starts_with(b"i=") && w[2..].iter().all(u8::is_ascii_digit))
        };
        return check_client(mechanism, messages.filter(cheap));
    }
    let calls = script.answers.iter().map(|answer| match answer {
        b'n' => Call::Start(None),
        b'i' => Call::Start(messages.next()),
        b'y' => Call::Accept,
        b'd' => Call::Deny,
        b'j' => Call::DenyToken,
        b's' => Call::WithSecret(true),
        b'e' => Call::WithSecret(false),
        _ => Call::Respond(messages.next().unwrap_or_default()),
    });
    check_server(mechanism, calls);
}

/// What may be called on a server's exchange.
#[derive(Clone, Debug)]
pub enum Call<M> {
    /// The command, with its initial response.
    Start(Option<M>),
    /// A response.
    Respond(M),
    /// The caller vouches.
    Accept,
    /// The caller refuses.
    Deny,
    /// The caller refuses a token, and says why.
    DenyToken,
    /// What was looked up: the password, or none.
    WithSecret(bool),
}

/// Any calls in any order: no panic, nobody accepted without a word from the caller, and nothing after the end.
pub fn check_server<M: AsRef<[u8]>>(mechanism: Mechanism, calls: impl IntoIterator<Item = Call<M>>) {
    let mut server = new_server(mechanism);
    let (mut ended, mut vouched) = (false, false);
    for call in calls {
        let next = match call {
            Call::Start(initial) => server.start(initial.as_ref().map(AsRef::as_ref)),
            Call::Respond(response) => server.respond(response.as_ref()),
            Call::Accept => {
                vouched = true;
                server.accept("x")
            }
            Call::Deny => server.deny(),
            Call::DenyToken => server.deny_token("{}"),
            Call::WithSecret(true) => server.with_secret(secret(mechanism)),
            Call::WithSecret(false) => server.with_secret(&Secret::Password(String::new())),
        };
        assert!(
            !ended || matches!(next, Next::Refuse(Error::OutOfStep | Error::InitialNotAllowed)),
            "after the end: {next:?}"
        );
        assert!(vouched || !matches!(next, Next::Accept { .. }), "{mechanism} accepted by itself");
        ended |= matches!(next, Next::Accept { .. } | Next::Refuse(_));
    }
}

/// Any challenges: no panic, and a SCRAM server that cannot know the password is never believed.
pub fn check_client<M: AsRef<[u8]>>(mechanism: Mechanism, challenges: impl IntoIterator<Item = M>) {
    let mut client = new_client(mechanism, &credentials(mechanism, right(mechanism)));
    for challenge in challenges {
        let _ = client.respond(challenge.as_ref());
        assert!(!mechanism.is_scram() || client.succeeded().is_err());
    }
}

/// The password as a server keeps it, derived once.
fn secret(mechanism: Mechanism) -> &'static Secret {
    static SECRETS: LazyLock<Vec<(Mechanism, Secret)>> = LazyLock::new(|| {
        let secret = |mechanism: Mechanism| match mechanism.is_scram() {
            #[cfg(feature = "scram")]
            true => Secret::scram(mechanism, PASSWORD, b"sixteen octets!!", 4096).expect("a secret"),
            _ => Secret::Password(PASSWORD.into()),
        };
        supported().map(|mechanism| (mechanism, secret(mechanism))).collect()
    });
    let found = SECRETS.iter().find(|(of, _)| *of == mechanism);
    &found.expect("every supported mechanism has one").1
}

/// The one user that the servers of these tests know.
pub const USER: &str = "tim";
/// Its password.
pub const PASSWORD: &str = "tanstaaftanstaaf";
/// Its token.
pub const TOKEN: &str = "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==";
/// What binds to the channel.
pub const CHANNEL: [u8; 32] = [7; 32];

/// Credentials that fit a mechanism.
pub fn credentials(mechanism: Mechanism, proof: &str) -> Credentials {
    match mechanism {
        Mechanism::XOauth2 | Mechanism::OauthBearer => Credentials::token(USER, proof),
        Mechanism::External => Credentials::external(""),
        Mechanism::Anonymous => Credentials::anonymous("sirhc"),
        _ => Credentials::password(USER, proof),
    }
}

/// What proves who that is.
pub fn right(mechanism: Mechanism) -> &'static str {
    match mechanism {
        Mechanism::XOauth2 | Mechanism::OauthBearer => TOKEN,
        _ => PASSWORD,
    }
}

/// What it is bound to.
pub fn binding(mechanism: Mechanism) -> ChannelBinding<'static> {
    if mechanism.binds() { ChannelBinding::Exporter(&CHANNEL) } else { ChannelBinding::None }
}

/// A client that knows its nonce.
pub fn new_client(mechanism: Mechanism, credentials: &Credentials) -> client::Exchange {
    client::Exchange::new(mechanism, credentials, binding(mechanism), &[1; 18]).expect("credentials fit")
}

/// A server that offers this alone.
pub fn new_server(mechanism: Mechanism) -> server::Exchange {
    let offer = Offer::new(Mechanisms::NONE.with(mechanism), &[2; 18])
        .with_binding(binding(mechanism))
        .with_domain("mx.example");
    server::Exchange::new(mechanism, &offer).expect("an offer fits")
}

/// The mechanisms of this build.
pub fn supported() -> impl Iterator<Item = Mechanism> {
    Mechanism::ALL.iter().copied().filter(|mechanism| mechanism.is_supported())
}
