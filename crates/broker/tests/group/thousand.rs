//! What it costs when everybody comes at once.

use std::time::Duration;

use futures_util::future::join_all;
use protocol::v1::{NodeState, Resync, join_request::Request, join_response::Response};
use tokio::{sync::Barrier, time::timeout};

use crate::harness::{Group, Member, hello};

const NODES: usize = 1000;

/// Each node changes the directory twice, when it comes and when it is ready.
const CHANGES: usize = 2 * NODES;

/// Messages of the master for each node and each change, at most. Measured: 0.12
/// where nodes read as they come, 0.14 where nobody reads before all have come.
/// Who falls behind gets one directory in the place of many changes, so that it
/// stays below one message for each.
const MESSAGES: f64 = 1.0;

/// The records in those messages, a directory counting for as many as it has:
/// 0.81 and 0.88 for each node and each change.
const RECORDS: f64 = 1.5;

// Virtual time stands still while anybody has something to do, so that a slow
// machine ends nobody's lease.
#[tokio::test(start_paused = true)]
async fn a_thousand_nodes_at_once_converge_for_at_most_one_message_a_node_and_change() {
    for together in [false, true] {
        let group = Group::start(7);
        let all_joined = Barrier::new(NODES);
        let members = (0..NODES).map(|n| {
            let (group, all_joined) = (&group, &all_joined);
            async move {
                let member = group.welcomed(hello(&format!("svc@{n}"))).await.unwrap();
                if together {
                    all_joined.wait().await;
                }
                converged(member).await
            }
        });
        let members = timeout(Duration::from_secs(60), join_all(members))
            .await
            .expect("a thousand nodes did not converge");

        let truth: Vec<_> = group.nodes().into_keys().collect();
        assert_eq!(truth.len(), NODES + 1);
        let (mut messages, mut records) = (0, 0);
        for (member, heard) in members {
            let mut names: Vec<_> = member.replica.into_values().map(|one| one.name).collect();
            names.sort();
            assert_eq!(names, truth);
            messages += heard.messages;
            records += heard.records;
        }
        let each = |count: usize| count as f64 / (NODES * CHANGES) as f64;
        println!(
            "{NODES} nodes, {CHANGES} changes: {messages} messages ({:.3} for each of both), \
             {records} records ({:.3})",
            each(messages),
            each(records)
        );
        assert!(each(messages) <= MESSAGES && each(records) <= RECORDS);
    }
}

#[derive(Default)]
struct Heard {
    messages: usize,
    records: usize,
}

/// Lives until everybody is ready; counts what it hears.
async fn converged(mut member: Member) -> (Member, Heard) {
    let mut heard = Heard::default();
    let mut reported = false;
    let mut asked = false;
    loop {
        match member.stream.next().await.unwrap() {
            Some(Response::Snapshot(snapshot)) => {
                heard.records += snapshot.nodes.len();
                member.take_snapshot(snapshot);
                asked = false;
            }
            Some(Response::Delta(delta)) => {
                heard.records += 1;
                if !member.take_delta(delta) && !asked {
                    member.stream.say(Request::Resync(Resync {})).await;
                    asked = true;
                }
            }
            other => panic!("neither snapshot nor change but {other:?}"),
        }
        heard.messages += 1;
        if !reported {
            member.report(NodeState::Ready, 0).await;
            reported = true;
        }
        let ready = |member: &Member| {
            member.replica.len() > NODES
                && member
                    .replica
                    .values()
                    .all(|node| node.state() == NodeState::Ready)
        };
        // The whole replica is looked at only where the end may have come.
        if member.revision >= CHANGES as u64 && ready(&member) {
            return (member, heard);
        }
    }
}
