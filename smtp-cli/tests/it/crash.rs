//! A server that is killed in the midst of it all.

use std::collections::HashMap;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::support::{Peer, Server, messages};

const ROUNDS: usize = 6;
const CLIENTS: usize = 4;

/// Sends messages of all sizes until the server is gone, and tells of each that was answered.
fn load(port: u16, round: usize, client: usize, answered: &mpsc::Sender<String>) {
    let mut peer = Peer::connect(port);
    peer.say("EHLO client.example", "250");
    for n in 0.. {
        let name = format!("<{round}.{client}.{n}@client.example>");
        let envelope = "MAIL FROM:<ann@example.org>\r\nRCPT TO:<ben@example.net>\r\nDATA\r\n";
        let lines = format!("{}\r\n", "x".repeat(70)).repeat(1 + (n % 7) * 300);
        let message = format!("Message-ID: {name}\r\n\r\n{lines}end of {name}\r\n.\r\n");
        let turn = || {
            peer.write(envelope).ok()?;
            for reply in ["250", "250", "354"] {
                assert!(peer.reply()?.starts_with(reply));
            }
            peer.write(message).ok()?;
            assert!(peer.reply()?.starts_with("250"));
            Some(())
        };
        if turn().is_none() {
            return;
        }
        answered.send(name).expect("somebody counts");
    }
}

#[test]
fn every_message_answered_250_survives_kill_9_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().to_str().expect("UTF-8");
    let (sender, receiver) = mpsc::channel();
    for round in 0..ROUNDS {
        let server = Server::start(&["--maildir", path]);
        let port = server.plain[0];
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let sender = sender.clone();
                thread::spawn(move || load(port, round, client, &sender))
            })
            .collect();
        thread::sleep(Duration::from_millis(150 + 37 * round as u64));
        server.kill();
        for client in clients {
            client.join().expect("a client that was told the truth");
        }
    }
    drop(sender);

    let mut stored: HashMap<String, usize> = HashMap::new();
    for message in messages(Path::new(path), "new") {
        let (_, rest) = message.split_once("Message-ID: ").expect("a message");
        let (name, _) = rest.split_once("\r\n").expect("a line");
        assert!(message.ends_with(&format!("\r\nend of {name}\r\n")), "{name} is not whole");
        *stored.entry(name.to_owned()).or_default() += 1;
    }
    let answered: Vec<_> = receiver.iter().collect();
    assert!(answered.len() > ROUNDS * CLIENTS, "only {} messages were answered", answered.len());
    for name in &answered {
        assert_eq!(stored.get(name), Some(&1), "{name} was answered 250");
    }
    // Of each client at most the one whose answer was on its way.
    assert!(stored.len() - answered.len() <= ROUNDS * CLIENTS);
    assert!(stored.values().all(|count| *count == 1));
}
