//! The groups of these tests.

use std::time::Duration;

use tests::{Cluster, Members, TRAVELLER};

use crate::{
    journal::Journals,
    traveller::{Plan, Traveller},
};

/// Two gates and two scenes, whose processes are soon given up.
pub(crate) async fn two_of_each() -> Cluster {
    with("").await
}

/// As [`two_of_each`], with more limits.
pub(crate) async fn with(limits: &str) -> Cluster {
    let more = format!("[limits]\nlease = \"1s\"\n{limits}\n");
    let members = Members {
        gates: 2,
        scenes: 2,
        slaves: 0,
        script: TRAVELLER,
        more: &more,
    };
    Cluster::start(members).await
}

/// So many travellers at a gate, some at a time.
pub(crate) async fn crowd(
    cluster: &Cluster,
    gate: &str,
    count: usize,
    plan: Plan,
) -> Vec<Traveller> {
    let address = cluster.tcp(gate);
    let mut crowd = Vec::with_capacity(count);
    while crowd.len() < count {
        let next = crowd.len()..(crowd.len() + 50).min(count);
        let joining = next.map(|n| {
            let name = name(gate, n);
            tokio::spawn(async move { Traveller::join(address, &name, plan).await.unwrap() })
        });
        for joining in joining.collect::<Vec<_>>() {
            crowd.push(joining.await.unwrap());
        }
    }
    crowd
}

/// The name of a traveller of [`crowd`].
pub(crate) fn name(gate: &str, n: usize) -> String {
    format!("{gate}-{n}")
}

pub(crate) fn journals(cluster: &Cluster) -> Journals {
    Journals::read(&cluster.folder())
}

/// All have been answered everything, and nobody was disconnected.
pub(crate) async fn all_arrive(crowd: Vec<Traveller>) -> Duration {
    let (missing, longest) = none_is_closed(crowd).await;
    assert_eq!(missing, 0, "frames are missing");
    longest
}

/// Nobody was disconnected; says how many frames are missing, and what was the
/// longest time without an answer.
pub(crate) async fn none_is_closed(crowd: Vec<Traveller>) -> (u64, Duration) {
    let mut missing = 0;
    let mut longest = Duration::ZERO;
    for traveller in crowd {
        let tally = traveller.stop().await;
        assert_eq!(tally.closed, None);
        missing += tally.missing;
        longest = longest.max(tally.longest);
    }
    (missing, longest)
}
