//! A filtering proxy: a server's machine in front, a client's machine behind, replies passed on as they came.

use bytes::{Buf as _, BytesMut};
use smtp_proto::client::{self, Client};
use smtp_proto::command::Command;
use smtp_proto::reply::Reply;
use smtp_proto::server::{Event, Server, Step};
use smtp_proto::status::Code;

use super::{NOW, config, connected, ok, serve, text};

const UNWANTED: Reply<'static> = Reply::fixed(Code::MAILBOX_UNAVAILABLE, None, "not through here");

struct Proxy {
    server: Server,
    client: Client,
    /// From the client in front, and to it.
    input: BytesMut,
    front: BytesMut,
    /// To the server behind.
    behind: BytesMut,
}

impl Proxy {
    /// The server behind has been greeted; the one in front offers what it offers.
    fn new(offers: &[&str]) -> Self {
        let client = connected(client::Config::default(), offers);
        let mut server = Server::new(config().shared());
        *server.capabilities_mut() = client.capabilities().clone();
        serve(&mut server, b"", |_, _, _| {});
        serve(&mut server, b"EHLO front.example\r\n", |_, _, _| {});
        let [input, front, behind] = [(); 3].map(|()| BytesMut::new());
        Self { server, client, input, front, behind }
    }

    /// Commands go on as they are read, as far as the replies of the server behind allow.
    fn forward(&mut self) {
        let Self { server, client, input, front, behind } = self;
        loop {
            let taken = match server.step(NOW, input, front).unwrap() {
                Step::Event(taken) => taken,
                Step::Flush(_) | Step::AwaitingReply | Step::NeedInput(_) | Step::Closed => return,
                step => panic!("{step:?}"),
            };
            match server.event(taken, input) {
                Event::Mail(mail) => client.mail(&mail.from, &mail.params, behind).unwrap(),
                Event::Rcpt(rcpt) if rcpt.to.as_str().starts_with("unwanted@") => {
                    server.reply(&UNWANTED, front).unwrap();
                }
                Event::Rcpt(rcpt) => client.rcpt(&rcpt.to, &rcpt.params, behind).unwrap(),
                Event::Data => client.data(behind).unwrap(),
                Event::Body(body) => body.slices().for_each(|slice| client.body(slice, behind).unwrap()),
                Event::MessageEnd { .. } => client.finish(behind).unwrap(),
                Event::Vrfy(text) => client.command(&Command::Vrfy(text), behind).unwrap(),
                Event::Quit => client.quit(behind).unwrap(),
                Event::Rejected(_) => {}
                event => panic!("{event:?}"),
            }
            input.advance(taken.len());
        }
    }

    /// What the client in front says; what then goes to the server behind.
    fn hears(&mut self, input: &str) -> String {
        self.input.extend_from_slice(input.as_bytes());
        self.forward();
        text(&mut self.behind)
    }

    /// What the server behind says; what then goes to the client in front.
    fn is_told(&mut self, replies: &str) -> String {
        let mut replies = replies.as_bytes();
        while let client::Step::Event(answer) = self.client.poll(NOW, &mut replies).unwrap() {
            self.server.reply(&answer.reply, &mut self.front).unwrap();
        }
        self.forward();
        text(&mut self.front)
    }
}

#[test]
fn passes_on_what_it_got() {
    let mut proxy = Proxy::new(&["PIPELINING", "ENHANCEDSTATUSCODES", "DSN", "SIZE 1000"]);
    let pass = |proxy: &mut Proxy, command: &str, reply: &str| {
        assert_eq!(proxy.hears(command), command);
        assert_eq!(proxy.is_told(reply), reply);
    };
    pass(
        &mut proxy,
        "MAIL FROM:<\"a b\\c\"@x.example> RET=HDRS ENVID=a+3Db\r\n",
        "250-2.1.0 well,\r\n250 2.1.0 well\r\n",
    );
    assert_eq!(proxy.hears("RCPT TO:<unwanted@x.example>\r\n"), "");
    assert_eq!(text(&mut proxy.front), "550 5.0.0 not through here\r\n");
    pass(&mut proxy, "RCPT TO:<Ann@x.example> NOTIFY=NEVER\r\n", "250 2.1.5 <Ann@x.example>... ok\r\n");
    pass(&mut proxy, "VRFY ann\r\n", "252 2.5.2 perhaps\r\n");
    pass(&mut proxy, "DATA\r\n", "354 go\r\n");
    pass(&mut proxy, "Subject: hi\r\n\r\n..dots\r\n.\r\n", "250 2.0.0 queued as 17\r\n");
    pass(&mut proxy, "QUIT\r\n", "221 2.0.0 mx.example closing\r\n");
}

/// A group waits in the proxy's buffer and goes on reply by reply.
#[test]
fn a_pipelined_group() {
    let mut proxy = Proxy::new(&["PIPELINING"]);
    assert_eq!(proxy.hears("MAIL FROM:<>\r\nRCPT TO:<ann@x.example>\r\nDATA\r\n"), "MAIL FROM:<>\r\n");
    assert_eq!(proxy.is_told("250 ok\r\n"), "250 ok\r\n");
    assert_eq!(text(&mut proxy.behind), "RCPT TO:<ann@x.example>\r\n");
    assert_eq!(
        proxy.is_told("450-not\r\n450 now\r\n"),
        "450-not\r\n450 now\r\n554 5.5.1 no valid recipients\r\n"
    );
    assert_eq!(proxy.server.reply(&ok("ok"), &mut proxy.front), Err(smtp_proto::error::NotNow::NothingOwed));
}
