//! The frames of external clients, at every split.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::client_frames::check(bytes));
