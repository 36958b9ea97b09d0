//! A batch that a broker brings to a node.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::node::check(bytes));
