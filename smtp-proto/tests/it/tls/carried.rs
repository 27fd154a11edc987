//! What TLS carries: the same octets, whatever the version, their number and the cuts.

use super::*;
use proptest::prelude::*;
use smtp_proto::link::{Lent, StartTlsError};
use std::io::{Read as _, Write as _};

fn text(len: usize) -> Vec<u8> {
    (0..len).map(|n| (n * 31 % 253) as u8).collect()
}

/// The handshake completes in any cuts, byte by byte too, in both versions.
#[test]
fn handshakes_in_any_cuts() {
    for version in BOTH {
        for step in [1, 2, 5, 7, 100, 4096, usize::MAX] {
            let mut client = Link::tls(client_of(client_config(&[version], &OURS), "localhost"));
            let mut server = Link::tls(super::server());
            assert!(client.is_tls() && client.is_handshaking());
            settle(&mut client, &mut server, step).unwrap();
            for end in [&client, &server] {
                assert!(!end.is_handshaking() && end.input().is_empty());
                assert_eq!(end.tls_connection().unwrap().protocol_version(), Some(version.version));
            }
            let leaf = &client.tls_connection().unwrap().peer_certificates().unwrap()[0];
            assert_eq!(*leaf, OURS.leaf);
        }
    }
}

/// From one octet to a MiB, both ways at once.
#[test]
fn data_of_any_length() {
    let (mut client, mut server) = established();
    for (len, step) in [
        (1, 1),
        (2, 1),
        (5000, 1),
        (16_383, 7),
        (16_384, 4096),
        (16_385, 4097),
        (65_536, 1500),
        (1 << 20, 65_536),
    ] {
        let text = text(len);
        client.output().extend_from_slice(&text);
        server.output().extend_from_slice(&text);
        settle(&mut client, &mut server, step).unwrap();
        assert!(read(&mut server) == text, "{len} octets to the server");
        assert!(read(&mut client) == text, "{len} octets to the client");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// What is read does not depend on how the wire is cut, nor on how the writer's slices were.
    #[test]
    fn cuts_do_not_show(
        cuts in proptest::collection::vec(1_usize..6000, 1..40),
        slices in proptest::collection::vec(0_usize..3000, 1..60),
        command in 0_usize..200,
    ) {
        let (mut client, mut server) = established();
        let body = text(slices.iter().sum());
        let command = text(command);
        let (mut rest, mut pieces) = (&body[..], Vec::new());
        for len in slices {
            let (piece, after) = rest.split_at(len);
            pieces.push(piece);
            rest = after;
        }
        client.output().extend_from_slice(&command);
        let mut lent = Lent::new(pieces.into_iter());
        let mut cuts = cuts.into_iter().cycle();
        loop {
            let piece: Vec<u8> = client.gather(&mut lent).flatten().copied().take(cuts.next().unwrap()).collect();
            if piece.is_empty() {
                break;
            }
            client.sent_from(piece.len(), &mut lent);
            server.incoming().extend_from_slice(&piece);
            server.received().unwrap();
        }
        prop_assert!(lent.is_done());
        prop_assert!(read(&mut server) == [command, body].concat());
    }
}

/// A lent body fills its records, starts in the record of the command before it, and is not sealed far ahead.
#[test]
fn lent_slices_fill_records() {
    let (mut client, mut server) = established();
    let body = text(1 << 20);
    client.output().extend_from_slice(b"BDAT 1048576 LAST\r\n");
    let mut lent = Lent::new(body.chunks(1000));
    let mut wire = Vec::new();
    loop {
        let piece = client.gather(&mut lent).collect::<Vec<_>>().concat();
        if piece.is_empty() {
            break;
        }
        assert!(piece.len() <= 82 * 1024, "{} octets sealed ahead", piece.len());
        client.sent_from(piece.len(), &mut lent);
        wire.extend_from_slice(&piece);
    }
    let records = records(&wire);
    assert!(records.len() <= 66, "{} records for 64 times 16 KiB and a little", records.len());
    bring(&wire, &mut server, usize::MAX).unwrap();
    assert!(read(&mut server) == [&b"BDAT 1048576 LAST\r\n"[..], &body].concat());
}

/// On implicit TLS the greeting waits for the handshake, and leaves none of itself in the clear.
#[test]
fn output_waits_for_the_handshake() {
    let (mut client, mut server) = pair();
    server.output().extend_from_slice(b"220 mx.example ESMTP\r\n");
    assert!(server.outgoing().is_empty());
    let hello = wire(&mut client);
    bring(&hello, &mut server, usize::MAX).unwrap();
    assert!(!wire(&mut server).windows(4).any(|octets| octets == b"220 "));

    let (mut client, mut server) = pair();
    server.output().extend_from_slice(b"220 mx.example ESMTP\r\n");
    settle(&mut client, &mut server, 3).unwrap();
    assert_eq!(client.input(), b"220 mx.example ESMTP\r\n");
}

/// Lines in the clear, the switch, and lines in TLS over the same two links.
#[test]
fn starttls_switches_after_plain_lines() {
    for step in [1, usize::MAX] {
        let (mut client, mut server) = (Link::plain(), Link::plain());
        client.output().extend_from_slice(b"STARTTLS\r\n");
        settle(&mut client, &mut server, step).unwrap();
        assert_eq!(read(&mut server), b"STARTTLS\r\n");
        server.output().extend_from_slice(b"220 go ahead\r\n");
        assert_eq!(
            server.start_tls(super::server()),
            Err(StartTlsError::Unflushed(14)),
            "the 220 leaves in the clear"
        );
        let ready = wire(&mut server);
        server.start_tls(super::server()).unwrap();
        assert_eq!(server.start_tls(super::server()), Err(StartTlsError::AlreadyTls));
        bring(&ready, &mut client, step).unwrap();
        assert_eq!(read(&mut client), b"220 go ahead\r\n");
        client.start_tls(super::client()).unwrap();
        client.output().extend_from_slice(b"EHLO client.example\r\n");
        settle(&mut client, &mut server, step).unwrap();
        assert_eq!(read(&mut server), b"EHLO client.example\r\n");
    }
}

/// Octets behind STARTTLS or behind its 220, whole lines, half ones or TLS records, never live to see TLS.
#[test]
fn starttls_refuses_what_was_injected() {
    for injected in [&b"RSET\r\n"[..], b"R", b"\x16\x03\x01"] {
        let mut server = Link::plain();
        server.incoming().extend_from_slice(b"STARTTLS\r\n");
        server.incoming().extend_from_slice(injected);
        server.received().unwrap();
        server.consume(10);
        assert_eq!(server.start_tls(super::server()), Err(StartTlsError::Leftover(injected.len())));
        assert!(!server.is_tls());

        let mut client = Link::plain();
        client.incoming().extend_from_slice(b"220 go\r\n");
        client.incoming().extend_from_slice(injected);
        client.received().unwrap();
        client.consume(8);
        assert_eq!(client.start_tls(super::client()), Err(StartTlsError::Leftover(injected.len())));
        assert!(!client.is_tls());
    }
}

/// Tickets come out of the server by `outgoing` alone, with nothing said by the protocol.
#[test]
fn tickets_are_drained() {
    let (mut client, mut server) = pair();
    let hello = wire(&mut client);
    bring(&hello, &mut server, usize::MAX).unwrap();
    let flight = wire(&mut server);
    bring(&flight, &mut client, usize::MAX).unwrap();
    let finished = wire(&mut client);
    bring(&finished, &mut server, usize::MAX).unwrap();
    assert!(!server.is_handshaking() && !server.outgoing().is_empty(), "tickets are waiting");
    let tickets = wire(&mut server);
    bring(&tickets, &mut client, 1).unwrap();
    let rustls::Connection::Client(connection) = client.tls_connection().unwrap() else { panic!("a client") };
    assert!(connection.tls13_tickets_received() > 0);
    assert!(client.input().is_empty() && client.outgoing().is_empty());
}

/// The channel binding is the same at both ends and is not that of another connection (RFC 9266).
#[test]
fn channel_bindings_are_equal() {
    let (client, server) = established();
    let binding = client.tls_exporter().unwrap();
    assert_eq!(server.tls_exporter(), Some(binding));
    let raw = client.tls_connection().unwrap();
    assert_eq!(raw.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(b"")).unwrap(), binding);
    assert_ne!(established().0.tls_exporter(), Some(binding));
    assert_eq!(pair().0.tls_exporter(), None, "there is none before the handshake is done");
    assert_eq!(Link::plain().tls_exporter(), None);
}

/// On TLS 1.2 the exporter binds only where an extended master secret was insisted on (RFC 9266, 4.2).
#[test]
fn tls12_binds_with_extended_master_secret_only() {
    for require_ems in [false, true] {
        let mut config = client_config(&[&TLS12], &OURS);
        config.require_ems = require_ems;
        let mut client = Link::tls(client_of(config, "localhost"));
        let mut config = server_config();
        config.require_ems = require_ems;
        let mut server = Link::tls(Tls::server(Arc::new(config)).unwrap());
        settle(&mut client, &mut server, usize::MAX).unwrap();
        assert_eq!(client.tls_exporter().is_some(), require_ems);
        assert_eq!(client.tls_exporter(), server.tls_exporter());
    }
}

/// Buffers that are empty are given back under TLS as in the clear, and the connection goes on.
#[test]
fn release_keeps_the_connection() {
    let (mut client, mut server) = established();
    client.release();
    server.release();
    assert_eq!((server.incoming().capacity(), server.output().capacity()), (0, 0));
    client.output().extend_from_slice(b"NOOP\r\n");
    settle(&mut client, &mut server, usize::MAX).unwrap();
    assert_eq!(server.input(), b"NOOP\r\n");
}

/// A peer that asks for new keys gets them, and what follows is read and written with them.
#[test]
fn keys_are_updated() {
    let name = ServerName::try_from("localhost").unwrap();
    let mut raw = rustls::ClientConnection::new(Arc::new(client_config(&[&TLS13], &OURS)), name).unwrap();
    let mut server = Link::tls(super::server());
    let exchange = |raw: &mut rustls::ClientConnection, server: &mut Link| {
        for _ in 0..4 {
            let mut octets = Vec::new();
            while raw.wants_write() {
                raw.write_tls(&mut octets).unwrap();
            }
            bring(&octets, server, 5).unwrap();
            let octets = wire(server);
            let mut octets = &octets[..];
            while !octets.is_empty() {
                raw.read_tls(&mut octets).unwrap();
                raw.process_new_packets().unwrap();
            }
        }
    };
    exchange(&mut raw, &mut server);
    for _ in 0..3 {
        raw.refresh_traffic_keys().unwrap();
        raw.writer().write_all(b"NOOP\r\n").unwrap();
        exchange(&mut raw, &mut server);
        assert_eq!(read(&mut server), b"NOOP\r\n");
        server.output().extend_from_slice(b"250 ok\r\n");
        exchange(&mut raw, &mut server);
        let mut reply = [0; 8];
        raw.reader().read_exact(&mut reply).unwrap();
        assert_eq!(&reply, b"250 ok\r\n");
    }
}
