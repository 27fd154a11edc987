use core::time::Duration;

use bytes::BytesMut;

use super::{Error, Want, refused};
use crate::address::Domain;
use crate::client::{Client, Step};
use crate::command::Attributes;
use crate::error::NotNow;
use crate::reply::Reply;
use crate::stage::Stage;

/// XCLIENT, and the EHLO of the session that it opens.
///
/// A refusal is no error: the session is then the one that it was.
#[derive(Debug)]
pub struct Renew<'c> {
    attributes: Option<Attributes<'c>>,
    name: Domain<'c>,
    reply: Option<Reply<'static>>,
}

impl<'c> Renew<'c> {
    /// To be taken for the client that `attributes` tell of, and to greet as `name`.
    #[must_use]
    pub const fn new(attributes: Attributes<'c>, name: Domain<'c>) -> Self {
        Self { attributes: Some(attributes), name, reply: None }
    }

    /// What is next.
    ///
    /// # Errors
    ///
    /// As [`Client::step`]; [`Error::NotNow`] if XCLIENT was not offered; [`Error::Refused`] if the new session's EHLO is
    /// refused, or the server closed with other words than a reply to XCLIENT.
    pub fn poll(
        &mut self,
        client: &mut Client,
        now: Duration,
        input: &mut &[u8],
        output: &mut BytesMut,
    ) -> Result<Want, Error> {
        loop {
            if client.can_send()
                && let Some(attributes) = self.attributes.take()
            {
                client.xclient(&attributes, output)?;
            }
            match client.poll(now, input)? {
                Step::Event(answer) => match (answer.to, answer.reply.is_positive()) {
                    (Stage::Xclient, true) => {
                        self.reply = Some(answer.reply.into_owned());
                        client.ehlo(&self.name, output)?;
                    }
                    (Stage::Xclient, false) => {
                        self.reply = Some(answer.reply.into_owned());
                        return Ok(Want::Done);
                    }
                    (Stage::Hello, true) => return Ok(Want::Done),
                    (Stage::Hello, false) => return Err(refused(Stage::Hello, &answer.reply)),
                    // What was in flight ahead of it.
                    _ => {}
                },
                Step::Unsolicited(answer) => return Err(refused(answer.to, &answer.reply)),
                Step::NeedInput(until) => return Ok(Want::Io(until)),
                Step::Idle if self.attributes.is_some() => {}
                Step::Closed => return Err(NotNow::Closed.into()),
                Step::Idle | Step::StartTls => return Err(NotNow::NothingOwed.into()),
            }
        }
    }

    /// The reply to XCLIENT, once it is there.
    #[must_use]
    pub fn into_reply(self) -> Option<Reply<'static>> {
        self.reply
    }
}
