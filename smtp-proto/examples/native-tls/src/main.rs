//! The core in a server that has its TLS already: the machines of `smtp-proto` say when it is time for STARTTLS, and native-tls
//! does the rest. With openssl it is `SslAcceptor` and `SslConnector` in the same two places.
//!
//! Prints:
//!
//! ```text
//! the server: EHLO without TLS
//! the server: EHLO with TLS
//! the server: a message of 33 octets, with TLS
//! the client: the end of data was answered 250 2.0.0 ok
//! ```

use std::error::Error;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use bytes::{Buf as _, BytesMut};
use native_tls::{Certificate, Identity, TlsAcceptor, TlsConnector};
use smtp_proto::address::Domain;
use smtp_proto::client::{self, Client};
use smtp_proto::server::{Config, Event, Server, Step};
use smtp_proto::session::{self, Call, Content, Delivery, Envelope, Open, Options, Transfer, Want};

type Failed = Box<dyn Error + Send + Sync>;

/// A socket, or TLS over it: what every TLS library for blocking sockets gives.
trait Stream: Read + Write {}
impl<S: Read + Write> Stream for S {}

/// Reads once, for at most so long.
fn read(
    socket: &TcpStream,
    stream: &mut dyn Stream,
    time: Option<Duration>,
    input: &mut BytesMut,
) -> Result<usize, Failed> {
    let mut room = [0; 4096];
    socket.set_read_timeout(time)?;
    let n = stream.read(&mut room)?;
    input.extend_from_slice(&room[..n]);
    Ok(n)
}

fn serve(socket: TcpStream, acceptor: &TlsAcceptor, config: Arc<Config>) -> Result<(), Failed> {
    let (mut server, opened) = (Server::new(config), Instant::now());
    let mut stream: Box<dyn Stream> = Box::new(socket.try_clone()?);
    let [mut input, mut output] = [(); 2].map(|()| BytesMut::new());
    let mut octets = 0;
    loop {
        let step = server.step(opened.elapsed(), &input, &mut output);
        if !matches!(step, Ok(Step::Event(_) | Step::AwaitingReply)) {
            stream.write_all(&output.split())?;
        }
        match step? {
            Step::Event(taken) => {
                let tls = if server.has_tls() { "with" } else { "without" };
                match server.event(taken, &input) {
                    Event::Hello { .. } => println!("the server: EHLO {tls} TLS"),
                    Event::Body(body) => octets += body.slices().map(<[u8]>::len).sum::<usize>(),
                    Event::MessageEnd { .. } => {
                        println!("the server: a message of {octets} octets, {tls} TLS")
                    }
                    _ => {}
                }
                if let Some(reply) = server.default_reply() {
                    server.reply(&reply, &mut output)?;
                }
                input.advance(taken.len());
            }
            // Nothing stands in the input here: octets behind the command would have ended the connection.
            Step::StartTls => {
                stream = Box::new(acceptor.accept(socket.try_clone()?)?);
                server.tls_established();
            }
            Step::NeedInput(until) => {
                let time = until.map(|until| until.saturating_sub(opened.elapsed()));
                if read(&socket, &mut stream, time, &mut input)? == 0 {
                    return Ok(server.eof()?);
                }
            }
            Step::Closed => return Ok(()),
            _ => {}
        }
    }
}

fn send(
    socket: TcpStream,
    connector: &TlsConnector,
    envelope: &Envelope<'_>,
    message: &[u8],
) -> Result<session::Report, Failed> {
    let (mut client, opened) = (Client::new(client::Config::default().shared()), Instant::now());
    let mut stream: Box<dyn Stream> = Box::new(socket.try_clone()?);
    let [mut input, mut output] = [(); 2].map(|()| BytesMut::new());
    // TLS is required: without an offer of it the conversation ends before an envelope is sent.
    let options = Options::new(Domain::parse("client.example.org")?);
    let mut open = Open::new(Arc::new(options), [0; 18]);
    let (mut delivery, mut quit) = (None, Call::quit());
    loop {
        let mut rest = &input[..];
        let now = opened.elapsed();
        let want = match &mut delivery {
            None => open.poll(&mut client, now, &mut rest, &mut output)?,
            Some(delivery) => match Delivery::poll(delivery, &mut client, now, &mut rest, &mut output)? {
                Want::Done => quit.poll(&mut client, now, &mut rest, &mut output)?,
                want => want,
            },
        };
        let used = input.len() - rest.len();
        input.advance(used);
        stream.write_all(&output.split())?;
        match want {
            Want::Io(until) => {
                let time = until.map(|until| until.saturating_sub(opened.elapsed()));
                if read(&socket, &mut stream, time, &mut input)? == 0 {
                    client.eof()?;
                }
            }
            Want::StartTls => {
                stream = Box::new(connector.connect("mx.example.org", socket.try_clone()?)?);
                open.tls_established(&mut client, None);
            }
            Want::Body => {
                let delivery = delivery.as_mut().expect("it asked");
                delivery.body(message, true, &mut client, &mut output)?;
            }
            _ => match delivery.take() {
                Some(delivery) => return Ok(delivery.into_report()),
                None => {
                    delivery = Some(Delivery::new(envelope, &Content::of(message), Transfer::Data, &client))
                }
            },
        }
    }
}

fn main() -> Result<(), Failed> {
    let made = rcgen::generate_simple_self_signed(["mx.example.org".to_owned()])?;
    let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let acceptor = TlsAcceptor::new(Identity::from_pkcs8(certificate.as_bytes(), key.as_bytes())?)?;
    let trusted = Certificate::from_pem(certificate.as_bytes())?;
    let connector = TlsConnector::builder().add_root_certificate(trusted).build()?;

    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let config = Config::new(Domain::parse("mx.example.org")?).with_starttls().shared();
    let server = thread::spawn(move || serve(listener.accept()?.0, &acceptor, config));

    let envelope = Envelope::parse("ann@example.org", ["ben@example.net"])?;
    let report = send(
        TcpStream::connect(address)?,
        &connector,
        &envelope,
        b"Subject: hello\r\n\r\nHello, Ben.\r\n\r\n",
    )?;
    server.join().expect("a server that does not panic")?;
    report.outcomes().for_each(|outcome| println!("the client: {outcome}"));
    Ok(())
}
