//! A submission service (RFC 6409): nothing but STARTTLS before TLS, nothing but AUTH before a login, and nobody sends as
//! somebody else. The secrets it keeps are SCRAM's, so that it knows no password; PLAIN is served beside it.
//!
//! Prints:
//!
//! ```text
//! ann logged in
//! from ann@example.org: the end of data was answered 250 2.0.0 ok
//! from ben@example.org: MAIL was answered 553 5.7.1 that is not your address
//! with a wrong password: AUTH was answered 535 5.7.8 credentials refused
//! ```

use std::collections::HashMap;
use std::error::Error;
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use smtp_tokio::proto::address::Domain;
use smtp_tokio::proto::auth::server::{Claim, Secret};
use smtp_tokio::proto::auth::{Credentials, Mechanism};
use smtp_tokio::proto::command::Mail;
use smtp_tokio::proto::reply::Reply;
use smtp_tokio::proto::server::Config;
use smtp_tokio::proto::session::Envelope;
use smtp_tokio::proto::status::{Code, Enhanced};
use smtp_tokio::{Destination, Handler, Listener, OK, Service, Shutdown, connect, serve};

/// What is kept of the users: no passwords.
type Users = Arc<HashMap<String, Secret>>;

struct Submission {
    users: Users,
    user: Option<String>,
}

impl Handler for Submission {
    /// SCRAM: the machine does the proof.
    async fn secret(&mut self, user: &str, _: Mechanism) -> Option<Secret> {
        self.users.get(user).cloned()
    }

    /// PLAIN: the password came over TLS, and is compared by what SCRAM would keep of it.
    async fn authenticate(&mut self, claim: &Claim) -> Option<String> {
        let Claim::Password { user, password, .. } = claim else { return None };
        self.users.get(user)?.fits(password).then(|| user.clone())
    }

    async fn authorize(&mut self, user: &str, acting_as: Option<&str>) -> bool {
        println!("{user} logged in");
        self.user = Some(user.to_owned());
        acting_as.is_none_or(|other| other == user)
    }

    async fn mail(&mut self, mail: &Mail<'_>) -> Reply<'static> {
        const NOT_YOURS: Reply<'static> =
            Reply::fixed(Code::BAD_MAILBOX_NAME, Some(Enhanced::fixed(5, 7, 1)), "that is not your address");
        let sender = mail.from.mailbox().map(|mailbox| mailbox.local_part().into_owned());
        if sender == self.user { OK } else { NOT_YOURS }
    }

    async fn message(&mut self) -> Reply<'static> {
        OK
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    // A certificate that signs itself, and a client that trusts it.
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let (certificate, key) = (made.cert.der().clone(), made.signing_key.serialize_der());
    let server_tls = server_tls(certificate.clone(), PrivateKeyDer::Pkcs8(key.into()))?;
    let client_tls = client_tls(certificate)?;

    let secret = Secret::scram(Mechanism::ScramSha256, "tanstaaftanstaaf", b"sixteen octets..", 4096)?;
    let users: Users = Arc::new(HashMap::from([("ann".to_owned(), secret)]));
    let mut config = Config::new(Domain::parse("submission.example.org")?)
        .with_auth([Mechanism::ScramSha256, Mechanism::Plain].into_iter().collect());
    (config.require_tls, config.require_auth) = (true, true);
    let service = Service::new(config.shared()).with_starttls(server_tls);

    let listener = Listener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    let shutdown = Shutdown::new();
    let flag = shutdown.clone();
    let server = tokio::spawn(async move {
        serve(listener, service, &flag, || Submission { users: Arc::clone(&users), user: None }).await
    });

    let submission = Destination::submission("localhost", client_tls).with_port(port);
    let ann = submission.clone().with_credentials(Credentials::password("ann", "tanstaaftanstaaf"));
    let mut connection = connect(&ann).await?;
    for from in ["ann@example.org", "ben@example.org"] {
        let envelope = Envelope::parse(from, ["cat@example.net"])?;
        let report = connection.send(&envelope, "Subject: hello\r\n\r\nHello, Cat.\r\n").await?;
        report.outcomes().for_each(|outcome| println!("from {from}: {outcome}"));
    }
    connection.quit().await;

    let wrong = submission.with_credentials(Credentials::password("ann", "wrong"));
    if let Err(error) = connect(&wrong).await {
        println!("with a wrong password: {error}");
    }
    shutdown.begin();
    Ok(server.await??)
}

fn server_tls(
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<ServerConfig>, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(Arc::new(builder.with_no_client_auth().with_single_cert(vec![certificate], key)?))
}

fn client_tls(trusted: CertificateDer<'static>) -> Result<Arc<ClientConfig>, rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}
