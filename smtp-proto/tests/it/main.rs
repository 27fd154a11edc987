//! What smtp-proto promises, one module a promise.

mod capabilities;
mod replies;
