//! What is not the protocol, over TCP.

use protocol::client::encode_frame;
use tests::{Seed, within};

use crate::{stage::Stage, wire::Raw};

#[tokio::test]
async fn what_is_no_verification_is_refused_with_its_reason() {
    let mut stage = Stage::with("").await;
    let too_long = encode_frame(0, 0, &vec![b'k'; 64 * 1024 + 1]);
    let two = [encode_frame(0, 0, b"alice"), encode_frame(1, 0, b"[0]")].concat();
    let offences: [(&str, &str, &[u8]); 5] = [
        (
            "a browser's request",
            "frame_too_large",
            b"GET / HTTP/1.1\r\n\r\n",
        ),
        ("a size of 4 GiB", "frame_too_large", &[0xff; 8]),
        ("a frame too long by one byte", "frame_too_large", &too_long),
        (
            "flags",
            "protocol_error",
            &encode_frame(0, 0x8001, b"alice"),
        ),
        ("a frame before the answer", "unverified_frame", &two),
    ];
    for (what, reason, bytes) in offences {
        let mut client = Raw::connect(stage.tcp()).await;
        // The gate may have closed before all of it has been sent.
        let _ = client.send(bytes).await;
        stage.ends(reason, vec![(what, client)]).await;
    }
    stage.is_deserted().await;
    stage.still_serves().await;
}

#[tokio::test]
async fn garbage_after_verification_ends_the_session_and_its_scene_hears_of_it() {
    let mut stage = Stage::with("").await;
    let mut seed = Seed::new();
    let too_long = encode_frame(1, 0, &vec![b' '; 64 * 1024 + 1]);
    let offences: [(&str, &str, &[u8]); 4] = [
        ("a size of 4 GiB", "frame_too_large", &[0xff; 8]),
        ("an oversize frame", "frame_too_large", &too_long),
        ("flags", "protocol_error", &encode_frame(1, 2, b"[0]")),
        (
            "more flags",
            "protocol_error",
            &encode_frame(1, 0xffff, b""),
        ),
    ];
    for (what, reason, bytes) in offences {
        let mut client = stage.tcp_client("mole").await;
        let _ = client.send(bytes).await;
        stage.ends(reason, vec![(what, client)]).await;
    }
    // Of random bytes one head in 65,536 is small enough to be one, and its
    // flags are wrong then.
    let before = stage.closed("frame_too_large").await + stage.closed("protocol_error").await;
    for n in 0..50 {
        let mut client = stage.tcp_client(&format!("mole-{n}")).await;
        let noise: Vec<u8> = (0..200_000).map(|_| seed.below(256) as u8).collect();
        let _ = client.send(&noise).await;
        let reason = client.end().await;
        let expected = ["frame_too_large", "protocol_error"];
        assert!(expected.contains(&&*reason), "{reason}");
    }
    let after = stage.closed("frame_too_large").await + stage.closed("protocol_error").await;
    assert_eq!(after - before, 50);
    stage.is_deserted().await;
    stage.has_grown_at_most(16);
    // The script has seen every one of them go.
    let mut player = stage.group.player("alice").await;
    within("only alice is left", async {
        while player.asks(8, serde_json::Value::Null).await != serde_json::json!(["alice"]) {}
    })
    .await;
}
