use std::time::{Duration, Instant};

use bytes::Bytes;
use protocol::ErrorKind;
use tests::{Callees, ECHO_METHOD, Groups, Join, Place, eventually, reaches};

use super::stage::{A, B, C, OPEN, caller, master_alone};

/// What is in [`OPEN`] stands behind the secret in the file.
fn places() -> impl Iterator<Item = Place> {
    let named = ["GroupA", "GroupB", "GroupC"].into_iter().zip(0..);
    named.map(|(group, index)| Place {
        group: group.to_owned(),
        index,
        secret: format!("the secret of {group}"),
    })
}

#[tokio::test]
async fn a_bridge_with_a_wrong_secret_says_so_and_carries_calls_between_the_other_groups() {
    let mut groups = Groups::launch_at(places().map(|place| (place, master_alone(OPEN))));
    groups.are_ready().await;
    let _callees = Callees::join(groups.at(C), 1).await;
    let wrong = Join {
        secret: "some other secret".to_owned(),
        ..groups.join(B)
    };
    let joins = [groups.join(A), wrong, groups.join(C)];
    groups.bridges_mut().run_with("bridge@0", &joins);
    reaches(groups.at(A), "bridge@0", "GroupC", true).await;
    reaches(groups.at(A), "bridge@0", "GroupB", false).await;
    eventually("the bridge says what is wrong", async || {
        let log = groups.bridges().log("bridge@0");
        let refused = format!("master={}", groups.at(B).master());
        let mut lines = log.lines().filter(|line| line.contains("WARN"));
        let says = |line: &str| line.contains(&refused) && line.contains("secret");
        lines.any(says).then_some(())
    })
    .await;
    let log = groups.bridges().log("bridge@0");
    assert!(
        !log.contains("some other secret") && !log.contains("the secret of"),
        "{log}"
    );

    let node = caller(groups.at(A), "GroupC").await;
    let begun = Instant::now();
    let group = node.group("GroupB".parse().unwrap());
    let error = group.call(ECHO_METHOD, Bytes::new()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable, "{error}");
    assert!(error.message.contains("bridge@0"), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(1));
    eventually("the other group is called", async || {
        let group = node.group("GroupC".parse().unwrap());
        group.call(ECHO_METHOD, Bytes::new()).await.ok()
    })
    .await;
}
