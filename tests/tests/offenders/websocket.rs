//! What is not the protocol, over WebSocket, and what is only unusual.

use std::time::Duration;

use protocol::client::encode_frame;
use tests::within;

use crate::{
    stage::Stage,
    wire::{BINARY, PART, PING, Raw, Said, message},
};

/// A part that is neither the first nor the last.
const NEXT_PART: u8 = 0x00;
const LAST_PART: u8 = 0x80;

#[tokio::test]
async fn what_breaks_the_protocol_ends_with_its_reason() {
    let mut stage = Stage::with("").await;
    let echo = encode_frame(9, 0, b"abc");
    let unmasked = [&[BINARY, echo.len() as u8], &echo[..]].concat();
    let reserved = [&[0xf2], &message(BINARY, &echo)[1..]].concat();
    let text = message(0x81, &echo);
    let unknown = message(0x83, &echo);
    let long_ping = message(PING, &[0; 126]);
    let no_part = message(LAST_PART, &echo);
    let short = message(BINARY, &echo[..5]);
    let minus_one = [&[BINARY, 0xff][..], &[0xff; 8], &[0; 4]].concat();
    let large = message(BINARY, &encode_frame(9, 0, &vec![0; 65_000]));
    let claims_more = message(BINARY, &[0xff; 8]);
    let in_parts = [
        message(PART, &[0; 40_000]),
        message(NEXT_PART, &[0; 40_000]),
    ]
    .concat();
    let wrong_mask = {
        // Unmasked by it, the head claims some 4 GiB.
        let mut wrong = message(BINARY, &echo);
        wrong[2..6].copy_from_slice(&[0xff; 4]);
        wrong
    };
    let offences: [(&str, &str, &[u8]); 11] = [
        ("no mask", "protocol_error", &unmasked),
        ("reserved bits", "protocol_error", &reserved),
        ("text", "protocol_error", &text),
        ("an unknown kind", "protocol_error", &unknown),
        ("a long ping", "protocol_error", &long_ping),
        ("a part of nothing", "protocol_error", &no_part),
        ("half a frame", "protocol_error", &short),
        ("a length of -1", "frame_too_large", &minus_one),
        ("parts that are too much", "frame_too_large", &in_parts),
        (
            "a frame in it that is too large",
            "frame_too_large",
            &claims_more,
        ),
        ("a wrong mask", "frame_too_large", &wrong_mask),
    ];
    for (what, reason, bytes) in offences {
        let mut client = stage.websocket_client("mole").await;
        let _ = client.send(bytes).await;
        stage.ends(reason, vec![(what, client)]).await;
    }
    let mut client = stage.websocket_client("mole").await;
    client.send(&large).await.unwrap();
    while client.frame().await.cmd != 9 {}
    drop(client);
    stage.is_deserted().await;
    stage.has_grown_at_most(16);
    stage.still_serves().await;
}

#[tokio::test]
async fn what_is_no_handshake_is_a_protocol_error() {
    let stage = Stage::with("verify_timeout = \"1s\"").await;
    let frame = encode_frame(0, 0, b"alice");
    let requests: [&[u8]; 4] = [
        b"GET / HTTP/1.1\r\nHost: game\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: game\r\n\r\n",
        b"\r\n\r\n\r\n\r\nSSH-2.0-x\r\n\r\n",
        &[&frame[..], b"\r\n\r\n"].concat(),
    ];
    for request in requests {
        let mut client = Raw::connect(stage.websocket()).await;
        let _ = client.send(request).await;
        // There is no WebSocket yet to say it with, and no HTTP to understand.
        let mut ignored = Vec::new();
        let reading = tokio::io::AsyncReadExt::read_to_end(&mut client.socket, &mut ignored);
        let _ = within("the gate ends the connection", reading).await;
    }
    stage.has_closed("protocol_error", 4).await;
    stage.is_deserted().await;
}

#[tokio::test]
async fn fragments_with_pings_between_them_are_one_frame() {
    let stage = Stage::with("").await;
    let mut client = stage.websocket_client("alice").await;
    let frame = encode_frame(9, 0, b"abcdef");
    let mut bytes = message(PART, &frame[..3]);
    for byte in &frame[3..] {
        bytes.extend(message(PING, b"?"));
        bytes.extend(message(NEXT_PART, &[]));
        bytes.extend(message(NEXT_PART, &[*byte]));
    }
    bytes.extend(message(LAST_PART, &[]));
    client.send(&bytes).await.unwrap();
    let mut pongs = 0;
    loop {
        match within("it is answered", client.next())
            .await
            .unwrap()
            .unwrap()
        {
            Said::Pong(body) if body == "?" => pongs += 1,
            Said::Frame(frame) if frame.cmd == 9 => break assert_eq!(frame.body, "fedcba"),
            Said::Frame(frame) if frame.cmd == 100 => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(pongs, frame.len() - 3);
}

/// Sends the same again and again and reads nothing, until the gate has enough
/// of it.
async fn floods(client: Raw, bytes: Vec<u8>) -> String {
    let (mut reader, mut writer) = client.socket.into_split();
    let sending = tokio::spawn(async move {
        use tokio::io::AsyncWriteExt;
        while writer.write_all(&bytes).await.is_ok() {}
    });
    // The system tells a writer of the end, so that nothing has to be read.
    within("the gate ends it", sending).await.unwrap();
    let mut said = Vec::new();
    let reading = tokio::io::AsyncReadExt::read_to_end(&mut reader, &mut said);
    let _ = tokio::time::timeout(Duration::from_secs(2), reading).await;
    String::from_utf8_lossy(&said).into_owned()
}

#[tokio::test]
async fn who_pings_and_reads_no_pong_is_given_up_and_costs_no_memory() {
    let stage = Stage::with(
        "idle_timeout = \"1s\"\nrate_patience = \"1s\"\n\
        frames_per_second = 100000\nframe_burst = 100000",
    )
    .await;
    let mut floods_of_pings = Vec::new();
    for n in 0..20 {
        let client = stage.websocket_client(&format!("mole-{n}")).await;
        let pings = message(PING, &[b'?'; 125]).repeat(100);
        floods_of_pings.push(tokio::spawn(floods(client, pings)));
    }
    for flood in floods_of_pings {
        flood.await.unwrap();
    }
    // They have said nothing that was read: the answers stood in the way.
    stage.has_closed("idle", 20).await;
    stage.has_grown_at_most(16);
    stage.still_serves().await;
}

#[tokio::test]
async fn who_sends_empty_fragments_without_end_says_nothing_and_is_idle() {
    let stage = Stage::with("idle_timeout = \"1s\"").await;
    let mut client = stage.websocket_client("mole").await;
    client.send(&message(PART, b"")).await.unwrap();
    let flood = tokio::spawn(floods(client, message(NEXT_PART, b"").repeat(1000)));
    // Somebody else is served in the meantime.
    let mut player = stage.group.player("alice").await;
    while !flood.is_finished() {
        assert!(player.try_echo().await);
    }
    flood.await.unwrap();
    stage.has_closed("idle", 1).await;
    stage.has_grown_at_most(16);
}
