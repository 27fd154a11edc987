#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| smtp_fuzz::proxy::proxy(input));
