use std::time::{Duration, Instant};

use bytes::Bytes;
use protocol::ErrorKind;
use tests::{Groups, MASTER, Signal, eventually, reaches};

use super::stage::{A, B, OPEN, caller, script, with_scenes, with_slave};

#[tokio::test]
async fn a_group_that_is_killed_is_announced_as_gone_and_calls_to_it_end_at_once() {
    let in_b = script("GroupB", "GroupA");
    let groups = [
        ("GroupA", with_slave(OPEN)),
        ("GroupB", with_scenes(1, &in_b, OPEN)),
    ];
    let mut groups = Groups::start(&groups, 1).await;
    let node = caller(groups.at(A), "GroupB").await;
    let call = async |cmd: u16, order: &'static str| {
        let group = node.group("GroupB".parse().unwrap());
        let wait = Duration::from_secs(8);
        group
            .call_within(format!("service.{cmd}"), Bytes::from(order), wait)
            .await
    };
    eventually("the group answers", async || {
        call(200, "\"ann\"").await.ok()
    })
    .await;

    // One call is under way that would take longer than its caller waits.
    let begun = Instant::now();
    let (waiting, ()) = tokio::join!(call(203, "20"), async {
        let under_way = async || {
            groups
                .bridges()
                .metric("bridge@0", "redrabbit_bridge_calls_pending")
                .await
        };
        eventually("the call is under way", async || {
            (under_way().await == 1).then_some(())
        })
        .await;
        for name in groups.at(B).names() {
            groups.at(B).signal(&name, Signal::KILL);
        }
        let killed = Instant::now();
        reaches(groups.at(A), "bridge@0", "GroupB", false).await;
        let announced = killed.elapsed();
        println!("announced as gone after {announced:.1?}, goal 1 s");
        assert!(announced < Duration::from_secs(4), "{announced:?}");
        let asked = Instant::now();
        let error = call(200, "\"ann\"").await.unwrap_err();
        let told = asked.elapsed();
        println!("a call then ends after {told:.1?}: {error}");
        assert_eq!(error.kind, ErrorKind::Unavailable, "{error}");
        assert!(error.message.contains("bridge@0"), "{error}");
        assert!(told < Duration::from_millis(500), "{told:?}");
    });
    let error = waiting.unwrap_err();
    println!(
        "the call under way ended after {:.1?}: {error}",
        begun.elapsed()
    );
    assert_eq!(error.kind, ErrorKind::Unavailable, "{error}");
    assert!(
        begun.elapsed() < Duration::from_secs(7),
        "{:?}",
        begun.elapsed()
    );

    for name in [MASTER, "scene@0"] {
        groups.at_mut(B).has_ended(name).await;
        groups.at_mut(B).run(name);
    }
    groups.are_ready().await;
    eventually("the group answers again", async || {
        call(200, "\"ann\"").await.ok()
    })
    .await;
}
