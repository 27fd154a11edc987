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
                let offer = Offer::new(server.mechanisms(), &[7; smtp_proto::auth::NONCE_LEN]);
                let initial = initial.map(|text| text.decode());
                match Exchange::new(mechanism.known().expect("one of ours"), &offer) {
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

/// A mechanism of the embedder's own is offered as the capabilities list it, and carried through with its name; one that is not
/// offered is still 504.
#[test]
fn a_mechanism_of_ones_own() {
    let mut config = config();
    config.capabilities = config.capabilities.with_keyword("AUTH X-OWN NTLM").unwrap();
    let mut server = Server::new(config.shared());
    serve(&mut server, b"", |_, _, _| {});
    let said = serve(&mut server, b"EHLO x.example\r\n", |_, _, _| {});
    assert!(said.contains("AUTH X-OWN NTLM\r\n"), "{said}");
    let said = serve(&mut server, b"AUTH GSSAPI\r\nAUTH PLAIN AGEAYg==\r\n", |_, _, _| {});
    assert_eq!(codes(&said), [504, 504]);
    let mut heard = Vec::new();
    let said = serve(&mut server, b"AUTH x-own YQ==\r\nYg==\r\n", |server, event, output| match event {
        Event::Auth { mechanism, initial } => {
            assert_eq!(mechanism.known(), None);
            heard.push((mechanism.as_str().to_owned(), initial.unwrap().decode().to_vec()));
            server.challenge(b"more", output).unwrap();
        }
        Event::AuthResponse(text) => {
            heard.push((String::new(), text.decode().to_vec()));
            server.reply(&WELCOME, output).unwrap();
        }
        _ => {}
    });
    assert_eq!(codes(&said), [334, 235]);
    assert_eq!(heard, [("x-own".to_owned(), b"a".to_vec()), (String::new(), b"b".to_vec())]);
    let said = serve(&mut server, b"EHLO x.example\r\n", |_, _, _| {});
    assert!(!said.contains("AUTH"), "once is enough: {said}");
}

/// Beside known ones they stand whether or not those may be used.
#[test]
fn own_mechanisms_beside_known_ones() {
    let mut config = config().with_auth([Mechanism::Plain].into_iter().collect());
    config.capabilities = config.capabilities.with_keyword("AUTH NTLM").unwrap();
    let mut server = Server::new(config.shared());
    serve(&mut server, b"", |_, _, _| {});
    let clear = serve(&mut server, b"EHLO x.example\r\n", |_, _, _| {});
    assert!(clear.contains("AUTH NTLM\r\n"), "{clear}");
    assert_eq!(codes(&serve(&mut server, b"AUTH PLAIN\r\n", |_, _, _| {})), [504]);
    server.tls_established();
    let tls = serve(&mut server, b"EHLO x.example\r\n", |_, _, _| {});
    assert!(tls.contains("AUTH PLAIN NTLM\r\n"), "{tls}");
}

/// An answer to AUTH that was given no status has the one of its kind (RFC 4954, 6).
#[test]
fn what_becomes_of_a_login_has_a_status() {
    for (code, line) in [(235, "235 2.7.0 so\r\n"), (454, "454 4.7.0 so\r\n"), (535, "535 5.7.8 so\r\n")] {
        let mut config = config().with_auth([Mechanism::Plain].into_iter().collect());
        config.auth_in_clear = true;
        let mut server = greeted(config);
        let said = serve(&mut server, b"AUTH PLAIN AGEAYg==\r\n", |server, event, output| {
            if let Event::Auth { .. } = event {
                let reply = Reply::new(Code::new(code).unwrap(), "so").unwrap();
                server.reply(&reply, output).unwrap();
            }
        });
        assert_eq!(said, line);
    }
}
