//! `smtp probe`: which ports of a host speak what, and what is wrong with them.

mod args;
pub(crate) mod certificate;
mod port;
mod report;
mod talk;
#[cfg(test)]
mod tests;

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

pub use args::Args;
use certificate::Recorder;
use port::Target;

use crate::exit::{self, Failure};
use crate::send::trust;

/// The ports of RFC 5321, 8314, 6409, of many providers, and of RFC 2033.
const PORTS: [u16; 5] = [25, 465, 587, 2525, 24];

/// Looks at every port that was asked about, all at once, and says of each what was found.
///
/// # Errors
///
/// [`Failure`] if the command line is wrong, or the CAs can't be read.
pub async fn run(args: Args) -> Result<ExitCode, Failure> {
    let roots = trust::roots(args.ca.as_deref())?;
    let mut probes = Vec::new();
    for place in &args.hosts {
        let (host, port) = parse(place).ok_or_else(|| {
            Failure::new(exit::USAGE, format!("{place}: not a host, or its port is no port"))
        })?;
        for port in port.map_or_else(|| PORTS.to_vec(), |port| vec![port]) {
            // Each remembers what it has seen itself.
            let recorder = Recorder::new(roots.clone());
            let config = recorder.config()?;
            let patience = Duration::from_secs(args.timeout);
            let begins = port::begins(port);
            let target =
                Target { host: host.clone(), port, lmtp: args.lmtp, begins, patience, recorder, config };
            probes.push(tokio::spawn(async move {
                let found = target.probe().await;
                (target, found)
            }));
        }
    }
    let (mut speaks, mut wrong) = (false, false);
    for probe in probes {
        let (target, found) = probe.await.map_err(|panic| Failure::new(exit::SOFTWARE, panic.to_string()))?;
        speaks |= found.speaks();
        wrong |= !found.warnings.is_empty() || (found.speaks() && found.error.is_some());
        let mut out = crate::style::stdout();
        // Whether anybody reads it changes nothing.
        let _ = if args.json {
            writeln!(out, "{}", report::json(&target, &found))
        } else {
            report::print(&target, &found, &mut out)
        };
    }
    Ok(match (speaks, wrong) {
        (false, _) => ExitCode::from(exit::UNAVAILABLE),
        (true, true) => ExitCode::from(exit::PROTOCOL),
        (true, false) => ExitCode::SUCCESS,
    })
}

/// `host`, `host:port`, `[v6]`, `[v6]:port`, or an IPv6 address as it is.
fn parse(place: &str) -> Option<(String, Option<u16>)> {
    let port = |text: &str| text.parse().ok().filter(|port| *port != 0);
    if let Some(rest) = place.strip_prefix('[') {
        let (host, rest) = rest.split_once(']')?;
        host.parse::<std::net::Ipv6Addr>().ok()?;
        return match rest.strip_prefix(':') {
            Some(text) => Some((host.into(), Some(port(text)?))),
            None => rest.is_empty().then(|| (host.into(), None)),
        };
    }
    match place.split_once(':') {
        Some((_, rest)) if rest.contains(':') => {
            place.parse::<std::net::Ipv6Addr>().ok().map(|_| (place.into(), None))
        }
        Some((host, text)) if !host.is_empty() => Some((host.into(), Some(port(text)?))),
        None if !place.is_empty() => Some((place.into(), None)),
        _ => None,
    }
}

#[cfg(test)]
mod places {
    use super::*;

    #[test]
    fn hosts_come_with_ports_or_without() {
        for (place, host, port) in [
            ("mx.example", "mx.example", None),
            ("mx.example:25", "mx.example", Some(25)),
            ("192.0.2.1:465", "192.0.2.1", Some(465)),
            ("[2001:db8::1]", "2001:db8::1", None),
            ("[2001:db8::1]:587", "2001:db8::1", Some(587)),
            ("2001:db8::1", "2001:db8::1", None),
        ] {
            assert_eq!(parse(place), Some((host.into(), port)), "{place}");
        }
        for place in ["", ":25", "mx:", "mx:0", "mx:65536", "mx:smtp", "[mx]:25", "[::1", "[::1]25", "a:b:c"]
        {
            assert_eq!(parse(place), None, "{place}");
        }
    }
}
