//! What is said of a file to programs.

use std::{collections::BTreeMap, net::SocketAddr, path::Path};

use protocol::NodeName;
use serde::Serialize;
use topology::{BridgePlan, Plan, Topology};

use super::{bridges, group};

/// A file that is good.
#[derive(Serialize)]
struct FileView<'a> {
    file: String,
    kind: &'static str,
    group: Option<&'a str>,
    nodes: Vec<NodeView<'a>>,
    joins: Vec<JoinView<'a>>,
    notes: Vec<String>,
}

#[derive(Serialize)]
struct NodeView<'a> {
    name: &'a str,
    role: &'a str,
    machine: &'a str,
    here: bool,
    addresses: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    script: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    script_is_here: Option<bool>,
}

#[derive(Serialize)]
struct JoinView<'a> {
    name: &'a str,
    master: String,
}

/// One object, over several lines, for someone on `machine`.
pub(super) fn to_json(file: &Path, plan: &Plan, machine: &str) -> String {
    let file = file.display().to_string();
    let view = match plan {
        Plan::Group(topology) => FileView {
            file,
            kind: "group",
            group: Some(topology.group.as_str()),
            nodes: nodes(topology, machine),
            joins: Vec::new(),
            notes: group::notes(topology, machine),
        },
        Plan::Bridges(plan) => FileView {
            file,
            kind: "bridges",
            group: None,
            nodes: of_bridges(plan, machine),
            joins: joins(plan),
            notes: bridges::notes(plan, machine),
        },
    };
    // Texts and nothing else: that cannot fail.
    serde_json::to_string_pretty(&view).unwrap_or_default() + "\n"
}

fn nodes<'a>(topology: &'a Topology, machine: &str) -> Vec<NodeView<'a>> {
    let here = topology.roles_on(machine);
    let view = |name: &'a NodeName, place: &'a str, addresses: &[_]| NodeView {
        name: name.as_str(),
        role: name.role(),
        machine: place,
        here: here.contains(name),
        addresses: given(addresses),
        script: None,
        script_is_here: None,
    };
    let master = &topology.master;
    let mut nodes = vec![view(
        &master.name,
        &master.machine,
        &[("listen", Some(master.listen)), ("http", master.http)],
    )];
    for (name, slave) in &topology.slaves {
        let addresses = [("listen", Some(slave.listen)), ("http", slave.http)];
        let mut node = view(name, &slave.machine, &addresses);
        let advertised = slave.advertise.clone();
        node.addresses
            .extend(advertised.map(|address| ("advertise", address)));
        nodes.push(node);
    }
    for (name, scene) in &topology.scenes {
        nodes.push(NodeView {
            script: Some(scene.script.display().to_string()),
            script_is_here: Some(scene.script.is_file()),
            ..view(name, &scene.machine, &[("http", scene.http)])
        });
    }
    for (name, gate) in &topology.gates {
        let addresses = [
            ("tcp", gate.tcp),
            ("websocket", gate.websocket),
            ("http", gate.http),
        ];
        nodes.push(view(name, &gate.machine, &addresses));
    }
    nodes
}

fn of_bridges<'a>(plan: &'a BridgePlan, machine: &str) -> Vec<NodeView<'a>> {
    let here = plan.bridges_on(machine);
    let nodes = plan.bridges.iter().map(|(name, bridge)| NodeView {
        name: name.as_str(),
        role: name.role(),
        machine: &bridge.machine,
        here: here.contains(name),
        addresses: given(&[("http", bridge.http)]),
        script: None,
        script_is_here: None,
    });
    nodes.collect()
}

fn joins(plan: &BridgePlan) -> Vec<JoinView<'_>> {
    let joins = plan.groups.iter().map(|(name, joined)| JoinView {
        name: name.as_str(),
        master: joined.master.to_string(),
    });
    joins.collect()
}

fn given(addresses: &[(&'static str, Option<SocketAddr>)]) -> BTreeMap<&'static str, String> {
    let given = addresses
        .iter()
        .filter_map(|(key, address)| Some((*key, (*address)?.to_string())));
    given.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> serde_json::Value {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("topology.toml");
        std::fs::write(&file, text).unwrap();
        let plan = Plan::load(&file, &[]).unwrap();
        serde_json::from_str(&to_json(&file, &plan, "game-1")).unwrap()
    }

    #[test]
    fn programs_find_every_node_with_where_it_is() {
        let json = json(
            r#"
            group = "GroupA"
            [master]
            listen = "127.0.0.1:10241"
            [slaves."slave@0"]
            machine = "game-1"
            listen = "127.0.0.1:10251"
            advertise = "game-1:10251"
            [scenes."scene@0"]
            machine = "game-2"
            script = "main.py"
        "#,
        );
        assert_eq!(json["kind"], "group");
        let nodes = json["nodes"].as_array().unwrap();
        assert_eq!(nodes.len(), 3);
        assert_eq!(nodes[0]["addresses"]["listen"], "127.0.0.1:10241");
        assert_eq!(nodes[1]["addresses"]["advertise"], "game-1:10251");
        assert_eq!(
            (&nodes[1]["here"], &nodes[2]["here"]),
            (&true.into(), &false.into())
        );
        assert_eq!(nodes[2]["script_is_here"], false);
        assert!(
            json["notes"][0]
                .as_str()
                .unwrap()
                .starts_with("scene@0 runs")
        );
    }

    #[test]
    fn programs_find_which_groups_bridges_join() {
        let json = json(
            r#"
            [bridges."bridge@0"]
            http = "127.0.0.1:10361"
            [[groups]]
            name = "GroupA"
            master = "127.0.0.1:10241"
            [[groups]]
            name = "GroupB"
            master = "127.0.0.1:11241"
        "#,
        );
        assert!(json["group"].is_null());
        assert_eq!(json["nodes"][0]["role"], "bridge");
        assert_eq!(json["joins"][1]["master"], "127.0.0.1:11241");
    }
}
