//! What a directory decides, one case after the other.

use super::*;
use protocol::v1::{GroupLink, Script};

pub(super) const LEASE: Duration = Duration::from_secs(3);

pub(super) fn directory_of(epoch: u32) -> Directory {
    Directory::new(
        epoch,
        LEASE,
        NodeRecord {
            name: "master@0".into(),
            role: Role::Master.into(),
            state: NodeState::Ready.into(),
            ..NodeRecord::default()
        },
    )
}

fn directory() -> Directory {
    directory_of(9)
}

pub(super) fn hello(name: &str, incarnation: u64) -> Hello {
    Hello {
        name: name.into(),
        role: Role::Scene.into(),
        incarnation,
        ..Hello::default()
    }
}

pub(super) fn ready(load: u64) -> Report {
    Report {
        state: NodeState::Ready.into(),
        load,
        ..Report::default()
    }
}

fn join(directory: &mut Directory, name: &str, incarnation: u64, now: Instant) -> Joined {
    directory
        .join(&hello(name, incarnation), None, now)
        .unwrap()
}

/// What a node of `directory` would claim that has heard everything.
fn claim_of(directory: &Directory, node: NodeId) -> Option<Claim> {
    Some(Claim {
        node,
        epoch: directory.epoch,
        revision: directory.revision,
    })
}

fn removed(deltas: &[Delta]) -> Vec<NodeId> {
    deltas
        .iter()
        .filter_map(|delta| match delta.change {
            Some(Change::Removed(id)) => Some(NodeId::from_u64(id)),
            _ => None,
        })
        .collect()
}

/// Lets time pass as it does for a master that runs.
fn pass(directory: &mut Directory, from: Instant, time: Duration) -> Vec<Delta> {
    let step = Duration::from_millis(100);
    let steps = (time.as_millis() / step.as_millis()) as u32;
    (0..=steps)
        .flat_map(|n| directory.tick(from + step * n))
        .collect()
}

#[test]
fn a_live_name_is_refused_with_its_holder() {
    let (mut directory, now) = (directory(), Instant::now());
    let holder = join(&mut directory, "scene@0", 1, now).node;
    let refusal = directory.join(&hello("scene@0", 2), None, now).unwrap_err();
    let name = "scene@0".parse().unwrap();
    assert_eq!(refusal, JoinRefusal::NameTaken { name, holder });
    let service = Hello {
        role: Role::Service.into(),
        ..hello("master@0", 2)
    };
    let masters = directory.join(&service, None, now);
    assert!(matches!(masters, Err(JoinRefusal::NameTaken { .. })));
}

#[test]
fn a_suspect_stays_until_its_lease_has_run_out() {
    let (mut directory, start) = (directory(), Instant::now());
    let joined = join(&mut directory, "scene@0", 1, start);
    assert!(directory.disconnected(joined.node, joined.stream));
    for tenth in 0..30 {
        assert_eq!(directory.tick(start + LEASE / 30 * tenth), []);
    }
    assert_eq!(removed(&directory.tick(start + LEASE)), [joined.node]);
    assert!(!directory.contains(joined.node));
}

#[test]
fn a_newcomer_takes_a_suspects_name_at_once() {
    let (mut directory, now) = (directory(), Instant::now());
    let old = join(&mut directory, "scene@0", 1, now);
    directory.disconnected(old.node, old.stream);
    let new = join(&mut directory, "scene@0", 2, now);
    assert_ne!(old.node, new.node);
    assert_eq!(removed(&new.deltas), [old.node]);
    assert!(matches!(new.deltas[1].change, Some(Change::Upserted(_))));
}

#[test]
fn a_silent_node_is_gone_though_its_stream_is_open() {
    let (mut directory, start) = (directory(), Instant::now());
    let node = join(&mut directory, "scene@0", 1, start).node;
    pass(&mut directory, start, LEASE - Duration::from_millis(100));
    assert!(directory.contains(node));
    pass(&mut directory, start, LEASE);
    assert!(!directory.contains(node));
}

#[test]
fn the_masters_own_pause_costs_nobody_the_lease() {
    let (mut directory, start) = (directory(), Instant::now());
    let node = join(&mut directory, "scene@0", 1, start).node;
    directory.tick(start);
    let woken = start + Duration::from_secs(60);
    assert_eq!(directory.tick(woken), []);
    assert!(directory.contains(node));
}

#[test]
fn who_was_heard_after_the_masters_pause_has_one_lease_and_no_more() {
    let (mut directory, start) = (directory(), Instant::now());
    let node = join(&mut directory, "scene@0", 1, start).node;
    directory.tick(start);
    let woken = start + Duration::from_secs(60);
    directory.report(node, ready(1), woken);
    directory.tick(woken);
    pass(&mut directory, woken, LEASE);
    assert!(!directory.contains(node));
}

#[test]
fn a_name_is_of_its_role() {
    let now = Instant::now();
    let refusal = |name: &str, role: Role| {
        let hello = Hello {
            role: role.into(),
            address: "host:7000".into(),
            ..hello(name, 1)
        };
        directory().join(&hello, None, now).err()
    };
    for (name, role) in [
        ("slave@1", Role::Slave),
        ("gate@1", Role::Gate),
        ("scene@1", Role::Scene),
        ("bridge@1", Role::Bridge),
        ("svc@1", Role::Service),
    ] {
        assert_eq!(refusal(name, role), None);
        for other in [
            Role::Slave,
            Role::Gate,
            Role::Scene,
            Role::Bridge,
            Role::Service,
        ] {
            let called = JoinRefusal::Called(name.parse().unwrap());
            // A service may have a gate's name, and is none by that.
            let fits = other == role || (other, role) == (Role::Service, Role::Gate);
            let fits = fits || (other, role) == (Role::Service, Role::Scene);
            let expected = (!fits).then_some(called);
            assert_eq!(refusal(name, other), expected, "{name} as {other:?}");
        }
    }
}

pub(super) fn bridge(name: &str) -> Hello {
    Hello {
        role: Role::Bridge.into(),
        ..hello(name, 1)
    }
}

fn links(names: &[&str]) -> Vec<GroupLink> {
    let link = |name: &&str| GroupLink {
        name: (*name).into(),
        identity: 7,
        reachable: true,
    };
    names.iter().map(link).collect()
}

fn joining(groups: Vec<GroupLink>) -> Report {
    Report { groups, ..ready(0) }
}

#[test]
fn the_groups_of_a_bridge_are_told_when_they_change() {
    let (mut directory, now) = (directory(), Instant::now());
    let node = directory.join(&bridge("bridge@0"), None, now).unwrap().node;
    let mut told = |groups| {
        let delta = directory.report(node, joining(groups), now)?;
        match delta.change {
            Some(Change::Upserted(record)) => Some(record.groups),
            other => panic!("no record but {other:?}"),
        }
    };
    let both = links(&["GroupB", "GroupC"]);
    assert_eq!(told(both.clone()), Some(both.clone()));
    assert_eq!(told(both.clone()), None);
    assert_eq!(told(both.iter().rev().cloned().collect()), None);
    let mut away = both.clone();
    away[1].reachable = false;
    assert_eq!(told(away.clone()), Some(away.clone()));
    away[0].identity = 8;
    assert_eq!(told(away.clone()), Some(away));
    // What nobody should have to keep counts as nothing.
    let names: Vec<String> = (0..257).map(|n| format!("Group{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    assert_eq!(told(links(&names)), Some(vec![]));
    assert_eq!(told(links(&["GroupB", "Group B"])), None);
    assert_eq!(told(Vec::new()), None);
    assert_eq!(told(links(&names[..256])).unwrap().len(), 256);
}

#[test]
fn only_of_bridges_groups_are_taken() {
    let (mut directory, now) = (directory(), Instant::now());
    for (name, role) in [
        ("scene@0", Role::Scene),
        ("gate@0", Role::Gate),
        ("svc@0", Role::Service),
    ] {
        let hello = Hello {
            role: role.into(),
            ..hello(name, 1)
        };
        let node = directory.join(&hello, None, now).unwrap().node;
        let report = joining(links(&["GroupB"]));
        assert!(directory.report(node, report.clone(), now).is_some());
        assert!(directory.report(node, report, now).is_none());
        assert_eq!(directory.members[&node].record.groups, []);
    }
}

#[test]
fn a_bridge_that_comes_back_has_its_groups_and_tells_a_later_run_again() {
    let (mut before, now) = (directory_of(8), Instant::now());
    let old = before.join(&bridge("bridge@0"), None, now).unwrap();
    let report = joining(links(&["GroupB"]));
    before.report(old.node, report.clone(), now);
    before.disconnected(old.node, old.stream);
    let claim = claim_of(&before, old.node);
    let back = before.join(&bridge("bridge@0"), claim, now).unwrap();
    assert_eq!((back.node, back.deltas), (old.node, vec![]));
    assert_eq!(before.snapshot().nodes[1].groups, report.groups);

    let claim = claim_of(&before, old.node);
    let mut later = directory().rebuilding(now);
    let back = later.join(&bridge("bridge@0"), claim, now).unwrap();
    assert_eq!((back.node, later.bridges()), (old.node, 1));
    assert_eq!(later.members[&back.node].record.groups, []);
    assert!(later.report(back.node, report.clone(), now).is_some());
    assert_eq!(later.members[&back.node].record.groups, report.groups);
}

#[test]
fn a_bridge_is_told_all_loads_once_and_then_those_that_changed() {
    let (mut directory, now) = (directory(), Instant::now());
    let scenes = [0, 1, 2].map(|n| join(&mut directory, &format!("scene@{n}"), 1, now).node);
    directory.report(scenes[0], ready(4), now);
    assert_eq!(directory.loads.kept(), [], "written for nobody");
    let one = directory.join(&bridge("bridge@0"), None, now).unwrap().node;
    let told = |directory: &Directory, mark: &mut Option<LoadMark>| {
        let (loads, next) = directory.loads(*mark);
        *mark = Some(next);
        let load = |load: &Load| (NodeId::from_u64(load.node_id), load.load);
        loads.iter().map(load).collect::<Vec<_>>()
    };
    let (mut early, mut late) = (None, None);
    let (master, [first, second, third]) = (directory.master(), scenes);
    let all = [(master, 0), (first, 4), (second, 0), (third, 0), (one, 0)];
    assert_eq!(told(&directory, &mut early), all);
    assert_eq!(told(&directory, &mut early), []);
    directory.report(second, ready(1), now);
    directory.report(second, ready(2), now);
    directory.report(third, ready(0), now);
    assert_eq!(told(&directory, &mut late).len(), 5);
    assert_eq!(told(&directory, &mut early), [(second, 2)]);
    directory.report(third, ready(9), now);
    directory.report(first, ready(5), now);
    directory.leave(first);
    for mark in [&mut early, &mut late] {
        assert_eq!(told(&directory, mark), [(third, 9)]);
    }
    directory.leave(one);
    assert_eq!((directory.loads.kept(), directory.bridges()), (vec![], 0));
}

#[test]
fn load_alone_is_no_change() {
    let (mut directory, now) = (directory(), Instant::now());
    let node = join(&mut directory, "scene@0", 1, now).node;
    assert!(directory.report(node, ready(1), now).is_some());
    assert!(directory.report(node, ready(2), now).is_none());
    assert_eq!(directory.snapshot().nodes[1].load, 2);
}

#[test]
fn the_same_process_comes_back_as_who_it_was_live_or_suspect() {
    for suspect in [false, true] {
        let (mut directory, now) = (directory(), Instant::now());
        let old = join(&mut directory, "scene@0", 1, now);
        let script = Script {
            version: 3,
            hash: "a1b2".into(),
            services: vec![200, 201],
        };
        let report = Report {
            script: Some(script.clone()),
            ..ready(5)
        };
        directory.report(old.node, report, now);
        if suspect {
            directory.disconnected(old.node, old.stream);
        }
        let claim = claim_of(&directory, old.node);
        let new = directory.join(&hello("scene@0", 1), claim, now).unwrap();
        assert_eq!((new.node, new.deltas), (old.node, vec![]));
        let record = &directory.snapshot().nodes[1];
        assert_eq!((record.state(), record.load), (NodeState::Ready, 5));
        assert_eq!(record.script, Some(script));
        // The end of the older stream comes late, and means nothing.
        assert!(!directory.disconnected(old.node, old.stream));
        assert!(directory.is_live(old.node));
        assert!(directory.disconnected(new.node, new.stream));
    }
}

#[test]
fn another_process_gets_no_id_that_it_claims() {
    let (mut directory, start) = (directory(), Instant::now());
    let old = join(&mut directory, "scene@0", 1, start);
    let claim = claim_of(&directory, old.node);
    let refused = directory.join(&hello("scene@0", 2), claim, start);
    assert!(matches!(refused, Err(JoinRefusal::NameTaken { .. })));
    let renamed = directory.join(&hello("scene@1", 1), claim, start).unwrap();
    assert_ne!(renamed.node, old.node);
    // Nor does the same process when its lease has ended.
    pass(&mut directory, start, LEASE);
    let late = directory.join(&hello("scene@0", 1), claim, start + LEASE);
    assert_ne!(late.unwrap().node, old.node);
}

#[test]
fn what_comes_from_the_future_is_refused() {
    let (mut directory, now) = (directory(), Instant::now());
    let node = join(&mut directory, "scene@0", 1, now).node;
    let claim = claim_of(&directory, node).unwrap();
    let mut refusal = |claim| {
        directory
            .join(&hello("scene@0", 1), Some(claim), now)
            .unwrap_err()
    };
    let revision = Claim {
        revision: claim.revision + 1,
        ..claim
    };
    assert!(
        matches!(refusal(revision), JoinRefusal::FutureRevision { claimed, .. } if claimed == revision.revision)
    );
    let epoch = Claim { epoch: 10, ..claim };
    assert!(matches!(
        refusal(epoch),
        JoinRefusal::FutureEpoch {
            claimed: 10,
            epoch: 9,
            ..
        }
    ));
    let id = Claim {
        node: NodeId::new(11, 1),
        ..claim
    };
    assert!(matches!(
        refusal(id),
        JoinRefusal::FutureEpoch { claimed: 11, .. }
    ));
}

#[test]
fn a_broker_has_to_say_where_it_is_reached() {
    let (mut directory, now) = (directory(), Instant::now());
    let mut slave = Hello {
        role: Role::Slave.into(),
        ..hello("slave@0", 1)
    };
    for wrong in ["", "here", ":7000", "host:", "host:0", "host:70000"] {
        slave.address = wrong.into();
        let refused = directory.join(&slave, None, now);
        assert!(
            matches!(refused, Err(JoinRefusal::Address(_))),
            "{wrong} was taken"
        );
    }
    slave.address = "[::1]:7000".into();
    directory.join(&slave, None, now).unwrap();
    let record = &directory.snapshot().nodes[1];
    assert_eq!(
        (record.role(), &record.address),
        (Role::Slave, &slave.address)
    );
}

#[test]
fn a_node_that_tells_too_much_is_refused() {
    let (mut directory, now) = (directory(), Instant::now());
    let long = Hello {
        methods: vec!["m".repeat(1 << 20)],
        ..hello("scene@0", 1)
    };
    let many = Hello {
        methods: vec!["m".into(); MAX_METHODS + 1],
        ..hello("scene@0", 1)
    };
    // Each is small enough, and so is their number.
    let together = Hello {
        methods: vec!["m".repeat(33); 500],
        ..hello("scene@0", 1)
    };
    for too_much in [long, many, together] {
        let refused = directory.join(&too_much, None, now);
        assert!(matches!(refused, Err(JoinRefusal::Size(_))));
    }
    let enough = Hello {
        methods: vec!["m".repeat(32); 512],
        ..hello("scene@0", 1)
    };
    directory.join(&enough, None, now).unwrap();
}

#[test]
fn the_least_loaded_is_ready_live_and_counts_who_was_sent_to_it() {
    let (mut directory, now) = (directory(), Instant::now());
    assert_eq!(directory.least_loaded(Role::Scene), None);
    let ids: Vec<_> = (0..4)
        .map(|n| join(&mut directory, &format!("scene@{n}"), 1, now))
        .collect();
    let [one, two, draining, suspect] = [0, 1, 2, 3].map(|n| ids[n].node);
    assert_eq!(directory.least_loaded(Role::Scene), None);
    for node in [one, two, suspect] {
        directory.report(node, ready(0), now);
    }
    let report = Report {
        state: NodeState::Draining.into(),
        ..ready(0)
    };
    directory.report(draining, report, now);
    directory.disconnected(suspect, ids[3].stream);
    assert_eq!(directory.least_loaded(Role::Gate), None);

    let mut given = [0; 2];
    for _ in 0..100 {
        let node = directory.least_loaded(Role::Scene).unwrap();
        given[[one, two].iter().position(|id| *id == node).unwrap()] += 1;
    }
    assert_eq!(given, [50, 50]);
    // A placement counts until the second report after it: the first may have
    // been on its way already.
    directory.report(one, ready(0), now);
    assert_eq!(directory.members[&one].load(), 50);
    directory.report(one, ready(50), now);
    assert_eq!(directory.members[&one].load(), 50);
    // Where nobody else is, a suspect is better than nothing.
    directory.leave(one);
    directory.leave(two);
    assert_eq!(directory.least_loaded(Role::Scene), Some(suspect));
}

/// A later run, and nodes of the earlier one with what they held.
fn rebuilding(names: &[&str], now: Instant) -> (Directory, Vec<Claim>) {
    let mut before = directory_of(8);
    let claims = names
        .iter()
        .map(|name| {
            let node = join(&mut before, name, 1, now).node;
            claim_of(&before, node).unwrap()
        })
        .collect();
    (directory().rebuilding(now), claims)
}

#[test]
fn a_new_master_takes_back_the_nodes_of_the_earlier_run_and_newcomers_after_a_lease() {
    let now = Instant::now();
    let (mut directory, claims) = rebuilding(&["scene@0", "scene@1"], now);
    let newcomer = |directory: &mut Directory, now| directory.join(&hello("scene@7", 5), None, now);
    assert_eq!(
        newcomer(&mut directory, now).unwrap_err(),
        JoinRefusal::Rebuilding
    );
    let back = directory
        .join(&hello("scene@0", 1), Some(claims[0]), now)
        .unwrap();
    assert_eq!(back.node, claims[0].node);
    directory.report(back.node, ready(3), now + LEASE / 2);
    pass(&mut directory, now, LEASE - Duration::from_millis(100));
    assert!(directory.is_rebuilding());
    directory.report(back.node, ready(3), now + LEASE / 2);

    let over = now + LEASE;
    assert_eq!(directory.tick(over), []);
    assert!(!directory.is_rebuilding());
    assert!(newcomer(&mut directory, over).is_ok());
    // Who comes now has been away for longer than a lease.
    let late = directory
        .join(&hello("scene@1", 1), Some(claims[1]), over)
        .unwrap();
    assert_ne!(late.node, claims[1].node);
    assert_eq!(late.node.epoch(), 9);
    // Its claim was answered, and the answer was lost: it asks again.
    let again = directory
        .join(&hello("scene@0", 1), Some(claims[0]), over)
        .unwrap();
    assert_eq!(again.node, claims[0].node);
}

#[test]
fn of_two_claims_to_one_name_the_later_one_holds() {
    let now = Instant::now();
    for earlier_comes_first in [true, false] {
        let (mut directory, claims) = rebuilding(&["scene@0", "scene@1"], now);
        let [earlier, later] = [claims[0], claims[1]];
        assert!(earlier.revision < later.revision);
        let mut claim =
            |claim, incarnation| directory.join(&hello("scene@0", incarnation), Some(claim), now);
        if earlier_comes_first {
            claim(earlier, 1).unwrap();
            let joined = claim(later, 2).unwrap();
            assert_eq!(joined.node, later.node);
            assert_eq!(removed(&joined.deltas), [earlier.node]);
        } else {
            claim(later, 2).unwrap();
            let refused = claim(earlier, 1).unwrap_err();
            let (name, holder) = ("scene@0".parse().unwrap(), later.node);
            assert_eq!(refused, JoinRefusal::Superseded { name, holder });
        }
        assert!(directory.contains(later.node) && !directory.contains(earlier.node));
    }
}

#[test]
fn a_masters_pause_prolongs_the_rebuild() {
    let now = Instant::now();
    let (mut directory, _) = rebuilding(&[], now);
    directory.tick(now + Duration::from_secs(60));
    assert!(directory.is_rebuilding());
    pass(&mut directory, now + Duration::from_secs(60), LEASE);
    assert!(!directory.is_rebuilding());
}
