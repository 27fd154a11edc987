//! What ends the server.

use std::io;

use smtp_tokio::Shutdown;

use crate::exit;

/// What ends the server.
pub(super) struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    #[cfg(unix)]
    pub(super) fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};

        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    #[cfg(not(unix))]
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {})
    }

    /// The first begins the shutdown, the second ends the process.
    pub(super) async fn begin(mut self, shutdown: Shutdown) {
        self.next().await;
        shutdown.begin();
        self.next().await;
        std::process::exit(i32::from(exit::TEMP_FAIL));
    }

    #[cfg(unix)]
    async fn next(&mut self) {
        let (mut terminate, mut interrupt) =
            (std::pin::pin!(self.terminate.recv()), std::pin::pin!(self.interrupt.recv()));
        std::future::poll_fn(|context| match terminate.as_mut().poll(context) {
            std::task::Poll::Pending => interrupt.as_mut().poll(context),
            ready => ready,
        })
        .await;
    }

    #[cfg(not(unix))]
    async fn next(&mut self) {
        // Where there is no such signal, nothing but the end of the process ends it.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
