//! The interpreter: how it starts, what it finds to import, and how it ends.

pub(crate) mod embedded;
pub(crate) mod interpreter;
pub(crate) mod thread;
pub(crate) mod venv;
