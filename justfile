# Everything that CI does, and what is too long for it. `just` lists the recipes; `.ci/run` calls them on a new machine.

set shell := ["bash", "-euo", "pipefail", "-c"]

# Where the SMTP software that the interop tests talk to is installed.
peers := env("SMTP_INTEROP", justfile_directory() / "interop/run")
# How long `fuzz` works on each target, in seconds.
fuzz_time := env("FUZZ_TIME", "3600")

# List the recipes
default:
    @just --list

# What a change must pass, short of interop and fuzzing
check: fmt typos lint docs no-std sans-io test

# Formatting, of the packages outside of the workspace too
fmt:
    cargo fmt --all --check
    for package in {fuzz,benches,benches/e2e,smtp-proto/examples/native-tls}; do \
        [ ! -e $package ] || cargo fmt --manifest-path $package/Cargo.toml --check; \
    done

# Spelling
typos:
    typos

# Clippy over all targets: with everything on, then as the core is built most often
lint:
    cargo clippy --workspace --all-targets --all-features -- -D warnings
    cargo clippy -p smtp-proto --lib --no-default-features -- -D warnings
    cargo clippy -p smtp-proto --lib --no-default-features --features scram -- -D warnings
    cargo clippy -p smtp-proto --all-targets -- -D warnings
    cargo clippy -p smtp-proto --all-targets --features rustls -- -D warnings

# The documentation, with no broken link in it
docs:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --all-features --no-deps --locked

# Each adapter is its sockets, its clock, its listener and its public names, and stays under 300 lines of code
adapters:
    for crate in smtp-tokio smtp-asyncstd smtp-blocking; do \
        awk -v crate=$crate 'FNR == 1 { test = 0 } /^#\[cfg\(test\)\]/ { test = 1 } test || /^[ \t]*($|\/\/)/ { next } \
            { lines++ } END { print crate, lines; exit lines >= 300 }' $crate/src/*.rs; \
    done

# All tests that need nothing but cargo
test:
    cargo test --workspace
    # Not in the same build, as it makes connections larger than SECURITY.md says.
    cargo test -p smtp-driver --features tracing --test it traced

# The examples: each prints what its head says
examples:
    .ci/examples

# The simulated network with ten thousand seeds for each of its weathers, where `test` has a thousand
sim seeds="10000":
    SMTP_SIM_SEEDS={{ seeds }} cargo test --release -p smtp-proto --features rustls --test it sim:: -- --nocapture

# The core without std: it builds, and none of what it is built on has its own `std` on
no-std:
    cargo build -p smtp-proto --no-default-features
    features=$(cargo tree -p smtp-proto --no-default-features --edges normal,features --prefix none); \
    ! grep -F 'feature "std"' <<<"$features"

# The core can name no socket, clock or thread: each path that its clippy.toml forbids is put into it and must be found
sans-io:
    .ci/sans-io

# Licences, doubled crates and sources of everything that is built on
deny:
    cargo deny check licenses bans sources

# Real SMTP software, both ways; what is missing of it is installed first, which takes root
interop:
    interop/install.sh {{ quote(peers) }}
    just interop-test

# The same, with the software in place. The word for word `cargo test --workspace -- --ignored`.
interop-test:
    SMTP_INTEROP={{ quote(peers) }} cargo test --workspace -- --ignored

# The same, and writes the matrix into interop/README.md
interop-matrix:
    interop/install.sh {{ quote(peers) }}
    SMTP_INTEROP_MATRIX=1 SMTP_INTEROP={{ quote(peers) }} cargo test -p smtp-cli --test interop -- --ignored

# What the servers say, word for word, into smtp-proto/tests/transcripts
interop-transcripts:
    interop/install.sh {{ quote(peers) }}
    SMTP_INTEROP_TRANSCRIPTS=1 SMTP_INTEROP={{ quote(peers) }} cargo test -p smtp-cli --test interop -- --ignored transcript

# Every fuzz target for 20 seconds
fuzz-smoke: (fuzz-each "20")

# Every fuzz target for FUZZ_TIME seconds, an hour if that is not set
fuzz: (fuzz-each fuzz_time)

# libFuzzer needs flags that a stable compiler keeps to itself, hence RUSTC_BOOTSTRAP. What a run finds goes to target/, so that the
# committed corpus, which it starts from, and from what the transcripts hold, changes only by hand. No sanitizer: there is no `unsafe` for
# one to watch. Two targets run at a time, each with a log of its own, of which the end is shown, or all of it if it found something.
[private]
fuzz-each seconds:
    SMTP_FUZZ_SEEDS=$PWD/target/fuzz-seeds cargo test --quiet -p smtp-proto --test it transcripts_are_replayed_as_inputs
    RUSTC_BOOTSTRAP=1 cargo fuzz build -s none
    targets=$(cargo fuzz list); \
    [ -n "$targets" ]; \
    xargs -n 1 -P 2 just fuzz-one {{ seconds }} <<<"$targets"

[private]
fuzz-one seconds target:
    @found=$PWD/target/fuzz/{{ target }} seeds=$PWD/fuzz/corpus/{{ target }} transcripts=$PWD/target/fuzz-seeds/{{ target }}; \
    mkdir -p "$found" "$seeds" "$transcripts"; \
    if RUSTC_BOOTSTRAP=1 cargo fuzz run -s none {{ target }} "$found" "$seeds" "$transcripts" -- -dict="$PWD/fuzz/smtp.dict" \
        -max_total_time={{ seconds }} -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 >"$found.log" 2>&1; then \
        printf 'fuzz {{ target }}: %s\n' "$(grep -m 1 number_of_executed_units "$found.log")"; \
    else \
        cat "$found.log"; exit 1; \
    fi

# Lines that the tests reach: needs cargo-llvm-cov and llvm-19 (14 does not read what rustc 1.95 writes)
coverage *args="--workspace --html":
    CARGO_LLVM_COV_SETUP=no \
    LLVM_COV=${LLVM_COV:-$(ls /usr/bin/llvm-cov-* /usr/bin/llvm-cov 2>/dev/null | sort -V | tail -n 1)} \
    LLVM_PROFDATA=${LLVM_PROFDATA:-$(ls /usr/bin/llvm-profdata-* /usr/bin/llvm-profdata 2>/dev/null | sort -V | tail -n 1)} \
    cargo llvm-cov --all-features {{ args }}

# Changes the core in small ways and shows the changes that no test sees: needs cargo-mutants, and hours
mutants *args:
    cargo mutants -p smtp-proto --all-features {{ args }}

# Every set of features of every crate: needs cargo-hack
powerset:
    cargo hack check --workspace --feature-powerset --no-dev-deps

# The benchmarks
bench *args:
    cargo bench --manifest-path benches/Cargo.toml {{ args }}

# Clients and servers from end to end beside their peers: `just bench-e2e --quick servers`. Needs what `interop` installs, and strace
bench-e2e *args:
    cargo build --release --manifest-path benches/e2e/Cargo.toml
    SMTP_INTEROP={{ quote(peers) }} benches/e2e/target/release/e2e {{ args }}

# The benchmarks' cases beside the peers', the least of many times of each, as BENCHMARKS.md's tables: needs no quiet machine
ratios *group:
    cargo run --release --manifest-path benches/Cargo.toml --bin ratios -- {{ group }}

# Instructions of the benchmarks' cases, held against benches/baseline.tsv: needs valgrind
counts mode="--check":
    benches/counts {{ mode }}

# The public names of a crate: needs cargo-public-api. Rustdoc's JSON is for nightly compilers only, hence RUSTC_BOOTSTRAP.
public-api crate="smtp-proto":
    RUSTC_BOOTSTRAP=1 cargo rustdoc --quiet --lib -p {{ crate }} --all-features -- -Z unstable-options --output-format json
    cargo public-api --rustdoc-json target/doc/{{ replace(crate, "-", "_") }}.json

# What the sources of our peers name: README.md's table
compare:
    .ci/compare

# README.md as somebody walks it who has nothing else
walk:
    .ci/walk

# The crates as they would be published, each built from its package alone
package:
    .ci/package
