//! Messages on their way: one worker for each job, and what each does again.

use std::sync::Arc;
use std::time::Duration;

use smtp_driver::Pool;
use smtp_driver::client::SendError;
use smtp_tokio::proto::session::{Envelope, NotSent, Outcome, Report, Verdict};
use smtp_tokio::proto::stage::Stage;
use smtp_tokio::{Error, ErrorKind, Shutdown};
use tokio::sync::{Mutex, mpsc};

use super::dial::Dial;
use super::results::Results;
use super::source::{Found, Item, Text};

/// The longest wait before a message is tried again.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// What all workers share.
#[derive(Debug)]
pub(super) struct Shift {
    pub(super) pool: Pool<Dial>,
    pub(super) envelope: Envelope<'static>,
    /// How often a message is tried again.
    pub(super) retries: u32,
    /// How long to wait before the first time.
    pub(super) wait: Duration,
    pub(super) results: Results,
    /// Raised when it makes no sense to go on.
    pub(super) stop: Shutdown,
}

/// A message that was dealt with.
#[derive(Debug)]
pub(super) struct Delivered {
    pub(super) item: Arc<Item>,
    pub(super) report: Report,
    /// What went wrong with the last connection, if something did.
    pub(super) error: Option<Error>,
    /// How often it was tried.
    pub(super) tries: u32,
}

impl Shift {
    /// Sends what comes out of the queue until it ends.
    pub(super) async fn work(&self, queue: &Mutex<mpsc::Receiver<Found>>) {
        while !self.stop.has_begun() {
            // Waits for its turn, then for a message: nobody else could do anything with the lock meanwhile.
            let Some(found) = queue.lock().await.recv().await else { return };
            match found {
                Found::Message(item) => {
                    let delivered = self.deliver(Arc::new(item)).await;
                    if delivered.error.as_ref().is_some_and(is_for_all) {
                        self.stop.begin();
                    }
                    self.results.take(&delivered);
                }
                Found::Unreadable { name, error } => self.results.unreadable(&name, &error),
            }
        }
    }

    async fn deliver(&self, item: Arc<Item>) -> Delivered {
        let recipients = self.envelope.to.len();
        let mut report = Report::not_sent(recipients, NotSent::Lost(Stage::Connect));
        let mut open: Vec<usize> = (0..recipients).collect();
        let (mut retries, mut tries) = (0, 0);
        loop {
            tries += 1;
            let sent = self.pool.send(&self.envelope.part(&open), Text::new(Arc::clone(&item))).await;
            let (later, error) = match sent {
                Ok(later) => (later, None),
                Err(SendError { report, error, .. }) => (report, Some(error)),
            };
            report.amend(&open, &later);
            let places = |wanted: fn(&Outcome<'_>) -> bool| -> Vec<usize> {
                let all = report.outcomes().enumerate();
                all.filter(|(_, outcome)| wanted(outcome)).map(|(at, _)| at).collect()
            };
            // One recipient at least was accepted then, so that this ends.
            let next = places(|outcome| outcome.verdict() == Verdict::NextTransaction);
            if !next.is_empty() {
                open = next;
                continue;
            }
            let next = places(may_be_tried_again);
            let hopeless = error.as_ref().is_some_and(is_for_all);
            if next.is_empty() || hopeless || retries == self.retries {
                return Delivered { item, report, error, tries };
            }
            let wait = self.wait.saturating_mul(1 << retries.min(16)).min(LONGEST_WAIT);
            if smtp_driver::unless(&self.stop, tokio::time::sleep(wait)).await.is_none() {
                return Delivered { item, report, error, tries };
            }
            retries += 1;
            open = next;
        }
    }
}

/// Whether the same may do later, and cannot have been taken: a 4yz, or the end of the message was never given out.
fn may_be_tried_again(outcome: &Outcome<'_>) -> bool {
    let of_here = matches!(outcome, Outcome::NotSent(NotSent::Source | NotSent::ReadOnce));
    outcome.verdict() == Verdict::TryLater && !of_here
}

/// Whether an error says that no other message, and no other time, will do better: a login that is refused, TLS that is
/// missing, a certificate that isn't trusted.
fn is_for_all(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::Io(_) => false,
        ErrorKind::Session(error) => error.verdict() != Verdict::TryLater,
        _ => error.stage() == Stage::Handshake,
    }
}
