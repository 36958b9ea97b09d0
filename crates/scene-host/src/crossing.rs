//! Where the network and the script's thread meet: two queues and a wake-up.
//! Nobody on the network's side ever waits for the interpreter.

pub(crate) mod action;
pub(crate) mod event;
mod eventfd;
mod inbox;
mod outbox;

pub use inbox::{Closed, Inbox};
pub use outbox::Outbox;
