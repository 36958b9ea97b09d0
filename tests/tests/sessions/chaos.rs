//! Everything at once: scenes and slaves end and come back at random, softly
//! and hard, while sessions stay, and some of them travel.
//!
//! The frames that a killed scene had in hand go with it. No others are lost,
//! and the gates have counted them.

use std::time::{Duration, Instant};

use serde_json::Value;
use tests::{Cluster, ECHO, Members, Seed, Signal, TRAVELLER, eventually};

use crate::{
    stage,
    traveller::{Plan, goes_once, stays},
};

/// A quarter of a minute for both tests together, or as long for each as
/// `REDRABBIT_CHAOS` says, in seconds.
fn length() -> Duration {
    let seconds = std::env::var("REDRABBIT_CHAOS").map_or(8, |seconds| seconds.parse().unwrap());
    Duration::from_secs(seconds)
}

async fn cluster(script: &str) -> Cluster {
    let members = Members {
        gates: 2,
        scenes: 2,
        slaves: 2,
        script,
        more: "[limits]\nlease = \"1s\"\ndrain_grace = \"2s\"\n",
    };
    Cluster::start(members).await
}

/// Ends one after the other, and starts it again, for so long; all are there
/// when it is done.
async fn rages(cluster: &mut Cluster, length: Duration) {
    let mut seed = Seed::new();
    let begun = Instant::now();
    while begun.elapsed() < length {
        let victim = ["scene@0", "scene@1", "slave@0", "slave@1"][seed.below(4) as usize];
        let signal = [Signal::TERM, Signal::KILL][seed.below(2) as usize];
        let at = begun.elapsed();
        cluster.end(victim, signal).await;
        // Sometimes it is back at once, sometimes when everybody has noticed.
        for _ in 0..seed.below(12) {
            seed.moment().await;
        }
        cluster.run(victim);
        println!("{at:.1?} to {:.1?}: {victim} {signal:?}", begun.elapsed());
        for _ in 0..seed.below(8) {
            seed.moment().await;
        }
    }
    cluster.is_ready().await;
}

/// How many frames the gates have counted as lost.
async fn lost(cluster: &Cluster) -> u64 {
    let name = "redrabbit_gate_frames_lost_total";
    cluster.metric("gate@0", name).await + cluster.metric("gate@1", name).await
}

#[tokio::test]
async fn sessions_survive_scenes_and_slaves_that_end_at_random() {
    const CLIENTS: usize = 50;
    let mut cluster = cluster(TRAVELLER).await;
    let mut crowd = Vec::new();
    for (gate, next) in [
        ("gate@0", stays as fn(u64) -> Option<&'static str>),
        ("gate@1", goes_once),
    ] {
        let plan = Plan {
            pause: Duration::from_millis(50),
            in_flight: 12,
            next,
        };
        crowd.extend(stage::crowd(&cluster, gate, CLIENTS, plan).await);
    }
    rages(&mut cluster, length()).await;
    let (missing, longest) = stage::none_is_closed(crowd).await;
    let lost = lost(&cluster).await;
    println!("{missing} frames missing, {lost} counted as lost, {longest:?} at most");
    assert!(missing <= lost, "{missing} are missing, {lost} are counted");
    stage::journals(&cluster).are_sound_but_for_those_who_stay();
}

#[tokio::test]
async fn bots_see_nothing_repeated_or_out_of_order_and_lose_only_what_is_counted() {
    let mut cluster = cluster(ECHO).await;
    let length = length();
    // Longer than the rage, so that they see the end of it.
    let duration = format!("{}s", length.as_secs() + 6);
    let arguments = [
        "bots",
        "--count",
        "100",
        "--cmd",
        "1",
        "--json",
        "--duration",
        &duration,
    ];
    let bots = cluster.begin_redrabbit(&arguments);
    // Nobody is let in while the verifying scene is away.
    eventually("all bots are in", async || {
        let name = "redrabbit_gate_sessions";
        let (of_first, of_second) = (
            cluster.metric("gate@0", name).await,
            cluster.metric("gate@1", name).await,
        );
        (of_first + of_second == 100).then_some(())
    })
    .await;
    rages(&mut cluster, length).await;
    let output = bots.await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let report: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"));
    let number = |key: &str| report[key].as_u64().unwrap();
    println!("{said}");
    for key in [
        "repeated",
        "out_of_order",
        "altered",
        "absent",
        "reconnects",
        "in_hand",
    ] {
        assert_eq!(number(key), 0, "{key}: {said}");
    }
    assert_eq!(number("logins"), 100, "{said}");
    let lost = lost(&cluster).await;
    assert!(number("lost") <= lost, "{lost} are counted: {said}");
}
