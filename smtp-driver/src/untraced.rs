//! `trace` without the feature `tracing`: nothing, of no size.

use std::future::Future;
use std::net::SocketAddr;

use smtp_proto::reply::Reply;
use smtp_proto::server::Event;
use smtp_proto::session::{Envelope, Report};

#[derive(Debug)]
pub(crate) struct Trace;

#[derive(Clone, Debug)]
pub(crate) struct Span;

impl Trace {
    pub(crate) const fn server() -> Self {
        Self
    }
    pub(crate) const fn client(_: Option<SocketAddr>) -> Self {
        Self
    }
    pub(crate) const fn span(&self) -> Span {
        Span
    }
    pub(crate) fn heard<'e>(&mut self, _: impl FnOnce() -> Event<'e>, _: Option<SocketAddr>, _: bool) {}
    pub(crate) const fn settled(&mut self) {}
    pub(crate) const fn ended(&self, _: Option<&crate::Error>) {}
    pub(crate) const fn message(&self, _: &Envelope<'_>) -> Span {
        Span
    }
    pub(crate) const fn told(_: &[u8]) {}
}

impl Span {
    pub(crate) fn scope<T>(&self, work: impl FnOnce() -> T) -> T {
        work()
    }
    pub(crate) const fn outcomes(&self, _: &Envelope<'_>, _: &Report) {}
}

pub(crate) const fn said(_: &Reply<'_>) {}

pub(crate) const fn within<F: Future>(_: Span, work: F) -> F {
    work
}
