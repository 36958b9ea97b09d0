//! Where the network and the script's thread meet: two queues and a wake-up.
//! Nobody on the network's side ever waits for the interpreter.

mod eventfd;
mod inbox;
mod outbox;

pub use inbox::{Closed, Inbox};
pub use outbox::Outbox;
