//! The node runtime: what a process needs to be a member of a group.
//!
//! A [`Node`] joins the group, keeps a replica of its directory and a link to
//! each of its brokers, calls other nodes by id, and answers what its
//! [`Services`] offer. It needs no looking after: brokers may come and go, the
//! master may be away, and nobody above the [`channel`] can tell. Only when its
//! lease has run out it says so ([`NodeEvent::Lost`]), ends what was pending and
//! joins again as a new node. Other groups it calls by way of a bridge
//! ([`Node::group`]).
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
//! let services = Services::new().serve("echo", |request| async move { Ok(request.body) });
//! let node = Node::join(config, services);
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
//! - Between two living nodes nothing is lost, repeated or reordered.
//!
//! What it does not do: what was on its way to a node that goes, goes with it.

mod asking;
mod calls;
pub mod channel;
mod config;
mod connect;
mod crossing;
mod dispatch;
mod driver;
mod link;
mod membership;
mod metrics;
mod node;
mod pairs;
mod replica;
mod services;
mod shared;
mod trace;
mod waiter;

pub use calls::{CallId, Calls, Ended};
pub use config::{Credentials, Encryption, NodeConfig, Uplink};
pub use crossing::{Group, Onward, Origin, Responder, Transit};
pub use node::Node;
pub use replica::{Gap, NodeRecord, Replica, ReplicaChange};
pub use services::{Message, NodeEvent, Request, Services};
pub use shared::Membership;

/// The name of every group's master.
pub(crate) fn master() -> protocol::NodeName {
    "master@0".parse().expect("the literal is a name")
}
