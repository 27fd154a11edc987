/// The octets that tie an exchange to the TLS connection around it (RFC 5056), for the SCRAM mechanisms.
///
/// The caller takes them from its TLS library. tls-exporter (RFC 9266) is the one of TLS 1.3; on TLS 1.2 it needs the
/// extended master secret, without which it may not be given here. tls-server-end-point (RFC 5929) is a hash of the
/// server's certificate, for servers behind a proxy that ends TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChannelBinding<'a> {
    /// No TLS, or a TLS library that doesn't tell.
    #[default]
    None,
    /// tls-exporter: 32 octets of keying material, label `EXPORTER-Channel-Binding`, empty context.
    Exporter(&'a [u8]),
    /// tls-server-end-point: the hash of the server's certificate.
    ServerEndPoint(&'a [u8]),
}

impl<'a> ChannelBinding<'a> {
    /// Whether there is something to bind to.
    #[must_use]
    pub const fn is_available(self) -> bool {
        !matches!(self, Self::None)
    }

    /// The name as registered and the octets.
    #[must_use]
    pub const fn parts(self) -> Option<(&'static str, &'a [u8])> {
        match self {
            Self::None => None,
            Self::Exporter(octets) => Some(("tls-exporter", octets)),
            Self::ServerEndPoint(octets) => Some(("tls-server-end-point", octets)),
        }
    }
}
