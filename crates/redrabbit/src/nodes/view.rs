//! The directory as people and programs read it.

use std::cmp::Ordering;

use daemon::role_name;
use protocol::{
    NodeId, NodeName,
    v1::{ListNodesResponse, NodeRecord, NodeState, Script},
};
use serde::Serialize;

use super::links::{self, OtherGroup};
use crate::{names::printable, table::Table};

/// A group, in the form that programs read.
#[derive(Serialize)]
struct GroupView {
    group: String,
    epoch: u32,
    revision: u64,
    /// The bridge that was asked, where it was not the master.
    #[serde(skip_serializing_if = "Option::is_none")]
    bridge: Option<String>,
    nodes: Vec<NodeView>,
    /// Which its bridges join.
    other_groups: Vec<OtherGroup>,
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
            hash: printable(&script.hash),
            services: script.services,
        }
    }
}

/// One object, over several lines. `bridge`: who has shown it, if not its master.
pub(super) fn to_json(response: ListNodesResponse, bridge: Option<&NodeName>) -> String {
    let snapshot = response.snapshot.unwrap_or_default();
    let view = GroupView {
        group: response.group,
        epoch: response.epoch,
        revision: snapshot.revision,
        bridge: bridge.map(NodeName::to_string),
        other_groups: OtherGroup::all(&snapshot.nodes),
        nodes: views(snapshot.nodes),
    };
    let text = serde_json::to_string_pretty(&view).expect("strings and numbers are always JSON");
    text + "\n"
}

/// A line on the group, a table of its nodes, and one of the groups beside it.
/// `bridge`: who has shown it, if not its master.
pub(super) fn to_table(response: ListNodesResponse, bridge: Option<&NodeName>) -> String {
    let snapshot = response.snapshot.unwrap_or_default();
    let others = links::to_table(&OtherGroup::all(&snapshot.nodes));
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
    let (group, epoch, revision) = (
        printable(&response.group),
        response.epoch,
        snapshot.revision,
    );
    let shown = bridge.map_or_else(String::new, |bridge| format!(", as {bridge} knows it"));
    format!("group {group}, epoch {epoch}, revision {revision}{shown}\n\n{table}{others}")
}

/// The nodes in the order of their names.
fn views(mut nodes: Vec<NodeRecord>) -> Vec<NodeView> {
    nodes.sort_by(by_name);
    nodes.into_iter().map(view).collect()
}

/// Names sort by role and number; one that is none sorts as text.
pub(super) fn by_name(one: &NodeRecord, other: &NodeRecord) -> Ordering {
    let parsed = |node: &NodeRecord| node.name.parse::<NodeName>().ok();
    (parsed(one), &one.name).cmp(&(parsed(other), &other.name))
}

fn view(node: NodeRecord) -> NodeView {
    NodeView {
        id: NodeId::from_u64(node.node_id).to_string(),
        role: role_name(node.role()),
        state: state_name(node.state()),
        address: printable(&node.address),
        load: node.load,
        // Version 0: no script has loaded yet.
        script: node
            .script
            .filter(|script| script.version > 0)
            .map(ScriptView::from),
        name: printable(&node.name),
        build: printable(&node.build),
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
    use protocol::v1::{GroupLink, Role, Snapshot};

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
            to_table(directory(), None),
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
        let json: serde_json::Value = serde_json::from_str(&to_json(directory(), None)).unwrap();
        assert_eq!(json["group"], "GroupA");
        assert_eq!(json["nodes"][0]["name"], "gate@9");
        assert!(json["nodes"][0].get("script").is_none());
        assert!(json["nodes"][0].get("address").is_none());
        assert_eq!(json["nodes"][3]["role"], "slave");
        assert_eq!(json["nodes"][3]["address"], "10.0.0.2:10251");
        assert_eq!(json["nodes"][2]["script"]["version"], 3);
        assert_eq!(json["nodes"][2]["script"]["services"][0], 200);
    }

    #[test]
    fn groups_that_bridges_join_are_shown_below_and_by_whom_it_is_known() {
        let mut directory = directory();
        let nodes = &mut directory.snapshot.as_mut().unwrap().nodes;
        nodes.truncate(1);
        nodes.push(NodeRecord {
            name: "bridge@0".into(),
            role: Role::Bridge.into(),
            build: "\u{1b}[2J0.1.0".into(),
            groups: vec![GroupLink {
                name: "GroupB".into(),
                identity: 0xb,
                reachable: true,
            }],
            ..NodeRecord::default()
        });
        let name = "bridge@3".parse().unwrap();
        assert_eq!(
            to_table(directory.clone(), Some(&name)),
            "group GroupA, epoch 7, revision 12, as bridge@3 knows it\n\
             \n\
             NAME      ROLE    STATE    LOAD  SCRIPT           BUILD     ID   ADDRESS\n\
             bridge@0  bridge  unknown  0     -                [2J0.1.0  0.0  -\n\
             scene@0   scene   ready    3     v3 a1b2c3d4e5f6  0.1.0     7.3  -\n\
             \n\
             OTHER GROUP  BRIDGE    REACHED  IDENTITY\n\
             GroupB       bridge@0  yes      000000000000000b\n"
        );
        let json: serde_json::Value =
            serde_json::from_str(&to_json(directory, Some(&name))).unwrap();
        assert_eq!(json["bridge"], "bridge@3");
        let group = &json["other_groups"][0];
        assert_eq!(group["name"], "GroupB");
        assert_eq!(group["claimed_twice"], false);
        assert_eq!(group["bridges"][0]["identity"], "000000000000000b");
        assert_eq!(group["bridges"][0]["reachable"], true);
    }
}
