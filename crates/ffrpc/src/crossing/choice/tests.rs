use std::collections::BTreeMap;

use proptest::prelude::*;
use protocol::v1::{NodeState, Role};

use super::*;

/// As whose bridges a name is claimed.
const IDENTITY: u64 = 7;

fn group(name: &str) -> GroupName {
    name.parse().unwrap()
}

fn node(serial: u32) -> NodeId {
    NodeId::new(7, serial)
}

fn links(name: &str, identity: u64, reachable: bool) -> Vec<GroupLink> {
    vec![GroupLink {
        name: name.into(),
        identity,
        reachable,
    }]
}

/// `bridge@N`, which reaches GroupB.
fn bridge(number: u32) -> NodeRecord {
    NodeRecord {
        id: node(number),
        name: format!("bridge@{number}").parse().unwrap(),
        role: Role::Bridge,
        state: NodeState::Ready,
        address: String::new(),
        methods: Vec::new(),
        load: 0,
        build: String::new(),
        script: None,
        groups: links("GroupB", IDENTITY, true),
    }
}

fn bridges(numbers: impl IntoIterator<Item = u32>) -> Vec<Arc<NodeRecord>> {
    numbers.into_iter().map(bridge).map(Arc::new).collect()
}

/// Whom a node asks for GroupB.
fn chosen(bridges: &[Arc<NodeRecord>], silent: &[u32]) -> Result<NodeId, CallError> {
    let is_silent = |id| silent.iter().any(|number| node(*number) == id);
    choose(node(1000), &group("GroupB"), bridges.iter(), is_silent).map(|bridge| bridge.id)
}

/// The bridges of 2,000 callers.
fn spread(bridges: &[Arc<NodeRecord>]) -> BTreeMap<u32, NodeId> {
    let choose = |caller| choose(node(caller), &group("GroupB"), bridges.iter(), |_| false);
    let callers = 1000..3000;
    callers
        .map(|caller| (caller, choose(caller).unwrap().id))
        .collect()
}

#[test]
fn bridges_share_the_callers_evenly() {
    for count in 1..6 {
        let mut counts = BTreeMap::new();
        for bridge in spread(&bridges(0..count)).into_values() {
            *counts.entry(bridge).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), count as usize);
        let fair = 2000 / count;
        for share in counts.into_values() {
            assert!((fair * 4 / 5..=fair * 6 / 5).contains(&share), "{share}");
        }
    }
}

#[test]
fn a_caller_does_not_call_all_groups_by_one_bridge() {
    let mut several = bridges(0..2);
    for bridge in &mut several {
        let links = (0..200).map(|number| GroupLink {
            name: format!("Group{number}"),
            identity: number,
            reachable: true,
        });
        Arc::make_mut(bridge).groups = links.collect();
    }
    let by_the_first = (0..200).filter(|number| {
        let group = group(&format!("Group{number}"));
        choose(node(1000), &group, several.iter(), |_| false)
            .unwrap()
            .id
            == node(0)
    });
    assert!((70..130).contains(&by_the_first.count()));
}

proptest! {
    #[test]
    fn a_bridge_that_comes_or_goes_moves_only_its_own_callers(
        numbers in prop::collection::btree_set(0..500u32, 1..8),
        other in 500..1000u32,
    ) {
        let before = spread(&bridges(numbers.iter().copied()));
        let after = spread(&bridges(numbers.iter().copied().chain([other])));
        for (caller, bridge) in &after {
            prop_assert!(*bridge == node(other) || before[caller] == *bridge);
        }
    }

    #[test]
    fn whoever_is_chosen_reaches_the_group_and_takes_calls(
        states in prop::collection::vec((1..4i32, any::<bool>(), any::<bool>()), 0..6)
    ) {
        let mut all = bridges(0..states.len() as u32);
        let mut silent = Vec::new();
        for (number, (state, reachable, is_silent)) in states.iter().enumerate() {
            let bridge = Arc::make_mut(&mut all[number]);
            bridge.state = NodeState::try_from(*state).unwrap();
            bridge.groups = links("GroupB", IDENTITY, *reachable);
            silent.extend(is_silent.then_some(number as u32));
        }
        let usable = |number: usize| {
            let (_, reachable, is_silent) = states[number];
            all[number].is_ready() && reachable && !is_silent
        };
        match chosen(&all, &silent) {
            Ok(id) => prop_assert!(usable(all.iter().position(|one| one.id == id).unwrap())),
            Err(error) => {
                prop_assert!(!(0..all.len()).any(usable));
                let kind = if all.is_empty() { ErrorKind::NotFound } else { ErrorKind::Unavailable };
                prop_assert_eq!(error.kind, kind);
            }
        }
    }
}

#[test]
fn a_group_that_no_bridge_joins_is_not_found() {
    let mut elsewhere = bridges([0]);
    Arc::make_mut(&mut elsewhere[0]).groups = links("GroupC", 9, true);
    for known in [&[][..], &elsewhere] {
        let error = chosen(known, &[]).unwrap_err();
        assert_eq!(error.kind, ErrorKind::NotFound);
        assert_eq!(error.message, "no bridge of this group joins GroupB");
    }
}

#[test]
fn where_no_bridge_will_do_each_is_named_with_the_reason() {
    let mut all = bridges(0..3);
    Arc::make_mut(&mut all[0]).groups = links("GroupB", 0, false);
    Arc::make_mut(&mut all[1]).state = NodeState::Draining;
    let error = chosen(&all, &[2]).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable);
    assert_eq!(
        error.message,
        "GroupB cannot be reached now: bridge@0 does not reach it, \
         bridge@1 takes no new calls, bridge@2 does not answer"
    );
}

#[test]
fn a_name_that_two_groups_claim_is_called_by_neither_bridge() {
    let mut all = bridges(0..3);
    Arc::make_mut(&mut all[2]).groups = links("GroupB", 8, true);
    let error = chosen(&all, &[]).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable);
    assert!(
        error.message.starts_with(
            "two groups claim the name GroupB: bridge@1 reaches one and bridge@2 another"
        ),
        "{error}"
    );
    // Nor while the bridge to one of them cannot be used itself.
    assert_eq!(chosen(&all, &[0, 1]).unwrap_err(), error);
    Arc::make_mut(&mut all[2]).state = NodeState::Draining;
    assert_eq!(chosen(&all, &[]).unwrap_err(), error);
    Arc::make_mut(&mut all[2]).groups = links("GroupB", 8, false);
    assert_eq!(chosen(&all, &[]).unwrap_err(), error);
    // One that has never been there claims nothing.
    Arc::make_mut(&mut all[2]).groups = links("GroupB", 0, true);
    assert!(chosen(&all, &[]).is_ok());
}
