//! What smtp-proto promises, one module a promise.
mod bodies;
mod limits;
mod smuggling;
mod splits;
mod starttls;
mod transcripts;

mod link;
#[cfg(feature = "rustls")]
mod tls;

mod auth;
mod capabilities;
mod flows;
mod replies;
mod values;
