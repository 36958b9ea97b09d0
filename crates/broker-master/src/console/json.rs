//! The group as JSON: what the page reads, and what `redrabbit top --json` prints.

use daemon::role_name;
use protocol::{
    NodeId,
    v1::{Fault, FaultLevel, NodeState, Severity, WatchResponse, WatchedNode},
};
use serde_json::{Value, json};

/// The group as JSON. Ids are texts, `"477421565.6"`: as numbers they would be too long
/// for JavaScript. Times are milliseconds since 1970, but for `heard_ms`, which is how
/// long ago the node was heard. What a node says nothing of is `null`.
///
/// ```json
/// {
///   "group": "world", "epoch": 477421565, "revision": 12, "now_ms": 1795441000000,
///   "nodes": [{
///     "id": "477421565.2", "name": "gate@0", "role": "gate",
///     "state": "ready",
///     "build": "0.1.0", "script": null, "load": 30, "sessions": 30,
///     "started_ms": 1795440000000, "heard_ms": 412,
///     "cpu": 0.02, "memory_bytes": 21000000,
///     "messages_in_per_s": 300.0, "messages_out_per_s": 301.0,
///     "bytes_in_per_s": 9000.0, "bytes_out_per_s": 9100.0,
///     "queued_messages": 0, "queued_bytes": 0, "queue_fill": 0.0,
///     "dropped": 0, "dropped_per_s": 0.0,
///     "faults": [{"at_ms": 1795440990000, "level": "warn", "target": "gate", "text": "…"}],
///     "groups": [{"name": "arena", "reachable": true}]
///   }],
///   "links": [{"node": "477421565.2", "broker": "477421565.1",
///              "messages_per_s": 601.0, "bytes_per_s": 18100.0, "queued_bytes": 0}],
///   "alarms": [{"severity": "warning", "node": "gate@0", "text": "it drains…",
///               "since_ms": 1795440990000}]
/// }
/// ```
///
/// `state` is `joining`, `ready`, `draining` or `suspect`; `severity` is `warning` or
/// `critical`, and its `node` is `null` where it is about the group; `cpu` counts
/// cores; `script` is `{"version", "hash"}`; `queue_fill` is 1 where a queue refuses.
pub fn group_json(state: &WatchResponse) -> Value {
    let links = state.links.iter().map(|link| {
        json!({
            "node": id(link.node_id),
            "broker": id(link.broker_id),
            "messages_per_s": link.messages_per_s,
            "bytes_per_s": link.bytes_per_s,
            "queued_bytes": link.queued_bytes,
        })
    });
    let alarms = state.alarms.iter().map(|alarm| {
        json!({
            "severity": match alarm.severity() {
                Severity::Critical => "critical",
                _ => "warning",
            },
            "node": (!alarm.node.is_empty()).then_some(&alarm.node),
            "text": alarm.text,
            "since_ms": alarm.since_ms,
        })
    });
    json!({
        "group": state.group,
        "epoch": state.epoch,
        "revision": state.revision,
        "now_ms": state.now_ms,
        "nodes": state.nodes.iter().map(node).collect::<Value>(),
        "links": links.collect::<Value>(),
        "alarms": alarms.collect::<Value>(),
    })
}

fn node(node: &WatchedNode) -> Value {
    let (vitals, rates) = (node.vitals.as_ref(), node.rates.as_ref());
    let script = node.script.as_ref();
    let script = script.map(|script| json!({"version": script.version, "hash": script.hash}));
    let groups = node.groups.iter();
    let groups = groups.map(|group| json!({"name": group.name, "reachable": group.reachable}));
    json!({
        "id": id(node.node_id),
        "name": node.name,
        "role": role_name(node.role()),
        "state": state_name(node),
        "build": node.build,
        "script": script,
        "load": node.load,
        "sessions": vitals.and_then(|vitals| vitals.sessions),
        "started_ms": vitals.map(|vitals| vitals.started_ms).filter(|at_ms| *at_ms > 0),
        "heard_ms": node.heard_ms,
        "cpu": rates.and_then(|rates| rates.cpu),
        "memory_bytes": vitals.and_then(|vitals| vitals.memory_bytes),
        "messages_in_per_s": rates.map(|rates| rates.messages_in),
        "messages_out_per_s": rates.map(|rates| rates.messages_out),
        "bytes_in_per_s": rates.map(|rates| rates.bytes_in),
        "bytes_out_per_s": rates.map(|rates| rates.bytes_out),
        "queued_messages": vitals.map(|vitals| vitals.queued_messages),
        "queued_bytes": vitals.map(|vitals| vitals.queued_bytes),
        "queue_fill": vitals.map(|vitals| vitals.queue_fill),
        "dropped": vitals.map(|vitals| vitals.dropped),
        "dropped_per_s": rates.map(|rates| rates.dropped),
        "faults": vitals.map_or(json!([]), |vitals| vitals.faults.iter().map(fault).collect()),
        "groups": groups.collect::<Value>(),
    })
}

fn fault(fault: &Fault) -> Value {
    json!({
        "at_ms": fault.at_ms,
        "level": match fault.level() {
            FaultLevel::Error => "error",
            _ => "warn",
        },
        "target": fault.target,
        "text": fault.text,
    })
}

/// Where a node stands, in a word. One whose stream has ended is `suspect`, wherever it
/// stood.
pub fn state_name(node: &WatchedNode) -> &'static str {
    match node.state() {
        _ if node.suspect => "suspect",
        NodeState::Joining | NodeState::Unspecified => "joining",
        NodeState::Ready => "ready",
        NodeState::Draining => "draining",
    }
}

fn id(id: u64) -> String {
    NodeId::from_u64(id).to_string()
}

#[cfg(test)]
mod tests {
    use protocol::v1::{Alarm, GroupLink, Rates, Role, Script, Vitals, WatchedLink};

    use super::*;

    #[test]
    fn what_is_not_known_is_null_and_the_rest_has_its_name() {
        let quiet = WatchedNode {
            node_id: NodeId::new(1, 3).as_u64(),
            name: "gate@0".to_owned(),
            role: Role::Gate.into(),
            suspect: true,
            ..WatchedNode::default()
        };
        let scene = WatchedNode {
            state: NodeState::Ready.into(),
            role: Role::Scene.into(),
            script: Some(Script {
                version: 2,
                hash: "abc".to_owned(),
                ..Script::default()
            }),
            groups: vec![GroupLink::default()],
            vitals: Some(Vitals {
                sessions: Some(3),
                faults: vec![Fault {
                    level: FaultLevel::Error.into(),
                    ..Fault::default()
                }],
                ..Vitals::default()
            }),
            rates: Some(Rates {
                cpu: Some(0.5),
                ..Rates::default()
            }),
            ..WatchedNode::default()
        };
        let shown = group_json(&WatchResponse {
            nodes: vec![quiet, scene],
            links: vec![WatchedLink {
                broker_id: NodeId::new(1, 1).as_u64(),
                ..WatchedLink::default()
            }],
            alarms: vec![Alarm::default()],
            ..WatchResponse::default()
        });
        let [quiet, scene] = [&shown["nodes"][0], &shown["nodes"][1]];
        assert_eq!(
            (&quiet["id"], &quiet["state"]),
            (&json!("1.3"), &json!("suspect"))
        );
        for unknown in ["script", "sessions", "cpu", "dropped", "started_ms"] {
            assert_eq!(quiet[unknown], Value::Null, "{unknown}");
        }
        assert_eq!(quiet["faults"], json!([]));
        assert_eq!(
            (&scene["sessions"], &scene["cpu"]),
            (&json!(3), &json!(0.5))
        );
        assert_eq!(scene["script"], json!({"version": 2, "hash": "abc"}));
        assert_eq!(scene["faults"][0]["level"], "error");
        assert_eq!(scene["groups"][0]["reachable"], false);
        assert_eq!(shown["links"][0]["broker"], "1.1");
        assert_eq!(shown["alarms"][0]["node"], Value::Null);
    }
}
