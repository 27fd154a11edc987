//! Many connections: their limit, and how a shutdown ends them.

use super::*;

pub(crate) fn a_shutdown_cuts_what_idles_and_waits_for_the_rest<R: Runtime>() {
    let shutdown = Shutdown::new();
    let seen = shutdown.clone();
    let (address, server) = serve::<R, _>(10, &shutdown, move |io| talk(io, seen.clone()));
    let (mut idle, mut busy, mut again) = (connect(address), connect(address), connect(address));
    for peer in [&mut idle, &mut busy, &mut again] {
        expect(peer, "220");
    }
    for peer in [&mut busy, &mut again] {
        peer.write_all(b"DATA").expect("a write");
        expect(peer, "354");
    }
    again.write_all(b".").expect("a write");
    expect(&mut again, "250");

    shutdown.begin();
    assert_eq!(all(&mut idle), "421");
    assert_eq!(all(&mut again), "421", "one that idles between messages");
    let started = Instant::now();
    while TcpStream::connect(address).is_ok() {
        assert!(started.elapsed() < LONG, "it still listens");
        thread::sleep(Duration::from_millis(5));
    }
    thread::sleep(Duration::from_millis(50));
    assert!(!server.is_finished(), "a message is in hand");
    busy.write_all(b".").expect("a write");
    assert_eq!(all(&mut busy), "250421");
    ended(server);
}

pub(crate) fn a_shutdown_at_any_moment_cuts_no_message<R: Runtime>() {
    for round in 0..40 {
        let shutdown = Shutdown::new();
        let seen = shutdown.clone();
        let (address, server) = serve::<R, _>(10, &shutdown, move |io| talk(io, seen.clone()));
        let peers = [(); 4].map(|()| {
            let mut peer = connect(address);
            expect(&mut peer, "220");
            thread::spawn(move || {
                // The 421 may be lost with the connection where it crosses this.
                let mut reply = [0; 3];
                while peer.write_all(b"DATA").is_ok() && peer.read_exact(&mut reply).is_ok() {
                    match &reply {
                        b"354" => peer.write_all(b".").expect("the message is taken"),
                        other => return assert_eq!(other, b"421"),
                    }
                    expect(&mut peer, "250");
                }
            })
        });
        thread::sleep(Duration::from_micros(round * 50));
        shutdown.begin();
        for peer in peers {
            peer.join().expect("no message was cut");
        }
        ended(server);
    }
}

pub(crate) fn a_shutdown_ends_an_accept_loop_that_has_nothing_to_do<R: Runtime>() {
    let shutdown = Shutdown::new();
    let (_, server) = serve::<R, _>(10, &shutdown, echo);
    thread::sleep(Duration::from_millis(50));
    shutdown.begin();
    ended(server);
    // And one that starts too late.
    ended(serve::<R, _>(10, &shutdown, echo).1);
}

pub(crate) fn a_shutdown_ends_an_accept_loop_at_its_limit<R: Runtime>() {
    let shutdown = Shutdown::new();
    let seen = shutdown.clone();
    let (address, server) = serve::<R, _>(1, &shutdown, move |io| talk(io, seen.clone()));
    let mut only = connect(address);
    expect(&mut only, "220");
    shutdown.begin();
    assert_eq!(all(&mut only), "421");
    ended(server);
}

pub(crate) fn connections_are_limited<R: Runtime>() {
    let shutdown = Shutdown::new();
    let seen = shutdown.clone();
    let live = Arc::new(AtomicUsize::new(0));
    let (address, server) = serve::<R, _>(2, &shutdown, move |io| {
        let (live, seen) = (Arc::clone(&live), seen.clone());
        async move {
            assert!(live.fetch_add(1, Ordering::SeqCst) < 2, "too many connections");
            talk(io, seen).await;
            live.fetch_sub(1, Ordering::SeqCst);
        }
    });
    let mut first: Vec<_> = [(); 2].map(|()| connect(address)).into();
    for peer in &mut first {
        expect(peer, "220");
    }
    let mut third = connect(address);
    third.set_read_timeout(Some(Duration::from_millis(100))).expect("a timeout");
    let error = third.read(&mut [0]).expect_err("it has to wait");
    assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut));
    third.set_read_timeout(Some(LONG)).expect("a timeout");
    first.pop();
    expect(&mut third, "220");
    shutdown.begin();
    ended(server);
}

#[cfg(unix)]
pub(crate) fn a_shutdown_reaches_a_unix_socket_whose_path_is_gone<R: Runtime>() {
    let path = Socket::new();
    let shutdown = Shutdown::new();
    let server = serve_unix::<R>(&path.0, &shutdown);
    std::fs::remove_file(&path.0).expect("it was there");
    shutdown.begin();
    ended(server);
}
