//! The load generator: connections on a few threads, each with a runtime of its own, so that nothing is shared on the way.

use std::collections::VecDeque;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use smtp_tokio::{Error, Socket, client};
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::task::JoinSet;

use super::args::Load;
use super::plan::Plan;
use super::progress::{Progress, Seen};
use super::report;
use super::tally::Tally;
use crate::exit::{self, Failure};
use crate::trace::record::{Meter, Tap};

type Connection = client::Connection<Tap<Socket<TcpStream>>>;

/// How long to wait after a connection that did not come about.
const PAUSE: Duration = Duration::from_millis(50);

/// Loads the server and says how it went.
pub(super) fn run(args: &Load) -> Result<ExitCode, Failure> {
    let plan = Plan::new(args)?.start();
    let seen = Arc::new(Seen::default());
    let threads: Vec<_> = (0..args.threads.min(args.connections))
        .map(|thread| {
            // What cannot be shared out evenly goes to the first.
            let share = args.connections / args.threads;
            let connections = share + u32::from(thread < args.connections % args.threads);
            let (plan, seen) = (Arc::clone(&plan), Arc::clone(&seen));
            let main = thread::current();
            thread::spawn(move || {
                let counted = work(connections, &plan, &seen);
                main.unpark();
                counted
            })
        })
        .collect();
    let mut progress = Progress::new(plan.messages, plan.time);
    while threads.iter().any(|thread| !thread.is_finished()) {
        progress.show(&seen, plan.started());
        thread::park_timeout(Progress::TICK);
    }
    progress.finish();
    let mut tally = Tally::new();
    for thread in threads {
        let counted = thread.join().map_err(|_| Failure::new(exit::SOFTWARE, "a thread panicked"))?;
        let counted = counted
            .map_err(|error| Failure::new(exit::OS_ERROR, format!("no runtime to run on: {error}")))?;
        tally.add(counted);
    }
    // Whatever became of the others, they were not taken.
    tally.failed = plan.given() - tally.delivered;
    let took = seen.last().unwrap_or_else(|| plan.started().elapsed());
    report::print(args, &plan, &tally, took);
    let all = tally.failed == 0 && tally.errors.is_empty();
    Ok(if all { ExitCode::SUCCESS } else { ExitCode::from(exit::TEMP_FAIL) })
}

/// One thread's work.
fn work(connections: u32, plan: &Arc<Plan>, seen: &Arc<Seen>) -> std::io::Result<Tally> {
    let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
    let tally = Arc::new(Mutex::new(Tally::new()));
    // Whoever hangs after the time is over is given up.
    let bound = plan.time.map_or(Duration::MAX, |time| time + plan.timeout);
    let given_up = runtime.block_on(async {
        // Tasks of the runtime's own: those of a LocalSet are woken through a system call.
        let mut workers = JoinSet::new();
        for _ in 0..connections {
            let worker = Worker { plan: Arc::clone(plan), seen: Arc::clone(seen), tally: Arc::clone(&tally) };
            workers.spawn(worker.run());
        }
        let all = async { while workers.join_next().await.is_some() {} };
        tokio::time::timeout(bound, all).await.is_err()
    });
    drop(runtime);
    let mut tally = std::mem::replace(&mut *locked(&tally), Tally::new());
    if given_up {
        tally.error("no answer in time".into());
    }
    Ok(tally)
}

/// Nobody else holds it for longer than a count takes, and on one thread nobody at all.
fn locked<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One connection at a time.
struct Worker {
    plan: Arc<Plan>,
    seen: Arc<Seen>,
    tally: Arc<Mutex<Tally>>,
}

impl Worker {
    async fn run(self) {
        while self.plan.goes_on() {
            let meter = Arc::new(Meter::default());
            let started = Instant::now();
            match self.connect(&meter).await {
                Ok(connection) => {
                    locked(&self.tally).connected(started.elapsed());
                    self.send(connection).await;
                }
                Err(error) => {
                    // The message that it was for is lost with it.
                    if self.plan.next().is_some() {
                        self.seen.message(false, self.plan.started());
                    }
                    locked(&self.tally).broke(&error);
                    tokio::time::sleep(PAUSE).await;
                }
            }
            locked(&self.tally).wired(meter.counts());
        }
    }

    async fn connect(&self, meter: &Arc<Meter>) -> Result<Connection, Error> {
        let to = &self.plan.destination;
        let socket = Socket::connect(&self.plan.addresses[..], self.plan.timeout);
        let mut connection = to.connect(async { Ok(Tap::client(socket.await?, meter, None)) }).await?;
        connection.set_transfer(self.plan.transfer);
        Ok(connection)
    }

    async fn send(&self, mut connection: Connection) {
        let sent = if self.plan.rate.is_none() && self.plan.pipelining {
            self.stream(&mut connection).await
        } else {
            self.one_by_one(&mut connection).await
        };
        if let Err(error) = sent {
            locked(&self.tally).broke(&error);
        }
        connection.quit().await;
    }

    /// Messages one behind the other, each envelope in the write of the message ahead.
    async fn stream(&self, connection: &mut Connection) -> Result<(), Error> {
        let begun = Mutex::new(VecDeque::new());
        let mut left = self.plan.per_connection;
        let messages = std::iter::from_fn(|| {
            left = left.checked_sub(1)?;
            let body = self.plan.body(self.plan.next()?);
            locked(&begun).push_back((Instant::now(), body.len()));
            Some((&self.plan.envelope, body))
        });
        let reported = |report| {
            if let Some((since, octets)) = locked(&begun).pop_front() {
                self.report(&report, octets, since);
            }
        };
        connection.send_all(messages, reported).await
    }

    /// Each message when it is due, and when the one ahead is answered.
    async fn one_by_one(&self, connection: &mut Connection) -> Result<(), Error> {
        let mut left = self.plan.per_connection;
        while left > 0 && connection.is_usable() {
            let Some(number) = self.plan.next() else { return Ok(()) };
            let since = self.plan.due(number).unwrap_or_else(Instant::now);
            tokio::time::sleep_until(since.into()).await;
            let body = self.plan.body(number);
            let octets = body.len();
            match connection.send(&self.plan.envelope, body).await {
                Ok(report) => self.report(&report, octets, since),
                Err(failed) => {
                    self.report(&failed.report, octets, since);
                    return Err(failed.error);
                }
            }
            left -= 1;
        }
        Ok(())
    }

    fn report(&self, report: &smtp_tokio::proto::session::Report, octets: u64, since: Instant) {
        locked(&self.tally).report(report, octets, since.elapsed());
        self.seen.message(report.all_delivered(), self.plan.started());
    }
}
