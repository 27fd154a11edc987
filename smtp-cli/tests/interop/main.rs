//! The tool `smtp` against SMTP software that we did not write, each way: their clients deliver to `smtp serve`, and
//! `smtp send` delivers to their servers. What arrives must be, byte for byte, what was sent, once the lines that a
//! server is known to put on top are taken off.
//!
//! The tests are `#[ignore]`d, as they need software that a plain `cargo test` cannot ask for. Install it with
//! `interop/install.sh DEST`, then run them with `SMTP_INTEROP=DEST cargo test --workspace -- --ignored`, or all of it with
//! `just interop`. A peer that is missing is a failure, never a test left out.

#![expect(clippy::unwrap_used, reason = "a failure of anything that a test needs is its failure")]

mod clients;
mod mail;
mod peer;
mod process;
mod send;
mod serve;
mod servers;
mod top;
