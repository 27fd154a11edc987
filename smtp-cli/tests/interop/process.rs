//! Programs under test: run to their end within a time, or kept running and ended with the test.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take. On a busy machine of two cores the slowest, Python's start, takes two seconds.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A new, empty folder for one test, kept after it for whoever looks into a failure.
pub(crate) fn folder(test: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("interop").join(test.replace("::", "/"));
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

/// Tries until there is an answer, or fails with `what` was waited for.
pub(crate) fn eventually<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = attempt() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
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
    let mut child = Running::start(command);
    let stderr = drain(child.child.stderr.take().unwrap());
    let stdout = drain(child.child.stdout.take().unwrap());
    let status = eventually(&format!("the end of {command:?}"), || child.child.try_wait().unwrap());
    Ended { status, stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap() }
}

fn drain(mut pipe: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut said = Vec::new();
        pipe.read_to_end(&mut said).unwrap();
        String::from_utf8_lossy(&said).into_owned()
    })
}

/// A program that serves; killed when dropped.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) child: Child,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self { child: command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}")) }
    }

    /// The lines that it prints, as they come. What it says on stderr joins the test's own, so that a failure shows it.
    pub(crate) fn lines(&mut self) -> Lines {
        let stderr = BufReader::new(self.child.stderr.take().unwrap());
        let stdout = BufReader::new(self.child.stdout.take().unwrap());
        thread::spawn(move || {
            stderr.lines().map_while(Result::ok).for_each(|line| eprintln!("peer: {line}"))
        });
        let (sender, receiver) = mpsc::channel();
        // Read on after the last line that anybody asks for: a full pipe would stop the program.
        thread::spawn(move || stdout.lines().map_while(Result::ok).for_each(|line| drop(sender.send(line))));
        Lines(receiver)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines of a program that is still running.
#[derive(Debug)]
pub(crate) struct Lines(Receiver<String>);

impl Lines {
    pub(crate) fn next(&self, what: &str) -> String {
        self.0.recv_timeout(PATIENCE).unwrap_or_else(|error| panic!("{what} was never printed: {error}"))
    }
}
