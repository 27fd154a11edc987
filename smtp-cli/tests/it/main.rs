//! The tool as its users have it: a process, its sockets, its files and what it prints.

mod bench;
mod crash;
mod docs;
mod documents;
mod examples;
mod help;
#[cfg(target_os = "linux")]
mod hostile;
mod kill;
mod many;
mod pools;
mod rules;
mod send;
mod serve;
mod support;
