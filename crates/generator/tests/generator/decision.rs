//! What holds of the decision for any group.

use std::{collections::BTreeSet, fmt::Write as _};

use generator::Unit;
use proptest::{collection::vec, prelude::*};
use topology::Topology;

use crate::support::Machine;

const MACHINES: [&str; 4] = ["a", "b", "c", "localhost"];
const ORDER: [&str; 4] = ["master", "slave", "scene", "gate"];

/// A group whose nodes are on these machines.
fn group(master: usize, slaves: &[usize], scenes: &[usize], gates: &[usize]) -> Topology {
    let mut text = String::from("group = \"GroupA\"\n[master]\nlisten = \"127.0.0.1:10241\"\n");
    let _ = writeln!(text, "machine = \"{}\"", MACHINES[master]);
    let mut port = 20_000;
    for (role, places, key) in [
        ("slave", slaves, "listen"),
        ("scene", scenes, ""),
        ("gate", gates, "tcp"),
    ] {
        for (index, place) in places.iter().enumerate() {
            port += 1;
            let _ = writeln!(
                text,
                "[{role}s.\"{role}@{index}\"]\nmachine = \"{}\"",
                MACHINES[*place]
            );
            let _ = match key {
                "" => writeln!(text, "script = \"/srv/main.py\""),
                key => writeln!(text, "{key} = \"127.0.0.1:{port}\""),
            };
        }
    }
    let machine = Machine::named("a");
    machine.file("topology.toml", text);
    Topology::load_layout(&machine.etc().join("topology.toml")).unwrap()
}

fn rank(unit: &Unit) -> usize {
    ORDER
        .iter()
        .position(|role| *role == unit.node.role())
        .unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_node_is_wanted_by_its_own_machine_and_comes_after_those_of_earlier_roles(
        master in 0..4usize,
        slaves in vec(0..4usize, 0..4),
        scenes in vec(0..4usize, 1..4),
        gates in vec(0..4usize, 0..4),
    ) {
        let plan = group(master, &slaves, &scenes, &gates);
        let mut all = BTreeSet::new();
        for machine in &MACHINES[..3] {
            let units = generator::units(Some(&plan), None, machine);
            let names: Vec<_> = units.iter().map(|unit| unit.node.clone()).collect();
            prop_assert_eq!(&names, &plan.roles_on(machine));
            for (index, unit) in units.iter().enumerate() {
                let earlier = units.iter().filter(|other| rank(other) < rank(unit));
                prop_assert_eq!(&unit.after, &earlier.map(Unit::name).collect::<Vec<_>>());
                // Nothing is ordered after what stands behind it: no circle.
                let before: Vec<_> = units[..index].iter().map(Unit::name).collect();
                prop_assert!(unit.after.iter().all(|name| before.contains(name)));
            }
            all.extend(names);
        }
        prop_assert_eq!(all.len(), 1 + slaves.len() + scenes.len() + gates.len());
    }
}
