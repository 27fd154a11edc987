//! Every group's cases in turn, many times over; of each the least time counts, which is what a busy machine disturbs least. Prints
//! a table for each group: time, rate, and how many times as fast we are.
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
    println!("| | | ns | rate | ours is … times as fast |\n| --- | --- | --- | --- | --- |");
    for group in cases.chunk_by_mut(|a, b| a.group == b.group) {
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
        let nanos: Vec<f64> = least.iter().map(|least| least.as_nanos() as f64 / times as f64).collect();
        for (case, each) in group.iter().zip(&nanos) {
            let per = each / case.amount as f64;
            let (time, rate) = match case.unit {
                Unit::Items => (per, format!("{:.1} M/s", 1e3 / per)),
                Unit::Octets => (*each, format!("{:.2} GB/s", 1.0 / per)),
            };
            let ratio = if case.who == OURS { String::new() } else { format!("{:.2}", each / nanos[0]) };
            println!("| {} | {} | {time:.1} | {rate} | {ratio} |", case.group, case.who);
        }
    }
}
