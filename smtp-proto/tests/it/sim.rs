//! The hostile wire: whatever it does, what a sender is told about a message is true.
//!
//! - told delivered: the server has it, whole, exactly as sent, once, for that recipient;
//! - told refused or not sent: the server does not have it for that recipient;
//! - told unknown: either, but whole;
//! - and nobody hangs or panics.
//!
//! Octets that the wire changes are found by TLS, under which all of this holds. In the clear nothing can find them: then
//! only that nobody hangs or panics.
//!
//! `SMTP_SIM_SEEDS` is the number of seeds (1,000; `just sim` has 10,000); `SMTP_SIM_SEED` replays one. In the clear a seed is always the same
//! story; under TLS keys and signatures are fresh, so that an octet's place may move a little.

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    time::Duration,
};

use smtp_proto::{
    auth::{Credentials, Mechanism},
    command::Command,
    extension::Extension,
    session::{Outcome, Report, StartTls},
    stage::{Protocol, Stage},
};

use crate::{
    messages::TRANSFERS,
    pair::{Act, Ask, Letter, PASSWORD, Pair, Random, Setup, Stored, USER, Weather, config, options, reply},
};

const HOUR: Duration = Duration::from_secs(3600);

/// What became of the messages of all seeds: a simulation in which nothing fails, or nothing succeeds, shows nothing.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    delivered: usize,
    refused: usize,
    not_sent: usize,
    unknown: usize,
}

fn seeds() -> Vec<u64> {
    let number = |name| std::env::var(name).ok().map(|text| text.parse().expect("a number"));
    match number("SMTP_SIM_SEED") {
        Some(seed) => vec![seed],
        None => (0..number("SMTP_SIM_SEEDS").unwrap_or(1000)).collect(),
    }
}

fn each_seed(name: &str, run: impl Fn(u64) -> Tally) {
    let seeds = seeds();
    let mut all = Tally::default();
    for seed in &seeds {
        match catch_unwind(AssertUnwindSafe(|| run(*seed))) {
            Ok(tally) => {
                all.delivered += tally.delivered;
                all.refused += tally.refused;
                all.not_sent += tally.not_sent;
                all.unknown += tally.unknown;
            }
            Err(panic) => {
                eprintln!("{name} fails at seed {seed}: SMTP_SIM_SEED={seed} cargo test {name}");
                resume_unwind(panic);
            }
        }
    }
    println!("{name}, {} seeds: {all:?}", seeds.len());
    if seeds.len() >= 100 {
        let fates = [all.delivered, all.refused, all.not_sent, all.unknown];
        assert!(fates.iter().all(|n| *n > 0), "not every fate was met: {all:?}");
    }
}

fn weather(random: &mut Random, octets: u64, flips: bool) -> Weather {
    let mut weather = Weather::latency(Duration::from_millis(random.below(100)));
    weather.jitter = Duration::from_millis(random.below(200));
    weather.random = Random::new(random.next());
    weather.read = [usize::MAX, 1, 7, 100, 5000][random.below(5) as usize];
    weather.window = [usize::MAX, 100_000, 20_000][random.below(3) as usize];
    if random.one_in(4) {
        weather.stall = Some((random.below(octets), Duration::from_secs(random.below(1200))));
    }
    if random.one_in(6) {
        weather.cut = Some(random.below(octets));
        weather.reset = random.one_in(2);
    }
    if flips && random.one_in(3) {
        weather.flip = Some((random.below(octets), 1 << random.below(8)));
    }
    weather
}

fn letter(random: &mut Random, n: usize, most: u64) -> Letter {
    let len = if random.one_in(5) { random.below(most) } else { random.below(500) };
    let mut data = format!("Subject: message {n}\r\n\r\n").into_bytes();
    let pieces =
        [&b"."[..], b"..", b"\r\n", b"\r\n.\r\n", b"text", b"QUIT\r\n", b"\xc3\xbc", b"MAIL FROM:<>\r\n"];
    while (data.len() as u64) < len {
        data.extend_from_slice(pieces[random.below(8) as usize]);
    }
    data.extend_from_slice(b"\r\n");
    let recipients = if random.one_in(20) { 600 } else { 1 + random.below(5) as usize };
    let transfer = TRANSFERS[random.below(3) as usize];
    let piece = [100_000, 5000, 400][random.below(3) as usize];
    Letter::new(recipients, data).by(transfer).in_pieces(piece)
}

/// A server that refuses here, is slow there, and seldom leaves.
fn script(mut random: Random, calm: bool) -> impl FnMut(Ask<'_>) -> Act {
    move |ask| {
        let opening = matches!(ask.stage, Stage::Greeting | Stage::Hello | Stage::StartTls | Stage::Quit);
        let reply = match random.below(400) {
            _ if calm => None,
            0..8 if !opening => Some(reply(550, "no")),
            8..16 if !opening => Some(reply(451, "later")),
            16 => Some(reply(421, "going")),
            17 => return Act::ShutDown,
            18 if random.one_in(2) => return Act::Hang,
            _ => None,
        };
        match random.below(60) {
            0 => Act::Later(Duration::from_secs(random.below(1200)), reply),
            1..10 => Act::Later(Duration::from_millis(random.below(3000)), reply),
            _ => reply.map_or(Act::Default, Act::Say),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Tls {
    Never,
    #[cfg(feature = "rustls")]
    Always,
}

fn made(random: &mut Random, tls: Tls, flips: bool) -> Pair {
    let mut server = config();
    if random.one_in(3) {
        server.protocol = Protocol::Lmtp;
    }
    if random.one_in(4) {
        server.capabilities = server.capabilities.without(Extension::Pipelining);
    }
    if random.one_in(4) {
        server.capabilities = server.capabilities.without(Extension::Chunking);
    }
    // SCRAM's iterations would be most of the time.
    server = server.with_auth([Mechanism::CramMd5].into_iter().collect());
    if tls != Tls::Never {
        server = server.with_starttls();
    }
    let mut setup = Setup::new(server);
    setup.implicit_tls = tls != Tls::Never && random.one_in(2);
    // TLS needs some thousands before the first command.
    let octets = 1 << (if tls == Tls::Never { 6 } else { 11 } + random.below(10));
    setup.up = weather(random, octets, flips);
    setup.down = weather(random, octets.min(1 << 15), flips);
    let calm = random.one_in(3);
    setup.script(script(Random::new(random.next()), calm)).pair()
}

fn run(seed: u64, tls: Tls, flips: bool) -> (Vec<Letter>, Vec<Report>, Vec<Stored>) {
    let mut random = Random::new(seed);
    let mut pair = made(&mut random, tls, flips);
    let most = if pair.up.weather.read < 100 { 5000 } else { 200_000 };
    let count = 1 + random.below(6) as usize;
    let letters: Vec<Letter> = (0..count).map(|n| letter(&mut random, n, most)).collect();
    let mut options = options();
    if tls != Tls::Never {
        options.starttls = StartTls::Required;
    }
    if random.one_in(4) {
        options = options.with_credentials(Credentials::password(USER, PASSWORD));
    }
    let reports = match pair.open(options) {
        Err(_) => Vec::new(),
        Ok(()) if random.one_in(2) => pair.deliver_all(&letters),
        Ok(()) => letters.iter().map(|letter| pair.deliver(letter)).collect(),
    };
    if !pair.client.is_closed() {
        let _ = pair.call(Command::Quit);
    }
    // Each wait has an end, so all of them have: 10 minutes for each of at most 600 recipients, without PIPELINING.
    assert!(pair.now < 2000 * HOUR, "{:?}", pair.now);
    // What is still on its way arrives, and the server gives up at last.
    pair.up.finish(pair.now);
    pair.idle(24 * HOUR);
    (letters, reports, pair.server.stored)
}

fn check(letters: &[Letter], reports: &[Report], stored: &[Stored]) -> Tally {
    let mut tally = Tally::default();
    for stored in stored {
        let known = letters.iter().filter(|letter| letter.data == stored.data).count();
        assert_eq!(known, 1, "the server has what nobody sent: {} octets", stored.data.len());
    }
    if reports.is_empty() {
        assert!(stored.is_empty(), "nothing was sent");
    }
    for (n, (letter, report)) in letters.iter().zip(reports).enumerate() {
        let kept: Vec<_> = stored.iter().filter(|stored| stored.data == letter.data).collect();
        assert!(kept.len() <= 1, "message {n} was taken over {} times", kept.len());
        for (to, outcome) in letter.envelope.to.iter().zip(report.outcomes()) {
            let has = kept.iter().any(|kept| kept.to.iter().any(|kept| kept == to.path.as_str()));
            match outcome {
                outcome if outcome.is_delivered() => {
                    tally.delivered += 1;
                    assert!(has, "message {n} was lost for {:?}", to.path);
                }
                Outcome::Unknown(_) => tally.unknown += 1,
                Outcome::Replied { .. } => {
                    tally.refused += 1;
                    assert!(!has, "message {n} was refused for {:?}, and taken over: {outcome:?}", to.path);
                }
                _ => {
                    tally.not_sent += 1;
                    assert!(!has, "message {n} was not sent to {:?}, and taken over: {outcome:?}", to.path);
                }
            }
        }
    }
    tally
}

fn honest(seed: u64, tls: Tls, flips: bool) -> Tally {
    let (letters, reports, stored) = run(seed, tls, flips);
    check(&letters, &reports, &stored)
}

#[test]
fn sim_in_the_clear() {
    each_seed("sim_in_the_clear", |seed| honest(seed, Tls::Never, false));
}

#[cfg(feature = "rustls")]
#[test]
fn sim_in_tls() {
    each_seed("sim_in_tls", |seed| honest(seed, Tls::Always, false));
}

/// TLS finds every octet that was changed on its way.
#[cfg(feature = "rustls")]
#[test]
fn sim_corrupted_in_tls() {
    each_seed("sim_corrupted_in_tls", |seed| honest(seed, Tls::Always, true));
}

#[test]
fn sim_corrupted_in_the_clear() {
    for seed in seeds() {
        let ran = catch_unwind(AssertUnwindSafe(|| run(seed, Tls::Never, true)));
        if let Err(panic) = ran {
            eprintln!("replay: SMTP_SIM_SEED={seed} cargo test sim_corrupted_in_the_clear");
            resume_unwind(panic);
        }
    }
}
