//! Whether another machine runs this machine's nodes.

use protocol::{
    NodeName,
    v1::{ListNodesResponse, NodeRecord},
};

use super::{
    Finding, Here,
    processes::{self, Process},
};

const CHECK: &str = "twins";

pub(super) fn check(here: &Here) -> Vec<Finding> {
    let Some(Ok(directory)) = &here.heard.directory else {
        return Vec::new();
    };
    if here.nodes.is_empty() {
        return Vec::new();
    }
    if !processes::all_are_seen() {
        let text = "the processes of other users are hidden, so that it is not known which nodes \
                    run here";
        return vec![Finding::warn(CHECK, text, "ask as root")];
    }
    let twins = suspects(&here.nodes, &here.processes, directory);
    if twins.is_empty() {
        let text = "no other machine runs the nodes of this one";
        return vec![Finding::ok(CHECK, text)];
    }
    let findings = twins.iter().map(|node| {
        let text = format!(
            "{node} is in the group, and does not run here by this file: it runs on another \
             machine, by the same name"
        );
        let fix = format!(
            "find the machine that thinks that it is {}, and give it its own name; until then \
             {node} is not let in from here",
            here.machine
        );
        Finding::fail(CHECK, text, fix)
    });
    findings.collect()
}

/// The nodes that the group has and this machine does not run.
pub(super) fn suspects<'a>(
    nodes: &'a [NodeName],
    processes: &[Process],
    directory: &ListNodesResponse,
) -> Vec<&'a NodeName> {
    let joined = |node: &NodeName| {
        let mut records = records(directory).iter();
        records.any(|record| record.name == node.as_str())
    };
    let runs = |node: &NodeName| processes.iter().any(|process| process.node == *node);
    nodes
        .iter()
        .filter(|node| joined(node) && !runs(node))
        .collect()
}

fn records(directory: &ListNodesResponse) -> &[NodeRecord] {
    directory
        .snapshot
        .as_ref()
        .map_or(&[], |snapshot| &snapshot.nodes)
}
