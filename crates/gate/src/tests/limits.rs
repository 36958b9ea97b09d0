//! How many, how long.

use std::time::Duration;

use client::{Client, ClientError};
use tokio::time::Instant;
use topology::Limits;

use super::{Fixture, limits, reason, scene::ECHO, soon};

#[tokio::test]
async fn full_gate_says_so_over_both_transports_and_takes_the_next_when_one_goes() {
    let fixture = Fixture::with(Limits {
        sessions_per_gate: 1,
        ..limits()
    })
    .await;
    let first = fixture.logged_in("first").await;
    let over_tcp = fixture.client().await;
    let over_websocket = Client::connect_websocket(&fixture.url()).await.unwrap();
    for mut late in [over_tcp, over_websocket] {
        match soon(late.login("ok:late")).await {
            Err(ClientError::Refused { reason }) => assert_eq!(reason, "gate_full"),
            other => panic!("{other:?}"),
        }
    }
    drop(first);
    fixture.deserted().await;
    fixture.logged_in("next").await;
}

#[tokio::test]
async fn connections_of_this_machine_are_not_counted_by_address() {
    let fixture = Fixture::with(Limits {
        connections_per_address: 1,
        ..limits()
    })
    .await;
    let _first = fixture.logged_in("first").await;
    let _second = fixture.logged_in("second").await;
}

#[tokio::test]
async fn silent_client_is_closed_and_one_that_pings_is_not() {
    let fixture = Fixture::with(Limits {
        idle_timeout: Duration::from_millis(300),
        ..limits()
    })
    .await;
    let mut silent = fixture.logged_in("silent").await;
    let mut alive = fixture.logged_in("alive").await;
    let since = Instant::now();
    let closed = async { reason(&mut silent).await };
    tokio::pin!(closed);
    let told = loop {
        tokio::select! {
            told = &mut closed => break told,
            () = tokio::time::sleep(Duration::from_millis(50)) => {
                alive.ping(b"").await.unwrap();
            }
        }
    };
    assert_eq!(told, "idle");
    assert!(since.elapsed() >= Duration::from_millis(300));
    alive.send(ECHO, b"here").await.unwrap();
    while soon(alive.recv()).await.unwrap().cmd != ECHO {}
}

#[tokio::test]
async fn websocket_that_never_shakes_hands_is_dropped() {
    let fixture = Fixture::with(Limits {
        verify_timeout: Duration::from_millis(150),
        ..limits()
    })
    .await;
    let address = fixture.gate.websocket_address().unwrap();
    let mut silent = tokio::net::TcpStream::connect(address).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut silent, b"GET / HTTP/1.1\r\nHos")
        .await
        .unwrap();
    let mut rest = Vec::new();
    soon(tokio::io::AsyncReadExt::read_to_end(&mut silent, &mut rest))
        .await
        .unwrap();
    fixture.deserted().await;
}
