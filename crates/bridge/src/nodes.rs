//! The directory of one group, for those of another that may read it.

use bytes::Bytes;
use ffrpc::{Node, NodeRecord};
use prost::Message;
use protocol::{
    CallError, ErrorKind, NodeId,
    v1::{self, GroupNodesRequest, ListNodesResponse, Snapshot},
};

use crate::groups::Groups;

/// Answers `bridge.nodes` of a node of the group at `from`.
pub(crate) fn group_nodes(
    groups: &Groups,
    from: usize,
    request: Bytes,
) -> Result<Bytes, CallError> {
    let request = GroupNodesRequest::decode(request).map_err(|error| {
        CallError::new(
            ErrorKind::Handler,
            format!("the request cannot be read: {error}"),
        )
    })?;
    let (bridge, asking) = (&groups.bridge, &groups.members()[from]);
    let Some(to) = groups.other(from, &request.group) else {
        let message = format!("{bridge} joins no other group of that name");
        return Err(CallError::new(ErrorKind::NotFound, message));
    };
    let member = &groups.members()[to];
    let reachable = asking.is_trusted() && member.is_reachable();
    let Some(node) = member.node().filter(|_| reachable) else {
        let message = format!("{bridge} cannot reach {}", member.name);
        return Err(CallError::new(ErrorKind::Unavailable, message));
    };
    if !member.room().shows_directory(from) {
        let message = format!(
            "{} does not show its directory to {}",
            member.name, asking.name
        );
        return Err(CallError::new(ErrorKind::Forbidden, message));
    }
    Ok(directory(node, member.name.to_string())
        .encode_to_vec()
        .into())
}

/// The directory as the bridge's own copy has it.
fn directory(node: &Node, group: String) -> ListNodesResponse {
    let nodes = node.nodes();
    ListNodesResponse {
        group,
        epoch: node.id().map_or(0, NodeId::epoch),
        snapshot: Some(Snapshot {
            revision: node.revision(),
            nodes: nodes.iter().map(|record| wire(record)).collect(),
        }),
    }
}

fn wire(record: &NodeRecord) -> v1::NodeRecord {
    v1::NodeRecord {
        node_id: record.id.as_u64(),
        name: record.name.to_string(),
        role: record.role.into(),
        state: record.state.into(),
        address: record.address.clone(),
        methods: record.methods.clone(),
        load: record.load,
        build: record.build.clone(),
        script: record.script.clone(),
        groups: record.groups.clone(),
    }
}
