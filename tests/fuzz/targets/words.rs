//! Errors, refusals, tokens and names.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::words::check(bytes));
