//! The client against listeners that play a gate.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{future::Future, net::SocketAddr, time::Duration};

use bytes::{Bytes, BytesMut};
use client::{CMD_PING, Client, ClientError};
use futures_util::{SinkExt, StreamExt};
use protocol::client::{FrameDecoder, encode_frame};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_tungstenite::{WebSocketStream, tungstenite::Message};

const PATIENCE: Duration = Duration::from_secs(10);

/// Runs `gate` on the first connection to a new listener.
async fn gate<F, G>(gate: G) -> SocketAddr
where
    G: FnOnce(TcpStream) -> F + Send + 'static,
    F: Future<Output = ()> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        gate(socket).await;
    });
    address
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.expect("too slow")
}

async fn read_frame(socket: &mut TcpStream, buffer: &mut BytesMut) -> protocol::client::Frame {
    loop {
        if let Some(frame) = FrameDecoder::new(65_536).decode(buffer).unwrap() {
            return frame;
        }
        assert_ne!(socket.read_buf(buffer).await.unwrap(), 0);
    }
}

/// Lets everybody in with "welcome KEY" and echoes frames until the client goes.
async fn tcp_echo(mut socket: TcpStream) {
    let mut buffer = BytesMut::new();
    let key = read_frame(&mut socket, &mut buffer).await;
    let reply = [b"welcome ", &key.body[..]].concat();
    socket.write_all(&encode_frame(0, 0, &reply)).await.unwrap();
    loop {
        while let Some(frame) = FrameDecoder::new(65_536).decode(&mut buffer).unwrap() {
            let echo = encode_frame(frame.cmd, 0, &frame.body);
            socket.write_all(&echo).await.unwrap();
        }
        if socket.read_buf(&mut buffer).await.unwrap() == 0 {
            return;
        }
    }
}

async fn websocket_echo(socket: TcpStream) {
    let mut socket: WebSocketStream<_> = tokio_tungstenite::accept_async(socket).await.unwrap();
    let decoder = FrameDecoder::new(65_536);
    let mut first = true;
    while let Some(Ok(message)) = socket.next().await {
        let Message::Binary(message) = message else {
            continue;
        };
        let frame = decoder.decode_message(message).unwrap();
        let echo = if std::mem::take(&mut first) {
            encode_frame(0, 0, &[b"welcome ", &frame.body[..]].concat())
        } else {
            encode_frame(frame.cmd, 0, &frame.body)
        };
        socket.send(Message::Ping(Bytes::new())).await.unwrap();
        socket.send(Message::Binary(echo)).await.unwrap();
    }
}

async fn talks(mut client: Client) {
    let welcome = soon(client.login("alice")).await.unwrap();
    assert_eq!(welcome.reply, "welcome alice");

    client.send(101, b"hello").await.unwrap();
    let answer = soon(client.recv()).await.unwrap();
    assert_eq!((answer.cmd, &answer.body[..]), (101, &b"hello"[..]));

    client.ping(b"there?").await.unwrap();
    let answer = soon(client.recv()).await.unwrap();
    assert_eq!((answer.cmd, &answer.body[..]), (CMD_PING, &b"there?"[..]));

    let (mut sender, mut receiver) = client.split();
    let sending = tokio::spawn(async move {
        for number in 0..1_000u32 {
            sender.feed(7, &number.to_le_bytes()).await.unwrap();
        }
        sender.flush().await.unwrap();
        sender
    });
    for number in 0..1_000u32 {
        let frame = soon(receiver.recv()).await.unwrap();
        assert_eq!(&frame.body[..], number.to_le_bytes());
    }
    soon(sending).await.unwrap().close().await.unwrap();
    assert!(matches!(
        soon(receiver.recv()).await,
        Err(ClientError::Ended)
    ));
}

#[tokio::test]
async fn tcp_client_logs_in_sends_and_receives_in_order() {
    let address = gate(tcp_echo).await;
    talks(Client::connect_tcp(address).await.unwrap()).await;
}

#[tokio::test]
async fn websocket_client_logs_in_sends_and_receives_in_order() {
    let address = gate(websocket_echo).await;
    let url = format!("ws://{address}/any/path?query=1");
    talks(Client::connect_websocket(&url).await.unwrap()).await;
}

#[tokio::test]
async fn refusal_comes_back_as_the_text_of_the_gate() {
    let address = gate(|mut socket| async move {
        read_frame(&mut socket, &mut BytesMut::new()).await;
        let refusal = encode_frame(0, 1, "wrong password, Zoë".as_bytes());
        socket.write_all(&refusal).await.unwrap();
    })
    .await;
    let mut client = Client::connect_tcp(address).await.unwrap();
    match soon(client.login("zoë")).await {
        Err(ClientError::Refused { reason }) => assert_eq!(reason, "wrong password, Zoë"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_notice_is_remembered_and_is_no_frame() {
    let address = gate(|mut socket| async move {
        let mut buffer = BytesMut::new();
        read_frame(&mut socket, &mut buffer).await;
        let words = [
            encode_frame(0, 4, b"a word of later times"),
            encode_frame(0, 0, b"welcome"),
            encode_frame(9, 0, b"before"),
            encode_frame(0, 4, b"draining"),
            encode_frame(9, 4, b"after"),
        ]
        .concat();
        socket.write_all(&words).await.unwrap();
        // It goes on until it is closed.
        assert_eq!(read_frame(&mut socket, &mut buffer).await.cmd, 8);
        let last = encode_frame(0, 1 | 4, b"draining");
        socket.write_all(&last).await.unwrap();
    })
    .await;
    let mut client = Client::connect_tcp(address).await.unwrap();
    assert_eq!(soon(client.login("ann")).await.unwrap().reply, "welcome");
    assert_eq!(soon(client.recv()).await.unwrap().body, "before");
    assert!(!client.is_draining());
    assert_eq!(soon(client.recv()).await.unwrap().body, "after");
    assert!(client.is_draining());
    client.send(8, b"").await.unwrap();
    let end = soon(client.recv()).await;
    assert!(matches!(end, Err(ClientError::Closed { reason }) if reason == "draining"));
}

#[tokio::test]
async fn reason_of_a_close_is_told_at_every_later_call() {
    let address = gate(|mut socket| async move {
        read_frame(&mut socket, &mut BytesMut::new()).await;
        let last_words = [
            encode_frame(0, 0, b""),
            encode_frame(9, 0, b"last"),
            encode_frame(0, 1, b"draining"),
        ]
        .concat();
        socket.write_all(&last_words).await.unwrap();
    })
    .await;
    let mut client = Client::connect_tcp(address).await.unwrap();
    soon(client.login("alice")).await.unwrap();
    assert_eq!(soon(client.recv()).await.unwrap().cmd, 9);
    for _ in 0..2 {
        match soon(client.recv()).await {
            Err(ClientError::Closed { reason }) => assert_eq!(reason, "draining"),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn recv_that_is_cancelled_half_way_loses_nothing() {
    let (go_tx, go_rx) = tokio::sync::oneshot::channel::<()>();
    let address = gate(|mut socket| async move {
        read_frame(&mut socket, &mut BytesMut::new()).await;
        let wire = [
            encode_frame(0, 0, b""),
            encode_frame(5, 0, b"a whole frame"),
        ]
        .concat();
        let (now, later) = wire.split_at(8 + 10);
        socket.write_all(now).await.unwrap();
        go_rx.await.unwrap();
        socket.write_all(later).await.unwrap();
    })
    .await;
    let mut client = Client::connect_tcp(address).await.unwrap();
    soon(client.login("alice")).await.unwrap();
    assert!(
        timeout(Duration::from_millis(50), client.recv())
            .await
            .is_err()
    );
    go_tx.send(()).unwrap();
    assert_eq!(soon(client.recv()).await.unwrap().body, "a whole frame");
}

#[tokio::test]
async fn frame_that_claims_4_gib_is_an_error() {
    let address = gate(|mut socket| async move {
        socket.write_all(&[0xff; 8]).await.unwrap();
        read_frame(&mut socket, &mut BytesMut::new()).await;
    })
    .await;
    let mut client = Client::connect_tcp(address).await.unwrap();
    assert!(matches!(
        soon(client.login("alice")).await,
        Err(ClientError::Frame(_))
    ));
}

#[tokio::test]
async fn addresses_that_are_no_websocket_are_refused() {
    for url in [
        "",
        "127.0.0.1:1",
        "http://127.0.0.1:1",
        "tls://127.0.0.1:1",
        "ws://",
    ] {
        assert!(
            matches!(
                Client::connect_websocket(url).await,
                Err(ClientError::Address { .. })
            ),
            "{url}"
        );
    }
}
