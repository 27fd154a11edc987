//! What our servers hear, as it is without TLS: how a client did what it did, and not only that it arrived.

use std::collections::HashMap;
use std::future::Future;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::BytesMut;
use smtp_driver::{Io, Listener, Record};

/// What was heard on a connection up to now, a string a read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard(Arc<Mutex<Vec<String>>>);

/// Octets of a read that are kept: commands, and the beginning of a message.
const KEPT: usize = 2048;

impl Heard {
    pub(crate) fn reads(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl Record for Heard {
    fn said(&mut self, _: &[u8]) {}

    fn heard(&mut self, octets: &[u8]) {
        let text = String::from_utf8_lossy(&octets[..octets.len().min(KEPT)]).into_owned();
        self.0.lock().unwrap().push(text);
    }
}

/// The connections of a listener that no handler has asked for yet, by the client's address.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fresh(Arc<Mutex<HashMap<SocketAddr, Heard>>>);

impl Fresh {
    pub(crate) fn take(&self, client: SocketAddr) -> Heard {
        self.0.lock().unwrap().remove(&client).unwrap()
    }
}

/// A listener that keeps what its connections hear.
#[derive(Debug)]
pub(crate) struct Overheard<L>(pub(crate) L, pub(crate) Fresh);

impl<L: Listener> Listener for Overheard<L> {
    type Io = Ear<L::Io>;

    async fn accept(&mut self) -> io::Result<Self::Io> {
        let io = self.0.accept().await?;
        let heard = Heard::default();
        self.1.0.lock().unwrap().insert(io.peer().unwrap(), heard.clone());
        Ok(Ear { io, heard })
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.0.spawn(task);
    }

    fn sleep(&self, time: Duration) -> impl Future<Output = ()> + Send {
        self.0.sleep(time)
    }
}

/// A connection, with the record that is kept of it.
#[derive(Debug)]
pub(crate) struct Ear<I> {
    io: I,
    heard: Heard,
}

impl<I: Io> Io for Ear<I> {
    fn age(&self) -> Duration {
        self.io.age()
    }

    fn read(
        &mut self,
        buf: &mut BytesMut,
        until: Option<Duration>,
    ) -> impl Future<Output = io::Result<usize>> + Send {
        self.io.read(buf, until)
    }

    fn write(
        &mut self,
        bufs: &[IoSlice<'_>],
        until: Option<Duration>,
    ) -> impl Future<Output = io::Result<usize>> + Send {
        self.io.write(bufs, until)
    }

    fn peer(&self) -> Option<SocketAddr> {
        self.io.peer()
    }

    fn local(&self) -> Option<SocketAddr> {
        self.io.local()
    }

    fn record(&mut self) -> Option<&mut dyn Record> {
        Some(&mut self.heard)
    }

    fn shutdown_write(&mut self) -> impl Future<Output = io::Result<()>> + Send {
        self.io.shutdown_write()
    }
}
