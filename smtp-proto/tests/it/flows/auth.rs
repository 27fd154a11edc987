//! AUTH on the server: the machine carries base64 lines, the exchange knows the mechanism, the embedder the users.

use bytes::BytesMut;
use smtp_proto::auth::server::{Claim, Exchange, Next, Offer};
use smtp_proto::auth::{Mechanism, Mechanisms};
use smtp_proto::reply::Reply;
use smtp_proto::server::{Config, Event, Server};
use smtp_proto::status::Code;

use super::{codes, config, greeted, serve};

const WELCOME: Reply<'static> = Reply::fixed(Code::AUTHENTICATED, None, "welcome");

/// What an embedder keeps beside the machine.
#[derive(Default)]
struct Login {
    exchange: Option<Exchange>,
    user: Option<String>,
}

impl Login {
    fn on(&mut self, server: &mut Server, event: Event<'_>, output: &mut BytesMut) {
        match event {
            Event::Auth { mechanism, initial } => {
                let offer = Offer {
                    mechanisms: server.mechanisms(),
                    nonce: &[7; smtp_proto::auth::NONCE_LEN],
                    ..Offer::default()
                };
                let initial = initial.map(|text| text.decode());
                match Exchange::new(mechanism, &offer) {
                    Ok(exchange) => {
                        let next = self.exchange.insert(exchange).start(initial.as_deref());
                        self.carry_on(next, server, output);
                    }
                    Err(error) => server.reply(&error.reply(), output).unwrap(),
                }
            }
            Event::AuthResponse(text) => {
                let next = self.exchange.as_mut().unwrap().respond(&text.decode());
                self.carry_on(next, server, output);
            }
            Event::AuthCancelled => self.exchange = None,
            _ => {}
        }
    }

    fn carry_on(&mut self, mut next: Next, server: &mut Server, output: &mut BytesMut) {
        let exchange = self.exchange.as_mut().unwrap();
        loop {
            next = match next {
                Next::Challenge(data) => return server.challenge(&data, output).unwrap(),
                Next::Verify(Claim::Password { user, password, .. }) if password == "secret" => {
                    exchange.accept(user)
                }
                Next::Accept { user, .. } => {
                    self.user = Some(user);
                    return server.reply(&WELCOME, output).unwrap();
                }
                Next::Refuse(error) => return server.reply(&error.reply(), output).unwrap(),
                _ => exchange.deny(),
            };
        }
    }
}

fn submission() -> Config {
    let mut config = config().with_auth(Mechanisms::NONE.with(Mechanism::Plain).with(Mechanism::Login));
    config.auth_in_clear = true;
    config
}

/// Prompts, responses, a wrong password, a cancelled exchange, and then the right password at once.
#[test]
fn in_steps() {
    let (mut server, mut login) = (greeted(submission()), Login::default());
    let mut say = |line: &[u8]| serve(&mut server, line, |s, event, output| login.on(s, event, output));

    assert_eq!(say(b"AUTH LOGIN\r\n"), "334 VXNlcm5hbWU6\r\n");
    assert_eq!(say(b"YW5u\r\n"), "334 UGFzc3dvcmQ6\r\n");
    assert_eq!(codes(&say(b"d3Jvbmc=\r\n")), [535]);

    assert_eq!(codes(&say(b"AUTH LOGIN\r\n")), [334]);
    assert_eq!(codes(&say(b"*\r\n")), [501]);
    assert_eq!(codes(&say(b"AUTH LOGIN\r\n")), [334]);
    assert_eq!(codes(&say(b"not base64!\r\n")), [501]);

    assert_eq!(codes(&say(b"AUTH PLAIN AGFubgBzZWNyZXQ=\r\n")), [235]);
    assert_eq!(codes(&say(b"AUTH PLAIN AGFubgBzZWNyZXQ=\r\n")), [503]);
    assert!(server.is_authenticated());
    assert_eq!(login.user.as_deref(), Some("ann"));
}

/// What can't be used as things stand is not offered, and not taken either.
#[test]
fn offers_follow_tls() {
    let mechanisms =
        Mechanisms::NONE.with(Mechanism::Plain).with(Mechanism::ScramSha256).with(Mechanism::ScramSha256Plus);
    let mut server = greeted(config().with_auth(mechanisms));
    assert!(server.mechanisms().iter().eq([Mechanism::ScramSha256]));
    assert_eq!(codes(&serve(&mut server, b"AUTH SCRAM-SHA-256-PLUS\r\n", |_, _, _| {})), [504]);
    server.tls_established();
    assert!(server.mechanisms().iter().eq(mechanisms.iter()));
}

/// A peer that is known by its certificate or its address needs no AUTH where AUTH is required.
#[test]
fn known_by_other_means() {
    let mut config = submission();
    config.require_auth = true;
    let mut server = greeted(config);
    assert_eq!(codes(&serve(&mut server, b"MAIL FROM:<>\r\n", |_, _, _| {})), [530]);
    server.set_authenticated();
    assert_eq!(codes(&serve(&mut server, b"MAIL FROM:<>\r\n", |_, _, _| {})), [250]);
}
