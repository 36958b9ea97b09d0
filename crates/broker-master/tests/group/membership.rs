//! Joining, leaving, being lost, and coming back.

use ffrpc::{NodeEvent, Services};
use protocol::{
    ErrorKind, NodeId,
    v1::{ListNodesRequest, NodeState, Role, Script, registry_client::RegistryClient},
};
use tonic::Code;

use crate::harness::{
    By, LEASE, config, echo, eventually, listening, master, node, resolved, within,
};

#[tokio::test]
async fn a_node_that_leaves_is_gone_at_once_and_its_name_is_free() {
    let master = master("").await;
    let (services, mut events) = listening(Services::new());
    let _watcher = node(&master, By::Socket, "watcher@0", services).await;
    let first = node(&master, By::Socket, "svc@0", echo()).await;
    let id = first.id().unwrap();
    let begun = std::time::Instant::now();
    within(first.leave()).await;
    within(removed(&mut events, id)).await;
    assert!(begun.elapsed() < LEASE, "it waited for the lease");
    let second = node(&master, By::Socket, "svc@0", echo()).await;
    assert_ne!(second.id(), Some(id));
}

#[tokio::test]
async fn a_live_name_is_not_given_twice() {
    let master = master("").await;
    let first = node(&master, By::Socket, "svc@0", echo()).await;
    let second = ffrpc::Node::join(config(&master, By::Socket, "svc@0"), echo());
    let waited = tokio::time::timeout(LEASE * 2, second.ready()).await;
    assert!(waited.is_err(), "two nodes of one name");
    // It goes on trying, and is in as soon as the name is free.
    within(first.leave()).await;
    within(second.ready()).await;
}

#[tokio::test]
async fn a_wrong_secret_is_refused_and_nothing_is_shown() {
    let master = master("open sesame").await;
    let mut config = config(&master, By::Socket, "svc@0");
    config.secret = protocol::Secret::new("guess");
    let stranger = ffrpc::Node::join(config.clone(), echo());
    assert!(tokio::time::timeout(LEASE, stranger.ready()).await.is_err());

    let mut registry = RegistryClient::connect(format!("http://{}", master.address()))
        .await
        .unwrap();
    let refused = registry
        .list_nodes(ListNodesRequest::default())
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);

    config.secret = protocol::Secret::new("open sesame");
    config.name = "svc@1".parse().unwrap();
    within(ffrpc::Node::join(config, echo()).ready()).await;
    let secret = "open sesame".to_owned();
    let list = registry
        .list_nodes(ListNodesRequest { secret })
        .await
        .unwrap()
        .into_inner();
    let names: Vec<_> = list
        .snapshot
        .unwrap()
        .nodes
        .into_iter()
        .map(|node| node.name)
        .collect();
    assert_eq!(
        (list.group.as_str(), names),
        ("GroupA", vec!["master@0".into(), "svc@1".into()])
    );
}

#[tokio::test]
async fn what_a_node_reports_is_seen_by_the_others() {
    let master = master("").await;
    let watcher = node(&master, By::Memory, "watcher@0", Services::new()).await;
    let svc = node(&master, By::Socket, "svc@0", echo()).await;
    let id = resolved(&watcher, "svc@0").await;
    let script = Script {
        version: 3,
        hash: "a1b2c3d4e5f6".into(),
        services: vec![7, 200],
    };
    svc.set_script(script.clone());
    svc.set_state(NodeState::Draining);
    svc.set_load(17);
    eventually(|| {
        let record = watcher.record(id)?;
        (record.state == NodeState::Draining && record.script.as_ref() == Some(&script))
            .then_some(())
    })
    .await;
    let mut registry = RegistryClient::connect(format!("http://{}", master.address()))
        .await
        .unwrap();
    within(async {
        loop {
            let list = registry
                .list_nodes(ListNodesRequest::default())
                .await
                .unwrap()
                .into_inner();
            if list
                .snapshot
                .unwrap()
                .nodes
                .iter()
                .any(|node| node.load == 17)
            {
                return;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn the_least_loaded_of_a_role_is_told_by_socket_and_by_memory() {
    for by in [By::Socket, By::Memory] {
        let master = master("").await;
        let asker = node(&master, by, "asker@0", Services::new()).await;
        let other = node(&master, By::Socket, "svc@0", echo()).await;
        asker.set_load(5);
        let (mut given, all) = (Vec::new(), [asker.id().unwrap(), other.id().unwrap()]);
        within(async {
            // Whatever their loads, who is asked often enough is given both.
            while !all.iter().all(|id| given.contains(id)) {
                given.extend(asker.least_loaded(Role::Service).await);
                // By memory nothing above ever waits.
                tokio::task::yield_now().await;
            }
        })
        .await;
        let nobody = within(asker.least_loaded(Role::Gate)).await.unwrap_err();
        assert_eq!(nobody.kind, ErrorKind::NotFound);
    }
}

async fn removed(events: &mut tokio::sync::mpsc::Receiver<NodeEvent>, id: NodeId) {
    while !matches!(events.recv().await, Some(NodeEvent::Removed(gone)) if gone == id) {}
}
