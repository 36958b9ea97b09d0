//! Clients that are too fast, too slow, or too many for their scene.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use client::{CMD_PING, Client};
use protocol::{Login, client::encode_frame};
use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    time::{Instant, sleep, timeout},
};
use topology::Limits;

use super::{
    Fixture, eventually, limits, reason,
    scene::{ECHO, HANG, SCENE, Scene, Told, UNSENDABLE},
    soon,
};

/// The numbers that a session has sent, as the scene has them.
fn numbers(scene: &Scene, name: &str) -> Vec<u32> {
    let frames = scene.frames_of(name);
    let number = |body: &bytes::Bytes| u32::from_le_bytes(body[..4].try_into().unwrap());
    frames.iter().map(number).collect()
}

/// The only client, let in under the name `slow`, that reads nothing at all.
async fn never_reads(fixture: &Fixture) -> TcpStream {
    let mut socket = fixture.socket().await;
    let key = encode_frame(0, 0, b"ok:slow");
    socket.write_all(&key).await.unwrap();
    eventually("it is let in", || fixture.gate.sessions() == 1).await;
    socket
}

#[tokio::test]
async fn full_window_stops_the_reading_and_loses_nothing() {
    let fixture = Fixture::with(Limits {
        session_window: 4,
        ..limits()
    })
    .await;
    let mut client = fixture.logged_in("alice").await;
    let login = fixture.scene.login_of("alice");
    for number in 0..50u32 {
        client.send(HANG, &number.to_le_bytes()).await.unwrap();
    }
    let arrived = || numbers(&fixture.scene, "alice").len();
    eventually("the window is full", || arrived() == 4).await;
    // A ping behind the frames is not read either.
    client.ping(b"").await.unwrap();
    assert!(
        timeout(Duration::from_millis(100), client.recv())
            .await
            .is_err()
    );
    assert_eq!(arrived(), 4);

    let mut finished = 0;
    while finished < 50 {
        let step = (arrived() - finished).min(3);
        fixture.scene.finish(login, step as u32);
        finished += step;
        eventually("more is read", || arrived() == (finished + 4).min(50)).await;
    }
    assert_eq!(
        numbers(&fixture.scene, "alice"),
        (0..50).collect::<Vec<_>>()
    );
    assert_eq!(soon(client.recv()).await.unwrap().cmd, CMD_PING);
}

#[tokio::test]
async fn client_is_not_silent_while_it_is_not_read() {
    let fixture = Fixture::with(Limits {
        session_window: 1,
        idle_timeout: Duration::from_millis(100),
        ..limits()
    })
    .await;
    let mut client = fixture.logged_in("alice").await;
    client.send(HANG, &[0; 4]).await.unwrap();
    eventually("it arrives", || numbers(&fixture.scene, "alice").len() == 1).await;
    assert!(
        timeout(Duration::from_millis(400), client.recv())
            .await
            .is_err()
    );
    fixture.scene.finish(fixture.scene.login_of("alice"), 1);
    assert_eq!(reason(&mut client).await, "idle");
}

#[tokio::test]
async fn a_few_sessions_with_slow_handlers_leave_room_for_the_others() {
    let fixture = Fixture::start().await;
    let mut hungry = Vec::new();
    for number in 0..20 {
        let mut client = fixture.logged_in(&format!("hungry{number}")).await;
        // More than the window takes of one session, and together more than it
        // takes of all of them.
        hungry.push(tokio::spawn(async move {
            for _ in 0..16 {
                client.send(HANG, &[0; 60 * 1024]).await.unwrap();
            }
            client.recv().await
        }));
    }
    let arrived = || (0..20).all(|n| !fixture.scene.frames_of(&format!("hungry{n}")).is_empty());
    eventually("everybody has sent something", arrived).await;
    let mut modest = fixture.logged_in("modest").await;
    modest.send(ECHO, b"still here").await.unwrap();
    assert_eq!(&soon(modest.recv()).await.unwrap().body[..], b"still here");
    hungry.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn a_frame_that_cannot_be_sent_gives_its_room_back() {
    let fixture = Fixture::start().await;
    let stays = fixture.logged_in("stays").await;
    let login = fixture.scene.login_of("stays");
    let mut client = fixture.logged_in("alice").await;
    client.send(UNSENDABLE, &[0; 1_000]).await.unwrap();
    assert_eq!(reason(&mut client).await, "frame_too_large");
    let table = &fixture.gate.shared().sessions.table;
    let seat = table.get(Login(login)).unwrap();
    eventually("alice is gone", || table.len() == 1).await;
    drop(seat);
    assert_eq!(table.window(SCENE).available(), 16 * 1024 * 1024);
    drop(stays);
}

#[tokio::test]
async fn full_scene_holds_everybody_and_lets_them_in_turn() {
    let fixture = Fixture::with(Limits {
        scene_window_bytes: 4_000,
        ..limits()
    })
    .await;
    let scene = &fixture.scene;
    let mut greedy = fixture.logged_in("greedy").await;
    for number in 0..16u32 {
        let mut body = number.to_le_bytes().to_vec();
        body.resize(1_000, 0);
        greedy.send(HANG, &body).await.unwrap();
    }
    eventually("the window is full", || numbers(scene, "greedy").len() == 3).await;
    let mut modest = fixture.logged_in("modest").await;
    modest.send(HANG, &[0; 4]).await.unwrap();
    modest.ping(b"").await.unwrap();
    assert!(
        timeout(Duration::from_millis(100), modest.recv())
            .await
            .is_err(),
        "there is no room, and small frames do not overtake"
    );

    // Two turns later at most it is the modest one's.
    scene.finish(scene.login_of("greedy"), 1);
    eventually("the one that waited longer goes first", || {
        numbers(scene, "greedy").len() == 4
    })
    .await;
    scene.finish(scene.login_of("greedy"), 1);
    eventually("then the modest one", || {
        numbers(scene, "modest").len() == 1
    })
    .await;
    assert_eq!(soon(modest.recv()).await.unwrap().cmd, CMD_PING);

    // Who goes keeps the room until the scene has finished what was sent.
    let window = fixture.gate.shared().sessions.table.window(SCENE);
    scene.answers.store(false, Ordering::SeqCst);
    drop((greedy, modest));
    for name in ["greedy", "modest"] {
        let login = scene.login_of(name);
        while !scene.told().contains(&Told::Offline(login)) {
            scene.finish(login, 1);
            sleep(Duration::from_millis(1)).await;
        }
        assert!(window.available() < 4_000);
        scene.finish(login, u32::MAX);
        scene.leaves(SCENE, login, 1, true);
    }
    fixture.deserted().await;
    assert_eq!(window.available(), 4_000, "all room is given back");
}

#[tokio::test]
async fn fast_client_is_slowed_down_and_not_closed() {
    let fixture = Fixture::with(Limits {
        frames_per_second: 100,
        frame_burst: 10,
        ..limits()
    })
    .await;
    let mut client = fixture.logged_in("alice").await;
    let since = Instant::now();
    let (sender, receiver) = client.halves();
    for number in 0..40u32 {
        sender.feed(ECHO, &number.to_le_bytes()).await.unwrap();
    }
    sender.flush().await.unwrap();
    for number in 0..40u32 {
        let echo = soon(receiver.recv()).await.unwrap();
        assert_eq!(&echo.body[..], number.to_le_bytes());
    }
    // 41 frames with the verification: 10 at once, 31 more at 100 a second.
    assert!(since.elapsed() >= Duration::from_millis(290), "too fast");
}

#[tokio::test]
async fn slow_consumer_is_closed_and_its_neighbours_notice_nothing() {
    let fixture = Fixture::start().await;
    let slow = never_reads(&fixture).await;
    let login = fixture.scene.login_of("slow");
    let neighbour = fixture.logged_in("neighbour").await;

    // Everybody gets all of it; only one of them does not read.
    let (sender, mut receiver) = neighbour.split();
    let reading = tokio::spawn(async move {
        let mut bodies = 0;
        while let Ok(frame) = receiver.recv().await {
            bodies += 1;
            if frame.body == "last" {
                break;
            }
        }
        bodies
    });
    let body = bytes::Bytes::from(vec![1; 32 * 1024]);
    let mut sent = 0;
    while fixture.gate.sessions() == 2 {
        fixture.scene.deliver(&[], 5, body.clone());
        sent += 1;
        assert!(sent < 100_000, "it is never closed");
        sleep(Duration::from_micros(500)).await;
    }
    fixture.scene.deliver(&[], 5, "last");
    assert_eq!(soon(reading).await.unwrap(), sent + 1);
    fixture.scene.offline(login).await;
    drop((slow, sender));
    fixture.deserted().await;
}

#[tokio::test]
async fn slow_consumer_that_reads_on_is_told_why() {
    let fixture = Fixture::with(Limits {
        send_queue_frames: 8,
        ..limits()
    })
    .await;
    let mut client = fixture.logged_in("alice").await;
    let login = fixture.scene.login_of("alice");
    for _ in 0..9 {
        fixture.scene.deliver(&[login], 5, "too much at once");
    }
    assert_eq!(reason(&mut client).await, "slow_consumer");
}

#[tokio::test]
async fn client_that_never_reads_does_not_keep_its_task() {
    let fixture = Fixture::start().await;
    let slow = never_reads(&fixture).await;
    let login = fixture.scene.login_of("slow");
    while fixture.gate.sessions() == 1 {
        fixture.scene.deliver(&[login], 5, vec![1; 60 * 1024]);
        tokio::task::yield_now().await;
    }
    let since = Instant::now();
    fixture.deserted().await;
    assert!(since.elapsed() < Duration::from_secs(5));
    drop(slow);
}

#[tokio::test]
async fn ten_thousand_frames_of_a_hundred_clients_are_answered_in_order() {
    let fixture = Fixture::with(Limits {
        frames_per_second: 1_000_000,
        frame_burst: 1_000_000,
        scene_window_bytes: 8 * 1024,
        ..limits()
    })
    .await;
    let fixture = Arc::new(fixture);
    let mut clients = Vec::new();
    for client in 0..100 {
        let fixture = Arc::clone(&fixture);
        clients.push(tokio::spawn(async move {
            let name = format!("ok:client{client}");
            let mut client = if client % 2 == 0 {
                fixture.client().await
            } else {
                Client::connect_websocket(&fixture.url()).await.unwrap()
            };
            client.login(&name).await.unwrap();
            let (mut sender, mut receiver) = client.split();
            for number in 0..100u32 {
                sender.feed(ECHO, &number.to_le_bytes()).await.unwrap();
            }
            sender.flush().await.unwrap();
            for number in 0..100u32 {
                let echo = receiver.recv().await.unwrap();
                assert_eq!(&echo.body[..], number.to_le_bytes());
            }
        }));
    }
    for client in clients {
        soon(client).await.unwrap();
    }
    fixture.deserted().await;
}
