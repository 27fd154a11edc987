//! A link that takes its time: a relay of octets that hands each on so much later than it came.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Relays every connection to `to`, for as long as the program runs. Each direction takes half of `round_trip`; how much
/// is on its way does not matter.
pub fn link(to: SocketAddr, round_trip: Duration) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for near in listener.incoming() {
            let near = near.expect("a connection");
            let far = TcpStream::connect(to).expect("the server");
            for stream in [&near, &far] {
                stream.set_nodelay(true).expect("no delay");
            }
            one_way(&near, &far, round_trip / 2);
            one_way(&far, &near, round_trip / 2);
        }
    });
    address
}

fn one_way(from: &TcpStream, to: &TcpStream, delay: Duration) {
    let (mut from, to) = (from.try_clone().expect("a socket"), to.try_clone().expect("a socket"));
    let (sender, receiver): (Sender<(Instant, Vec<u8>)>, _) = channel();
    thread::spawn(move || deliver(&receiver, to));
    thread::spawn(move || {
        let mut buffer = vec![0; 64 * 1024];
        // The end is nothing, and comes as late as all else.
        loop {
            let n = from.read(&mut buffer).unwrap_or(0);
            if sender.send((Instant::now() + delay, buffer[..n].to_vec())).is_err() || n == 0 {
                return;
            }
        }
    });
}

fn deliver(octets: &Receiver<(Instant, Vec<u8>)>, mut to: TcpStream) {
    while let Ok((due, octets)) = octets.recv() {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if octets.is_empty() || to.write_all(&octets).is_err() {
            let _ = to.shutdown(std::net::Shutdown::Write);
            return;
        }
    }
}
