#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::run("chord_freenet", bytes));
