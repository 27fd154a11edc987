//! The tool as its users have it: a process, its sockets, its files and what it prints.

mod bench;
mod crash;
mod docs;
mod help;
#[cfg(target_os = "linux")]
mod hostile;
mod pools;
mod send;
mod serve;
mod support;
