//! A server that is killed, or told to end, in the midst of it all.

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
                answered_by(&mut peer, reply)?;
            }
            peer.write(message).ok()?;
            answered_by(&mut peer, "250")
        };
        if turn().is_none() {
            return;
        }
        answered.send(name).expect("somebody counts");
    }
}

/// The next reply is this one; or none comes, or that which says that none will.
fn answered_by(peer: &mut Peer, code: &str) -> Option<()> {
    let reply = peer.reply().filter(|reply| !reply.starts_with("421 "))?;
    assert!(reply.starts_with(code), "{reply}");
    Some(())
}

/// The messages in this Maildir, and how often each is there. All are whole.
fn stored(path: &Path) -> HashMap<String, usize> {
    let mut stored = HashMap::new();
    for message in messages(path, "new") {
        let (_, rest) = message.split_once("Message-ID: ").expect("a message");
        let (name, _) = rest.split_once("\r\n").expect("a line");
        assert!(message.ends_with(&format!("\r\nend of {name}\r\n")), "{name} is not whole");
        *stored.entry(name.to_owned()).or_default() += 1;
    }
    stored
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

    let stored = stored(Path::new(path));
    let answered: Vec<_> = receiver.iter().collect();
    assert!(answered.len() > ROUNDS * CLIENTS, "only {} messages were answered", answered.len());
    for name in &answered {
        assert_eq!(stored.get(name), Some(&1), "{name} was answered 250");
    }
    // Of each client at most the one whose answer was on its way.
    assert!(stored.len() - answered.len() <= ROUNDS * CLIENTS);
    assert!(stored.values().all(|count| *count == 1));
}

/// Told to end, it takes no message that it does not answer, and answers none that it has not taken.
#[test]
fn sigterm_under_load_loses_nothing_and_repeats_nothing() {
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
        server.terminate();
        assert_eq!(server.wait().code(), Some(0));
        for client in clients {
            client.join().expect("a client that was told the truth");
        }
    }
    drop(sender);

    let mut answered = HashMap::new();
    receiver.iter().for_each(|name| *answered.entry(name).or_default() += 1);
    assert!(answered.len() > ROUNDS * CLIENTS, "only {} messages were answered", answered.len());
    assert_eq!(stored(Path::new(path)), answered);
    assert!(messages(Path::new(path), "tmp").is_empty());
}
