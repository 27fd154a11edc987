//! The client's side: [`crate::client`], whose [`Connection`] here is a plain type of plain functions.

use std::ops::Deref;

use futures_lite::future::block_on;
use smtp_proto::command::{Attributes, Command};
use smtp_proto::reply::Reply;
use smtp_proto::session::{Envelope, Report, Transfer};

pub use crate::client::{Security, SendError};
use crate::{Destination, Error, Io, Message};

/// An open connection to a server: greeted, secured and logged in as was asked for.
///
/// What it knows it tells as [`crate::client::Connection`] does: `is_usable`, `capabilities`, `is_tls`, `io`.
#[derive(Debug)]
pub struct Connection<I>(crate::client::Connection<I>);

impl<I: Io> Connection<I> {
    /// Connects as `socket` does, to `to` or to something that stands for it, and opens the connection: TLS, greeting,
    /// EHLO, AUTH.
    ///
    /// # Errors
    /// [`Error`] says what failed, at which step, and what the server had said last.
    pub fn connect(to: &Destination, socket: impl FnOnce() -> std::io::Result<I>) -> Result<Self, Error> {
        block_on(to.connect(async { socket() })).map(Self)
    }

    /// Sends one message and waits for what becomes of it.
    ///
    /// That some or all recipients were refused is no error: the report says so.
    ///
    /// # Errors
    /// [`SendError`] if the connection failed. Its report still has an outcome for every recipient.
    pub fn send(&mut self, envelope: &Envelope<'_>, message: impl Message) -> Result<Report, SendError> {
        block_on(self.0.send(envelope, message))
    }

    /// Sends messages one behind the other, each envelope in the same write as the end of the message ahead.
    /// `reported` is called for each in its order.
    ///
    /// # Errors
    /// As [`send`](Self::send): the messages that were begun are reported, the others were not touched.
    pub fn send_all<'m, M: Message>(
        &mut self,
        messages: impl IntoIterator<Item = (&'m Envelope<'m>, M)>,
        reported: impl FnMut(Report),
    ) -> Result<(), Error> {
        block_on(self.0.send_all(messages, reported))
    }

    /// One command that has one reply: NOOP, RSET, VRFY, EXPN, HELP, ETRN, XFORWARD, or a verb of one's own.
    ///
    /// # Errors
    /// If the connection failed or is not usable. A refusal is no error: it is the reply.
    pub fn command(&mut self, command: Command<'_>) -> Result<Reply<'static>, Error> {
        block_on(self.0.command(command))
    }

    /// XCLIENT: has the server take us for the client that `attributes` tell of, and greets again.
    ///
    /// # Errors
    /// If it was not offered, the connection failed or is not usable, or the new session's EHLO is refused. A refusal of
    /// XCLIENT itself is no error: it is the reply, and all is as it was.
    pub fn xclient(&mut self, attributes: &Attributes<'_>) -> Result<Reply<'static>, Error> {
        block_on(self.0.xclient(attributes))
    }

    /// XFORWARD: tells the server, for its log, who gave us the mail that follows.
    ///
    /// # Errors
    /// If it was not offered, or the connection failed or is not usable. A refusal is no error: it is the reply.
    pub fn xforward(&mut self, attributes: &Attributes<'_>) -> Result<Reply<'static>, Error> {
        block_on(self.0.xforward(attributes))
    }

    /// NOOP: whether the server is still there.
    ///
    /// # Errors
    /// If it is not.
    pub fn noop(&mut self) -> Result<(), Error> {
        block_on(self.0.noop())
    }

    /// QUIT, then closes. What the server says to it changes nothing.
    pub fn quit(self) {
        block_on(self.0.quit());
    }

    /// Sets how messages are transferred from here on.
    pub const fn set_transfer(&mut self, transfer: Transfer) {
        self.0.set_transfer(transfer);
    }
}

impl<I> Deref for Connection<I> {
    type Target = crate::client::Connection<I>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}
