//! Where to send to: `smtp[s]://[user[:password]@]host[:port]`, `lmtp://`, and the paths of Unix sockets.

use std::fmt;
use std::net::Ipv6Addr;
use std::path::PathBuf;

use percent_encoding::percent_decode_str;

use super::args::StartTls;
use crate::args::Private;

/// What is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// SMTP, with or without STARTTLS.
    Smtp,
    /// SMTP over implicit TLS.
    Smtps,
    /// LMTP.
    Lmtp,
}

/// A server, as its URL says. `Debug` shows no password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// What it speaks.
    pub scheme: Scheme,
    /// Its name, or its address without brackets; `localhost` behind a Unix socket.
    pub host: String,
    /// Its port: that of the URL, or the scheme's.
    pub port: u16,
    /// Its Unix socket, if it isn't to be reached by host and port.
    pub socket: Option<PathBuf>,
    /// Who logs in.
    pub user: Option<String>,
    /// Their password, if it stands in the URL.
    pub password: Option<Private>,
}

/// The place, for messages.
impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.socket {
            Some(path) => write!(f, "{}", path.display()),
            None => write!(f, "{}, port {}", self.host, self.port),
        }
    }
}

/// Why a URL is of no use. Never repeats it, as it may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// Another scheme, or none.
    #[error("it has to begin with smtp://, smtps:// or lmtp://")]
    Scheme,
    /// What a percent sign stands for isn't UTF-8, or nothing.
    #[error("user or password are not UTF-8, percent-encoded; a percent sign itself is %25")]
    Encoding,
    /// No host, or none that could be one.
    #[error("the host is missing or malformed; an IPv6 address stands in brackets")]
    Host,
    /// Not a number up to 65535.
    #[error("the port is not a number from 1 to 65535")]
    Port,
    /// Something stands behind the port.
    #[error("nothing may stand behind host and port; a / in a password is %2F")]
    Path,
    /// LMTP over implicit TLS, which nobody speaks.
    #[error("LMTP goes with smtp:// or lmtp://")]
    Lmtps,
    /// RFC 2033, 5.
    #[error("LMTP is never spoken on port 25 (RFC 2033)")]
    LmtpPort,
}

impl Server {
    /// Takes a URL apart; with `lmtp` it is LMTP whatever it says.
    ///
    /// # Errors
    ///
    /// [`Invalid`].
    pub fn parse(url: &str, lmtp: bool) -> Result<Self, Invalid> {
        let (scheme, rest) = url.split_once("://").ok_or(Invalid::Scheme)?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "smtps" if lmtp => return Err(Invalid::Lmtps),
            "smtp" if lmtp => Scheme::Lmtp,
            "smtp" => Scheme::Smtp,
            "smtps" => Scheme::Smtps,
            "lmtp" => Scheme::Lmtp,
            _ => return Err(Invalid::Scheme),
        };
        if rest.starts_with(['/', '.']) {
            let (host, socket) = (String::from("localhost"), Some(PathBuf::from(rest)));
            return Ok(Self { scheme, host, port: 0, socket, user: None, password: None });
        }
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains(['/', '?', '#']) {
            return Err(Invalid::Path);
        }
        // The last one: people do write an @ in a password as it is.
        let (user, place) = match rest.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, rest),
        };
        let (user, password) = user.map(credentials).transpose()?.unwrap_or_default();
        let (host, port) = host_and_port(place)?;
        let port = match (port, scheme) {
            (Some(port), _) => port,
            (None, Scheme::Smtp) if user.is_some() => 587,
            (None, Scheme::Smtp) => 25,
            (None, Scheme::Smtps) => 465,
            (None, Scheme::Lmtp) => 24,
        };
        if scheme == Scheme::Lmtp && port == 25 {
            return Err(Invalid::LmtpPort);
        }
        Ok(Self { scheme, host, port, socket: None, user, password })
    }

    /// What is done about STARTTLS by a user who doesn't say: required on the ports of submission, and where somebody
    /// logs in, who has a password to protect. On a Unix socket there is nobody in between.
    #[must_use]
    pub const fn default_starttls(&self, logs_in: bool) -> StartTls {
        match self.port {
            _ if self.socket.is_some() => StartTls::Off,
            587 | 2525 => StartTls::Required,
            _ if logs_in => StartTls::Required,
            _ => StartTls::Opportunistic,
        }
    }
}

fn credentials(text: &str) -> Result<(Option<String>, Option<Private>), Invalid> {
    let decode =
        |text| percent_decode_str(text).decode_utf8().map(String::from).map_err(|_| Invalid::Encoding);
    let (user, password) = match text.split_once(':') {
        Some((user, password)) => (user, Some(Private(decode(password)?))),
        None => (text, None),
    };
    Ok((Some(decode(user)?), password))
}

fn host_and_port(text: &str) -> Result<(String, Option<u16>), Invalid> {
    let (host, port) = match text.strip_prefix('[') {
        Some(text) => {
            let (host, port) = text.split_once(']').ok_or(Invalid::Host)?;
            host.parse::<Ipv6Addr>().map_err(|_| Invalid::Host)?;
            let port = match port.strip_prefix(':') {
                Some(port) => Some(port),
                None if port.is_empty() => None,
                None => return Err(Invalid::Host),
            };
            (host, port)
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    if host.is_empty() || host.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(Invalid::Host);
    }
    let port =
        port.map(|port| port.parse().ok().filter(|port| *port != 0).ok_or(Invalid::Port)).transpose()?;
    Ok((host.into(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(
        url: &str,
        scheme: Scheme,
        host: &str,
        port: u16,
        user: Option<(&str, &str)>,
        starttls: StartTls,
    ) {
        let server = Server::parse(url, false).expect(url);
        assert_eq!((server.scheme, server.host.as_str(), server.port), (scheme, host, port), "{url}");
        assert_eq!(server.user.as_deref(), user.map(|(user, _)| user), "{url}");
        assert_eq!(server.password, user.map(|(_, password)| Private(password.into())), "{url}");
        assert_eq!(server.default_starttls(user.is_some()), starttls, "{url}");
    }

    #[test]
    fn ports_and_policies_follow_from_the_url() {
        use StartTls::{Opportunistic, Required};
        let ann = Some(("ann", "secret"));
        check("smtp://mx", Scheme::Smtp, "mx", 25, None, Opportunistic);
        check("SMTP://mx:26/", Scheme::Smtp, "mx", 26, None, Opportunistic);
        check("smtp://mx:587", Scheme::Smtp, "mx", 587, None, Required);
        check("smtp://mx:2525", Scheme::Smtp, "mx", 2525, None, Required);
        check("smtp://ann:secret@mx", Scheme::Smtp, "mx", 587, ann, Required);
        check("smtp://ann:secret@mx:25", Scheme::Smtp, "mx", 25, ann, Required);
        check("smtps://ann:secret@mx", Scheme::Smtps, "mx", 465, ann, Required);
        check("lmtp://[::1]", Scheme::Lmtp, "::1", 24, None, Opportunistic);
        check("lmtp://[::1]:2424", Scheme::Lmtp, "::1", 2424, None, Opportunistic);
    }

    #[test]
    fn user_and_password_are_percent_decoded() {
        let check = |user, decoded| {
            check(&format!("smtp://{user}@mx:25"), Scheme::Smtp, "mx", 25, Some(decoded), StartTls::Required);
        };
        check("ann%40example.org:p%3A%2F%25%C3%A4", ("ann@example.org", "p:/%ä"));
        check("ann@example.org:p:q", ("ann@example.org", "p:q"));
        check("ann:", ("ann", ""));
    }

    #[test]
    fn a_path_is_a_unix_socket_and_lmtp_is_lmtp_however_it_is_said() {
        let server = Server::parse("lmtp:///run/lmtp.sock", false).expect("a path");
        assert_eq!((server.scheme, server.socket), (Scheme::Lmtp, Some("/run/lmtp.sock".into())));
        let server = Server::parse("smtp://ann@mx", true).expect("a host");
        assert_eq!((server.scheme, server.port, server.password), (Scheme::Lmtp, 24, None));
        assert_eq!(
            Server::parse("smtp:///run/s", false).map(|it| it.default_starttls(true)),
            Ok(StartTls::Off)
        );
    }

    #[test]
    fn what_is_malformed_is_named_and_never_repeated() {
        let cases = [
            ("mx:25", Invalid::Scheme),
            ("http://mx", Invalid::Scheme),
            ("smtp://ann:%FF@mx", Invalid::Encoding),
            ("smtp://", Invalid::Host),
            ("smtp://m x", Invalid::Host),
            ("smtp://[mx]", Invalid::Host),
            ("smtp://[::1]25", Invalid::Host),
            ("smtp://mx:", Invalid::Port),
            ("smtp://mx:0", Invalid::Port),
            ("smtp://mx:65536", Invalid::Port),
            ("smtp://ann:sec/ret@mx", Invalid::Path),
            ("lmtp://mx:25", Invalid::LmtpPort),
        ];
        for (url, why) in cases {
            assert_eq!(Server::parse(url, false).expect_err(url), why, "{url}");
        }
        assert_eq!(Server::parse("smtps://mx", true), Err(Invalid::Lmtps));
        let shown = format!("{:?}", Server::parse("smtp://ann:secret@mx", false));
        assert!(!shown.contains("secret"), "{shown}");
    }
}
