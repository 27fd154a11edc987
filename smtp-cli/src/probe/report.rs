//! What was found, for the eye and for programs.

use std::io::{self, Write};

use serde_json::{Value, json};
use smtp_tokio::proto::extension::Capabilities;
use smtp_tokio::proto::stage::Protocol;

use super::certificate::Certificate;
use super::port::{Found, Mode, Target};
use crate::explain::fields;
use crate::style::{BAD, DIM, GOOD, LABEL, WARN};

/// An object for a port.
pub(super) fn json(target: &Target, found: &Found) -> Value {
    let offered = |offered: &Option<Capabilities<'_>>| offered.as_ref().map(fields::capabilities);
    json!({
        "host": target.host,
        "port": target.port,
        "address": found.address.map(|address| address.to_string()),
        "speaks": found.protocol.map(protocol),
        "tls_mode": found.mode.map(mode),
        "greeting": found.greeting.as_ref().map(fields::reply),
        "offers_in_clear": offered(&found.before),
        "offers_under_tls": offered(&found.after),
        "tls": found.secured.as_ref().map(|secured| json!({
            "version": secured.version,
            "cipher": secured.cipher,
            "trusted": secured.wrong.is_none(),
            "refused_because": secured.wrong,
            "chain": secured.chain.iter().map(Certificate::json).collect::<Vec<_>>(),
        })),
        "pipelining": found.pipelined.map(|(replies, reads)| json!({ "replies_to_3": replies, "reads": reads })),
        "injection_behind_starttls": found.injected,
        "warnings": found.warnings.iter().map(|warning| json!({ "kind": warning.kind, "what": warning.what }))
            .collect::<Vec<_>>(),
        "error": found.error,
    })
}

const fn protocol(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Smtp => "SMTP",
        Protocol::Lmtp => "LMTP",
    }
}

const fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Clear => "none",
        Mode::StartTls => "starttls",
        Mode::Implicit => "implicit",
    }
}

/// A few lines for a port.
pub(super) fn print(target: &Target, found: &Found, out: &mut impl Write) -> io::Result<()> {
    let (host, port) = (&target.host, target.port);
    let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
    let what = match (found.protocol, found.mode) {
        (Some(spoken), Some(Mode::Clear)) => format!("{} in the clear", protocol(spoken)),
        (Some(spoken), Some(Mode::StartTls)) => format!("{} with STARTTLS", protocol(spoken)),
        (Some(spoken), _) => format!("{} over implicit TLS", protocol(spoken)),
        (None, _) => visible(found.error.as_deref().unwrap_or("nothing that is known here")),
    };
    let style = if found.protocol.is_some() { GOOD } else { DIM };
    writeln!(out, "{host}:{port}  {style}{what}{style:#}")?;
    let mut row = |name: &str, value: &str| writeln!(out, "  {LABEL}{name:<12}{LABEL:#} {}", visible(value));
    if let Some(address) = found.address.filter(|address| address.ip().to_string() != target.host) {
        row("address", &address.to_string())?;
    }
    if let Some(greeting) = &found.greeting {
        row("greeting", &greeting.to_string())?;
    }
    if let Some(before) = &found.before {
        row("in the clear", &list(before))?;
    }
    if let Some(after) = &found.after {
        row("under TLS", &list(after))?;
    }
    if let Some(secured) = &found.secured {
        row("TLS", &format!("{}, {}", secured.version, secured.cipher))?;
        for (at, certificate) in secured.chain.iter().enumerate() {
            let Certificate { subject, issuer, names, days_left, .. } = certificate;
            let names = if names.is_empty() { subject.clone() } else { names.join(", ") };
            let name = if at == 0 { "certificate" } else { "signed by" };
            row(name, &format!("{names}; issued by {issuer}; {days_left} days left"))?;
        }
        let belief = secured.wrong.as_ref().map_or_else(|| "yes".into(), |wrong| format!("no: {wrong}"));
        row("trusted", &belief)?;
    }
    if let Some((replies, reads)) = found.pipelined {
        let reads = if reads == 1 { "one read".into() } else { format!("{reads} reads") };
        row("pipelining", &format!("3 commands in one write, {replies} replies in {reads}"))?;
    }
    if let Some(injected) = found.injected {
        row(
            "injection",
            if injected { "a command behind STARTTLS reaches TLS" } else { "none behind STARTTLS" },
        )?;
    }
    if found.protocol.is_some()
        && let Some(error) = &found.error
    {
        writeln!(out, "  {BAD}it ended early{BAD:#}: {}", visible(error))?;
    }
    for warning in &found.warnings {
        writeln!(out, "  {WARN}warning{WARN:#}: {}", visible(&warning.what))?;
    }
    Ok(())
}

/// What is offered, as the lines of the response have it.
fn list(offered: &Capabilities<'_>) -> String {
    let mut response = Vec::new();
    offered.write_ehlo("", &mut response);
    let response = String::from_utf8_lossy(&response).into_owned();
    let lines: Vec<_> = response.lines().skip(1).filter_map(|line| line.get(4..)).collect();
    if lines.is_empty() { "nothing".into() } else { lines.join(", ") }
}

/// What a server says may hold what moves a terminal's cursor.
fn visible(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{FFFD}' } else { c }).collect()
}
