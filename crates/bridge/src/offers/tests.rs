use std::collections::BTreeSet;

use proptest::{prelude::*, sample::select};
use protocol::v1::{NodeState, Script};

use super::*;
use crate::support::record;

fn id(serial: u8) -> NodeId {
    NodeId::new(1, u32::from(serial) + 1)
}

fn ready(serial: u8, name: &str, methods: &[&str]) -> Arc<NodeRecord> {
    Arc::new(NodeRecord {
        methods: methods.iter().map(ToString::to_string).collect(),
        ..record(id(serial), name)
    })
}

fn loaded(serial: u8, name: &str, load: u64) -> Arc<NodeRecord> {
    let node = ready(serial, name, &["echo"]);
    Arc::new(NodeRecord {
        load,
        ..NodeRecord::clone(&node)
    })
}

fn scene(serial: u8, services: &[u32]) -> Arc<NodeRecord> {
    let node = ready(
        serial,
        &format!("scene@{serial}"),
        &["service.*", "session.enter"],
    );
    Arc::new(NodeRecord {
        role: Role::Scene,
        script: Some(Script {
            services: services.to_vec(),
            ..Script::default()
        }),
        ..NodeRecord::clone(&node)
    })
}

fn anybody(_: &str) -> bool {
    true
}

fn choose(offers: &mut Offers, method: &str) -> Option<NodeId> {
    offers.choose(method, anybody).map(|chosen| chosen.node)
}

#[test]
fn a_call_goes_to_whoever_carries_least() {
    let mut offers = Offers::default();
    offers.upsert(loaded(0, "echo@0", 7));
    offers.upsert(loaded(1, "echo@1", 3));
    offers.upsert(loaded(2, "echo@2", 5));
    assert_eq!(choose(&mut offers, "echo"), Some(id(1)));
    offers.load(id(2), 1);
    assert_eq!(choose(&mut offers, "echo"), Some(id(2)));
}

#[test]
fn calls_under_way_count_until_they_have_ended() {
    let mut offers = Offers::default();
    offers.upsert(loaded(0, "echo@0", 0));
    offers.upsert(loaded(1, "echo@1", 2));
    let under_way: Vec<_> = (0..2)
        .filter_map(|_| offers.choose("echo", anybody))
        .collect();
    assert!(under_way.iter().all(|chosen| chosen.node == id(0)));
    assert_eq!(choose(&mut offers, "echo"), Some(id(1)));
    under_way
        .into_iter()
        .for_each(|chosen| offers.ended(chosen));
    assert_eq!(choose(&mut offers, "echo"), Some(id(0)));
}

#[test]
fn those_that_carry_the_same_take_turns() {
    let mut offers = Offers::default();
    (0..3).for_each(|node| offers.upsert(loaded(node, &format!("echo@{node}"), 0)));
    let mut turns = Vec::new();
    for _ in 0..6 {
        let chosen = offers.choose("echo", anybody).unwrap();
        turns.push(chosen.node);
        offers.ended(chosen);
    }
    assert_eq!(turns, [id(0), id(1), id(2), id(0), id(1), id(2)]);
}

#[test]
fn a_scene_offers_the_services_of_its_script_alone() {
    let mut offers = Offers::default();
    offers.upsert(scene(0, &[200, 201]));
    assert_eq!(choose(&mut offers, "service.200"), Some(id(0)));
    assert_eq!(choose(&mut offers, "service.202"), None);
    offers.upsert(scene(0, &[202]));
    assert_eq!(choose(&mut offers, "service.200"), None);
    assert_eq!(choose(&mut offers, "service.202"), Some(id(0)));
    // Who is no scene means every number.
    offers.upsert(ready(1, "go@0", &["service.*"]));
    assert_eq!(choose(&mut offers, "service.200"), Some(id(1)));
}

#[test]
fn one_without_a_link_is_left_for_when_there_is_nobody_else() {
    let mut offers = Offers::default();
    offers.upsert(loaded(0, "echo@0", 0));
    offers.upsert(loaded(1, "echo@1", 9));
    offers.unreachable(id(0), true);
    assert_eq!(choose(&mut offers, "echo"), Some(id(1)));
    offers.remove(id(1));
    assert_eq!(choose(&mut offers, "echo"), Some(id(0)));
    offers.upsert(loaded(1, "echo@1", 9));
    offers.unreachable(id(0), false);
    assert_eq!(choose(&mut offers, "echo"), Some(id(0)));
}

#[test]
fn a_name_is_its_latest_holders_and_only_while_that_is_ready() {
    let mut offers = Offers::default();
    offers.upsert(loaded(0, "echo@0", 0));
    offers.upsert(loaded(1, "echo@0", 0));
    offers.remove(id(0));
    assert_eq!(
        offers.named("echo@0").map(|chosen| chosen.node),
        Some(id(1))
    );
    assert_eq!(offers.named("echo@1"), None);
    let draining = NodeRecord {
        state: NodeState::Draining,
        ..record(id(1), "echo@0")
    };
    offers.upsert(Arc::new(draining));
    assert_eq!(offers.named("echo@0"), None);
}

#[test]
fn the_end_of_a_call_to_a_node_that_is_gone_is_nobody_elses() {
    let mut offers = Offers::default();
    offers.upsert(loaded(0, "echo@0", 0));
    let chosen = offers.choose("echo", anybody).unwrap();
    offers.remove(id(0));
    // It takes the place of the other.
    offers.upsert(loaded(1, "echo@1", 0));
    offers.upsert(loaded(2, "echo@2", 0));
    assert_eq!(choose(&mut offers, "echo"), Some(id(1)));
    offers.ended(chosen);
    assert_eq!(choose(&mut offers, "echo"), Some(id(2)));
}

#[derive(Clone, Debug)]
enum Step {
    Upsert {
        node: u8,
        state: NodeState,
        role: Role,
        methods: Vec<&'static str>,
        services: Vec<u32>,
        load: u64,
    },
    Remove(u8),
    Load(u8, u64),
    Unreachable(u8, bool),
    Clear,
    Choose {
        method: &'static str,
        forbidden: BTreeSet<u8>,
    },
    Named(u8),
    Ended(usize),
}

const OFFERED: &[&str] = &[
    "echo",
    "stat.*",
    "stat.get",
    "s*",
    "service.*",
    "service.5",
    "*",
];
const CALLED: &[&str] = &[
    "echo",
    "stat.get",
    "stat.",
    "service.5",
    "service.6",
    "service.05",
    "other",
];

fn step() -> impl Strategy<Value = Step> {
    let node = || 0..6_u8;
    let upsert = (
        node(),
        select(
            &[
                NodeState::Ready,
                NodeState::Ready,
                NodeState::Joining,
                NodeState::Draining,
            ][..],
        ),
        select(&[Role::Service, Role::Scene][..]),
        prop::collection::vec(select(OFFERED), 0..4),
        prop::collection::vec(4..7_u32, 0..3),
        0..3_u64,
    );
    prop_oneof![
        4 => upsert.prop_map(|(node, state, role, methods, services, load)| {
            Step::Upsert { node, state, role, methods, services, load }
        }),
        1 => node().prop_map(Step::Remove),
        2 => (node(), 0..4_u64).prop_map(|(node, load)| Step::Load(node, load)),
        1 => (node(), any::<bool>()).prop_map(|(node, so)| Step::Unreachable(node, so)),
        1 => Just(Step::Clear),
        8 => (select(CALLED), prop::collection::btree_set(node(), 0..2))
            .prop_map(|(method, forbidden)| Step::Choose { method, forbidden }),
        2 => node().prop_map(Step::Named),
        4 => (0..20_usize).prop_map(Step::Ended),
    ]
}

/// The same without any index: every node is looked at for every call.
#[derive(Default)]
struct Model {
    nodes: Vec<Modelled>,
    turn: u64,
}

struct Modelled {
    record: Arc<NodeRecord>,
    load: u64,
    under_way: u64,
    chosen: u64,
    unreachable: bool,
}

impl Model {
    fn choose(&mut self, fits: impl Fn(&NodeRecord) -> bool) -> Option<NodeId> {
        let ready = self
            .nodes
            .iter_mut()
            .filter(|node| node.record.is_ready() && fits(&node.record));
        let best = ready.min_by_key(|node| {
            (
                node.unreachable,
                node.load + node.under_way,
                node.chosen,
                node.record.id,
            )
        })?;
        self.turn += 1;
        best.chosen = self.turn;
        best.under_way += 1;
        Some(best.record.id)
    }

    fn get(&mut self, node: NodeId) -> Option<&mut Modelled> {
        self.nodes.iter_mut().find(|other| other.record.id == node)
    }
}

fn offers_it(record: &NodeRecord, method: &str) -> bool {
    let by_name = record
        .methods
        .iter()
        .any(|own| match own.strip_suffix('*') {
            Some("service.") if record.role == Role::Scene => false,
            Some(prefix) => method.starts_with(prefix),
            None => own == method,
        });
    let cmds = record.script.iter().flat_map(|script| &script.services);
    by_name
        || record.role == Role::Scene
            && cmds
                .into_iter()
                .any(|cmd| method == format!("service.{cmd}"))
}

proptest! {
    #[test]
    fn the_index_finds_whom_a_look_at_everybody_would(steps in prop::collection::vec(step(), 0..80)) {
        let (mut offers, mut model) = (Offers::default(), Model::default());
        let mut under_way: Vec<Chosen> = Vec::new();
        for step in steps {
            match step {
                Step::Upsert { node, state, role, methods, services, load } => {
                    let methods = methods.iter().map(ToString::to_string).collect();
                    let script = Some(Script { services, ..Script::default() });
                    let name = format!("node@{node}");
                    let record = Arc::new(NodeRecord { state, role, methods, script, load, ..record(id(node), &name) });
                    offers.upsert(Arc::clone(&record));
                    match model.get(id(node)) {
                        Some(known) => (known.record, known.load) = (record, load),
                        None => model.nodes.push(Modelled { record, load, under_way: 0, chosen: 0, unreachable: false }),
                    }
                }
                Step::Remove(node) => {
                    offers.remove(id(node));
                    model.nodes.retain(|other| other.record.id != id(node));
                    // An id is never given again; what it had under way may end yet,
                    // and must not be counted to one that happens to be called so here.
                    under_way.retain(|chosen| chosen.node != id(node));
                }
                Step::Load(node, load) => {
                    offers.load(id(node), load);
                    if let Some(known) = model.get(id(node)) {
                        known.load = load;
                    }
                }
                Step::Unreachable(node, so) => {
                    offers.unreachable(id(node), so);
                    if let Some(known) = model.get(id(node)) {
                        known.unreachable = so;
                    }
                }
                Step::Clear => {
                    offers.clear();
                    model.nodes.clear();
                    under_way.clear();
                }
                Step::Choose { method, forbidden } => {
                    let allowed = |name: &str| !forbidden.iter().any(|node| name == format!("node@{node}"));
                    let chosen = offers.choose(method, allowed);
                    let expected = model.choose(|record| {
                        allowed(record.name.as_str()) && offers_it(record, method)
                    });
                    prop_assert_eq!(chosen.map(|chosen| chosen.node), expected);
                    under_way.extend(chosen);
                }
                Step::Named(node) => {
                    let name = format!("node@{node}");
                    let chosen = offers.named(&name);
                    let expected = model.choose(|record| record.name.as_str() == name);
                    prop_assert_eq!(chosen.map(|chosen| chosen.node), expected);
                    under_way.extend(chosen);
                }
                Step::Ended(which) if !under_way.is_empty() => {
                    let chosen = under_way.swap_remove(which % under_way.len());
                    offers.ended(chosen);
                    if let Some(known) = model.get(chosen.node) {
                        known.under_way -= 1;
                    }
                }
                Step::Ended(_) => {}
            }
            // Nothing is kept of those who are gone.
            prop_assert_eq!(offers.ids.len(), model.nodes.len());
            prop_assert!(offers.nodes.len() <= 6);
            if model.nodes.iter().all(|node| !node.record.is_ready()) {
                prop_assert!(offers.methods.is_empty() && offers.cmds.is_empty() && offers.families.is_empty());
            }
        }
    }
}
