//! One envelope: `Routing::read` and `Envelope::read`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::envelope::check(bytes));
