//! The script's thread: from an event to the function of the script that takes it, and
//! from what that does to actions. All of it runs on the one thread.

pub(crate) mod ask;
pub(crate) mod caller;
pub(crate) mod context;
pub(crate) mod dispatch;
pub(crate) mod handlers;
pub(crate) mod host;
pub(crate) mod jobs;
pub(crate) mod leaves;
pub(crate) mod lifecycle;
pub(crate) mod services;
mod speaker;
pub(crate) mod steps;
pub(crate) mod turns;
pub(crate) mod verdict;
