//! What smtp-proto promises, one module a promise.
mod bodies;
mod conformance;
mod corpus;
mod limits;
mod smuggling;
mod splits;
mod starttls;
mod transcripts;

mod link;
#[cfg(feature = "rustls")]
mod tls;

mod alloc;
mod auth;
mod capabilities;
mod edges;
mod flows;
mod guessing;
mod injection;
mod logins;
mod messages;
mod overlap;
mod pair;
mod received;
mod refusals;
mod replies;
mod rules;
mod rules_values;
#[cfg(feature = "serde")]
mod serialised;
mod session_limits;
mod sim;
mod times;
mod trips;
mod values;

/// The bodies of the fuzz targets: models that the property tests share, and what `corpus` replays.
#[path = "../../../fuzz/src/lib.rs"]
mod fuzz;
