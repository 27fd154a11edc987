//! Clients and servers from end to end, ours beside the peers, over loopback. `just bench-e2e` runs all of it.

mod by_client;
mod by_server;
mod clients;
mod delay;
mod load;
mod process;
mod servers;
mod table;
mod work;

use std::env;
use std::time::Duration;

use crate::work::{Shape, Work};

const USAGE: &str = "usage: e2e [--quick] [clients|delay|servers|idle|large|scale|sizes]...

Prints tables; all of them if none is named. --quick: a tenth of the messages, one round.
SMTP_INTEROP is where interop/install.sh has put smtp-sink, smtp-source and aiosmtpd.";

/// Every table, in the order of BENCHMARKS.md.
const TABLES: [&str; 7] = ["clients", "delay", "servers", "idle", "large", "scale", "sizes"];

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    // What is measured runs in processes of its own, which are this program again.
    match words[..] {
        ["client", name, shape, warm, count, to] => {
            let work = Work::new(Shape::named(shape), number(warm), number(count));
            by_client::print(clients::run(name, work, to.parse().expect("an address")));
        }
        ["long", name, octets, to] => by_server::long(name, number(octets), to.parse().expect("an address")),
        ["server", name, threads] => servers::run(name, threads.parse().expect("a number")),
        ["hold", connections, to] => {
            by_server::hold(number(connections), to.parse().expect("an address"));
        }
        ["load", shape, sessions, each, seconds, to] => by_server::load(
            Shape::named(shape),
            number(sessions),
            number(each),
            Duration::from_secs_f64(seconds.parse().expect("seconds")),
            to.parse().expect("an address"),
        ),
        _ => tables(&words),
    }
}

fn number(word: &str) -> usize {
    word.parse().expect("a number")
}

fn tables(words: &[&str]) {
    let (flags, mut named): (Vec<_>, Vec<_>) = words.iter().copied().partition(|word| word.starts_with('-'));
    if flags.iter().any(|flag| *flag != "--quick") || named.iter().any(|name| !TABLES.contains(name)) {
        eprintln!("{USAGE}");
        std::process::exit(2);
    }
    if named.is_empty() {
        named = TABLES.to_vec();
    }
    let (rounds, divisor) = if flags.is_empty() { (3, 1) } else { (1, 10) };
    for table in named {
        match table {
            "clients" => by_client::costs(rounds, divisor),
            "delay" => by_client::delays(divisor),
            "servers" => by_server::costs(rounds, divisor),
            "idle" => by_server::idle(10_000 / divisor),
            "large" => by_server::large((1 << 30) / divisor),
            "scale" => by_server::scale(divisor),
            _ => by_server::sizes(),
        }
    }
}
