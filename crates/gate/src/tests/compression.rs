//! Bodies that are compressed, where the client asks for it.

use client::{Event, Session};
use metrics_exporter_prometheus::PrometheusBuilder;
use protocol::client::{
    CMD_VERIFY, FLAG_COMPRESSED, FLAG_RESUME, Frame, compression::encode_compressed, encode_frame,
};
use tokio::{io::AsyncWriteExt, net::TcpStream};
use topology::Limits;

use super::{Fixture, cuts::network, limits, next_frame, reason_on, scene::ECHO, soon};

/// Logs in over a bare socket, asking for this.
async fn log_in(fixture: &Fixture, flags: u16) -> (TcpStream, Frame) {
    let mut socket = fixture.socket().await;
    let key = encode_frame(CMD_VERIFY, flags, b"ok:alice");
    socket.write_all(&key).await.unwrap();
    let answer = next_frame(&mut socket, &mut bytes::BytesMut::new()).await;
    (socket, answer)
}

/// Sends this frame, and gets the scene's echo of it; what comes before that is the gate's.
async fn echoed(socket: &mut TcpStream, frame: &[u8]) -> Frame {
    socket.write_all(frame).await.unwrap();
    let mut buffer = bytes::BytesMut::new();
    loop {
        let frame = next_frame(socket, &mut buffer).await;
        if frame.cmd == ECHO {
            assert!(buffer.is_empty());
            return frame;
        }
    }
}

#[tokio::test]
async fn large_messages_are_compressed_for_those_who_ask_and_small_ones_for_nobody() {
    let fixture = Fixture::start().await;
    let large = vec![7; 20_000];
    for (flags, answered, compressed) in [
        (0, 0, false),
        (FLAG_COMPRESSED, FLAG_COMPRESSED, true),
        (
            FLAG_RESUME | FLAG_COMPRESSED,
            FLAG_RESUME | FLAG_COMPRESSED,
            true,
        ),
    ] {
        let (mut socket, answer) = log_in(&fixture, flags).await;
        assert_eq!(answer.flags, answered);
        let echo = echoed(&mut socket, &encode_frame(ECHO, 0, &large)).await;
        assert_eq!((echo.flags & FLAG_COMPRESSED != 0), compressed);
        if compressed {
            assert!(echo.body.len() < 400, "{}", echo.body.len());
        }
        let small = echoed(&mut socket, &encode_frame(ECHO, 0, &[7; 1_000])).await;
        assert_eq!((small.flags, small.body.len()), (0, 1_000));
        drop(socket);
    }
}

#[tokio::test]
async fn scene_gets_what_the_client_has_compressed_as_it_was() {
    let fixture = Fixture::start().await;
    let (mut socket, _) = log_in(&fixture, FLAG_COMPRESSED).await;
    let body = b"the same again and again, ".repeat(100);
    let frame = encode_compressed(ECHO, &body).unwrap();
    let echo = echoed(&mut socket, &frame).await;
    assert_eq!(echo.flags, FLAG_COMPRESSED);
    assert_eq!(fixture.scene.frames_of("alice"), [body]);
}

#[tokio::test]
async fn bomb_costs_its_client_the_connection_and_the_gate_nothing() {
    let fixture = Fixture::with(Limits {
        frame_bytes: 10_000,
        ..limits()
    })
    .await;
    let bomb = encode_compressed(ECHO, &vec![0; 1 << 19]).unwrap();
    assert!(bomb.len() < 8_000, "it is no bomb: {}", bomb.len());
    let (mut socket, _) = log_in(&fixture, FLAG_COMPRESSED).await;
    socket.write_all(&bomb).await.unwrap();
    assert_eq!(reason_on(&mut socket).await, "frame_too_large");
    let (mut socket, _) = log_in(&fixture, FLAG_COMPRESSED).await;
    let broken = encode_frame(ECHO, FLAG_COMPRESSED, b"\x05\0\0\0\xff\xff\xff\xff");
    socket.write_all(&broken).await.unwrap();
    assert_eq!(reason_on(&mut socket).await, "protocol_error");
    // Who has not asked for it does not know it.
    let (mut socket, _) = log_in(&fixture, 0).await;
    let frame = encode_compressed(ECHO, &[7; 2_000]).unwrap();
    socket.write_all(&frame).await.unwrap();
    assert_eq!(reason_on(&mut socket).await, "protocol_error");
    assert!(fixture.scene.frames_of("alice").is_empty());
}

#[tokio::test]
async fn session_that_compresses_loses_nothing_over_connections_that_are_cut() {
    let fixture = Fixture::start().await;
    let cuts = vec![(400, usize::MAX), (usize::MAX, 500), (350, usize::MAX)];
    let address = format!("tcp://{}", network(fixture.tcp(), cuts).await);
    let address = address.parse().unwrap();
    let login = Session::login_compressed(address, "ok:alice");
    let mut session = soon(login).await.unwrap();
    let body = |number: u8| vec![number; 3_000];
    for number in 0..50 {
        session.send(ECHO, &body(number)).await.unwrap();
    }
    let (mut heard, mut losses) = (0, 0);
    while heard < 50 {
        match soon(session.recv()).await.unwrap() {
            Event::Message(frame) => {
                assert_eq!(frame.body, body(heard));
                heard += 1;
            }
            Event::Away => losses += 1,
            Event::Back => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(losses >= 2, "{losses}");
}

#[test]
fn message_to_many_is_compressed_once() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let rendered = recorder.handle();
    metrics::with_local_recorder(&recorder, || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let fixture = Fixture::start().await;
            let mut sockets = Vec::new();
            for _ in 0..5 {
                sockets.push(log_in(&fixture, FLAG_COMPRESSED).await.0);
            }
            fixture.scene.deliver(&[], 9, vec![7; 5_000]);
            for socket in &mut sockets {
                let frame = next_frame(socket, &mut bytes::BytesMut::new()).await;
                assert_eq!((frame.cmd, frame.flags), (9, FLAG_COMPRESSED));
            }
        });
    });
    let rendered = rendered.render();
    let counted = "redrabbit_gate_compressed_bytes_total{side=\"before\"} 5008";
    assert!(rendered.contains(counted), "{rendered}");
}
