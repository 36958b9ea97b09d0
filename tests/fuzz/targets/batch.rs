//! A batch of envelopes, as a node takes it apart.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::batch::check(bytes));
