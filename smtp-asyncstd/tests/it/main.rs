//! The adapter over real sockets, on both executors.

#[path = "../../../smtp-driver/tests/suite/mod.rs"]
mod suite;

use std::future::Future;
use std::io;
use std::marker::PhantomData;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::Duration;

use async_io::Async;
use smtp_asyncstd::spawn::Task;
use smtp_asyncstd::{Listener, Socket};
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
}
