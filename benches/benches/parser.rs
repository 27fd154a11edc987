//! Commands, replies and EHLO responses, beside Stalwart's parser.

use std::hint::black_box;

use benches::{BASIC, EHLO, FULL, REPLIES};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use peer_smtp_proto::Request;
use peer_smtp_proto::response::parser::ResponseReceiver;
use smtp_proto::command::{Command, Options};
use smtp_proto::extension::Capabilities;
use smtp_proto::line;
use smtp_proto::reply::{self, Reply};

fn commands(c: &mut Criterion) {
    for (name, lines) in [("commands/basic", BASIC), ("commands/full", FULL)] {
        let mut group = c.benchmark_group(name);
        group.throughput(Throughput::Elements(lines.len() as u64));
        // Framing is in it on both sides: the peer's parser finds the end of the line as it goes.
        group.bench_function("smtp-proto (this)", |b| {
            b.iter(|| {
                for line in lines {
                    let found = line::Framing::new().next(black_box(line), 4096).unwrap().unwrap();
                    black_box(Command::parse(&line[..found.text], Options::default()).unwrap());
                }
            });
        });
        group.bench_function("smtp-proto 0.2.5 (Stalwart)", |b| {
            b.iter(|| {
                for line in lines {
                    black_box(Request::parse(&mut black_box(*line).iter()).unwrap());
                }
            });
        });
        group.finish();
    }
}

fn replies(c: &mut Criterion) {
    let mut group = c.benchmark_group("replies");
    group.throughput(Throughput::Elements(REPLIES.len() as u64));
    group.bench_function("smtp-proto (this)", |b| {
        b.iter(|| {
            for line in REPLIES {
                let len = reply::Framing::new().next(black_box(line), 4096, 65536).unwrap().unwrap();
                let reply = Reply::parse(&line[..len]).unwrap();
                black_box((reply.code(), reply.status()));
            }
        });
    });
    group.bench_function("smtp-proto 0.2.5 (Stalwart)", |b| {
        b.iter(|| {
            for line in REPLIES {
                black_box(ResponseReceiver::default().parse(&mut black_box(*line).iter()).unwrap());
            }
        });
    });
    group.finish();

    let mut group = c.benchmark_group("ehlo");
    group.throughput(Throughput::Elements(1));
    group.bench_function("smtp-proto (this)", |b| {
        b.iter(|| {
            let len = reply::Framing::new().next(black_box(EHLO), 4096, 65536).unwrap().unwrap();
            let reply = Reply::parse(&EHLO[..len]).unwrap();
            black_box(Capabilities::parse(&reply).set());
        });
    });
    group.bench_function("smtp-proto 0.2.5 (Stalwart)", |b| {
        b.iter(|| black_box(peer_smtp_proto::EhloResponse::parse(&mut black_box(EHLO).iter()).unwrap()));
    });
    group.finish();
}

criterion_group!(benches, commands, replies);
criterion_main!(benches);
