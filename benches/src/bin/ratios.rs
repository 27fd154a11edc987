//! Every group's cases in turn, many times over; of each the least time counts, which is what a busy machine disturbs least. Prints
//! the tables of BENCHMARKS.md: a row for each group, who does it across, and how many times as fast as the fastest of the others
//! we are.
//!
//! `ratios WORD` runs the groups that have the word in their name.

use std::time::{Duration, Instant};

use benches::{Case, OURS, Unit};

/// How long a group is measured.
const TIME: Duration = Duration::from_millis(1500);

fn main() {
    let wanted = std::env::args().nth(1).unwrap_or_default();
    let mut cases: Vec<Case> = benches::all();
    cases.retain(|case| case.group.contains(&wanted));
    for table in cases.chunk_by_mut(|a, b| a.table() == b.table()) {
        let mut names: Vec<&str> = Vec::new();
        for case in &*table {
            if !names.contains(&case.who) {
                names.push(case.who);
            }
        }
        let unit = if table[0].unit == Unit::Items { "ns for one" } else { "GB/s" };
        println!("\n{}, {unit}\n", table[0].table());
        println!("| | {} | ours is … times as fast |", names.join(" | "));
        println!("{}|", "| --- ".repeat(names.len() + 2));
        for group in table.chunk_by_mut(|a, b| a.group == b.group) {
            let nanos = least(group);
            let mut line = format!("| {}", group[0].group);
            for name in &names {
                line += " | ";
                if let Some(at) = group.iter().position(|case| case.who == *name) {
                    line += &match group[at].unit {
                        Unit::Items => short(nanos[at]),
                        Unit::Octets => short(1.0 / nanos[at]),
                    };
                }
            }
            let others = group.iter().zip(&nanos).filter(|(case, _)| case.is_peer());
            let fastest = others.min_by(|a, b| a.1.total_cmp(b.1));
            let ratio = fastest.map(|(case, time)| format!("{:.2} ({})", time / nanos[0], case.who));
            println!("{line} | {} |", ratio.unwrap_or_default());
        }
    }
}

/// For one item or octet, in nanoseconds.
fn least(group: &mut [Case]) -> Vec<f64> {
    assert_eq!(group[0].who, OURS);
    // So often that the clock's own time doesn't count.
    let times = if group[0].unit == Unit::Items { 200 } else { 1 };
    let mut least = vec![Duration::MAX; group.len()];
    let start = Instant::now();
    while start.elapsed() < TIME {
        for (case, least) in group.iter_mut().zip(&mut least) {
            let start = Instant::now();
            for _ in 0..times {
                case.run();
            }
            *least = start.elapsed().min(*least);
        }
    }
    let each =
        |(case, least): (&Case, &Duration)| least.as_nanos() as f64 / times as f64 / case.amount as f64;
    group.iter().zip(&least).map(each).collect()
}

/// Three digits that count.
fn short(number: f64) -> String {
    let digits = if number < 10.0 { 2 } else { usize::from(number < 100.0) };
    format!("{number:.digits$}")
}
