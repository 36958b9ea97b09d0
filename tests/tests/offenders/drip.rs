//! Bytes that come one by one.

use std::time::Duration;

use protocol::client::encode_frame;

use crate::{
    stage::Stage,
    wire::{BINARY, Raw, message},
};

/// Sends bytes one by one for as long as the gate takes them, and says why it
/// does not.
async fn drip(mut client: Raw, bytes: impl IntoIterator<Item = u8>) -> String {
    for byte in bytes {
        tokio::select! {
            reason = client.until_end() => return reason,
            () = tokio::time::sleep(Duration::from_millis(20)) => {}
        }
        // It may just have been closed.
        let _ = client.send(&[byte]).await;
    }
    panic!("the gate has taken all of it");
}

#[tokio::test]
async fn a_head_that_arrives_byte_by_byte_is_served_when_it_is_whole() {
    let stage = Stage::with("").await;
    let mut slow = Raw::connect(stage.tcp()).await;
    for byte in encode_frame(0, 0, b"alice") {
        slow.send(&[byte]).await.unwrap();
    }
    assert_eq!(slow.frame().await.body, "welcome alice");
    for byte in encode_frame(9, 0, b"abc") {
        slow.send(&[byte]).await.unwrap();
    }
    // Whoever enters is announced first.
    while slow.frame().await.cmd != 9 {}

    let mut slow = stage.websocket_stranger().await;
    for byte in message(BINARY, &encode_frame(0, 0, b"bob")) {
        slow.send(&[byte]).await.unwrap();
    }
    assert_eq!(slow.frame().await.body, "welcome bob");
}

#[tokio::test]
async fn who_drips_bytes_and_never_says_who_it_is_is_given_up() {
    let stage = Stage::with("verify_timeout = \"500ms\"").await;
    let endless = encode_frame(0, 0, &[b'k'; 60_000]);
    let tcp = drip(Raw::connect(stage.tcp()).await, endless.clone());
    let websocket = stage.websocket_stranger().await;
    let websocket = drip(websocket, message(BINARY, &endless));
    let before_handshake = Raw::connect(stage.websocket()).await;
    let request = b"GET / HTTP/1.1\r\nHost: game\r\nX: ".iter().copied();
    let request = request.chain(std::iter::repeat_n(b'x', 10_000));
    let before_handshake = drip(before_handshake, request);
    let (tcp, websocket, before) = tokio::join!(tcp, websocket, before_handshake);
    assert_eq!([&*tcp, &*websocket], ["verify_timeout"; 2]);
    // There is no WebSocket yet to say it with.
    assert_eq!(before, "without a word");
    stage.has_closed("verify_timeout", 3).await;
    stage.is_deserted().await;
}

#[tokio::test]
async fn who_drips_a_frame_and_never_ends_it_is_idle() {
    let stage = Stage::with("idle_timeout = \"500ms\"").await;
    let endless = encode_frame(1, 0, &[b' '; 60_000]);
    let tcp = drip(stage.tcp_client("alice").await, endless.clone());
    let websocket = stage.websocket_client("bob").await;
    let websocket = drip(websocket, message(BINARY, &endless));
    let (tcp, websocket) = tokio::join!(tcp, websocket);
    assert_eq!([&*tcp, &*websocket], ["idle"; 2]);
    stage.is_deserted().await;
}
