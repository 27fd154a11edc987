//! Every server that is a library. Each takes every message and throws it away.

use std::net::TcpListener;

use smtp_tokio::proto::address::Domain;
use smtp_tokio::proto::reply::Reply;
use smtp_tokio::proto::server::Config;
use smtp_tokio::{Handler, OK, Service, Shutdown};

use crate::clients::on_tokio;

/// Those that are libraries, by the names of the tables.
pub const SERVERS: [&str; 4] = ["ours: tokio", "ours: asyncstd", "ours: blocking", "mailin-embedded"];

/// Connections at once, more than any load opens.
const CONNECTIONS: usize = 20_000;

/// Takes everything.
pub struct Sink;
impl Handler for Sink {
    async fn message(&mut self) -> Reply<'static> {
        OK
    }
}

#[derive(Clone)]
struct Mailin;
impl mailin_embedded::Handler for Mailin {}

fn service() -> Service {
    let mut config = Config::new(Domain::parse("mx.example.org").expect("a name"));
    // The default of 50 MiB is less than the longest message here.
    config.capabilities = config.capabilities.with_size(2 << 30);
    Service::new(config.shared()).with_max_connections(CONNECTIONS)
}

/// Says where it listens, and serves until it is killed, on one thread where it can.
pub fn run(name: &str, threads: u32) {
    let listener = listener();
    println!("{}", listener.local_addr().expect("an address").port());
    match name {
        "ours: tokio" => on_tokio(async {
            listener.set_nonblocking(true).expect("a socket that does not block");
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            smtp_tokio::serve(smtp_tokio::Listener::from(listener), service(), &Shutdown::new(), || Sink)
                .await
        }),
        "ours: asyncstd" => {
            let executor: &smol::Executor<'static> = Box::leak(Box::default());
            let listener = smol::Async::new(listener).expect("a listener");
            let listener = smtp_asyncstd::Listener::new(listener, |task| executor.spawn(task).detach());
            let shutdown = Shutdown::new();
            smol::block_on(executor.run(smtp_asyncstd::serve(listener, service(), &shutdown, || Sink)))
        }
        "ours: blocking" => {
            let listener = smtp_blocking::Listener::new(listener).expect("a listener");
            smtp_blocking::serve(listener, service(), &Shutdown::new(), || Sink)
        }
        "mailin-embedded" => {
            let mut server = mailin_embedded::Server::new(Mailin);
            server.with_name("mx.example.org").with_num_threads(threads).with_tcp_listener(listener);
            server.serve().map_err(|error| std::io::Error::other(error.to_string()))
        }
        _ => panic!("there is no server {name}"),
    }
    .expect("a server that goes on");
}

/// A listening socket whose connections have TCP_NODELAY, whatever the server does about it.
fn listener() -> TcpListener {
    use socket2::{Domain, Socket, Type};
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_tcp_nodelay(true).expect("no delay");
    let address: std::net::SocketAddr = "127.0.0.1:0".parse().expect("an address");
    socket.bind(&address.into()).expect("a port");
    socket.listen(4096).expect("a backlog");
    socket.into()
}
