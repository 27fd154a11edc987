//! The tour: servers and clients of all three runtimes, over real sockets, with mails whose every octet is compared.

mod authority;
mod clients;
mod mails;
mod receiver;
mod servers;

use std::error::Error;
use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use smtp_driver::Shutdown;
use smtp_driver::proto::auth::Mechanism;
use smtp_driver::proto::session::Transfer;

use crate::trace::record::{Counts, Tape};
use authority::Tls;
use clients::Errand;
use mails::Mail;
use receiver::Page;
use servers::{Listening, Premises};

/// What the servers' certificate is for. Clients connect to the loopback address by number, and check this name.
const HOST: &str = "localhost";
const USER: &str = "ann";
const PASSWORD: &str = "correct horse battery staple";

/// How long a socket may take to connect, and a server to notice that its client has left.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long all of it may take.
const TIME_LIMIT: Duration = Duration::from_secs(60);

type Failure = Box<dyn Error + Send + Sync>;

/// Whose sockets, clock and tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Runtime {
    Tokio,
    Smol,
    Blocking,
}

impl Runtime {
    const ALL: [Self; 3] = [Self::Tokio, Self::Smol, Self::Blocking];
}

impl fmt::Display for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Tokio => "tokio",
            Self::Smol => "smol",
            Self::Blocking => "blocking",
        })
    }
}

/// How a connection is secured, and so whether the client logs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Secured {
    Plain,
    StartTls,
    Implicit,
}

impl Secured {
    const ALL: [Self; 3] = [Self::Plain, Self::StartTls, Self::Implicit];

    const fn login(self) -> Option<Mechanism> {
        match self {
            Self::Plain => None,
            Self::StartTls => Some(Mechanism::Plain),
            Self::Implicit => Some(Mechanism::ScramSha256Plus),
        }
    }
}

impl fmt::Display for Secured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Plain => "plain",
            Self::StartTls => "STARTTLS",
            Self::Implicit => "implicit",
        })
    }
}

/// Takes the tour, prints what it sees, and fails unless every conversation was intact.
///
/// It gives up after 60 seconds, and says what hung.
#[must_use]
pub fn run() -> ExitCode {
    let (tell, told) = mpsc::channel();
    let at = Arc::new(Mutex::new(String::from("the start")));
    let progress = Arc::clone(&at);
    // Whatever hangs, hangs there: this thread ends the process.
    thread::spawn(move || {
        let mails = mails::all();
        let mut out = io::stdout().lock();
        let _ = tell.send(Tour { sent: &mails, expected: &mails, at: &progress }.take(&mut out));
    });
    let complaint = match told.recv_timeout(TIME_LIMIT) {
        Ok(Ok(true)) => return ExitCode::SUCCESS,
        Ok(Ok(false)) => return ExitCode::FAILURE,
        Ok(Err(failure)) => failure.to_string(),
        Err(RecvTimeoutError::Timeout) => format!("no end after {TIME_LIMIT:?}"),
        Err(RecvTimeoutError::Disconnected) => String::from("panicked"),
    };
    let at = at.lock().unwrap_or_else(PoisonError::into_inner);
    eprintln!("smtp: the tour failed at {at}: {complaint}");
    ExitCode::FAILURE
}

/// What is sent, and what the receiving side is told to expect: the same, but in the test that sees them differ.
struct Tour<'t> {
    sent: &'t Arc<[Mail]>,
    expected: &'t Arc<[Mail]>,
    /// Where it stands, for whoever has to say what hung.
    at: &'t Mutex<String>,
}

impl Tour<'_> {
    /// Whether all was intact.
    fn take(&self, out: &mut impl Write) -> Result<bool, Failure> {
        let started = Instant::now();
        let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let premises = Premises {
            tokio: tokio.handle().clone(),
            tls: Tls::for_host(HOST)?,
            mails: Arc::clone(self.expected),
            ledger: Arc::default(),
            tape: Tape::start(),
            shutdown: Shutdown::new(),
        };
        let servers = servers::start(&premises)?;
        let counted = self.conversations(&servers, &premises, out);
        if counted.is_ok() {
            self.say("the servers' end");
        }
        premises.shutdown.begin();
        // Also after a failure: a server's tasks are not to outlive their runtime.
        let joined: Vec<_> = servers.into_iter().map(Listening::join).collect();
        let (all, intact) = counted?;
        joined.into_iter().collect::<Result<(), _>>()?;
        writeln!(out, "\nin {:.1} s, shutdown of the servers included", started.elapsed().as_secs_f64())?;
        writeln!(out, "{all} conversations, {intact} intact")?;
        Ok(all == intact)
    }

    /// How many there were, and how many of them were intact.
    fn conversations(
        &self,
        servers: &[Listening],
        premises: &Premises,
        out: &mut impl Write,
    ) -> Result<(usize, usize), Failure> {
        self.introduce(servers, out)?;
        let (mut all, mut intact) = (0, 0);
        for client in Runtime::ALL {
            for server in servers {
                all += 1;
                intact += usize::from(self.conversation(all, client, server, premises, out)?);
            }
        }
        Ok((all, intact))
    }

    fn say(&self, at: impl Into<String>) {
        *self.at.lock().unwrap_or_else(PoisonError::into_inner) = at.into();
    }

    fn introduce(&self, servers: &[Listening], out: &mut impl Write) -> Result<(), Failure> {
        writeln!(out, "Nine servers on 127.0.0.1, their certificate of an authority made for this run:\n")?;
        for trio in servers.chunks(Secured::ALL.len()) {
            write!(out, "  {:8} ", trio[0].runtime)?;
            trio.iter().try_for_each(|one| write!(out, "  {} {}", one.secured, one.address.port()))?;
            writeln!(out)?;
        }
        writeln!(out, "\nEvery client delivers {} mails to each of them:\n", self.sent.len())?;
        for mail in &**self.sent {
            let (octets, taken) = (mail.octets.len(), mail.taken());
            writeln!(
                out,
                "  {octets:>8} octets for {taken:>2} recipients, and {} to be refused",
                mail.refused()
            )?;
        }
        Ok(())
    }

    /// One conversation, its transcript if it is the first, and its row in the table.
    fn conversation(
        &self,
        number: usize,
        client: Runtime,
        server: &Listening,
        premises: &Premises,
        out: &mut impl Write,
    ) -> Result<bool, Failure> {
        let Listening { runtime, secured, address, .. } = *server;
        self.say(format!("conversation {number}: client on {client}, server on {runtime}, {secured}"));
        let first = number == 1;
        let (conversation, mails, tls) = (number, &**self.sent, &premises.tls);
        let tape = first.then_some(&premises.tape);
        let started = Instant::now();
        let errand = Errand { conversation, client, secured, address, tls, mails, tape };
        let (counts, told) = errand.run(&premises.tokio);
        let page = premises.ledger.page(number, PATIENCE);
        let time = started.elapsed();
        if first {
            writeln!(out, "\nThe first conversation as both ends wrote it; one heading is one write.\n")?;
            crate::trace::transcript::print(&premises.tape.stop(), out)?;
            writeln!(out, "\n{}", Row::HEADING)?;
        }
        let faults = faults(&page, told, secured, mails);
        let intact = faults.is_empty();
        let row = Row { number, client, server: runtime, secured, counts, time, page, of: mails.len() };
        writeln!(out, "{row}  {}", if intact { "intact" } else { "NOT INTACT" })?;
        faults.iter().try_for_each(|fault| writeln!(out, "    {fault}"))?;
        out.flush()?;
        Ok(intact)
    }
}

/// Everything that is not as it should be, by what the server saw and by what the client was told.
fn faults(page: &Page, told: Result<(), Failure>, secured: Secured, mails: &[Mail]) -> Vec<String> {
    let mut faults = page.faults.clone();
    faults.extend(told.err().map(|failure| format!("client: {failure}")));
    let refused = mails.iter().map(Mail::refused).sum::<usize>();
    let expected = Page {
        intact: mails.len(),
        taken: mails.iter().map(Mail::taken).sum(),
        refused,
        login: secured.login(),
        faults: Vec::new(),
        ended: true,
    };
    if faults.is_empty() && *page != expected {
        faults.push(format!("the server saw {page:?}, and this was to be seen: {expected:?}"));
    }
    faults
}

/// A row of the table.
struct Row {
    number: usize,
    client: Runtime,
    server: Runtime,
    secured: Secured,
    counts: Counts,
    time: Duration,
    page: Page,
    of: usize,
}

impl Row {
    const HEADING: &str = " #  client    server    security  login               by    octets sent  received  writes  \
        round trips    ms  taken  refused  mails   outcome";
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, client, server, secured, counts, time, page, of } = self;
        let Counts { sent, received, writes, round_trips } = counts;
        let Page { intact, taken, refused, login, .. } = page;
        let login = login.map_or("-", Mechanism::name);
        let by = if secured.transfer() == Transfer::Data { "DATA" } else { "BDAT" };
        let ms = time.as_millis();
        write!(
            f,
            "{number:>2}  {client:8}  {server:8}  {secured:8}  {login:18}  {by}  {sent:>11}  {received:>8}  "
        )?;
        write!(f, "{writes:>6}  {round_trips:>11}  {ms:>4}  {taken:>5}  {refused:>7}  {intact} of {of}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(sent: &Arc<[Mail]>, expected: &Arc<[Mail]>) -> (bool, String) {
        let (at, mut out) = (Mutex::default(), Vec::new());
        let intact = Tour { sent, expected, at: &at }.take(&mut out).expect("it comes to its end");
        (intact, String::from_utf8(out).expect("text"))
    }

    /// The small ones: a debug build takes its time for the large.
    fn small() -> Vec<Mail> {
        mails::all().iter().filter(|mail| mail.octets.len() < 10_000).cloned().collect()
    }

    #[test]
    fn mails_that_arrive_as_they_were_sent_are_intact() {
        let mails = small().into();
        let (intact, told) = take(&mails, &mails);
        assert!(intact && told.contains("\n27 conversations, 27 intact"), "{told}");
    }

    #[test]
    fn one_wrong_octet_of_one_mail_fails_the_tour() {
        let (sent, mut expected) = (small(), small());
        let mut octets = expected[1].octets.to_vec();
        let last = octets.len() - 3;
        octets[last] ^= 1;
        expected[1].octets = octets.into();
        let (intact, told) = take(&sent.into(), &expected.into());
        assert!(!intact && told.contains("\n27 conversations, 0 intact"), "{told}");
        assert!(told.contains(&format!("mail 2: octet {last} is not the one that was sent")), "{told}");
    }

    /// No client that goes by `client` takes servers that go by `server`.
    fn is_refused(server: Tls, client: &Tls) {
        let tokio = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
        let mails: Arc<[Mail]> = small().into();
        let premises = Premises {
            tokio: tokio.handle().clone(),
            tls: server,
            mails: Arc::clone(&mails),
            ledger: Arc::default(),
            tape: Tape::start(),
            shutdown: Shutdown::new(),
        };
        let servers = servers::start(&premises).expect("ports");
        let told: Vec<_> = servers
            .iter()
            .filter(|server| server.secured != Secured::Plain)
            .map(|&Listening { runtime, secured, address, .. }| {
                let (mails, tape) = (&mails, None);
                let errand =
                    Errand { conversation: 1, client: runtime, secured, address, tls: client, mails, tape };
                errand.run(&premises.tokio).1.err().map(|failure| failure.to_string())
            })
            .collect();
        premises.shutdown.begin();
        servers.into_iter().for_each(|server| server.join().expect("it ends well"));
        for told in told {
            let told = told.expect("a client that trusts anybody");
            assert!(told.starts_with("the TLS handshake: the peer's certificate is refused"), "{told}");
        }
    }

    #[test]
    fn a_certificate_of_another_authority_or_for_another_host_is_refused() {
        let of = |host| Tls::for_host(host).expect("an authority");
        is_refused(of(HOST), &of(HOST));
        let another = of("example.org");
        is_refused(another.clone(), &another);
    }

    #[test]
    fn a_recipient_that_was_not_meant_fails_the_tour() {
        let (sent, mut expected) = (small(), small());
        expected[0].to[1].address = "eve@server.example".into();
        let (intact, told) = take(&sent.into(), &expected.into());
        assert!(!intact && told.contains("27 conversations, 0 intact"), "{told}");
    }
}
