//! What `just counts` counts: each case is a function of its own, called once, that does its work [`TIMES`] times. Callgrind
//! tells the instructions of each; on an idle machine or a busy one they are the same.

use std::hint::black_box;

use benches::{BASIC, EHLO, FULL, REPLIES, base64, dots, receive, stuffed, text};
use bytes::BytesMut;
use peer_smtp_proto::Request;
use peer_smtp_proto::request::receiver::DataReceiver;
use peer_smtp_proto::response::parser::ResponseReceiver;
use smtp_proto::command::{Command, Options};
use smtp_proto::dot::{LineEnds, Stuffer};
use smtp_proto::extension::Capabilities;
use smtp_proto::line;
use smtp_proto::reply::{self, Reply};

/// How often each case does its work.
const TIMES: usize = 100;

fn parse_commands(lines: &[&[u8]]) {
    for _ in 0..TIMES {
        for line in black_box(lines) {
            let found = line::Framing::new().next(line, 4096).unwrap().unwrap();
            black_box(Command::parse(&line[..found.text], Options::default()).unwrap());
        }
    }
}

fn peer_commands(lines: &[&[u8]]) {
    for _ in 0..TIMES {
        for line in black_box(lines) {
            black_box(Request::parse(&mut line.iter()).unwrap());
        }
    }
}

#[inline(never)]
fn commands_basic() {
    parse_commands(BASIC);
}

#[inline(never)]
fn commands_full() {
    parse_commands(FULL);
}

#[inline(never)]
fn peer_commands_basic() {
    peer_commands(BASIC);
}

#[inline(never)]
fn peer_commands_full() {
    peer_commands(FULL);
}

#[inline(never)]
fn replies() {
    for _ in 0..TIMES {
        for line in black_box(REPLIES) {
            let len = reply::Framing::new().next(line, 4096, 65536).unwrap().unwrap();
            let reply = Reply::parse(&line[..len]).unwrap();
            black_box((reply.code(), reply.status()));
        }
    }
}

#[inline(never)]
fn peer_replies() {
    for _ in 0..TIMES {
        for line in black_box(REPLIES) {
            black_box(ResponseReceiver::default().parse(&mut line.iter()).unwrap());
        }
    }
}

#[inline(never)]
fn ehlo() {
    for _ in 0..TIMES {
        let input = black_box(EHLO);
        let len = reply::Framing::new().next(input, 4096, 65536).unwrap().unwrap();
        let reply = Reply::parse(&input[..len]).unwrap();
        black_box(Capabilities::parse(&reply).set());
    }
}

#[inline(never)]
fn peer_ehlo() {
    for _ in 0..TIMES {
        black_box(peer_smtp_proto::EhloResponse::parse(&mut black_box(EHLO).iter()).unwrap());
    }
}

macro_rules! bodies {
    ($($name:ident $out:ident $lent:ident $peer:ident)*) => { $(
        #[inline(never)]
        fn $name(wire: &[u8]) {
            for _ in 0..TIMES {
                black_box(stringify!($name));
                receive(black_box(wire), 16 << 10, |body| body.slices().for_each(|s| { black_box(s); }));
            }
        }
        #[inline(never)]
        fn $peer(wire: &[u8], vec: &mut Vec<u8>) {
            for _ in 0..TIMES {
                vec.clear();
                black_box(stringify!($peer));
                let mut receiver = DataReceiver::new();
                for chunk in black_box(wire).chunks(16 << 10) {
                    black_box(receiver.ingest(&mut chunk.iter(), vec));
                }
            }
        }
        #[inline(never)]
        fn $out(message: &[u8], wire: &mut BytesMut) {
            for _ in 0..TIMES {
                wire.clear();
                black_box(stringify!($out));
                Stuffer::new(LineEnds::Normalise).append(black_box(message), wire).unwrap();
            }
        }
        #[inline(never)]
        fn $lent(message: &[u8]) {
            for _ in 0..TIMES {
                black_box(stringify!($lent));
                Stuffer::new(LineEnds::Normalise).segments(black_box(message)).for_each(|s| {
                    black_box(s);
                });
            }
        }
    )* };
}

bodies! {
    in_text out_text lent_text peer_in_text
    in_base64 out_base64 lent_base64 peer_in_base64
    in_dots out_dots lent_dots peer_in_dots
}

fn main() {
    commands_basic();
    commands_full();
    peer_commands_basic();
    peer_commands_full();
    replies();
    peer_replies();
    ehlo();
    peer_ehlo();
    macro_rules! run {
        ($message:expr, $name:ident $out:ident $lent:ident $peer:ident) => {
            let message = $message;
            let wire = stuffed(&message);
            let mut out = BytesMut::with_capacity(4 * message.len());
            let mut vec = Vec::with_capacity(wire.len());
            $name(&wire);
            $peer(&wire, &mut vec);
            $out(&message, &mut out);
            $lent(&message);
        };
    }
    run!(text(64 << 10), in_text out_text lent_text peer_in_text);
    run!(base64(64 << 10), in_base64 out_base64 lent_base64 peer_in_base64);
    run!(dots(64 << 10), in_dots out_dots lent_dots peer_in_dots);
}
