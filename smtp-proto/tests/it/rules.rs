//! What the rules that are easy to get wrong ask of both machines, where no transcript shows it.

mod client;
mod server;
mod terms;
mod verdicts;
