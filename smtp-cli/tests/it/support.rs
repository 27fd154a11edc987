//! The processes and sockets that the tests use.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

pub(crate) const SMTP: &str = env!("CARGO_BIN_EXE_smtp");

/// Longer than anything takes.
const LONG: Duration = Duration::from_secs(60);

/// A running `smtp serve`, killed with this value.
pub(crate) struct Server {
    child: Child,
    pub(crate) ca: Option<PathBuf>,
    pub(crate) plain: Vec<u16>,
    pub(crate) tls: Vec<u16>,
    lines: mpsc::Receiver<String>,
}

impl Server {
    /// Starts it, with a listener in the clear on a port of the system's choice beside what `args` ask for.
    pub(crate) fn start(args: &[&str]) -> Self {
        Self::start_by(Command::new(SMTP), args)
    }

    /// Starts it anew where another one was: what is left of that one's connections does not keep the port.
    pub(crate) fn start_at(place: SocketAddr, args: &[&str]) -> Self {
        Self::start_on(Command::new(SMTP), place, args)
    }

    /// Starts it by a command that takes the tool's arguments.
    pub(crate) fn start_by(command: Command, args: &[&str]) -> Self {
        Self::start_on(command, (Ipv4Addr::LOCALHOST, 0).into(), args)
    }

    fn start_on(mut command: Command, place: SocketAddr, args: &[&str]) -> Self {
        command.args(["serve", "--listen", &place.to_string(), "--name", "mx.example.net"]).args(args);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
        let lines = lines(child.stdout.take().expect("a pipe"));
        let listeners = 1 + args.iter().filter(|arg| ["--implicit-tls", "--listen"].contains(arg)).count();
        let json = args.contains(&"--json");
        let mut this = Self { child, ca: None, plain: Vec::new(), tls: Vec::new(), lines };
        while this.plain.len() + this.tls.len() < listeners {
            let line = this.line();
            match line.split(' ').collect::<Vec<_>>()[..] {
                ["ca", path] => this.ca = Some(path.into()),
                [event] if json => {
                    let event: serde_json::Value = serde_json::from_str(event).expect("JSON");
                    match event["file"].as_str() {
                        Some(ca) => this.ca = Some(ca.into()),
                        None => this.plain.push(port(event["address"].as_str().expect("an address"))),
                    }
                }
                ["listening", path, _] if path.contains('/') => this.plain.push(0),
                ["listening", address, "plain"] => this.plain.push(port(address)),
                ["listening", address, "tls"] => this.tls.push(port(address)),
                _ => panic!("{line}"),
            }
        }
        this
    }

    /// The next line that it prints.
    pub(crate) fn line(&self) -> String {
        self.lines.recv_timeout(LONG).expect("a line")
    }

    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn connect(&self) -> Peer {
        Peer::connect(self.plain[0])
    }

    /// A file of `/proc` about it.
    #[cfg(target_os = "linux")]
    pub(crate) fn proc(&self, file: &str) -> PathBuf {
        format!("/proc/{}/{file}", self.child.id()).into()
    }

    pub(crate) fn terminate(&self) {
        let killed = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        assert!(killed.expect("kill").success());
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it has ended");
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a state").is_some()
    }

    pub(crate) fn wait(mut self) -> ExitStatus {
        let started = Instant::now();
        while !self.has_ended() {
            assert!(started.elapsed() < LONG, "it does not end");
            thread::sleep(Duration::from_millis(10));
        }
        self.child.wait().expect("it has ended")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines(stdout: ChildStdout) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    receiver
}

/// A place of this process's own, which nobody else takes while no server is there.
///
/// A client that connects to a port of the system's choice, on the address that it comes from itself, may be given that very
/// port while the server is down: it would find itself there, and the port taken. Where every address of 127/8 is this
/// machine, one that nobody else uses is told by the process and a count.
pub(crate) fn place() -> SocketAddr {
    static TAKEN: AtomicU16 = AtomicU16::new(0);
    let (count, process) = (TAKEN.fetch_add(1, Ordering::Relaxed), std::process::id());
    if cfg!(target_os = "linux") {
        let [_, high, middle, low] = process.to_be_bytes();
        let address = Ipv4Addr::new(127, 1 + (high % 64) + 64 * (count % 3) as u8, middle, low);
        return SocketAddr::new(IpAddr::V4(address), 2525 + count / 3);
    }
    // Elsewhere one below those that the system gives out, which another run may take meanwhile.
    let first = 20_000 + (process % 100 * 100) as u16;
    (Ipv4Addr::LOCALHOST, first + count % 100).into()
}

fn port(address: &str) -> u16 {
    address.parse::<std::net::SocketAddr>().expect("an address").port()
}

/// A client that says what it is told to.
pub(crate) struct Peer(BufReader<TcpStream>);

impl Peer {
    /// Connected and greeted.
    pub(crate) fn connect(port: u16) -> Self {
        let mut this = Self::ungreeted(port);
        assert!(this.reply().expect("a greeting").starts_with("220 mx.example.net "));
        this
    }

    /// Connected.
    pub(crate) fn ungreeted(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
        stream.set_read_timeout(Some(LONG)).expect("a timeout");
        stream.set_nodelay(true).expect("an option");
        Self(BufReader::new(stream))
    }

    /// The socket.
    pub(crate) fn stream(&self) -> &TcpStream {
        self.0.get_ref()
    }

    pub(crate) fn write(&mut self, octets: impl AsRef<[u8]>) -> std::io::Result<()> {
        self.0.get_mut().write_all(octets.as_ref())
    }

    /// The next reply; `None` at the end of the connection.
    pub(crate) fn reply(&mut self) -> Option<String> {
        let mut reply = String::new();
        loop {
            let from = reply.len();
            if self.0.read_line(&mut reply).ok()? == 0 || !reply.ends_with('\n') {
                return None;
            }
            if reply.as_bytes().get(from + 3) != Some(&b'-') {
                return Some(reply);
            }
        }
    }

    /// Says a command, and expects a reply that begins so.
    pub(crate) fn say(&mut self, command: impl AsRef<str>, reply: &str) -> String {
        self.write(format!("{}\r\n", command.as_ref())).expect("it listens");
        let got = self.reply().expect("a reply");
        assert!(got.starts_with(reply), "{:?} was answered {got:?}", command.as_ref());
        got
    }

    /// Says an envelope, up to the 354.
    pub(crate) fn begin(&mut self, to: &[&str]) {
        self.say("EHLO client.example", "250");
        self.say("MAIL FROM:<ann@example.org>", "250");
        for to in to {
            self.say(format!("RCPT TO:<{to}>"), "250");
        }
        self.say("DATA", "354");
    }
}

/// A server that says what `answer` does to each line: nothing if that is empty. Gives its port.
pub(crate) fn scripted(mut answer: impl FnMut(&str) -> &'static str + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        let (mut peer, _) = listener.accept().expect("a client");
        peer.write_all(b"220 scripted.example\r\n").expect("it listens");
        let lines = BufReader::new(peer.try_clone().expect("a socket"));
        for line in lines.lines().map_while(Result::ok) {
            if peer.write_all(answer(&line).as_bytes()).is_err() {
                break;
            }
        }
    });
    port
}

/// Runs the tool to its end, with this on its standard input.
pub(crate) fn run<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>, input: &str) -> Output {
    let mut child = Command::new(SMTP)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    // It may end before it has read all of it.
    let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
    child.wait_with_output().expect("it ends")
}

/// Sends `input` from ann@example.org to these.
pub(crate) fn send(url: &str, options: &[&str], to: &[&str], input: &str) -> Output {
    let mut args = vec!["send", "--server", url, "--from", "ann@example.org"];
    args.extend(options);
    for to in to {
        args.extend(["--to", to]);
    }
    args.push("-");
    run(args, input)
}

pub(crate) fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

pub(crate) fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

pub(crate) fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

/// The messages of a folder of a Maildir.
pub(crate) fn messages(maildir: &Path, folder: &str) -> Vec<String> {
    let entries = fs::read_dir(maildir.join(folder)).expect("a folder");
    let read = |path: PathBuf| {
        let mut text = Vec::new();
        fs::File::open(path).and_then(|mut file| file.read_to_end(&mut text)).expect("a message");
        String::from_utf8(text).expect("UTF-8")
    };
    entries.map(|entry| read(entry.expect("an entry").path())).collect()
}
