use std::marker::PhantomData;

use smtp_driver::Destination;
use smtp_driver::pool::Limits;
use smtp_driver::proto::address::{self, Domain};
use smtp_driver::proto::auth::Credentials;

/// A transport in the making: what lettre's builders have. For more, make a [`Destination`].
#[derive(Debug)]
#[must_use = "nothing is sent before it is built"]
pub struct Builder<T> {
    to: Destination,
    limits: Limits,
    transport: PhantomData<fn() -> T>,
}

/// What a transport is made of.
pub trait Pooled: Sized {
    /// Over connections to `to`, at most so many.
    fn pooled(to: Destination, limits: Limits) -> Self;
}

impl<T> Builder<T> {
    pub(crate) fn new(to: Destination) -> Self {
        Self { to, limits: Limits::default(), transport: PhantomData }
    }

    /// Who logs in.
    pub fn credentials(self, credentials: Credentials) -> Self {
        Self { to: self.to.with_credentials(credentials), ..self }
    }

    /// Another port.
    pub fn port(self, port: u16) -> Self {
        Self { to: self.to.with_port(port), ..self }
    }

    /// The name to greet with; otherwise the connection's own address.
    ///
    /// # Errors
    /// If `name` is no domain and no address literal.
    pub fn hello_name(self, name: &str) -> Result<Self, address::Error> {
        Ok(Self { to: self.to.with_name(Domain::parse(name)?.into_owned()), ..self })
    }

    /// How many connections there are, and for how long.
    pub fn pool_config(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }
}

impl<T: Pooled> Builder<T> {
    /// The transport. Nothing is connected yet.
    #[must_use]
    pub fn build(self) -> T {
        T::pooled(self.to, self.limits)
    }
}

/// The system's certificate authorities, and ring.
#[cfg(feature = "native-roots")]
pub(crate) fn tls() -> Result<std::sync::Arc<rustls::ClientConfig>, crate::Error> {
    let mut roots = rustls::RootCertStore::empty();
    // Some systems have certificates that nobody can parse; the others serve.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(crate::Error::Tls)?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth().into())
}

/// lettre's constructors, which are the same for both transports.
macro_rules! constructors {
    ($transport:ty $(, $executor:ident: $bound:ident)?) => {
        impl $(<$executor: $bound>)? $transport {
            /// TLS from the first octet, at port 465 (RFC 8314).
            ///
            /// # Errors
            /// If ring and rustls do not go together.
            #[cfg(feature = "native-roots")]
            pub fn relay(host: &str) -> Result<$crate::Builder<Self>, $crate::Error> {
                Ok($crate::Builder::new($crate::Destination::submissions(host, $crate::builder::tls()?)))
            }

            /// STARTTLS, at port 587 (RFC 6409): without an offer of it, nothing is sent.
            ///
            /// # Errors
            /// If ring and rustls do not go together.
            #[cfg(feature = "native-roots")]
            pub fn starttls_relay(host: &str) -> Result<$crate::Builder<Self>, $crate::Error> {
                Ok($crate::Builder::new($crate::Destination::submission(host, $crate::builder::tls()?)))
            }

            /// This host, port 25, in the clear.
            #[must_use]
            pub fn unencrypted_localhost() -> Self {
                Self::builder_dangerous("localhost").build()
            }

            /// Port 25, in the clear: for loopback and networks of one's own.
            pub fn builder_dangerous(host: impl Into<String>) -> $crate::Builder<Self> {
                $crate::Builder::new($crate::Destination::plain(host, 25))
            }
        }

        /// Whatever a destination can say: own TLS configurations, LMTP, timeouts, PIPECONNECT.
        impl $(<$executor: $bound>)? From<$crate::Destination> for $transport {
            fn from(to: $crate::Destination) -> Self {
                $crate::Builder::new(to).build()
            }
        }
    };
}
pub(crate) use constructors;
