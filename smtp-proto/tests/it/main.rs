//! What smtp-proto promises, one module a promise.
mod bodies;

mod link;
#[cfg(feature = "rustls")]
mod tls;

mod auth;
mod capabilities;
mod pair;
mod logins;
mod messages;
mod overlap;
mod refusals;
mod times;
mod replies;
mod values;
