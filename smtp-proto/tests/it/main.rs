//! What smtp-proto promises, one module a promise.
mod bodies;

mod link;
#[cfg(feature = "rustls")]
mod tls;

mod auth;
mod capabilities;
mod replies;
mod resets;
mod values;
