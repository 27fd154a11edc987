//! Whom a server believes when it is told who the client is.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use ipnet::IpNet;
use smtp_proto::command::{Attribute, Attributes};
use smtp_proto::extension::{Capabilities, Extension};
use smtp_proto::proxy::Proxied;

/// Whom a server believes when it is told who the client is: networks for each of the ways to say so. By default,
/// nobody.
///
/// A transport that has no addresses, as a Unix socket, is trusted in nothing.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    pub(crate) proxy: Networks,
    xclient: Networks,
    xforward: Networks,
}

/// What a trusted balancer said by a PROXY header.
#[derive(Clone, Debug)]
pub struct Proxy {
    said: Proxied,
    header: Box<[u8]>,
}

impl Proxy {
    pub(crate) fn new(said: Proxied, header: &[u8]) -> Self {
        Self { said, header: header.into() }
    }

    /// Whom it speaks for: a client and where that connected to, or itself.
    #[must_use]
    pub const fn said(&self) -> Proxied {
        self.said
    }

    /// What else it says, in version 2: type and value of each field. See [`Proxied::tlvs`].
    pub fn tlvs(&self) -> impl Iterator<Item = (u8, &[u8])> {
        Proxied::tlvs(&self.header)
    }
}

/// Networks, or the lack of an opinion.
#[derive(Clone, Debug, Default)]
pub(crate) struct Networks(Option<Arc<[IpNet]>>);

impl Networks {
    pub(crate) fn contain(&self, address: Option<SocketAddr>) -> bool {
        let (Some(networks), Some(address)) = (&self.0, address) else { return false };
        // A socket for both families tells of IPv4 in IPv6's clothes.
        let address = address.ip().to_canonical();
        networks.iter().any(|network| network.contains(&address))
    }
}

impl FromIterator<IpNet> for Networks {
    fn from_iter<T: IntoIterator<Item = IpNet>>(networks: T) -> Self {
        Self(Some(networks.into_iter().collect()))
    }
}

impl Trust {
    /// Nobody is believed.
    pub const NOBODY: Self =
        Self { proxy: Networks(None), xclient: Networks(None), xforward: Networks(None) };

    /// Connections from `trusted` begin with a PROXY header, version 1 or 2, ahead of TLS: the client is who it says.
    /// Without one they are closed. On all others no header is looked for.
    #[must_use]
    pub fn with_proxy(mut self, trusted: impl IntoIterator<Item = IpNet>) -> Self {
        self.proxy = trusted.into_iter().collect();
        self
    }

    /// XCLIENT is offered to `trusted`, and to nobody else. Who that is goes by the connection, or its PROXY header;
    /// XCLIENT itself does not change it.
    #[must_use]
    pub fn with_xclient(mut self, trusted: impl IntoIterator<Item = IpNet>) -> Self {
        self.xclient = trusted.into_iter().collect();
        self
    }

    /// XFORWARD is offered to `trusted`, and to nobody else, as [`with_xclient`](Self::with_xclient).
    #[must_use]
    pub fn with_xforward(mut self, trusted: impl IntoIterator<Item = IpNet>) -> Self {
        self.xforward = trusted.into_iter().collect();
        self
    }

    /// Puts what is offered to `peer` in order, where these networks say anything about it.
    pub(crate) fn restrict(&self, peer: Option<SocketAddr>, offered: &mut Capabilities<'static>) {
        for (networks, extension, line) in
            [(&self.xclient, Extension::Xclient, XCLIENT), (&self.xforward, Extension::Xforward, XFORWARD)]
        {
            if networks.0.is_none() {
                continue;
            }
            let others = std::mem::take(offered).without(extension);
            *offered = match networks.contain(peer) {
                true => others.clone().with_keyword(line).unwrap_or(others),
                false => others,
            };
        }
    }
}

const XCLIENT: &str = "XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT";
const XFORWARD: &str = "XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE";

/// Who the client is once XCLIENT has said so: a new address or port, or that none is known. An error, if what it says
/// is neither.
pub(crate) fn claimed(
    so_far: Option<SocketAddr>,
    attributes: &Attributes<'_>,
) -> Result<Option<SocketAddr>, ()> {
    let port = match attributes.get(Attribute::Port) {
        _ if !known(attributes, Attribute::Port) => None,
        Some(port) => {
            let digits = port.decode();
            let text = std::str::from_utf8(&digits).map_err(drop)?;
            Some(text.parse().map_err(drop)?)
        }
        None => None,
    };
    let address: Option<IpAddr> = match attributes.get(Attribute::Addr) {
        None => {
            let kept = so_far.map(|peer| SocketAddr::new(peer.ip(), port.unwrap_or_else(|| peer.port())));
            return Ok(kept);
        }
        Some(_) if !known(attributes, Attribute::Addr) => None,
        Some(_) => Some(attributes.address(Attribute::Addr).ok_or(())?),
    };
    Ok(address.map(|address| SocketAddr::new(address, port.unwrap_or(0))))
}

/// Whether `attribute` is there, and says something (Postfix's XCLIENT document: `[UNAVAILABLE]`, `[TEMPUNAVAIL]`).
pub(crate) fn known(attributes: &Attributes<'_>, attribute: Attribute) -> bool {
    attributes.get(attribute).is_some_and(|value| {
        let value = value.decode();
        ![&b"[UNAVAILABLE]"[..], b"[TEMPUNAVAIL]"].iter().any(|none| value.eq_ignore_ascii_case(none))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipv4_is_told_whatever_it_is_dressed_in() {
        let trust = Trust::default().with_proxy(["192.0.2.0/24".parse().expect("a network")]);
        for (address, trusted) in [
            ("192.0.2.7:1", true),
            ("[::ffff:192.0.2.7]:1", true),
            ("192.0.3.7:1", false),
            ("[::1]:1", false),
        ] {
            assert_eq!(trust.proxy.contain(address.parse().ok()), trusted, "{address}");
        }
        assert!(!trust.proxy.contain(None));
        assert!(!Trust::NOBODY.proxy.contain("127.0.0.1:1".parse().ok()));
    }

    #[test]
    fn xclient_says_who_the_client_is() {
        let peer: Option<SocketAddr> = "127.0.0.1:1000".parse().ok();
        for (attributes, claim) in [
            ("ADDR=192.0.2.7 PORT=25", Ok("192.0.2.7:25".parse().ok())),
            ("ADDR=IPv6:2001:db8::7", Ok("[2001:db8::7]:0".parse().ok())),
            ("ADDR=192.0.2.7 PORT=[UNAVAILABLE]", Ok("192.0.2.7:0".parse().ok())),
            ("PORT=7", Ok("127.0.0.1:7".parse().ok())),
            ("LOGIN=ann", Ok(peer)),
            ("ADDR=[UNAVAILABLE] PORT=7", Ok(None)),
            ("ADDR=nonsense", Err(())),
            ("PORT=65536", Err(())),
        ] {
            let parsed = Attributes::parse(attributes).expect("attributes");
            assert_eq!(claimed(peer, &parsed), claim, "{attributes}");
        }
    }
}
