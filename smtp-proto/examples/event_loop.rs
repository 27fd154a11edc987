//! The core in an event loop of one's own: one thread serves many connections, and the machines are told what came and how old
//! the connection is. The client below it drives whole conversations over a socket that blocks.
//!
//! Prints:
//!
//! ```text
//! <ann@example.org> to <ben@example.net>: 33 octets
//! the client was told: the end of data was answered 250 2.0.0 stored
//! <cat@example.org> to <ben@example.net>: 33 octets
//! the client was told: the end of data was answered 250 2.0.0 stored
//! ```
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "sockets are the application's")]

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use bytes::{Buf as _, BytesMut};
use smtp_proto::address::Domain;
use smtp_proto::client::{self, Client};
use smtp_proto::reply::Reply;
use smtp_proto::server::{Config, Event, Server, Step, Taken};
use smtp_proto::session::{Call, Delivery, Envelope, Error, Open, Options, Report, StartTls, Transfer, Want};
use smtp_proto::status::{Code, Enhanced};

const STORED: Reply<'static> = Reply::fixed(Code::OK, Some(Enhanced::fixed(2, 0, 0)), "stored");

/// What a loop keeps of a connection: its socket, its age, the machine and the two buffers between them.
struct Connection {
    socket: TcpStream,
    opened: Instant,
    server: Server,
    input: BytesMut,
    output: BytesMut,
    mail: Mail,
}

#[derive(Default)]
struct Mail {
    from: String,
    to: Vec<String>,
    octets: Vec<u8>,
}

impl Connection {
    fn new(socket: TcpStream, config: Arc<Config>) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let [input, output] = [(); 2].map(|()| BytesMut::new());
        Ok(Self {
            socket,
            opened: Instant::now(),
            server: Server::new(config),
            input,
            output,
            mail: Mail::default(),
        })
    }

    /// Does all that can be done without waiting. False when it is over.
    fn turn(&mut self) -> io::Result<bool> {
        loop {
            let now = self.opened.elapsed();
            let until = match self.server.step(now, &self.input, &mut self.output) {
                Ok(Step::Event(taken)) => {
                    self.answer(taken);
                    self.input.advance(taken.len());
                    continue;
                }
                Ok(Step::Flush(_)) if self.flush()? => continue,
                Ok(Step::NeedInput(_)) if self.flush()? && self.read()? => continue,
                Ok(Step::Flush(until) | Step::NeedInput(until)) => until,
                // Closed, or the client broke the protocol: what is to be said of it stands in the output.
                Ok(_) | Err(_) => return Ok(!self.flush()?),
            };
            if until.is_none_or(|until| now < until) {
                return Ok(true);
            }
            self.server.timed_out(&mut self.output);
        }
    }

    fn answer(&mut self, taken: Taken) {
        match self.server.event(taken, &self.input) {
            Event::Mail(mail) => self.mail = Mail { from: mail.from.to_string(), ..Mail::default() },
            Event::Rcpt(rcpt) => self.mail.to.push(rcpt.to.to_string()),
            Event::Body(body) => body.append_to(&mut self.mail.octets),
            Event::MessageEnd { .. } => {
                println!(
                    "{} to {}: {} octets",
                    self.mail.from,
                    self.mail.to.join(", "),
                    self.mail.octets.len()
                );
                self.server.reply(&STORED, &mut self.output).expect("a 250 answers the end of a message");
            }
            _ => {}
        }
        // Everything else is answered as a server without an opinion does.
        while let Some(reply) = self.server.default_reply() {
            self.server.reply(&reply, &mut self.output).expect("the default fits");
        }
    }

    /// Writes what can be written. False when the socket takes no more for now.
    fn flush(&mut self) -> io::Result<bool> {
        while !self.output.is_empty() {
            match self.socket.write(&self.output) {
                Ok(n) => self.output.advance(n),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Reads what is there. False when there is nothing for now.
    fn read(&mut self) -> io::Result<bool> {
        let mut room = [0; 4096];
        match self.socket.read(&mut room) {
            // What was begun and not ended is dropped with the connection.
            Ok(0) => self.server.eof().map(|()| true).map_err(io::Error::other),
            Ok(n) => {
                self.input.extend_from_slice(&room[..n]);
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// Serves until `enough` connections have ended. A loop worth its name waits here by epoll or kqueue, no longer than until the
/// first of its connections' deadlines.
fn serve(listener: &TcpListener, config: &Arc<Config>, enough: usize) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let (mut connections, mut ended) = (Vec::new(), 0);
    while ended < enough {
        if let Ok((socket, _)) = listener.accept() {
            connections.push(Connection::new(socket, Arc::clone(config))?);
        }
        let before = connections.len();
        connections.retain_mut(|connection: &mut Connection| connection.turn().unwrap_or(false));
        ended += before - connections.len();
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// Opens a connection, sends one message and leaves. Each conversation is polled until it wants something else than octets.
fn send(
    to: SocketAddr,
    envelope: &Envelope<'_>,
    message: &[u8],
) -> Result<Report, Box<dyn std::error::Error>> {
    let (mut socket, opened) = (TcpStream::connect(to)?, Instant::now());
    let mut client = Client::new(client::Config::default().shared());
    let [mut input, mut output] = [(); 2].map(|()| BytesMut::new());
    let mut drive = |client: &mut Client, poll: &mut Poll<'_>| {
        loop {
            let mut rest = &input[..];
            let want = poll(client, opened.elapsed(), &mut rest, &mut output)?;
            let used = input.len() - rest.len();
            input.advance(used);
            socket.write_all(&output.split())?;
            let Want::Io(until) = want else { return Ok::<_, Box<dyn std::error::Error>>(want) };
            let mut room = [0; 4096];
            socket.set_read_timeout(until.map(|until| until.saturating_sub(opened.elapsed())))?;
            match socket.read(&mut room)? {
                0 => client.eof()?,
                n => input.extend_from_slice(&room[..n]),
            }
        }
    };

    // The nonce is for SCRAM, and nobody logs in here.
    let options = Options::new(Domain::parse("client.example.org")?).with_starttls(StartTls::Off);
    let mut open = Open::new(Arc::new(options), [0; 18]);
    drive(&mut client, &mut |client, now, input, output| open.poll(client, now, input, output))?;

    let mut delivery =
        Delivery::new(envelope, &smtp_proto::session::Content::of(message), Transfer::Data, &client);
    drive(&mut client, &mut |client, now, input, output| {
        loop {
            match delivery.poll(client, now, input, output)? {
                Want::Body => delivery.body(message, true, client, output)?,
                want => return Ok(want),
            }
        }
    })?;

    let mut quit = Call::quit();
    drive(&mut client, &mut |client, now, input, output| quit.poll(client, now, input, output))?;
    Ok(delivery.into_report())
}

type Poll<'p> = dyn FnMut(&mut Client, Duration, &mut &[u8], &mut BytesMut) -> Result<Want, Error> + 'p;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let (address, config) = (listener.local_addr()?, Config::new(Domain::parse("mx.example.org")?).shared());
    let server = thread::spawn(move || serve(&listener, &config, 2));
    for from in ["ann@example.org", "cat@example.org"] {
        let envelope = Envelope::parse(from, ["ben@example.net"])?;
        let report = send(address, &envelope, b"Subject: hello\r\n\r\nHello, Ben.\r\n\r\n")?;
        report.outcomes().for_each(|outcome| println!("the client was told: {outcome}"));
    }
    server.join().expect("a server that does not panic")?;
    Ok(())
}
