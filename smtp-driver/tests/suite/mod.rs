//! What every adapter promises, tried over real sockets. Each includes this file and runs it: see [`tests`].
//!
//! The far end is always a plain socket of std's on a thread of its own, so that no adapter is tested against itself.

use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
#[cfg(unix)]
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use bytes::{Buf as _, BytesMut};
use smtp_driver::{Io, Listener, Shutdown, accept_loop, unless};

/// An adapter, with what the suite needs of it beyond the two traits.
pub(crate) trait Runtime {
    type Socket: Io + 'static;
    type Listener: Listener<Io = Self::Socket>;
    #[cfg(unix)]
    type UnixListener: Listener;

    /// Whether a read makes no room before there is something to read.
    const LAZY: bool;

    fn run<T>(work: impl Future<Output = T>) -> T;
    fn listen(shutdown: &Shutdown) -> impl Future<Output = (Self::Listener, SocketAddr)>;
    fn connect(to: &[SocketAddr], time: Duration) -> impl Future<Output = io::Result<Self::Socket>>;
    fn nodelay(socket: &Self::Socket) -> bool;
    #[cfg(unix)]
    fn listen_unix(path: &Path, shutdown: &Shutdown) -> impl Future<Output = Self::UnixListener>;
    #[cfg(unix)]
    fn connect_unix(path: &Path) -> impl Future<Output = io::Result<impl Io>>;
}

/// The whole suite as tests of the adapter `$runtime`.
macro_rules! tests {
    ($runtime:ty: $($(#[$attribute:meta])* $test:ident)*) => {
        $(#[test] $(#[$attribute])* fn $test() { crate::suite::$test::<$runtime>() })*
    };
    ($runtime:ty) => {
        $crate::suite::tests! { $runtime:
            echoes_whatever_the_size
            writes_on_a_connection_of_its_own
            the_end_is_zero_and_halves_close_apart
            a_deadline_loses_nothing
            a_dripping_peer_does_not_renew_a_deadline
            a_write_that_nobody_reads_times_out
            a_dropped_read_loses_nothing
            a_shutdown_cuts_what_idles_and_waits_for_the_rest
            a_shutdown_ends_an_accept_loop_that_has_nothing_to_do
            a_shutdown_ends_an_accept_loop_at_its_limit
            connections_are_limited
            nagle_is_off_at_both_ends
            connects_to_the_address_that_answers
            #[cfg(unix)] unix_sockets_do_the_same
            #[cfg(unix)] a_shutdown_reaches_a_unix_socket_whose_path_is_gone
        }
    };
}
pub(crate) use tests;

const LONG: Duration = Duration::from_secs(10);
/// What may pass between a deadline and its being told, on a loaded machine.
const SLACK: Duration = Duration::from_secs(1);

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
        assert!(!R::LAZY || dropped > 0, "none was dropped");
        peer.join().expect("the peer");
    });
    assert!(got == whole, "what came differs");
}

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

#[cfg(unix)]
pub(crate) fn a_shutdown_reaches_a_unix_socket_whose_path_is_gone<R: Runtime>() {
    let path = Socket::new();
    let shutdown = Shutdown::new();
    let server = serve_unix::<R>(&path.0, &shutdown);
    std::fs::remove_file(&path.0).expect("it was there");
    shutdown.begin();
    ended(server);
}

/// Sends back what it gets.
async fn echo(mut io: impl Io) {
    let mut buf = BytesMut::new();
    while io.read(&mut buf, Some(LONG)).await.expect("a read") > 0 {
        write_all(&mut io, &buf).await;
        buf.clear();
    }
}

/// A server in small: anything begins a message, anything more ends it.
async fn talk(mut io: impl Io, shutdown: Shutdown) {
    write_all(&mut io, b"220").await;
    let mut buf = BytesMut::new();
    loop {
        io.idle(true);
        match unless(&shutdown, io.read(&mut buf, None)).await {
            None => return write_all(&mut io, b"421").await,
            Some(read) if read.as_ref().is_ok_and(|read| *read > 0) => {}
            Some(_) => return,
        }
        io.idle(false);
        write_all(&mut io, b"354").await;
        assert_ne!(io.read(&mut buf, None).await.expect("the message"), 0, "it was cut");
        write_all(&mut io, b"250").await;
    }
}

/// Writes all of it, in slices of uneven lengths.
async fn write_all(io: &mut impl Io, mut octets: &[u8]) {
    while octets.has_remaining() {
        let (one, rest) = octets.split_at(octets.len().div_ceil(3));
        let (two, three) = rest.split_at(rest.len() / 2);
        let written = io.write(&[one, two, three].map(IoSlice::new), Some(LONG)).await.expect("a write");
        assert_ne!(written, 0);
        octets.advance(written);
    }
}

/// A listening socket of the adapter's on a thread of its own, where every connection gets `run`.
fn serve<R: Runtime, Fut>(
    max_connections: usize,
    shutdown: &Shutdown,
    run: impl Fn(R::Socket) -> Fut + Send + 'static,
) -> (SocketAddr, JoinHandle<io::Result<()>>)
where
    Fut: Future<Output = ()> + Send + 'static,
{
    let (shutdown, (tell, told)) = (shutdown.clone(), std::sync::mpsc::channel());
    let server = thread::spawn(move || {
        R::run(async {
            let (listener, address) = R::listen(&shutdown).await;
            tell.send(address).expect("somebody asked");
            accept_loop(listener, max_connections, &shutdown, run).await
        })
    });
    (told.recv().expect("it listens"), server)
}

#[cfg(unix)]
fn serve_unix<R: Runtime>(path: &Path, shutdown: &Shutdown) -> JoinHandle<io::Result<()>> {
    let (path, shutdown, (tell, told)) = (path.to_owned(), shutdown.clone(), std::sync::mpsc::channel());
    let server = thread::spawn(move || {
        R::run(async {
            let listener = R::listen_unix(&path, &shutdown).await;
            tell.send(()).expect("somebody asked");
            accept_loop(listener, 10, &shutdown, echo).await
        })
    });
    told.recv().expect("it listens");
    server
}

/// Waits for a server to end well.
fn ended(server: JoinHandle<io::Result<()>>) {
    let started = Instant::now();
    while !server.is_finished() {
        assert!(started.elapsed() < LONG, "the server does not end");
        thread::sleep(Duration::from_millis(5));
    }
    server.join().expect("no panic").expect("no error");
}

/// An accepted connection, and its far end.
async fn accepted<R: Runtime>() -> (R::Socket, TcpStream, R::Listener) {
    let (mut listener, address) = R::listen(&Shutdown::new()).await;
    let peer = connect(address);
    (listener.accept().await.expect("a connection"), peer, listener)
}

fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    (listener, address)
}

fn connect(address: SocketAddr) -> TcpStream {
    let peer = TcpStream::connect(address).expect("a connection");
    // No test hangs.
    peer.set_read_timeout(Some(LONG)).expect("a timeout");
    peer
}

fn expect(peer: &mut TcpStream, reply: &str) {
    let mut got = vec![0; reply.len()];
    peer.read_exact(&mut got).expect("a reply");
    assert_eq!(got, reply.as_bytes());
}

/// All that comes up to the end.
fn all(peer: &mut TcpStream) -> String {
    let mut got = String::new();
    peer.read_to_string(&mut got).expect("up to the end");
    got
}

fn echoed(peer: &TcpStream, sent: &[u8]) {
    let mut got = vec![0; sent.len()];
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut peer = peer;
            peer.write_all(sent).expect("a write");
        });
        let mut peer = peer;
        peer.read_exact(&mut got).expect("all of it");
    });
    assert!(got == sent, "what came back differs");
}

/// Octets that tell their place.
fn octets(count: usize) -> Vec<u8> {
    (0..count).map(|place| (place % 251) as u8 ^ (place >> 12) as u8).collect()
}

/// A path for a Unix socket, of this test's own, removed in the end.
#[cfg(unix)]
struct Socket(PathBuf);

#[cfg(unix)]
impl Socket {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("smtp-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        Self(std::env::temp_dir().join(name))
    }
}

#[cfg(unix)]
impl Drop for Socket {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
