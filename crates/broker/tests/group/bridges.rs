//! What bridges hear that nobody else does.

use std::{collections::BTreeMap, time::Duration};

use metrics_exporter_prometheus::PrometheusBuilder;
use protocol::{
    tls::PeerNames,
    v1::{
        Exports, GroupLink, Hello, Loads, NodeState, Report, Resync, Role, delta::Change,
        join_request::Request, join_response::Response,
    },
};
use tokio::{
    task::yield_now,
    time::{Instant, sleep},
};
use tonic::Code;

use crate::harness::{Group, IDENTITY, LEASE, Member, exports, hello};

/// How often bridges hear of loads, at most.
const PERIOD: Duration = Duration::from_secs(1);

fn bridge(name: &str) -> Hello {
    Hello {
        role: Role::Bridge.into(),
        ..hello(name)
    }
}

fn scene(name: &str) -> Hello {
    Hello {
        role: Role::Scene.into(),
        ..hello(name)
    }
}

async fn next(member: &mut Member) -> Response {
    member.stream.next().await.unwrap().unwrap()
}

async fn told_exports(member: &mut Member) -> Exports {
    match next(member).await {
        Response::Exports(exports) => exports,
        other => panic!("no exports but {other:?}"),
    }
}

fn by_node(loads: Loads) -> BTreeMap<u64, u64> {
    let loads = loads.loads.into_iter();
    loads.map(|load| (load.node_id, load.load)).collect()
}

/// The next loads, with the changes before them taken.
async fn told_loads(member: &mut Member) -> BTreeMap<u64, u64> {
    loop {
        match next(member).await {
            Response::Loads(loads) => return by_node(loads),
            Response::Delta(delta) => assert!(member.take_delta(delta), "a gap"),
            other => panic!("no loads but {other:?}"),
        }
    }
}

/// A bridge that has read all that comes with its welcome.
async fn joined(group: &Group, hello: Hello) -> Member {
    let mut bridge = group.welcomed(hello).await.unwrap();
    told_exports(&mut bridge).await;
    bridge.read_snapshot().await;
    told_loads(&mut bridge).await;
    bridge
}

#[tokio::test(start_paused = true)]
async fn a_bridge_hears_exports_and_loads_and_a_scene_hears_neither() {
    let group = Group::start(7);
    let mut scene = group.welcomed(scene("scene@0")).await.unwrap();
    scene.read_snapshot().await;
    scene.report(NodeState::Ready, 3).await;
    sleep(LEASE / 10).await;

    let mut bridge = group.welcomed(bridge("bridge@0")).await.unwrap();
    assert_eq!(bridge.welcome.group, "GroupA");
    assert_eq!(bridge.welcome.identity, IDENTITY);
    assert_eq!(scene.welcome.identity, IDENTITY);
    // Behind the welcome, in this order and at once.
    let began = Instant::now();
    assert_eq!(told_exports(&mut bridge).await, exports("stats"));
    bridge.read_snapshot().await;
    let loads = told_loads(&mut bridge).await;
    let nodes: BTreeMap<_, _> = bridge
        .replica
        .iter()
        .map(|(id, node)| (*id, node.load))
        .collect();
    assert_eq!((loads.len(), &loads), (3, &nodes));
    assert_eq!(loads[&scene.id().as_u64()], 3);
    assert!(began.elapsed() < PERIOD / 10);

    scene.report(NodeState::Ready, 4).await;
    let loads = told_loads(&mut bridge).await;
    assert_eq!(loads, BTreeMap::from([(scene.id().as_u64(), 4)]));
    group.registry.set_exports(exports("other"));
    assert_eq!(told_exports(&mut bridge).await, exports("other"));
    // The scene has heard of the bridge, and panics at what is for bridges.
    scene.take_what_waits();
    assert_eq!(scene.replica.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn loads_come_once_a_second_and_only_those_that_changed() {
    let group = Group::start(7);
    let nodes = [
        group.member("svc@0").await,
        group.member("svc@1").await,
        group.member("svc@2").await,
    ];
    let mut bridge = joined(&group, bridge("bridge@0")).await;
    let [one, two, _] = [0, 1, 2].map(|n| nodes[n].id().as_u64());
    let mut last = Instant::now();
    for round in 1..20 {
        for load in 0..10 {
            nodes[0].report(NodeState::Ready, round * 100 + load).await;
            nodes[2].report(NodeState::Ready, 0).await;
            bridge.report(NodeState::Ready, 0).await;
            if round == 10 {
                nodes[1].report(NodeState::Ready, 5).await;
            }
            sleep(PERIOD / 20).await;
        }
        nodes[1].report(NodeState::Ready, 5).await;
        let loads = told_loads(&mut bridge).await;
        if round > 1 {
            assert!(last.elapsed() >= PERIOD, "after {:?}", last.elapsed());
        }
        last = Instant::now();
        let expected = match round {
            1 => BTreeMap::from([(one, 109), (two, 5)]),
            _ => BTreeMap::from([(one, round * 100 + 9)]),
        };
        assert_eq!(loads, expected);
    }
    // Where nothing changes, nothing is said.
    for _ in 0..10 {
        for node in &nodes {
            let load = if node.id().as_u64() == one { 1909 } else { 0 };
            let load = if node.id().as_u64() == two { 5 } else { load };
            node.report(NodeState::Ready, load).await;
        }
        bridge.report(NodeState::Ready, 0).await;
        sleep(PERIOD / 2).await;
    }
    assert!(bridge.stream.waiting().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_bridge_that_comes_back_hears_everything_again() {
    let group = Group::start(7);
    let scene = group.member("svc@0").await;
    let node = joined(&group, bridge("bridge@0")).await;
    let report = Report {
        state: NodeState::Ready.into(),
        groups: vec![GroupLink {
            name: "GroupB".into(),
            identity: 5,
            reachable: true,
        }],
        ..Report::default()
    };
    node.stream.say(Request::Report(report.clone())).await;
    scene.report(NodeState::Ready, 8).await;
    sleep(LEASE / 10).await;
    group.registry.set_exports(exports("other"));
    let hello = node.returning();
    let id = node.id();
    drop(node);
    let mut back = group.welcomed(hello.clone()).await.unwrap();
    assert_eq!(back.id(), id);
    assert_eq!(told_exports(&mut back).await, exports("other"));
    back.read_snapshot().await;
    assert_eq!(back.replica[&id.as_u64()].groups, report.groups);
    assert_eq!(told_loads(&mut back).await.len(), 3);

    // And of a later run at once, but of the directory when it is whole.
    let hello = back.returning();
    let group = group.restart();
    let mut back = group.welcomed(hello).await.unwrap();
    assert_eq!((back.id(), back.welcome.epoch), (id, 8));
    assert_eq!(told_exports(&mut back).await, exports("stats"));
    assert!(back.stream.waiting().is_none(), "told of half a directory");
    back.stream.say(Request::Report(report.clone())).await;
    back.live(LEASE / 2).await;
    group.registry.set_exports(exports("third"));
    assert_eq!(told_exports(&mut back).await, exports("third"));
    for _ in 0..8 {
        back.stream.say(Request::Report(report.clone())).await;
        sleep(LEASE / 8).await;
    }
    back.read_snapshot().await;
    assert_eq!(back.replica[&id.as_u64()].groups, report.groups);
    assert_eq!(told_loads(&mut back).await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_bridge_that_does_not_read_is_owed_what_there_was_no_room_for() {
    let group = Group::start(7);
    let mut slow = joined(&group, bridge("bridge@0")).await;
    let mut quick = joined(&group, bridge("bridge@1")).await;
    let busy = group.member("svc@0").await;
    // Each change of state is a change of the directory.
    let mut exported = 0;
    for round in 0..400 {
        let state = match round % 2 {
            0 => NodeState::Ready,
            _ => NodeState::Draining,
        };
        busy.report(state, round).await;
        for one in [&slow, &quick] {
            one.report(NodeState::Ready, 0).await;
        }
        if round % 100 == 0 {
            exported = round;
            group.registry.set_exports(exports(&format!("m{round}")));
        }
        sleep(PERIOD / 100).await;
        while quick.stream.waiting().is_some() {}
    }
    group.registry.set_exports(exports("last"));
    assert_eq!(told_exports(&mut quick).await, exports("last"));

    let mut seen = Vec::new();
    let mut told = None;
    loop {
        // A channel does not give more than so much to one poll.
        yield_now().await;
        match slow.stream.waiting() {
            Some(Response::Delta(delta)) => {
                let Some(Change::Upserted(_)) = delta.change else {
                    panic!("somebody is gone")
                };
                assert!(slow.take_delta(delta), "a gap");
            }
            Some(Response::Exports(exports)) => seen.push(exports),
            Some(Response::Loads(loads)) => told = Some(by_node(loads)),
            Some(other) => panic!("{other:?} came out of turn"),
            None => break,
        }
    }
    assert!(
        seen.len() < 4 && !seen.contains(&exports("last")),
        "{seen:?}, {exported}"
    );
    assert!(told.is_none_or(|told| told[&busy.id().as_u64()] < 399));
    // Now there is room: the latest of everything, once.
    assert_eq!(told_exports(&mut slow).await, exports("last"));
    slow.read_snapshot().await;
    let loads = told_loads(&mut slow).await;
    assert_eq!((loads.len(), loads[&busy.id().as_u64()]), (4, 399));
    assert!(slow.stream.waiting().is_none());
}

#[tokio::test(start_paused = true)]
async fn exports_that_are_the_same_are_not_told_again() {
    let group = Group::start(7);
    let mut bridge = joined(&group, bridge("bridge@0")).await;
    group.registry.set_exports(exports("stats"));
    assert!(bridge.stream.waiting().is_none());
    group.registry.set_exports(Exports::default());
    assert_eq!(told_exports(&mut bridge).await, Exports::default());
}

#[tokio::test(start_paused = true)]
async fn a_bridge_that_asks_again_and_again_hears_of_loads_once_a_second() {
    let group = Group::start(7);
    let mut bridge = joined(&group, bridge("bridge@0")).await;
    let mut loads = 0;
    for _ in 0..30 {
        bridge.stream.say(Request::Resync(Resync {})).await;
        bridge.report(NodeState::Ready, 0).await;
        sleep(PERIOD / 10).await;
        while let Some(response) = bridge.stream.waiting() {
            if let Response::Loads(told) = response {
                assert_eq!(told.loads.len(), 2);
                loads += 1;
            }
        }
    }
    assert!((2..=3).contains(&loads), "{loads} times");
}

#[tokio::test(start_paused = true)]
async fn a_certificate_vouches_for_a_bridge_as_for_others() {
    let group = Group::start(7);
    let join = async |hello: Hello, certificate: &str| {
        let peer = PeerNames([certificate.to_owned()].into());
        group
            .joined_as(peer, hello)
            .await
            .map_err(|status| status.code())
    };
    let own = join(bridge("bridge@0"), "0.bridge.GroupA").await;
    assert_eq!(own, Ok(()));
    for (hello, certificate, code) in [
        (bridge("bridge@1"), "0.bridge.GroupA", Code::Unauthenticated),
        (bridge("bridge@1"), "1.scene.GroupA", Code::Unauthenticated),
        (bridge("bridge@1"), "1.bridge.GroupB", Code::Unauthenticated),
        // It may be called so, and still is what it is called.
        (scene("bridge@1"), "1.bridge.GroupA", Code::InvalidArgument),
        (hello("bridge@1"), "1.bridge.GroupA", Code::InvalidArgument),
        (bridge("scene@1"), "1.scene.GroupA", Code::InvalidArgument),
    ] {
        let name = hello.name.clone();
        let refused = join(hello, certificate).await;
        assert_eq!(refused, Err(code), "{name} with {certificate}");
    }
}

#[tokio::test(start_paused = true)]
async fn bridges_and_what_they_are_told_are_counted() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let group = Group::start(7);
    let _svc = group.member("svc@0").await;
    let page = recorder.handle().render();
    assert!(page.contains("redrabbit_registry_bridges 0"), "{page}");
    let _bridge = joined(&group, bridge("bridge@0")).await;
    let page = recorder.handle().render();
    for line in [
        "redrabbit_registry_bridges 1",
        "redrabbit_registry_members 2",
        "redrabbit_registry_loads_total 3",
        // Welcome and snapshot, then the same with a change for the first, exports and loads.
        "redrabbit_registry_messages_total 7",
    ] {
        assert!(page.contains(line), "{line} is not in\n{page}");
    }
}
