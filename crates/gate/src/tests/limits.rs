//! How many, how long.

use std::time::Duration;

use client::{Client, ClientError};
use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::time::Instant;
use topology::Limits;

use super::{Fixture, eventually, limits, reason, reason_on, scene::ECHO, soon};

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

#[tokio::test]
async fn silent_connections_crowd_out_each_other_and_no_session() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let _recording = metrics::set_default_local_recorder(&recorder);
    let fixture = Fixture::with(Limits {
        unverified_per_gate: 3,
        sessions_per_gate: 2,
        ..limits()
    })
    .await;
    let mut alice = fixture.logged_in("alice").await;
    let mut flood = Vec::new();
    for number in 0..20 {
        flood.push(fixture.socket().await);
        let expected = 1 + (number + 1).min(3);
        let connections = &fixture.gate.shared().connections;
        // The oldest ones are told, and go.
        if number >= 3 {
            assert_eq!(reason_on(&mut flood[number - 3]).await, "crowded_out");
        }
        eventually("three are left", || connections.len() == expected).await;
    }
    let mut bob = fixture.logged_in("bob").await;
    for client in [&mut alice, &mut bob] {
        client.send(ECHO, b"fine").await.unwrap();
        assert_eq!(soon(client.recv()).await.unwrap().body, "fine");
    }
    let page = recorder.handle().render();
    let line = "redrabbit_gate_refused_total{reason=\"crowded_out\"} 18\n";
    assert!(page.contains(line), "{page}");
}

#[tokio::test]
async fn client_that_presses_against_its_rate_for_too_long_is_closed() {
    let fixture = Fixture::with(Limits {
        frames_per_second: 50,
        frame_burst: 5,
        rate_patience: Duration::from_millis(400),
        ..limits()
    })
    .await;
    let modest = fixture.logged_in("modest").await;
    let mut client = fixture.logged_in("alice").await;
    let since = Instant::now();
    let (sender, receiver) = client.halves();
    let pressing = async {
        loop {
            if sender.send(ECHO, b"now").await.is_err() {
                return;
            }
        }
    };
    let told = async {
        loop {
            match receiver.recv().await {
                Ok(_) => {}
                Err(ClientError::Closed { reason }) => return reason,
                Err(other) => panic!("{other}"),
            }
        }
    };
    let told = soon(async {
        tokio::pin!(told);
        tokio::select! {
            told = &mut told => told,
            () = pressing => told.await,
        }
    })
    .await;
    assert_eq!(told, "rate_limited");
    assert!(since.elapsed() >= Duration::from_millis(400));
    assert_eq!(fixture.gate.sessions(), 1);
    drop(modest);
}
