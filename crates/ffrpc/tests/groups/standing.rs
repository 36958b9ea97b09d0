//! How a node stands in its group, and what bridges alone are told.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use ffrpc::{Membership, NodeEvent, Services};
use protocol::v1::{Export, Exports, Load, Loads, Role, join_response::Response};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};

use super::group::{Group, config, until};

async fn becomes(reach: &mut watch::Receiver<bool>, wanted: bool) {
    let becomes = reach.wait_for(|reach| *reach == wanted);
    timeout(Duration::from_secs(20), becomes)
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_node_reaches_its_group_until_no_broker_has_carried_anything_for_a_second() {
    let group = Group::new("GroupA", 7);
    let node = group.service("one@0", Services::new()).await;
    let mut reach = node.reach();
    assert!(*reach.borrow_and_update());
    group.set_down(true);
    let down = Instant::now();
    becomes(&mut reach, false).await;
    let took = down.elapsed();
    assert!((900..1400).contains(&took.as_millis()), "{took:?}");
    assert!(node.membership().is_some(), "it is in all the same");
    group.set_down(false);
    becomes(&mut reach, true).await;
    // A link that is back soon is no loss.
    group.set_down(true);
    group.set_down(false);
    sleep(Duration::from_secs(5)).await;
    assert!(!reach.has_changed().unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_node_that_lost_its_group_reaches_it_no_more_and_knows_the_one_that_it_joins_again() {
    let group = Group::new("GroupA", 7);
    let node = group.service("one@0", Services::new()).await;
    let membership = Membership {
        group: "GroupA".into(),
        identity: 7,
    };
    assert_eq!(node.membership(), Some(membership.clone()));
    let (id, mut reach) = (node.id().unwrap(), node.reach());
    reach.mark_unchanged();
    group.expire(id);
    becomes(&mut reach, false).await;
    becomes(&mut reach, true).await;
    assert_ne!(node.id(), Some(id));
    assert_eq!(node.membership(), Some(membership));
    node.leave().await;
    assert_eq!(node.membership(), None);
    assert!(!*reach.borrow());
}

#[tokio::test(start_paused = true)]
async fn what_a_bridge_joins_is_known_at_once() {
    let group = Group::new("GroupA", 7);
    let node = group.service("one@0", Services::new()).await;
    let bridge = group
        .join(config("bridge@0", Role::Bridge), Services::new())
        .await;
    let id = bridge.id().unwrap();
    until(|| node.record(id).filter(|record| record.is_ready())).await;
    // Not with the report of every second.
    sleep(Duration::from_millis(100)).await;
    let said = Instant::now();
    let link = protocol::v1::GroupLink {
        name: "GroupB".into(),
        identity: 9,
        reachable: true,
    };
    bridge.set_groups(vec![link.clone()]);
    let links = until(|| {
        let record = node.record(id)?;
        (!record.groups.is_empty()).then(|| record.groups.clone())
    });
    assert_eq!(links.await, [link]);
    assert!(said.elapsed() <= Duration::from_millis(10));
    assert_eq!(node.nodes().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn loads_and_exports_are_told_and_are_no_change_of_a_record() {
    let group = Group::new("GroupA", 7);
    let node = group.service("one@0", Services::new()).await;
    let events = Arc::new(Mutex::new(Vec::new()));
    let of_services = Arc::clone(&events);
    let services = Services::new().events(move |event| of_services.lock().unwrap().push(event));
    let bridge = group.join(config("bridge@0", Role::Bridge), services).await;
    sleep(Duration::from_secs(3)).await;
    events.lock().unwrap().clear();

    let (id, own) = (node.id().unwrap(), bridge.id().unwrap());
    let load = Load {
        node_id: id.as_u64(),
        load: 17,
    };
    let nobody = Load {
        node_id: 99,
        load: 3,
    };
    let loads = Loads {
        loads: vec![load, nobody],
    };
    group.tell(own, Response::Loads(loads.clone()));
    let exports = Exports {
        exports: vec![Export {
            name: "all".into(),
            ..Export::default()
        }],
    };
    group.tell(own, Response::Exports(exports.clone()));
    let events = until(|| {
        let events = events.lock().unwrap();
        (events.len() == 2).then(|| events.clone())
    })
    .await;
    assert!(matches!(&events[0], NodeEvent::Loads(told) if **told == loads));
    assert!(matches!(&events[1], NodeEvent::Exports(told) if **told == exports));
    assert_eq!(bridge.record(id).unwrap().load, 17);
    assert_eq!(node.record(id).unwrap().load, 0, "it was not told");
}
