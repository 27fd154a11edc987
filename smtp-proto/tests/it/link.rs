//! A link in the clear adds nothing: no copy, no wait, no error.

use bytes::BytesMut;
use smtp_proto::link::{End, Lent, Link, looks_like_tls};

/// Without TLS `incoming` is the input and `output` is outgoing: the same memory, not the same text.
#[test]
fn nothing_is_copied() {
    let mut link = Link::plain();
    link.incoming().extend_from_slice(b"EHLO client.example\r\n");
    let appended = link.incoming().as_ptr();
    link.received().unwrap();
    assert_eq!(link.input(), b"EHLO client.example\r\n");
    assert_eq!(link.input().as_ptr(), appended);

    link.output().extend_from_slice(b"250 mx.example\r\n");
    let said = link.output().as_ptr();
    assert_eq!(link.outgoing().as_ptr(), said);

    let segments = [&b"one"[..], b"two"];
    let mut lent = Lent::new(segments.into_iter());
    let pieces: Vec<*const u8> = link.gather(&mut lent).map(<[u8]>::as_ptr).collect();
    assert_eq!(pieces, [said, segments[0].as_ptr(), segments[1].as_ptr()]);
}

/// An answer can be written while the event still borrows the input.
#[test]
fn input_and_output_are_disjoint() {
    let mut link = Link::plain();
    link.incoming().extend_from_slice(b"NOOP\r\nrest");
    let (input, output): (&[u8], &mut BytesMut) = link.split();
    output.extend_from_slice(&input[..6]);
    assert_eq!(link.outgoing(), b"NOOP\r\n");
    link.consume(6);
    assert_eq!(link.input(), b"rest");
}

/// A count that is too large is taken for all there is: nothing panics.
#[test]
fn counts_are_clamped() {
    let mut link = Link::plain();
    link.incoming().extend_from_slice(b"abc");
    link.consume(4);
    link.output().extend_from_slice(b"abc");
    link.sent(usize::MAX);
    link.sent_from(usize::MAX, &mut Lent::new([&b"x"[..]].into_iter()));
    assert!(link.input().is_empty() && link.outgoing().is_empty());
}

/// Writes of any length, over the border between output and slices, give output and slices in order and once.
#[test]
fn gathered_writes_may_be_short() {
    let body: Vec<u8> = (0..10_000_u32).map(|n| (n % 251) as u8).collect();
    for step in [1, 2, 13, 100, 4096, usize::MAX] {
        let (mut link, mut wire) = (Link::plain(), Vec::new());
        link.output().extend_from_slice(b"BDAT 10000 LAST\r\n");
        let mut lent = Lent::new(body.chunks(97));
        loop {
            let piece: Vec<u8> = link.gather(&mut lent).flatten().copied().take(step).collect();
            if piece.is_empty() {
                break;
            }
            wire.extend_from_slice(&piece);
            link.sent_from(piece.len(), &mut lent);
        }
        assert!(lent.is_done());
        assert_eq!(wire, [&b"BDAT 10000 LAST\r\n"[..], &body].concat(), "in steps of {step}");
    }
}

/// An idle link holds no buffer, and a link in the clear carries none of TLS' state.
#[test]
fn an_idle_link_is_small() {
    assert!(size_of::<Link>() <= 80, "{}", size_of::<Link>());
    let mut link = Link::plain();
    link.incoming().extend_from_slice(&[b'x'; 5000]);
    link.output().extend_from_slice(&[b'x'; 5000]);
    link.release();
    assert_eq!((link.input().len(), link.outgoing().len()), (5000, 5000), "what is in use is kept");
    link.consume(5000);
    link.sent(5000);
    link.release();
    assert_eq!((link.incoming().capacity(), link.output().capacity()), (0, 0));
}

/// The clear has no close and no handshake.
#[test]
fn the_clear_ends_as_the_socket_does() {
    let mut link = Link::plain();
    link.close();
    assert!(link.outgoing().is_empty() && !link.peer_closed() && !link.is_handshaking() && !link.is_tls());
    assert_eq!(link.eof().unwrap(), End::Clean);
}

/// A client in the clear tells a port of implicit TLS by its records, and no reply is taken for one.
#[test]
fn tls_records_are_told_from_replies() {
    for record in
        [&b"\x15\x03\x01\0\x02\x02\x46"[..], b"\x16\x03\x03\x00\x7a\x02", b"\x16\x03\x00", b"\x15\x03\x04"]
    {
        assert!(looks_like_tls(record), "{record:?}");
    }
    for other in [&b""[..], b"\x16", b"\x16\x03", b"220 x", b"\x16\x03\x05", b"\x17\x03\x03", b"\x15\x02\x01"]
    {
        assert!(!looks_like_tls(other), "{other:?}");
    }
}

/// What goes through a link may be a password: its debug form has none of it.
#[test]
fn debug_shows_no_octets() {
    let mut link = Link::plain();
    link.incoming().extend_from_slice(b"c2VjcmV0");
    link.output().extend_from_slice(b"c2VjcmV0");
    let shown = format!("{link:?} {:?}", Lent::new([&b"c2VjcmV0"[..]].into_iter()));
    assert!(!shown.contains("c2V"), "{shown}");
}

/// Links move between threads with the tasks that drive them.
#[test]
fn links_are_send() {
    fn check<T: Send + Sync>(_: &T) {}
    check(&Link::plain());
}
