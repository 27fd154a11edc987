//! The adapter over real sockets.

mod block_on;
#[path = "../../../smtp-driver/tests/conformance/mod.rs"]
mod conformance;
#[path = "../../../smtp-driver/tests/suite/mod.rs"]
mod suite;

use std::future::Future;
use std::io::{self, Read as _};
use std::net::SocketAddr;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use conformance::{Adapter, Client, conformance};
use smtp_blocking::client::SendError;
use smtp_blocking::proto::command::{Attributes, Command};
use smtp_blocking::proto::reply::Reply;
use smtp_blocking::proto::server::Config;
use smtp_blocking::proto::session::{Content, Envelope, Report, Transfer};
use smtp_blocking::{
    Connection, Destination, Error, Handler, Listener, Message, Service, Shutdown, Socket, server,
};
use smtp_driver::Io;
use suite::{Runtime, tests};

struct Blocking;

impl Runtime for Blocking {
    type Socket = Socket;
    type Listener = Listener;
    type UnixListener = Listener;

    const LAZY: bool = true;
    // A read is pending only when a shutdown begins.
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

impl Adapter for Blocking {
    type Client = smtp_blocking::Connection;
    type UnixClient = smtp_blocking::UnixConnection;
    type Server = server::Connection<Socket>;

    async fn client(to: &Destination) -> Result<Self::Client, Error> {
        smtp_blocking::connect(to)
    }

    async fn unix_client(path: &Path, to: &Destination) -> Result<Self::UnixClient, Error> {
        smtp_blocking::connect_unix(path, to)
    }

    async fn serve<H: Handler + 'static>(
        listener: Self::Listener,
        service: Service,
        shutdown: &Shutdown,
        handler: impl Fn() -> H,
    ) -> io::Result<()> {
        smtp_blocking::serve(listener, service, shutdown, handler)
    }

    async fn serve_unix<H: Handler + 'static>(
        listener: Self::UnixListener,
        service: Service,
        shutdown: &Shutdown,
        handler: impl Fn() -> H,
    ) -> io::Result<()> {
        smtp_blocking::serve(listener, service, shutdown, handler)
    }

    fn stream(octets: Vec<u8>, fails: bool) -> impl Message {
        smtp_blocking::stream(io::Cursor::new(octets).chain(End { fails }), Content::unknown())
    }

    type Pool = smtp_blocking::Pool;

    fn pool(to: &Destination, limits: smtp_blocking::PoolLimits) -> Self::Pool {
        smtp_blocking::Pool::with_limits(to.clone(), limits)
    }

    async fn together(tasks: Vec<std::pin::Pin<Box<dyn Future<Output = ()> + Send>>>) {
        let threads: Vec<_> =
            tasks.into_iter().map(|task| std::thread::spawn(|| smtp_blocking::block_on(task))).collect();
        for thread in threads {
            thread.join().expect("no panic");
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
        server.next()
    }
}

/// The end of a reader, or its failure.
struct End {
    fails: bool,
}

impl io::Read for End {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        if self.fails { Err(io::Error::other("the disk is gone")) } else { Ok(0) }
    }
}

impl Client for Connection {
    async fn send(&mut self, envelope: &Envelope<'_>, message: impl Message) -> Result<Report, SendError> {
        self.send(envelope, message)
    }
    async fn send_all<'m, M: Message>(
        &mut self,
        messages: Vec<(&'m Envelope<'m>, M)>,
        reported: impl FnMut(Report),
    ) -> Result<(), Error> {
        self.send_all(messages, reported)
    }
    async fn command(&mut self, command: Command<'_>) -> Result<Reply<'static>, Error> {
        self.command(command)
    }
    async fn xclient(&mut self, attributes: &Attributes<'_>) -> Result<Reply<'static>, Error> {
        self.xclient(attributes)
    }
    async fn xforward(&mut self, attributes: &Attributes<'_>) -> Result<Reply<'static>, Error> {
        self.xforward(attributes)
    }
    async fn noop(&mut self) -> Result<(), Error> {
        self.noop()
    }
    async fn quit(self) {
        self.quit();
    }
    fn set_transfer(&mut self, transfer: Transfer) {
        self.set_transfer(transfer);
    }
    fn is_usable(&self) -> bool {
        (**self).is_usable()
    }
    fn is_tls(&self) -> bool {
        (**self).is_tls()
    }
}

tests!(Blocking);
conformance!(Blocking);

/// The race with a shutdown that began between its look and the wait is still decided.
#[test]
fn a_shutdown_that_has_begun_is_seen_by_who_begins_to_wait() {
    use std::task::{Context, Waker};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let peer =
        std::net::TcpStream::connect(listener.local_addr().expect("an address")).expect("a connection");
    let (socket, _) = listener.accept().expect("a connection");
    let (mut socket, shutdown) = (Socket::new(socket), Shutdown::new());
    socket.heed(&shutdown);
    shutdown.begin();
    let started = std::time::Instant::now();
    let time = Duration::from_secs(20);
    let until = socket.age() + time;
    let mut buf = bytes::BytesMut::new();
    let mut read = std::pin::pin!(socket.read(&mut buf, Some(until)));
    assert!(read.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    assert!(started.elapsed() < time, "it waited for the peer first");
    drop(peer);
}

impl conformance::Pool for smtp_blocking::Pool {
    async fn send(&self, envelope: &Envelope<'_>, message: impl Message) -> Result<Report, SendError> {
        self.send(envelope, message)
    }
    async fn sweep(&self) {
        self.sweep();
    }
    async fn close(&self) {
        self.close();
    }
    fn idle(&self) -> usize {
        self.idle()
    }
    fn waiting(&self) -> usize {
        self.waiting()
    }
}
