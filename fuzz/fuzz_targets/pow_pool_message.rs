#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::run("pow_pool_message", bytes));
