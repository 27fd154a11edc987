//! One connection: octets, ends, deadlines, addresses.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use super::*;

pub(crate) fn echoes_whatever_the_size<R: Runtime>() {
    let shutdown = Shutdown::new();
    let (address, server) = serve::<R, _>(10, &shutdown, echo);
    for size in [1, 1000, 65_536, 4 << 20] {
        echoed(&connect(address), &octets(size));
    }
    shutdown.begin();
    ended(server);
}

pub(crate) fn writes_on_a_connection_of_its_own<R: Runtime>() {
    let (listener, address) = listener();
    // Reads all before it answers, and slowly at first: writes are cut short.
    let peer = thread::spawn(move || {
        let (mut peer, _) = listener.accept().expect("a connection");
        thread::sleep(Duration::from_millis(50));
        let mut all = vec![0; 4 << 20];
        peer.read_exact(&mut all).expect("all of it");
        peer.write_all(&all).expect("all of it");
    });
    R::run(async {
        let mut io = R::connect(&[address], LONG).await.expect("a connection");
        assert_eq!(io.peer(), Some(address));
        assert!(io.local().is_some_and(|local| local.ip() == address.ip() && local != address));
        let (sent, mut got) = (octets(4 << 20), BytesMut::new());
        write_all(&mut io, &sent).await;
        while got.len() < sent.len() {
            assert_ne!(io.read(&mut got, Some(LONG)).await.expect("more"), 0);
        }
        assert!(got == sent, "what came back differs");
    });
    peer.join().expect("the peer");
}

pub(crate) fn the_end_is_zero_and_halves_close_apart<R: Runtime>() {
    R::run(async {
        let (mut io, mut peer, _listener) = accepted::<R>().await;
        let mut buf = BytesMut::new();
        peer.write_all(b"last").expect("a write");
        peer.shutdown(std::net::Shutdown::Write).expect("a half closed");
        assert_eq!(io.read(&mut buf, Some(LONG)).await.expect("four"), 4);
        assert_eq!(io.read(&mut buf, Some(LONG)).await.expect("the end"), 0);
        assert_eq!(io.read(&mut buf, None).await.expect("the end, still"), 0);
        write_all(&mut io, b"221").await;
        io.shutdown_write().await.expect("the other half closed");
        assert_eq!(all(&mut peer), "221");
    });
}

pub(crate) fn a_deadline_loses_nothing<R: Runtime>() {
    R::run(async {
        let (mut io, mut peer, _listener) = accepted::<R>().await;
        let mut buf = BytesMut::new();
        for time in [0, 50] {
            let until = io.age() + Duration::from_millis(time);
            let error = io.read(&mut buf, Some(until)).await.expect_err("nothing is there");
            assert_eq!(error.kind(), ErrorKind::TimedOut);
            assert!((until..until + SLACK).contains(&io.age()), "{:?} for {until:?}", io.age());
        }
        assert!(!R::LAZY || buf.capacity() == 0, "a read that waits holds a buffer");
        peer.write_all(b"late").expect("a write");
        assert_eq!(io.read(&mut buf, Some(LONG)).await.expect("four"), 4);
        assert_eq!(buf, "late");
        // Emptied and given back by its owner: a wait behind a read makes no room either.
        let mut buf = BytesMut::new();
        let until = io.age() + Duration::from_millis(50);
        assert_eq!(io.read(&mut buf, Some(until)).await.expect_err("no more").kind(), ErrorKind::TimedOut);
        assert!(!R::LAZY || buf.capacity() == 0, "a read that waits holds a buffer");
    });
}

pub(crate) fn a_dripping_peer_does_not_renew_a_deadline<R: Runtime>() {
    R::run(async {
        let (mut io, mut peer, _listener) = accepted::<R>().await;
        let drip = thread::spawn(move || {
            // Until the other end is gone.
            while peer.write_all(b".").is_ok() {
                thread::sleep(Duration::from_millis(10));
            }
        });
        let mut buf = BytesMut::new();
        let until = io.age() + Duration::from_millis(200);
        // What is there may be read after the deadline, so a reader looks at the time himself.
        while io.age() < until {
            match io.read(&mut buf, Some(until)).await {
                Ok(read) => assert_ne!(read, 0),
                Err(error) => assert_eq!(error.kind(), ErrorKind::TimedOut),
            }
        }
        assert!(io.age() < until + SLACK);
        assert!(buf.len() > 1, "it did drip");
        drop(io);
        drip.join().expect("the peer");
    });
}

pub(crate) fn a_write_that_nobody_reads_times_out<R: Runtime>() {
    R::run(async {
        let (mut io, mut peer, _listener) = accepted::<R>().await;
        let (flood, mut written) = (octets(1 << 20), 0);
        let until = io.age() + Duration::from_millis(100);
        let error = loop {
            match io.write(&[IoSlice::new(&flood)], Some(until)).await {
                Ok(taken) => written += taken,
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!((until..until + SLACK).contains(&io.age()), "{:?}", io.age());
        drop(io);
        let mut got = Vec::new();
        peer.read_to_end(&mut got).expect("all of it");
        assert_eq!(got.len(), written, "what was said to be written and what was");
    });
}

pub(crate) fn a_dropped_read_loses_nothing<R: Runtime>() {
    let sent = octets(100_000);
    let (whole, mut got) = (sent.clone(), BytesMut::new());
    R::run(async {
        let (mut io, mut peer, listener) = accepted::<R>().await;
        let peer = thread::spawn(move || {
            for piece in sent.chunks(997) {
                peer.write_all(piece).expect("a write");
                thread::sleep(Duration::from_micros(500));
            }
        });
        let mut dropped = 0;
        while got.len() < whole.len() {
            // A blocking read cannot be dropped while it waits, so for it the deadline does the cutting.
            let until = io.age() + Duration::from_millis(1);
            let mut read = pin!(io.read(&mut got, Some(until)));
            let polled = poll_fn(|context| Poll::Ready(read.as_mut().poll(context))).await;
            match polled {
                Poll::Ready(Ok(read)) => assert_ne!(read, 0),
                Poll::Ready(Err(error)) => assert_eq!(error.kind(), ErrorKind::TimedOut),
                Poll::Pending => {
                    dropped += 1;
                    listener.sleep(Duration::from_micros(300)).await;
                }
            }
        }
        assert!(!R::DROPS || dropped > 0, "none was dropped");
        peer.join().expect("the peer");
    });
    assert!(got == whole, "what came differs");
}

pub(crate) fn nagle_is_off_at_both_ends<R: Runtime>() {
    R::run(async {
        let (io, peer, _listener) = accepted::<R>().await;
        assert!(R::nodelay(&io), "accepted");
        assert_eq!(io.peer(), peer.local_addr().ok());
        assert_eq!(io.local(), peer.peer_addr().ok());
        let (_far, address) = listener();
        assert!(R::nodelay(&R::connect(&[address], LONG).await.expect("a connection")), "connected");
    });
}

pub(crate) fn connects_to_the_address_that_answers<R: Runtime>() {
    let (_far, open) = listener();
    // Nobody listens there any more.
    let (gone, closed) = listener();
    drop(gone);
    R::run(async {
        let io = R::connect(&[closed, open], LONG).await.expect("a connection");
        assert_eq!(io.peer(), Some(open));
        let error = R::connect(&[closed], LONG).await.err().expect("an error");
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        R::connect(&[], LONG).await.err().expect("an error");
        let error = R::connect(&[open], Duration::ZERO).await.err().expect("an error");
        assert_eq!(error.kind(), ErrorKind::TimedOut);
    });
}

#[cfg(unix)]
pub(crate) fn unix_sockets_do_the_same<R: Runtime>() {
    let path = Socket::new();
    let shutdown = Shutdown::new();
    let server = serve_unix::<R>(&path.0, &shutdown);
    let mut peer = std::os::unix::net::UnixStream::connect(&path.0).expect("a connection");
    let sent = octets(1 << 20);
    let mut got = vec![0; sent.len()];
    thread::scope(|scope| {
        scope.spawn(|| (&peer).write_all(&sent).expect("a write"));
        (&peer).read_exact(&mut got).expect("all of it");
    });
    assert!(got == sent, "what came back differs");
    R::run(async {
        let mut io = R::connect_unix(&path.0).await.expect("a connection");
        assert_eq!((io.peer(), io.local()), (None, None));
        write_all(&mut io, b"hello").await;
        let mut buf = BytesMut::new();
        while buf.len() < 5 {
            assert_ne!(io.read(&mut buf, Some(LONG)).await.expect("more"), 0);
        }
        assert_eq!(buf, "hello");
        let error = io.read(&mut buf, Some(io.age() + Duration::from_millis(20))).await.expect_err("no more");
        assert_eq!(error.kind(), ErrorKind::TimedOut);
    });
    peer.shutdown(std::net::Shutdown::Write).expect("the end");
    assert_eq!(peer.read(&mut [0]).expect("the end"), 0);
    shutdown.begin();
    ended(server);
}
