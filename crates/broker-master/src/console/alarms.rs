//! What somebody should look at.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use broker::{Observation, Observed};
use protocol::{
    NodeName,
    v1::{Alarm, FaultLevel, NodeState, Role, Severity, WatchedNode},
};

/// The alarms of a group, which remember since when they are there.
#[derive(Debug, Default)]
pub(super) struct Alarms {
    since: HashMap<Key, u64>,
    /// Who of the topology is not there, and since when.
    missing: BTreeMap<NodeName, u64>,
    /// When the group was first looked at.
    begun_ms: Option<u64>,
}

/// The node, or nothing for the group, and the rule.
type Key = (String, &'static str);

/// One that is there now.
struct Raised {
    severity: Severity,
    node: String,
    rule: &'static str,
    text: String,
    /// Where it says itself since when.
    since_ms: Option<u64>,
}

/// A node reports each second: one that says nothing for so long is late.
const LATE: Duration = Duration::from_secs(3);

/// An error in a log is looked at for so long. By the clock of its machine, which is to
/// be near that of the master's.
const FRESH_MS: u64 = 60_000;

/// Nodes have so long to come, and to come back.
const PATIENCE_MS: u64 = 10_000;

/// How full a queue is that somebody should look at soon, and now.
const FILLING: f64 = 0.5;
const FULL: f64 = 0.9;

/// As many are shown, the gravest.
const MAX_ALARMS: usize = 256;

impl Alarms {
    /// What somebody should look at now, the gravest first, and the oldest of these.
    pub(super) fn look(
        &mut self,
        observed: &Observation,
        expected: &BTreeSet<NodeName>,
        nodes: &[WatchedNode],
        now_ms: u64,
    ) -> Vec<Alarm> {
        // Where the clock was set back, the group has not just begun.
        let begun_ms = *self.begun_ms.get_or_insert(now_ms);
        let is_starting = (begun_ms..begun_ms.saturating_add(PATIENCE_MS)).contains(&now_ms);
        let mut raised = of_group(observed, expected, is_starting, now_ms);
        raised.extend(self.missing(observed, expected, now_ms));
        raised.extend(observed.nodes.iter().flat_map(|node| of_node(node, now_ms)));
        raised.extend(nodes.iter().filter_map(of_rates));
        let before = std::mem::take(&mut self.since);
        let mut alarms: Vec<Alarm> = raised
            .into_iter()
            .map(|raised| {
                let key = (raised.node, raised.rule);
                let kept = before.get(&key).copied();
                let since_ms = raised.since_ms.or(kept).unwrap_or(now_ms);
                let node = key.0.clone();
                self.since.insert(key, since_ms);
                Alarm {
                    severity: raised.severity.into(),
                    node,
                    text: raised.text,
                    since_ms,
                }
            })
            .collect();
        alarms.sort_by_key(|alarm| (Reverse(alarm.severity), alarm.since_ms));
        alarms.truncate(MAX_ALARMS);
        alarms
    }
}

impl Alarms {
    /// Who is in the topology and has not been in the group for a while.
    fn missing(
        &mut self,
        observed: &Observation,
        expected: &BTreeSet<NodeName>,
        now_ms: u64,
    ) -> Vec<Raised> {
        let here: BTreeSet<_> = observed.nodes.iter().map(|node| &node.name).collect();
        let missing = expected.iter().filter(|name| !here.contains(name));
        let before = std::mem::take(&mut self.missing);
        self.missing = missing
            .map(|name| {
                // A clock that was set back begins anew.
                let since_ms = before.get(name).filter(|since_ms| **since_ms <= now_ms);
                (name.clone(), since_ms.copied().unwrap_or(now_ms))
            })
            .collect();
        // Of those who were lost of late that is said already.
        let lost: BTreeSet<_> = observed.lost.iter().map(|lost| &lost.name).collect();
        let late = self.missing.iter().filter(|(name, since_ms)| {
            now_ms.saturating_sub(**since_ms) >= PATIENCE_MS && !lost.contains(name)
        });
        let text = "it is in the topology, and not in the group";
        late.map(|(name, since_ms)| Raised {
            since_ms: Some(*since_ms),
            ..critical(name.as_str(), "missing", text)
        })
        .collect()
    }
}

/// What is wrong with the group, or with nodes that are not there.
fn of_group(
    observed: &Observation,
    expected: &BTreeSet<NodeName>,
    is_starting: bool,
    now_ms: u64,
) -> Vec<Raised> {
    let mut raised = Vec::new();
    let here: BTreeSet<_> = observed.nodes.iter().map(|node| &node.name).collect();
    for lost in observed
        .lost
        .iter()
        .filter(|lost| !here.contains(&lost.name))
    {
        let since_ms = now_ms.saturating_sub(lost.ago.as_millis() as u64);
        raised.push(Raised {
            since_ms: Some(since_ms),
            ..critical(lost.name.as_str(), "lost", "it was lost, and is not back")
        });
    }
    if observed.rebuilding {
        let text = "the master has restarted, and takes back the nodes of its earlier run: \
                    new ones wait for one lease";
        raised.push(warning("", "rebuilding", text));
    }
    let is = |role, word| {
        let mut nodes = observed.nodes.iter();
        nodes.any(|node| node.role == role) || expected.iter().any(|name| name.role() == word)
    };
    let ready = |role| {
        let mut nodes = observed.nodes.iter();
        nodes.any(|node| node.role == role && node.state == NodeState::Ready && !node.suspect)
    };
    // A group may do without either: one that is called by others, through a bridge.
    let (gates, scenes) = (is(Role::Gate, "gate"), is(Role::Scene, "scene"));
    // Of a group that starts it is no news.
    let grave = if is_starting { warning } else { critical };
    if gates && !ready(Role::Gate) {
        raised.push(grave("", "no gate", "no gate is ready: nobody can log in"));
    }
    if (gates || scenes) && !ready(Role::Scene) {
        let text = match gates {
            true => "no scene is ready: nobody can log in",
            false => "no scene is ready",
        };
        raised.push(grave("", "no scene", text));
    }
    raised.extend(of_builds(observed));
    raised
}

/// Nodes of different builds work together while a group is upgraded, and not for good.
/// Programs of other makers have versions of their own.
fn of_builds(observed: &Observation) -> Option<Raised> {
    let mut builds: BTreeMap<&str, usize> = BTreeMap::new();
    let own = |node: &&Observed| node.role != Role::Service && !node.build.is_empty();
    for node in observed.nodes.iter().filter(own) {
        *builds.entry(&node.build).or_default() += 1;
    }
    if builds.len() < 2 {
        return None;
    }
    let list: Vec<String> = builds
        .iter()
        .map(|(build, count)| format!("{build} ({count})"))
        .collect();
    let text = format!("nodes are of different builds: {}", list.join(", "));
    Some(warning("", "builds", text))
}

/// What is wrong with a node that is there.
fn of_node(node: &Observed, now_ms: u64) -> Vec<Raised> {
    let mut raised = Vec::new();
    let name = node.name.as_str();
    let seconds = node.heard.as_secs();
    if node.suspect {
        let text = format!("its connection ended {seconds} s ago, and its lease runs");
        raised.push(warning(name, "suspect", text));
    } else if node.heard >= LATE {
        let text = format!("it has said nothing for {seconds} s");
        raised.push(warning(name, "late", text));
    }
    match node.state {
        NodeState::Draining => {
            raised.push(warning(name, "draining", "it drains: it takes nobody new"));
        }
        NodeState::Joining => {
            let text = "it is not ready yet: it waits for its links";
            raised.push(warning(name, "joining", text));
        }
        _ => {}
    }
    let loaded = node
        .script
        .as_ref()
        .is_some_and(|script| script.version > 0);
    if node.role == Role::Scene && node.state == NodeState::Ready && !loaded {
        let text = format!(
            "its script has not loaded, and it lets nobody in: `redrabbit logs --node {name}` \
             says why"
        );
        raised.push(critical(name, "script", text));
    }
    let mut away: Vec<&str> = Vec::new();
    away.extend(
        node.groups
            .iter()
            .filter(|group| !group.reachable)
            .map(|group| &*group.name),
    );
    if !away.is_empty() {
        let text = format!("it does not reach the group {}", away.join(", "));
        raised.push(critical(name, "group", text));
    }
    let Some(vitals) = &node.vitals else {
        return raised;
    };
    let fill = vitals.queue_fill;
    if fill >= FILLING {
        let text = format!("its fullest queue is {:.0} % full", fill * 100.0);
        let severity = if fill >= FULL { critical } else { warning };
        raised.push(severity(name, "queue", text));
    }
    let errors = vitals.faults.iter().rev();
    let fresh = errors.filter(|fault| {
        fault.level() == FaultLevel::Error && fault.at_ms.saturating_add(FRESH_MS) > now_ms
    });
    if let Some(last) = fresh.clone().next() {
        let line = last.text.lines().next().unwrap_or_default();
        raised.push(warning(
            name,
            "error",
            format!("an error in its log: {line}"),
        ));
    }
    raised
}

/// What is lost just now.
fn of_rates(node: &WatchedNode) -> Option<Raised> {
    let dropped = node.rates.as_ref()?.dropped;
    if dropped <= 0.0 {
        return None;
    }
    let text = format!("it drops {dropped:.1} messages a second");
    Some(warning(&node.name, "drops", text))
}

fn warning(node: &str, rule: &'static str, text: impl Into<String>) -> Raised {
    Raised {
        severity: Severity::Warning,
        node: node.to_string(),
        rule,
        text: text.into(),
        since_ms: None,
    }
}

fn critical(node: &str, rule: &'static str, text: impl Into<String>) -> Raised {
    Raised {
        severity: Severity::Critical,
        ..warning(node, rule, text)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use broker::Lost;
    use protocol::{
        NodeId,
        v1::{Fault, GroupLink, Rates, Script, Vitals},
    };

    use super::*;

    const NOW: u64 = 1_000_000;

    fn node(name: &str, role: Role) -> Observed {
        let script = (role == Role::Scene).then(|| Script {
            version: 1,
            ..Script::default()
        });
        Observed {
            node: NodeId::new(1, 1),
            name: name.parse().unwrap(),
            role,
            state: NodeState::Ready,
            suspect: false,
            build: "0.1.0".to_owned(),
            script,
            load: 0,
            groups: Vec::new(),
            heard: Duration::ZERO,
            vitals: None,
            before: None,
        }
    }

    fn gate() -> Observed {
        node("gate@0", Role::Gate)
    }

    fn scene() -> Observed {
        node("scene@0", Role::Scene)
    }

    fn group(nodes: Vec<Observed>) -> Observation {
        Observation {
            nodes,
            ..Observation::default()
        }
    }

    fn look(observed: &Observation) -> Vec<(Severity, String, String)> {
        let alarms = Alarms::default().look(observed, &BTreeSet::new(), &[], NOW);
        let texts = alarms.into_iter();
        texts
            .map(|alarm| (alarm.severity(), alarm.node, alarm.text))
            .collect()
    }

    /// The one alarm of a group whose gate is this one.
    fn alarm(gate: Observed) -> (Severity, String) {
        let alarms = look(&group(vec![gate, scene()]));
        let [(severity, node, text)] = &alarms[..] else {
            panic!("{alarms:?}")
        };
        assert_eq!(node, "gate@0");
        (*severity, text.clone())
    }

    fn vitals(vitals: Vitals) -> Observed {
        Observed {
            vitals: Some(Arc::new(vitals)),
            ..gate()
        }
    }

    #[test]
    fn a_group_that_is_well_raises_nothing() {
        let well = vitals(Vitals {
            queue_fill: 0.4,
            ..Vitals::default()
        });
        assert_eq!(look(&group(vec![well, scene()])), []);
        // A group without players needs neither gates nor scenes.
        let alone = group(vec![node("master@0", Role::Master)]);
        assert_eq!(look(&alone), []);
    }

    #[test]
    fn a_node_that_is_lost_is_told_until_it_is_back() {
        let lost = |nodes| Observation {
            lost: vec![Lost {
                name: "gate@1".parse().unwrap(),
                role: Role::Gate,
                ago: Duration::from_secs(4),
            }],
            ..group(nodes)
        };
        let alarms =
            Alarms::default().look(&lost(vec![gate(), scene()]), &BTreeSet::new(), &[], NOW);
        assert_eq!((alarms.len(), &*alarms[0].node), (1, "gate@1"));
        assert_eq!(alarms[0].since_ms, NOW - 4000);
        let back = node("gate@1", Role::Gate);
        assert_eq!(look(&lost(vec![gate(), scene(), back])), []);
    }

    #[test]
    fn without_a_gate_or_a_scene_that_is_ready_nobody_can_log_in() {
        let draining = Observed {
            state: NodeState::Draining,
            ..gate()
        };
        let texts: Vec<String> = look(&group(vec![draining]))
            .into_iter()
            .map(|(_, _, text)| text)
            .collect();
        assert_eq!(
            texts,
            [
                "no gate is ready: nobody can log in",
                "no scene is ready: nobody can log in",
                "it drains: it takes nobody new",
            ]
        );
    }

    #[test]
    fn a_node_of_the_topology_that_does_not_come_is_told() {
        let expected = ["gate@0", "scene@0"]
            .map(|name| name.parse().unwrap())
            .into();
        let mut alarms = Alarms::default();
        let mut texts = |nodes, now_ms| -> Vec<String> {
            let alarms = alarms.look(&group(nodes), &expected, &[], now_ms);
            let text = |alarm: Alarm| format!("{}: {}", alarm.node, alarm.text);
            alarms.into_iter().map(text).collect()
        };
        // Everybody is gone, and nobody is left who would need a gate.
        let nobody = [
            ": no gate is ready: nobody can log in",
            ": no scene is ready: nobody can log in",
        ];
        assert_eq!(texts(vec![], NOW), nobody);
        let missing = texts(vec![gate()], NOW + PATIENCE_MS);
        assert_eq!(missing.len(), 2, "{missing:?}");
        assert!(missing.contains(&"scene@0: it is in the topology, and not in the group".into()));
        assert_eq!(texts(vec![gate(), scene()], NOW + 20_000), [""; 0]);
    }

    #[test]
    fn a_group_that_others_call_needs_no_gate() {
        assert_eq!(look(&group(vec![scene()])), []);
    }

    #[test]
    fn who_is_late_or_cut_off_is_told() {
        let late = Observed {
            heard: Duration::from_millis(4500),
            ..gate()
        };
        assert_eq!(alarm(late.clone()).1, "it has said nothing for 4 s");
        let suspect = Observed {
            suspect: true,
            ..late
        };
        let alarms = look(&group(vec![suspect, node("gate@1", Role::Gate), scene()]));
        assert_eq!(alarms.len(), 1, "{alarms:?}");
        assert!(alarms[0].2.starts_with("its connection ended 4 s ago"));
    }

    #[test]
    fn queues_that_fill_are_told_before_they_are_full() {
        let filled = |queue_fill| {
            alarm(vitals(Vitals {
                queue_fill,
                ..Vitals::default()
            }))
        };
        let text = "its fullest queue is 50 % full".to_owned();
        assert_eq!(filled(0.5), (Severity::Warning, text));
        assert_eq!(filled(0.95).0, Severity::Critical);
    }

    #[test]
    fn errors_are_told_for_a_minute_and_warnings_are_not() {
        let fault = |level: FaultLevel, at_ms| Fault {
            at_ms,
            level: level.into(),
            text: "handler failed\nTraceback".to_owned(),
            ..Fault::default()
        };
        let faults = vec![
            fault(FaultLevel::Error, NOW - 10),
            fault(FaultLevel::Warn, NOW - 5),
        ];
        let of = |faults| {
            vitals(Vitals {
                faults,
                ..Vitals::default()
            })
        };
        assert_eq!(alarm(of(faults)).1, "an error in its log: handler failed");
        let old = vec![fault(FaultLevel::Error, NOW - FRESH_MS)];
        assert_eq!(look(&group(vec![of(old), scene()])), []);
    }

    #[test]
    fn a_script_that_has_not_loaded_and_a_group_out_of_reach_are_grave() {
        let bridge = Observed {
            groups: vec![GroupLink {
                name: "GroupB".to_owned(),
                ..GroupLink::default()
            }],
            ..node("bridge@0", Role::Bridge)
        };
        let unloaded = Observed {
            script: None,
            ..scene()
        };
        let alarms = look(&group(vec![bridge, gate(), unloaded]));
        let [bridge, scene] = &alarms[..] else {
            panic!("{alarms:?}")
        };
        assert!(bridge.2.ends_with("the group GroupB") && bridge.0 == Severity::Critical);
        assert!(
            scene.2.contains("redrabbit logs --node scene@0"),
            "{scene:?}"
        );
    }

    #[test]
    fn builds_that_differ_are_told_and_those_of_others_are_their_own() {
        let newer = Observed {
            build: "0.2.0".to_owned(),
            ..gate()
        };
        let other = Observed {
            build: "7".to_owned(),
            ..node("echo@0", Role::Service)
        };
        let alarms = look(&group(vec![newer, other, scene()]));
        assert_eq!(alarms.len(), 1, "{alarms:?}");
        assert!(alarms[0].2.ends_with("0.1.0 (1), 0.2.0 (1)"));
    }

    #[test]
    fn an_alarm_keeps_its_time_and_the_gravest_is_first() {
        let (mut alarms, none) = (Alarms::default(), BTreeSet::new());
        let draining = |state| Observed { state, ..gate() };
        let early = group(vec![
            draining(NodeState::Draining),
            node("gate@1", Role::Gate),
        ]);
        let first = alarms.look(&early, &none, &[], NOW);
        assert_eq!(first[0].text, "no scene is ready: nobody can log in");
        let shown = [WatchedNode {
            name: "gate@1".to_owned(),
            rates: Some(Rates {
                dropped: 2.5,
                ..Rates::default()
            }),
            ..WatchedNode::default()
        }];
        let later = alarms.look(&early, &none, &shown, NOW + 1000);
        let seen: Vec<_> = later
            .iter()
            .map(|alarm| (&*alarm.node, alarm.since_ms))
            .collect();
        assert_eq!(seen, [("", NOW), ("gate@0", NOW), ("gate@1", NOW + 1000)]);
        assert_eq!(later[2].text, "it drops 2.5 messages a second");
        // Over and again there, it is a new one.
        alarms.look(&group(vec![gate(), scene()]), &none, &[], NOW + 2000);
        let again = alarms.look(&early, &none, &[], NOW + 3000);
        assert!(again.iter().all(|alarm| alarm.since_ms == NOW + 3000));
    }
}
