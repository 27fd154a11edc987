//! The README's examples: each command is run by a shell, and what it prints is compared.
//!
//! A block is what stands in one terminal. A server runs from its block to the end of its section, or to the next server, and
//! what it printed is compared then; `^C` in its block is where it is told to end.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use crate::docs::shell;
use crate::support::place;

/// Where the README's servers listen.
const PLACE: &str = "127.0.0.1:2525";

const LONG: Duration = Duration::from_secs(60);

/// A server in the background, killed with this value.
struct Background {
    child: Child,
    expected: String,
}

impl Drop for Background {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Reader<'r> {
    folder: &'r Path,
    place: SocketAddr,
    server: Option<Background>,
    compared: usize,
}

impl Reader<'_> {
    /// The README's place for the one that is listened at, or back.
    fn there(&self, text: &str) -> String {
        text.replace(PLACE, &self.place.to_string())
    }

    fn back(&self, text: &str) -> String {
        let (ip, port) = (self.place.ip(), self.place.port());
        let text = text.replace(&self.place.to_string(), PLACE);
        let text = text.replace(&format!("{ip}, port {port}"), "127.0.0.1, port 2525");
        text.replace(&format!("and {port} its port"), "and 2525 its port")
    }

    fn compare(&mut self, command: &str, actual: &str, expected: &str) {
        println!("$ {command}");
        // Trailing spaces are nothing that anybody sees, or a README keeps.
        let lines: Vec<_> = self.back(actual).lines().map(|line| line.trim_end().to_owned()).collect();
        snapbox::assert_data_eq!(lines.join("\n"), expected.trim_end().to_owned());
        self.compared += 1;
    }

    fn run(&mut self, command: &str, expected: &str) {
        if command.starts_with("smtp serve") {
            self.end_server();
            return self.serve(command, expected);
        }
        let merged = format!("{{ {}; }} 2>&1", self.there(command));
        let output = shell(&merged, self.folder).output().expect("it runs");
        self.compare(command, &String::from_utf8(output.stdout).expect("UTF-8"), expected);
    }

    fn printed(&self) -> String {
        fs::read_to_string(self.folder.join("server.out")).expect("what it printed")
    }

    fn serve(&mut self, command: &str, expected: &str) {
        let out = File::create(self.folder.join("server.out")).expect("a file");
        let mut shell = shell(&format!("exec {} 2>&1", self.there(command)), self.folder);
        let child = shell.stdout(out).spawn().expect("it starts");
        self.server = Some(Background { child, expected: format!("$ {command}\n{expected}") });
        let started = Instant::now();
        while !self.printed().contains("listening") {
            assert!(started.elapsed() < LONG, "{command} does not start: {}", self.printed());
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn end_server(&mut self) {
        let Some(mut server) = self.server.take() else { return };
        let kill = Command::new("kill").args(["-INT", &server.child.id().to_string()]).status();
        assert!(kill.expect("kill").success());
        let started = Instant::now();
        while server.child.try_wait().expect("a state").is_none() {
            assert!(started.elapsed() < LONG, "it does not end");
            thread::sleep(Duration::from_millis(10));
        }
        let (command, expected) = server.expected.split_once('\n').expect("a command");
        let printed = self.printed();
        self.compare(&command[2..], &printed, &expected.replace("^C\n", ""));
    }
}

#[test]
fn the_readme_prints_what_it_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut reader = Reader { folder: folder.path(), place: place(), server: None, compared: 0 };
    let (mut in_block, mut command, mut expected) = (false, String::new(), String::new());
    for line in include_str!("../../README.md").lines() {
        let ends = in_block && (line == "```" || line.starts_with("$ "));
        if ends && !command.is_empty() {
            reader.run(&std::mem::take(&mut command), &std::mem::take(&mut expected));
        }
        match line {
            "```console" => in_block = true,
            "```" => in_block = false,
            _ if in_block && line.starts_with("$ ") => command = line[2..].into(),
            _ if in_block => expected += &format!("{line}\n"),
            _ if line.starts_with('#') => reader.end_server(),
            _ => {}
        }
    }
    reader.end_server();
    // Servers and what is sent to them; fewer would mean that they were not found.
    assert!(reader.compared > 15, "{} examples", reader.compared);
}
