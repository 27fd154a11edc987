//! A runtime of one's own: `adapter.rs` is all of it, and this is a server and a pool of clients that run on it.
//!
//! Prints:
//!
//! ```text
//! 3 of 3 messages were delivered, over 1 connection
//! ```

mod adapter;

use std::error::Error;
use std::net::TcpListener;
use std::sync::atomic::{AtomicU32, Ordering};

use futures_lite::future::{block_on, zip};
use smtp_driver::proto::address::Domain;
use smtp_driver::proto::reply::Reply;
use smtp_driver::proto::server::Config;
use smtp_driver::proto::server::usual::GREETING;
use smtp_driver::proto::session::Envelope;
use smtp_driver::{Destination, Handler, OK, Peer, Pool, Service, Shutdown, serve};

static CONNECTIONS: AtomicU32 = AtomicU32::new(0);

struct Count;

impl Handler for Count {
    async fn connected(&mut self, _: Peer<'_>) -> Reply<'static> {
        CONNECTIONS.fetch_add(1, Ordering::Relaxed);
        GREETING
    }

    async fn message(&mut self) -> Reply<'static> {
        OK
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    adapter::start();
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let pool = Pool::<adapter::Tcp>::new(Destination::from(listener.local_addr()?));
    let service = Service::new(Config::new(Domain::parse("mx.example.org")?).shared());
    let shutdown = Shutdown::new();
    let server = serve(adapter::Listener(listener), service, &shutdown, || Count);

    let client = async {
        let envelope = Envelope::parse("ann@example.org", ["ben@example.net"])?;
        let mut delivered = 0;
        for _ in 0..3 {
            let report = pool.send(&envelope, "Subject: hello\r\n\r\nHello, Ben.\r\n").await?;
            delivered += report.delivered();
        }
        pool.close().await;
        shutdown.begin();
        Ok::<_, Box<dyn Error>>(delivered)
    };
    let (served, delivered) = block_on(zip(server, client));
    served?;
    let connections = CONNECTIONS.load(Ordering::Relaxed);
    println!("{} of 3 messages were delivered, over {connections} connection", delivered?);
    Ok(())
}
