//! The tool as its users have it: a process, its sockets, its files and what it prints.

mod crash;
mod examples;
mod help;
mod kill;
mod many;
mod pools;
mod rules;
mod send;
mod serve;
mod support;
