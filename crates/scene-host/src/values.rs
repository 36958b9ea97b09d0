//! What a script says and hears, as bytes and as objects.

pub(crate) mod body;
pub mod json;
