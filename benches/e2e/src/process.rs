//! The processes that are measured, each on a core of its own or sharing one, and what the system counts of them.

use std::collections::BTreeMap;
use std::env;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::time::ClockId;
use nix::unistd::Pid;
use rustix::process::{PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};
use socket2::SockRef;

/// No process is waited for any longer.
pub const PATIENCE: Duration = Duration::from_secs(40);

/// Which processor a process is kept on, of the two that every machine has.
#[derive(Clone, Copy, Debug)]
pub enum Core {
    Load,
    Measured,
}

/// A command that stays on one core. `strace` writes its summary to the path, if there is one.
fn kept(program: impl AsRef<Path>, core: Core, trace: Option<&Path>) -> Command {
    let mut command = Command::new("taskset");
    command.args([
        "-c",
        match core {
            Core::Load => "0",
            Core::Measured => "1",
        },
    ]);
    if let Some(path) = trace {
        command.args(["strace", "-f", "-c", "-U", "calls,errors,name", "-o"]).arg(path);
    }
    command.arg(program.as_ref());
    command
}

/// This program under another role.
pub fn own(core: Core, trace: Option<&Path>) -> Command {
    kept(env::current_exe().expect("this program's path"), core, trace)
}

/// Where `interop/install.sh` has put the peers that are no libraries.
pub fn installed(below: &str) -> Option<PathBuf> {
    let path = Path::new(&env::var_os("SMTP_INTEROP")?).join(below);
    path.exists().then_some(path)
}

/// A program of Postfix's, if it is there.
pub fn postfix(program: &str, core: Core, trace: Option<&Path>) -> Option<Command> {
    let mut command = kept(installed(&format!("roots/postfix/usr/sbin/{program}"))?, core, trace);
    command.env("LD_LIBRARY_PATH", installed("roots/postfix/usr/lib/postfix")?);
    Some(command)
}

/// A process of ours, ended when dropped.
#[derive(Debug)]
pub struct Running(Child);

impl Running {
    pub fn start(command: &mut Command) -> Self {
        Self(command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a process"))
    }

    /// The next line that it prints.
    pub fn line(&mut self) -> String {
        self.try_line().expect("a line before patience ends")
    }

    /// The next line that it prints, if one comes in time.
    pub fn try_line(&mut self) -> Option<String> {
        let (sender, receiver) = mpsc::channel();
        let output = self.0.stdout.take()?;
        std::thread::spawn(move || {
            let mut output = BufReader::with_capacity(1, output);
            let mut line = String::new();
            let _ = output.read_line(&mut line);
            let _ = sender.send((line, output.into_inner()));
        });
        let (line, output) = receiver.recv_timeout(PATIENCE).ok()?;
        self.0.stdout = Some(output);
        (!line.is_empty()).then(|| line.trim_end().to_owned())
    }

    /// Lets it go on that waits for its input.
    pub fn go_on(&mut self) {
        self.0.stdin.as_mut().expect("its input").write_all(b"\n").expect("one that listens");
    }

    /// Waits for it to end well.
    pub fn end(&mut self) {
        drop(self.0.stdin.take());
        let since = Instant::now();
        loop {
            match self.0.try_wait().expect("a process") {
                Some(status) => return assert!(status.success(), "{status}"),
                None => assert!(since.elapsed() < PATIENCE, "it did not end"),
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// CPU time that it has used, user and system, of all its threads.
    pub fn cpu(&self) -> Duration {
        let clock = ClockId::pid_cpu_clock_id(self.pid()).expect("a process that runs");
        clock.now().expect("its clock").into()
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.0.id()).expect("a process id"))
    }

    /// Octets of memory: now, and the most since [`forget_peak`](Self::forget_peak).
    pub fn memory(&self) -> (usize, usize) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).expect("its status");
        let field = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name)).expect("a field");
            let kib: usize = line.split_whitespace().nth(1).expect("a size").parse().expect("a number");
            kib * 1024
        };
        (field("VmRSS:"), field("VmHWM:"))
    }

    pub fn forget_peak(&self) {
        std::fs::write(format!("/proc/{}/clear_refs", self.0.id()), "5").expect("a peak to forget");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Turns Nagle's algorithm off on every socket of a process, where the program has no switch for it. What a listening
/// socket accepts has it from that.
pub fn no_delay(process: u32) {
    let pid = rustix::process::Pid::from_raw(process.cast_signed()).expect("a process id");
    let handle = pidfd_open(pid, PidfdFlags::empty()).expect("the process");
    for entry in std::fs::read_dir(format!("/proc/{process}/fd")).expect("its descriptors") {
        let number = entry.expect("a descriptor").file_name().to_string_lossy().parse().expect("a number");
        if let Ok(socket) = pidfd_getfd(&handle, number, PidfdGetfdFlags::empty()) {
            // What is no socket of TCP's has no delay.
            let _ = SockRef::from(&socket).set_tcp_nodelay(true);
        }
    }
}

/// The CPU time of all processes that have ended.
pub fn ended() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("a usage");
    let time = |time: nix::sys::time::TimeVal| {
        Duration::new(time.tv_sec().unsigned_abs(), 0) + Duration::from_micros(time.tv_usec().unsigned_abs())
    };
    time(usage.user_time()) + time(usage.system_time())
}

/// A server, and where it listens.
#[derive(Debug)]
pub struct Server {
    pub running: Running,
    pub address: SocketAddr,
}

impl Server {
    /// By the name of the tables; none if it is not installed. `threads` is how many connections one is made for that has
    /// a thread for each.
    pub fn start(name: &str, core: Core, threads: u32) -> Option<Self> {
        match name {
            "smtp-sink" => Self::on_free_port(|address| {
                let mut command = postfix("smtp-sink", core, None)?;
                if std::fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0) {
                    // As root it wants to be told whom to become.
                    command.args(["-u", "root"]);
                }
                command.args(["-m", "20000", &address.to_string(), "4096"]);
                Some(command)
            }),
            "aiosmtpd" => Self::on_free_port(|address| {
                let mut command = kept(installed("venv/bin/python")?, core, None);
                command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/aiosmtpd_sink.py"));
                command.arg(address.port().to_string());
                Some(command)
            }),
            _ => {
                let mut running =
                    Running::start(own(core, None).args(["server", name]).arg(threads.to_string()));
                let port = running.line().parse().expect("a port");
                Some(Self { running, address: (Ipv4Addr::LOCALHOST, port).into() })
            }
        }
    }

    /// One that cannot say which port it was given: it is told one that is free, and another one if somebody was quicker.
    fn on_free_port(command: impl Fn(SocketAddr) -> Option<Command>) -> Option<Self> {
        for _ in 0..10 {
            let address = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
            let mut running = Running::start(&mut command(address)?);
            let since = Instant::now();
            while running.0.try_wait().expect("a process").is_none() && since.elapsed() < PATIENCE {
                if TcpStream::connect(address).is_ok() {
                    no_delay(running.0.id());
                    return Some(Self { running, address });
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        panic!("it did not come up");
    }
}

/// System calls by their names, those that failed left out: how many came to something.
#[derive(Clone, Debug, Default)]
pub struct Calls(BTreeMap<String, u64>, u64);

impl Calls {
    pub fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).expect("strace's summary");
        let mut calls = Self::default();
        for line in text.lines() {
            let columns: Vec<_> = line.split_whitespace().collect();
            let (made, failed, name) = match columns[..] {
                [made, failed, name] => (made.parse(), failed.parse(), name),
                [made, name] => (made.parse(), Ok(0), name),
                _ => continue,
            };
            if let (Ok(made), Ok(failed)) = (made, failed)
                && name != "total"
            {
                let (made, failed): (u64, u64) = (made, failed);
                calls.1 += made;
                calls.0.insert(name.to_owned(), made - failed);
            }
        }
        calls
    }

    /// Calls of these names that came to something.
    pub fn of(&self, names: &[&str]) -> u64 {
        names.iter().filter_map(|name| self.0.get(*name)).sum()
    }

    /// All calls, those that failed too.
    pub const fn all(&self) -> u64 {
        self.1
    }
}
