//! Any calls in any order, legal or not: no panic, nothing changed by what is refused, no reply and no line in halves.

use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use bytes::BytesMut;
use smtp_proto::client::{Client, Step as ClientStep};
use smtp_proto::extension::Extension;
use smtp_proto::server::{Server, Step};

use super::script::Script;
use super::server::{Answer, codes};
use super::{client as clients, server as servers};

/// What may happen to either machine.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Common<'i> {
    /// A line comes that stands in the list.
    Line(u8),
    /// Octets come.
    Octets(&'i [u8]),
    Step,
    Poll,
    Eof,
    TimedOut,
    Tls,
    /// Seconds pass.
    Later(u8),
    /// The output is written.
    Written,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum ServerOperation<'i> {
    Common(Common<'i>),
    Answer(Answer),
    ShutDown,
    /// Something is offered from now on, or no longer.
    Offer(u8, bool),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum ClientOperation<'i> {
    Common(Common<'i>),
    Call(clients::Call),
    Abandon,
}

/// What clients say.
const LINES: [&[u8]; 24] = [
    b"EHLO me.example\r\n",
    b"HELO me.example\r\n",
    b"LHLO me.example\r\n",
    b"MAIL FROM:<a@b>\r\n",
    b"MAIL FROM:<> BODY=BINARYMIME\r\n",
    b"MAIL FROM:<a@b> PRDR SIZE=40\r\n",
    b"RCPT TO:<a@b>\r\n",
    b"RCPT TO:<Postmaster>\r\n",
    b"DATA\r\n",
    b"BDAT 6\r\nhello\n",
    b"BDAT 6 LAST\r\n.\r\n.\r\n",
    b"BDAT 0 LAST\r\n",
    b"BDAT 99999999999999999999\r\n",
    b".\r\n",
    b"..text\r\n",
    b"bare\nlf\r\n",
    b"RSET\r\n",
    b"STARTTLS\r\n",
    b"AUTH PLAIN AGEAYg==\r\n",
    b"AUTH LOGIN\r\n",
    b"*\r\n",
    b"AGEAYg==\r\n",
    b"XCLIENT ADDR=192.0.2.1\r\n",
    b"QUIT\r\n",
];

/// What servers say.
const REPLIES: [&[u8]; 20] = [
    b"220 mx.example\r\n",
    b"554 no\r\n",
    b"250-mx.example\r\n250-PIPELINING\r\n250-CHUNKING\r\n250-PRDR\r\n250-STARTTLS\r\n250-XCLIENT\r\n250 AUTH PLAIN LOGIN\r\n",
    b"250-mx.example\r\n250 AUTH PLAIN\r\n",
    b"250 ok\r\n",
    b"250 2.1.0 ok\r\n",
    b"251-will\r\n251 forward\r\n",
    b"354 go\r\n",
    b"353 prdr\r\n",
    b"334 \r\n",
    b"334 cGFzcw==\r\n",
    b"235 in\r\n",
    b"221 bye\r\n",
    b"421 closing\r\n",
    b"521 nobody here\r\n",
    b"450 4.2.0 later\r\n",
    b"501 cancelled\r\n",
    b"550 5.1.1 no\r\n",
    b"250-ok\r\n550 no\r\n",
    b"\x16\x03\x01\x00\x02",
];

/// One operation after the other, on a server whose first option letters stand ahead of them.
pub fn server(input: &[u8]) {
    let (options, rest) = input.split_at(input.len().min(4));
    let script = Script { options, ..Script::read(b"") };
    let mut server = Server::new(servers::config(&script));
    let (mut input, mut output, mut now) = (Vec::new(), BytesMut::new(), Duration::ZERO);
    let mut closed = false;
    for operation in Unstructured::new(rest).arbitrary_iter::<ServerOperation<'_>>().into_iter().flatten() {
        let Ok(operation) = operation else { break };
        let mark = output.len();
        match operation {
            ServerOperation::Common(Common::Line(i)) => input.extend(LINES[usize::from(i) % LINES.len()]),
            ServerOperation::Common(Common::Octets(octets)) => input.extend(octets),
            ServerOperation::Common(Common::Step) => {
                let step = server.step(now, &input, &mut output);
                match step {
                    Ok(Step::Event(taken)) => {
                        drop(format!("{:?}", server.event(taken, &input)));
                        input.drain(..taken.len());
                    }
                    Ok(Step::NeedInput(until) | Step::Flush(until)) => {
                        assert!(until.is_some(), "a wait without end");
                    }
                    _ => {}
                }
                assert!(!closed || matches!(step, Ok(Step::Closed | Step::Flush(_))), "{step:?} when closed");
                closed |= matches!(step, Ok(Step::Closed) | Err(_));
            }
            ServerOperation::Common(Common::Poll) => {
                let mut rest = &input[..];
                let step = server.poll(now, &mut rest, &mut output);
                assert!(!closed || matches!(step, Ok(Step::Closed | Step::Flush(_))), "{step:?} when closed");
                closed |= matches!(step, Ok(Step::Closed) | Err(_));
                let len = input.len() - rest.len();
                input.drain(..len);
            }
            ServerOperation::Common(Common::Eof) => {
                let _ = server.eof();
            }
            ServerOperation::Common(Common::TimedOut) => drop(server.timed_out(&mut output)),
            ServerOperation::Common(Common::Tls) => server.tls_established(),
            ServerOperation::Common(Common::Later(seconds)) => now += Duration::from_secs(seconds.into()),
            ServerOperation::Common(Common::Written) => output.clear(),
            ServerOperation::Answer(answer) => {
                let owed = server.owed();
                let given = answer.give(&mut server, &mut output);
                assert!(owed > 0 || given.is_err() || answer == Answer::ShutDown, "nothing was owed");
            }
            ServerOperation::ShutDown => server.shut_down(),
            ServerOperation::Offer(i, on) => {
                let extension = Extension::ALL[usize::from(i) % Extension::ALL.len()];
                let offered = std::mem::take(server.capabilities_mut());
                *server.capabilities_mut() =
                    if on { offered.with(extension) } else { offered.without(extension) };
            }
        }
        codes(output.get(mark..).unwrap_or_default());
        let idle = server.is_idle();
        assert!(!idle || (server.owed() == 0 && !server.in_transaction()));
        assert_eq!(server.default_reply().is_some(), server.owed() > 0);
    }
}

/// The same of a client.
pub fn client(input: &[u8]) {
    let (options, rest) = input.split_at(input.len().min(4));
    let script = Script { options, ..Script::read(b"") };
    let mut client = Client::new(clients::config(&script));
    let (mut input, mut output, mut now) = (Vec::new(), BytesMut::new(), Duration::ZERO);
    for operation in Unstructured::new(rest).arbitrary_iter::<ClientOperation<'_>>().into_iter().flatten() {
        let Ok(operation) = operation else { break };
        let closed = client.is_closed();
        match operation {
            ClientOperation::Common(Common::Line(i)) => input.extend(REPLIES[usize::from(i) % REPLIES.len()]),
            ClientOperation::Common(Common::Octets(octets)) => input.extend(octets),
            ClientOperation::Common(Common::Step) => {
                let step = client.step(now, &input);
                match step {
                    Ok(ClientStep::Event(taken) | ClientStep::Unsolicited(taken)) => {
                        assert_eq!(client.event(taken, &input).to, client.event(taken, &input).to);
                        input.drain(..taken.len());
                    }
                    Ok(ClientStep::NeedInput(until)) => assert!(until.is_some(), "a wait without end"),
                    Ok(ClientStep::Idle) => assert!(!client.is_waiting()),
                    Err(_) => assert!(client.is_closed()),
                    _ => {}
                }
                assert!(!closed || matches!(step, Ok(ClientStep::Closed)), "{step:?} when closed");
            }
            ClientOperation::Common(Common::Poll) => {
                let mut rest = &input[..];
                let step = client.poll(now, &mut rest);
                assert!(!closed || matches!(step, Ok(ClientStep::Closed)), "{step:?} when closed");
                let len = input.len() - rest.len();
                input.drain(..len);
            }
            ClientOperation::Common(Common::Eof) => {
                let _ = client.eof();
            }
            ClientOperation::Common(Common::TimedOut) => drop(client.timed_out()),
            ClientOperation::Common(Common::Tls) => client.tls_established(),
            ClientOperation::Common(Common::Later(seconds)) => now += Duration::from_secs(seconds.into()),
            ClientOperation::Common(Common::Written) => output.clear(),
            ClientOperation::Call(call) => {
                let made = call.make(&mut client, &mut output);
                assert!(!closed || made.is_err(), "{call:?} when closed");
            }
            ClientOperation::Abandon => client.abandon(),
        }
        if client.is_closed() {
            assert!(!client.can_send());
        }
    }
}
