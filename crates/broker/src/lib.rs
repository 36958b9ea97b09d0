//! The routing core of a group: who is in it, and how messages reach them.
//!
//! - [`Directory`]: the members of the group, their leases and the revisions
//!   of what is known of them. A state machine without I/O.
//! - [`Registry`]: the directory in operation: Join streams, reports, deltas, and
//!   for bridges what other groups may call and how much everybody carries. Only
//!   the master runs one.
//! - [`Links`]: the open links and the forwarding between them. It reads the
//!   routing fields of an envelope and copies the rest; what a message means,
//!   and what a session is, it does not know.
//! - [`services`] offers both over gRPC, [`link_services`] the links alone, and
//!   [`Local`] both to nodes of the same process.
//!
//! Invariants: an envelope is forwarded only in the name of the node that sent
//! it, and only while the directory has that node; envelopes of one pair stay in
//! order; a slow destination fills its own outbox and nobody else's; what has a
//! number and cannot be forwarded is refused, so that its source sends it again;
//! a request without one is answered.

mod audience;
mod directory;
mod forward;
mod links;
mod local;
mod metrics;
mod observation;
mod registry;
mod secrets;
mod server;
mod service;
mod subscriber;
mod vitals;
mod watch;

pub use directory::{Claim, Directory, JoinRefusal, Joined, LoadMark};
pub use forward::LinkFault;
pub use links::{Links, Outlet, StreamLink};
pub use local::Local;
pub use observation::{Lost, Observation, Observed};
pub use registry::{Registry, RegistryConfig};
pub use server::serve;
pub use service::{LinkService, RegistryService, link_services, services};
