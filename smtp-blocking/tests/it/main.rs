//! The adapter over real sockets.

mod block_on;
#[path = "../../../smtp-driver/tests/suite/mod.rs"]
mod suite;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::Duration;

use smtp_blocking::{Listener, Socket};
use smtp_driver::Io;
use suite::{Runtime, tests};

struct Blocking;

impl Runtime for Blocking {
    type Socket = Socket;
    type Listener = Listener;
    type UnixListener = Listener;

    const LAZY: bool = true;
    // A read is pending only every fifth of a second.
    const DROPS: bool = false;

    fn run<T>(work: impl Future<Output = T>) -> T {
        smtp_blocking::block_on(work)
    }

    async fn listen() -> (Self::Listener, SocketAddr) {
        let listener = Listener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        (listener, address)
    }

    async fn connect(to: &[SocketAddr], time: Duration) -> io::Result<Self::Socket> {
        Socket::connect(to, time)
    }

    fn nodelay(socket: &Self::Socket) -> bool {
        socket.get_ref().tcp_nodelay().expect("an option")
    }

    async fn listen_unix(path: &Path) -> Self::UnixListener {
        Listener::new(UnixListener::bind(path).expect("a path")).expect("an option")
    }

    async fn connect_unix(path: &Path) -> io::Result<impl Io> {
        Socket::connect_unix(path, Duration::from_secs(10))
    }
}

tests!(Blocking);
