//! No allocation per command, per reply and per octet once the buffers are warm; and what a machine weighs.

use std::{sync::Arc, time::Duration};

use allocation_counter::measure;
use bytes::BytesMut;
use smtp_proto::{
    address::{ForwardPath, ReversePath},
    client::{self, Client},
    link::Link,
    param::{Param, Params},
    server::{self, Event, Server, Step},
    session::{Content, Delivery, Envelope, Transfer, Want},
};

use crate::pair::{config, domain, mailbox};

/// Two machines and their buffers, without anything between them that could allocate.
struct Bare {
    client: Client,
    server: Server,
    up: BytesMut,
    down: BytesMut,
    body: Vec<u8>,
    messages: usize,
}

impl Bare {
    fn opened() -> Self {
        let mut bare = Self {
            client: Client::new(Arc::default()),
            server: Server::new(config().shared()),
            up: BytesMut::with_capacity(1 << 20),
            down: BytesMut::with_capacity(1 << 20),
            body: Vec::with_capacity(1 << 20),
            messages: 0,
        };
        bare.serve();
        bare.hear();
        bare.client.ehlo(&domain("client.example"), &mut bare.up).expect("in step");
        bare.serve();
        bare.hear();
        bare
    }

    fn serve(&mut self) {
        let mut input = &self.up[..];
        loop {
            match self.server.poll(Duration::ZERO, &mut input, &mut self.down).expect("in step") {
                Step::Event(Event::Body(body)) => body.append_to(&mut self.body),
                Step::Event(Event::MessageEnd { .. }) => self.messages += 1,
                Step::Event(Event::Rejected(code)) => panic!("{code}"),
                Step::Event(_) | Step::Flush(_) => {}
                Step::NeedInput(_) => break,
                step => panic!("{step:?}"),
            }
            if let Some(reply) = self.server.default_reply() {
                self.server.reply(&reply, &mut self.down).expect("in step");
            }
        }
        assert!(input.is_empty());
        self.up.clear();
    }

    fn hear(&mut self) {
        let mut input = &self.down[..];
        loop {
            match self.client.poll(Duration::ZERO, &mut input).expect("in step") {
                client::Step::Event(answer) => assert!(answer.reply.code().as_u16() < 400, "{answer:?}"),
                client::Step::Idle => break,
                client::Step::NeedInput(_) if self.client.is_waiting() => break,
                step => panic!("{step:?}"),
            }
        }
        assert!(input.is_empty());
        self.down.clear();
    }

    fn message(&mut self, letter: &Plain, chunked: bool) {
        self.body.clear();
        self.client.mail(&letter.from, &letter.params, &mut self.up).expect("in step");
        for to in &letter.to {
            self.client.rcpt(to, &letter.none, &mut self.up).expect("in step");
        }
        if chunked {
            self.serve();
            self.hear();
            let (first, last) = letter.data.split_at(letter.data.len() / 2);
            for (piece, is_last) in [(first, false), (last, true)] {
                self.client.chunk(piece.len() as u64, is_last, &mut self.up).expect("in step");
                self.client.body(piece, &mut self.up).expect("in step");
            }
        } else {
            self.client.data(&mut self.up).expect("in step");
            self.serve();
            self.hear();
            for piece in letter.data.chunks(1000) {
                self.client.body(piece, &mut self.up).expect("in step");
            }
            self.client.finish(&mut self.up).expect("in step");
        }
        self.serve();
        self.hear();
        assert!(self.body == letter.data && !self.client.needs_reset());
    }
}

struct Plain {
    from: ReversePath<'static>,
    to: Vec<ForwardPath<'static>>,
    params: Params<'static>,
    none: Params<'static>,
    data: Vec<u8>,
}

fn letter(recipients: usize) -> Plain {
    Plain {
        from: mailbox("\"me\"@from.example").into(),
        to: (0..recipients).map(|n| mailbox(&format!("a{n}@to.example")).into()).collect(),
        params: Params::default().with(&Param::Size(100_000)).expect("in step"),
        none: Params::default(),
        data: b"Subject: none\r\n\r\n.dots\r\n..\r\n.\r\nand lines of text\r\n".repeat(1000),
    }
}

#[test]
fn a_message_allocates_nothing() {
    for chunked in [false, true] {
        for recipients in [1, 50] {
            let (mut bare, letter) = (Bare::opened(), letter(recipients));
            for _ in 0..3 {
                bare.message(&letter, chunked);
            }
            let cost = measure(|| (0..10).for_each(|_| bare.message(&letter, chunked)));
            assert_eq!(bare.messages, 13);
            println!(
                "{recipients} recipients, {}: {} allocations in 10 messages",
                if chunked { "BDAT" } else { "DATA" },
                cost.count_total
            );
            assert_eq!(cost.count_total, 0, "{recipients} recipients, chunked {chunked}");
        }
    }
}

/// Refusals too are said and read without an allocation.
#[test]
fn refusals_allocate_nothing() {
    let (mut bare, letter) = (Bare::opened(), letter(1));
    let mut round = || {
        bare.client.mail(&letter.from, &letter.params, &mut bare.up).unwrap();
        for to in &letter.to {
            bare.client.rcpt(to, &letter.none, &mut bare.up).unwrap();
        }
        bare.client.data(&mut bare.up).unwrap();
        let mut input = &bare.up[..];
        let refusal =
            smtp_proto::reply::Reply::fixed(smtp_proto::status::Code::MAILBOX_UNAVAILABLE, None, "no");
        let mut refused = 0;
        loop {
            match bare.server.poll(Duration::ZERO, &mut input, &mut bare.down).unwrap() {
                Step::Event(Event::Rejected(_)) => refused += 1,
                Step::NeedInput(_) => break,
                _ => {}
            }
            if bare.server.owed() > 0 {
                bare.server.reply(&refusal, &mut bare.down).unwrap();
            }
        }
        assert_eq!(refused, 2, "RCPT and DATA behind a refused MAIL");
        bare.up.clear();
        let mut input = &bare.down[..];
        while let client::Step::Event(answer) = bare.client.poll(Duration::ZERO, &mut input).unwrap() {
            assert!(answer.reply.is_permanent());
        }
        bare.down.clear();
    };
    (0..3).for_each(|_| round());
    let cost = measure(|| (0..10).for_each(|_| round()));
    assert_eq!(cost.count_total, 0);
}

/// The conversation above the machine keeps a report: a few allocations a message, whatever the number of recipients.
#[test]
fn a_delivery_allocates_its_report() {
    for recipients in [1, 50] {
        let mut bare = Bare::opened();
        let to = (0..recipients).map(|n| mailbox(&format!("a{n}@to.example")));
        let envelope = Envelope::new(mailbox("me@from.example"), to);
        let data = b"Subject: none\r\n\r\n.\r\n".repeat(100);
        let content = Content::of(&data);
        let mut round = || {
            let mut delivery = Delivery::new(&envelope, &content, Transfer::Data, &bare.client);
            loop {
                let mut input = &bare.down[..];
                let want = delivery.poll(&mut bare.client, Duration::ZERO, &mut input, &mut bare.up).unwrap();
                assert!(input.is_empty());
                bare.down.clear();
                match want {
                    Want::Body => delivery.body(&data, true, &mut bare.client, &mut bare.up).unwrap(),
                    Want::Done => break,
                    _ => bare.serve(),
                }
            }
            assert!(delivery.report().all_delivered());
        };
        (0..3).for_each(|_| round());
        let cost = measure(|| (0..10).for_each(|_| round()));
        println!("a delivery to {recipients}: {} allocations in 10 messages", cost.count_total);
        assert!(cost.count_total <= 60, "{}", cost.count_total);
    }
}

/// The ceilings are what each weighs on a machine of 64 bits: whoever makes one larger says so here.
#[test]
fn what_a_machine_weighs() {
    let sizes = [
        ("Server", size_of::<Server>(), 360),
        ("Client", size_of::<Client>(), 256),
        ("Capabilities, in each of them", size_of::<smtp_proto::extension::Capabilities<'static>>(), 80),
        ("server::Taken", size_of::<server::Taken>(), 32),
        ("server::Event", size_of::<Event<'static>>(), 96),
        ("client::Taken", size_of::<client::Taken>(), 16),
        ("client::Answer", size_of::<client::Answer<'static>>(), 48),
        ("Link", size_of::<Link>(), 72),
        ("Delivery", size_of::<Delivery<'static>>(), 224),
    ];
    for (name, size, ceiling) in sizes {
        println!("{name}: {size} octets");
        assert!(size <= ceiling, "{name} has {size} octets of {ceiling}");
    }
    // A machine owns no buffer of its own: one that was just made has allocated nothing, but for what EHLO will list.
    let (config, client) = (config().shared(), Arc::default());
    assert_eq!(measure(|| drop(Client::new(Arc::clone(&client)))).count_total, 0);
    assert_eq!(measure(|| drop(Server::new(Arc::clone(&config)))).count_total, 0);
}
