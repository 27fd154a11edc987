//! The message itself, by DATA or in chunks.

use bytes::{BufMut, BytesMut};

use super::{Delivery, Next, NotSent, Transfer};
use crate::client::Client;
use crate::dot::{Part, Segments};
use crate::error::NotNow;
use crate::extension::Extension;
use crate::session::Unsendable;
use crate::session::report::Fate;

impl Delivery<'_> {
    /// A piece of the message, cut anywhere, and whether it is the last one. Appended to `output`: write it once enough
    /// has gathered, and always after the last.
    ///
    /// # Errors
    ///
    /// [`NotNow::NotInBody`] unless [`Want::Body`](crate::session::Want::Body) was said. [`NotNow::Unsendable`] if the
    /// piece holds what may not be sent: the message is settled as not sent, and the connection has to be closed, as
    /// nothing takes a DATA back.
    pub fn body<'p>(
        &mut self,
        piece: impl Into<Part<'p>>,
        last: bool,
        client: &mut Client,
        output: &mut BytesMut,
    ) -> Result<(), NotNow> {
        let piece = piece.into();
        self.admit(piece, client)?;
        let sent = match self.transfer {
            Transfer::Data => client.body(piece, output),
            Transfer::Chunks | Transfer::ChunksInFlight => {
                self.chunk(piece, last, client, output).map(|(segments, end)| {
                    segments.chain([end]).for_each(|segment| output.put_slice(segment));
                })
            }
        };
        self.close_piece(sent, last, client, output)
    }

    /// The same, but the octets are lent for a vectored write that starts with what is in `output`. Never the last
    /// piece: that one is [`body`](Self::body)'s.
    ///
    /// # Errors
    ///
    /// As [`body`](Self::body).
    pub fn segments<'c>(
        &mut self,
        piece: impl Into<Part<'c>>,
        client: &mut Client,
        output: &mut BytesMut,
    ) -> Result<Segments<'c>, NotNow> {
        let piece = piece.into();
        self.admit(piece, client)?;
        let segments = match self.transfer {
            Transfer::Data => client.segments(piece),
            Transfer::Chunks | Transfer::ChunksInFlight => {
                self.chunk(piece, false, client, output).map(|(segments, _)| segments)
            }
        };
        let refused = segments.as_ref().is_ok_and(|segments| !segments.refused().is_empty());
        let sent =
            if refused { Err(NotNow::Unsendable) } else { segments.as_ref().map(drop).map_err(|e| *e) };
        self.close_piece(sent, false, client, output)?;
        segments
    }

    /// Whether the piece may go: what nobody looked through ahead is looked through now, where 8-bit may not (RFC 6152, 3).
    fn admit(&mut self, piece: Part<'_>, client: &mut Client) -> Result<(), NotNow> {
        if self.next != Next::Body {
            return Err(NotNow::NotInBody);
        }
        if self.seven_bit && !piece.octets().is_ascii() {
            client.abandon();
            let why = Unsendable::Needs(Extension::EightBitMime);
            self.finish(Fate::NotSent(NotSent::Unsendable(why)));
            return Err(NotNow::Unsendable);
        }
        Ok(())
    }

    /// Announces a chunk, and gives out what is in it: the piece with its line ends seen to, and behind the last piece
    /// what ends it.
    fn chunk<'c>(
        &mut self,
        piece: Part<'c>,
        last: bool,
        client: &mut Client,
        output: &mut BytesMut,
    ) -> Result<(Segments<'c>, &'static [u8]), NotNow> {
        let mut lines = self.lines;
        let (segments, end) = match &mut lines {
            None => (Segments::raw(piece.octets()), &b""[..]),
            Some(lines) => {
                let segments = lines.segments(piece);
                let end = if last { lines.close() } else { Ok(&b""[..]) };
                (segments, end.map_err(|_| NotNow::Unsendable)?)
            }
        };
        if !segments.refused().is_empty() {
            return Err(NotNow::Unsendable);
        }
        let size = segments.clone().map(<[u8]>::len).sum::<usize>() + end.len();
        if size > 0 || last {
            client.chunk(size as u64, last, output)?;
        }
        if size > 0 {
            client.fill_chunk(size as u64)?;
        }
        self.lines = lines;
        Ok((segments, end))
    }

    fn close_piece(
        &mut self,
        sent: Result<(), NotNow>,
        last: bool,
        client: &mut Client,
        output: &mut BytesMut,
    ) -> Result<(), NotNow> {
        let sent = match (sent, self.transfer) {
            (Ok(()), Transfer::Data) if last => client.finish(output),
            (sent, _) => sent,
        };
        if sent == Err(NotNow::Unsendable) {
            self.abandon(client);
        }
        sent?;
        if last {
            self.ended = true;
            self.report.give_end();
            self.next = Next::Replies;
        }
        Ok(())
    }

    /// The message's source failed part way: nothing takes a DATA back, so the connection is given up (with BDAT too:
    /// its octets may be in flight).
    pub fn abandon(&mut self, client: &mut Client) {
        client.abandon();
        self.finish(Fate::NotSent(NotSent::Source));
    }
}
