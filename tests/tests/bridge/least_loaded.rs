use bytes::Bytes;
use ffrpc::Node;
use futures_util::future::join_all;
use tests::{Callees, ECHO_METHOD, Groups, WAIT_METHOD, eventually};

use super::stage::{A, B, caller, two_groups};

/// Makes so many calls, and says how many each callee has had of them.
async fn shares(node: &Node, callees: &Callees, method: &'static str, at_once: bool) -> [u64; 3] {
    let names = ["callee@0", "callee@1", "callee@2"];
    let before = names.map(|name| callees.came_to(name));
    let calls = (0..30).map(|number| {
        let group = node.group("GroupB".parse().unwrap());
        let body = Bytes::from(format!("{method} {number}"));
        async move { group.call(method, body).await.unwrap() }
    });
    if at_once {
        join_all(calls).await;
    } else {
        for call in calls {
            call.await;
        }
    }
    let after = names.map(|name| callees.came_to(name));
    [0, 1, 2].map(|at| after[at] - before[at])
}

async fn start() -> (Groups, Callees, Node) {
    let groups = two_groups(1).await;
    let callees = Callees::join(groups.at(B), 3).await;
    let node = caller(groups.at(A), "GroupB").await;
    (groups, callees, node)
}

#[tokio::test]
async fn a_call_goes_to_whoever_carries_least_and_equals_take_turns() {
    let (_groups, callees, node) = start().await;
    // Everybody is known to the bridge when each has been called.
    eventually("equals take turns", async || {
        let shares = shares(&node, &callees, ECHO_METHOD, false).await;
        (shares == [10; 3]).then_some(())
    })
    .await;
    // What is under way at each counts too.
    assert_eq!(shares(&node, &callees, WAIT_METHOD, true).await, [10; 3]);

    // The second is called alone when the loads of both others are known.
    const LOADS: [u64; 3] = [7, 0, 12];
    for (callee, load) in callees.nodes().iter().zip(LOADS) {
        callee.set_load(load);
    }
    eventually("the one that carries least is called", async || {
        let shares = shares(&node, &callees, ECHO_METHOD, false).await;
        (shares == [0, 30, 0]).then_some(())
    })
    .await;
    // 30 more make 49: each has 16 or 17 in the end.
    let shares = shares(&node, &callees, WAIT_METHOD, true).await;
    let whole: Vec<u64> = shares
        .iter()
        .zip(LOADS)
        .map(|(own, load)| own + load)
        .collect();
    assert!(
        whole.iter().all(|whole| [16, 17].contains(whole)),
        "{whole:?}"
    );
}
