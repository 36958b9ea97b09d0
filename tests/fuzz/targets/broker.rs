//! A batch that a node sends to its broker.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::broker::check(bytes));
