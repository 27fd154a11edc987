//! Several replies to one message: LMTP (RFC 2033) and PRDR.

use smtp_proto::client;
use smtp_proto::extension::Extension;
use smtp_proto::param::{Param, Params};
use smtp_proto::reply::Reply;
use smtp_proto::server::Event;
use smtp_proto::stage::Stage;
use smtp_proto::status::Code;

use super::{codes, config, connected, forward, greeted, hear, ok, reverse, serve};

const FULL: Reply<'static> = Reply::fixed(Code::TOO_BIG, None, "mailbox full");

/// The server answers once for each recipient that it accepted, and the machine counts.
#[test]
fn one_reply_for_each_recipient() {
    let mut server = greeted(config().lmtp());
    let mut recipients = Vec::new();
    let input = b"MAIL FROM:<>\r\nRCPT TO:<a@x>\r\nRCPT TO:<b@x>\r\nRCPT TO:<c@x>\r\nDATA\r\n";
    let said = serve(&mut server, input, |server, event, output| {
        let Event::Rcpt(rcpt) = event else { return };
        let known = rcpt.to.as_str() != "b@x";
        let reply = if known { ok("ok") } else { Reply::fixed(Code::MAILBOX_UNAVAILABLE, None, "who?") };
        server.reply(&reply, output).unwrap();
        if known {
            recipients.push(rcpt.to.into_owned());
        }
    });
    assert_eq!(codes(&said), [250, 250, 550, 250, 354]);

    let said = serve(&mut server, b"hi\r\n.\r\nMAIL FROM:<>\r\n", |server, event, output| {
        let Event::MessageEnd { replies } = event else { return };
        assert_eq!(replies as usize, recipients.len());
        for to in &recipients {
            let reply = if to.as_str() == "a@x" { ok("stored") } else { FULL };
            server.reply(&reply, output).unwrap();
        }
    });
    assert_eq!(codes(&said), [250, 552, 250]);
}

/// Under PRDR there is one reply more, for the message, behind the machine's own 353.
#[test]
fn prdr() {
    let mut config = config();
    config.capabilities = config.capabilities.with(Extension::Prdr);
    let mut server = greeted(config);
    let input = b"MAIL FROM:<> PRDR\r\nRCPT TO:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\nhi\r\n.\r\n";
    let said = serve(&mut server, input, |server, event, output| {
        let Event::MessageEnd { replies } = event else { return };
        assert_eq!((replies, server.owed()), (3, 3));
        for reply in [ok("stored"), FULL, ok("one of two")] {
            server.reply(&reply, output).unwrap();
        }
    });
    assert_eq!(codes(&said), [250, 250, 250, 354, 353, 250, 552, 250]);
}

/// The client hears all of them as answers to the end of data, and knows the last.
#[test]
fn the_client_counts_too() {
    let mut client = connected(client::Config::default(), &["PIPELINING", "PRDR"]);
    let mut output = bytes::BytesMut::new();
    let params = Params::default().with(&Param::Prdr).unwrap();
    client.mail(&reverse("me@client.example"), &params, &mut output).unwrap();
    client.rcpt(&forward("a@x.example"), &Params::default(), &mut output).unwrap();
    client.rcpt(&forward("b@x.example"), &Params::default(), &mut output).unwrap();
    client.data(&mut output).unwrap();
    hear(&mut client, "250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n");
    client.finish(&mut output).unwrap();
    let end = Stage::EndOfData;
    assert_eq!(hear(&mut client, "353 each\r\n250 a\r\n550 b\r\n"), [(end, 353), (end, 250), (end, 550)]);
    assert!(client.is_waiting());
    assert_eq!(hear(&mut client, "250 in all\r\n"), [(end, 250)]);
    assert!(!client.is_waiting());

    let mut client = connected(client::Config::default().lmtp(), &["PIPELINING"]);
    client.mail(&reverse("me@client.example"), &Params::default(), &mut output).unwrap();
    client.rcpt(&forward("a@x.example"), &Params::default(), &mut output).unwrap();
    client.rcpt(&forward("b@x.example"), &Params::default(), &mut output).unwrap();
    client.data(&mut output).unwrap();
    hear(&mut client, "250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n");
    client.finish(&mut output).unwrap();
    assert_eq!(hear(&mut client, "250 a\r\n"), [(end, 250)]);
    assert!(client.is_waiting());
    assert_eq!(hear(&mut client, "450 b\r\n"), [(end, 450)]);
    assert!(!client.is_waiting());
}
