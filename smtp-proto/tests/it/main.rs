//! What smtp-proto promises, one module a promise.
mod bodies;
mod corpus;

mod link;
#[cfg(feature = "rustls")]
mod tls;

mod auth;
mod capabilities;
mod replies;
mod values;

/// The bodies of the fuzz targets: models that the property tests share, and what `corpus` replays.
#[path = "../../../fuzz/src/lib.rs"]
mod fuzz;
