//! What smtp-proto promises, one module a promise.
mod auth;
