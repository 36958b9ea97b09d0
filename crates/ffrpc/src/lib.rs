//! The node runtime: what a process needs to be a member of a group.
//!
//! A [`Node`] joins the group, keeps a replica of its directory and one link to
//! its broker, calls other nodes by id, and answers what its [`Services`] offer.
//! It needs no looking after: when it loses the group it says so
//! ([`NodeEvent::Lost`]), ends what was pending and joins again as a new node.
//!
//! ```no_run
//! # use ffrpc::{Node, NodeConfig, Services, Uplink};
//! # use protocol::{Secret, v1::Role};
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let config = NodeConfig {
//!     name: "echo@0".parse()?,
//!     role: Role::Service,
//!     uplink: Uplink::Remote("127.0.0.1:10241".parse()?),
//!     ..NodeConfig::default()
//! };
//! let services = Services::new().request("echo", |request| async move { Ok(request.body) });
//! let node = Node::spawn(config, services);
//! node.ready().await;
//! # Ok(())
//! # }
//! ```
//!
//! Invariants:
//! - A call ends exactly once: with its response, the handler's error, or one of
//!   the kinds of [`ErrorKind`](protocol::ErrorKind). Never in silence.
//! - Messages of one source are handled in the order in which it sent them, and
//!   none of them after [`NodeEvent::Removed`] has said that the source is gone.
//! - Everything that is queued is bounded; see [`NodeConfig`].
//!
//! What it does not do: it does not resend. A node that loses its link loses
//! what was under way on it, and is a new node when it is back.

mod calls;
mod config;
mod dispatch;
mod link;
mod membership;
mod node;
mod replica;
mod services;

pub use calls::{CallId, Calls};
pub use config::{NodeConfig, Uplink};
pub use node::Node;
pub use replica::{Gap, NodeRecord, Replica, ReplicaChange};
pub use services::{Message, NodeEvent, Request, Services};
