//! BDAT, in and out (RFC 3030).

use bytes::BytesMut;
use smtp_proto::client;
use smtp_proto::dot::LineEnds;
use smtp_proto::error::NotNow;
use smtp_proto::extension::Extension;
use smtp_proto::param::Params;
use smtp_proto::reply::Reply;
use smtp_proto::server::{Event, Server, Step};
use smtp_proto::stage::Stage;
use smtp_proto::status::Code;

use super::{NOW, codes, config, connected, forward, greeted, hear, reverse, serve, text};

const ENVELOPE: &[u8] = b"MAIL FROM:<>\r\nRCPT TO:<ann@mx.example>\r\n";

/// Each chunk is answered when its octets are here, and none of them is taken for a command.
#[test]
fn chunks_come_in() {
    let mut server = greeted(config());
    assert!(!server.in_transaction());
    serve(&mut server, ENVELOPE, |_, _, _| {});
    assert!(server.in_transaction());
    let mut message = Vec::new();
    let said = serve(&mut server, b"BDAT 6\r\nRSET\r\nBDAT 6 LAST\r\nQUIT\r\nNOOP\r\n", |_, event, _| {
        if let Event::Body(body) = event {
            body.append_to(&mut message);
        }
    });
    assert_eq!(message, b"RSET\r\nQUIT\r\n");
    assert_eq!(codes(&said), [250, 250, 250]);
    assert!(!server.in_transaction());
}

/// The embedder refuses a chunk; the chunks behind it are drained, until LAST or RSET, without its doing.
#[test]
fn a_refused_chunk_is_drained() {
    let mut server = greeted(config());
    serve(&mut server, ENVELOPE, |_, _, _| {});
    let (mut seen, full) = (0, Reply::fixed(Code::NO_STORAGE, None, "disk full"));
    let said =
        serve(&mut server, b"BDAT 4\r\nabcdBDAT 6\r\nQUIT\r\nRSET\r\nNOOP\r\n", |server, event, output| {
            match event {
                Event::Body(body) => seen += body.len(),
                Event::ChunkEnd => server.reply(&full, output).unwrap(),
                _ => {}
            }
        });
    assert_eq!(codes(&said), [452, 503, 250, 250]);
    assert_eq!(seen, 4, "the second chunk is nobody's");
}

/// Without the offer the octets behind BDAT are anybody's guess.
#[test]
fn not_offered_is_the_end() {
    let mut config = config();
    config.capabilities = config.capabilities.without(Extension::Chunking);
    let mut server = greeted(config);
    serve(&mut server, ENVELOPE, |_, _, _| {});
    let said = serve(&mut server, b"BDAT 6 LAST\r\nQUIT\r\n", |_, event, _| panic!("{event:?}"));
    assert!(said.starts_with("421 ") && said.lines().count() == 1, "{said:?}");
    assert_eq!(serve(&mut server, b"NOOP\r\n", |_, event, _| panic!("{event:?}")), "");
}

/// A chunk is announced, filled in any pieces, and counts as sent when it is full.
#[test]
fn chunks_go_out() {
    let mut client = connected(client::Config::default(), &["PIPELINING", "CHUNKING"]);
    let mut output = BytesMut::new();
    client.mail(&reverse("me@client.example"), &Params::default(), &mut output).unwrap();
    client.rcpt(&forward("ann@mx.example"), &Params::default(), &mut output).unwrap();
    hear(&mut client, "250 ok\r\n250 ok\r\n");
    text(&mut output);

    client.chunk(6, false, &mut output).unwrap();
    client.body(b".on", &mut output).unwrap();
    assert_eq!(client.noop(&mut output), Err(NotNow::InBody));
    assert_eq!(client.body(b"four", &mut output), Err(NotNow::NotInBody), "more than was announced");
    client.body(b"e\r\n", &mut output).unwrap();
    client.chunk(0, true, &mut output).unwrap();
    assert_eq!(text(&mut output), "BDAT 6\r\n.one\r\nBDAT 0 LAST\r\n");
    assert_eq!(hear(&mut client, "250 6\r\n250 taken\r\n"), [(Stage::Chunk, 250), (Stage::LastChunk, 250)]);
    assert!(!client.needs_reset());
}

/// `Normalise` mends the text of chunks as it does that of DATA, also where a CR and its LF come in two chunks or two reads;
/// dots are content. Under BINARYMIME nothing is touched.
#[test]
fn text_in_chunks_is_mended() {
    let wire = b"BDAT 9\r\nab\r\n.c\nd\rBDAT 4\r\n\n..\rBDAT 3 LAST\r\ne\n\r";
    for (declared, expected) in
        [("", &b"ab\r\n.c\r\nd\r\n..\r\ne\r\n\r\n"[..]), (" BODY=BINARYMIME", b"ab\r\n.c\nd\r\n..\re\n\r")]
    {
        for cut in 0..wire.len() {
            let mut config = config();
            config.policy.line_ends = LineEnds::Normalise;
            let mut server = greeted(config);
            let envelope = format!("MAIL FROM:<>{declared}\r\nRCPT TO:<ann@mx.example>\r\n");
            serve(&mut server, envelope.as_bytes(), |_, _, _| {});
            let (mut message, mut told) = (Vec::new(), 0);
            let mut said = String::new();
            for cut in [cut, wire.len()] {
                let from = told;
                told += serve_some(&mut server, &wire[from..cut.max(from)], &mut message, &mut said);
            }
            assert_eq!(codes(&said), [250, 250, 250], "{declared} cut at {cut}: {said}");
            assert_eq!(message, expected, "{declared} cut at {cut}");
        }
    }
}

/// As [`serve`], keeping the message; gives back how much of the input was taken.
fn serve_some(server: &mut Server, input: &[u8], message: &mut Vec<u8>, said: &mut String) -> usize {
    let (mut rest, mut output) = (input, BytesMut::new());
    loop {
        match server.poll(NOW, &mut rest, &mut output).unwrap() {
            Step::Event(Event::Body(body)) => body.append_to(message),
            Step::Event(_) => {}
            Step::AwaitingReply => {
                let reply = server.default_reply().unwrap();
                server.reply(&reply, &mut output).unwrap();
            }
            Step::Flush(_) => said.push_str(&text(&mut output)),
            _ => break,
        }
    }
    said.push_str(&text(&mut output));
    input.len() - rest.len()
}
