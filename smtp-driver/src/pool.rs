//! Connections to one destination, kept open between messages.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{fmt, io};

use smtp_proto::error::NotNow;
use smtp_proto::session::{Envelope, NotSent, Outcome, Report};
use smtp_proto::stage::Stage;

use crate::client::{Connection, SendError};
use crate::message::Untouched;
use crate::turns::{Turn, Turns};
use crate::{Destination, Error, Io, Message};

/// How a runtime connects.
pub trait Connector: Send + Sync {
    /// What a connection runs over.
    type Io: Io;

    /// Connects to the destination's host and port, within its time for that.
    ///
    /// # Errors
    ///
    /// The system's.
    fn connect(&self, to: &Destination) -> impl Future<Output = io::Result<Self::Io>> + Send;
}

/// How many connections a pool has, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Connections at once; who comes later waits. Precedents: 5, 10, 20. Zero counts as one.
    pub connections: usize,
    /// Messages that one connection carries. Precedents: 100, no limit. Servers may say less (RFC 9422, MAILMAX).
    pub messages: u32,
    /// How long a connection may idle: less than the 5 minutes that a server waits (RFC 5321, 4.5.3.2.7).
    pub idle: Duration,
    /// A connection that idled longer is asked by NOOP whether it is still there; one that idled less is only looked at.
    pub noop_after: Duration,
}

impl Default for Limits {
    /// 10 connections of 100 messages each, a minute of idling, NOOP after 15 seconds.
    fn default() -> Self {
        Self {
            connections: 10,
            messages: 100,
            idle: Duration::from_secs(60),
            noop_after: Duration::from_secs(15),
        }
    }
}

/// Connections to one destination, opened as they are needed and kept for the next message. Clones share them.
///
/// A connection is looked at before it is used again: what the server has closed, or said 421 on, is not used. Where one
/// fails nevertheless, the message is sent over a new one, but only while no recipient's fate was decided and the end of
/// the message was not given to the transport. After that its outcome is unknown, and whether to send again is the
/// caller's to decide (RFC 5321, 6.1).
///
/// What one session has no room for (RFC 9422, MAILMAX and RCPTDOMAINMAX) goes over another.
///
/// A pool has no task of its own. Connections that have idled too long are closed when the next message is sent, or by
/// [`sweep`](Self::sweep).
pub struct Pool<C: Connector>(Arc<Shared<C>>);

struct Shared<C: Connector> {
    connector: C,
    to: Destination,
    limits: Limits,
    turns: Turns,
    /// The one used last stands last, and is used first.
    idle: Mutex<Vec<Kept<C::Io>>>,
    closed: AtomicBool,
}

struct Kept<I> {
    connection: Connection<I>,
    /// The connection's age when it was used last.
    since: Duration,
    messages: u32,
}

impl<I: Io> Kept<I> {
    fn idled(&self) -> Duration {
        self.connection.io().age().saturating_sub(self.since)
    }
}

impl<C: Connector> fmt::Debug for Pool<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut pool = f.debug_struct("Pool");
        pool.field("to", &format_args!("{}:{}", self.0.to.host(), self.0.to.port()));
        pool.field("limits", &self.0.limits).field("idle", &self.idle()).finish_non_exhaustive()
    }
}

impl<C: Connector> Clone for Pool<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<C: Connector> Pool<C> {
    /// A pool that connects as `connector` does. Nothing is connected yet.
    #[must_use]
    pub fn with_connector(connector: C, to: Destination, limits: Limits) -> Self {
        Self(Arc::new(Shared {
            connector,
            to,
            limits,
            turns: Turns::new(limits.connections.max(1)),
            idle: Mutex::new(Vec::new()),
            closed: AtomicBool::new(false),
        }))
    }

    /// A pool with the default limits. Nothing is connected yet.
    #[must_use]
    pub fn new(to: Destination) -> Self
    where
        C: Default,
    {
        Self::with_limits(to, Limits::default())
    }

    /// A pool with these limits. Nothing is connected yet.
    #[must_use]
    pub fn with_limits(to: Destination, limits: Limits) -> Self
    where
        C: Default,
    {
        Self::with_connector(C::default(), to, limits)
    }

    /// Whom it connects to.
    #[must_use]
    pub fn destination(&self) -> &Destination {
        &self.0.to
    }

    /// How many connections idle.
    #[must_use]
    pub fn idle(&self) -> usize {
        self.0.idle().len()
    }

    /// How many messages wait for a connection.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.0.turns.waiting()
    }

    /// Sends one message, over a connection that idles or a new one, and waits for what becomes of it. If there are as
    /// many connections as may be, it waits for its turn first.
    ///
    /// Dropped before it is done, it closes the connection that it used.
    ///
    /// # Errors
    ///
    /// [`SendError`] if no connection could be opened, or it failed. Its report has an outcome for every recipient.
    pub async fn send(
        &self,
        envelope: &Envelope<'_>,
        mut message: impl Message,
    ) -> Result<Report, SendError> {
        let shared = &*self.0;
        let turn = shared.turns.take().await;
        let mut message = Untouched::new(&mut message);
        let recipients = envelope.to.len();
        let mut report = Report::not_sent(recipients, NotSent::Lost(Stage::Connect));
        let mut open: Vec<usize> = (0..recipients).collect();
        let mut rest;
        let mut fresh = false;
        loop {
            let (mut kept, reused) = match shared.connection(fresh).await {
                Ok(found) => found,
                Err(error) => return Err(SendError { report, error }),
            };
            let part = if open.len() == recipients {
                envelope
            } else {
                rest = envelope.part(&open);
                &rest
            };
            let sent = kept.connection.send_from(part, &mut message).await;
            kept.messages += 1;
            let (later, error) = match sent {
                Ok(later) => (later, None),
                Err(SendError { report, error }) => (report, Some(error)),
            };
            report.amend(&open, &later);
            let alive = error.is_none() && kept.connection.is_usable();
            let left = if alive {
                elsewhere(&later)
            } else if reused && may_be_repeated(&later) {
                (0..later.len()).collect()
            } else {
                Vec::new()
            };
            // On a new connection nobody was served who might have been: the next one would do no better.
            let stuck = !reused && left.len() == later.len();
            let go_on = !left.is_empty() && !stuck && message.rewind();
            // A session that has no room is left (RFC 9422, 3).
            shared.put_back(kept, &turn, alive && !go_on).await;
            if !go_on {
                return match error {
                    None => Ok(report),
                    Some(error) => Err(SendError { report, error }),
                };
            }
            open = left.into_iter().map(|at| open[at]).collect();
            fresh = true;
        }
    }

    /// Closes the connections that have idled too long.
    pub async fn sweep(&self) {
        self.0.sweep().await;
    }

    /// Says QUIT on the connections that idle, and closes those in use when their message is answered. Whatever is sent
    /// from now on, or still waits for its turn, is not sent.
    pub async fn close(&self) {
        self.0.closed.store(true, Ordering::SeqCst);
        let idle = std::mem::take(&mut *self.0.idle());
        for kept in idle {
            kept.connection.quit().await;
        }
    }
}

impl<C: Connector> Shared<C> {
    fn idle(&self) -> MutexGuard<'_, Vec<Kept<C::Io>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection to use, and whether it was used before.
    async fn connection(&self, fresh: bool) -> Result<(Kept<C::Io>, bool), Error> {
        if self.closed.load(Ordering::SeqCst) {
            return Err(NotNow::Closed.into());
        }
        self.sweep().await;
        while !fresh && let Some(mut kept) = self.take() {
            if self.is_well(&mut kept).await {
                return Ok((kept, true));
            }
            kept.connection.hang_up().await;
        }
        let connection = self.to.connect(self.connector.connect(&self.to)).await?;
        Ok((Kept { connection, since: Duration::ZERO, messages: 0 }, false))
    }

    fn take(&self) -> Option<Kept<C::Io>> {
        self.idle().pop()
    }

    async fn is_well(&self, kept: &mut Kept<C::Io>) -> bool {
        kept.connection.look().await
            && (kept.idled() < self.limits.noop_after || kept.connection.noop().await.is_ok())
            && kept.connection.is_usable()
    }

    /// Keeps a connection for the next message, if it is good for one. The turn ends after that, so that there are never
    /// more connections than may be.
    async fn put_back(&self, mut kept: Kept<C::Io>, _turn: &Turn<'_>, good: bool) {
        let used_up = kept.messages >= self.limits.messages || kept.connection.mails_left() == Some(0);
        if good && !used_up {
            kept.since = kept.connection.io().age();
            kept.connection.release();
            let mut idle = self.idle();
            // Under the lock: what is put there after `close` has looked would stay there.
            if !self.closed.load(Ordering::SeqCst) {
                return idle.push(kept);
            }
        }
        kept.connection.hang_up().await;
    }

    async fn sweep(&self) {
        let old: Vec<_> = self.idle().extract_if(.., |kept| kept.idled() >= self.limits.idle).collect();
        for kept in old {
            kept.connection.hang_up().await;
        }
    }
}

/// Recipients that another connection may have room for.
fn elsewhere(report: &Report) -> Vec<usize> {
    let full = |outcome| matches!(outcome, Outcome::NotSent(NotSent::MailMax | NotSent::RcptDomainMax));
    report.outcomes().enumerate().filter(|(_, outcome)| full(outcome.clone())).map(|(at, _)| at).collect()
}

/// Whether a message whose connection failed may be sent again without asking anybody: its end was not given out, and
/// nothing was decided but by the connection's end.
fn may_be_repeated(report: &Report) -> bool {
    let undecided = |outcome| match outcome {
        Outcome::NotSent(why) => matches!(why, NotSent::Lost(_) | NotSent::Pending),
        Outcome::Replied { reply, .. } => reply.code().as_u16() == 421,
        _ => false,
    };
    !report.end_was_given() && report.outcomes().all(undecided)
}
