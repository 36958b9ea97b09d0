//! The question to a bridge: who is in another group.

use std::{collections::BTreeSet, time::Duration};

use protocol::{
    ErrorKind, GroupName, NodeId, NodeName, Secret,
    method::BRIDGE_NODES,
    v1::{GroupNodesRequest, ListNodesResponse, Role},
};
use topology::Topology;

use super::NodesError;
use crate::{names::printable, operator::Operator};

/// How long a bridge may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Joins the group of `topology`, and asks one of its bridges for the directory of
/// `group`. Says who has answered.
pub(super) async fn list(
    topology: &Topology,
    secret: Secret,
    group: &GroupName,
) -> Result<(ListNodesResponse, NodeName), NodesError> {
    let operator = Operator::join(topology, secret, PATIENCE).await?;
    let asked = tokio::select! {
        asked = ask(&operator, &topology.group, group) => asked,
        _ = tokio::signal::ctrl_c() => Err(NodesError::Interrupted),
    };
    operator.leave().await;
    asked
}

async fn ask(
    operator: &Operator,
    own: &GroupName,
    group: &GroupName,
) -> Result<(ListNodesResponse, NodeName), NodesError> {
    let node = operator.node();
    let bridge = node.group(group.clone()).bridge();
    let bridge = bridge.map_err(|error| match error.kind {
        ErrorKind::NotFound => NodesError::NoBridge {
            own: own.clone(),
            group: group.clone(),
            joined: joined(operator),
        },
        _ => NodesError::NoWay {
            group: group.clone(),
            message: error.message,
        },
    })?;
    let name = name_of(operator, bridge);
    let request = GroupNodesRequest {
        group: group.to_string(),
    };
    let answer = node.call_message(bridge, BRIDGE_NODES, &request).await;
    let response = answer.map_err(|source| match source.kind {
        ErrorKind::Forbidden => NodesError::NotShown {
            own: own.clone(),
            group: group.clone(),
        },
        _ => NodesError::NotGiven {
            bridge: name.clone(),
            group: group.clone(),
            source,
        },
    })?;
    Ok((response, name))
}

/// What bridges of the group join.
fn joined(operator: &Operator) -> Vec<String> {
    let node = operator.node();
    let bridges = node.with_role(Role::Bridge);
    let records = bridges.into_iter().filter_map(|id| node.record(id));
    let names: BTreeSet<String> = records
        .flat_map(|record| record.groups.clone())
        .map(|link| printable(&link.name))
        .collect();
    names.into_iter().collect()
}

/// The bridge was in the directory a moment ago.
fn name_of(operator: &Operator, bridge: NodeId) -> NodeName {
    let record = operator.node().record(bridge);
    record.map_or_else(
        || "bridge@0".parse().expect("the literal is a name"),
        |record| record.name.clone(),
    )
}
