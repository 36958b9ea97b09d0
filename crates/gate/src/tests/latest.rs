//! Messages of which only the latest counts.

use bytes::BytesMut;
use protocol::{client::encode_frame, v1::Deliver};
use tokio::io::AsyncWriteExt;

use super::{Fixture, eventually, next_frame};

#[tokio::test]
async fn client_that_reads_slowly_sees_fresh_state_and_is_not_closed() {
    let fixture = Fixture::start().await;
    let mut socket = fixture.socket().await;
    let key = encode_frame(0, 0, b"ok:slow");
    socket.write_all(&key).await.unwrap();
    eventually("it is let in", || fixture.gate.sessions() == 1).await;

    // Far more than the send queue takes, of which one at a time waits there.
    let mut number = 0u32;
    for _ in 0..2_000 {
        for cmd in [5, 6] {
            number += 1;
            let mut body = number.to_le_bytes().to_vec();
            body.resize(30_000, 0);
            fixture.scene.speak(&Deliver {
                cmd,
                body: body.into(),
                latest: true,
                ..Deliver::default()
            });
        }
        tokio::task::yield_now().await;
    }
    fixture.scene.deliver(&[], 7, "last");

    let mut buffer = BytesMut::new();
    let (mut seen, mut newest) = (0, [0, 0]);
    loop {
        let frame = next_frame(&mut socket, &mut buffer).await;
        assert_eq!(frame.flags, 0, "it was closed");
        match frame.cmd {
            0 => continue,
            7 => break,
            cmd => {
                let number = u32::from_le_bytes(frame.body[..4].try_into().unwrap());
                let newest = &mut newest[usize::from(cmd) - 5];
                assert!(number > *newest, "older than the one before");
                *newest = number;
                seen += 1;
            }
        }
    }
    assert_eq!(newest, [number - 1, number]);
    assert!(seen < 2_000, "{seen}: nothing was replaced");
}
