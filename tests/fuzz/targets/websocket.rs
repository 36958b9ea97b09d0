//! What external clients send over WebSocket, in parts of many sizes.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::websocket::check(bytes));
