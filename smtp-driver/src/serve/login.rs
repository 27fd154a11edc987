//! AUTH, between the machine and the handler.

use bytes::BytesMut;
use smtp_proto::auth::server::{Exchange, Next, Offer};
use smtp_proto::auth::{ChannelBinding, Error, Mechanism, NONCE_LEN};
use smtp_proto::extension::Capabilities;
use smtp_proto::reply::Reply;
use smtp_proto::server::Server;
use smtp_proto::status::{Code, Enhanced};

use super::give;
use crate::Handler;
use crate::handler::{Answer, Said};

/// An exchange that has begun: of a mechanism that is known, or of the handler's own, by name.
pub(super) enum Login {
    Known(Exchange),
    Own(String),
}

impl Login {
    pub(super) fn own(mechanism: &str) -> Self {
        Self::Own(mechanism.to_owned())
    }

    pub(super) fn known(
        mechanism: Mechanism,
        exporter: Option<&[u8; 32]>,
        server: &Server,
    ) -> Result<Self, Error> {
        let mut nonce = [0; NONCE_LEN];
        // Without randomness the exchange refuses to begin, as the nonce is then too short.
        let nonce = getrandom::fill(&mut nonce).map_or(&[][..], |()| &nonce[..]);
        let binding = exporter.map_or(ChannelBinding::None, |octets| ChannelBinding::Exporter(octets));
        let mechanisms = server.capabilities().mechanisms();
        let domain = server.config().domain.as_str();
        let offer = Offer::new(mechanisms, nonce).with_binding(binding).with_domain(domain);
        Exchange::new(mechanism, &offer).map(Self::Known)
    }

    /// What is said to this.
    pub(super) async fn go_on<H: Handler>(&mut self, handler: &mut H, said: Said<'_>) -> Answer {
        match self {
            Self::Own(mechanism) => handler.exchange(mechanism, said).await,
            Self::Known(exchange) => {
                let next = match said {
                    Said::Begin(initial) => exchange.start(initial),
                    Said::Response(response) => exchange.respond(response),
                };
                authenticate(handler, exchange, next).await
            }
        }
    }
}

/// Asks the handler whatever the exchange wants to know, until the client has to speak again or all is said.
async fn authenticate<H: Handler>(handler: &mut H, exchange: &mut Exchange, mut next: Next) -> Answer {
    const WELCOME: Reply<'static> =
        Reply::fixed(Code::AUTHENTICATED, Some(Enhanced::fixed(2, 7, 0)), "authenticated");
    let mechanism = exchange.mechanism();
    loop {
        next = match next {
            Next::Challenge(data) => return Answer::Challenge(data),
            Next::Verify(claim) => match handler.authenticate(&claim).await {
                Some(user) => exchange.accept(user),
                None => exchange.deny(),
            },
            Next::Lookup { user } => match handler.secret(&user, mechanism).await {
                Some(secret) => exchange.with_secret(&secret),
                None => exchange.deny(),
            },
            Next::Accept { user, authzid } => {
                let may = handler.authorize(&user, authzid.as_deref()).await;
                return Answer::Reply(if may { WELCOME } else { Error::Denied.reply() });
            }
            Next::Refuse(error) => return Answer::Reply(error.reply()),
            _ => exchange.deny(),
        }
    }
}

/// Says it. A reply ends the exchange.
pub(super) fn conclude(
    answer: Answer,
    login: &mut Option<Login>,
    server: &mut Server,
    output: &mut BytesMut,
) {
    match answer {
        Answer::Challenge(data) => {
            if server.challenge(&data, output).is_err() {
                crate::server::unanswered(server, output);
            }
        }
        Answer::Reply(reply) => {
            *login = None;
            give(server, &reply, output);
        }
    }
}

/// Leaves out the mechanisms that bind to a TLS connection, where there is nothing to bind to.
pub(super) fn unbind(offered: &mut Capabilities<'static>) {
    let mechanisms = offered.mechanisms();
    let unbound = mechanisms.iter().filter(|mechanism| !mechanism.binds()).collect();
    if mechanisms != unbound {
        *offered = std::mem::take(offered).with_mechanisms(unbound);
    }
}
