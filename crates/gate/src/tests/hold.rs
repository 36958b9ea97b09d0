//! A session whose scene is not there.

use std::{sync::atomic::Ordering, time::Duration};

use metrics_exporter_prometheus::PrometheusBuilder;
use protocol::NodeId;
use tokio::time::{Instant, timeout};
use topology::Limits;

use super::{
    Fixture, eventually, limits, reason,
    scene::{ECHO, HANG, OTHER, SCENE, Told},
    soon,
};

/// The scene that comes after [`SCENE`], under its name.
const SUCCESSOR: NodeId = NodeId::new(1, 99);

#[tokio::test]
async fn session_of_a_scene_that_vanished_goes_on_when_it_is_back() {
    let fixture = Fixture::start().await;
    let scene = &fixture.scene;
    let mut client = fixture.logged_in("alice").await;
    let login = scene.login_of("alice");
    scene.vanish(SCENE);
    for body in [&b"one"[..], b"two"] {
        client.send(ECHO, body).await.unwrap();
    }
    client.ping(b"").await.unwrap();
    soon(client.recv()).await.unwrap();
    assert_eq!(fixture.gate.sessions(), 1, "it is still here");

    scene.appear(SUCCESSOR, "scene@0");
    assert_eq!(soon(client.recv()).await.unwrap().body, "one");
    assert_eq!(soon(client.recv()).await.unwrap().body, "two");
    let frame = |body: &'static str| Told::Frame(login, ECHO, body.into());
    let enter = Told::Enter("alice".into(), login);
    let expected = [enter, frame("one"), frame("two")];
    assert_eq!(scene.told_to(SUCCESSOR), expected);
    // It is a new holding: what the old one says of it has no meaning any more.
    scene.leaves(SCENE, login, 1, true);
    client.send(ECHO, b"three").await.unwrap();
    assert_eq!(soon(client.recv()).await.unwrap().body, "three");
}

#[tokio::test]
async fn frames_that_a_scene_had_not_finished_are_lost_with_it_and_counted() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let _recording = metrics::set_default_local_recorder(&recorder);
    let fixture = Fixture::with(Limits {
        session_window: 4,
        ..limits()
    })
    .await;
    let scene = &fixture.scene;
    let mut client = fixture.logged_in("alice").await;
    let login = scene.login_of("alice");
    for _ in 0..4 {
        client.send(HANG, b"lost").await.unwrap();
    }
    for _ in 0..4 {
        client.send(HANG, b"kept").await.unwrap();
    }
    eventually("the window is full", || scene.frames_of("alice").len() == 4).await;
    scene.vanish(SCENE);
    scene.appear(SUCCESSOR, "scene@0");
    let entered = || scene.told_to(SUCCESSOR).len() == 5;
    eventually("it gets what had not gone", entered).await;
    let page = recorder.handle().render();
    assert!(
        page.contains("redrabbit_gate_frames_lost_total 4\n"),
        "{page}"
    );
    // A late word of the scene that was, and then one of that which is.
    scene.finish_by(SCENE, login, 4);
    scene.finish_by(SUCCESSOR, login, 4);
    client.send(ECHO, b"more").await.unwrap();
    assert_eq!(soon(client.recv()).await.unwrap().body, "more");
}

#[tokio::test]
async fn session_is_closed_as_scene_lost_when_its_scene_does_not_come_back() {
    let fixture = Fixture::with(Limits {
        scene_hold: Duration::from_millis(200),
        ..limits()
    })
    .await;
    let mut client = fixture.logged_in("alice").await;
    let login = fixture.scene.login_of("alice");
    let since = Instant::now();
    fixture.scene.vanish(SCENE);
    assert_eq!(reason(&mut client).await, "scene_lost");
    assert!(since.elapsed() >= Duration::from_millis(200));
    fixture.deserted().await;
    // Nobody is left who could be told of the offline, but the owner.
    assert!(!fixture.scene.told().contains(&Told::Offline(login)));
    let ended = Told::Ended(login);
    assert!(fixture.scene.told_owner(SCENE).contains(&ended));
}

#[tokio::test]
async fn session_waits_for_the_scene_that_it_shall_enter() {
    let fixture = Fixture::entering(limits(), Some("scene@1")).await;
    let mut client = fixture.logged_in("alice").await;
    client.send(ECHO, b"early").await.unwrap();
    client.ping(b"").await.unwrap();
    soon(client.recv()).await.unwrap();
    assert!(fixture.scene.told().is_empty());
    fixture.scene.state(OTHER, "scene@1", false);
    assert!(fixture.scene.told().is_empty(), "it is not ready yet");
    fixture.scene.state(OTHER, "scene@1", true);
    assert_eq!(soon(client.recv()).await.unwrap().body, "early");
    assert_eq!(fixture.scene.told_to(OTHER).len(), 2);
}

#[tokio::test]
async fn client_that_goes_while_no_scene_holds_it_leaves_nothing_behind() {
    let fixture = Fixture::entering(limits(), Some("scene@1")).await;
    let mut client = fixture.logged_in("alice").await;
    client.send(ECHO, b"in vain").await.unwrap();
    let login = fixture.scene.last_login();
    drop(client);
    fixture.deserted().await;
    fixture.scene.appear(OTHER, "scene@1");
    assert!(fixture.scene.told().is_empty());
    let ended = Told::Ended(login);
    assert!(fixture.scene.told_owner(SCENE).contains(&ended));
}

#[tokio::test]
async fn held_session_is_read_up_to_its_window_and_then_not_at_all() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let _recording = metrics::set_default_local_recorder(&recorder);
    let fixture = Fixture::with(Limits {
        session_window: 4,
        ..limits()
    })
    .await;
    let scene = &fixture.scene;
    let mut client = fixture.logged_in("alice").await;
    scene.vanish(SCENE);
    for number in 0..20u32 {
        client.send(ECHO, &number.to_le_bytes()).await.unwrap();
    }
    client.ping(b"behind them").await.unwrap();
    let quiet = timeout(Duration::from_millis(100), client.recv()).await;
    assert!(quiet.is_err(), "what is behind them is not read");
    let page = recorder.handle().render();
    let line = "redrabbit_gate_paused_total{reason=\"held\"} 1\n";
    assert!(page.contains(line), "{page}");

    scene.appear(SUCCESSOR, "scene@0");
    let mut numbers = Vec::new();
    while numbers.len() < 20 {
        let frame = soon(client.recv()).await.unwrap();
        if frame.cmd == ECHO {
            numbers.push(u32::from_le_bytes(frame.body[..4].try_into().unwrap()));
        }
    }
    assert_eq!(numbers, (0..20).collect::<Vec<_>>());
}

#[tokio::test]
async fn frame_that_meets_a_scene_that_is_gone_is_held() {
    let fixture = Fixture::start().await;
    let scene = &fixture.scene;
    let mut client = fixture.logged_in("alice").await;
    // The gate has not heard of it yet.
    scene.present.store(false, Ordering::SeqCst);
    let words = ["is", "anybody", "there"];
    for word in words {
        client.send(ECHO, word.as_bytes()).await.unwrap();
    }
    client.ping(b"").await.unwrap();
    soon(client.recv()).await.unwrap();
    scene.vanish(SCENE);
    // It has looked again, and in vain.
    client.ping(b"").await.unwrap();
    soon(client.recv()).await.unwrap();
    scene.appear(SUCCESSOR, "scene@0");
    for word in words {
        assert_eq!(soon(client.recv()).await.unwrap().body, word);
    }
}

#[tokio::test]
async fn thousand_sessions_enter_a_scene_that_is_back_in_the_order_of_their_logins() {
    let fixture = Fixture::with(Limits {
        connections_per_address: 10_000,
        ..limits()
    })
    .await;
    let scene = &fixture.scene;
    let mut clients = Vec::new();
    for number in 0..1_000 {
        clients.push(fixture.logged_in(&format!("client{number}")).await);
    }
    scene.vanish(SCENE);
    scene.appear(SUCCESSOR, "scene@0");
    let entered = scene.told_to(SUCCESSOR).into_iter().map(|told| match told {
        Told::Enter(_, login) => login,
        other => panic!("{other:?}"),
    });
    let entered: Vec<_> = entered.collect();
    assert_eq!(entered.len(), 1_000);
    assert!(entered.is_sorted());
    for client in &mut clients {
        client.send(ECHO, b"here").await.unwrap();
        assert_eq!(soon(client.recv()).await.unwrap().body, "here");
    }
}

#[tokio::test]
async fn session_that_its_draining_scene_hands_over_waits_for_the_next_of_that_name() {
    let fixture = Fixture::start().await;
    let scene = &fixture.scene;
    let mut client = fixture.logged_in("alice").await;
    let login = scene.login_of("alice");
    // The gate may hear of the wish before it hears that the scene drains.
    scene.change(SCENE, login, 1, "scene@0");
    let leave = Told::Leave(login, "scene@0".into());
    eventually("it leaves", || scene.told().contains(&leave)).await;
    client.send(ECHO, b"later").await.unwrap();
    client.ping(b"").await.unwrap();
    soon(client.recv()).await.unwrap();
    scene.state(SCENE, "scene@0", false);
    assert_eq!(scene.told_to(SCENE).last(), Some(&leave));
    scene.appear(SUCCESSOR, "scene@0");
    scene.vanish(SCENE);
    assert_eq!(soon(client.recv()).await.unwrap().body, "later");
}
