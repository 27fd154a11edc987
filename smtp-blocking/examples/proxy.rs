//! A filtering proxy: a server's machine in front, a client's machine behind, one thread for each connection. Commands go on as
//! they are read, replies come back word for word, and what the filter refuses the server behind never hears of.
//!
//! Prints:
//!
//! ```text
//! proxy: <unwanted@example.net> does not pass
//! the server behind got a message of 33 octets for ben@example.net
//! ben@example.net: the end of data was answered 250 2.0.0 queued as 17
//! unwanted@example.net: RCPT was answered 550 5.7.1 not through here
//! ```

use std::error::Error;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use bytes::{Buf as _, BytesMut};
use smtp_blocking::proto::address::Domain;
use smtp_blocking::proto::client::{self, Client};
use smtp_blocking::proto::command::Command;
use smtp_blocking::proto::command::Rcpt;
use smtp_blocking::proto::dot::Body;
use smtp_blocking::proto::extension::{Capabilities, Extension};
use smtp_blocking::proto::reply::Reply;
use smtp_blocking::proto::server::{Config, Event, Server, Step};
use smtp_blocking::proto::session::Envelope;
use smtp_blocking::proto::status::{Code, Enhanced};
use smtp_blocking::{Destination, Handler, Listener, OK, Service, Shutdown, connect, serve};

type Failed = Box<dyn Error + Send + Sync>;

const UNWANTED: Reply<'static> =
    Reply::fixed(Code::MAILBOX_UNAVAILABLE, Some(Enhanced::fixed(5, 7, 1)), "not through here");

/// One socket with its two buffers.
struct Side {
    socket: TcpStream,
    opened: Instant,
    input: BytesMut,
    output: BytesMut,
}

impl Side {
    fn new(socket: TcpStream) -> Self {
        let [input, output] = [(); 2].map(|()| BytesMut::new());
        Self { socket, opened: Instant::now(), input, output }
    }

    /// Writes all, then reads once, up to that age of the connection. False at the end.
    fn turn(&mut self, until: Option<Duration>) -> Result<bool, Failed> {
        self.socket.write_all(&self.output.split())?;
        let time = until.map(|until| until.saturating_sub(self.opened.elapsed()));
        self.socket.set_read_timeout(time)?;
        let mut room = [0; 4096];
        let n = self.socket.read(&mut room)?;
        self.input.extend_from_slice(&room[..n]);
        Ok(n > 0)
    }
}

/// One client in front, and its connection to the server behind.
fn proxy(front: TcpStream, behind: SocketAddr) -> Result<(), Failed> {
    let (mut front, mut behind) = (Side::new(front), Side::new(TcpStream::connect(behind)?));
    let mut client = Client::new(client::Config::default().shared());
    let name = Domain::parse("proxy.example.org")?;
    await_reply(&mut client, &mut behind)?;
    client.ehlo(&name, &mut behind.output)?;
    await_reply(&mut client, &mut behind)?;

    // Offered in front is what the server behind offers, as far as there is code for it here.
    let behind_offers = client.capabilities();
    let passed = [Extension::Pipelining, Extension::EightBitMime, Extension::SmtpUtf8, Extension::Dsn];
    let offered = passed.into_iter().filter(|extension| behind_offers.has(*extension));
    let mut config = Config::new(name);
    config.capabilities =
        offered.fold(Capabilities::new(), Capabilities::with).with_size(behind_offers.size().unwrap_or(0));
    let mut server = Server::new(config.shared());
    loop {
        let step = server.step(front.opened.elapsed(), &front.input, &mut front.output)?;
        match step {
            Step::Event(taken) => {
                match server.event(taken, &front.input) {
                    Event::Mail(mail) => client.mail(&mail.from, &mail.params, &mut behind.output)?,
                    Event::Rcpt(rcpt) if rcpt.to.as_str().starts_with("unwanted@") => {
                        println!("proxy: {} does not pass", rcpt.to);
                        server.reply(&UNWANTED, &mut front.output)?;
                    }
                    Event::Rcpt(rcpt) => client.rcpt(&rcpt.to, &rcpt.params, &mut behind.output)?,
                    Event::Data => client.data(&mut behind.output)?,
                    Event::Body(body) => {
                        body.slices().try_for_each(|slice| client.body(slice, &mut behind.output))?;
                    }
                    Event::MessageEnd { .. } => client.finish(&mut behind.output)?,
                    Event::Rset => client.rset(&mut behind.output)?,
                    Event::Vrfy(text) => client.command(&Command::Vrfy(text), &mut behind.output)?,
                    Event::Quit => client.quit(&mut behind.output)?,
                    // The machine refused a message of its own accord: DATA can't be taken back but by leaving.
                    Event::Refused(_) => return Ok(()),
                    // Answered here: the connection, EHLO, NOOP, and verbs that are not passed on.
                    _ => server
                        .default_reply()
                        .map_or(Ok(()), |reply| server.reply(&reply, &mut front.output))?,
                }
                front.input.advance(taken.len());
            }
            Step::AwaitingReply => {
                let reply = await_reply(&mut client, &mut behind)?;
                server.reply(&reply, &mut front.output)?;
            }
            Step::Flush(_) => front.socket.write_all(&front.output.split())?,
            Step::NeedInput(until) => {
                // A message goes on piece by piece.
                behind.socket.write_all(&behind.output.split())?;
                if !front.turn(until)? {
                    return Ok(());
                }
            }
            _ => return Ok(front.socket.write_all(&front.output.split())?),
        }
    }
}

/// The next reply of the server behind.
fn await_reply(client: &mut Client, behind: &mut Side) -> Result<Reply<'static>, Failed> {
    loop {
        match client.step(behind.opened.elapsed(), &behind.input)? {
            client::Step::Event(taken) | client::Step::Unsolicited(taken) => {
                let reply = client.event(taken, &behind.input).reply.into_owned();
                behind.input.advance(taken.len());
                return Ok(reply);
            }
            client::Step::NeedInput(until) => {
                if !behind.turn(until)? {
                    client.eof()?;
                }
            }
            step => return Err(format!("no reply is to be had: {step:?}").into()),
        }
    }
}

/// The server behind.
#[derive(Default)]
struct Store {
    to: String,
    octets: usize,
}

impl Handler for Store {
    async fn rcpt(&mut self, rcpt: &Rcpt<'_>) -> Reply<'static> {
        self.to = rcpt.to.as_str().to_owned();
        OK
    }

    async fn body(&mut self, body: &Body<'_>) -> Result<(), Reply<'static>> {
        self.octets += body.slices().map(<[u8]>::len).sum::<usize>();
        Ok(())
    }

    async fn message(&mut self) -> Reply<'static> {
        const QUEUED: Reply<'static> = Reply::fixed(Code::OK, Some(Enhanced::fixed(2, 0, 0)), "queued as 17");
        println!("the server behind got a message of {} octets for {}", self.octets, self.to);
        QUEUED
    }
}

fn main() -> Result<(), Failed> {
    let (listener, shutdown) = (Listener::bind("127.0.0.1:0")?, Shutdown::new());
    let behind = listener.local_addr()?;
    let service = Service::new(Config::new(Domain::parse("mx.example.net")?).shared());
    let flag = shutdown.clone();
    let server = thread::spawn(move || serve(listener, service, &flag, Store::default));

    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let proxy = thread::spawn(move || proxy(listener.accept()?.0, behind));

    let envelope = Envelope::parse("ann@example.org", ["ben@example.net", "unwanted@example.net"])?;
    let mut connection = connect(&Destination::from(address))?;
    let report = connection.send(&envelope, "Subject: hello\r\n\r\nHello, Ben.\r\n\r\n")?;
    connection.quit();
    for (to, outcome) in envelope.to.iter().zip(report.outcomes()) {
        println!("{}: {outcome}", to.path.as_str());
    }
    shutdown.begin();
    proxy.join().expect("a proxy that does not panic")?;
    Ok(server.join().expect("a server that does not panic")?)
}
