//! JSON text to Python objects and back, with no tree in between.
//!
//! Both ways are bounded in depth, and whatever cannot be said in JSON is an
//! error that says where. Text is UTF-8 and not escaped further than JSON asks.

mod decode;
mod encode;

pub use decode::{DecodeError, KeyCache, decode};
pub use encode::{EncodeError, encode};

/// How many containers may stand in one another.
pub const MAX_DEPTH: usize = 127;

#[cfg(test)]
mod tests;
