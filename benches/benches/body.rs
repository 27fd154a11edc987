//! Bodies, both directions, beside memcpy and Stalwart's receiver.

use std::hint::black_box;

use benches::{base64, dots, receive, stuffed, text};
use bytes::BytesMut;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use peer_smtp_proto::request::receiver::DataReceiver;
use smtp_proto::dot::{LineEnds, Stuffer};

fn messages() -> [(&'static str, Vec<u8>); 3] {
    [("text 64 KiB", text(64 << 10)), ("base64 10 MiB", base64(10 << 20)), ("dots 64 KiB", dots(64 << 10))]
}

fn body_in(c: &mut Criterion) {
    for (name, message) in messages() {
        let wire = stuffed(&message);
        let mut group = c.benchmark_group(format!("body in/{name}"));
        group.throughput(Throughput::Bytes(wire.len() as u64));
        for chunk in [16 << 10, 1448] {
            group.bench_function(format!("smtp-proto (this), slices lent, chunks of {chunk}"), |b| {
                b.iter(|| {
                    receive(black_box(&wire), chunk, |body| {
                        body.slices().for_each(|s| {
                            black_box(s);
                        })
                    })
                });
            });
            group.bench_function(format!("smtp-proto (this), into a Vec, chunks of {chunk}"), |b| {
                let mut vec = Vec::with_capacity(wire.len());
                b.iter(|| {
                    vec.clear();
                    receive(black_box(&wire), chunk, |body| body.append_to(&mut vec));
                });
            });
            group.bench_function(
                format!("smtp-proto 0.2.5 (Stalwart), into a Vec, chunks of {chunk}"),
                |b| {
                    let mut vec = Vec::with_capacity(wire.len());
                    b.iter(|| {
                        vec.clear();
                        let mut receiver = DataReceiver::new();
                        for chunk in black_box(&wire[..]).chunks(chunk) {
                            black_box(receiver.ingest(&mut chunk.iter(), &mut vec));
                        }
                    });
                },
            );
        }
        group.bench_function("memcpy", |b| {
            let mut vec = Vec::with_capacity(wire.len());
            b.iter(|| {
                vec.clear();
                vec.extend_from_slice(black_box(&wire));
                black_box(&vec);
            });
        });
        group.finish();
    }
}

fn body_out(c: &mut Criterion) {
    for (name, message) in messages() {
        let mut group = c.benchmark_group(format!("body out/{name}"));
        group.throughput(Throughput::Bytes(message.len() as u64));
        group.bench_function("smtp-proto (this), appended", |b| {
            let mut wire = BytesMut::with_capacity(message.len() * 2);
            b.iter(|| {
                wire.clear();
                Stuffer::new(LineEnds::Normalise).append(black_box(&message), &mut wire).unwrap();
            });
        });
        group.bench_function("smtp-proto (this), slices lent", |b| {
            b.iter(|| {
                Stuffer::new(LineEnds::Normalise).segments(black_box(&message)).for_each(|s| {
                    black_box(s);
                });
            });
        });
        group.finish();
    }
}

criterion_group!(benches, body_in, body_out);
criterion_main!(benches);
