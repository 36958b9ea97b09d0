//! What others see of the script: what it does, for how long, and what went wrong.

pub(crate) mod activity;
pub(crate) mod masked;
pub(crate) mod meter;
pub(crate) mod report;
pub(crate) mod watchdog;
