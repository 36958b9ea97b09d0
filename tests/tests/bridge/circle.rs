use protocol::method::MAX_HOPS;
use serde_json::{Value, json};
use tests::{Groups, eventually};

use super::stage::{A, B, OPEN, ask, finds, script, with_scenes};

#[tokio::test]
async fn services_that_call_each_other_in_a_circle_are_stopped_after_eight_bridges() {
    let (in_a, in_b) = (script("GroupA", "GroupB"), script("GroupB", "GroupA"));
    let groups = [
        ("GroupA", with_scenes(1, &in_a, OPEN)),
        ("GroupB", with_scenes(1, &in_b, OPEN)),
    ];
    let groups = Groups::start(&groups, 1).await;
    let mut nodes = Vec::new();
    for (at, to) in [(A, "GroupB"), (B, "GroupA")] {
        let node = groups.at(at).node("caller@0", ffrpc::Services::new()).await;
        finds(&node, to).await;
        nodes.push(node);
    }
    let order = async |at: usize, cmd, order| ask(&nodes[at], "scene@0", cmd, order).await.unwrap();

    // Everybody waits for the next one.
    let end = eventually("the circle is closed", async || {
        let end = order(A, 205, json!(0)).await;
        println!("{end}");
        // Before the scenes have found each other it ends early.
        (end[1] == "forbidden").then_some(end)
    })
    .await;
    assert_eq!(end[0], MAX_HOPS);
    let text = end[2].as_str().unwrap();
    assert!(
        text.contains(
            "the request has crossed 8 bridges: do services call each other in a circle?"
        ),
        "{text}"
    );
    let refused = "redrabbit_bridge_refused_total";
    let page = groups.bridges().page("bridge@0").await;
    let hops = page
        .lines()
        .filter(|line| line.starts_with(refused) && line.contains("reason=\"hops\""));
    assert_eq!(hops.count(), 1, "{page}");

    // Nobody waits for anybody: each goes on in a task of its own.
    order(A, 206, Value::Null).await;
    let rounds = async |at| order(at, 207, Value::Null).await.as_u64().unwrap();
    let each = u64::from(MAX_HOPS / 2);
    eventually("the last one is refused", async || {
        let counted = (rounds(A).await, rounds(B).await);
        (counted == (each + 1, each)).then_some(())
    })
    .await;
    // It was refused, so that there is no next one.
    let refused_now = async || groups.bridges().metric("bridge@0", refused).await;
    eventually("the end of it is counted", async || {
        (refused_now().await == 2).then_some(())
    })
    .await;
    assert_eq!((rounds(A).await, rounds(B).await), (each + 1, each));
}
