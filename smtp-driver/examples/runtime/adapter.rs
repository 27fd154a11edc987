//! An adapter for a runtime that has none: `async-executor` runs the tasks, and what waits is looked at every millisecond.
//! All that SMTP needs of a runtime is here: an [`Io`], a [`Listener`](smtp_driver::Listener), and a [`Connector`] for pools.

use std::future::{pending, poll_fn};
use std::io::{ErrorKind, IoSlice, Read as _, Result, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Mutex;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use async_executor::Executor;
use bytes::BytesMut;
use smtp_driver::io::{READ, read_into};
use smtp_driver::{Connector, Destination, Io};

static EXECUTOR: Executor<'static> = Executor::new();

/// Who waits. A reactor worth its name would ask epoll or kqueue whom to wake.
static WAITING: Mutex<Vec<Waker>> = Mutex::new(Vec::new());

/// Starts the runtime: one thread for the tasks, and one that wakes them.
pub(crate) fn start() {
    std::thread::spawn(|| futures_lite::future::block_on(EXECUTOR.run(pending::<()>())));
    std::thread::spawn(|| {
        loop {
            std::thread::sleep(Duration::from_millis(1));
            WAITING.lock().expect("nobody panics here").drain(..).for_each(Waker::wake);
        }
    });
}

/// Tries until it need not wait any more, or until what was opened then has that age.
async fn ready<T>(opened: Instant, until: Option<Duration>, mut f: impl FnMut() -> Result<T>) -> Result<T> {
    poll_fn(|context| match f() {
        Err(error) if error.kind() == ErrorKind::WouldBlock => {
            if until.is_some_and(|until| until <= opened.elapsed()) {
                return Poll::Ready(Err(ErrorKind::TimedOut.into()));
            }
            WAITING.lock().expect("nobody panics here").push(context.waker().clone());
            Poll::Pending
        }
        done => Poll::Ready(done),
    })
    .await
}

/// A socket, and when it was opened: deadlines are ages.
pub(crate) struct Socket(TcpStream, Instant);

impl From<TcpStream> for Socket {
    fn from(stream: TcpStream) -> Self {
        stream.set_nonblocking(true).expect("every socket can");
        Self(stream, Instant::now())
    }
}

impl Io for Socket {
    fn age(&self) -> Duration {
        self.1.elapsed()
    }
    async fn read(&mut self, buf: &mut BytesMut, until: Option<Duration>) -> Result<usize> {
        let Self(stream, opened) = self;
        ready(*opened, until, || read_into(buf, READ, |room| stream.read(room))).await
    }
    async fn write(&mut self, bufs: &[IoSlice<'_>], until: Option<Duration>) -> Result<usize> {
        let Self(stream, opened) = self;
        ready(*opened, until, || stream.write_vectored(bufs)).await
    }
    async fn shutdown_write(&mut self) -> Result<()> {
        self.0.shutdown(Shutdown::Write)
    }
}

/// A listening socket, one that does not block.
pub(crate) struct Listener(pub(crate) TcpListener);

impl smtp_driver::Listener for Listener {
    type Io = Socket;
    async fn accept(&mut self) -> Result<Socket> {
        ready(Instant::now(), None, || self.0.accept()).await.map(|(stream, _)| stream.into())
    }
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        EXECUTOR.spawn(task).detach();
    }
    async fn sleep(&self, time: Duration) {
        let _ = ready::<()>(Instant::now(), Some(time), || Err(ErrorKind::WouldBlock.into())).await;
    }
}

/// How a client's sockets are connected.
#[derive(Default)]
pub(crate) struct Tcp;

impl Connector for Tcp {
    type Io = Socket;
    async fn connect(&self, to: &Destination) -> Result<Socket> {
        TcpStream::connect((to.host(), to.port())).map(Into::into)
    }
}
