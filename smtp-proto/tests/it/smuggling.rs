//! A second message within the first: what one side takes for content, the other may not take for commands.

use core::time::Duration;

use bytes::{Buf, BytesMut};
use smtp_proto::address::{Domain, ForwardPath, ReversePath};
use smtp_proto::client::{self, Client};
use smtp_proto::dot::{LineEnds, Stuffer};
use smtp_proto::param::Params;
use smtp_proto::server::{Config, Event, Server, Step};

mod relay;

const NOW: Duration = Duration::ZERO;

/// What some server or other has taken for the end of a message.
const NO_ENDS: [&[u8]; 16] = [
    b"\n.\n",
    b"\n.\r\n",
    b"\r\n.\n",
    b"\r.\r",
    b"\r.\r\n",
    b"\r\n.\r",
    b"\n.\r",
    b"\r.\n",
    b"\r\n.\r\r\n",
    b"\r\r\n.\n\r\n",
    b"\n\n.\r\n",
    b"\r\n\0.\r\n",
    b"\r\n.\0\r\n",
    b"\r\n.\0\n.\r\n",
    b".\n.\r\n",
    b"\r\n..\r\n",
];

const INNER: &[u8] = b"MAIL FROM:<evil@example.com>\r\nRCPT TO:<victim@example.org>\r\nDATA\r\nforged";

fn domain(name: &str) -> Domain<'_> {
    Domain::parse(name).expect("a domain")
}

fn server(ends: LineEnds) -> Server {
    let mut config = Config::new(Domain::parse("mx.example.org").expect("a domain"));
    config.policy.line_ends = ends;
    Server::new(config.shared())
}

/// The events of a session, in a word each, and the messages that were taken.
fn receive(server: &mut Server, wire: &[u8], cut: usize) -> (Vec<String>, Vec<Vec<u8>>) {
    let (mut events, mut messages) = (Vec::new(), Vec::new());
    let (mut input, mut output, mut body) = (BytesMut::new(), BytesMut::new(), Vec::new());
    for piece in [&b""[..], &wire[..cut], &wire[cut..]] {
        input.extend_from_slice(piece);
        loop {
            match server.step(NOW, &input, &mut output).expect("no violation") {
                Step::Event(taken) => {
                    match server.event(taken, &input) {
                        Event::Body(piece) => piece.append_to(&mut body),
                        Event::Mail(mail) => events.push(format!("MAIL {}", mail.from.as_str())),
                        Event::MessageEnd { .. } => {
                            events.push("END".into());
                            messages.push(core::mem::take(&mut body));
                        }
                        Event::Refused(_) => {
                            events.push("REFUSED".into());
                            body.clear();
                        }
                        Event::Quit => events.push("QUIT".into()),
                        _ => {}
                    }
                    input.advance(taken.len());
                    if let Some(reply) = server.default_reply() {
                        server.reply(&reply, &mut output).expect("a reply is owed");
                    }
                }
                Step::Flush(_) => output.clear(),
                Step::NeedInput(_) | Step::Closed => break,
                other => panic!("{other:?}"),
            }
        }
    }
    (events, messages)
}

const ENVELOPE: &[u8] =
    b"EHLO c.example.com\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n";

#[test]
fn a_server_hears_one_message_whatever_is_in_it() {
    for ends in [LineEnds::Reject, LineEnds::Normalise, LineEnds::Keep] {
        for no_end in NO_ENDS {
            let message = [b"Subject: x\r\n\r\nouter", no_end, INNER].concat();
            let wire = [ENVELOPE, &message, b"\r\n.\r\nQUIT\r\n"].concat();
            for cut in 0..=wire.len() {
                let (events, messages) = receive(&mut server(ends), &wire, cut);
                let shown = no_end.escape_ascii();
                assert_eq!(events.first().map(String::as_str), Some("MAIL a@example.com"));
                assert_eq!(events.len(), 3, "{shown} under {ends:?}, cut at {cut}: {events:?}");
                assert_eq!(events[2], "QUIT");
                let bare = no_end != b"\r\n..\r\n";
                let nul = no_end.contains(&0);
                let refused = nul || (bare && ends == LineEnds::Reject);
                assert_eq!(events[1], if refused { "REFUSED" } else { "END" }, "{shown} under {ends:?}");
                assert_eq!(messages.len(), usize::from(!refused));
            }
        }
    }
}

/// What a client puts on the wire for this message, given to it in two pieces.
fn send(message: &[u8], cut: usize, ends: LineEnds) -> Option<Vec<u8>> {
    let mut config = client::Config::default();
    config.line_ends = ends;
    let (mut client, mut output) = (Client::new(config.into()), BytesMut::new());
    let hear = |client: &mut Client, reply: &str| {
        let mut input = reply.as_bytes();
        let step = client.poll(NOW, &mut input).expect("a reply");
        assert!(matches!(step, client::Step::Event(_)), "{step:?}");
    };
    hear(&mut client, "220 hello\r\n");
    client.ehlo(&Domain::parse("c.example.com").expect("a domain"), &mut output).expect("EHLO");
    hear(&mut client, "250 hello\r\n");
    let none = Params::default();
    client.mail(&ReversePath::parse("<a@example.com>").expect("a path"), &none, &mut output).expect("MAIL");
    hear(&mut client, "250 ok\r\n");
    client.rcpt(&ForwardPath::parse("<b@example.org>").expect("a path"), &none, &mut output).expect("RCPT");
    hear(&mut client, "250 ok\r\n");
    client.data(&mut output).expect("DATA");
    hear(&mut client, "354 go\r\n");
    client.body(&message[..cut], &mut output).ok()?;
    client.body(&message[cut..], &mut output).ok()?;
    client.finish(&mut output).ok()?;
    Some(output.to_vec())
}

#[test]
fn a_client_gives_no_server_a_second_message() {
    for no_end in NO_ENDS.into_iter().chain([&b"\r\n.\r\n"[..]]) {
        let message = [b"Subject: x\r\n\r\nouter", no_end, INNER].concat();
        for cut in 0..=message.len() {
            let shown = no_end.escape_ascii();
            let bare = no_end != b"\r\n..\r\n" && no_end != b"\r\n.\r\n";
            let rejected = send(&message, cut, LineEnds::Reject);
            assert_eq!(rejected.is_none(), bare, "{shown}, cut at {cut}");
            let Some(wire) = send(&message, cut, LineEnds::Normalise) else {
                assert!(no_end.contains(&0), "{shown}, cut at {cut}");
                continue;
            };
            // No line end but CRLF, and no line of a dot but the last.
            let content = wire.strip_prefix(ENVELOPE).expect("the envelope");
            let text = content.to_vec();
            let lines: Vec<&[u8]> = text.split(|octet| *octet == b'\n').collect();
            let (last, lines) = lines.split_last().expect("lines");
            assert!(last.is_empty(), "{shown}");
            for (n, line) in lines.iter().enumerate() {
                let line = line.strip_suffix(b"\r").expect("CRLF");
                assert!(!line.contains(&b'\r'), "{shown}, cut at {cut}: a bare CR went out");
                assert_eq!(line == b".", n + 1 == lines.len(), "{shown}, cut at {cut}");
            }
            let (events, messages) = receive(&mut server(LineEnds::Reject), &wire, 0);
            assert_eq!(events, ["MAIL a@example.com", "END"], "{shown}, cut at {cut}");
            assert_eq!(messages.len(), 1);
        }
    }
}

/// Line ends that are kept, as another client may do, still make one message to a server by the book.
#[test]
fn kept_line_ends_are_one_message_too() {
    for no_end in NO_ENDS.into_iter().chain([&b"\r\n.\r\n"[..]]) {
        let message = [b"outer", no_end, INNER, b"\r\n"].concat();
        for cut in 0..=message.len() {
            let (mut stuffer, mut wire) = (Stuffer::new(LineEnds::Keep), BytesMut::from(ENVELOPE));
            for piece in [&message[..cut], &message[cut..]] {
                stuffer.append(piece, &mut wire).expect("anything goes");
            }
            stuffer.finish(&mut wire).expect("anything goes");
            let mut config = Config::new(Domain::parse("mx.example.org").expect("a domain"));
            config.policy.line_ends = LineEnds::Keep;
            config.policy.nul = true;
            let (events, messages) = receive(&mut Server::new(config.shared()), &wire, 0);
            assert_eq!(events, ["MAIL a@example.com", "END"], "{}, cut at {cut}", no_end.escape_ascii());
            assert_eq!(messages, core::slice::from_ref(&message), "what went in comes out");
        }
    }
}

/// The octets of a chunk are counted, so that nothing in them can be a command, refused or not.
#[test]
fn a_chunk_holds_no_commands() {
    let chunk = [b"outer\r\n.\r\n", INNER, b"\r\n.\r\nQUIT\r\n"].concat();
    for envelope in [&ENVELOPE[..ENVELOPE.len() - 6], b"EHLO c.example.com\r\n", b""] {
        let line = format!("BDAT {} LAST\r\n", chunk.len());
        let wire = [envelope, line.as_bytes(), &chunk, b"NOOP\r\n"].concat();
        for cut in 0..=wire.len() {
            let (events, _) = receive(&mut server(LineEnds::Reject), &wire, cut);
            assert!(!events.iter().any(|event| event.contains("evil") || event == "QUIT"), "{events:?}");
        }
    }
}
