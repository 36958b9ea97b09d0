//! From the command line to the node that this process is, before any socket
//! opens.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use protocol::{NodeName, tls::TlsError, v1::Role};
use topology::{Changes, Log, TopologyError};

use crate::{Exit, ListenSite};

mod bridge;
mod group;

pub use bridge::{BridgeBoot, boot_bridge};
pub use group::{Boot, boot};

/// What the frame around a daemon asks of what it boots from, which is one group's
/// file ([`Boot`]) or that of bridges ([`BridgeBoot`]).
pub trait Booted {
    /// All that the file says.
    type Plan: Send + Sync + 'static;

    /// What it said when the process was started.
    fn plan(&self) -> Arc<Self::Plan>;

    /// Reads the file again, as the process would if it was started now. What of the
    /// certificates can be changed in a process that runs is changed with it.
    ///
    /// # Errors
    /// [`BootError`]: the process could not be started so, and nothing has changed.
    fn read_again(&self) -> Result<Arc<Self::Plan>, BootError>;

    /// What differs in `new`.
    fn changes(old: &Self::Plan, new: &Self::Plan) -> Changes;

    /// What is logged, and how.
    fn log(plan: &Self::Plan) -> &Log;

    /// What a node has to finish its work when it is told to stop.
    fn drain_grace(plan: &Self::Plan) -> Duration;

    /// The node's name.
    fn name(&self) -> &NodeName;

    /// The group, or the groups, that it is of.
    fn groups(&self) -> String;

    /// Where the node serves its HTTP pages, if it does.
    fn http(&self) -> Option<SocketAddr>;

    /// How many threads the node's runtime has.
    fn workers(&self) -> usize;

    /// Where the file says what this node's `field` is: `tcp` of gate@0 is at
    /// `gates.gate@0.tcp`.
    fn site(&self, field: &str) -> ListenSite;
}

/// The command line and the topology file do not make a node. The operator has
/// to change one of them.
#[derive(Debug, thiserror::Error)]
pub enum BootError {
    /// The file is wrong.
    #[error(transparent)]
    Topology(#[from] TopologyError),
    /// The file declares no node of that name.
    #[error("{file} declares no node {name}; {}", say_own(role, own))]
    UnknownName {
        /// The name asked for.
        name: NodeName,
        /// The file read.
        file: String,
        /// What this program runs.
        role: &'static str,
        /// The nodes of the file that this program could be.
        own: Vec<NodeName>,
    },
    /// The file declares the node for another program.
    #[error(
        "{name} is a {found}, and this program runs a {role}; {}",
        say_own(role, own)
    )]
    WrongRole {
        /// The name asked for.
        name: NodeName,
        /// What it is in the file.
        found: &'static str,
        /// What this program runs.
        role: &'static str,
        /// The nodes of the file that this program could be.
        own: Vec<NodeName>,
    },
    /// The node's certificates are of no use.
    #[error("{name} has no TLS: {source}; see {section} in {file}")]
    Tls {
        /// The node.
        name: NodeName,
        /// The section that says where they are.
        section: String,
        /// The topology.
        file: String,
        /// Which file, and what is wrong with it.
        source: Box<TlsError>,
    },
}

impl BootError {
    /// How a program ends because of it.
    pub fn exit(&self) -> Exit {
        match self {
            BootError::Topology(_) | BootError::Tls { .. } => Exit::Config,
            BootError::UnknownName { .. } | BootError::WrongRole { .. } => Exit::Usage,
        }
    }
}

/// What a role is called in messages and in metrics.
pub const fn role_name(role: Role) -> &'static str {
    match role {
        Role::Master => "master",
        Role::Slave => "slave",
        Role::Gate => "gate",
        Role::Scene => "scene",
        Role::Bridge => "bridge",
        Role::Service | Role::Unspecified => "service",
    }
}

/// "its gates are gate@0, gate@1".
fn say_own(role: &str, own: &[NodeName]) -> String {
    let names = own.iter().map(NodeName::as_str).collect::<Vec<_>>();
    match names.as_slice() {
        [] => format!("the file has no {role}"),
        [name] => format!("the file's {role} is {name}"),
        _ => format!("the file's {role}s are {}", names.join(", ")),
    }
}
