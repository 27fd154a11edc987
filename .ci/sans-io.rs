//! What smtp-proto may not name: see .ci/sans-io. One line for each path in smtp-proto/clippy.toml.
#![allow(dead_code, reason = "nobody calls a probe")]

use std::prelude::v1::*;

fn clocks(_: Option<std::time::Instant>, _: Option<std::time::SystemTime>) {
    let _ = std::time::Instant::now();
    let _ = std::time::SystemTime::now();
}

fn threads(_: Option<std::thread::Builder>, _: Option<std::thread::JoinHandle<()>>) {
    let _ = std::thread::spawn(|| ());
    std::thread::scope(|_| ());
    std::thread::sleep(core::time::Duration::ZERO);
    std::thread::park();
    std::thread::park_timeout(core::time::Duration::ZERO);
    std::thread::yield_now();
}

fn sockets(_: Option<std::net::TcpStream>, _: Option<std::net::TcpListener>, _: Option<std::net::UdpSocket>) {}
fn local_sockets(_: Option<std::os::unix::net::UnixStream>, _: Option<std::os::unix::net::UnixListener>) {}
fn datagrams(_: Option<std::os::unix::net::UnixDatagram>) {}
fn names<T: std::net::ToSocketAddrs>(_: T) {}

fn files(_: Option<std::fs::File>, _: Option<std::process::Command>) {}
