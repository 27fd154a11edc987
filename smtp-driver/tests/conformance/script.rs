//! A server that says what it is told to, right or wrong.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use smtp_driver::Destination;

use super::LONG;

/// A connection of the script's, on a thread of its own.
pub(crate) struct Script {
    pub(crate) port: u16,
    thread: JoinHandle<()>,
}

pub(crate) struct Wire(BufReader<TcpStream>);

impl Script {
    /// Accepts one connection and plays `play` on it, then hangs up.
    pub(crate) fn new(play: impl FnOnce(&mut Wire) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let thread = thread::spawn(move || {
            let (stream, _) = listener.accept().expect("a connection");
            stream.set_read_timeout(Some(LONG)).expect("a timeout");
            play(&mut Wire(BufReader::new(stream)));
        });
        Self { port, thread }
    }

    pub(crate) fn destination(&self) -> Destination {
        Destination::plain("127.0.0.1", self.port)
    }

    pub(crate) fn end(self) {
        self.thread.join().expect("the script was followed");
    }
}

/// Several connections, one behind the other, each with a play of its own.
pub(crate) struct Scripts {
    pub(crate) port: u16,
    thread: JoinHandle<TcpListener>,
}

pub(crate) type Play = Box<dyn FnOnce(&mut Wire) + Send>;

impl Scripts {
    pub(crate) fn new(plays: Vec<Play>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let thread = thread::spawn(move || {
            for play in plays {
                let (stream, _) = listener.accept().expect("a connection");
                stream.set_read_timeout(Some(LONG)).expect("a timeout");
                // Read in small pieces, a long message would stand still again and again: loopback's segments have 64 KiB.
                play(&mut Wire(BufReader::with_capacity(1 << 20, stream)));
            }
            listener
        });
        Self { port, thread }
    }

    pub(crate) fn destination(&self) -> Destination {
        Destination::plain("127.0.0.1", self.port)
    }

    /// All were played, and nobody has connected since.
    pub(crate) fn end(self) {
        let started = Instant::now();
        while !self.thread.is_finished() {
            assert!(started.elapsed() < LONG, "it was not played to its end");
            thread::sleep(Duration::from_millis(2));
        }
        let listener = self.thread.join().expect("the scripts were followed");
        listener.set_nonblocking(true).expect("an option");
        assert!(listener.accept().is_err(), "one connection too many");
    }
}

impl Wire {
    pub(crate) fn client(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
        stream.set_read_timeout(Some(LONG)).expect("a timeout");
        Self(BufReader::new(stream))
    }

    pub(crate) fn say(&mut self, octets: impl AsRef<[u8]>) {
        self.0.get_ref().write_all(octets.as_ref()).expect("a write");
    }

    /// As [`say`](Self::say), to one who may have left.
    pub(crate) fn try_say(&mut self, octets: impl AsRef<[u8]>) -> bool {
        self.0.get_ref().write_all(octets.as_ref()).is_ok()
    }

    /// The next line, which begins like this.
    pub(crate) fn hear(&mut self, start: &str) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("a line");
        assert!(line.starts_with(start), "{line:?} where {start:?} should be");
        line
    }

    /// The last line of the next reply, whose code is this.
    pub(crate) fn reply(&mut self, code: &str) -> String {
        loop {
            let line = self.hear(code);
            if line.as_bytes().get(3) == Some(&b' ') {
                return line;
            }
        }
    }

    /// A whole message, its end included.
    pub(crate) fn hear_message(&mut self) {
        let mut line = Vec::new();
        while line != b".\r\n" {
            line.clear();
            assert_ne!(self.0.read_until(b'\n', &mut line).expect("a line"), 0, "it ended within a message");
        }
    }

    /// Says that nothing more will be said.
    pub(crate) fn hang_up(&mut self) {
        self.0.get_ref().shutdown(std::net::Shutdown::Write).expect("it was open");
    }

    /// Sees that something has come, and does not read it: a socket that is closed then is reset.
    pub(crate) fn leave_unread(&mut self) {
        assert!(self.0.buffer().is_empty());
        assert_eq!(self.0.get_ref().peek(&mut [0]).expect("it says something"), 1);
    }

    pub(crate) fn hear_octets(&mut self, count: usize) {
        self.0.read_exact(&mut vec![0; count]).expect("so many octets");
    }

    /// Whatever comes until the other side hangs up, which it does.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        // A reset is an end as well.
        if let Err(error) = self.0.read_to_end(&mut rest) {
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "it does not hang up");
        }
        rest
    }

    /// A message for one recipient, up to its end, without PIPELINING; what answers it is yet to be said.
    pub(crate) fn hear_letter(&mut self) {
        for (verb, answer) in [("MAIL ", "250 ok\r\n"), ("RCPT ", "250 ok\r\n"), ("DATA", "354 go\r\n")] {
            self.hear(verb);
            self.say(answer);
        }
        self.hear_message();
    }

    /// A message for one recipient, taken.
    pub(crate) fn take_letter(&mut self) {
        self.hear_letter();
        self.say("250 ok\r\n");
    }

    /// The greeting, EHLO, and these extensions.
    pub(crate) fn greet(&mut self, extensions: &[&str]) {
        self.say("220 mx.example.org ESMTP\r\n");
        self.hear("EHLO ");
        self.say("250-mx.example.org\r\n");
        for extension in extensions {
            self.say(format!("250-{extension}\r\n"));
        }
        self.say("250 HELP\r\n");
    }
}
