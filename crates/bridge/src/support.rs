//! What unit tests have in common.

use ffrpc::NodeRecord;
use protocol::{
    NodeId,
    v1::{NodeState, Role},
};

/// A ready service that offers nothing.
pub(crate) fn record(id: NodeId, name: &str) -> NodeRecord {
    NodeRecord {
        id,
        name: name.parse().unwrap(),
        role: Role::Service,
        state: NodeState::Ready,
        address: String::new(),
        methods: Vec::new(),
        load: 0,
        build: String::new(),
        script: None,
        groups: Vec::new(),
    }
}
