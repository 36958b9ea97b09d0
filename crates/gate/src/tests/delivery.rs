//! What scenes send, written at once or later.

use std::time::Duration;

use bytes::BytesMut;
use protocol::{client::encode_frame, v1::CloseReason};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::sleep,
};
use topology::Limits;

use super::{Fixture, eventually, limits, next_frame, soon};

#[tokio::test]
async fn reader_that_stops_and_goes_on_gets_all_of_it_in_order_and_then_the_farewell() {
    let fixture = Fixture::with(Limits {
        send_queue_bytes: 64 << 20,
        send_queue_frames: 100_000,
        ..limits()
    })
    .await;
    let mut socket = fixture.socket().await;
    let key = encode_frame(0, 0, b"ok:slow");
    socket.write_all(&key).await.unwrap();
    eventually("it is let in", || fixture.gate.sessions() == 1).await;
    let login = fixture.scene.login_of("slow");
    let answer = next_frame(&mut socket, &mut BytesMut::new()).await;
    assert_eq!(answer.cmd, 0);

    let mut sent = 0u32;
    let mut send = |frames: u32| {
        for _ in 0..frames {
            let mut body = sent.to_le_bytes().to_vec();
            body.resize(7_001, 0);
            fixture.scene.deliver(&[login], 5, body);
            sent += 1;
        }
    };
    let mut buffer = BytesMut::new();
    let mut read = 0;
    for _ in 0..20 {
        // More than the system keeps for a socket, with pauses in between in which
        // the gate writes as much as it can.
        for _ in 0..10 {
            send(40);
            tokio::task::yield_now().await;
        }
        sleep(Duration::from_millis(2)).await;
        for _ in 0..100 {
            let frame = next_frame(&mut socket, &mut buffer).await;
            assert_eq!(frame.body[..4], u32::to_le_bytes(read));
            read += 1;
        }
    }
    fixture.scene.close(login, CloseReason::ClosedByScene);
    while read < 8_000 {
        let frame = next_frame(&mut socket, &mut buffer).await;
        assert_eq!((frame.cmd, &frame.body[..4]), (5, &read.to_le_bytes()[..]));
        read += 1;
    }
    let farewell = next_frame(&mut socket, &mut buffer).await;
    assert_eq!(
        (farewell.flags, &*farewell.body),
        (1, &b"closed_by_scene"[..])
    );
    assert_eq!(soon(socket.read(&mut [0])).await.unwrap(), 0);
}

#[tokio::test]
async fn socket_is_closed_though_its_seat_remains() {
    let fixture = Fixture::start().await;
    let scene = &fixture.scene;
    scene
        .answers
        .store(false, std::sync::atomic::Ordering::SeqCst);
    let mut socket = fixture.socket().await;
    socket
        .write_all(&encode_frame(0, 0, b"ok:a"))
        .await
        .unwrap();
    eventually("it is let in", || fixture.gate.sessions() == 1).await;
    socket.shutdown().await.unwrap();
    let mut rest = Vec::new();
    soon(socket.read_to_end(&mut rest)).await.unwrap();
    assert_eq!(fixture.gate.shared().sessions.table.seats(), 1);
}
