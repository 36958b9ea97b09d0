//! A gate ends without a word, or is frozen for so long that it counts as gone.

use tests::{Cluster, Signal, eventually};

use crate::{
    stage,
    traveller::{Plan, STEADY, Traveller, goes_once, stays},
};

const CLIENTS: usize = 20;

/// Travellers at a gate, half of them in each scene.
async fn in_both_scenes(cluster: &Cluster, gate: &'static str) -> Vec<Traveller> {
    let mut crowd = Vec::new();
    for n in 0..CLIENTS {
        let next = if n % 2 == 0 { stays } else { goes_once };
        let plan = Plan { next, ..STEADY };
        let name = stage::name(gate, n);
        let traveller = Traveller::join(cluster.tcp(gate), &name, plan).await;
        crowd.push(traveller.unwrap());
    }
    crowd
}

/// Waits until half of them are in each scene.
async fn have_arrived(cluster: &Cluster) {
    let [zero, one] = scenes(cluster);
    eventually("half are in each scene", async || {
        let journals = stage::journals(cluster);
        let arrived =
            journals.count(zero, "enter") == CLIENTS && journals.count(one, "enter") == CLIENTS / 2;
        arrived.then_some(())
    })
    .await;
}

/// The processes of the scenes.
fn scenes(cluster: &Cluster) -> [u32; 2] {
    ["scene@0", "scene@1"].map(|scene| cluster.process(scene).id())
}

/// Waits until those of gate@0 are offline, each once, where it was.
async fn all_are_offline(cluster: &Cluster) {
    let [zero, one] = scenes(cluster);
    eventually("all are offline", async || {
        let journals = stage::journals(cluster);
        let offline = [zero, one].map(|scene| journals.count(scene, "offline"));
        (offline == [CLIENTS / 2; 2]).then_some(())
    })
    .await;
    let journals = stage::journals(cluster);
    for n in 0..CLIENTS {
        let name = stage::name("gate@0", n);
        let there = if n % 2 == 0 { "" } else { "enter offline" };
        assert_eq!(journals.story(one, &name), there);
        let here = if n % 2 == 0 {
            "enter offline"
        } else {
            "enter leave"
        };
        assert_eq!(journals.story(zero, &name), here);
    }
}

#[tokio::test]
async fn a_gate_that_is_killed_raises_offline_once_in_every_scene() {
    let mut cluster = stage::two_of_each().await;
    let crowd = in_both_scenes(&cluster, "gate@0").await;
    have_arrived(&cluster).await;
    let others = stage::crowd(&cluster, "gate@1", 10, STEADY).await;
    cluster.end("gate@0", Signal::KILL).await;
    all_are_offline(&cluster).await;
    for traveller in crowd {
        let tally = traveller.closed().await;
        assert!(tally.closed.unwrap().starts_with("without a word"));
    }
    // Whoever was there may come again, at another gate.
    let name = stage::name("gate@0", 0);
    let again = Traveller::join(cluster.tcp("gate@1"), &name, STEADY)
        .await
        .unwrap();
    stage::all_arrive(vec![again]).await;
    stage::all_arrive(others).await;
    stage::journals(&cluster).are_sound();
}

#[tokio::test]
async fn a_gate_that_was_frozen_for_too_long_closes_what_it_held() {
    let cluster = stage::two_of_each().await;
    let crowd = in_both_scenes(&cluster, "gate@0").await;
    have_arrived(&cluster).await;
    cluster.signal("gate@0", Signal::STOP);
    all_are_offline(&cluster).await;
    // They may come again elsewhere before it wakes.
    let name = stage::name("gate@0", 0);
    let again = Traveller::join(cluster.tcp("gate@1"), &name, STEADY)
        .await
        .unwrap();
    cluster.signal("gate@0", Signal::CONT);
    for traveller in crowd {
        let tally = traveller.closed().await;
        assert_eq!(tally.closed.as_deref(), Some("group_lost"));
    }
    // It is a gate like any other again, and what was elsewhere has not noticed.
    cluster.is_ready().await;
    let fresh = stage::crowd(&cluster, "gate@0", 2, STEADY).await;
    let first = fresh.into_iter().next_back().unwrap();
    stage::all_arrive(vec![first]).await;
    let tally = again.closed().await;
    assert_eq!(tally.closed.as_deref(), Some("replaced"));
    stage::journals(&cluster).are_sound();
}
