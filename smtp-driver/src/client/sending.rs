//! Messages over a connection that is open.

use smtp_proto::dot::{Part, Surveyed};
use smtp_proto::error::NotNow;
use smtp_proto::session::{Delivery, Envelope, Outcome, Report, Want};
use smtp_proto::stage::Stage;
use smtp_proto::status::Code;

use super::{Connection, SendError};
use crate::message::{Supply, Untouched};
use crate::trace::{self, Span};
use crate::{Error, Io, Message};

impl<I: Io> Connection<I> {
    /// Sends one message and waits for what becomes of it.
    ///
    /// That some or all recipients were refused is no error: the report says so.
    ///
    /// # Errors
    ///
    /// [`SendError`] if the connection failed. Its report still has an outcome for every recipient.
    pub async fn send(
        &mut self,
        envelope: &Envelope<'_>,
        mut message: impl Message,
    ) -> Result<Report, SendError> {
        self.send_from(envelope, &mut Untouched::new(&mut message)).await
    }

    pub(crate) async fn send_from(
        &mut self,
        envelope: &Envelope<'_>,
        message: &mut impl Message,
    ) -> Result<Report, SendError> {
        let mut supply = match message.whole() {
            Some(whole) => Supply::Whole(Surveyed::new(whole)),
            None => Supply::Pieces(message),
        };
        let mut delivery = Delivery::new(envelope, &supply.content(), self.transfer, &self.client);
        let span = self.trace.message(envelope);
        let sent = match self.enter() {
            Err(error) => Err(error),
            Ok(()) => trace::within(span.clone(), self.carry(&mut delivery, &mut supply)).await,
        };
        let report =
            self.leave_step(sent, delivery).inspect_err(|failed| span.outcomes(envelope, &failed.report))?;
        span.outcomes(envelope, &report);
        self.out_of_step = false;
        Ok(report)
    }

    /// Sends messages one behind the other, each envelope in the same write as the end of the message ahead, so that a
    /// message costs one round trip where the server offers PIPELINING. `reported` is called for each in its order.
    ///
    /// RFC 2920 (3.1) allows it, and not every server bears it. One that answers such a MAIL with 503, as Haraka does, is given
    /// each envelope by itself from there on. Dovecot's submission server (2.3) closes, chasquid (1.11) does not answer: to a
    /// server that is not known to bear it, send messages one by one.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send): the messages that were begun are reported, the others were not touched.
    pub async fn send_all<'m, M: Message>(
        &mut self,
        messages: impl IntoIterator<Item = (&'m Envelope<'m>, M)>,
        mut reported: impl FnMut(Report),
    ) -> Result<(), Error> {
        let mut ahead: Option<Begun<'m>> = None;
        let (mut begun, mut overlaps, mut result) = (false, true, Ok(()));
        for (envelope, mut message) in messages {
            if begun && self.client.is_closed() {
                result = Err(Error::from(NotNow::Closed).with_last_words(&self.said));
                break;
            }
            if !std::mem::replace(&mut begun, true) {
                self.enter()?;
            }
            let mut message = Untouched::new(&mut message);
            let mut supply = match message.whole() {
                Some(whole) => Supply::Whole(Surveyed::new(whole)),
                None => Supply::Pieces(&mut message),
            };
            let delivery = Delivery::new(envelope, &supply.content(), self.transfer, &self.client);
            let mut this = Begun { delivery, envelope, span: self.trace.message(envelope) };
            let mut rode = false;
            if let Some(mut ahead) = ahead.take() {
                // A connection that is closed by now says so when it is polled.
                rode = overlaps && this.delivery.begin(&mut self.client, self.pump.link.output()).is_ok();
                let settled = trace::within(ahead.span.clone(), self.settle(&mut ahead.delivery)).await;
                if let Err(error) = self.report_to(settled, ahead, &mut reported) {
                    // Its envelope was on its way, too.
                    this.delivery.lost(error.stage());
                    reported(this.delivery.into_report());
                    return Err(error);
                }
            }
            let mut sent =
                trace::within(this.span.clone(), self.transfer(&mut this.delivery, &mut supply)).await;
            if rode && sent.is_ok() && out_of_sequence(this.delivery.report()) {
                overlaps = false;
                this.delivery = Delivery::new(envelope, &supply.content(), self.transfer, &self.client);
                sent = trace::within(this.span.clone(), self.transfer(&mut this.delivery, &mut supply)).await;
            }
            if sent.is_err() {
                self.report_to(sent, this, &mut reported)?;
            } else {
                ahead = Some(this);
            }
        }
        if let Some(mut last) = ahead {
            let settled = trace::within(last.span.clone(), self.settle(&mut last.delivery)).await;
            self.report_to(settled, last, &mut reported)?;
        }
        // Without a message nothing was touched, be it in step or not.
        self.out_of_step &= !begun;
        result
    }

    fn report_to(
        &mut self,
        result: Result<(), Error>,
        begun: Begun<'_>,
        reported: &mut impl FnMut(Report),
    ) -> Result<(), Error> {
        let (report, result) = match self.leave_step(result, begun.delivery) {
            Ok(report) => (report, Ok(())),
            Err(SendError { report, error }) => (report, Err(error)),
        };
        begun.span.outcomes(begun.envelope, &report);
        reported(report);
        result
    }

    fn leave_step(
        &mut self,
        result: Result<(), Error>,
        mut delivery: Delivery<'_>,
    ) -> Result<Report, SendError> {
        match result {
            Ok(()) => Ok(delivery.into_report()),
            Err(error) => {
                self.client.abandon();
                delivery.lost(error.stage());
                let error = error.with_last_words(&self.said);
                Err(SendError { report: delivery.into_report(), error })
            }
        }
    }

    async fn carry(
        &mut self,
        delivery: &mut Delivery<'_>,
        supply: &mut Supply<'_, impl Message>,
    ) -> Result<(), Error> {
        self.transfer(delivery, supply).await?;
        self.settle(delivery).await
    }

    /// Envelope and message, up to where only the last replies are missing. Those octets that fit are left in the
    /// output for the next write.
    async fn transfer(
        &mut self,
        delivery: &mut Delivery<'_>,
        supply: &mut Supply<'_, impl Message>,
    ) -> Result<(), Error> {
        while !delivery.is_ended() {
            let want =
                self.drive(|client, now, input, output| delivery.poll(client, now, input, output)).await?;
            match want {
                Want::Body => {}
                Want::Again => {
                    delivery.again(supply.rewind());
                    continue;
                }
                _ => break,
            }
            if let Some(broken) = self.broken {
                // Nothing that settles the message was said.
                return Err(Error::new(std::io::Error::from(broken), Stage::Body));
            }
            match supply.next().await {
                Ok((piece, last)) => self.give(delivery, piece, last).await?,
                Err(error) => {
                    delivery.abandon(&mut self.client);
                    return Err(Error::new(error, Stage::Body));
                }
            }
        }
        Ok(())
    }

    /// Waits for the last replies.
    async fn settle(&mut self, delivery: &mut Delivery<'_>) -> Result<(), Error> {
        self.drive(|client, now, input, output| delivery.poll(client, now, input, output)).await.map(drop)
    }

    /// One piece of a message: long ones are lent to the transport, what is short, or ends the message, is appended.
    async fn give(&mut self, delivery: &mut Delivery<'_>, piece: Part<'_>, last: bool) -> Result<(), Error> {
        let octets = piece.octets().len();
        // What is lent passes no record.
        let lend = octets > LEND && self.pump.io.record().is_none();
        let cut = if lend { octets - TAIL } else { 0 };
        let (mut lent, tail) = piece.split_at(cut);
        let block = self.client.config().timeouts.block;
        // A piece by BDAT is one chunk, and begins none before it is given.
        let scan = if self.client.in_body() { SCAN } else { usize::MAX };
        while !lent.octets().is_empty() {
            let (flight, rest) = lent.split_at(scan.min(lent.octets().len()));
            lent = rest;
            let segments = delivery.segments(flight, &mut self.client, self.pump.link.output())?;
            let written = self.pump.write(segments, block).await;
            self.after_write(written).await?;
            if self.broken.is_some() {
                return Ok(());
            }
        }
        delivery.body(tail, last, &mut self.client, self.pump.link.output())?;
        let waiting = self.pump.link.output().len();
        if waiting >= LEND {
            let until = self.block_deadline(waiting);
            let written = self.pump.flush(until).await;
            self.after_write(written).await?;
        }
        Ok(())
    }
}

/// A message of many, while its replies are missing.
struct Begun<'m> {
    delivery: Delivery<'m>,
    envelope: &'m Envelope<'m>,
    span: Span,
}

/// Pieces longer than this are lent to the transport rather than copied.
const LEND: usize = 64 * 1024;

/// What is looked through, if that is still to be done, and written at a time of a lent piece: less than a processor's own cache
/// holds, so that the system finds there what it copies.
const SCAN: usize = 512 * 1024;

/// What is kept back of a lent piece, to leave in one write with the end of the message and whatever follows.
const TAIL: usize = 8 * 1024;

/// Whether MAIL was refused for where it stood.
fn out_of_sequence(report: &Report) -> bool {
    let refused = |outcome: Outcome<'_>| match outcome {
        Outcome::Replied { stage: Stage::Mail, reply, .. } => reply.code() == Code::BAD_SEQUENCE,
        _ => false,
    };
    !report.is_empty() && report.outcomes().all(refused)
}
