//! Load on a server, from a process of its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Barrier, Semaphore};
use tokio::task::JoinSet;

use crate::work::{FROM, Shape};

/// How many connections are being opened at once.
const OPENING: usize = 100;

struct Session {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Session {
    async fn open(to: SocketAddr) -> Self {
        let stream = TcpStream::connect(to).await.expect("a connection");
        stream.set_nodelay(true).expect("no delay");
        let mut session = Self { stream, buffer: vec![0; 1024] };
        session.replies(1).await;
        session.say(b"EHLO mail.example.org\r\n").await;
        session.replies(1).await;
        session
    }

    async fn say(&mut self, octets: &[u8]) {
        self.stream.write_all(octets).await.expect("a server that listens");
    }

    /// Reads so many replies.
    async fn replies(&mut self, mut owed: usize) {
        // Where the line begins that is being read: its first four octets, as far as they are there.
        let (mut head, mut len) = ([0; 4], 0);
        while owed > 0 {
            let n = self.stream.read(&mut self.buffer).await.expect("replies");
            assert!(n > 0, "the server has gone");
            for octet in &self.buffer[..n] {
                match octet {
                    b'\n' => {
                        assert!(head[0] < b'4', "refused: {:?}", String::from_utf8_lossy(&self.buffer[..n]));
                        owed -= usize::from(head[3] != b'-');
                        len = 0;
                    }
                    _ if len < 4 => {
                        head[len] = *octet;
                        len += 1;
                    }
                    _ => {}
                }
            }
        }
    }
}

/// Opens `sessions` connections, then sends one message after the other on each of them: MAIL to DATA in one write, and
/// the message in another. It ends after so many messages on each, or after so long. Gives messages and the time.
pub async fn pipelined(
    to: SocketAddr,
    shape: Shape,
    sessions: usize,
    each: usize,
    time: Duration,
) -> (usize, Duration) {
    let envelope: Arc<[u8]> =
        format!("MAIL FROM:<{FROM}>\r\nRCPT TO:<{}>\r\nDATA\r\n", shape.to()[0]).into_bytes().into();
    let mut message = shape.message();
    if !message.ends_with(b"\r\n") {
        message.extend_from_slice(b"\r\n");
    }
    message.extend_from_slice(b".\r\n");
    let message: Arc<[u8]> = message.into();
    let (opening, ready) = (Arc::new(Semaphore::new(OPENING)), Arc::new(Barrier::new(sessions)));
    let mut all = JoinSet::new();
    for _ in 0..sessions {
        let (envelope, message) = (Arc::clone(&envelope), Arc::clone(&message));
        let (opening, ready) = (Arc::clone(&opening), Arc::clone(&ready));
        all.spawn(async move {
            let opened = opening.acquire().await.expect("a turn");
            let mut session = Session::open(to).await;
            drop(opened);
            ready.wait().await;
            let since = Instant::now();
            let mut sent = 0;
            while sent < each && since.elapsed() < time {
                session.say(&envelope).await;
                session.replies(3).await;
                session.say(&message).await;
                session.replies(1).await;
                sent += 1;
            }
            (sent, since, Instant::now())
        });
    }
    let done = all.join_all().await;
    let sent = done.iter().map(|(sent, _, _)| sent).sum();
    let begun = done.iter().map(|(_, since, _)| *since).min().expect("a session");
    let ended = done.iter().map(|(_, _, ended)| *ended).max().expect("a session");
    (sent, ended - begun)
}

/// Opens `connections` and says EHLO on each, then calls `opened`, and holds them until that returns.
pub async fn hold(to: SocketAddr, connections: usize, opened: impl FnOnce()) {
    let opening = Arc::new(Semaphore::new(OPENING));
    let mut all = JoinSet::new();
    for _ in 0..connections {
        let opening = Arc::clone(&opening);
        all.spawn(async move {
            let _opened = opening.acquire().await.expect("a turn");
            Session::open(to).await
        });
    }
    let held = all.join_all().await;
    opened();
    drop(held);
}
