//! The server that a transcript's `!` lines describe.

use smtp_proto::address::Domain;
use smtp_proto::auth::{Mechanism, Mechanisms};
use smtp_proto::dot::LineEnds;
use smtp_proto::extension::Capabilities;
use smtp_proto::server::Config;

use super::script::{Said, Script};

pub(crate) fn config(script: &Script) -> Config {
    let domain = script.values("domain").next().unwrap_or("mx.example.org").to_owned();
    let mut config = Config::new(Domain::parse(&domain).expect("a domain").into_owned());
    config.capabilities = Capabilities::new();
    for offer in script.values("offer") {
        config.capabilities = config.capabilities.with_keyword(offer).expect("a keyword");
    }
    if script.values("offer").next().is_none() {
        let first = script.replies().into_iter().find(|said| is_list(said));
        config.capabilities = first.map_or_else(Capabilities::new, listed);
    }
    for names in script.values("mechanisms") {
        let known = names.split(' ').filter_map(Mechanism::from_name);
        config = config.with_auth(known.collect::<Mechanisms>());
    }
    if script.has("lmtp") {
        config = config.lmtp();
    }
    config.require_tls = script.has("require tls");
    config.require_auth = script.has("require auth");
    config.auth_in_clear = script.has("auth in clear");
    config.strict_hello = script.has("strict hello");
    config.policy.line_ends = match script.values("bare").next() {
        Some("normalise") => LineEnds::Normalise,
        Some("keep") => LineEnds::Keep,
        _ => LineEnds::Reject,
    };
    config.policy.undeclared_8bit = !script.has("refuse 8bit");
    config.policy.long_lines = !script.has("refuse long lines");
    let limits = &mut config.limits;
    let small = |name| script.number(name).map(|number| u16::try_from(number).expect("a small number"));
    limits.errors = small("errors").unwrap_or(limits.errors);
    limits.auth_failures = small("auth failures").unwrap_or(limits.auth_failures);
    limits.line = small("line").map_or(limits.line, usize::from);
    limits.auth_line = small("auth line").map_or(limits.auth_line, usize::from);
    limits.recipients = small("recipients").map_or(limits.recipients, u32::from);
    limits.drain = script.number("drain").unwrap_or(limits.drain);
    config
}

/// Whether it is a list of capabilities.
pub(crate) fn is_list(said: &Said) -> bool {
    let reply = said.reply();
    reply.code().as_u16() == 250 && reply.lines().count() > 1
}

/// What it lists.
pub(crate) fn listed(said: &Said) -> Capabilities<'static> {
    Capabilities::parse(&said.reply()).into_owned()
}
