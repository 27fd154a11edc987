//! What every adapter promises, tried over real sockets. Each includes this file and runs it: see [`tests`].
//!
//! The far end is always a plain socket of std's on a thread of its own, so that no adapter is tested against itself.

mod serving;
mod sockets;

use std::future::Future;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
#[cfg(unix)]
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
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
    /// Whether a read that waits is pending at once, and so can be dropped.
    const DROPS: bool;

    fn run<T>(work: impl Future<Output = T>) -> T;
    fn listen() -> impl Future<Output = (Self::Listener, SocketAddr)>;
    fn connect(to: &[SocketAddr], time: Duration) -> impl Future<Output = io::Result<Self::Socket>>;
    fn nodelay(socket: &Self::Socket) -> bool;
    #[cfg(unix)]
    fn listen_unix(path: &Path) -> impl Future<Output = Self::UnixListener>;
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
            a_shutdown_at_any_moment_cuts_no_message
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
pub(crate) use serving::*;
pub(crate) use sockets::*;
pub(crate) use tests;

const LONG: Duration = Duration::from_secs(10);
/// What may pass between a deadline and its being told, on a loaded machine.
const SLACK: Duration = Duration::from_secs(1);

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
        match unless(&shutdown, io.read(&mut buf, None)).await {
            None => return write_all(&mut io, b"421").await,
            Some(read) if read.as_ref().is_ok_and(|read| *read > 0) => {}
            Some(_) => return,
        }
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
            let (listener, address) = R::listen().await;
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
            let listener = R::listen_unix(&path).await;
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
    let (mut listener, address) = R::listen().await;
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
pub(crate) struct Socket(pub(crate) PathBuf);

#[cfg(unix)]
impl Socket {
    pub(crate) fn new() -> Self {
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
