//! What the gate and the owner of its sessions say to each other.

use std::{pin::pin, sync::atomic::Ordering};

use client::ClientError;
use futures_util::FutureExt;
use protocol::{ErrorKind, NodeId};

use super::{
    Fixture, eventually, reason,
    scene::{ECHO, OTHER, SCENE, Told},
    soon,
};

const SUCCESSOR: NodeId = NodeId::new(1, 99);

#[tokio::test]
async fn older_login_is_replaced_when_its_scene_has_let_it_go() {
    let fixture = Fixture::start().await;
    let scene = &fixture.scene;
    scene.answers.store(false, Ordering::SeqCst);
    let mut older = fixture.logged_in("alice").await;
    let login = scene.login_of("alice");
    let mut replaced = pin!(scene.replace(SCENE, login));
    let mut again = pin!(scene.replace(SCENE, login));
    assert_eq!(reason(&mut older).await, "replaced");
    scene.offline(login).await;
    assert!((&mut replaced).now_or_never().is_none(), "it is held yet");
    assert!((&mut again).now_or_never().is_none());
    scene.leaves(SCENE, login, 1, true);
    soon(replaced).await.unwrap();
    soon(again).await.unwrap();
    assert!(scene.told_owner(SCENE).contains(&Told::Ended(login)));
    drop(older);
    fixture.deserted().await;
    // And once more, when it is long gone.
    soon(scene.replace(SCENE, login)).await.unwrap();
}

#[tokio::test]
async fn login_that_is_replaced_before_its_gate_hears_of_it_never_begins() {
    let fixture = Fixture::start().await;
    let scene = &fixture.scene;
    let mut client = fixture.client().await;
    let asked = || !scene.requests.lock().unwrap().is_empty();
    let mut login = pin!(client.login("slow:alice"));
    tokio::select! {
        answer = &mut login => panic!("{answer:?}"),
        () = eventually("the scene is asked", asked) => {}
    }
    soon(scene.replace(SCENE, scene.last_login()))
        .await
        .unwrap();
    scene.answer();
    match soon(login).await {
        Err(ClientError::Refused { reason }) => assert_eq!(reason, "replaced"),
        other => panic!("{other:?}"),
    }
    fixture.deserted().await;
    assert!(scene.told().is_empty());
}

#[tokio::test]
async fn nobody_but_the_owner_replaces_a_login() {
    let fixture = Fixture::start().await;
    let mut client = fixture.logged_in("alice").await;
    let login = fixture.scene.login_of("alice");
    let refused = soon(fixture.scene.replace(OTHER, login)).await;
    assert_eq!(refused.unwrap_err().kind, ErrorKind::Forbidden);
    client.send(ECHO, b"fine").await.unwrap();
    assert_eq!(soon(client.recv()).await.unwrap().body, "fine");
}

#[tokio::test]
async fn login_that_waited_too_long_for_its_turn_is_told_that_it_was_replaced() {
    let fixture = Fixture::start().await;
    match soon(fixture.client().await.login("late")).await {
        Err(ClientError::Refused { reason }) => assert_eq!(reason, "replaced"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn every_new_owner_is_told_once_who_is_connected() {
    let fixture = Fixture::start().await;
    let scene = &fixture.scene;
    assert_eq!(scene.told_owner(SCENE), [Told::Report(vec![], true)]);
    let _alice = fixture.logged_in("alice").await;
    let login = scene.login_of("alice");
    scene.state(SCENE, "scene@0", true);
    assert_eq!(scene.told_owner(SCENE).len(), 1, "it is the same owner");
    scene.vanish(SCENE);
    // Whether it takes sessions or not.
    scene.state(SUCCESSOR, "scene@0", false);
    let report = [Told::Report(vec![login], true)];
    assert_eq!(scene.told_owner(SUCCESSOR), report);
}

#[tokio::test]
async fn scene_that_owns_nobody_here_is_told_so_and_waits_for_nothing() {
    let fixture = Fixture::start().await;
    let scene = &fixture.scene;
    let _alice = fixture.logged_in("alice").await;
    scene.appear(SUCCESSOR, "scene@1");
    scene.state(SUCCESSOR, "scene@1", true);
    let nobody = [Told::Report(vec![], true)];
    assert_eq!(scene.told_owner(SUCCESSOR), nobody);
}

#[tokio::test]
async fn report_of_many_sessions_comes_in_parts() {
    let fixture = Fixture::with(topology::Limits {
        connections_per_address: 10_000,
        ..super::limits()
    })
    .await;
    let mut clients = Vec::new();
    for number in 0..1_001 {
        clients.push(fixture.logged_in(&format!("client{number}")).await);
    }
    fixture.scene.vanish(SCENE);
    fixture.scene.appear(SUCCESSOR, "scene@0");
    let parts = fixture.scene.told_owner(SUCCESSOR);
    let parts = parts.iter().map(|told| match told {
        Told::Report(logins, complete) => (logins.len(), *complete),
        other => panic!("{other:?}"),
    });
    assert_eq!(parts.collect::<Vec<_>>(), [(1_000, false), (1, true)]);
}

#[tokio::test]
async fn login_of_an_owner_that_has_a_successor_never_begins() {
    let fixture = Fixture::start().await;
    let scene = &fixture.scene;
    let mut client = fixture.client().await;
    let asked = || !scene.requests.lock().unwrap().is_empty();
    let mut login = pin!(client.login("slow:alice"));
    tokio::select! {
        answer = &mut login => panic!("{answer:?}"),
        () = eventually("the scene is asked", asked) => {}
    }
    scene.vanish(SCENE);
    scene.appear(SUCCESSOR, "scene@0");
    scene.answer();
    match soon(login).await {
        Err(ClientError::Refused { reason }) => assert_eq!(reason, "verify_unavailable"),
        other => panic!("{other:?}"),
    }
    fixture.deserted().await;
    assert!(scene.told().is_empty());
    // Whoever owns it now knows that it is nobody's.
    let ended = Told::Ended(scene.last_login());
    assert!(scene.told_owner(SUCCESSOR).contains(&ended));
}

#[tokio::test]
async fn lost_group_ends_every_login_and_the_next_owner_hears_of_none() {
    let fixture = Fixture::start().await;
    let scene = &fixture.scene;
    let mut alice = fixture.logged_in("alice").await;
    let login = scene.login_of("alice");
    let waiting = scene.replace(SCENE, login);
    scene.answers.store(false, Ordering::SeqCst);
    scene.lose_group();
    assert!(["group_lost", "replaced"].contains(&&*reason(&mut alice).await));
    let unavailable = soon(waiting).await.unwrap_err();
    assert_eq!(unavailable.kind, ErrorKind::Unavailable);
    scene.appear(SUCCESSOR, "scene@0");
    let report = [Told::Report(vec![], true)];
    assert_eq!(scene.told_owner(SUCCESSOR), report);
    drop(alice);
    fixture.deserted().await;
    assert!(!scene.told().contains(&Told::Offline(login)));
}
