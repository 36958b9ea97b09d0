//! A login gate and a gate that holds sessions, with one scene each that plays along.

use std::{sync::atomic::Ordering, time::Duration};

use client::{Client, ClientError};
use protocol::{
    NodeId,
    client::{FLAG_RESUME, FLAG_TICKET, encode_frame, redirect::Redirect},
};
use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    time::{Instant, sleep},
};
use topology::{GateMode, Limits};

use super::{
    Fixture, config, eventually, limits, next_frame, reason_on,
    scene::{GATE, NEIGHBOUR, SCENE, Told},
    soon,
};

/// A gate that sends clients to another.
struct Two {
    login: Fixture,
    game: Fixture,
}

impl Two {
    async fn start() -> Two {
        Two::with(limits()).await
    }

    /// The game gate has these limits.
    async fn with(game_limits: Limits) -> Two {
        let game = Fixture::configured(config(game_limits), None).await;
        let mut login = config(limits());
        login.mode = GateMode::Login;
        let login = Fixture::configured(login, None).await;
        let of_game = &game.gate.shared().sessions;
        of_game.gates.upsert(GATE, true);
        let _ = login.scene.neighbour.set(of_game.clone());
        let of_login = &login.gate.shared().sessions;
        of_login.gates.upsert(NEIGHBOUR, true);
        let two = Two { login, game };
        eventually("the game gate has said how it stands", || {
            let gates = &two.login.gate.shared().sessions.gates;
            gates.has_room(&"scene@0".parse().unwrap())
        })
        .await;
        two
    }

    /// Logs in at the login gate.
    async fn redirect(&self, key: &str) -> Redirect {
        let mut socket = self.login.socket().await;
        let key = encode_frame(0, 0, key.as_bytes());
        socket.write_all(&key).await.unwrap();
        let frame = next_frame(&mut socket, &mut bytes::BytesMut::new()).await;
        assert_eq!((frame.cmd, frame.flags), (0, FLAG_TICKET), "{frame:?}");
        Redirect::decode(frame.body).unwrap()
    }

    /// Shows this at the game gate.
    async fn show(&self, ticket: &[u8]) -> TcpStream {
        let mut socket = self.game.socket().await;
        let frame = encode_frame(0, FLAG_TICKET, ticket);
        socket.write_all(&frame).await.unwrap();
        socket
    }

    fn asked_game_scene(&self) -> usize {
        self.game.scene.requests.lock().unwrap().len()
    }
}

async fn let_in(socket: &mut TcpStream) {
    let answer = next_frame(socket, &mut bytes::BytesMut::new()).await;
    assert_eq!((answer.cmd, answer.flags), (0, 0), "{answer:?}");
    assert!(answer.body.is_empty());
}

async fn refused_by(fixture: &Fixture, key: &str) -> String {
    match soon(fixture.client().await.login(key)).await {
        Err(ClientError::Refused { reason }) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn client_is_sent_to_a_gate_that_lets_it_in_without_asking() {
    let two = Two::start().await;
    let redirect = two.redirect("ok:alice").await;
    assert_eq!(redirect.address, format!("tcp://{}", two.game.tcp()));
    assert_eq!(redirect.reply, "hello alice");
    let request = two.login.scene.requests.lock().unwrap()[0].clone();
    assert_eq!(NodeId::from_u64(request.for_gate), NEIGHBOUR);
    let mut socket = two.show(&redirect.ticket.0).await;
    let_in(&mut socket).await;
    let entered = two.game.scene.told();
    assert!(
        matches!(&entered[..], [Told::Enter(name, 100)] if name == "alice"),
        "{entered:?}"
    );
    assert_eq!(two.asked_game_scene(), 0);
    assert!(two.login.scene.told().is_empty());
    two.login.deserted().await;
}

#[tokio::test]
async fn ticket_that_is_forged_or_used_or_of_another_gate_is_refused() {
    let two = Two::start().await;
    let redirect = two.redirect("ok:alice").await;
    let mut forged = redirect.ticket.0;
    forged[15] ^= 1;
    let mut socket = two.show(&forged).await;
    assert_eq!(reason_on(&mut socket).await, "ticket_refused");
    // At the gate that it came from.
    let mut socket = two.login.socket().await;
    let frame = encode_frame(0, FLAG_TICKET | FLAG_RESUME, &redirect.ticket.0);
    socket.write_all(&frame).await.unwrap();
    assert_eq!(reason_on(&mut socket).await, "ticket_refused");
    let mut first = two.show(&redirect.ticket.0).await;
    let_in(&mut first).await;
    let mut second = two.show(&redirect.ticket.0).await;
    assert_eq!(reason_on(&mut second).await, "ticket_refused");
    let mut short = two.show(b"short").await;
    assert_eq!(reason_on(&mut short).await, "protocol_error");
    assert_eq!(two.game.gate.sessions(), 1);
}

#[tokio::test]
async fn ticket_lapses_and_its_login_is_over() {
    let two = Two::with(Limits {
        verify_timeout: Duration::from_millis(300),
        ..limits()
    })
    .await;
    let redirect = two.redirect("ok:alice").await;
    assert_eq!(two.game.gate.shared().sessions.stand().load, 1);
    eventually("the owner hears that the login is over", || {
        let told = two.game.scene.told_owner(SCENE);
        told.contains(&Told::Ended(100))
    })
    .await;
    let mut late = two.show(&redirect.ticket.0).await;
    assert_eq!(reason_on(&mut late).await, "ticket_refused");
    assert_eq!(two.game.gate.shared().sessions.stand().load, 0);
}

#[tokio::test]
async fn login_that_is_replaced_before_its_client_has_come_does_not_begin() {
    let two = Two::start().await;
    let redirect = two.redirect("ok:alice").await;
    soon(two.game.scene.replace(SCENE, 100)).await.unwrap();
    let mut socket = two.show(&redirect.ticket.0).await;
    assert_eq!(reason_on(&mut socket).await, "ticket_refused");
}

#[tokio::test]
async fn without_a_gate_that_takes_clients_nobody_is_asked_and_the_client_is_told() {
    let two = Two::with(Limits {
        sessions_per_gate: 1,
        ..limits()
    })
    .await;
    let _first = two.redirect("ok:alice").await;
    eventually("the game gate is known to be full", || {
        let gates = &two.login.gate.shared().sessions.gates;
        !gates.has_room(&"scene@0".parse().unwrap())
    })
    .await;
    assert_eq!(refused_by(&two.login, "ok:bob").await, "no_gate");
    assert_eq!(two.login.scene.requests.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn gate_that_goes_while_its_client_is_verified_is_told_as_no_gate() {
    let two = Two::start().await;
    let client = async {
        let mut client = two.login.client().await;
        soon(client.login("slow:alice")).await
    };
    let vanishes = async {
        eventually("alice is being verified", || {
            !two.login.scene.requests.lock().unwrap().is_empty()
        })
        .await;
        two.game.gate.shared().sessions.tickets.close();
        two.login.scene.answer();
    };
    let (refused, ()) = tokio::join!(client, vanishes);
    match refused {
        Err(ClientError::Refused { reason }) => assert_eq!(reason, "no_gate"),
        other => panic!("{other:?}"),
    }
    // The gate itself has told the owner that nobody comes.
    assert_eq!(
        two.game.scene.told_owner(SCENE).last(),
        Some(&Told::Ended(100))
    );
}

#[tokio::test]
async fn script_may_name_the_gate_and_one_that_is_not_there_is_told() {
    let two = Two::start().await;
    // Also one that holds sessions itself sends a client on.
    let game = Fixture::start().await;
    let _ = game
        .scene
        .neighbour
        .set(two.game.gate.shared().sessions.clone());
    game.scene
        .sends_to
        .store(NEIGHBOUR.as_u64(), Ordering::SeqCst);
    let mut client = game.client().await;
    let error = soon(client.login("ok:alice")).await.unwrap_err();
    let ClientError::Redirected(redirect) = error else {
        panic!("{error:?}");
    };
    let mut socket = two.show(&redirect.ticket.0).await;
    let_in(&mut socket).await;
    assert_eq!(refused_by(&game, "lost:gate@9").await, "no_gate");
    game.scene
        .sends_to
        .store(NodeId::new(1, 77).as_u64(), Ordering::SeqCst);
    assert_eq!(refused_by(&game, "ok:bob").await, "no_gate");
}

#[tokio::test]
async fn gate_that_drains_is_not_sent_any_clients() {
    let two = Two::start().await;
    let mut client = Client::connect_tcp(two.game.tcp()).await.unwrap();
    soon(client.login("ok:bob")).await.unwrap();
    let Two { login, game } = two;
    let drain = tokio::spawn(
        game.gate
            .drain(Duration::from_secs(5), std::future::pending()),
    );
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        assert!(Instant::now() < deadline);
        let mut newcomer = login.client().await;
        match soon(newcomer.login("ok:carol")).await {
            Err(ClientError::Refused { reason }) if reason == "no_gate" => break,
            _ => sleep(Duration::from_millis(20)).await,
        }
    }
    drop(client);
    soon(drain).await.unwrap();
}
