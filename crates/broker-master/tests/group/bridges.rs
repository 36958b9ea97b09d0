//! What a master tells bridges, over sockets, and which group it says it is.

use ffrpc::{Node, NodeConfig, NodeEvent, Services};
use protocol::v1::{
    Export, Exports, GroupLink, NodeState, Report, Role, join_request::Request,
    join_response::Response,
};

use crate::{
    harness::{By, config, echo, eventually, lasting_master, listening, master, node, within},
    stock::{Stock, send},
};

fn exports() -> Exports {
    let export = Export {
        name: "stats".into(),
        groups: vec!["*".into()],
        methods: vec!["stat.*".into()],
        directory: true,
        ..Export::default()
    };
    Exports {
        exports: vec![export],
    }
}

#[tokio::test]
async fn a_bridge_hears_what_may_be_called_and_who_carries_how_much() {
    let master = master("").await;
    let scene = Stock::join_as(&master, "scene@0", Role::Scene).await;
    let mut bridge = Stock::join_as(&master, "bridge@0", Role::Bridge).await;
    let first = within(bridge.next()).await;
    assert_eq!(first, Response::Exports(Exports::default()));
    assert_eq!(within(bridge.snapshot()).await.nodes.len(), 3);
    match within(bridge.next()).await {
        Response::Loads(loads) => assert_eq!(loads.loads.len(), 3),
        other => panic!("no loads but {other:?}"),
    }

    master.set_exports(exports());
    let mut changed = None;
    let report = Report {
        state: NodeState::Ready.into(),
        load: 7,
        ..Report::default()
    };
    send(&scene.requests, Request::Report(report)).await;
    loop {
        match within(bridge.next()).await {
            Response::Exports(exports) => changed = Some(exports),
            Response::Delta(_) => {}
            Response::Loads(loads) => {
                let loads: Vec<_> = loads
                    .loads
                    .iter()
                    .map(|one| (one.node_id, one.load))
                    .collect();
                assert_eq!(loads, [(scene.id, 7)]);
                break;
            }
            other => panic!("{other:?} came out of turn"),
        }
    }
    assert_eq!(changed, Some(exports()));
}

#[tokio::test]
async fn a_group_is_the_same_one_after_every_restart_and_another_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let identity = async |file: &str| {
        let loopback = ([127, 0, 0, 1], 0).into();
        let master = lasting_master(loopback, &folder.path().join(file)).await;
        let stock = Stock::join(&master, "stock@0").await;
        send(&stock.requests, Request::Leave(protocol::v1::Leave {})).await;
        let identity = stock.identity;
        drop(stock);
        within(master.shutdown()).await;
        identity
    };
    let one = identity("one.epoch").await;
    let other = identity("other.epoch").await;
    assert_ne!(one, 0);
    assert_ne!(one, other);
    assert_eq!(identity("one.epoch").await, one);
}

#[tokio::test]
async fn the_group_knows_what_a_bridge_joins_and_the_bridge_what_it_is_told() {
    for by in [By::Socket, By::Memory] {
        let master = master("").await;
        master.set_exports(exports());
        let watcher = node(&master, By::Socket, "watcher@0", echo()).await;
        let (services, mut events) = listening(Services::new());
        let config = NodeConfig {
            role: Role::Bridge,
            ..config(&master, by, "bridge@0")
        };
        let bridge = Node::join(config, services);
        within(bridge.ready()).await;
        let id = bridge.id().unwrap();
        let groups = vec![GroupLink {
            name: "GroupB".into(),
            identity: 5,
            reachable: true,
        }];
        bridge.set_groups(groups.clone());
        let told = eventually(|| {
            let record = watcher.record(id)?;
            (!record.groups.is_empty()).then(|| record.groups.clone())
        });
        assert_eq!(told.await, groups);
        let (mut heard, mut loads) = (None, 0);
        while loads == 0 {
            match within(events.recv()).await.unwrap() {
                NodeEvent::Exports(exports) => heard = Some(exports),
                NodeEvent::Loads(told) => loads = told.loads.len(),
                _ => {}
            }
        }
        assert_eq!((heard.as_deref(), loads), (Some(&exports()), 3));
    }
}
