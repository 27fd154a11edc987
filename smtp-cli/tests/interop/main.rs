//! SMTP software that we did not write, each way: their clients deliver to our servers, our clients to their servers, by each adapter
//! and by the tool. What arrives must be, byte for byte, what was sent, once the fields that a server puts on top are taken off.
//!
//! Each cell of the matrix is a test, and all are ignored, as they need software that a plain `cargo test` cannot ask for. Install
//! it with `interop/install.sh DEST`, then run them with `SMTP_INTEROP=DEST cargo test --workspace -- --ignored`, or all of it
//! with `just interop`. A peer that is missing or cannot start is a failure, never a test left out. Those of [`wire`] need no peer, and
//! are not ignored.

#![expect(clippy::unwrap_used, reason = "a failure of anything that a test needs is its failure")]

mod clients;
mod heard;
mod mail;
mod matrix;
mod peer;
mod peers;
mod probe;
mod process;
mod receiver;
mod room;
mod sender;
mod servers;
mod store;
mod suites;
mod targets;
mod transcripts;
mod wire;

use std::env;

use libtest_mimic::{Arguments, Trial};

fn main() {
    let mut arguments = Arguments::from_args();
    // What most tests do is wait.
    arguments.test_threads = arguments.test_threads.or(Some(8));
    let mut trials: Vec<Trial> = Vec::new();
    let suites = suites::trials(&mut trials);
    let tables = [servers::trials(&mut trials), clients::trials(&mut trials), suites];
    transcripts::trials(&mut trials);
    wire::trials(&mut trials);
    probe::trials(&mut trials);
    let conclusion = libtest_mimic::run(&arguments, trials);
    process::end();
    if let Some(text) = matrix::text(&tables) {
        println!("{text}");
        if env::var_os("SMTP_INTEROP_MATRIX").is_some() && !conclusion.has_failed() {
            matrix::keep(&text);
        }
    }
    if conclusion.num_passed + conclusion.num_failed > 0 {
        room::room().leave(conclusion.has_failed());
    }
    conclusion.exit();
}
