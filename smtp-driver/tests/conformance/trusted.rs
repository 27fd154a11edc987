//! Peers that say who the client is: PROXY headers, XCLIENT, XFORWARD; and those who only try to.

#[cfg(feature = "rustls")]
use std::io::{Read as _, Write as _};
#[cfg(feature = "rustls")]
use std::net::{Shutdown as Half, TcpListener, TcpStream};
use std::sync::{Mutex, PoisonError};

use smtp_driver::ipnet::IpNet;
use smtp_driver::proto::command::Mail;
use smtp_driver::proto::proxy::Proxied;
use smtp_driver::proto::status::Code;
use smtp_driver::{OK, Peer};

use super::script::Wire;
use super::*;

/// What handlers were told, in order.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<String>>>);

impl Told {
    fn add(&self, what: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(what);
    }

    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

struct Watcher(Told);

fn address(peer: &Peer<'_>) -> String {
    peer.address.map_or_else(|| "nobody".to_owned(), |address| address.to_string())
}

impl Handler for Watcher {
    async fn message(&mut self) -> Reply<'static> {
        OK
    }

    async fn connected(&mut self, peer: Peer<'_>) -> Reply<'static> {
        let mut from = format!("from {}", address(&peer));
        if let Some(proxy) = peer.proxy {
            let fields: Vec<_> = proxy.tlvs().collect();
            from.push_str(&match proxy.said() {
                Proxied::For { destination, .. } => format!(" to {destination} {fields:?}"),
                other => format!(" {other:?} {fields:?}"),
            });
        }
        self.0.add(from);
        Reply::fixed(Code::READY, None, "ESMTP")
    }

    fn secured(&mut self, peer: Peer<'_>) {
        self.0.add(format!("secured {}", address(&peer)));
    }

    async fn xclient(&mut self, peer: Peer<'_>, attributes: &Attributes<'_>) -> Reply<'static> {
        self.0.add(format!("now {} by {attributes}", address(&peer)));
        Reply::fixed(Code::READY, None, "ESMTP")
    }

    async fn xforward(&mut self, attributes: &Attributes<'_>) -> Reply<'static> {
        self.0.add(format!("for {attributes}"));
        OK
    }

    async fn mail(&mut self, _: &Mail<'_>) -> Reply<'static> {
        self.0.add("mail".to_owned());
        OK
    }

    fn ended(&mut self, how: Result<(), Error>) {
        if let Err(error) = how {
            self.0.add(error.to_string());
        }
    }
}

fn watch<A: Adapter>(service: Service) -> (Running, Told) {
    let told = Told::default();
    let teller = told.clone();
    (start_with::<A, _>(service, move || Watcher(teller.clone())), told)
}

fn local() -> [IpNet; 1] {
    ["127.0.0.0/8".parse().expect("a network")]
}

fn elsewhere() -> [IpNet; 1] {
    ["192.0.2.0/24".parse().expect("a network")]
}

fn attributes(text: &str) -> Attributes<'_> {
    Attributes::parse(text).expect("attributes")
}

const V1: &[u8] = b"PROXY TCP4 192.0.2.7 198.51.100.1 4000 25\r\n";
/// The same in version 2, with a TLV behind the addresses.
const V2: &[u8] =
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x10\xc0\0\x02\x07\xc6\x33\x64\x01\x0f\xa0\0\x19\x04\0\x01\0";
/// What the handler is told by each.
const FROM_V1: &str = "from 192.0.2.7:4000 to 198.51.100.1:25 []";
const FROM_V2: &str = "from 192.0.2.7:4000 to 198.51.100.1:25 [(4, [0])]";
/// A health check.
const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";

pub(crate) fn a_proxy_header_tells_who_the_client_is<A: Adapter>() {
    let (server, told) = watch::<A>(service().with_proxy(local()));
    for (header, bytewise) in [(V1, false), (V1, true), (V2, false), (V2, true), (LOCAL, false)] {
        let mut wire = Wire::client(server.port);
        for piece in header.chunks(if bytewise { 1 } else { header.len() }) {
            wire.say(piece);
            thread::sleep(Duration::from_millis(u64::from(bytewise)));
        }
        wire.reply("220");
        wire.say("EHLO there\r\n");
        wire.reply("250");
        wire.say("MAIL FROM:<>\r\nQUIT\r\n");
        wire.reply("250");
        wire.reply("221");
        assert_eq!(wire.rest(), b"");
    }
    server.end();
    let told = told.all();
    assert_eq!(told[..4], [FROM_V1, "mail"].repeat(2), "{told:?}");
    assert_eq!(told[4..8], [FROM_V2, "mail"].repeat(2), "{told:?}");
    assert!(told[8].starts_with("from 127.0.0.1:") && told[8].ends_with(" Local []"), "{told:?}");
}

pub(crate) fn a_trusted_connection_without_a_header_is_closed<A: Adapter>() {
    let mut config = config();
    config.timeouts.command = SHORT;
    let (server, told) = watch::<A>(Service::new(config.shared()).with_proxy(local()));
    // Commands; a header whose line doesn't end rightly; half a header; a header that drips.
    for octets in
        [&b"EHLO there\r\n"[..], b"PROXY TCP4 192.0.2.7 198.51.100.1 4000 25\n", &V1[..20], &V2[..13]]
    {
        let mut wire = Wire::client(server.port);
        wire.say(octets);
        let started = Instant::now();
        assert_eq!(wire.rest(), b"", "it is told nothing");
        assert!(started.elapsed() < LONG / 3);
    }
    // A check that somebody listens.
    drop(Wire::client(server.port));
    server.end();
    let told = told.all();
    assert_eq!(told.iter().filter(|what| what.contains("not a PROXY header")).count(), 2, "{told:?}");
    assert_eq!(told.len(), 4, "{told:?}");
}

pub(crate) fn no_header_is_looked_for_from_others<A: Adapter>() {
    for service in [service(), service().with_proxy(elsewhere())] {
        let (server, told) = watch::<A>(service);
        let mut wire = Wire::client(server.port);
        wire.reply("220");
        wire.say(V1);
        wire.reply("500");
        wire.say("QUIT\r\n");
        wire.reply("221");
        server.end();
        let told = told.all();
        assert!(told[0].starts_with("from 127.0.0.1:"), "{told:?}");
    }
}

/// Says `header` to the server at `port` for one connection, and carries octets after that.
#[cfg(feature = "rustls")]
fn balancer(port: u16, header: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let own = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        let (front, _) = listener.accept().expect("a connection");
        let mut behind = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
        behind.write_all(header).expect("a write");
        let (from, to) = (behind.try_clone().expect("a socket"), front.try_clone().expect("a socket"));
        let back = thread::spawn(move || carry(from, to));
        carry(front, behind);
        back.join().expect("no panic");
    });
    own
}

#[cfg(feature = "rustls")]
fn carry(mut from: TcpStream, mut to: TcpStream) {
    let mut octets = [0; 4096];
    while let Ok(n @ 1..) = from.read(&mut octets) {
        if to.write_all(&octets[..n]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Half::Write);
}

#[cfg(feature = "rustls")]
pub(crate) fn a_proxy_header_stands_ahead_of_tls<A: Adapter>() {
    for implicit in [true, false] {
        let service = service().with_proxy(local());
        let service = match implicit {
            true => service.with_implicit_tls(secure::identity()),
            false => service.with_starttls(secure::identity()),
        };
        let (server, told) = watch::<A>(service);
        A::run(async {
            let to = if implicit { secure::submissions(&server) } else { secure::submission(&server) };
            let to = to.with_port(balancer(server.port, V2));
            let mut client = A::client(&to).await.expect("a connection");
            assert!(client.is_tls());
            let report = client.send(&envelope("", &["ben@example.net"]), "x\r\n").await.expect("a report");
            assert!(report.all_delivered());
            client.quit().await;
        });
        server.end();
        let expected: &[&str] = match implicit {
            true => &[FROM_V2, "mail"],
            false => &[FROM_V2, "secured 192.0.2.7:4000", "mail"],
        };
        assert_eq!(told.all(), expected);
    }
}

pub(crate) fn xclient_is_believed_from_whom_it_is_offered_to<A: Adapter>() {
    let mut config = config();
    config.require_auth = true;
    let service = Service::new(config.shared()).with_xclient(local()).with_xforward(local());
    let (server, told) = watch::<A>(service);
    A::run(async {
        let mut client = A::client(&server.plain()).await.expect("a connection");
        let envelope = envelope("", &["ben@example.net"]);
        // Nobody has logged in.
        let report = client.send(&envelope, "x\r\n").await.expect("a report");
        assert_eq!(codes(&report), [530]);
        let reply = client.xclient(&attributes("ADDR=nonsense")).await.expect("a reply");
        assert_eq!(reply.code().as_u16(), 501);
        for claim in ["ADDR=192.0.2.7 PORT=4000 NAME=a.example LOGIN=ann", "ADDR=IPv6:2001:db8::7 LOGIN=bob"]
        {
            let reply = client.xclient(&attributes(claim)).await.expect("a reply");
            assert_eq!(reply.code().as_u16(), 220);
            let reply = client.xforward(&attributes("IDENT=17 SOURCE=LOCAL")).await.expect("a reply");
            assert_eq!(reply.code().as_u16(), 250);
            let report = client.send(&envelope, "x\r\n").await.expect("a report");
            assert_eq!(codes(&report), [250]);
        }
        // The login goes with the session.
        client.xclient(&attributes("PORT=25 LOGIN=[UNAVAILABLE]")).await.expect("a reply");
        let report = client.send(&envelope, "x\r\n").await.expect("a report");
        assert_eq!(codes(&report), [530]);
        assert!(client.is_usable());
        client.quit().await;
    });
    server.end();
    assert_eq!(
        told.all()[1..],
        [
            "now 192.0.2.7:4000 by ADDR=192.0.2.7 PORT=4000 NAME=a.example LOGIN=ann",
            "for IDENT=17 SOURCE=LOCAL",
            "mail",
            "now [2001:db8::7]:0 by ADDR=IPv6:2001:db8::7 LOGIN=bob",
            "for IDENT=17 SOURCE=LOCAL",
            "mail",
            "now [2001:db8::7]:25 by PORT=25 LOGIN=[UNAVAILABLE]",
        ],
    );
}

pub(crate) fn xclient_and_xforward_are_offered_to_nobody_else<A: Adapter>() {
    // Behind a balancer it is the client who counts, not the balancer.
    let behind = service().with_proxy(local()).with_xclient(local()).with_xforward(local());
    let strange = service().with_xclient(elsewhere()).with_xforward(elsewhere());
    for (service, header) in [(behind, V1), (strange, b"")] {
        let (server, told) = watch::<A>(service);
        let mut wire = Wire::client(server.port);
        wire.say(header);
        wire.reply("220");
        wire.say("EHLO there\r\n");
        loop {
            let line = wire.hear("250");
            assert!(!line.contains("XCLIENT") && !line.contains("XFORWARD"), "{line}");
            if line.starts_with("250 ") {
                break;
            }
        }
        for command in ["XCLIENT ADDR=198.51.100.9\r\n", "XFORWARD ADDR=198.51.100.9\r\n"] {
            wire.say(command);
            wire.reply("502");
        }
        wire.say("QUIT\r\n");
        wire.reply("221");
        server.end();
        assert_eq!(told.all().len(), 1, "{:?}", told.all());
    }
    // And a client doesn't send what it was not offered.
    let (server, _) = watch::<A>(service());
    A::run(async {
        let mut client = A::client(&server.plain()).await.expect("a connection");
        for refused in [
            client.xclient(&attributes("ADDR=192.0.2.7")).await,
            client.xforward(&attributes("ADDR=192.0.2.7")).await,
        ] {
            let error = refused.expect_err("it was not offered");
            assert!(error.to_string().contains("offer"), "{error}");
        }
        client.noop().await.expect("undisturbed");
        client.quit().await;
    });
    server.end();
}
