//! Does every case once to warm up and then [`TIMES`] times in [`counted`], which is what callgrind is told to count: see `counts`
//! beside the manifest. The name of each goes to standard output, in order.

use benches::{Case, Unit};

/// How often each case does its work: what differs from call to call, as growing a buffer, weighs little then.
const TIMES: usize = 10;

#[inline(never)]
fn counted(case: &mut Case) {
    for _ in 0..TIMES {
        case.run();
    }
}

fn main() {
    for mut case in benches::all() {
        // Under callgrind the large ones take long and tell nothing more.
        if case.unit == Unit::Octets && case.amount > 1 << 20 {
            continue;
        }
        case.run();
        counted(&mut case);
        let unit = if case.unit == Unit::Octets { 1024 } else { 1 };
        println!("{}\t{}\t{}", case.group, case.who, case.amount as f64 * TIMES as f64 / unit as f64);
    }
}
