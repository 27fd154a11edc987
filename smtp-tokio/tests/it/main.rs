//! The adapter over real sockets.

#[path = "../../../smtp-driver/tests/conformance/mod.rs"]
mod conformance;
#[path = "../../../smtp-driver/tests/suite/mod.rs"]
mod suite;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use conformance::{Adapter, conformance};
use smtp_driver::Io;
use smtp_tokio::proto::server::Config;
use smtp_tokio::proto::session::Content;
use smtp_tokio::{
    Destination, Error, Handler, Listener, Message, PoolLimits, Service, Shutdown, Socket, server,
};
use suite::{Runtime, tests};
use tokio::io::AsyncReadExt as _;
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

impl Adapter for Tokio {
    type Client = smtp_tokio::Connection;
    type UnixClient = smtp_tokio::UnixConnection;
    type Server = server::Connection<Self::Socket>;

    async fn client(to: &Destination) -> Result<Self::Client, Error> {
        smtp_tokio::connect(to).await
    }

    async fn unix_client(path: &Path, to: &Destination) -> Result<Self::UnixClient, Error> {
        smtp_tokio::connect_unix(path, to).await
    }

    async fn serve<H: Handler + 'static>(
        listener: Self::Listener,
        service: Service,
        shutdown: &Shutdown,
        handler: impl Fn() -> H,
    ) -> io::Result<()> {
        smtp_tokio::serve(listener, service, shutdown, handler).await
    }

    async fn serve_unix<H: Handler + 'static>(
        listener: Self::UnixListener,
        service: Service,
        shutdown: &Shutdown,
        handler: impl Fn() -> H,
    ) -> io::Result<()> {
        smtp_tokio::serve(listener, service, shutdown, handler).await
    }

    fn stream(octets: Vec<u8>, fails: bool) -> impl Message {
        smtp_tokio::stream(io::Cursor::new(octets).chain(End { fails }), Content::unknown())
    }

    type Pool = smtp_tokio::Pool;

    fn pool(to: &Destination, limits: PoolLimits) -> Self::Pool {
        smtp_tokio::Pool::with_limits(to.clone(), limits)
    }

    async fn together(tasks: Vec<Pin<Box<dyn Future<Output = ()> + Send>>>) {
        let tasks: Vec<_> = tasks.into_iter().map(tokio::spawn).collect();
        for task in tasks {
            task.await.expect("no panic");
        }
    }

    fn pull(
        io: Self::Socket,
        config: Arc<Config>,
        security: server::Security,
        shutdown: Shutdown,
    ) -> Self::Server {
        server::Connection::new(io, config, security, shutdown).expect("a connection")
    }

    async fn next(server: &mut Self::Server) -> Result<Option<server::Turn<'_>>, Error> {
        server.next().await
    }
}

/// The end of a reader, or its failure.
struct End {
    fails: bool,
}

impl tokio::io::AsyncRead for End {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut tokio::io::ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Ready(if self.fails { Err(io::Error::other("the disk is gone")) } else { Ok(()) })
    }
}

tests!(Tokio);
conformance!(Tokio);
