//! What is refused before anything is connected or served.

use std::future::Future;
use std::io::{self, IoSlice};
use std::time::Duration;

use bytes::BytesMut;
use futures_lite::future::block_on;
use smtp_driver::proto::address::Domain;
use smtp_driver::proto::client;
use smtp_driver::proto::reply::Reply;
use smtp_driver::proto::server::{Config, Invalid};
use smtp_driver::proto::stage::Stage;
use smtp_driver::server::{Connection, Security};
use smtp_driver::{Destination, ErrorKind, Handler, Io, Listener, Service, Shutdown, serve};

/// A transport that must not be used.
#[derive(Debug)]
struct Unused;

impl Io for Unused {
    fn age(&self) -> Duration {
        Duration::ZERO
    }
    async fn read(&mut self, _: &mut BytesMut, _: Option<Duration>) -> io::Result<usize> {
        unreachable!("nothing is to be read")
    }
    async fn write(&mut self, _: &[IoSlice<'_>], _: Option<Duration>) -> io::Result<usize> {
        unreachable!("nothing is to be said")
    }
}

impl Listener for Unused {
    type Io = Self;
    async fn accept(&mut self) -> io::Result<Self> {
        unreachable!("nobody is to be served")
    }
    fn spawn(&self, _: impl Future<Output = ()> + Send + 'static) {}
    async fn sleep(&self, _: Duration) {}
}

struct Nobody;
impl Handler for Nobody {
    async fn message(&mut self) -> Reply<'static> {
        unreachable!("nobody is served")
    }
}

/// RFC 2033: whichever way LMTP and port 25 come together, nothing is connected.
#[test]
fn lmtp_is_not_spoken_on_port_25() {
    for to in [
        Destination::lmtp("localhost", 25),
        Destination::lmtp("localhost", 24).with_port(25),
        Destination::plain("localhost", 25).with_lmtp(),
        Destination::lmtp("localhost", 25).with_config(client::Config::default()),
    ] {
        let connected = block_on(to.connect::<Unused>(async { unreachable!("nothing is to be connected") }));
        let error = connected.expect_err("refused");
        assert!(matches!(error.kind(), ErrorKind::LmtpPort), "{error}");
        assert_eq!(error.stage(), Stage::Connect);
    }
    // On another port the transport is what fails; so it is for SMTP on 25, whatever the configuration says.
    for to in [
        Destination::lmtp("localhost", 24),
        Destination::plain("localhost", 25).with_config(client::Config::default().lmtp()),
    ] {
        let connected = block_on(to.connect::<Unused>(async { Err(io::ErrorKind::NotFound.into()) }));
        let error = connected.expect_err("not connected");
        assert!(matches!(error.kind(), ErrorKind::Io(_)), "{error}");
    }
}

/// RFC 5321, 4.5.3.1.4: a server that finds 512 octets too long is not begun, by either form.
#[test]
fn a_server_of_short_lines_is_not_begun() {
    let mut config = Config::new(Domain::parse("mx.example.org").expect("a domain"));
    config.limits.line = 511;
    let config = config.shared();
    let refused = Connection::new(Unused, config.clone(), Security::Plain, Shutdown::new());
    let error = refused.expect_err("refused");
    assert!(matches!(error.kind(), ErrorKind::Config(Invalid::Line(511))), "{error}");
    let served = block_on(serve(Unused, Service::new(config), &Shutdown::new(), || Nobody));
    assert_eq!(served.expect_err("refused").kind(), io::ErrorKind::InvalidInput);
}
