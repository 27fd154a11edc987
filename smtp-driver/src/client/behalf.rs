//! Speaking for another client, to a server that believes us.

use smtp_proto::command::{Attributes, Command};
use smtp_proto::error::NotNow;
use smtp_proto::reply::Reply;
use smtp_proto::session::{self, Renew};

use super::Connection;
use crate::{Error, ErrorKind, Io};

impl<I: Io> Connection<I> {
    /// XCLIENT (Postfix): has the server take us for the client that `attributes` tell of, and greets again, since a new
    /// session begins with that. TLS stays; a login does not.
    ///
    /// # Errors
    ///
    /// If XCLIENT was not offered, the connection failed or is not usable, or the new session's EHLO is refused. A refusal
    /// of XCLIENT itself is no error: it is the reply, and all is as it was.
    pub async fn xclient(&mut self, attributes: &Attributes<'_>) -> Result<Reply<'static>, Error> {
        self.enter()?;
        let options = std::sync::Arc::clone(&self.options);
        let mut renew = Renew::new(attributes.as_borrowed(), options.name.as_borrowed());
        let renewed = self.drive(|client, now, input, output| renew.poll(client, now, input, output)).await;
        if let Err(error) = renewed {
            return Err(self.failed(error));
        }
        self.out_of_step = false;
        renew.into_reply().ok_or_else(|| NotNow::NothingOwed.into())
    }

    /// XFORWARD (Postfix): tells the server, for its log, who gave us the mail that follows.
    ///
    /// # Errors
    ///
    /// If XFORWARD was not offered, or the connection failed or is not usable. A refusal is no error: it is the reply.
    pub async fn xforward(&mut self, attributes: &Attributes<'_>) -> Result<Reply<'static>, Error> {
        self.command(Command::Xforward(attributes.as_borrowed())).await
    }

    /// The end of the connection, unless nothing was said: what is not offered, the machine refuses to say.
    pub(super) fn failed(&mut self, error: Error) -> Error {
        let kind = error.kind();
        if matches!(kind, ErrorKind::Session(session::Error::NotNow(NotNow::NotOffered(_)))) {
            self.out_of_step = false;
            return error;
        }
        self.client.abandon();
        error.with_last_words(&self.said)
    }
}
