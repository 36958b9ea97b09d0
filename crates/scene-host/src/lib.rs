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
//! [`Scene`] is a scene in its group, [`ScriptHost`] one without: the same but for
//! the node. The rooms:
//!
//! - `crossing`: the two queues, and [`Event`] and [`Action`], which are all that
//!   crosses between network and script.
//! - `network`: the node; messages of gates and other nodes become events. The host
//!   of the scene that verifies clients owns their sessions: `owner` is the door to
//!   [`session::owner`], beside the script and without it.
//! - `script`: the script's thread. [`session::scene`] decides, without I/O and
//!   without Python, what a session sees and in which order; functions are called
//!   straight from the batch, and coroutines take their first step there (`steps`):
//!   what is not done then goes on as a task of asyncio's. What a script asks for and
//!   waits for is an `ask`.
//! - `api`: the functions that scripts call. `values`: what they say, as bytes and as
//!   objects. `database`: their statements. `state`: what outlives the process.
//! - `python`: the interpreter, from its start to its end. The Python half of `ffext`
//!   is in `python/` beside `src/`, and embedded in the binary; what a reload replaces
//!   and how is said in its `merge.py`.
//! - `observe`: what runs, for how long, what failed, what blocks.
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

mod api;
mod crossing;
mod database;
mod error;
mod network;
mod observe;
mod python;
mod scene;
mod script;
mod script_handle;
mod script_host;
mod state;
mod status;
mod times;
mod values;
mod watch;

pub use crossing::{
    Closed, Inbox, Outbox,
    action::{Action, Audience, Call, Callee, Finished, Left, Parcel, Wanted},
    event::{Answer, Enter, Event, Leave, Request, Stay, Verdict, Verify},
};
pub use database::DatabaseAnswer;
pub use error::SceneError;
pub use network::peers::Peers;
pub use python::venv::BadVenv;
pub use scene::{Scene, SceneConfig};
pub use script::ask::{AskId, Asked};
pub use script_handle::ScriptHandle;
pub use script_host::{HostConfig, ScriptHost};
pub use status::{ReloadOutcome, ScriptStatus, SyntaxProblem};
pub use values::json;
