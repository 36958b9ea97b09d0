//! The SDK's session through a network that breaks: connections that end after so many
//! bytes, at every one of them.

use std::{net::SocketAddr, time::Duration};

use client::{ClientError, Event, Session};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use topology::Limits;

use super::{
    Fixture, eventually, limits,
    scene::{ECHO, Told},
    soon,
};

/// How many bytes get through, to the gate and back, of the first connections; all of
/// those that follow.
pub(super) type Cuts = Vec<(usize, usize)>;

/// A network between clients and a gate.
pub(super) async fn network(gate: SocketAddr, cuts: Cuts) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut cuts = cuts.into_iter();
        while let Ok((client, _)) = listener.accept().await {
            let (out, back) = cuts.next().unwrap_or((usize::MAX, usize::MAX));
            tokio::spawn(async move {
                let gate = TcpStream::connect(gate).await.unwrap();
                let (mut from_client, mut to_client) = client.into_split();
                let (mut from_gate, mut to_gate) = gate.into_split();
                // Whichever is used up or ends cuts both.
                tokio::select! {
                    () = carry(&mut from_client, &mut to_gate, out) => {}
                    () = carry(&mut from_gate, &mut to_client, back) => {}
                }
            });
        }
    });
    address
}

async fn carry(
    from: &mut (impl AsyncReadExt + Unpin),
    to: &mut (impl AsyncWriteExt + Unpin),
    mut bytes: usize,
) {
    let mut buffer = [0; 1024];
    while bytes > 0 {
        let most = bytes.min(buffer.len());
        let Ok(read @ 1..) = from.read(&mut buffer[..most]).await else {
            return;
        };
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
        bytes -= read;
    }
}

/// Sends so many numbers, hears each of them back once and in order, and a word of the
/// scene's behind them. Says how often the connection was lost.
async fn talk(fixture: &Fixture, cuts: Cuts, numbers: u32) -> usize {
    let connections = cuts.len();
    let address = network(fixture.tcp(), cuts).await;
    let address = format!("tcp://{address}");
    // A login that is cut is tried again by whoever wants it.
    let mut session = None;
    for _ in 0..=connections {
        match soon(Session::login(&address, "ok:ann")).await {
            Ok(made) => session = Some(made),
            Err(ClientError::Ended | ClientError::Io(_)) => continue,
            Err(error) => panic!("{error}"),
        }
        break;
    }
    let mut session = session.unwrap();
    assert!(session.is_resumable());
    for number in 1..=numbers {
        soon(session.send(ECHO, number.to_string().as_bytes()))
            .await
            .unwrap();
    }
    let (mut heard, mut away) = (Vec::new(), 0);
    while heard.len() < numbers as usize {
        match soon(session.recv()).await.unwrap() {
            Event::Message(frame) => heard.push(String::from_utf8(frame.body.into()).unwrap()),
            Event::Away => away += 1,
            Event::Back => {}
            other => panic!("{other:?}"),
        }
    }
    let expected: Vec<String> = (1..=numbers).map(|number| number.to_string()).collect();
    assert_eq!(heard, expected);
    soon(session.close()).await.unwrap();
    away
}

#[tokio::test]
async fn nothing_is_lost_or_repeated_at_whatever_byte_a_connection_is_cut() {
    // A login whose answer is lost is one that nobody comes back to.
    let fixture = Fixture::with(Limits {
        resume_time: Duration::from_secs(5),
        ..limits()
    })
    .await;
    let mut losses = 0;
    for byte in 0..200 {
        losses += talk(&fixture, vec![(byte, usize::MAX)], 20).await;
        losses += talk(&fixture, vec![(usize::MAX, byte)], 20).await;
    }
    assert!(losses > 200, "{losses}");
    fixture.deserted().await;
}

#[tokio::test]
async fn one_cut_after_the_other_is_no_more_than_a_pause() {
    let fixture = Fixture::start().await;
    for bytes in [40, 41, 50, 63, 77, 99] {
        let cuts = (0..6).map(|more| (60 + bytes + more, 60 + bytes)).collect();
        assert!(talk(&fixture, cuts, 100).await > 0);
    }
}

#[tokio::test]
async fn session_that_its_gate_does_not_have_any_more_begins_afresh_and_says_so() {
    let fixture = Fixture::start().await;
    let address = format!("tcp://{}", fixture.tcp());
    let mut session = soon(Session::login(&address, "ok:ann")).await.unwrap();
    let login = fixture.scene.login_of("ann");
    session.cut();
    eventually("the gate has seen it", || {
        fixture.gate.shared().resumables.away() == 1
    })
    .await;
    fixture
        .scene
        .close(login, protocol::v1::CloseReason::ClosedByScene);
    soon(fixture.scene.offline(login)).await;
    session.send(ECHO, b"lost").await.unwrap();
    assert_eq!(soon(session.recv()).await.unwrap(), Event::Away);
    let fresh = soon(session.recv()).await.unwrap();
    assert!(matches!(fresh, Event::Fresh { lost: 1, .. }), "{fresh:?}");
    session.send(ECHO, b"new").await.unwrap();
    let Event::Message(frame) = soon(session.recv()).await.unwrap() else {
        panic!("no message")
    };
    assert_eq!(frame.body, "new");
    let told = fixture.scene.told();
    let frames = told.iter().filter(|told| matches!(told, Told::Frame(..)));
    assert_eq!(frames.count(), 1);
}

#[tokio::test]
async fn session_that_the_gate_closes_with_a_word_is_over() {
    let fixture = Fixture::start().await;
    let address = format!("tcp://{}", fixture.tcp());
    let mut session = soon(Session::login(&address, "ok:ann")).await.unwrap();
    let login = fixture.scene.login_of("ann");
    fixture
        .scene
        .close(login, protocol::v1::CloseReason::ClosedByScene);
    for _ in 0..2 {
        let closed = soon(session.recv()).await.unwrap_err();
        assert!(
            matches!(&closed, ClientError::Closed { reason } if reason == "closed_by_scene"),
            "{closed}"
        );
    }
}

#[tokio::test]
async fn websocket_comes_back_as_tcp_does() {
    let fixture = Fixture::start().await;
    let mut session = soon(Session::login(&fixture.url(), "ok:ann"))
        .await
        .unwrap();
    let login = fixture.scene.login_of("ann");
    for round in 0..3u8 {
        session.cut();
        session.send(ECHO, &[round]).await.unwrap();
        fixture.scene.deliver(&[login], 5, vec![round; 9]);
        let mut heard = Vec::new();
        while heard.len() < 2 {
            if let Event::Message(frame) = soon(session.recv()).await.unwrap() {
                heard.push(frame.body);
            }
        }
        heard.sort();
        assert_eq!(heard, [vec![round; 1], vec![round; 9]]);
    }
}
