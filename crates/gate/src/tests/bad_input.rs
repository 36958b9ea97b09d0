//! What a client must not send, and what becomes of it. In each case the gate
//! says why, forgets the client, and serves the next one.

use std::time::Duration;

use bytes::BytesMut;
use protocol::client::encode_frame;
use tokio::{io::AsyncWriteExt, net::TcpStream};
use topology::Limits;

use super::{Fixture, limits, next_frame, reason_on, scene::ECHO, soon};

/// Sends `bytes` as a new client and returns what the gate says to it.
async fn reason_for(fixture: &Fixture, bytes: &[u8]) -> String {
    let mut socket = fixture.socket().await;
    socket.write_all(bytes).await.unwrap();
    reason_on(&mut socket).await
}

/// Lets a bare socket in.
async fn log_in(socket: &mut TcpStream, name: &str) {
    let key = format!("ok:{name}");
    let frame = encode_frame(0, 0, key.as_bytes());
    socket.write_all(&frame).await.unwrap();
    let mut buffer = BytesMut::new();
    assert_eq!(next_frame(socket, &mut buffer).await.flags, 0);
    assert!(buffer.is_empty());
}

async fn still_serves(fixture: &Fixture) {
    let mut client = fixture.logged_in("somebody").await;
    client.send(ECHO, b"fine").await.unwrap();
    assert_eq!(soon(client.recv()).await.unwrap().body, "fine");
    drop(client);
    fixture.deserted().await;
}

#[tokio::test]
async fn header_that_claims_4_gib_is_refused_at_once() {
    let fixture = Fixture::start().await;
    let header = [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];
    assert_eq!(reason_for(&fixture, &header).await, "frame_too_large");
    still_serves(&fixture).await;
}

#[tokio::test]
async fn frame_one_byte_too_large_is_refused_and_the_largest_passes() {
    let fixture = Fixture::start().await;
    let mut client = fixture.logged_in("alice").await;
    client.send(ECHO, &vec![7; 64 * 1024]).await.unwrap();
    assert_eq!(soon(client.recv()).await.unwrap().body.len(), 64 * 1024);
    client.send(ECHO, &vec![7; 64 * 1024 + 1]).await.unwrap();
    assert_eq!(super::reason(&mut client).await, "frame_too_large");
}

#[tokio::test]
async fn garbage_is_refused() {
    let fixture = Fixture::start().await;
    let http = b"GET / HTTP/1.1\r\nHost: game\r\n\r\n";
    assert_eq!(reason_for(&fixture, http).await, "frame_too_large");
    assert_eq!(reason_for(&fixture, &[0x01; 64]).await, "frame_too_large");
    let flags = encode_frame(0, 0x8001, b"key");
    assert_eq!(reason_for(&fixture, &flags).await, "protocol_error");
    still_serves(&fixture).await;
}

#[tokio::test]
async fn session_key_that_is_no_text_is_refused_in_words() {
    let fixture = Fixture::start().await;
    let key = encode_frame(0, 0, b"\xc3\x28");
    assert_eq!(
        reason_for(&fixture, &key).await,
        "the session key is not UTF-8 text"
    );
}

#[tokio::test]
async fn half_a_verification_and_then_silence_times_out() {
    let fixture = Fixture::with(Limits {
        verify_timeout: Duration::from_millis(150),
        ..limits()
    })
    .await;
    for half in [
        &b""[..],
        b"\x10\x00",
        b"\x10\x00\x00\x00\x00\x00\x00\x00key",
    ] {
        assert_eq!(reason_for(&fixture, half).await, "verify_timeout");
    }
    fixture.deserted().await;
}

#[tokio::test]
async fn half_a_frame_and_then_silence_is_idle() {
    let fixture = Fixture::with(Limits {
        idle_timeout: Duration::from_millis(150),
        ..limits()
    })
    .await;
    let mut socket = fixture.socket().await;
    log_in(&mut socket, "alice").await;
    let frame = encode_frame(ECHO, 0, b"never finished");
    socket.write_all(&frame[..12]).await.unwrap();
    assert_eq!(reason_on(&mut socket).await, "idle");
    let login = fixture.scene.login_of("alice");
    fixture.scene.offline(login).await;
}

#[tokio::test]
async fn frame_before_the_answer_ends_the_connection() {
    let fixture = Fixture::start().await;
    let both = [encode_frame(0, 0, b"hang"), encode_frame(ECHO, 0, b"now")].concat();
    assert_eq!(reason_for(&fixture, &both).await, "unverified_frame");
    assert!(fixture.scene.told().is_empty());
    still_serves(&fixture).await;
}

#[tokio::test]
async fn flags_on_a_later_frame_are_a_protocol_error() {
    let fixture = Fixture::start().await;
    let mut socket = fixture.socket().await;
    log_in(&mut socket, "alice").await;
    socket.write_all(&encode_frame(ECHO, 2, b"")).await.unwrap();
    assert_eq!(reason_on(&mut socket).await, "protocol_error");
}

#[tokio::test]
async fn client_that_resets_is_gone() {
    let fixture = Fixture::start().await;
    let mut socket = fixture.socket().await;
    log_in(&mut socket, "alice").await;
    let login = fixture.scene.login_of("alice");
    // Closed with something unread in it, a socket is reset.
    fixture.scene.deliver(&[login], 5, "never read");
    soon(socket.readable()).await.unwrap();
    drop(socket);
    fixture.scene.offline(login).await;
    fixture.deserted().await;
}

#[tokio::test]
async fn farewell_reaches_a_client_that_has_sent_much_more_than_was_read() {
    let fixture = Fixture::start().await;
    let mut socket = fixture.socket().await;
    let mut flood = vec![0xff; 8];
    flood.resize(64 * 1024, 0);
    socket.write_all(&flood).await.unwrap();
    soon(socket.readable()).await.unwrap();
    // It reads only when the gate has closed: a socket that is closed with
    // something unread in it would have been reset by now, and not every
    // system lets a client read on after that.
    fixture.deserted().await;
    assert!(socket.take_error().unwrap().is_none(), "it was reset");
    assert_eq!(reason_on(&mut socket).await, "frame_too_large");
}

#[tokio::test]
async fn frames_arrive_whole_however_they_are_cut() {
    let fixture = Fixture::start().await;
    let mut socket = fixture.socket().await;
    socket.set_nodelay(true).unwrap();
    log_in(&mut socket, "alice").await;
    let wire = [encode_frame(ECHO, 0, b"first"), encode_frame(ECHO, 0, b"")].concat();
    for byte in wire {
        socket.write_all(&[byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    let mut buffer = BytesMut::new();
    assert_eq!(next_frame(&mut socket, &mut buffer).await.body, "first");
    assert_eq!(next_frame(&mut socket, &mut buffer).await.body, "");
}
