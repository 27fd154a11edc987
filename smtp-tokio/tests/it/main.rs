//! The adapter over real sockets.

#[path = "../../../smtp-driver/tests/suite/mod.rs"]
mod suite;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use smtp_driver::Io;
use smtp_tokio::{Listener, Socket};
use suite::{Runtime, tests};
use tokio::net::{TcpListener, TcpStream, UnixListener};

struct Tokio;

impl Runtime for Tokio {
    type Socket = Socket<TcpStream>;
    type Listener = Listener<TcpListener>;
    type UnixListener = Listener<UnixListener>;

    const LAZY: bool = true;
    const DROPS: bool = true;

    fn run<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Runtime::new().expect("a runtime").block_on(work)
    }

    async fn listen() -> (Self::Listener, SocketAddr) {
        let listener = Listener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        (listener, address)
    }

    async fn connect(to: &[SocketAddr], time: Duration) -> io::Result<Self::Socket> {
        Socket::connect(to, time).await
    }

    fn nodelay(socket: &Self::Socket) -> bool {
        socket.get_ref().nodelay().expect("an option")
    }

    async fn listen_unix(path: &Path) -> Self::UnixListener {
        UnixListener::bind(path).expect("a path").into()
    }

    async fn connect_unix(path: &Path) -> io::Result<impl Io> {
        Socket::connect_unix(path, Duration::from_secs(10)).await
    }
}

tests!(Tokio);
