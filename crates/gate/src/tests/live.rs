//! What a gate may be told while clients are there, and holds for them from then on.

use std::time::Duration;

use client::{Client, ClientError};
use tokio::time::Instant;
use topology::Limits;

use super::{
    Fixture, eventually, limits, reason,
    scene::{ECHO, HANG, OTHER, SCENE, Told},
    soon,
};
use crate::GateConfig;

impl Fixture {
    fn now_with(&self, limits: Limits) {
        self.now_by("scene@0", None, limits);
    }

    fn now_by(&self, verify: &str, enter: Option<&str>, limits: Limits) {
        let name = self.gate.name().clone();
        self.gate.reconfigure(&GateConfig {
            enter: enter.map(|name| name.parse().unwrap()),
            ..GateConfig::new(name, verify.parse().unwrap(), limits)
        });
    }
}

async fn echoes(client: &mut Client, bytes: usize) {
    let body = vec![7; bytes];
    client.send(ECHO, &body).await.unwrap();
    assert_eq!(soon(client.recv()).await.unwrap().body, body);
}

async fn refusal(fixture: &Fixture, name: &str) -> String {
    match soon(fixture.client().await.login(&format!("ok:{name}"))).await {
        Err(ClientError::Refused { reason }) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn gate_that_takes_fewer_keeps_whom_it_has() {
    let fixture = Fixture::start().await;
    let mut clients = [fixture.logged_in("a").await, fixture.logged_in("b").await];
    fixture.now_with(Limits {
        sessions_per_gate: 1,
        ..limits()
    });
    assert_eq!(refusal(&fixture, "late").await, "gate_full");
    for client in &mut clients {
        echoes(client, 3).await;
    }
    fixture.now_with(Limits {
        sessions_per_gate: 3,
        ..limits()
    });
    fixture.logged_in("next").await;
}

#[tokio::test]
async fn frames_are_measured_by_the_bound_that_holds_now() {
    let fixture = Fixture::start().await;
    let mut over_tcp = fixture.logged_in("tcp").await;
    let mut over_websocket = Client::connect_websocket(&fixture.url()).await.unwrap();
    soon(over_websocket.login("ok:web")).await.unwrap();
    for client in [&mut over_tcp, &mut over_websocket] {
        echoes(client, 900).await;
    }
    fixture.now_with(Limits {
        frame_bytes: 100,
        ..limits()
    });
    for client in [&mut over_tcp, &mut over_websocket] {
        echoes(client, 100).await;
        client.send(ECHO, &[7; 101]).await.unwrap();
        assert_eq!(reason(client).await, "frame_too_large");
    }
    let mut later = fixture.logged_in("later").await;
    fixture.now_with(limits());
    echoes(&mut later, 900).await;
}

#[tokio::test]
async fn who_says_nothing_is_closed_by_a_limit_that_came_meanwhile() {
    let fixture = Fixture::start().await;
    let mut silent = fixture.logged_in("silent").await;
    fixture.now_with(Limits {
        idle_timeout: Duration::from_millis(100),
        ..limits()
    });
    assert_eq!(reason(&mut silent).await, "idle");
}

#[tokio::test]
async fn pace_of_a_client_is_the_one_that_holds_now() {
    let fixture = Fixture::start().await;
    let mut client = fixture.logged_in("alice").await;
    fixture.now_with(Limits {
        frames_per_second: 20,
        frame_burst: 1,
        ..limits()
    });
    echoes(&mut client, 1).await;
    let since = Instant::now();
    for _ in 0..6 {
        echoes(&mut client, 1).await;
    }
    assert!(since.elapsed() >= Duration::from_millis(250));
}

#[tokio::test]
async fn window_of_a_session_is_as_wide_as_it_is_now() {
    let fixture = Fixture::with(Limits {
        session_window: 1,
        ..limits()
    })
    .await;
    let mut client = fixture.logged_in("alice").await;
    for _ in 0..3 {
        client.send(HANG, b"").await.unwrap();
    }
    let sent = || fixture.scene.frames_of("alice").len();
    eventually("the first is on its way", || sent() == 1).await;
    fixture.now_with(Limits {
        session_window: 3,
        ..limits()
    });
    eventually("the others follow", || sent() == 3).await;
}

#[tokio::test]
async fn who_verifies_from_now_on_owns_who_is_there() {
    let fixture = Fixture::start().await;
    let scene = &fixture.scene;
    scene.appear(OTHER, "scene@1");
    let mut alice = fixture.logged_in("alice").await;
    let login = scene.login_of("alice");
    fixture.now_by("scene@1", Some("scene@0"), limits());
    let nobody = Told::Report(vec![], true);
    assert_eq!(
        scene.told_owner(OTHER),
        [nobody.clone(), Told::Report(vec![login], true)]
    );
    assert_eq!(scene.told_owner(SCENE).last(), Some(&nobody));
    // The old owner has no say any more, and the new one has.
    assert!(soon(scene.replace(SCENE, login)).await.is_err());
    echoes(&mut alice, 3).await;
    let mut bob = fixture.logged_in("bob").await;
    assert!(
        scene
            .told_to(SCENE)
            .contains(&Told::Enter("bob".into(), scene.login_of("bob")))
    );
    echoes(&mut bob, 3).await;
    soon(scene.replace(OTHER, login)).await.unwrap();
    assert_eq!(reason(&mut alice).await, "replaced");
    // The same again is no change.
    let told = scene.told_owner(OTHER).len();
    fixture.now_by("scene@1", None, limits());
    assert_eq!(scene.told_owner(OTHER).len(), told);
}

#[tokio::test]
async fn scene_that_verifies_from_now_on_may_come_later() {
    let fixture = Fixture::start().await;
    let scene = &fixture.scene;
    let mut alice = fixture.logged_in("alice").await;
    let login = scene.login_of("alice");
    fixture.now_by("scene@1", None, limits());
    assert_eq!(refusal(&fixture, "early").await, "verify_unavailable");
    scene.appear(OTHER, "scene@1");
    assert_eq!(scene.told_owner(OTHER), [Told::Report(vec![login], true)]);
    fixture.logged_in("bob").await;
    echoes(&mut alice, 3).await;
}
