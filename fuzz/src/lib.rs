//! The bodies of the fuzz targets: what must hold of any octets whatever.
//!
//! smtp-proto's tests include this file as a module and replay the corpora through [`TARGETS`], so that stable runs what
//! the fuzzer found; and its property tests use the same models.
#![allow(unreachable_pub, reason = "a crate for the fuzzer, a private module for the tests")]

pub mod bodies;
pub mod client;
pub mod operations;
pub mod pair;
pub mod proxy;
pub mod replies;
pub mod sasl;
pub mod script;
pub mod server;
pub mod values;

/// What a target does with an input: it panics where what must hold doesn't.
pub type Body = fn(&[u8]);

/// Every target, by its name, which is its corpus's too.
pub const TARGETS: [(&str, Body); 14] = [
    ("command", values::command),
    ("address", values::address),
    ("param", values::param),
    ("reply", replies::reply),
    ("ehlo", replies::ehlo),
    ("body_in", bodies::body_in),
    ("body_out", bodies::body_out),
    ("server_bytes", server::bytes),
    ("server_ops", operations::server),
    ("client_bytes", client::bytes),
    ("client_ops", operations::client),
    ("pair", pair::pair),
    ("proxy", proxy::proxy),
    ("sasl", sasl::sasl),
];
