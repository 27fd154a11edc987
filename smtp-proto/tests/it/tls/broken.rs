//! What TLS refuses, and how connections end.

use super::*;
use proptest::prelude::*;
use smtp_proto::{link::End, tls};
use std::error::Error as _;

/// The TLS error that a link gives, again and again.
fn refused(link: &mut Link, octets: &[u8], step: usize) -> tls::Error {
    let Err(Error::Tls(error)) = bring(octets, link, step) else { panic!("taken") };
    let again = link.received().expect_err("an error stays").to_string();
    assert_eq!(again, error.to_string());
    assert!(link.eof().is_err());
    error
}

/// A reply where a record should be is named, from its first octet on, and the alert leaves.
#[test]
fn a_plaintext_server_is_named() {
    for greeting in ["220 mx.example ESMTP\r\n", "421 go away\r\n", "554-no\r\n554 no\r\n", "2"] {
        for step in [1, 2, usize::MAX] {
            let mut client = Link::tls(client());
            wire(&mut client);
            let error = refused(&mut client, greeting.as_bytes(), step);
            assert!(matches!(error, tls::Error::PlaintextPeer), "{error:?}");
            assert!(error.to_string().contains("this port does not speak implicit TLS"));
            assert_eq!(records(&wire(&mut client)), [(0x15, 2)], "an alert");
        }
    }
}

/// A command where a record should be is named too.
#[test]
fn a_plaintext_client_is_named() {
    for step in [1, usize::MAX] {
        let mut server = Link::tls(server());
        let error = refused(&mut server, b"EHLO client.example\r\n", step);
        assert!(matches!(error, tls::Error::PlaintextClient), "{error:?}");
        assert_eq!(records(&wire(&mut server)), [(0x15, 2)]);
        assert!(server.input().is_empty());
    }
}

/// A certificate of another root, or for another name: refused, the reason kept, and the server told why.
#[test]
fn certificates_are_checked() {
    let unknown = client_of(client_config(BOTH, &FOREIGN), "localhost");
    let misnamed = client_of(client_config(BOTH, &OURS), "mx.example.org");
    for (client, reason) in [(unknown, "UnknownIssuer"), (misnamed, "NotValidForName")] {
        let (mut client, mut server) = (Link::tls(client), Link::tls(server()));
        client.output().extend_from_slice(b"EHLO client.example\r\n");
        let hello = wire(&mut client);
        bring(&hello, &mut server, usize::MAX).unwrap();
        let flight = wire(&mut server);
        let error = refused(&mut client, &flight, usize::MAX);
        assert!(matches!(error, tls::Error::Certificate(_)), "{error:?}");
        let source = error.source().unwrap().downcast_ref::<rustls::Error>().unwrap();
        assert!(matches!(source, rustls::Error::InvalidCertificate(_)));
        assert!(format!("{source:?}").contains(reason), "{source:?}");

        let alert = wire(&mut client);
        let error = refused(&mut server, &alert, 1);
        assert!(matches!(error, tls::Error::Alert(_)), "{error:?}");
        assert!(server.input().is_empty(), "nothing was said to a server that was not trusted");
    }
}

/// A connection that ends within the handshake is told from one that ends after it.
#[test]
fn an_end_within_the_handshake_is_an_error() {
    let (mut client, mut server) = pair();
    let hello = wire(&mut client);
    bring(&hello[..hello.len() - 1], &mut server, usize::MAX).unwrap();
    for end in [&mut client, &mut server] {
        assert!(matches!(end.eof(), Err(Error::Tls(tls::Error::HandshakeCut))));
        assert!(matches!(end.received(), Err(Error::Tls(tls::Error::HandshakeCut))));
    }
}

/// `close_notify` follows what was still to be said, and makes the end clean; without it the end is unannounced.
#[test]
fn ends_are_told_apart() {
    let (mut client, mut server) = established();
    assert_eq!(client.eof().unwrap(), End::Unannounced);
    server.output().extend_from_slice(b"221 bye\r\n");
    server.close();
    server.close();
    let farewell = wire(&mut server);
    assert_eq!(records(&farewell).len(), 2, "the reply, and one close_notify");
    bring(&farewell, &mut client, 1).unwrap();
    assert_eq!(client.input(), b"221 bye\r\n");
    assert!(client.peer_closed());
    assert_eq!(client.eof().unwrap(), End::Clean);
    assert_eq!(
        server.eof().unwrap(),
        End::Clean,
        "whoever closed does not wait for the other's close_notify"
    );
}

/// Whatever stands behind a close_notify, in the clear or as records, reaches nobody, and nothing spins or fails.
#[test]
fn nothing_comes_behind_a_close() {
    for step in [1, 30, usize::MAX] {
        let (mut client, mut server) = established();
        client.output().extend_from_slice(b"BDAT 100\r\npart");
        client.close();
        let mut octets = wire(&mut client);
        octets.extend_from_slice(b"MAIL FROM:<evil@example.com>\r\n");
        octets.extend_from_slice(&[0x17, 3, 3, 0, 40]);
        octets.extend_from_slice(&[0x16; 50_000]);
        bring(&octets, &mut server, step).unwrap();
        assert_eq!(server.input(), b"BDAT 100\r\npart");
        assert!(server.peer_closed());
        client.output().extend_from_slice(b"too late");
        assert!(client.outgoing().is_empty(), "no record behind our own close_notify");
        assert!(client.output().is_empty());
    }
}

/// After our own close the peer's octets are dropped, broken ones too: there is no one left to tell.
#[test]
fn a_closed_link_is_deaf() {
    let (mut client, mut server) = established();
    server.output().extend_from_slice(b"250 late\r\n");
    let late = wire(&mut server);
    client.close();
    wire(&mut client);
    bring(&late, &mut client, 7).unwrap();
    bring(b"220 plain text", &mut client, 7).unwrap();
    assert!(client.input().is_empty() && client.outgoing().is_empty());
}

/// What was decrypted ahead of a broken record is authentic, and still there: a server's last words.
#[test]
fn last_words_are_heard() {
    for step in [1, 64, usize::MAX] {
        let (mut client, mut server) = established();
        server.output().extend_from_slice(b"421 dying\r\n");
        let mut octets = wire(&mut server);
        octets.extend_from_slice(&[0x17, 3, 3, 0, 20]);
        octets.extend_from_slice(&[0xaa; 20]);
        let error = refused(&mut client, &octets, step);
        assert!(matches!(error, tls::Error::Broken(_)), "{error:?}");
        assert_eq!(client.input(), b"421 dying\r\n");
        assert!(!client.outgoing().is_empty(), "the alert");
        client.output().extend_from_slice(b"QUIT\r\n");
        let alert = wire(&mut client);
        assert_eq!(records(&alert).len(), 1, "the alert, and nothing of the protocol's");
        let error = refused(&mut server, &alert, 1);
        assert!(matches!(error, tls::Error::Alert(rustls::AlertDescription::BadRecordMac)), "{error:?}");
    }
}

/// A handshake message that never ends is refused before it is kept.
#[test]
fn endless_handshake_messages_are_refused() {
    let mut server = Link::tls(server());
    let mut octets = Vec::new();
    for n in 0..20 {
        octets.extend_from_slice(&[0x16, 3, 3, 0x3f, 0xff]);
        let header: &[u8] = if n == 0 { &[1, 0xff, 0xff, 0xff] } else { &[] };
        octets.extend_from_slice(header);
        octets.resize(octets.len() + 0x3fff - header.len(), 0);
    }
    let error = refused(&mut server, &octets, 4096);
    assert!(matches!(error, tls::Error::Handshake(_) | tls::Error::TooLong), "{error:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Noise is refused or waited on, in the same way whatever the cuts; nothing panics, spins or reaches the protocol.
    #[test]
    fn noise(
        noise in proptest::collection::vec(any::<u8>(), 0..400),
        start in prop_oneof![Just(&b""[..]), Just(&b"\x16\x03\x01"[..]), Just(&b"\x15\x03\x03\0\x02"[..]),
            Just(&b"\x16\x03\x03\0\x40\x01\0\0\x3c\x03\x03"[..])],
        step in 1_usize..50,
    ) {
        let octets = [start, &noise].concat();
        for make in [|| Link::tls(client()), || Link::tls(server())] {
            let verdicts = [usize::MAX, step].map(|step| {
                let mut link = make();
                wire(&mut link);
                let verdict = bring(&octets, &mut link, step).map_err(|error| format!("{error:?}"));
                let said = wire(&mut link);
                assert!(link.input().is_empty());
                assert!(link.eof().is_err(), "no end within a handshake is clean");
                (verdict, said.is_empty())
            });
            prop_assert_eq!(&verdicts[0], &verdicts[1]);
        }
    }

    /// One damaged octet in either side's first flight: no panic, no spin, and no connection, unless it is the minor
    /// version of a record, which is to be ignored (RFC 8446, 5.1).
    #[test]
    fn damaged_handshakes(
        of_server in any::<bool>(),
        at in any::<proptest::sample::Index>(),
        flip in 1_u8..,
        step in 1_usize..3000,
    ) {
        let (mut client, mut server) = pair();
        let mut harmless = false;
        let mut damage = |octets: &mut [u8]| {
            let at = at.index(octets.len());
            let mut start = 0;
            for (_, len) in records(octets) {
                harmless |= at == start + 2;
                start += 5 + len;
            }
            octets[at] ^= flip;
        };
        let mut hello = wire(&mut client);
        if !of_server {
            damage(&mut hello);
        }
        let heard = bring(&hello, &mut server, step);
        let mut flight = wire(&mut server);
        if of_server {
            damage(&mut flight);
        }
        let answered = bring(&flight, &mut client, step);
        let settled = settle(&mut client, &mut server, step);
        let done = !client.is_handshaking() && !server.is_handshaking();
        prop_assert_eq!(done && heard.is_ok() && answered.is_ok() && settled.is_ok(), harmless);
        prop_assert!(client.input().is_empty() && server.input().is_empty());
    }

    /// One damaged octet in what is carried: an error with an alert, or a wait for a record's end; never a wrong octet.
    #[test]
    fn damaged_data(at in any::<proptest::sample::Index>(), flip in 1_u8.., step in 1_usize..3000) {
        let (mut client, mut server) = established();
        let text = b"MAIL FROM:<a@example.org>\r\n".repeat(100);
        for line in text.chunks(270) {
            client.output().extend_from_slice(line);
            client.outgoing();
        }
        let mut octets = wire(&mut client);
        let at = at.index(octets.len());
        octets[at] ^= flip;
        let verdict = bring(&octets, &mut server, step);
        let got = read(&mut server);
        prop_assert!(text.starts_with(&got));
        prop_assert_eq!(verdict.is_err(), !server.outgoing().is_empty());
        if verdict.is_ok() && got != text {
            prop_assert_eq!(server.eof().unwrap(), End::Unannounced);
        }
    }
}
