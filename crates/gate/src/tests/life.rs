//! A session from its verification to its offline.

use std::sync::atomic::Ordering;

use client::{CMD_PING, Client, ClientError};
use metrics_exporter_prometheus::PrometheusBuilder;
use protocol::v1::CloseReason;

use super::{
    Fixture, eventually, reason,
    scene::{ECHO, SCENE, Told},
    soon,
};

#[tokio::test]
async fn verified_client_enters_talks_and_goes_offline_once() {
    let fixture = Fixture::start().await;
    let mut client = fixture.client().await;
    let welcome = soon(client.login("ok:alice")).await.unwrap();
    assert_eq!(welcome.reply, "hello alice");

    client.send(ECHO, b"one").await.unwrap();
    let echo = soon(client.recv()).await.unwrap();
    assert_eq!((echo.cmd, &echo.body[..]), (ECHO, &b"one"[..]));
    assert_eq!(fixture.gate.sessions(), 1);

    drop(client);
    let login = fixture.scene.login_of("alice");
    fixture.scene.offline(login).await;
    assert_eq!(
        fixture.scene.told(),
        [
            Told::Enter("alice".into(), login),
            Told::Frame(login, ECHO, "one".into()),
            Told::Offline(login),
        ]
    );
    fixture.deserted().await;
}

#[tokio::test]
async fn websocket_client_lives_the_same_life() {
    let fixture = Fixture::start().await;
    let mut client = Client::connect_websocket(&fixture.url()).await.unwrap();
    let welcome = soon(client.login("ok:alice")).await.unwrap();
    assert_eq!(welcome.reply, "hello alice");
    client.send(ECHO, b"one").await.unwrap();
    assert_eq!(soon(client.recv()).await.unwrap().body, "one");
    client.close().await.unwrap();
    let login = fixture.scene.login_of("alice");
    fixture.scene.offline(login).await;
    fixture.deserted().await;
}

#[tokio::test]
async fn scene_is_asked_with_key_time_address_and_gate() {
    let fixture = Fixture::start().await;
    let _client = fixture.logged_in("alice").await;
    let request = fixture.scene.requests.lock().unwrap()[0].clone();
    assert_eq!(request.session_key, "ok:alice");
    assert_eq!(request.ip, "127.0.0.1");
    assert_eq!(request.gate_name, "gate@0");
    assert!(request.online_time > 1_700_000_000);
}

#[tokio::test]
async fn refused_client_reads_the_words_of_the_script() {
    let fixture = Fixture::start().await;
    for (key, expected) in [
        ("no:wrong password", "wrong password"),
        ("raise", "verification failed"),
        ("nonsense", "verify_unavailable"),
        ("", "the session key is empty"),
    ] {
        match soon(fixture.client().await.login(key)).await {
            Err(ClientError::Refused { reason }) => assert_eq!(reason, expected),
            other => panic!("{key}: {other:?}"),
        }
    }
    fixture.deserted().await;
    assert!(fixture.scene.told().is_empty());
}

#[tokio::test]
async fn client_is_told_when_nobody_can_verify_it() {
    let fixture = Fixture::start().await;
    fixture.scene.present.store(false, Ordering::SeqCst);
    match soon(fixture.client().await.login("ok:alice")).await {
        Err(ClientError::Refused { reason }) => assert_eq!(reason, "verify_unavailable"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn client_that_goes_while_it_is_verified_is_ended_at_the_owner() {
    let fixture = Fixture::start().await;
    let mut client = fixture.client().await;
    let asked = || !fixture.scene.requests.lock().unwrap().is_empty();
    tokio::select! {
        answer = client.login("slow:alice") => panic!("{answer:?}"),
        () = eventually("the scene is asked", asked) => {}
    }
    let login = fixture.scene.last_login();
    drop(client);
    let connections = &fixture.gate.shared().connections;
    eventually("the gate has noticed", || connections.are_closing()).await;
    fixture.scene.answer();
    fixture.deserted().await;
    let ended = [Told::Report(vec![], true), Told::Ended(login)];
    assert_eq!(fixture.scene.told_owner(SCENE), ended);
    assert!(fixture.scene.told().is_empty());
}

#[tokio::test]
async fn ping_is_answered_by_the_gate_and_never_seen_by_the_scene() {
    let fixture = Fixture::start().await;
    let mut client = fixture.logged_in("alice").await;
    client.ping(b"are you there").await.unwrap();
    let pong = soon(client.recv()).await.unwrap();
    assert_eq!(
        (pong.cmd, &pong.body[..]),
        (CMD_PING, &b"are you there"[..])
    );
    assert!(fixture.scene.frames_of("alice").is_empty());
}

#[tokio::test]
async fn scene_speaks_to_one_to_some_and_to_all() {
    let fixture = Fixture::start().await;
    let mut clients = Vec::new();
    for name in ["alice", "bob", "carol"] {
        clients.push(fixture.logged_in(name).await);
    }
    let logins = ["alice", "bob", "carol"].map(|name| fixture.scene.login_of(name));
    // Somebody who has not been let in hears nothing.
    let _stranger = fixture.socket().await;

    fixture.scene.deliver(&logins[..1], 5, "one");
    fixture
        .scene
        .deliver(&[logins[0], 999, logins[1]], 5, "some");
    fixture.scene.deliver(&[], 5, "all");
    for (client, expected) in
        clients
            .iter_mut()
            .zip([&["one", "some", "all"][..], &["some", "all"], &["all"]])
    {
        for body in expected {
            assert_eq!(soon(client.recv()).await.unwrap().body, *body);
        }
    }
}

#[tokio::test]
async fn last_words_of_a_scene_arrive_before_the_close() {
    let fixture = Fixture::start().await;
    let mut client = fixture.logged_in("alice").await;
    let login = fixture.scene.login_of("alice");
    fixture.scene.deliver(&[login], 5, "good-bye");
    fixture.scene.close(login, CloseReason::ClosedByScene);
    assert_eq!(soon(client.recv()).await.unwrap().body, "good-bye");
    assert_eq!(reason(&mut client).await, "closed_by_scene");
    fixture.scene.offline(login).await;
}

#[tokio::test]
async fn gate_that_loses_its_group_closes_everybody() {
    let fixture = Fixture::start().await;
    let mut client = fixture.logged_in("alice").await;
    fixture.scene.lose_group();
    assert_eq!(reason(&mut client).await, "group_lost");
    fixture.deserted().await;
}

#[tokio::test]
async fn directory_hears_how_many_sessions_there_are() {
    let fixture = Fixture::start().await;
    let _client = fixture.logged_in("alice").await;
    eventually("the load is reported", || {
        fixture.scene.load.load(Ordering::SeqCst) == 1
    })
    .await;
}

#[tokio::test]
async fn every_end_is_counted_once_under_its_reason() {
    let recorder = PrometheusBuilder::new().build_recorder();
    // For this thread, on which all of the test runs.
    let _recording = metrics::set_default_local_recorder(&recorder);
    let fixture = Fixture::start().await;
    drop(fixture.logged_in("goes").await);
    fixture.deserted().await;
    let mut closed = fixture.logged_in("closed").await;
    let login = fixture.scene.login_of("closed");
    fixture.scene.close(login, CloseReason::ClosedByScene);
    assert_eq!(reason(&mut closed).await, "closed_by_scene");
    drop(closed);
    assert!(soon(fixture.client().await.login("no:way")).await.is_err());
    fixture.deserted().await;

    let page = recorder.handle().render();
    for line in [
        "redrabbit_gate_closed_total{reason=\"client_closed\"} 1",
        "redrabbit_gate_closed_total{reason=\"closed_by_scene\"} 1",
        "redrabbit_gate_closed_total{reason=\"verify_refused\"} 1",
        "redrabbit_gate_refused_total{reason=\"verify_refused\"} 1",
        "redrabbit_gate_accepted_total{transport=\"tcp\"} 3",
        "redrabbit_gate_connections{transport=\"tcp\"} 0",
        "redrabbit_gate_sessions 0",
    ] {
        assert!(
            page.contains(&format!("{line}\n")),
            "{line}\nnot in\n{page}"
        );
    }
}
