//! What a client says: a method for each verb, and when it may be said.

use bytes::{BufMut, BytesMut};

use super::{Client, Phase};
use crate::address::{Domain, ForwardPath, ReversePath};
use crate::auth::{Base64, MechanismName};
use crate::command::{Attributes, Command, Mail, Rcpt, Text};
use crate::dot::{LineEnds, Part, Segments};
use crate::error::NotNow;
use crate::extension::{Capabilities, Extension};
use crate::param::Params;
use crate::stage::{Protocol, Stage};

impl Client {
    pub(super) fn admit(&self) -> Result<(), NotNow> {
        match self.phase {
            Phase::Closed => return Err(NotNow::Closed),
            Phase::StartTls => return Err(NotNow::AwaitingReply),
            Phase::Data(_) | Phase::Chunk { .. } => return Err(NotNow::InBody),
            Phase::Commands if self.state.challenged => return Err(NotNow::AwaitingReply),
            Phase::Commands => {}
        }
        let Some(last) = self.flight.back() else { return Ok(()) };
        let limits = &self.config.limits;
        let room = self.flight.has_room()
            && self.flight.owed() < limits.flight_replies
            && self.flight.octets() < limits.flight;
        if room && last.may_be_followed() && self.capabilities.has(Extension::Pipelining) {
            Ok(())
        } else {
            Err(NotNow::AwaitingReply)
        }
    }

    fn send(&mut self, stage: Stage, command: &Command<'_>, output: &mut BytesMut) {
        let before = output.len();
        command.write(output);
        self.flight.push(stage, output.len() - before);
    }

    /// EHLO; in LMTP, LHLO.
    ///
    /// # Errors
    ///
    /// [`NotNow`] while replies are awaited.
    pub fn ehlo(&mut self, name: &Domain<'_>, output: &mut BytesMut) -> Result<(), NotNow> {
        self.admit()?;
        self.greet(name, output);
        Ok(())
    }

    /// EHLO ahead of the server's greeting, which saves its round trip, to a host that offered PIPECONNECT when it was last
    /// spoken to (Exim's extension): `cached` is what it listed then. What counts afterwards is what it lists now.
    ///
    /// Both replies come in their order. If the greeting refuses, so will the reply to EHLO, as that of any server that is
    /// out of date with `cached`: to a 220 and a refused EHLO, say [`ehlo`](Self::ehlo) anew; and a server that takes
    /// this for an early talker closes, so forget what was cached and connect again.
    ///
    /// # Errors
    ///
    /// [`NotNow::NotOffered`] without PIPECONNECT in `cached`; other [`NotNow`] unless the greeting, and nothing else, is
    /// awaited.
    pub fn ehlo_ahead(
        &mut self,
        name: &Domain<'_>,
        cached: &Capabilities<'_>,
        output: &mut BytesMut,
    ) -> Result<(), NotNow> {
        if self.is_closed() {
            return Err(NotNow::Closed);
        }
        if self.flight.front() != Some(Stage::Greeting) || self.flight.owed() != 1 {
            return Err(NotNow::AwaitingReply);
        }
        if !cached.has(Extension::PipeConnect) {
            return Err(NotNow::NotOffered(Extension::PipeConnect));
        }
        self.greet(name, output);
        Ok(())
    }

    fn greet(&mut self, name: &Domain<'_>, output: &mut BytesMut) {
        let name = ascii(name);
        let command = match self.config.protocol {
            Protocol::Smtp => Command::Ehlo(name),
            Protocol::Lmtp => Command::Lhlo(name),
        };
        self.state.hello_sent(true);
        self.send(Stage::Hello, &command, output);
    }

    /// HELO, for servers that know no EHLO: no extension can be used then.
    ///
    /// # Errors
    ///
    /// [`NotNow`] while replies are awaited, and in LMTP, which has none.
    pub fn helo(&mut self, name: &Domain<'_>, output: &mut BytesMut) -> Result<(), NotNow> {
        self.admit()?;
        if self.config.protocol == Protocol::Lmtp {
            return Err(NotNow::NoHello);
        }
        self.state.hello_sent(false);
        self.send(Stage::Hello, &Command::Helo(ascii(name)), output);
        Ok(())
    }

    /// STARTTLS (RFC 3207). A 220 to it makes a later step [`Step::StartTls`](super::Step::StartTls).
    ///
    /// # Errors
    ///
    /// [`NotNow`] while anything is in flight, if it was not offered, if TLS is on, or within a transaction.
    pub fn starttls(&mut self, output: &mut BytesMut) -> Result<(), NotNow> {
        self.admit_alone()?;
        if self.state.tls {
            return Err(NotNow::TlsActive);
        }
        self.offered(Extension::StartTls)?;
        self.send(Stage::StartTls, &Command::StartTls, output);
        Ok(())
    }

    /// AUTH (RFC 4954), with an initial response where one is given. One that would make the line longer than 512 octets
    /// has to wait for the server's empty challenge (RFC 4954, 4): it is the caller's to hold it back, as
    /// [`Open`](crate::session::Open) does.
    ///
    /// # Errors
    ///
    /// [`NotNow`] while anything is in flight, within a transaction, if logged in already, or if it was not offered.
    pub fn auth<'m>(
        &mut self,
        mechanism: impl Into<MechanismName<'m>>,
        initial: Option<&[u8]>,
        output: &mut BytesMut,
    ) -> Result<(), NotNow> {
        self.admit_alone()?;
        if self.state.authenticated {
            return Err(NotNow::Authenticated);
        }
        self.offered(Extension::Auth)?;
        let initial = initial.map(Base64::encode);
        self.send(Stage::Auth, &Command::Auth { mechanism: mechanism.into(), initial }, output);
        Ok(())
    }

    /// The answer to a 334.
    ///
    /// # Errors
    ///
    /// [`NotNow`] if no challenge is open.
    pub fn auth_response(&mut self, response: &[u8], output: &mut BytesMut) -> Result<(), NotNow> {
        self.challenged()?;
        output.put_slice(Base64::encode(response).as_str().as_bytes());
        output.put_slice(b"\r\n");
        Ok(())
    }

    /// Gives the exchange up: `*`. The reply will be 501.
    ///
    /// # Errors
    ///
    /// [`NotNow`] if no challenge is open.
    pub fn auth_cancel(&mut self, output: &mut BytesMut) -> Result<(), NotNow> {
        self.challenged()?;
        output.put_slice(b"*\r\n");
        Ok(())
    }

    fn challenged(&mut self) -> Result<(), NotNow> {
        if self.is_closed() {
            return Err(NotNow::Closed);
        }
        if !core::mem::take(&mut self.state.challenged) {
            return Err(NotNow::NotChallenged);
        }
        self.flight.push(Stage::Auth, 0);
        Ok(())
    }

    /// MAIL. The parameters are sent as they are: what the server did not offer it will refuse.
    ///
    /// # Errors
    ///
    /// [`NotNow`] while replies are awaited that have to come first, without EHLO, or while a transaction is open.
    pub fn mail(
        &mut self,
        from: &ReversePath<'_>,
        params: &Params<'_>,
        output: &mut BytesMut,
    ) -> Result<(), NotNow> {
        self.admit()?;
        self.greeted()?;
        if self.state.open {
            return Err(NotNow::TransactionOpen);
        }
        // Which of two was answered 353 could not be told.
        if params.prdr() != self.state.prdr_asked && self.flight.contains(Stage::Mail) {
            return Err(NotNow::AwaitingReply);
        }
        self.state.mail_sent(params.prdr());
        self.send(Stage::Mail, &Command::Mail(Mail::borrowed(from, params)), output);
        Ok(())
    }

    /// RCPT.
    ///
    /// # Errors
    ///
    /// [`NotNow`] while replies are awaited that have to come first, or without MAIL.
    pub fn rcpt(
        &mut self,
        to: &ForwardPath<'_>,
        params: &Params<'_>,
        output: &mut BytesMut,
    ) -> Result<(), NotNow> {
        self.admit()?;
        self.transaction()?;
        self.send(Stage::Rcpt, &Command::Rcpt(Rcpt::borrowed(to, params)), output);
        Ok(())
    }

    /// DATA. After its 354 the message follows, or at least [`finish`](Self::finish): there is no way back.
    ///
    /// # Errors
    ///
    /// [`NotNow`] while replies are awaited that have to come first, or without a transaction; [`NotNow::LineEndsKept`] under
    /// [`LineEnds::Keep`], which is for BINARYMIME.
    pub fn data(&mut self, output: &mut BytesMut) -> Result<(), NotNow> {
        self.admit()?;
        self.transaction()?;
        if self.config.line_ends == LineEnds::Keep {
            return Err(NotNow::LineEndsKept);
        }
        self.send(Stage::Data, &Command::Data, output);
        Ok(())
    }

    /// BDAT (RFC 3030): `size` octets follow by [`body`](Self::body).
    ///
    /// # Errors
    ///
    /// [`NotNow`] while replies are awaited that have to come first, without a transaction, or if CHUNKING was not
    /// offered.
    pub fn chunk(&mut self, size: u64, last: bool, output: &mut BytesMut) -> Result<(), NotNow> {
        self.admit()?;
        self.transaction()?;
        self.offered(Extension::Chunking)?;
        self.phase = Phase::Chunk { left: size, last };
        Command::Bdat { size, last }.write(output);
        self.chunk_filled();
        Ok(())
    }

    fn chunk_filled(&mut self) {
        if let Phase::Chunk { left: 0, last } = self.phase {
            self.phase = Phase::Commands;
            self.flight.push(if last { Stage::LastChunk } else { Stage::Chunk }, 0);
            self.state.open &= !last;
        }
    }

    /// A piece of the message, cut anywhere: dot-stuffed after DATA, as it is in a chunk, whose size is said ahead. What
    /// goes there must be CRLF-ended lines, unless it is BINARYMIME; [`Delivery`](crate::session::Delivery) sees to it.
    ///
    /// # Errors
    ///
    /// [`NotNow::NotInBody`] without a 354, or for more octets than the chunk has left. [`NotNow::Unsendable`] if the
    /// piece holds what may not be sent: since nothing can take a DATA back, close the connection then.
    pub fn body<'p>(&mut self, piece: impl Into<Part<'p>>, output: &mut BytesMut) -> Result<(), NotNow> {
        let piece = piece.into();
        match &mut self.phase {
            Phase::Data(stuffer) => stuffer.append(piece, output).map_err(|_| NotNow::Unsendable),
            _ => {
                self.fill_chunk(piece.octets().len() as u64)?;
                output.put_slice(piece.octets());
                Ok(())
            }
        }
    }

    /// So many octets of the chunk in hand were given out.
    pub(crate) fn fill_chunk(&mut self, octets: u64) -> Result<(), NotNow> {
        let Phase::Chunk { left, .. } = &mut self.phase else { return Err(NotNow::NotInBody) };
        *left = left.checked_sub(octets).ok_or(NotNow::NotInBody)?;
        self.chunk_filled();
        Ok(())
    }

    /// The same octets as [`body`](Self::body) would append, lent in slices for a vectored write.
    ///
    /// # Errors
    ///
    /// As `body`.
    pub fn segments<'c>(&mut self, piece: impl Into<Part<'c>>) -> Result<Segments<'c>, NotNow> {
        let piece = piece.into();
        match &mut self.phase {
            Phase::Data(stuffer) => Ok(stuffer.segments(piece)),
            _ => {
                self.fill_chunk(piece.octets().len() as u64)?;
                Ok(Segments::raw(piece.octets()))
            }
        }
    }

    /// Ends the message after DATA: its last line's CRLF, if it lacks it, and the final dot.
    ///
    /// # Errors
    ///
    /// [`NotNow::NotInBody`] without a 354; [`NotNow::Unsendable`] as [`body`](Self::body).
    pub fn finish(&mut self, output: &mut BytesMut) -> Result<(), NotNow> {
        let Phase::Data(stuffer) = &mut self.phase else { return Err(NotNow::NotInBody) };
        stuffer.finish(output).map_err(|_| NotNow::Unsendable)?;
        self.phase = Phase::Commands;
        self.state.open = false;
        // A part of a server's last words may have set it.
        self.deadline.clear();
        self.flight.push(Stage::EndOfData, 0);
        Ok(())
    }

    /// RSET: the transaction is given up.
    ///
    /// # Errors
    ///
    /// [`NotNow`] while replies are awaited that have to come first, or in the midst of a message.
    pub fn rset(&mut self, output: &mut BytesMut) -> Result<(), NotNow> {
        self.admit()?;
        self.state.open = false;
        self.send(Stage::Rset, &Command::Rset, output);
        Ok(())
    }

    /// NOOP: is the server still there?
    ///
    /// # Errors
    ///
    /// [`NotNow`] while replies are awaited that have to come first, or in the midst of a message.
    pub fn noop(&mut self, output: &mut BytesMut) -> Result<(), NotNow> {
        self.command(&Command::Noop(Text::default()), output)
    }

    /// QUIT.
    ///
    /// # Errors
    ///
    /// [`NotNow`] while replies are awaited that have to come first, or in the midst of a message.
    pub fn quit(&mut self, output: &mut BytesMut) -> Result<(), NotNow> {
        self.command(&Command::Quit, output)
    }

    /// XCLIENT (Postfix): who the server shall take us for, as far as it lists these attributes. A 220 opens a new session:
    /// EHLO again.
    ///
    /// # Errors
    ///
    /// [`NotNow`] as for [`noop`](Self::noop), and if it was not offered, or with none of these attributes.
    pub fn xclient(&mut self, attributes: &Attributes<'_>, output: &mut BytesMut) -> Result<(), NotNow> {
        self.command(&Command::Xclient(attributes.as_borrowed()), output)
    }

    /// Any other command that takes one reply and changes nothing: VRFY, EXPN, HELP, NOOP, ETRN, XFORWARD, or a verb
    /// of the embedder's own.
    ///
    /// # Errors
    ///
    /// [`NotNow`] while replies are awaited that have to come first, in the midst of a message, for verbs that have a
    /// method of their own, and for ETRN, XCLIENT and XFORWARD where they were not offered.
    pub fn command(&mut self, command: &Command<'_>, output: &mut BytesMut) -> Result<(), NotNow> {
        use Command as C;
        self.admit()?;
        let stage = match command {
            C::Noop(_) => Stage::Noop,
            C::Quit => Stage::Quit,
            C::Vrfy(_) => Stage::Vrfy,
            C::Expn(_) => Stage::Expn,
            C::Help(_) => Stage::Help,
            C::Etrn(_) => Stage::Etrn,
            C::Xclient(_) => Stage::Xclient,
            C::Xforward(_) => Stage::Xforward,
            C::Other { .. } => Stage::Other,
            _ => return Err(NotNow::OwnMethod),
        };
        let listed = match command {
            C::Etrn(_) => {
                self.offered(Extension::Etrn)?;
                None
            }
            C::Xclient(attributes) => Some(C::Xclient(self.listed(Extension::Xclient, attributes)?)),
            C::Xforward(attributes) => Some(C::Xforward(self.listed(Extension::Xforward, attributes)?)),
            _ => None,
        };
        let before = output.len();
        listed.as_ref().unwrap_or(command).write(output);
        self.flight.push(stage, output.len() - before);
        Ok(())
    }

    /// Those attributes that the server lists, if it lists any: it refuses all others (Postfix's XCLIENT_README).
    fn listed<'a>(
        &self,
        extension: Extension,
        attributes: &'a Attributes<'_>,
    ) -> Result<Attributes<'a>, NotNow> {
        self.offered(extension)?;
        match self.capabilities.words(extension) {
            Some(names) => attributes.listed_in(names).ok_or(NotNow::NotOffered(extension)),
            None => Ok(attributes.as_borrowed()),
        }
    }

    const fn greeted(&self) -> Result<(), NotNow> {
        if self.state.greeted { Ok(()) } else { Err(NotNow::NoHello) }
    }

    const fn transaction(&self) -> Result<(), NotNow> {
        if self.state.open { Ok(()) } else { Err(NotNow::NoTransaction) }
    }

    fn offered(&self, extension: Extension) -> Result<(), NotNow> {
        if self.capabilities.has(extension) { Ok(()) } else { Err(NotNow::NotOffered(extension)) }
    }

    fn admit_alone(&self) -> Result<(), NotNow> {
        self.admit()?;
        if self.is_waiting() {
            return Err(NotNow::AwaitingReply);
        }
        self.greeted()?;
        if self.state.open { Err(NotNow::TransactionOpen) } else { Ok(()) }
    }
}

/// RFC 6531, 3.7.1: before it is known what the server offers, and so in EHLO, a domain goes as A-labels.
fn ascii<'n>(name: &'n Domain<'_>) -> Domain<'n> {
    #[cfg(feature = "idna")]
    if !name.is_ascii()
        && let Ok(ascii) = name.to_a_labels()
    {
        return ascii;
    }
    name.as_borrowed()
}
