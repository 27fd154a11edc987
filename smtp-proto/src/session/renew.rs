use core::time::Duration;

use bytes::BytesMut;

use super::{Call, Error, Want, refused};
use crate::address::Domain;
use crate::client::Client;
use crate::command::{Attributes, Command};
use crate::reply::Reply;
use crate::stage::Stage;

/// XCLIENT, and the EHLO of the session that it opens.
///
/// A refusal is no error: the session is then the one that it was.
#[derive(Debug)]
pub struct Renew<'c> {
    call: Call<'c>,
    name: Option<Domain<'c>>,
    reply: Option<Reply<'static>>,
}

impl<'c> Renew<'c> {
    /// To be taken for the client that `attributes` tell of, as far as the server lists them, and to greet as `name`.
    #[must_use]
    pub const fn new(attributes: Attributes<'c>, name: Domain<'c>) -> Self {
        Self { call: Call::new(Command::Xclient(attributes)), name: Some(name), reply: None }
    }

    /// What is next.
    ///
    /// # Errors
    ///
    /// As [`Client::step`]; [`Error::NotNow`] if XCLIENT was not offered, or with none of these attributes;
    /// [`Error::Refused`] if the new session's EHLO is refused, or the server closed with other words than a reply to
    /// XCLIENT.
    pub fn poll(
        &mut self,
        client: &mut Client,
        now: Duration,
        input: &mut &[u8],
        output: &mut BytesMut,
    ) -> Result<Want, Error> {
        loop {
            let want = self.call.poll(client, now, input, output)?;
            let Some(reply) = self.call.take_reply() else { return Ok(want) };
            let positive = reply.is_positive();
            if self.reply.is_some() {
                return if positive { Ok(Want::Done) } else { Err(refused(Stage::Hello, &reply)) };
            }
            self.reply = Some(reply);
            match self.name.take() {
                Some(name) if positive => self.call = Call::new(Command::Ehlo(name)),
                _ => return Ok(Want::Done),
            }
        }
    }

    /// The reply to XCLIENT, once it is there.
    #[must_use]
    pub fn into_reply(self) -> Option<Reply<'static>> {
        self.reply
    }
}
