//! The routing core of a group: who is in it, and how messages reach them.
//!
//! - [`Directory`]: the members of the group, their leases and the revisions
//!   of what is known of them. A state machine without I/O.
//! - [`Registry`]: the directory in operation: Join streams, reports, deltas.
//!   Only the master runs one.
//! - [`Links`]: the open links and the forwarding between them. It reads the
//!   routing fields of an envelope and copies the rest; what a message means,
//!   and what a session is, it does not know.
//! - [`services`] offers both over gRPC, [`Local`] to nodes of the same process.
//!
//! Invariants: an envelope is forwarded only in the name of the node that sent
//! it; envelopes of one pair stay in order; a slow destination fills its own
//! outbox and nobody else's; a request that cannot be forwarded is answered.

mod directory;
mod forward;
mod links;
mod local;
mod metrics;
mod registry;
mod service;

pub use directory::{Directory, JoinRefusal};
pub use forward::LinkFault;
pub use links::{Links, Outlet};
pub use local::Local;
pub use registry::{Registry, RegistryConfig};
pub use service::{LinkService, RegistryService, services};
