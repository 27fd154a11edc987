//! The adapter over real sockets.

#[path = "../../../smtp-driver/tests/suite/mod.rs"]
mod suite;

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::Duration;

use smtp_blocking::{Listener, Socket, block_on};
use smtp_driver::{Io, Shutdown};
use suite::{Runtime, tests};

struct Blocking;

impl Runtime for Blocking {
    type Socket = Socket<TcpStream>;
    type Listener = Listener<TcpListener>;
    type UnixListener = Listener<UnixListener>;

    // A thread that is blocked in a read has the room for it already.
    const LAZY: bool = false;

    fn run<T>(work: impl Future<Output = T>) -> T {
        block_on(work)
    }

    async fn listen(shutdown: &Shutdown) -> (Self::Listener, SocketAddr) {
        let listener = Listener::bind("127.0.0.1:0", shutdown).expect("a port");
        let address = listener.local_addr().expect("an address");
        (listener, address)
    }

    async fn connect(to: &[SocketAddr], time: Duration) -> io::Result<Self::Socket> {
        Socket::connect(to, time)
    }

    fn nodelay(socket: &Self::Socket) -> bool {
        socket.get_ref().nodelay().expect("an option")
    }

    async fn listen_unix(path: &Path, shutdown: &Shutdown) -> Self::UnixListener {
        Listener::new(UnixListener::bind(path).expect("a path"), shutdown).expect("a thread")
    }

    async fn connect_unix(path: &Path) -> io::Result<impl Io> {
        Socket::connect_unix(path)
    }
}

tests!(Blocking);
