use core::time::Duration;

use bytes::BytesMut;

use super::{Error, Want, refused};
use crate::client::{Client, Step};
use crate::command::{Command, Text};
use crate::error::NotNow;
use crate::reply::Reply;

/// One command and its reply.
#[derive(Debug)]
pub struct Call<'c> {
    command: Option<Command<'c>>,
    reply: Option<Reply<'static>>,
}

impl<'c> Call<'c> {
    /// Any command that [`Client::command`] takes, RSET, and EHLO, which in LMTP is LHLO.
    #[must_use]
    pub const fn new(command: Command<'c>) -> Self {
        Self { command: Some(command), reply: None }
    }

    /// NOOP: whether the server is still there.
    #[must_use]
    pub fn noop() -> Self {
        Self::new(Command::Noop(Text::default()))
    }

    /// RSET.
    #[must_use]
    pub const fn rset() -> Self {
        Self::new(Command::Rset)
    }

    /// QUIT. It is over when the server has said 221, has closed, or has had its time.
    #[must_use]
    pub const fn quit() -> Self {
        Self::new(Command::Quit)
    }

    /// What is next.
    ///
    /// # Errors
    ///
    /// As [`Client::step`]; [`Error::NotNow`] if the command can't be said here; [`Error::Refused`] if the
    /// server closed with other words than a reply to this command.
    pub fn poll(
        &mut self,
        client: &mut Client,
        now: Duration,
        input: &mut &[u8],
        output: &mut BytesMut,
    ) -> Result<Want, Error> {
        loop {
            // With nothing under way there is nothing to wait for: what can't be said now is the caller's to know.
            if (client.can_send() || !client.is_waiting())
                && let Some(command) = self.command.take()
            {
                match command {
                    Command::Rset => client.rset(output)?,
                    Command::Ehlo(name) => client.ehlo(&name, output)?,
                    command => client.command(&command, output)?,
                }
            }
            match client.poll(now, input)? {
                // Replies to what was under way come first, and are nobody's.
                Step::Event(_) if client.is_waiting() || self.command.is_some() => {}
                Step::Event(answer) => {
                    self.reply = Some(answer.reply.into_owned());
                    return Ok(Want::Done);
                }
                Step::Unsolicited(answer) => return Err(refused(answer.to, &answer.reply)),
                Step::NeedInput(until) => return Ok(Want::Io(until)),
                Step::Closed => return Err(NotNow::Closed.into()),
                Step::Idle | Step::StartTls => return Err(NotNow::NothingOwed.into()),
            }
        }
    }

    pub(super) const fn take_reply(&mut self) -> Option<Reply<'static>> {
        self.reply.take()
    }

    /// The reply, once it is there.
    #[must_use]
    pub fn into_reply(self) -> Option<Reply<'static>> {
        self.reply
    }
}
