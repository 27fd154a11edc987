//! A message that is refused while it streams.

use smtp_proto::reply::Reply;
use smtp_proto::server::{Event, Refusal};
use smtp_proto::status::Code;

use super::{codes, config, greeted, serve};

fn message(recipients: usize, octets: usize) -> Vec<u8> {
    let mut input = b"MAIL FROM:<>\r\n".to_vec();
    (0..recipients).for_each(|_| input.extend_from_slice(b"RCPT TO:<a@x>\r\n"));
    input.extend_from_slice(b"DATA\r\n");
    input.resize(input.len() + octets, b'x');
    input.extend_from_slice(b"\r\n.\r\nNOOP\r\n");
    input
}

/// The machine says when, drains, and answers at the true end, in LMTP once for each recipient.
#[test]
fn by_the_machine() {
    let mut config = config().lmtp();
    config.capabilities = config.capabilities.with_size(1000);
    let mut server = greeted(config);
    let (mut stored, mut dropped) = (Some(Vec::new()), None);
    // In two reads, as it would come: the message is refused in its midst.
    let input = message(2, 1200);
    let (early, late) = input.split_at(900);
    let mut handle = |_: &mut _, event: Event<'_>, _: &mut _| match event {
        Event::Body(body) => body.append_to(stored.as_mut().unwrap()),
        Event::Refused(why) => (stored, dropped) = (None, Some(why)),
        Event::MessageEnd { .. } => panic!("the machine answers"),
        _ => {}
    };
    assert_eq!(codes(&serve(&mut server, early, &mut handle)), [250, 250, 250, 354]);
    assert_eq!(codes(&serve(&mut server, late, &mut handle)), [552, 552, 250]);
    assert_eq!((stored, dropped), (None, Some(Refusal::TooBig)));
}

/// A CR that is a message's last octet has no LF to come.
#[test]
fn a_bare_cr_at_the_end_of_chunks() {
    let mut server = greeted(config());
    let input = b"MAIL FROM:<>\r\nRCPT TO:<a@x>\r\nBDAT 3\r\nhi\rBDAT 0 LAST\r\nNOOP\r\n";
    let said = serve(&mut server, input, |_, event, _| assert!(!matches!(event, Event::MessageEnd { .. })));
    assert_eq!(codes(&said), [250, 250, 250, 550, 250]);
    let input = b"MAIL FROM:<> BODY=BINARYMIME\r\nRCPT TO:<a@x>\r\nBDAT 3 LAST\r\nhi\r";
    assert_eq!(codes(&serve(&mut server, input, |_, _, _| {})), [250, 250, 250]);
}

/// What goes on beyond the cap is not drained for ever.
#[test]
fn by_the_machine_beyond_the_cap() {
    let mut config = config();
    config.capabilities = config.capabilities.with_size(1000);
    let mut server = greeted(config);
    let input = message(1, 10_000);
    let (early, late) = input.split_at(1200);
    serve(&mut server, early, |_, _, _| {});
    let said = serve(&mut server, late, |_, _, _| {});
    assert_eq!(codes(&said), [552]);
    assert_eq!(serve(&mut server, b"NOOP\r\n", |_, _, _| {}), "", "closed");
}

/// The embedder has seen enough: it lets the rest go by, and answers at the end.
#[test]
fn by_the_embedder() {
    let mut server = greeted(config());
    let mut spam = false;
    let said = serve(&mut server, &message(1, 5000), |server, event, output| match event {
        Event::Body(_) => spam = true,
        Event::MessageEnd { .. } if spam => {
            server.reply(&Reply::fixed(Code::FAILED, None, "no thanks"), output).unwrap();
        }
        _ => {}
    });
    assert_eq!(codes(&said), [250, 250, 354, 554, 250]);
}
