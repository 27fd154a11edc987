//! What to try when it did not work.

use std::io;

use smtp_tokio::proto::session;
use smtp_tokio::proto::stage::Stage;
use smtp_tokio::proto::{error::Violation, link, tls};
use smtp_tokio::{Error, ErrorKind};

use super::server::{Scheme, Server};
use crate::exit::chain;

/// An error in full: the server, the step, what it said, and what to try.
#[must_use]
pub(super) fn explain(error: &Error, server: &Server) -> String {
    let said = chain(error);
    match what_to_try(error, server) {
        Some(advice) => format!("{server}: {said}\n  {advice}"),
        None => format!("{server}: {said}"),
    }
}

fn what_to_try(error: &Error, server: &Server) -> Option<String> {
    let port = server.port;
    let last = matches!(error.stage(), Stage::EndOfData | Stage::LastChunk);
    if last && error.refusal().is_none() {
        return Some("it may have been taken: look there before it is sent again".into());
    }
    Some(match error.kind() {
        ErrorKind::Io(error_kind) if error.stage() == Stage::Connect => match error_kind.kind() {
            _ if server.socket.is_some() => "is the server up, and this its socket?".into(),
            io::ErrorKind::ConnectionRefused => {
                format!("nobody listens there: is the server up, and {port} its port?")
            }
            io::ErrorKind::TimedOut => {
                format!("no answer: many networks block port 25; is {port} the right one?")
            }
            io::ErrorKind::PermissionDenied => "this system forbids the connection: see its firewall".into(),
            _ => "check the host's name and this machine's network".into(),
        },
        ErrorKind::Tls(link::Error::Tls(error)) => match error {
            tls::Error::PlaintextPeer => {
                "this port starts in the clear: try smtp:// in place of smtps://".into()
            }
            tls::Error::Certificate(_) => {
                "trust its CA with --ca FILE, or use the name that the certificate is for".into()
            }
            tls::Error::HandshakeCut if server.scheme == Scheme::Smtps => {
                "if this port starts in the clear, try smtp:// in place of smtps://".into()
            }
            _ => "the server's TLS and this one have to have a version and a cipher suite in common".into(),
        },
        ErrorKind::Session(session::Error::NoStartTls) => "try smtps:// (port 465) if the server has that; \
             --starttls off does without TLS, where nobody on the way can listen"
            .into(),
        ErrorKind::Session(session::Error::NoMechanism(_)) => {
            "use TLS (--starttls required, or smtps://); --auth-in-clear sends the password without".into()
        }
        ErrorKind::Session(session::Error::Violation(Violation::ImplicitTls)) => {
            "try smtps:// in place of smtp://".into()
        }
        ErrorKind::Session(session::Error::Violation(Violation::TimedOut { stage: Stage::Greeting })) => {
            "if this port speaks implicit TLS, try smtps:// in place of smtp://".into()
        }
        ErrorKind::Session(session::Error::Refused { reply, .. }) => reply.advice().next.into(),
        _ => return None,
    })
}
