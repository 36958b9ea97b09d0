//! The groups of these tests.

use std::time::Duration;

use ffrpc::Node;
use protocol::CallError;
use serde_json::Value;
use tests::{Cluster, Groups, Members, eventually, within};

/// The places of the groups.
pub(crate) const A: usize = 0;
pub(crate) const B: usize = 1;
pub(crate) const C: usize = 2;

/// What a call may take when a bridge ends, all attempts together: the goal is 100 ms.
pub(crate) const PAUSE: Duration = Duration::from_secs(2);

/// What a call may take when a bridge says nothing any more: the goal is 1.2 s.
pub(crate) const SILENCE: Duration = Duration::from_secs(4);

/// Processes are soon given up.
pub(crate) const SHORT_LEASE: &str = "[limits]\nlease = \"1s\"\n";

/// As [`SHORT_LEASE`], and `callee`s and scenes may be called by all groups.
pub(crate) const OPEN: &str = "\
[limits]
lease = \"1s\"
[exports.all]
groups = [\"*\"]
cmds = [\"200-203\", \"205-207\"]
methods = [\"across.*\"]
directory = true
";

/// The part of [`OPEN`] that opens.
pub(crate) const EXPORTS: &str = "\
[exports.all]
groups = [\"*\"]
methods = [\"across.*\"]
";

/// A script that calls groups and is called by them; see its own first lines.
const ABROAD: &str = include_str!("../../scripts/abroad.py");

/// A master alone: whoever calls and answers is in the test's process.
pub(crate) fn master_alone(more: &str) -> Members<'_> {
    Members {
        gates: 0,
        scenes: 0,
        slaves: 0,
        script: "",
        more,
    }
}

/// A master and a slave.
pub(crate) fn with_slave(more: &str) -> Members<'_> {
    Members {
        slaves: 1,
        ..master_alone(more)
    }
}

/// A master and so many scenes.
pub(crate) fn with_scenes<'a>(scenes: u16, script: &'a str, more: &'a str) -> Members<'a> {
    Members {
        scenes,
        script,
        ..master_alone(more)
    }
}

/// The script of a group.
pub(crate) fn script(here: &str, there: &str) -> String {
    format!("HERE = {here:?}\nTHERE = {there:?}\n{ABROAD}")
}

/// Two groups, the second of which may be called, and so many bridges.
pub(crate) async fn two_groups(bridges: u16) -> Groups {
    let groups = [
        ("GroupA", master_alone(SHORT_LEASE)),
        ("GroupB", master_alone(OPEN)),
    ];
    Groups::start(&groups, bridges).await
}

/// Has a scene do something, and waits for what comes of it.
pub(crate) async fn ask(
    node: &Node,
    scene: &str,
    cmd: u16,
    order: Value,
) -> Result<Value, CallError> {
    let id = eventually(&format!("{scene} is there"), async || {
        node.resolve(&scene.parse().unwrap())
    })
    .await;
    let (method, body) = (format!("service.{cmd}"), order.to_string().into());
    let call = node.call_within(id, method, body, Duration::from_secs(40));
    let answer = within(&format!("{scene} answers"), call).await?;
    if answer.is_empty() {
        return Ok(Value::Null);
    }
    Ok(serde_json::from_slice(&answer).unwrap())
}

/// Which bridge a node's calls to a group go to now.
pub(crate) fn bridge_of(node: &Node, group: &str) -> Option<String> {
    let bridge = node.group(group.parse().unwrap()).bridge().ok()?;
    Some(node.record(bridge)?.name.to_string())
}

/// Waits until a node's calls to a group have a bridge to go to.
pub(crate) async fn finds(node: &Node, group: &str) {
    let what = format!("{} finds a bridge to {group}", node.name());
    eventually(&what, async || bridge_of(node, group)).await;
}

/// A node of a group that calls another one.
pub(crate) async fn caller(cluster: &Cluster, to: &str) -> Node {
    let node = cluster.node("caller@0", ffrpc::Services::new()).await;
    finds(&node, to).await;
    node
}
