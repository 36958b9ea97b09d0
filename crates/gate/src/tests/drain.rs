//! The end of a gate.

use std::{future::pending, sync::atomic::Ordering, time::Duration};

use bytes::BytesMut;
use client::{Client, ClientError};
use protocol::client::encode_frame;
use tokio::{io::AsyncWriteExt, time::Instant};

use super::{Fixture, eventually, next_frame, reason, reason_on, scene::ECHO, soon};
use crate::Drained;

#[tokio::test]
async fn drain_waits_for_those_who_go_and_closes_those_who_stay() {
    let Fixture { gate, scene } = Fixture::start().await;
    let address = gate.tcp_address().unwrap();
    let log_in = |key: &'static str| async move {
        let mut client = Client::connect_tcp(address).await.unwrap();
        client.login(key).await.unwrap();
        client
    };
    let goes = log_in("ok:goes").await;
    let mut stays = log_in("ok:stays").await;
    let mut stranger = tokio::net::TcpStream::connect(address).await.unwrap();
    eventually("it is accepted", || gate.shared().connections.len() == 3).await;

    let draining = tokio::spawn(gate.drain(Duration::from_millis(400), pending()));
    assert_eq!(reason_on(&mut stranger).await, "draining");
    assert!(scene.draining.load(Ordering::SeqCst));
    let refused = async {
        // The listener is gone, or about to be.
        while let Ok(mut late) = Client::connect_tcp(address).await {
            match late.login("ok:late").await {
                Ok(_) => panic!("a draining gate lets nobody in"),
                Err(ClientError::Refused { reason }) => assert_eq!(reason, "draining"),
                Err(_) => {}
            }
        }
    };
    soon(refused).await;

    stays.send(ECHO, b"as before").await.unwrap();
    assert_eq!(soon(stays.recv()).await.unwrap().body, "as before");
    assert!(stays.is_draining(), "it has been told");
    drop(goes);
    assert_eq!(reason(&mut stays).await, "draining");
    drop(stays);
    let drained = soon(draining).await.unwrap();
    assert_eq!(
        drained,
        Drained {
            left: 1,
            closed: 1,
            clean: true
        }
    );
    assert!(scene.left.load(Ordering::SeqCst));
    for name in ["goes", "stays"] {
        scene.offline(scene.login_of(name)).await;
    }
}

#[tokio::test]
async fn drain_of_an_empty_gate_takes_no_time() {
    let Fixture { gate, .. } = Fixture::start().await;
    let since = Instant::now();
    soon(gate.drain(Duration::from_secs(60), pending())).await;
    assert!(since.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn second_signal_ends_the_grace() {
    let Fixture { gate, .. } = Fixture::start().await;
    let mut client = Client::connect_tcp(gate.tcp_address().unwrap())
        .await
        .unwrap();
    soon(client.login("ok:alice")).await.unwrap();
    let draining = tokio::spawn(gate.drain(Duration::from_secs(60), async {}));
    assert_eq!(reason(&mut client).await, "draining");
    drop(client);
    assert!(soon(draining).await.unwrap().clean);
}

#[tokio::test]
async fn gate_that_is_dropped_takes_its_sessions_along() {
    let Fixture { gate, scene } = Fixture::start().await;
    let mut client = Client::connect_tcp(gate.tcp_address().unwrap())
        .await
        .unwrap();
    soon(client.login("ok:alice")).await.unwrap();
    drop(gate);
    assert_eq!(reason(&mut client).await, "draining");
    scene.offline(scene.login_of("alice")).await;
    eventually("its seat is free", || scene.is_deserted()).await;
}

#[tokio::test]
async fn drain_waits_until_scenes_have_let_their_sessions_go() {
    let Fixture { gate, scene } = Fixture::start().await;
    scene.answers.store(false, Ordering::SeqCst);
    let mut client = Client::connect_tcp(gate.tcp_address().unwrap())
        .await
        .unwrap();
    soon(client.login("ok:alice")).await.unwrap();
    let login = scene.login_of("alice");
    let draining = tokio::spawn(gate.drain(Duration::ZERO, pending()));
    assert_eq!(reason(&mut client).await, "draining");
    drop(client);
    scene.offline(login).await;
    assert!(!scene.left.load(Ordering::SeqCst));
    scene.leaves(super::scene::SCENE, login, 1, true);
    assert!(soon(draining).await.unwrap().clean);
    assert!(scene.left.load(Ordering::SeqCst));
}

#[tokio::test]
async fn drain_is_announced_to_every_session_at_once() {
    let fixture = Fixture::start().await;
    let mut socket = fixture.socket().await;
    let key = encode_frame(0, 0, b"ok:alice");
    socket.write_all(&key).await.unwrap();
    let mut buffer = BytesMut::new();
    assert_eq!(next_frame(&mut socket, &mut buffer).await.flags, 0);
    let draining = tokio::spawn(fixture.gate.drain(Duration::from_secs(60), pending()));
    let notice = next_frame(&mut socket, &mut buffer).await;
    assert_eq!(
        (notice.cmd, notice.flags, &*notice.body),
        (0, 4, &b"draining"[..])
    );
    drop(socket);
    let drained = soon(draining).await.unwrap();
    assert_eq!((drained.left, drained.closed), (1, 0));
}
