//! A scene's process ends under its sessions, and another one comes.

use std::time::{Duration, Instant};

use tests::{Cluster, Signal, eventually};

use crate::{
    stage,
    traveller::{Plan, Traveller, stays},
};

const CLIENTS: usize = 1000;

const UNHURRIED: Plan = Plan {
    pause: Duration::from_millis(500),
    in_flight: 12,
    next: stays,
};

/// Clients at both gates, all of them in scene@0.
async fn clients(cluster: &Cluster) -> Vec<Traveller> {
    let mut crowd = stage::crowd(cluster, "gate@0", CLIENTS / 2, UNHURRIED).await;
    crowd.extend(stage::crowd(cluster, "gate@1", CLIENTS / 2, UNHURRIED).await);
    crowd
}

/// Waits until all are in this process.
async fn all_are_in(cluster: &Cluster, process: u32) {
    eventually("all have entered", async || {
        (stage::journals(cluster).count(process, "enter") == CLIENTS).then_some(())
    })
    .await;
}

async fn lost(cluster: &Cluster) -> u64 {
    let name = "redrabbit_gate_frames_lost_total";
    cluster.metric("gate@0", name).await + cluster.metric("gate@1", name).await
}

#[tokio::test]
async fn a_scene_is_upgraded_under_a_thousand_clients_and_no_frame_is_lost() {
    let mut cluster = stage::two_of_each().await;
    let before = cluster.process("scene@0").id();
    let crowd = clients(&cluster).await;
    all_are_in(&cluster, before).await;
    let begun = Instant::now();
    cluster.end("scene@0", Signal::TERM).await;
    let ended = begun.elapsed();
    cluster.run("scene@0");
    let after = cluster.process("scene@0").id();
    all_are_in(&cluster, after).await;
    println!(
        "ended after {ended:?}, all were back after {:?}",
        begun.elapsed()
    );
    let longest = stage::all_arrive(crowd).await;
    println!("nobody had to wait longer than {longest:?}");
    assert_eq!(lost(&cluster).await, 0);
    let journals = stage::journals(&cluster);
    journals.are_sound();
    // Each was told that it leaves, and nobody that it is gone.
    assert_eq!(journals.count(before, "leave"), CLIENTS);
    assert_eq!(journals.count(before, "offline"), 0);
}

#[tokio::test]
async fn a_scene_is_killed_under_a_thousand_clients_and_only_counted_frames_are_lost() {
    let mut cluster = stage::two_of_each().await;
    let before = cluster.process("scene@0").id();
    let crowd = clients(&cluster).await;
    all_are_in(&cluster, before).await;
    let begun = Instant::now();
    cluster.end("scene@0", Signal::KILL).await;
    cluster.run("scene@0");
    let after = cluster.process("scene@0").id();
    all_are_in(&cluster, after).await;
    println!("all were back after {:?}", begun.elapsed());
    let (missing, longest) = stage::none_is_closed(crowd).await;
    let lost = lost(&cluster).await;
    println!("{missing} frames are missing, {lost} are counted as lost; {longest:?} at most");
    assert!(missing <= lost, "{missing} are missing, {lost} are counted");
    stage::journals(&cluster).are_sound();
}

#[tokio::test]
async fn sessions_whose_scene_does_not_come_back_are_closed_as_scene_lost() {
    let mut cluster = stage::with("scene_hold = \"1s\"").await;
    let crowd = stage::crowd(&cluster, "gate@0", 20, UNHURRIED).await;
    let begun = Instant::now();
    cluster.end("scene@0", Signal::KILL).await;
    for traveller in crowd {
        let tally = traveller.closed().await;
        assert_eq!(tally.closed.as_deref(), Some("scene_lost"));
    }
    assert!(begun.elapsed() >= Duration::from_secs(1));
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "{:?}",
        begun.elapsed()
    );
}
