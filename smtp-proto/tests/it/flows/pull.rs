//! Pull loops over buffers of the embedder's own.

use std::collections::VecDeque;

use bytes::{Buf as _, BytesMut};
use smtp_proto::reply::Reply;
use smtp_proto::server::{Event, Server, Step};
use smtp_proto::status::Code;

use super::{NOW, codes, config, ok};

/// Owns its buffers and lends events out of them.
struct Connection<'w> {
    server: Server,
    input: BytesMut,
    output: BytesMut,
    /// Octets of the input that the event lent last stands in.
    lent: usize,
    reads: VecDeque<&'w [u8]>,
    writes: Vec<String>,
}

/// Answers one event, while that is still borrowed.
struct Responder<'c> {
    server: &'c mut Server,
    output: &'c mut BytesMut,
}

impl Responder<'_> {
    fn reply(self, reply: &Reply<'_>) {
        self.server.reply(reply, self.output).unwrap();
    }
}

impl<'w> Connection<'w> {
    fn new(reads: impl IntoIterator<Item = &'w [u8]>) -> Self {
        let server = Server::new(config().shared());
        let (input, output) = (BytesMut::new(), BytesMut::new());
        Self { server, input, output, lent: 0, reads: reads.into_iter().collect(), writes: Vec::new() }
    }

    fn next(&mut self) -> Option<(Event<'_>, Responder<'_>)> {
        self.input.advance(core::mem::take(&mut self.lent));
        let taken = loop {
            match self.server.step(NOW, &self.input, &mut self.output).unwrap() {
                Step::Event(taken) => break taken,
                Step::AwaitingReply => {
                    let forgotten = Reply::fixed(Code::LOCAL_ERROR, None, "no answer");
                    self.server.reply(&forgotten, &mut self.output).unwrap();
                }
                Step::Flush(_) => self.flush(),
                Step::NeedInput(_) => {
                    self.flush();
                    self.input.extend_from_slice(self.reads.pop_front()?);
                }
                _ => {
                    self.flush();
                    return None;
                }
            }
        };
        self.lent = taken.len();
        let event = self.server.event(taken, &self.input);
        Some((event, Responder { server: &mut self.server, output: &mut self.output }))
    }

    fn flush(&mut self) {
        if !self.output.is_empty() {
            self.writes.push(super::text(&mut self.output));
        }
    }
}

/// The loop itself is a `while let`; an event may be held while it is answered, and one forgotten is answered 451.
#[test]
fn owning_its_buffers() {
    let reads: [&[u8]; 3] = [
        b"EHLO x.example\r\n",
        b"MAIL FROM:<a@x.example>\r\nRCPT TO:<b@y.example>\r\nRCPT TO:<c@y.example>\r\nDATA\r\nhi",
        b"\r\n.\r\nQUIT\r\n",
    ];
    let mut connection = Connection::new(reads);
    let (mut message, mut heard) = (Vec::new(), Vec::new());
    while let Some((event, responder)) = connection.next() {
        match event {
            Event::Rcpt(rcpt) if rcpt.to.as_str() == "c@y.example" => {}
            Event::Rcpt(rcpt) => {
                let text = format!("{} is welcome", rcpt.to);
                responder.reply(&Reply::new(Code::OK, text).unwrap());
                heard.push(rcpt.to.as_str().to_string());
            }
            Event::Body(body) => body.append_to(&mut message),
            _ => {
                if let Some(reply) = responder.server.default_reply() {
                    responder.reply(&reply);
                }
            }
        }
    }
    assert_eq!((&message[..], heard), (&b"hi\r\n"[..], vec![String::from("b@y.example")]));
    // One write for each read: what was pipelined is answered at once, DATA at its end.
    let writes: Vec<_> = connection.writes.iter().map(|said| codes(said)).collect();
    assert_eq!(writes, [vec![220], vec![250], vec![250, 250, 451, 354], vec![250, 221]]);
    assert!(connection.writes[2].contains("<b@y.example> is welcome"));
}

/// Where the input outlives the loop, `poll` lends events and their answers are appended meanwhile.
#[test]
fn input_lent_output_appended() {
    let mut server = super::greeted(config());
    let mut output = BytesMut::new();
    let mut input = &b"MAIL FROM:<a@x.example>\r\nRCPT TO:<b@y.example>\r\nRSET\r\n"[..];
    let mut events = Vec::new();
    while let Step::Event(event) = server.poll(NOW, &mut input, &mut output).unwrap() {
        server.reply(&ok("ok"), &mut output).unwrap();
        events.push(event);
    }
    let [Event::Mail(mail), Event::Rcpt(rcpt), Event::Rset] = &events[..] else { panic!("{events:?}") };
    assert_eq!((mail.from.as_str(), rcpt.to.as_str()), ("a@x.example", "b@y.example"));
    assert_eq!(codes(&super::text(&mut output)), [250, 250, 250]);
}
