//! What is shown of a group, made of what its directory knows.

use std::collections::{HashMap, HashSet};

use broker::{Observation, Observed};
use protocol::{
    GroupName,
    v1::{LinkVitals, Rates, Role, Vitals, WatchResponse, WatchedLink, WatchedNode},
};

/// The group at `now_ms`, without its alarms.
pub(super) fn state(group: &GroupName, observed: &Observation, now_ms: u64) -> WatchResponse {
    let mut nodes: Vec<&Observed> = observed.nodes.iter().collect();
    nodes.sort_by_key(|node| (node.role != Role::Master, &node.name));
    let known: HashSet<u64> = nodes.iter().map(|node| node.node.as_u64()).collect();
    let brokers = nodes
        .iter()
        .filter(|node| matches!(node.role, Role::Master | Role::Slave));
    let links = brokers.flat_map(|broker| links(broker, &known));
    WatchResponse {
        group: group.to_string(),
        epoch: observed.epoch,
        revision: observed.revision,
        now_ms,
        links: links.collect(),
        nodes: nodes.into_iter().map(node).collect(),
        alarms: Vec::new(),
    }
}

fn node(node: &Observed) -> WatchedNode {
    WatchedNode {
        node_id: node.node.as_u64(),
        name: node.name.to_string(),
        role: node.role.into(),
        state: node.state.into(),
        suspect: node.suspect,
        build: node.build.clone(),
        script: node.script.clone(),
        load: node.load,
        groups: node.groups.clone(),
        heard_ms: node.heard.as_millis() as u64,
        vitals: node.vitals.as_deref().map(|vitals| Vitals {
            links: Vec::new(),
            ..vitals.clone()
        }),
        rates: node
            .vitals
            .as_deref()
            .zip(node.before.as_deref())
            .and_then(rates),
    }
}

/// What came of it between two vitals of one process.
fn rates((now, before): (&Vitals, &Vitals)) -> Option<Rates> {
    let seconds = seconds_between(now, before)?;
    let rate = |now: u64, before: u64| now.saturating_sub(before) as f64 / seconds;
    Some(Rates {
        cpu: now
            .cpu_seconds
            .zip(before.cpu_seconds)
            .map(|(now, before)| ((now - before) / seconds).max(0.0)),
        messages_in: rate(now.messages_in, before.messages_in),
        messages_out: rate(now.messages_out, before.messages_out),
        bytes_in: rate(now.bytes_in, before.bytes_in),
        bytes_out: rate(now.bytes_out, before.bytes_out),
        dropped: rate(now.dropped, before.dropped),
    })
}

/// What runs between a broker and the nodes that are in the directory.
fn links<'a>(
    broker: &'a Observed,
    known: &'a HashSet<u64>,
) -> impl Iterator<Item = WatchedLink> + 'a {
    let now = broker.vitals.as_deref();
    let before = broker.before.as_deref();
    let seconds = now
        .zip(before)
        .and_then(|(now, before)| seconds_between(now, before));
    let earlier: HashMap<u64, &LinkVitals> = before
        .into_iter()
        .flat_map(|before| &before.links)
        .map(|link| (link.node_id, link))
        .collect();
    let links = now.into_iter().flat_map(|now| &now.links);
    links
        .filter(|link| known.contains(&link.node_id))
        .map(move |link| {
            let earlier = earlier.get(&link.node_id);
            let rate = |count: fn(&LinkVitals) -> u64| match (earlier, seconds) {
                (Some(earlier), Some(seconds)) => {
                    count(link).saturating_sub(count(earlier)) as f64 / seconds
                }
                _ => 0.0,
            };
            WatchedLink {
                node_id: link.node_id,
                broker_id: broker.node.as_u64(),
                messages_per_s: rate(|link| link.messages_in) + rate(|link| link.messages_out),
                bytes_per_s: rate(|link| link.bytes_in) + rate(|link| link.bytes_out),
                queued_bytes: link.queued_bytes,
            }
        })
}

fn seconds_between(now: &Vitals, before: &Vitals) -> Option<f64> {
    let ms = now.up_ms.checked_sub(before.up_ms)?;
    (ms > 0).then_some(ms as f64 / 1000.0)
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use protocol::{NodeId, v1::NodeState};

    use super::*;

    fn observed(serial: u32, name: &str, role: Role) -> Observed {
        Observed {
            node: NodeId::new(1, serial),
            name: name.parse().unwrap(),
            role,
            state: NodeState::Ready,
            suspect: false,
            build: "0.1.0".to_owned(),
            script: None,
            load: 0,
            groups: Vec::new(),
            heard: Duration::ZERO,
            vitals: None,
            before: None,
        }
    }

    fn shown(nodes: Vec<Observed>) -> WatchResponse {
        let observed = Observation {
            epoch: 1,
            revision: 5,
            nodes,
            ..Observation::default()
        };
        state(&"GroupA".parse().unwrap(), &observed, 7)
    }

    fn vitals(up_ms: u64, count: u64) -> Option<Arc<Vitals>> {
        Some(Arc::new(Vitals {
            up_ms,
            cpu_seconds: Some(count as f64 / 1000.0),
            messages_in: count,
            bytes_out: 10 * count,
            links: vec![
                LinkVitals {
                    node_id: NodeId::new(1, 2).as_u64(),
                    messages_in: count,
                    messages_out: count,
                    ..LinkVitals::default()
                },
                LinkVitals {
                    node_id: NodeId::new(1, 99).as_u64(),
                    ..LinkVitals::default()
                },
            ],
            ..Vitals::default()
        }))
    }

    #[test]
    fn the_master_is_first_and_the_others_follow_by_name() {
        let shown = shown(vec![
            observed(3, "scene@0", Role::Scene),
            observed(4, "gate@10", Role::Gate),
            observed(2, "gate@9", Role::Gate),
            observed(1, "master@0", Role::Master),
        ]);
        let names: Vec<&str> = shown.nodes.iter().map(|node| &*node.name).collect();
        assert_eq!(names, ["master@0", "gate@9", "gate@10", "scene@0"]);
        assert_eq!(
            (&*shown.group, shown.revision, shown.now_ms),
            ("GroupA", 5, 7)
        );
    }

    #[test]
    fn a_rate_is_what_has_changed_by_the_clock_of_the_process() {
        let slave = Observed {
            before: vitals(1000, 100),
            vitals: vitals(3000, 700),
            ..observed(1, "slave@0", Role::Slave)
        };
        let shown = shown(vec![slave, observed(2, "gate@0", Role::Gate)]);
        let slave = shown
            .nodes
            .iter()
            .find(|node| node.name == "slave@0")
            .unwrap();
        let rates = slave.rates.as_ref().unwrap();
        assert_eq!((rates.messages_in, rates.bytes_out), (300.0, 3000.0));
        assert!((rates.cpu.unwrap() - 0.3).abs() < 1e-9);
        // They are told as links of the group, and once.
        assert!(slave.vitals.as_ref().unwrap().links.is_empty());
        let [link] = &shown.links[..] else {
            panic!("{:?}", shown.links)
        };
        assert_eq!(link.broker_id, slave.node_id);
        assert!((link.messages_per_s - 600.0).abs() < 1e-9);
    }

    #[test]
    fn nothing_is_made_up_where_too_little_is_known() {
        for before in [None, vitals(3000, 9), vitals(4000, 9)] {
            let slave = Observed {
                before,
                vitals: vitals(3000, 7),
                ..observed(1, "slave@0", Role::Slave)
            };
            let shown = shown(vec![slave, observed(2, "slave@1", Role::Slave)]);
            assert_eq!(shown.nodes[0].rates, None);
            assert_eq!(shown.nodes[1].vitals, None);
            assert_eq!(shown.links[0].messages_per_s, 0.0);
        }
    }
}
