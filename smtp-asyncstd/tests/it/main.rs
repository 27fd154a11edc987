//! The adapter over real sockets, on both executors.

#[path = "../../../smtp-driver/tests/conformance/mod.rs"]
mod conformance;
#[path = "../../../smtp-driver/tests/suite/mod.rs"]
mod suite;

use std::future::Future;
use std::io;
use std::marker::PhantomData;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use async_io::Async;
use conformance::Adapter;
use futures_lite::AsyncReadExt as _;
use smtp_asyncstd::proto::server::Config;
use smtp_asyncstd::proto::session::Content;
use smtp_asyncstd::spawn::Task;
use smtp_asyncstd::{Destination, Error, Handler, Listener, Message, Service, Shutdown, Socket, server};
use smtp_driver::Io;
use suite::Runtime;

/// What the two differ in.
trait Executor {
    fn block_on<T>(work: impl Future<Output = T>) -> T;
    fn spawn(task: Task);
}

struct On<E>(PhantomData<E>);

impl<E: Executor> Runtime for On<E> {
    type Socket = Socket<TcpStream>;
    type Listener = Listener<TcpListener, fn(Task)>;
    type UnixListener = Listener<UnixListener, fn(Task)>;

    const LAZY: bool = true;
    const DROPS: bool = true;

    fn run<T>(work: impl Future<Output = T>) -> T {
        E::block_on(work)
    }

    async fn listen() -> (Self::Listener, SocketAddr) {
        let listener = Listener::bind("127.0.0.1:0", E::spawn as fn(Task)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        (listener, address)
    }

    async fn connect(to: &[SocketAddr], time: Duration) -> io::Result<Self::Socket> {
        Socket::connect(to, time).await
    }

    fn nodelay(socket: &Self::Socket) -> bool {
        socket.get_ref().get_ref().nodelay().expect("an option")
    }

    async fn listen_unix(path: &Path) -> Self::UnixListener {
        Listener::new(Async::<UnixListener>::bind(path).expect("a path"), E::spawn)
    }

    async fn connect_unix(path: &Path) -> io::Result<impl Io> {
        Socket::connect_unix(path, Duration::from_secs(10)).await
    }
}

impl<E: Executor> Adapter for On<E> {
    type Client = smtp_asyncstd::Connection;
    type UnixClient = smtp_asyncstd::UnixConnection;
    type Server = server::Connection<Self::Socket>;

    async fn client(to: &Destination) -> Result<Self::Client, Error> {
        smtp_asyncstd::connect(to).await
    }

    async fn unix_client(path: &Path, to: &Destination) -> Result<Self::UnixClient, Error> {
        smtp_asyncstd::connect_unix(path, to).await
    }

    async fn serve<H: Handler + 'static>(
        listener: Self::Listener,
        service: Service,
        shutdown: &Shutdown,
        handler: impl Fn() -> H,
    ) -> io::Result<()> {
        smtp_asyncstd::serve(listener, service, shutdown, handler).await
    }

    async fn serve_unix<H: Handler + 'static>(
        listener: Self::UnixListener,
        service: Service,
        shutdown: &Shutdown,
        handler: impl Fn() -> H,
    ) -> io::Result<()> {
        smtp_asyncstd::serve(listener, service, shutdown, handler).await
    }

    fn stream(octets: Vec<u8>, fails: bool) -> impl Message {
        smtp_asyncstd::stream(futures_lite::io::Cursor::new(octets).chain(End { fails }), Content::unknown())
    }

    type Pool = smtp_asyncstd::Pool;

    fn pool(to: &Destination, limits: smtp_asyncstd::PoolLimits) -> Self::Pool {
        smtp_asyncstd::Pool::with_limits(to.clone(), limits)
    }

    async fn together(tasks: Vec<std::pin::Pin<Box<dyn Future<Output = ()> + Send>>>) {
        let (count, all) = (tasks.len(), Arc::new(()));
        let done = Arc::new(AtomicUsize::new(0));
        for task in tasks {
            let (done, there) = (Arc::clone(&done), Arc::clone(&all));
            E::spawn(Box::pin(async move {
                // Gone with the task, also if that panics.
                let _there = there;
                task.await;
                done.fetch_add(1, Ordering::SeqCst);
            }));
        }
        while Arc::strong_count(&all) > 1 {
            async_io::Timer::after(Duration::from_millis(2)).await;
        }
        assert_eq!(done.load(Ordering::SeqCst), count, "one panicked");
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

impl futures_lite::AsyncRead for End {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut [u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(if self.fails { Err(io::Error::other("the disk is gone")) } else { Ok(0) })
    }
}

mod smol {
    use super::*;

    struct Smol;

    impl Executor for Smol {
        fn block_on<T>(work: impl Future<Output = T>) -> T {
            ::smol::block_on(work)
        }

        fn spawn(task: Task) {
            ::smol::spawn(task).detach();
        }
    }

    suite::tests!(On<Smol>);
    conformance::conformance!(On<Smol>);
}

mod async_std {
    use super::*;

    struct AsyncStd;

    impl Executor for AsyncStd {
        fn block_on<T>(work: impl Future<Output = T>) -> T {
            ::async_std::task::block_on(work)
        }

        fn spawn(task: Task) {
            ::async_std::task::spawn(task);
        }
    }

    suite::tests!(On<AsyncStd>);
    conformance::conformance!(On<AsyncStd>);
}
