//! The directory as people and programs read it.

use daemon::role_name;
use protocol::{
    NodeId, NodeName,
    v1::{ListNodesResponse, NodeRecord, NodeState, Script},
};
use serde::Serialize;

use crate::table::Table;

/// A group, in the form that programs read.
#[derive(Serialize)]
struct GroupView {
    group: String,
    epoch: u32,
    revision: u64,
    nodes: Vec<NodeView>,
}

/// A node, in the form that people and programs read.
#[derive(Serialize)]
struct NodeView {
    name: String,
    id: String,
    role: &'static str,
    state: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    address: String,
    load: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    script: Option<ScriptView>,
    build: String,
}

#[derive(Serialize)]
struct ScriptView {
    version: u32,
    hash: String,
    /// The commands that it serves to other nodes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    services: Vec<u32>,
}

impl From<Script> for ScriptView {
    fn from(script: Script) -> Self {
        ScriptView {
            version: script.version,
            hash: script.hash,
            services: script.services,
        }
    }
}

/// One object, over several lines.
pub(super) fn to_json(response: ListNodesResponse) -> String {
    let snapshot = response.snapshot.unwrap_or_default();
    let view = GroupView {
        group: response.group,
        epoch: response.epoch,
        revision: snapshot.revision,
        nodes: views(snapshot.nodes),
    };
    let text = serde_json::to_string_pretty(&view).expect("strings and numbers are always JSON");
    text + "\n"
}

/// A line on the group, and a table of its nodes.
pub(super) fn to_table(response: ListNodesResponse) -> String {
    let snapshot = response.snapshot.unwrap_or_default();
    // The address last: it may be long, and few nodes have one.
    let mut table = Table::new([
        "NAME", "ROLE", "STATE", "LOAD", "SCRIPT", "BUILD", "ID", "ADDRESS",
    ]);
    for node in views(snapshot.nodes) {
        table.row([
            node.name,
            node.role.to_owned(),
            node.state.to_owned(),
            node.load.to_string(),
            node.script.map_or_else(String::new, |script| {
                format!("v{} {}", script.version, script.hash)
            }),
            node.build,
            node.id,
            node.address,
        ]);
    }
    let (group, epoch, revision) = (response.group, response.epoch, snapshot.revision);
    format!("group {group}, epoch {epoch}, revision {revision}\n\n{table}")
}

/// The nodes in the order of their names.
fn views(mut nodes: Vec<NodeRecord>) -> Vec<NodeView> {
    nodes.sort_by(|one, other| {
        // Names sort by role and number; one that is none sorts as text.
        let parsed = |node: &NodeRecord| node.name.parse::<NodeName>().ok();
        (parsed(one), &one.name).cmp(&(parsed(other), &other.name))
    });
    nodes.into_iter().map(view).collect()
}

fn view(node: NodeRecord) -> NodeView {
    NodeView {
        id: NodeId::from_u64(node.node_id).to_string(),
        role: role_name(node.role()),
        state: state_name(node.state()),
        address: node.address,
        load: node.load,
        // Version 0: no script has loaded yet.
        script: node
            .script
            .filter(|script| script.version > 0)
            .map(ScriptView::from),
        name: node.name,
        build: node.build,
    }
}

fn state_name(state: NodeState) -> &'static str {
    match state {
        NodeState::Joining => "joining",
        NodeState::Ready => "ready",
        NodeState::Draining => "draining",
        NodeState::Unspecified => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use protocol::v1::{Role, Snapshot};

    use super::*;

    fn directory() -> ListNodesResponse {
        let node = |serial, name: &str, role: Role, script: Option<Script>| NodeRecord {
            node_id: NodeId::new(7, serial).as_u64(),
            name: name.into(),
            role: role.into(),
            state: NodeState::Ready.into(),
            load: u64::from(serial),
            build: "0.1.0".into(),
            script,
            ..NodeRecord::default()
        };
        let script = Script {
            version: 3,
            hash: "a1b2c3d4e5f6".into(),
            services: vec![200],
        };
        ListNodesResponse {
            group: "GroupA".into(),
            epoch: 7,
            snapshot: Some(Snapshot {
                revision: 12,
                nodes: vec![
                    node(3, "scene@0", Role::Scene, Some(script)),
                    node(2, "gate@10", Role::Gate, None),
                    node(1, "gate@9", Role::Gate, None),
                    NodeRecord {
                        state: NodeState::Draining.into(),
                        address: "10.0.0.2:10251".into(),
                        ..node(4, "slave@0", Role::Slave, None)
                    },
                ],
            }),
        }
    }

    #[test]
    fn the_directory_is_an_aligned_table_in_the_order_of_names() {
        assert_eq!(
            to_table(directory()),
            "group GroupA, epoch 7, revision 12\n\
             \n\
             NAME     ROLE   STATE     LOAD  SCRIPT           BUILD  ID   ADDRESS\n\
             gate@9   gate   ready     1     -                0.1.0  7.1  -\n\
             gate@10  gate   ready     2     -                0.1.0  7.2  -\n\
             scene@0  scene  ready     3     v3 a1b2c3d4e5f6  0.1.0  7.3  -\n\
             slave@0  slave  draining  4     -                0.1.0  7.4  10.0.0.2:10251\n"
        );
    }

    #[test]
    fn json_leaves_out_the_script_and_the_address_of_who_has_none() {
        let json: serde_json::Value = serde_json::from_str(&to_json(directory())).unwrap();
        assert_eq!(json["group"], "GroupA");
        assert_eq!(json["nodes"][0]["name"], "gate@9");
        assert!(json["nodes"][0].get("script").is_none());
        assert!(json["nodes"][0].get("address").is_none());
        assert_eq!(json["nodes"][3]["role"], "slave");
        assert_eq!(json["nodes"][3]["address"], "10.0.0.2:10251");
        assert_eq!(json["nodes"][2]["script"]["version"], 3);
        assert_eq!(json["nodes"][2]["script"]["services"][0], 200);
    }
}
