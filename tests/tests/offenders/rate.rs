//! Clients that send faster than they may.

use std::time::{Duration, Instant};

use protocol::client::encode_frame;

use crate::{
    stage::Stage,
    wire::{BINARY, Raw, message},
};

/// Sends for as long as the gate takes it, reads what comes, and says why it
/// has to stop.
pub(crate) async fn sends_without_end(mut client: Raw, frame: &[u8]) -> String {
    let bytes = frame.repeat(1000);
    let mut rest = &bytes[..];
    let mut turns = tokio::time::interval(Duration::from_millis(1));
    loop {
        tokio::select! {
            reason = client.until_end() => return reason,
            _ = turns.tick() => {}
        }
        // As much as the system takes.
        while let Ok(written) = client.socket.try_write(rest) {
            rest = &rest[written..];
            if rest.is_empty() {
                rest = &bytes;
            }
        }
    }
}

#[tokio::test]
async fn who_never_stops_is_rate_limited_and_who_stops_in_time_is_not() {
    let stage =
        Stage::with("rate_patience = \"1s\"\nframes_per_second = 100\nframe_burst = 10").await;
    let mut patient = stage.group.player("alice").await;
    let begun = Instant::now();
    let frame = encode_frame(9, 0, b"again");
    let tcp = sends_without_end(stage.tcp_client("mole").await, &frame);
    let framed = message(BINARY, &frame);
    let websocket = sends_without_end(stage.websocket_client("rat").await, &framed);
    // Too fast again and again, with a rest each time.
    let resting = async {
        for _ in 0..8 {
            for n in 0..30 {
                patient.send(1, serde_json::json!([n])).await;
            }
            for n in 0..30 {
                assert_eq!(patient.hears(1).await, serde_json::json!([n]));
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    let (tcp, websocket, ()) = tokio::join!(tcp, websocket, resting);
    assert_eq!([&*tcp, &*websocket], ["rate_limited"; 2]);
    assert!(begun.elapsed() >= Duration::from_secs(1));
    stage.has_closed("rate_limited", 2).await;
    assert!(patient.try_echo().await);
    stage.has_grown_at_most(16);
}
