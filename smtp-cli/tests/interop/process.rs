//! Programs under test: run to their end within a time, or kept running and ended with the test.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use crate::room::room;

/// How long anything may take. On a busy machine of two cores the slowest, Python's start, takes two seconds.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Tries until there is an answer, or fails with `what` was waited for.
pub(crate) fn eventually<T>(what: &str, attempt: impl FnMut() -> Option<T>) -> T {
    within(PATIENCE, what, attempt)
}

fn within<T>(patience: Duration, what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = attempt() {
            return found;
        }
        assert!(start.elapsed() < patience, "{what}: not within {patience:?}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// What a program that ran to its end said.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    /// Shown when an assertion prints the whole.
    pub(crate) stderr: String,
}

/// Runs a program to its end; one that does not end in time is killed and fails the test.
pub(crate) fn run(command: &mut Command) -> Ended {
    run_within(PATIENCE, command)
}

pub(crate) fn run_within(patience: Duration, command: &mut Command) -> Ended {
    let mut child = spawn(command);
    let stderr = drain(child.0.stderr.take().unwrap());
    let stdout = drain(child.0.stdout.take().unwrap());
    let status = within(patience, &format!("the end of {command:?}"), || child.0.try_wait().unwrap());
    Ended { status, stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap() }
}

fn drain(mut pipe: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut said = Vec::new();
        pipe.read_to_end(&mut said).unwrap();
        String::from_utf8_lossy(&said).into_owned()
    })
}

/// A program that is ended when this is dropped.
#[derive(Debug)]
struct Spawned(Child);

fn spawn(command: &mut Command) -> Spawned {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Spawned(command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}")))
}

impl Drop for Spawned {
    /// Asked first: a server has processes of its own to end.
    fn drop(&mut self) {
        if !matches!(self.0.try_wait(), Ok(None)) {
            return;
        }
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        for _ in 0..300 {
            if !matches!(self.0.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The servers that were started.
static SERVERS: Mutex<Vec<Spawned>> = Mutex::new(Vec::new());

/// Starts a program that serves until the run ends; gives the lines that it prints, as they come. What it says on stderr stays in the
/// run's folder.
pub(crate) fn serve(command: &mut Command) -> Lines {
    let mut spawned = spawn(command);
    let name = Path::new(command.get_program()).file_name().unwrap().to_str().unwrap();
    let mut file = File::create(room().folder("stderr").join(format!("{name}.{}", spawned.0.id()))).unwrap();
    let mut stderr = spawned.0.stderr.take().unwrap();
    let stdout = BufReader::new(spawned.0.stdout.take().unwrap());
    SERVERS.lock().unwrap().push(spawned);
    thread::spawn(move || io::copy(&mut stderr, &mut file));
    let (sender, receiver) = mpsc::channel();
    // Read on after the last line that anybody asks for: a full pipe would stop the program.
    thread::spawn(move || stdout.lines().map_while(Result::ok).for_each(|line| drop(sender.send(line))));
    Lines(receiver)
}

/// Ends all servers, each at its own pace.
pub(crate) fn end() {
    let servers = std::mem::take(&mut *SERVERS.lock().unwrap());
    thread::scope(|scope| servers.into_iter().for_each(|server| drop(scope.spawn(|| drop(server)))));
}

/// Waits until somebody listens at this port.
pub(crate) fn listening(port: u16) {
    eventually(&format!("a server at port {port}"), || TcpStream::connect(("127.0.0.1", port)).ok());
}

/// The lines of a program that is still running.
#[derive(Debug)]
pub(crate) struct Lines(Receiver<String>);

impl Lines {
    pub(crate) fn next(&self, what: &str) -> String {
        self.0.recv_timeout(PATIENCE).unwrap_or_else(|error| panic!("{what} was never printed: {error}"))
    }

    /// The port of a line `listening 127.0.0.1:PORT NAME`.
    pub(crate) fn port(&self, name: &str) -> u16 {
        let line = self.next(name);
        let port = line.strip_prefix("listening 127.0.0.1:").and_then(|rest| rest.strip_suffix(name));
        port.and_then(|port| port.trim().parse().ok())
            .unwrap_or_else(|| panic!("not the listener {name}: {line}"))
    }
}
