//! What smtp-proto promises, one module a promise.

mod link;
#[cfg(feature = "rustls")]
mod tls;
