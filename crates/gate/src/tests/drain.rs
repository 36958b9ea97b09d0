//! The end of a gate.

use std::{future::pending, sync::atomic::Ordering, time::Duration};

use client::{Client, ClientError};
use tokio::time::Instant;

use super::{Fixture, eventually, reason, reason_on, scene::ECHO, soon};
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
