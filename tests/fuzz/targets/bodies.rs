//! What stands in the bodies of frames between clients and gates.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::bodies::check(bytes));
