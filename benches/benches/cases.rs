//! Every case by criterion, the peers' beside ours in the same run.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

use benches::Unit;

fn cases(c: &mut Criterion) {
    let mut cases = benches::all();
    for cases in cases.chunk_by_mut(|a, b| a.group == b.group) {
        let mut group = c.benchmark_group(cases[0].group);
        for case in cases {
            group.throughput(match case.unit {
                Unit::Octets => Throughput::Bytes(case.amount),
                Unit::Items => Throughput::Elements(case.amount),
            });
            group.bench_function(case.who, |b| b.iter(|| case.run()));
        }
        group.finish();
    }
}

criterion_group!(benches, cases);
criterion_main!(benches);
