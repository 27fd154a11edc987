//! What smtp-proto promises, one module a promise.
mod bodies;

mod link;
#[cfg(feature = "rustls")]
mod tls;

mod auth;
mod capabilities;
mod pair;
mod messages;
mod refusals;
mod replies;
mod values;
