//! What becomes of a message's octets on their way between its owner, the transport and the handler at the other end: how many of them are
//! copied, and how full the records of TLS are. A transport sees both: what is written from the message's own memory was not
//! copied, nor was what a handler is lent from where it was read.
//!
//! ```text
//! cargo test -p smtp-driver --test it copies -- --nocapture
//! ```

use std::future::{pending, poll_fn};
use std::io::{self, IoSlice};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Poll;
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use futures_lite::future::{block_on, or};
use smtp_driver::io::{make_room, room};
use smtp_driver::proto::dot::Body;
use smtp_driver::proto::reply::Reply;
use smtp_driver::proto::server::Config;
use smtp_driver::proto::session::{Envelope, Transfer};
use smtp_driver::server::{self, Security};
use smtp_driver::{Destination, Handler, Io, OK, Shutdown, client};

/// What the client may copy of a message, however long: its end, which leaves in one write with what follows it.
const TAIL: usize = 8 * 1024;
/// Up to here a message is copied, once, to leave in one write with what is around it.
const SHORT: usize = 64 * 1024;
/// Room for the commands of an envelope.
const COMMANDS: usize = 512;

/// What both ends have done to the octets.
#[derive(Debug, Default)]
struct Seen {
    /// Where the message lies, and where the server's input does.
    message: Range<usize>,
    input: Range<usize>,
    /// Written from the message itself, and from elsewhere.
    lent: usize,
    copied: usize,
    /// Lent to the handler from the input, and from elsewhere.
    handed: usize,
    made: usize,
    /// Moved within the server's input, to make room behind them.
    moved: usize,
    reads: usize,
    /// Looks in vain since the last read that brought something.
    idle: usize,
    /// All that the client has written, and in how many writes.
    wire: Vec<u8>,
    writes: usize,
}

type Shared = Arc<Mutex<Seen>>;

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().expect("no panic")
}

fn lies_in(octets: &[u8], place: &Range<usize>) -> bool {
    let at = octets.as_ptr().addr();
    place.contains(&at) && at + octets.len() <= place.end
}

/// One end of a wire in memory.
struct End {
    from: Arc<Mutex<BytesMut>>,
    to: Arc<Mutex<BytesMut>>,
    seen: Shared,
    is_client: bool,
}

impl Io for End {
    fn age(&self) -> Duration {
        Duration::ZERO
    }

    /// As the adapters do. Time stands still, so that only a look without a wait is ever too late.
    async fn read(&mut self, buf: &mut BytesMut, until: Option<Duration>) -> io::Result<usize> {
        poll_fn(|context| {
            let mut from = lock(&self.from);
            if from.is_empty() {
                if until == Some(Duration::ZERO) {
                    return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                }
                let mut seen = lock(&self.seen);
                seen.idle += 1;
                assert!(seen.idle < 1000, "both ends wait for each other");
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            lock(&self.seen).idle = 0;
            let (kept, made) = (buf.len(), make_room(buf));
            let n = room(buf).min(from.len());
            buf.extend_from_slice(&from[..n]);
            from.advance(n);
            if !self.is_client {
                let mut seen = lock(&self.seen);
                seen.input = buf.as_ptr().addr()..buf.as_ptr().addr() + buf.len();
                seen.moved += if made { kept } else { 0 };
                seen.reads += 1;
            }
            Poll::Ready(Ok(n))
        })
        .await
    }

    async fn write(&mut self, bufs: &[IoSlice<'_>], _: Option<Duration>) -> io::Result<usize> {
        let (mut to, mut seen) = (lock(&self.to), lock(&self.seen));
        for buf in bufs {
            to.extend_from_slice(buf);
            if self.is_client {
                let count = if lies_in(buf, &seen.message) { &mut seen.lent } else { &mut seen.copied };
                *count += buf.len();
                seen.wire.extend_from_slice(buf);
            }
        }
        seen.writes += usize::from(self.is_client);
        Ok(bufs.iter().map(|buf| buf.len()).sum())
    }
}

struct Reader(Shared);

impl Handler for Reader {
    async fn body(&mut self, body: &Body<'_>) -> Result<(), Reply<'static>> {
        let mut seen = lock(&self.0);
        for slice in body.slices() {
            let count = if lies_in(slice, &seen.input) { &mut seen.handed } else { &mut seen.made };
            *count += slice.len();
        }
        Ok(())
    }

    async fn message(&mut self) -> Reply<'static> {
        OK
    }
}

/// Has `work` done with a client that is connected to a server, and says what both have done with `message`.
fn seen<T>(
    message: &[u8],
    destination: &Destination,
    security: Security,
    work: impl AsyncFnOnce(&mut client::Connection<End>) -> T,
) -> Seen {
    let (up, down, seen) = (Arc::default(), Arc::default(), Shared::default());
    let end = |from: &Arc<_>, to: &Arc<_>, is_client| End {
        from: Arc::clone(from),
        to: Arc::clone(to),
        seen: Arc::clone(&seen),
        is_client,
    };
    let config = Config::new("mx.example.net".parse().expect("a domain")).shared();
    let server = server::Connection::new(end(&up, &down, false), config, security, Shutdown::new());
    let (mut server, mut reader) = (server.expect("a server"), Reader(Arc::clone(&seen)));
    let serving = async {
        server.serve(&mut reader).await.expect("no fault");
        pending().await
    };
    block_on(or(serving, async {
        let mut connection = destination.open(end(&down, &up, true)).await.expect("it opens");
        let at = message.as_ptr().addr();
        *lock(&seen) = Seen { message: at..at + message.len(), ..Seen::default() };
        work(&mut connection).await;
    }));
    std::mem::take(&mut *lock(&seen))
}

fn text(len: usize) -> Vec<u8> {
    let line = b"A line of text as it stands in many a message, sixty-four octets\r\n";
    let mut text = line.repeat(len / line.len());
    text.resize(len - 2, b'x');
    text.extend_from_slice(b"\r\n");
    text
}

fn envelope() -> Envelope<'static> {
    Envelope::parse("ann@example.org", ["ben@example.net"]).expect("addresses")
}

async fn send(connection: &mut client::Connection<End>, transfer: Transfer, message: &[u8]) {
    connection.set_transfer(transfer);
    assert!(connection.send(&envelope(), message).await.expect("it is sent").all_delivered());
}

/// A short message is copied once, into the write that it leaves in; of a long one its end is, and nothing else. The server
/// copies nothing, but for an octet or two in a read that a line's end or a dot was cut at.
#[test]
fn a_message_is_copied_once_if_it_is_short_and_lent_if_it_is_long() {
    println!("| octets | transfer | client: lent | copied | server: lent | made | moved | reads |");
    for len in [1 << 10, 64 << 10, 100 << 10, 1 << 20, 10 << 20] {
        for transfer in [Transfer::Data, Transfer::Chunks, Transfer::ChunksInFlight] {
            let (message, plain) = (text(len), Destination::plain("mx.example.net", 25));
            let seen = seen(&message, &plain, Security::Plain, async |client| {
                send(client, transfer, &message).await
            });
            let Seen { lent, copied, handed, made, moved, reads, .. } = seen;
            println!("| {len} | {transfer:?} | {lent} | {copied} | {handed} | {made} | {moved} | {reads} |");
            let most = if len > SHORT { TAIL } else { len };
            assert!(copied <= most + COMMANDS && lent >= len - most, "{len}, {transfer:?}: {copied}, {lent}");
            assert!(handed + made == len && made == 0, "{len}, {transfer:?}: {made} of {len} made");
            assert!(moved <= 2 * reads, "{len}, {transfer:?}: {moved} moved in {reads} reads");
        }
    }
}

#[cfg(feature = "rustls")]
mod tls {
    use super::*;
    use rustls::pki_types::PrivateKeyDer;

    /// The most that a record carries (RFC 8446, 5.1).
    const RECORD: usize = 16 * 1024;

    fn ends() -> (Destination, Security) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = rustls::RootCertStore::empty();
        roots.add(made.cert.der().clone()).expect("a root");
        let client = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let server = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .expect("a certificate");
        (Destination::submissions("localhost", Arc::new(client)), Security::Implicit(Arc::new(server)))
    }

    /// How many records of application data the client wrote.
    fn records(mut wire: &[u8]) -> usize {
        let mut records = 0;
        while let [kind, _, _, high, low, rest @ ..] = wire {
            assert_eq!(*kind, 23);
            wire = &rest[usize::from(u16::from_be_bytes([*high, *low]))..];
            records += 1;
        }
        records
    }

    /// The envelope goes in one record, and the message in as few as carry it: full ones, and one more where its end is
    /// kept back to leave with what follows.
    #[test]
    fn records_are_full() {
        let (destination, security) = ends();
        for len in [1 << 10, 8 << 10, 100 << 10, 1 << 20] {
            let message = text(len);
            let seen = seen(&message, &destination, security.clone(), async |client| {
                send(client, Transfer::Data, &message).await;
            });
            let (records, least) = (records(&seen.wire), (len + b".\r\n".len()).div_ceil(RECORD));
            println!("{len} octets: {records} records, {} writes", seen.writes);
            let most = 1 + least + usize::from(len > SHORT);
            assert!((1 + least..=most).contains(&records), "{len}: {records} of {most}");
        }
    }

    /// In the steady state a short message, the end of the one ahead and the next envelope are one flight: one write, and
    /// one record in it.
    #[test]
    fn a_flight_is_one_record() {
        let (destination, security) = ends();
        let (message, envelope) = (text(1 << 10), envelope());
        let sent = |count| {
            let seen = seen(&message, &destination, security.clone(), async |client| {
                let messages = (0..count).map(|_| (&envelope, &message));
                client
                    .send_all(messages, |report| assert!(report.all_delivered()))
                    .await
                    .expect("they are sent");
            });
            (records(&seen.wire), seen.writes)
        };
        let ((few, few_writes), (many, many_writes)) = (sent(2), sent(12));
        assert_eq!((many - few, many_writes - few_writes), (10, 10));
    }
}
