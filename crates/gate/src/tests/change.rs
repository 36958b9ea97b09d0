//! A session goes from one scene to another.

use std::sync::atomic::Ordering;

use metrics_exporter_prometheus::PrometheusBuilder;
use protocol::v1::CloseReason;

use super::{
    Fixture, eventually, limits, reason,
    scene::{ECHO, HANG, OTHER, SCENE, Told},
    soon,
};

async fn fixture() -> Fixture {
    let fixture = Fixture::start().await;
    fixture.scene.appear(OTHER, "scene@1");
    fixture
}

#[tokio::test]
async fn session_leaves_one_scene_before_it_enters_the_next() {
    let fixture = fixture().await;
    let mut client = fixture.logged_in("alice").await;
    let login = fixture.scene.login_of("alice");
    fixture.scene.answers.store(false, Ordering::SeqCst);
    client.send(ECHO, b"one").await.unwrap();
    assert_eq!(soon(client.recv()).await.unwrap().body, "one");
    fixture.scene.change(SCENE, login, 1, "scene@1");
    let leave = Told::Leave(login, "scene@1".into());
    let left = || fixture.scene.told_to(SCENE).contains(&leave);
    eventually("the scene is told to let it go", left).await;

    // Meanwhile frames are held, and pings are answered.
    client.send(ECHO, b"two").await.unwrap();
    client.send(ECHO, b"three").await.unwrap();
    client.ping(b"ping").await.unwrap();
    assert_eq!(soon(client.recv()).await.unwrap().body, "ping");
    assert!(fixture.scene.told_to(OTHER).is_empty());

    fixture.scene.leaves(SCENE, login, 1, false);
    assert_eq!(soon(client.recv()).await.unwrap().body, "two");
    assert_eq!(soon(client.recv()).await.unwrap().body, "three");
    let enter = Told::Enter("alice".into(), login);
    let frame = |body: &'static str| Told::Frame(login, ECHO, body.into());
    assert_eq!(
        fixture.scene.told_to(SCENE),
        [enter.clone(), frame("one"), leave]
    );
    assert_eq!(
        fixture.scene.told_to(OTHER),
        [enter, frame("two"), frame("three")]
    );

    fixture.scene.answers.store(true, Ordering::SeqCst);
    drop(client);
    fixture.deserted().await;
    let last = fixture.scene.told_to(OTHER).pop();
    assert_eq!(last, Some(Told::Offline(login)));
    let told = fixture.scene.told_to(SCENE);
    assert!(!told.contains(&Told::Offline(login)));
}

#[tokio::test]
async fn only_the_scene_that_holds_a_session_sends_it_away_or_closes_it() {
    let fixture = fixture().await;
    let mut client = fixture.logged_in("alice").await;
    let scene = &fixture.scene;
    let login = scene.login_of("alice");
    scene.change(OTHER, login, 1, "scene@1");
    scene.change(SCENE, login, 2, "scene@1");
    scene.change(SCENE, login, 0, "scene@1");
    scene.change(SCENE, login, 1, "not a name");
    scene.close_by(OTHER, login, CloseReason::ClosedByScene);
    client.send(ECHO, b"still here").await.unwrap();
    assert_eq!(soon(client.recv()).await.unwrap().body, "still here");
    assert!(scene.told_to(OTHER).is_empty());

    scene.change(SCENE, login, 1, "scene@1");
    let entered = || !scene.told_to(OTHER).is_empty();
    eventually("it enters the other one", entered).await;
    // The owner may close it wherever it is; who held it before may not, and here
    // both are one.
    scene.close_by(OTHER, login, CloseReason::ClosedByScene);
    assert_eq!(reason(&mut client).await, "closed_by_scene");
}

#[tokio::test]
async fn change_to_a_scene_that_nobody_knows_is_refused_and_the_session_stays() {
    let fixture = Fixture::start().await;
    let mut client = fixture.logged_in("alice").await;
    let login = fixture.scene.login_of("alice");
    fixture.scene.change(SCENE, login, 1, "scene@9");
    client.send(ECHO, b"one").await.unwrap();
    assert_eq!(soon(client.recv()).await.unwrap().body, "one");
    let stay = Told::Stay(login, "scene@9".into());
    assert!(fixture.scene.told_to(SCENE).contains(&stay));
}

#[tokio::test]
async fn client_that_goes_during_a_change_is_offline_in_the_scene_that_has_it() {
    let fixture = fixture().await;
    let scene = &fixture.scene;
    scene.answers.store(false, Ordering::SeqCst);
    for offline in [true, false] {
        let client = fixture.logged_in("alice").await;
        let login = scene.login_of("alice");
        scene.change(SCENE, login, 1, "scene@1");
        let leaves = |told: &Told| matches!(told, Told::Leave(of, _) if *of == login);
        eventually("it is on its way", || scene.told().iter().any(leaves)).await;
        drop(client);
        scene.offline(login).await;
        // The old scene has heard of the offline before its leave, or after it.
        scene.leaves(SCENE, login, 1, offline);
        if !offline {
            let told = || scene.told_to(OTHER);
            eventually("the next scene hears of it", || told().len() == 2).await;
            let enter = Told::Enter("alice".into(), login);
            assert_eq!(told(), [enter, Told::Offline(login)]);
            scene.leaves(OTHER, login, 2, true);
        }
        fixture.deserted().await;
        assert!(scene.told_owner(SCENE).contains(&Told::Ended(login)));
    }
}

#[tokio::test]
async fn frames_that_wait_for_room_follow_the_session_to_its_next_scene() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let _recording = metrics::set_default_local_recorder(&recorder);
    let limits = topology::Limits {
        scene_window_bytes: 200,
        frame_bytes: 200,
        ..limits()
    };
    let fixture = Fixture::with(limits).await;
    let scene = &fixture.scene;
    scene.appear(OTHER, "scene@1");
    let greedy = fixture.logged_in("greedy").await;
    let mut client = fixture.logged_in("alice").await;
    let (greedy_login, login) = (scene.login_of("greedy"), scene.login_of("alice"));
    let (mut sender, _receiver) = greedy.split();
    sender.send(HANG, &[0; 136]).await.unwrap();
    let full = || !scene.frames_of("greedy").is_empty();
    eventually("the window is full", full).await;
    client.send(ECHO, b"alice is here").await.unwrap();
    client.send(ECHO, b"and here").await.unwrap();
    let waits = "redrabbit_gate_paused_total{reason=\"scene_window\"} 1\n";
    let page = || recorder.handle().render();
    eventually("it waits for room", || page().contains(waits)).await;
    // There is no room in this scene, but in the next one there is.
    scene.change(SCENE, login, 1, "scene@1");
    assert_eq!(soon(client.recv()).await.unwrap().body, "alice is here");
    assert_eq!(soon(client.recv()).await.unwrap().body, "and here");
    assert_eq!(scene.told_to(OTHER).len(), 3);
    let window = |node| fixture.gate.shared().sessions.table.window(node);
    scene.finish(greedy_login, 1);
    eventually("all room is free", || {
        window(SCENE).available() == 200 && window(OTHER).available() == 200
    })
    .await;
}

#[tokio::test]
async fn session_bounces_a_thousand_times_and_every_frame_is_handled_once_in_order() {
    let fixture = fixture().await;
    let scene = &fixture.scene;
    let mut client = fixture.logged_in("alice").await;
    let login = scene.login_of("alice");
    for round in 0..1_000u32 {
        let holding = round + 1;
        let (from, to) = [(SCENE, "scene@1"), (OTHER, "scene@0")][round as usize % 2];
        client.send(ECHO, &(2 * round).to_le_bytes()).await.unwrap();
        scene.change(from, login, holding, to);
        client
            .send(ECHO, &(2 * round + 1).to_le_bytes())
            .await
            .unwrap();
        for number in [2 * round, 2 * round + 1] {
            let echo = soon(client.recv()).await.unwrap();
            assert_eq!(echo.body, number.to_le_bytes().to_vec());
        }
        let entered = || {
            let is_enter = |told: &&Told| matches!(told, Told::Enter(..));
            scene.told().iter().filter(is_enter).count() == holding as usize + 1
        };
        eventually("it is in the next one", entered).await;
    }
    let frames = scene.frames_of("alice");
    let expected: Vec<_> = (0..2_000u32).map(|n| n.to_le_bytes().to_vec()).collect();
    assert_eq!(frames, expected);
}
