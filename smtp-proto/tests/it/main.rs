//! What smtp-proto promises, one module a promise.
mod bodies;

mod link;
#[cfg(feature = "rustls")]
mod tls;

mod alloc;
mod auth;
mod capabilities;
mod pair;
mod logins;
mod messages;
mod overlap;
mod refusals;
mod times;
mod trips;
mod replies;
mod values;
