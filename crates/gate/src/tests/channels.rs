//! Sessions in channels.

use metrics_exporter_prometheus::PrometheusBuilder;
use protocol::v1::Deliver;

use super::{
    Fixture, eventually,
    scene::{ECHO, OTHER, SCENE, Told},
    soon,
};

impl Fixture {
    fn send_channel(&self, channel: &str, body: &'static str) {
        self.scene.speak(&Deliver {
            channel: channel.to_owned(),
            cmd: 5,
            body: body.into(),
            ..Deliver::default()
        });
    }

    fn channels(&self) -> usize {
        self.gate.shared().sessions.channels.len()
    }
}

#[tokio::test]
async fn message_to_a_channel_reaches_its_members_and_nobody_else() {
    let fixture = Fixture::start().await;
    let scene = &fixture.scene;
    let mut clients = Vec::new();
    for name in ["alice", "bob", "carol"] {
        clients.push(fixture.logged_in(name).await);
    }
    let login = |name| scene.login_of(name);
    for name in ["alice", "bob"] {
        scene.channel(SCENE, login(name), "room", false);
        scene.channel(SCENE, login(name), "room", false);
    }
    // No scene but the one that holds a session lets it join.
    scene.channel(OTHER, login("carol"), "room", false);
    fixture.send_channel("room", "to both");
    scene.channel(SCENE, login("bob"), "room", true);
    scene.channel(SCENE, login("bob"), "room", true);
    fixture.send_channel("room", "to one");
    fixture.send_channel("nowhere", "to none");
    scene.deliver(&[], 5, "to all");
    for (client, expected) in clients.iter_mut().zip([
        &["to both", "to one", "to all"][..],
        &["to both", "to all"],
        &["to all"],
    ]) {
        for body in expected {
            assert_eq!(soon(client.recv()).await.unwrap().body, *body);
        }
    }
}

#[tokio::test]
async fn session_leaves_its_channels_when_it_ends_and_not_when_it_changes_scenes() {
    let fixture = Fixture::start().await;
    let scene = &fixture.scene;
    scene.appear(OTHER, "scene@1");
    let mut alice = fixture.logged_in("alice").await;
    let login = scene.login_of("alice");
    for channel in ["room", "guild"] {
        scene.channel(SCENE, login, channel, false);
    }
    scene.change(SCENE, login, 1, "scene@1");
    let entered = || !scene.told_to(OTHER).is_empty();
    eventually("it is in the other scene", entered).await;
    fixture.send_channel("guild", "still a member");
    assert_eq!(soon(alice.recv()).await.unwrap().body, "still a member");
    scene.channel(OTHER, login, "guild", true);
    eventually("one is left", || fixture.channels() == 1).await;
    drop(alice);
    fixture.deserted().await;
    assert_eq!(fixture.channels(), 0);
    assert_eq!(scene.told().last(), Some(&Told::Offline(login)));
}

#[tokio::test]
async fn session_is_in_64_channels_at_most_and_more_are_counted_and_ignored() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let _recording = metrics::set_default_local_recorder(&recorder);
    let fixture = Fixture::start().await;
    let mut alice = fixture.logged_in("alice").await;
    let login = fixture.scene.login_of("alice");
    for number in 0..66 {
        fixture
            .scene
            .channel(SCENE, login, &format!("room{number}"), false);
    }
    fixture.scene.channel(SCENE, login, "", false);
    fixture.scene.channel(SCENE, login, &"x".repeat(129), false);
    alice.send(ECHO, b"fine").await.unwrap();
    assert_eq!(soon(alice.recv()).await.unwrap().body, "fine");
    assert_eq!(fixture.channels(), 64);
    let page = recorder.handle().render();
    for line in [
        "redrabbit_gate_dropped_total{reason=\"too_many_channels\"} 2\n",
        "redrabbit_gate_dropped_total{reason=\"malformed\"} 2\n",
    ] {
        assert!(page.contains(line), "{line} not in\n{page}");
    }
}
