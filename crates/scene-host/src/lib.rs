//! The daemon that runs sessions in Python which is changed while players are
//! online.
//!
//! ```text
//!  link's reader ──► Inbox ══eventfd══► event loop: dispatch ──► script's functions
//!                                                                   │
//!  Node ◄── perform_actions ◄── Outbox ◄── gathered actions ◄───────┘
//! ```
//!
//! One interpreter, on one thread, which runs an asyncio event loop. The network
//! hands it whatever has arrived as one batch and is handed what the script
//! wants done the same way; its threads never take the interpreter's lock.
//!
//! - [`Scene`] is a scene in its group, [`ScriptHost`] one without: the same but
//!   for the node. [`Event`] and [`Action`] are all that crosses between them.
//! - [`session::scene`] decides, without I/O and without Python, what a session
//!   sees and in which order; [`json`] turns JSON into objects and back.
//! - Functions are called straight from the batch, and coroutines take their first
//!   step there (`steps`): what is not done then goes on as a task of asyncio's.
//! - The host of the scene that verifies clients owns their sessions: `owner` is
//!   the door to [`session::owner`], beside the script and without it.
//! - The Python half, `ffext`, is in `python/` and embedded in the binary. What
//!   a reload replaces and how is said in `python/ffext/merge.py`.
//!
//! Invariants:
//! - A session's enter, frames, and leave or offline are handled one at a time, in
//!   the order in which they arrived, also by `async` functions.
//! - A gate is told once that a session has left, behind everything that the
//!   session's handlers have sent and every frame that they have finished.
//! - Every frame is reported as finished to the gate that sent it, once, whatever
//!   its handler does.
//! - A call of another node is answered once, also while the scene stops. What the
//!   script calls is called in its order, and each call ends once.
//! - A function of the script that fails is logged, counted, and harms nothing
//!   else.
//! - A reload is all or nothing.
//! - What a handler sets in a context variable is seen by what it begins, and by
//!   nothing else.
//!
//! It does not know sockets of clients, nor which gate a client should use; a
//! scene that ends gives its sessions back to their gates, which hold them.

mod action;
mod activity;
mod api;
mod ask;
mod body;
mod context;
mod crossing;
mod database;
mod delivery;
mod dispatch;
mod drain;
mod embedded;
mod error;
mod event;
mod fence;
mod handlers;
mod host;
mod ids;
mod interpreter;
mod jobs;
pub mod json;
mod leaves;
mod lifecycle;
mod meter;
mod node;
mod owner;
mod peers;
mod report;
mod scene;
mod script_handle;
mod script_host;
mod services;
mod snapshot;
mod state;
mod status;
mod steps;
mod thread;
mod turns;
mod venv;
mod verdict;
mod watch;
mod watchdog;

pub use action::{Action, Audience, Call, Finished, Left, Parcel, Wanted};
pub use ask::{AskId, Asked};
pub use crossing::{Closed, Inbox, Outbox};
pub use database::DatabaseAnswer;
pub use error::SceneError;
pub use event::{Answer, Enter, Event, Leave, Request, Stay, Verdict, Verify};
pub use peers::Peers;
pub use scene::{Scene, SceneConfig};
pub use script_handle::ScriptHandle;
pub use script_host::{HostConfig, ScriptHost};
pub use status::{ReloadOutcome, ScriptStatus, SyntaxProblem};
pub use venv::BadVenv;
