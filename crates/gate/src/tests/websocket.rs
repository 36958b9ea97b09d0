//! What WebSocket adds: messages, fragments, text, lengths, pings, closes.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use protocol::client::encode_frame;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{
        Message,
        protocol::{
            CloseFrame,
            frame::{
                Frame,
                coding::{CloseCode, Data, OpCode},
            },
        },
    },
};
use topology::Limits;

use super::{Fixture, eventually, limits, scene::ECHO, soon};

type Socket = WebSocketStream<TcpStream>;

async fn connect(fixture: &Fixture) -> Socket {
    let address = fixture.gate.websocket_address().unwrap();
    let socket = TcpStream::connect(address).await.unwrap();
    socket.set_nodelay(true).unwrap();
    client_async(fixture.url(), socket).await.unwrap().0
}

async fn logged_in(fixture: &Fixture) -> Socket {
    let mut socket = connect(fixture).await;
    send(&mut socket, encode_frame(0, 0, b"ok:alice")).await;
    assert_eq!(next(&mut socket).await, encode_frame(0, 0, b"hello alice"));
    socket
}

async fn send(socket: &mut Socket, message: bytes::Bytes) {
    socket.send(Message::Binary(message)).await.unwrap();
}

/// The next message.
async fn next(socket: &mut Socket) -> bytes::Bytes {
    match soon(socket.next()).await.unwrap().unwrap() {
        Message::Binary(message) => message,
        other => panic!("expected a frame, got {other}"),
    }
}

/// Expects to be told `reason`, as a frame and as WebSocket's own close.
async fn closes(socket: &mut Socket, reason: &str, code: CloseCode) {
    assert_eq!(next(socket).await, encode_frame(0, 1, reason.as_bytes()));
    match soon(socket.next()).await.unwrap().unwrap() {
        Message::Close(Some(close)) => {
            assert_eq!((close.code, close.reason.as_str()), (code, reason));
        }
        other => panic!("expected a close, got {other}"),
    }
}

#[tokio::test]
async fn text_where_binary_belongs_is_a_protocol_error() {
    let fixture = Fixture::start().await;
    let mut socket = connect(&fixture).await;
    socket.send(Message::text("ok:alice")).await.unwrap();
    closes(&mut socket, "protocol_error", CloseCode::Protocol).await;
    fixture.deserted().await;
}

#[tokio::test]
async fn message_that_is_not_exactly_one_frame_is_a_protocol_error() {
    let fixture = Fixture::start().await;
    let frame = encode_frame(0, 0, b"ok:alice");
    for message in [
        frame.slice(..3),
        frame.slice(..frame.len() - 1),
        [frame.clone(), frame.clone()].concat().into(),
        bytes::Bytes::new(),
    ] {
        let mut socket = connect(&fixture).await;
        send(&mut socket, message).await;
        closes(&mut socket, "protocol_error", CloseCode::Protocol).await;
    }
    fixture.deserted().await;
}

#[tokio::test]
async fn fragments_are_put_together() {
    let fixture = Fixture::start().await;
    let mut socket = logged_in(&fixture).await;
    let whole = encode_frame(ECHO, 0, b"in three parts");
    let parts = [
        (Data::Binary, whole.slice(..5), false),
        (Data::Continue, whole.slice(5..10), false),
        (Data::Continue, whole.slice(10..), true),
    ];
    for (kind, part, last) in parts {
        let fragment = Frame::message(part, OpCode::Data(kind), last);
        socket.send(Message::Frame(fragment)).await.unwrap();
        // A ping in between is allowed.
        socket.send(Message::Ping("x".into())).await.unwrap();
    }
    let mut messages = Vec::new();
    while messages.len() < 4 {
        messages.push(soon(socket.next()).await.unwrap().unwrap());
    }
    assert!(messages.contains(&Message::Binary(whole)));
    assert!(messages.contains(&Message::Pong("x".into())));
}

#[tokio::test]
async fn fragments_do_not_add_up_to_more_than_a_frame() {
    let fixture = Fixture::start().await;
    let mut socket = logged_in(&fixture).await;
    let part = bytes::Bytes::from(vec![0; 40_000]);
    for kind in [Data::Binary, Data::Continue] {
        let fragment = Frame::message(part.clone(), OpCode::Data(kind), false);
        socket.send(Message::Frame(fragment)).await.unwrap();
    }
    closes(&mut socket, "frame_too_large", CloseCode::Size).await;
}

#[tokio::test]
async fn length_of_64_bits_is_refused_before_anything_is_kept_for_it() {
    let fixture = Fixture::start().await;
    for length in [65_545u64, 1 << 40, i64::MAX as u64, u64::MAX] {
        let mut socket = logged_in(&fixture).await;
        // Final, binary; masked, 64-bit length; the length; the mask.
        let mut head = vec![0x82, 0xff];
        head.extend_from_slice(&length.to_be_bytes());
        head.extend_from_slice(&[0; 4]);
        socket.get_mut().write_all(&head).await.unwrap();
        closes(&mut socket, "frame_too_large", CloseCode::Size).await;
    }
    fixture.deserted().await;
}

#[tokio::test]
async fn frames_without_a_mask_or_with_unknown_bits_are_protocol_errors() {
    let fixture = Fixture::start().await;
    for head in [[0x82, 0x01, 0x00], [0xc2, 0x81, 0x00], [0x83, 0x81, 0x00]] {
        let mut socket = logged_in(&fixture).await;
        let raw = socket.get_mut();
        raw.write_all(&head).await.unwrap();
        raw.write_all(&[0; 8]).await.unwrap();
        closes(&mut socket, "protocol_error", CloseCode::Protocol).await;
    }
}

#[tokio::test]
async fn request_that_is_no_upgrade_is_dropped() {
    let fixture = Fixture::start().await;
    let address = fixture.gate.websocket_address().unwrap();
    for request in [&b"GET / HTTP/1.1\r\nHost: game\r\n\r\n"[..], &[0xff; 200]] {
        let mut socket = TcpStream::connect(address).await.unwrap();
        socket.write_all(request).await.unwrap();
        let mut answer = Vec::new();
        // Whether it is closed or reset does not matter.
        let _ = soon(socket.read_to_end(&mut answer)).await;
    }
    fixture.deserted().await;
}

#[tokio::test]
async fn ping_of_the_transport_keeps_a_session_alive() {
    let fixture = Fixture::with(Limits {
        idle_timeout: Duration::from_millis(300),
        ..limits()
    })
    .await;
    let mut socket = logged_in(&fixture).await;
    for _ in 0..8 {
        tokio::time::sleep(Duration::from_millis(80)).await;
        socket.send(Message::Ping("x".into())).await.unwrap();
        let pong = soon(socket.next()).await.unwrap().unwrap();
        assert_eq!(pong, Message::Pong("x".into()));
    }
    closes(&mut socket, "idle", CloseCode::Policy).await;
}

#[tokio::test]
async fn pings_whose_answers_are_not_read_are_not_kept() {
    let fixture = Fixture::with(Limits {
        frames_per_second: 1_000_000,
        frame_burst: 1_000_000,
        idle_timeout: Duration::from_millis(500),
        ..limits()
    })
    .await;
    let mut socket = logged_in(&fixture).await;
    let ping = Message::Ping(vec![7; 125].into());
    // The gate stops reading when its answers are stuck, and so this ends:
    // with a socket that takes no more, or as an idle client.
    let flood = async {
        loop {
            let sent = tokio::time::timeout(Duration::from_millis(300), socket.feed(ping.clone()));
            if !matches!(sent.await, Ok(Ok(()))) {
                return;
            }
        }
    };
    soon(flood).await;
    fixture.deserted().await;
}

#[tokio::test]
async fn close_of_the_client_is_answered() {
    let fixture = Fixture::start().await;
    let mut socket = logged_in(&fixture).await;
    let close = CloseFrame {
        code: CloseCode::Normal,
        reason: "enough".into(),
    };
    socket
        .send(Message::Close(Some(close.clone())))
        .await
        .unwrap();
    assert_eq!(
        soon(socket.next()).await.unwrap().unwrap(),
        Message::Close(Some(close))
    );
    assert!(soon(socket.next()).await.is_none());
    let login = fixture.scene.login_of("alice");
    fixture.scene.offline(login).await;
}

#[tokio::test]
async fn refusal_is_told_in_words_and_as_a_policy_close() {
    let fixture = Fixture::start().await;
    let mut socket = connect(&fixture).await;
    send(&mut socket, encode_frame(0, 0, b"no:come back tomorrow")).await;
    let told = next(&mut socket).await;
    assert_eq!(told, encode_frame(0, 1, b"come back tomorrow"));
    match soon(socket.next()).await.unwrap().unwrap() {
        Message::Close(Some(close)) => assert_eq!(close.reason.as_str(), "verify_refused"),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn client_that_reads_late_but_in_time_gets_everything_in_order() {
    let fixture = Fixture::with(Limits {
        send_queue_bytes: 16 * 1024 * 1024,
        ..limits()
    })
    .await;
    let mut socket = logged_in(&fixture).await;
    let login = fixture.scene.login_of("alice");
    // More than the kernel takes for a client that does not read.
    let bodies: Vec<Vec<u8>> = (0..200u8).map(|n| vec![n; 40 * 1024]).collect();
    for body in &bodies {
        fixture.scene.deliver(&[login], 5, body.clone());
    }
    send(&mut socket, encode_frame(ECHO, 0, b"still heard")).await;
    eventually("a writer that is stuck still reads", || {
        fixture.scene.frames_of("alice") == ["still heard"]
    })
    .await;
    for body in &bodies {
        assert_eq!(next(&mut socket).await, encode_frame(5, 0, body));
    }
    let echo = next(&mut socket).await;
    assert_eq!(echo, encode_frame(ECHO, 0, b"still heard"));
}

#[tokio::test]
async fn message_that_no_socket_takes_at_once_is_written_to_its_end() {
    let fixture = Fixture::start().await;
    let mut socket = logged_in(&fixture).await;
    let login = fixture.scene.login_of("alice");
    let body = bytes::Bytes::from(vec![7; 12 * 1024 * 1024]);
    fixture.scene.deliver(&[login], 5, body.clone());
    tokio::task::yield_now().await;
    assert_eq!(next(&mut socket).await, encode_frame(5, 0, &body));
}

#[tokio::test]
async fn slow_consumer_is_closed_over_websocket_too() {
    let fixture = Fixture::start().await;
    let socket = logged_in(&fixture).await;
    let login = fixture.scene.login_of("alice");
    let mut sent = 0;
    while fixture.gate.sessions() == 1 {
        fixture.scene.deliver(&[login], 5, vec![1; 60 * 1024]);
        sent += 1;
        assert!(sent < 100_000, "it is never closed");
        tokio::task::yield_now().await;
    }
    fixture.scene.offline(login).await;
    fixture.deserted().await;
    drop(socket);
}
